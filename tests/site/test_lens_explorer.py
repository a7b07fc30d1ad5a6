"""<lens-explorer>: what each lens reads is what the model's own streams say."""

import json

import numpy as np
import pytest
import torch
from explorer_pages import open_page, opened

from layerwise.texts.poems import load_poems

pytest_plugins = ("explorer_fixtures",)

ELEMENT = "lens-explorer"
LAYER = 21

lens = opened(ELEMENT)


@pytest.fixture(scope="module")
def made(explorer_assets):
    return json.loads((explorer_assets / "lens.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def streams(decoder):
    """Return a function from IDs to a layer's stream and the last, by hooks written here."""
    _, model, _ = decoder

    def run(ids):
        kept = []
        handles = [part.register_forward_pre_hook(lambda _, taken: kept.append(taken[0]))
                   for part in (model.model.layers[LAYER], model.model.norm)]  # fmt: skip
        with torch.inference_mode():
            model(ids, logits_to_keep=1)
        for handle in handles:
            handle.remove()
        return [each.flatten(0, 1).double().numpy() for each in kept]

    return run


def fitted(before, last):
    """Fit the map by least squares with rows of a ridge below, and not by normal equations."""
    x = np.hstack([before, np.ones((len(before), 1))])
    ridge = np.sqrt(1e-3 * np.square(x).sum(0).mean()) * np.eye(x.shape[1])
    y = np.vstack([last, np.zeros((len(ridge), last.shape[1]))])
    return np.linalg.lstsq(np.vstack([x, ridge]), y, rcond=None)[0]


def chances(model, stream):
    with torch.inference_mode():
        logits = model.lm_head(model.model.norm(torch.tensor(stream, dtype=torch.float32)))
    return torch.softmax(logits.double(), dim=-1).numpy()


def test_what_is_read_and_how_far_it_is_from_the_model(made, decoder, streams):
    tokenizer, model, _ = decoder
    poems = load_poems()
    ids = [tokenizer(text)["input_ids"][:40] for text in poems["text"]]
    others = [each for each in ids if len(each) == 40][:24]
    before, last = streams(torch.tensor(others))
    number = 2
    line = made["lines"][number]
    poem = poems.set_index("first_line").loc[line["text"], "text"]
    assert ids.index(tokenizer(poem)["input_ids"][:40]) > ids.index(others[-1])  # not fitted on
    ids = tokenizer(poem)["input_ids"][: len(line["tokens"])]
    assert [tokenizer.decode([i]) for i in ids] == line["tokens"]
    here, end = streams(torch.tensor([ids[:-1]]))
    final = chances(model, end)
    mapped = np.hstack([here, np.ones((len(here), 1))]) @ fitted(before, last)
    constant = np.tile(chances(model, last[::4]).mean(0), (len(here), 1))
    row = slice(*(len(here) * (made["layers"].index(LAYER) + i) for i in (0, 1)))
    found = {"plain": chances(model, here), "corrected": chances(model, mapped),
             "constant": constant}  # fmt: skip
    for name, read in found.items():
        shown = line["read"][made["lenses"].index(name)]
        top = [made["pieces"][i] for i in shown["top"][row]]
        assert top == [tokenizer.decode([i]) for i in read.argmax(-1)], name
        shares = np.array(shown["share"][row]) / 1000
        np.testing.assert_allclose(shares, read.max(-1), atol=2e-3)
        of_next = read[np.arange(len(here)), ids[1:]]
        ranks = (read > of_next[:, None]).sum(-1)
        np.testing.assert_allclose(shown["rank"][row], ranks, rtol=0.01, atol=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            bits = np.nansum(final * (np.log2(final) - np.log2(read)), axis=-1)
        np.testing.assert_allclose(np.array(shown["bits"][row]) / 100, bits, atol=0.05)
    # and the finding: here the plain lens is further from the model than the constant is
    plain, constant = (np.mean(line["read"][made["lenses"].index(name)]["bits"][row])
                       for name in ("plain", "constant"))  # fmt: skip
    assert plain > 2 * constant


def cells(page, grid):
    return page.locator(f"{ELEMENT} .cells").nth(grid).locator("button")


def detail(page):
    rows = page.locator(f"{ELEMENT} .here tbody").evaluate(
        "(body) => [...body.rows].map((row) => [...row.cells].map((c) => c.textContent))"
    )
    return {name: rest for name, *rest in rows}


def as_read(piece):
    return piece.strip() or ("↵" if "\n" in piece else "␣")


@pytest.mark.parametrize("beside", [1, 3])
def test_every_cell_is_the_word_that_was_read(lens, made, beside):
    lens.locator("#line").select_option("1")
    lens.locator("#beside").select_option(str(beside))
    line, layers = made["lines"][1], made["layers"]
    n = len(line["tokens"]) - 1
    order = [layer * n + token for layer in reversed(range(len(layers))) for token in range(n)]
    final = line["read"][0]["top"][-n:]
    for grid, number in enumerate((0, beside)):
        read = line["read"][number]
        shown = cells(lens, grid)
        assert shown.all_text_contents() == [
            as_read(made["pieces"][read["top"][i]]) for i in order
        ]
        marks = shown.evaluate_all(
            """(all) => all.map((b) => [Number(b.style.getPropertyValue("--share")),
            b.classList.contains("final"), b.classList.contains("comes")])"""
        )
        shares = [read["share"][i] / 1000 for i in order]
        np.testing.assert_allclose([m[0] for m in marks], shares)
        assert [m[1] for m in marks] == [read["top"][i] == final[i % n] for i in order]
        assert [m[2] for m in marks] == [read["rank"][i] == 0 for i in order]


def test_a_place_is_read_by_every_lens(lens, made):
    line, layers = made["lines"][0], made["layers"]
    n = len(line["tokens"]) - 1
    layer, token = 3, 4
    cells(lens, 1).nth((len(layers) - 1 - layer) * n + token).click()
    for grid in (0, 1):
        pressed = lens.locator(f"{ELEMENT} .cells").nth(grid).locator("[aria-pressed=true]")
        assert pressed.count() == 1
        assert pressed.get_attribute("aria-label").startswith(f"layer {layers[layer]}, ")
    shown = detail(lens)
    assert list(shown) == made["lenses"]
    said = lens.locator(f"{ELEMENT} .status").text_content()
    for name, read in zip(made["lenses"], line["read"], strict=True):
        i = layer * n + token
        assert shown[name] == [
            as_read(made["pieces"][read["top"][i]]), f"{read['share'][i] / 1000:.2f}",
            f"{read['rank'][i] + 1:,}", f"{read['bits'][i] / 100:.1f}",
        ]  # fmt: skip
        assert f"{name} {np.mean(read['bits'][layer * n : layer * n + n]) / 100:.1f}" in said
    lens.keyboard.press("ArrowUp")  # a layer nearer to the end
    lens.keyboard.press("ArrowLeft")
    label = lens.evaluate(
        "document.activeElement.shadowRoot.activeElement.getAttribute('aria-label')"
    )
    assert label.startswith(f"layer {layers[layer + 1]}, {as_read(line['tokens'][token - 1])}:")
    stops = lens.locator(f"{ELEMENT} .cells [tabindex='0']")
    assert stops.count() == 2  # one for each grid


def test_a_link_leads_to_what_is_shown(lens, context, made):
    lens.locator("#line").select_option("3")
    lens.locator("#beside").select_option("2")
    cells(lens, 0).nth(12).click()
    address = lens.locator(f"{ELEMENT} .provenance a").evaluate("(link) => link.href")
    other = open_page(context, address, ELEMENT)
    assert detail(other) == detail(lens)
    assert cells(other, 1).all_text_contents() == cells(lens, 1).all_text_contents()
    other.evaluate(f"location.hash = '#{ELEMENT}:line=-7&token=900&beside=x&layer=4'")
    other.wait_for_function(f"document.querySelector('{ELEMENT}').line.value === '0'")
    assert other.problems == []

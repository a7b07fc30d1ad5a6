"""<patching-explorer>: what it shows is what hooks find in the model, and the chapter's own."""

import json
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
from explorer_pages import open_page, opened

from tests.chapters.executed_context import HALF, row, text_shown
from tools.explorers.patching import QUESTIONS

pytest_plugins = ("explorer_fixtures",)

ROOT = Path(__file__).parents[2]
ELEMENT = "patching-explorer"

patching = opened(ELEMENT)


@pytest.fixture(scope="module")
def made(explorer_assets):
    return json.loads((explorer_assets / "patching.json").read_text("utf-8"))


# ---------------------------------------------------------------- by hooks written here


def run(decoder, texts, answers, hooks=()):
    """Return by how many nats the first answer leads at the end of each text."""
    tokenizer, model, _ = decoder
    handles = [module.register_forward_pre_hook(hook) for module, hook in hooks]
    ids = torch.tensor([tokenizer.encode(text) for text in texts])
    with torch.inference_mode():
        logits = model(ids).logits[:, -1]
    for handle in handles:
        handle.remove()
    first, second = (tokenizer.encode(f" {answer}") for answer in answers)
    return (logits[:, first] - logits[:, second])[:, 0].numpy()


def kept_at(decoder, texts, module):
    kept = []
    hook = (module, lambda _, taken: kept.append(taken[0].clone()))
    run(decoder, texts, ("is", "are"), [hook])
    return kept[0]


def test_a_patch_restores_what_the_grid_says(made, decoder):
    grid = next(g for g in made["grids"] if g["sentences"][0][0] == "The book near the windows")
    (clean, corrupt), answers = grid["sentences"][0], grid["answers"][0]
    assert answers == ["is", "are"]
    layer, token = 26, 1  # the noun
    module = decoder.model.model.layers[layer]  # takes what layer 26 has left
    states = kept_at(decoder, [clean], module)

    def put_in(_, taken):
        changed = taken[0].clone()
        changed[:, token] = states[:, token]
        return (changed, *taken[1:])

    top, bottom = (run(decoder, [text], answers)[0] for text in (clean, corrupt))
    patched = run(decoder, [corrupt], answers, [(module, put_in)])[0]
    assert [leads[0] / 100 for leads in grid["leads"]] == pytest.approx([top, bottom], abs=HALF)
    n = len(grid["tokens"][0])
    assert grid["tokens"][0] == ["The", " book", " near", " the", " windows"]
    shares = np.array(grid["restored"][0]).reshape(-1, n) / 100
    found = shares[made["layers"].index(layer), token]
    assert found == pytest.approx((patched - bottom) / (top - bottom), abs=HALF)
    assert bottom < 0 < top
    np.testing.assert_array_equal(shares[:, 0], 0)  # before the noun both are the same


def test_a_cut_leaves_what_the_table_says(made, decoder):
    """One head of each set, and its stand-in, at their means over the sentences found on."""
    cases = {
        "is/are": ("The {} near the window", "key dog keys dogs",
                   "The {} near the windows", "book star books stars"),
        "he/she": ("The {} said that", "king man queen woman",
                   "They asked {} if", "John James Mary Anna"),
    }  # fmt: skip
    for question, (shape, found_on, tested, nouns) in cases.items():
        texts = [shape.format(noun) for noun in found_on.split()]
        each = made["heads"][question][0]
        for name in (each["head"], each["drawn"]):
            layer, number = map(int, name.split("."))
            module = decoder.model.model.layers[layer - 1].self_attn.o_proj
            dims = slice(64 * (number - 1), 64 * number)
            mean = kept_at(decoder, texts, module)[:, -1, dims].mean(0)

            def cut(_, taken, dims=dims, mean=mean):
                changed = taken[0].clone()
                changed[:, -1, dims] = mean
                return (changed,)

            leads = run(decoder, [tested.format(noun) for noun in nouns.split()],
                        question.split("/"), [(module, cut)])  # fmt: skip
            right = np.mean([*(leads[:2] > 0), *(leads[2:] < 0)])
            found = made["right"][question][tested][name]
            assert found == pytest.approx([right, (leads[:2] - leads[2:]).mean()], abs=2e-3)
        assert each["head"].split(".")[0] == each["drawn"].split(".")[0]  # of the same layer
        assert each["head"] != each["drawn"]


# ---------------------------------------------------------------- the chapter's own


def test_the_sentences_are_those_of_the_chapter():
    names = {}
    for cell in jupytext.read(ROOT / "chapters" / "wires.md").cells:
        start = cell.source.split(" = ")[0]
        if cell.cell_type == "code" and start in ("tasks", "things"):
            definitions = cell.source.split("\n\n\ndef ")[0]
            exec(definitions, names)
    for question, task in names["tasks"].items():
        assert "/".join(task["answers"]) == question
        expected = {task["shape"]: task["pairs"], **names["shapes_for"][question]}
        assert list(QUESTIONS[question].items()) == list(expected.items())
    assert len(names["tasks"]) == len(QUESTIONS) - 1


def test_the_numbers_are_those_of_the_executed_chapter():
    shown = text_shown("wires")
    built = ROOT / "_build" / "html" / "_static" / "explorer" / "assets" / "patching.json"
    if not built.is_file():
        pytest.skip("the pages have no explorers: run python3 -m nox -s book first")
    made = json.loads(built.read_text("utf-8"))
    whole = {name: mean_over_shapes(made["right"][name], "") for name in made["right"]}
    cuts = {"nothing": ""} | {f"heads of {name}": name_of(found)
                              for name, found in made["heads"].items()}  # fmt: skip
    for cut, heads in cuts.items():
        found = {name: mean_over_shapes(of, heads) for name, of in made["right"].items()}
        expected = [found[name][0] for name in found]
        expected += [found[name][1] / whole[name][1] for name in found]
        np.testing.assert_allclose(row(shown, cut, 4), expected, atol=HALF)
    six = [np.reshape(shares, (-1, 3)) for shares in made["grids"][0]["restored"]]
    six = np.mean(six, axis=0)
    for layer in (0, 21, 24, 30):
        of_layer = six[made["layers"].index(layer)] / 100
        np.testing.assert_allclose(row(shown, str(layer), 3), of_layer, atol=2 * HALF)


def name_of(found):
    heads = sorted(tuple(map(int, each["head"].split("."))) for each in found)
    return " ".join(f"{layer}.{number}" for layer, number in heads)


def mean_over_shapes(right, cut):
    return np.mean([of_shape[cut] for of_shape in right.values()], axis=0)


# ---------------------------------------------------------------- in the page


def table(page):
    return page.locator(f"{ELEMENT} .cuts tbody").evaluate(
        "(body) => [...body.rows].map(({ cells }) => [...cells].map((c) => c.textContent))"
    )


def test_the_table_follows_from_the_boxes(patching, made):
    gone = made["heads"]["is/are"][0]
    patching.get_by_label(in_words(gone["head"])).uncheck()
    rows = table(patching)
    kept = {"is/are": made["heads"]["is/are"][1:], "he/she": made["heads"]["he/she"]}
    expected = [""]
    for found in kept.values():
        drawn = [{"head": each["drawn"]} for each in found]
        expected += [name_of(found), name_of(drawn)]
    for (name, *numbers), cut in zip(rows, expected, strict=True):
        found = []
        for of_question in made["right"].values():
            right, gap = mean_over_shapes(of_question, cut)
            found += [right, gap / mean_over_shapes(of_question, "")[1]]
        shown = [float(number.replace("−", "-")) for number in numbers]
        assert shown == pytest.approx(found, abs=HALF), name
    assert gone["head"] not in " ".join(name for name, *_ in rows)
    assert gone["drawn"] not in rows[2][0]
    for each in kept["is/are"]:
        patching.get_by_label(in_words(each["head"])).uncheck()
    assert table(patching)[1][1:] == table(patching)[0][1:]  # none cut, nothing changed
    assert "none" in table(patching)[1][0]


def in_words(head):
    layer, number = head.split(".")
    return f"head {number} of layer {layer}"


def test_one_shape_can_be_looked_at(patching, made):
    patching.locator("#shape").select_option("2")
    both = name_of(made["heads"]["he/she"])
    right, _ = list(made["right"]["he/she"].values())[1][both]
    assert float(table(patching)[3][3]) == pytest.approx(right, abs=HALF)
    option = patching.locator("#shape option").nth(2).text_content()
    assert option == "The … that he saw / They asked … if"


def test_the_grid_shows_what_was_restored(patching, made):
    options = patching.locator("#sentence option").all_text_contents()
    wanted = "The book near the windows / The books near the windows"
    patching.locator("#sentence").select_option(str(options.index(wanted)))
    grid = next(g for g in made["grids"] if g["sentences"][0][0] == wanted.split(" / ")[0])
    n = len(grid["tokens"][0])
    numbers = np.reshape(grid["restored"][0], (-1, n))[::-1].flatten() / 100
    cells = patching.locator(f"{ELEMENT} .cells button")
    shown = [float(text.replace("−", "-")) for text in cells.all_text_contents()]
    np.testing.assert_allclose(shown, numbers, atol=1e-6)
    shades = cells.evaluate_all(
        "(all) => all.map((b) => Number(b.style.getPropertyValue('--share')))"
    )
    np.testing.assert_allclose(shades, np.clip(numbers, 0, 1), atol=1e-3)
    pair = patching.locator(f"{ELEMENT} .pair").text_content()
    assert f"“is” leads “are” by {grid['leads'][0][0] / 100:.1f} nats" in pair
    cells.nth(1).click()  # last layer, at the noun
    said = patching.locator(f"{ELEMENT} .patches .status").text_content()
    assert f"After layer {made['layers'][-1]}, at “book”" in said
    patching.keyboard.press("ArrowDown")
    said = patching.locator(f"{ELEMENT} .patches .status").text_content()
    assert f"After layer {made['layers'][-2]}, at “book”" in said


def test_the_mean_of_several_pairs_is_offered_first(patching, made):
    grid = made["grids"][0]
    assert patching.locator("#sentence option").first.text_content() == (
        f"The capital of … is: the mean of {len(grid['sentences'])} pairs"
    )
    means = np.mean([np.reshape(shares, (-1, 3)) for shares in grid["restored"]], axis=0)[::-1]
    cells = patching.locator(f"{ELEMENT} .cells button").all_text_contents()
    shown = [float(text.replace("−", "-")) for text in cells]
    np.testing.assert_allclose(shown, means.flatten() / 100, atol=HALF)


def test_a_link_leads_to_what_is_shown(patching, context, made):
    gone = made["heads"]["he/she"][-1]["head"]
    patching.get_by_label(in_words(gone)).uncheck()
    patching.locator("#shape").select_option("1")
    patching.locator("#sentence").select_option("4")
    patching.locator(f"{ELEMENT} .cells button").nth(7).click()
    address = patching.locator(f"{ELEMENT} .provenance a").evaluate("(link) => link.href")
    other = open_page(context, address, ELEMENT)
    assert table(other) == table(patching)
    said = [page.locator(f"{ELEMENT} .status").text_content() for page in (patching, other)]
    assert said[0] == said[1]
    hostile = "sentence=99&layer=x&token=-1&cut=77.1&shape=9"
    other.evaluate(f"location.hash = '#{ELEMENT}:{hostile}'")
    other.wait_for_function(f"document.querySelector('{ELEMENT}').sentence.value === '0'")
    assert "none" in table(other)[1][0]
    assert other.problems == []

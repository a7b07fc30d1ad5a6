"""<order-explorer>: the line is a line, the score that of who chose, and the model ours."""

import json
import re

import numpy as np
import pytest
from conftest import missing
from engines import FIREFOX, chromium_engine, firefox_engine
from explorer_pages import open_page, opened, place

from layerwise.fine_tuning import predict
from layerwise.models import load_encoder
from layerwise.texts.lines import load_runs
from tools.data.order_lora import DIGEST, FILE, FOLD, read_learned
from tools.desk import ROOT
from tools.explorers.learning import count_pairs, make_learning
from tools.explorers.weights import parameters_of, quantize_all, quantized_copy

pytest_plugins = ("explorer_fixtures",)

ELEMENT = "order-explorer"
PLAYERS = ["you", "the model, LoRA", "counted pairs"]
TYPED = [
    "Hope is the thing with feathers", "Tyger Tyger, burning bright,", "a a b",
    "The fog comes on little cat feet.", "für immer und ewig, 🌹 und mehr",
    "I wandered lonely as a cloud that floats on high o’er vales and hills and sees at once",
    "zzqx unheard-of words, quite", "snow " * 40 + "falls",
]  # fmt: skip
PATIENCE_MS = 90_000
GAME = f"document.querySelector('{ELEMENT}')"
REMEMBER = f"() => {{ {GAME}.before = {GAME}.round; }}"


@pytest.fixture(scope="module")
def scores():
    table = load_runs("scores").set_index(["order", "pair"])
    return table.assign(counted=count_pairs(table))


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(device="cpu")


@pytest.fixture(scope="module")
def rounded(encoder):
    """The classifier as the page has it: LoRA on weights rounded to 10 bits."""
    quantized = quantize_all(parameters_of(encoder.model))
    return read_learned(encoder._replace(model=quantized_copy(encoder.model, quantized)))


game = opened(ELEMENT)


def margin(classifier, texts):
    logits = predict(classifier, texts)
    return logits[:, 1] - logits[:, 0]


def table(page):
    rows = page.locator(f"{ELEMENT} tbody").first.evaluate(
        "(body) => [...body.rows].map(({ cells }) => [...cells].map((c) => c.textContent))"
    )
    return {name: (float(right), int(of), margins) for name, right, of, margins in rows}


def choices(page):
    return page.locator(f"{ELEMENT} .choice").all_text_contents()


def said(page):
    return page.locator(f"{ELEMENT} .said").text_content()


def type_line(page, line):
    """Type a line and have it shuffled; return the round."""
    page.evaluate(REMEMBER)
    page.locator("#own").fill(line)
    page.locator("#own").press("Enter")
    return new_round(page)


def new_round(page):
    page.wait_for_function(f"{GAME}.round !== {GAME}.before", timeout=PATIENCE_MS)
    return page.evaluate(f"{GAME}.round")


# ---------------------------------------------------------------- lines of the book


def test_three_play_and_each_gets_its_own_score(game, scores):
    true, shuffled = scores.loc["true"], scores.loc["shuffled"]
    expected = dict.fromkeys(PLAYERS, 0.0)
    for played in range(1, 7):
        assert table(game)["counted pairs"][2] == ""  # nothing is given away
        texts = choices(game)
        pair, place = game.evaluate(
            "(name) => { const { line, real } = document.querySelector(name);"
            " return [line, real]; }",
            ELEMENT,
        )
        assert true.loc[pair, "fold"] == FOLD  # the model has not read it
        assert texts[place] == true.loc[pair, "words"]
        assert texts[1 - place] == shuffled.loc[pair, "words"]
        choice = played % 2
        game.locator(f"{ELEMENT} .choice").nth(choice).click()
        game.locator(f"{ELEMENT} .choice").nth(1 - choice).click(force=True)  # too late
        expected["you"] += choice == place
        for name, run in [("the model, LoRA", "LoRA"), ("counted pairs", "counted")]:
            gap = true.loc[pair, run] - shuffled.loc[pair, run]
            expected[name] += 0.5 if gap == 0 else gap > 0
        shown = table(game)
        assert {name: right for name, (right, _, _) in shown.items()} == expected
        assert {of for _, of, _ in shown.values()} == {played}
        first, second = (
            scores.loc[(order, pair), "LoRA"]
            for order in (("true", "shuffled") if place == 0 else ("shuffled", "true"))
        )
        found = shown["the model, LoRA"][2].replace("−", "-").split(" and ")
        assert [float(x) for x in found] == pytest.approx([first, second], abs=0.051)
        assert said(game).startswith("Right" if choice == place else "No")
        assert f"“{texts[place]}”" in said(game)
        game.get_by_role("button", name="Next line").click()


def test_a_link_opens_the_same_round(context, game, pages):
    game.get_by_role("button", name="Next line").click()
    link = game.locator(f"{ELEMENT} .provenance a").get_attribute("href")
    other = open_page(context, pages[ELEMENT] + link, ELEMENT)
    assert choices(game) == choices(other)
    other.evaluate(f"location.hash = '#{ELEMENT}:round=-7'")
    other.wait_for_function(f"document.querySelector('{ELEMENT}').number === 1")


def test_every_line_held_out_comes_once_and_is_on_either_side(game, scores):
    true = scores.loc["true"]
    held_out = true.index[true["fold"] == FOLD]
    rounds = game.evaluate(
        """([name, n]) => Array.from({ length: n }, (_, i) => {
          const game = document.querySelector(name);
          game.open(i + 1);
          return [game.line, game.real];
        })""",
        [ELEMENT, len(held_out)],
    )
    assert sorted(line for line, _ in rounds) == sorted(held_out)
    assert 0.4 < np.mean([real for _, real in rounds]) < 0.6


def test_pairs_are_counted_on_other_folds_than_they_are_tested_on(scores):
    margins = make_learning()["methods"][-1]
    assert margins["name"].startswith("counted pairs")
    gaps = scores.loc["true", "counted"] - scores.loc["shuffled", "counted"]
    right = ((gaps > 0) + (gaps == 0) / 2).groupby(scores.loc["true", "fold"]).mean()
    assert right.between(0.7, 0.95).all()  # were they counted on themselves, it would be more


def test_how_often_each_is_right_is_what_the_chapter_measures(game, scores):
    def shares(run, rows):
        true, shuffled = (scores.loc[order][rows][run] for order in ("true", "shuffled"))
        pair = (true > shuffled) + (true == shuffled) / 2
        return [pair.mean(), ((true > 0).mean() + (shuffled <= 0).mean()) / 2]

    first = scores.loc["true", "fold"] == FOLD
    digest = json.loads((ROOT / DIGEST).read_text("utf-8"))
    deals = digest["right, labels dealt at random"]
    expected = [
        shares("LoRA", first), shares("counted", first),
        [np.mean([deal[name] for deal in deals]) for name in ("both", "alone")],
        [0.5, 0.5], shares("LoRA", first | True),
    ]  # fmt: skip
    rows = game.locator(f"{ELEMENT} details tbody").evaluate(
        "(body) => [...body.rows].map(({ cells }) => [...cells].map((c) => c.textContent))"
    )
    np.testing.assert_allclose(
        [[float(x) for x in row[1:]] for row in rows], expected, atol=6e-3
    )
    assert str(len(deals)) in rows[2][0]


# ---------------------------------------------------------------- the model in the page


@pytest.fixture(params=["Chromium", "Firefox"])
def engine(request, explorer_browser):
    if request.param == "Firefox" and not FIREFOX:
        missing("there is no Firefox", "Install it: apt-get install firefox-esr")
    with (
        chromium_engine(explorer_browser) if request.param == "Chromium" else firefox_engine()
    ) as found:
        yield found


JUDGE = """
  const game = document.querySelector("order-explorer");
  while (!game.getAttribute("state")) await new Promise((done) => setTimeout(done, 50));
  const found = [];
  for (const line of LINES) {
    await game.own.runOwn(line);
    const { real, shuffled, margins } = game.round;
    found.push([real, shuffled, ...margins["the model, LoRA"], game.own.status.textContent]);
  }
  return found;
"""


def test_margins_in_the_page_are_those_of_python(engine, pages, rounded, encoder, scores):
    some = scores.loc["true"].query("fold == @FOLD")["words"].iloc[::40]
    lines = [*TYPED, *some]
    engine.open(pages[ELEMENT])
    found = engine.run(JUDGE.replace("LINES", json.dumps(lines)))
    assert len({real for real, *_ in found}) == len(lines)
    assert all("in this page" in status for *_, status in found)
    for column in (0, 1):  # the line, the shuffle
        texts = [row[column] for row in found]
        shown = np.array([row[2 + column] for row in found])
        np.testing.assert_allclose(shown, margin(rounded, texts), atol=1e-3)
        # and rounding has changed little
        np.testing.assert_allclose(shown, margin(read_learned(encoder), texts), atol=0.1)
    for real, shuffled, *_ in found:
        assert sorted(real.split()) == sorted(shuffled.split())
        assert real != shuffled


def test_without_lora_the_model_is_as_it_came(game, explorer_assets, encoder):
    """With B = 0 nothing is added, with B nothing else is changed: kernel and loops."""
    batches = [dict(encoder.tokenizer(text, padding=False)) for text in TYPED[:3]]
    found = game.evaluate(
        """async ({ batches, manifest }) => {
          const load = (name) => import(`/explorer/${name}.mjs`);
          const { encode, useSteps } = await load("bert");
          const { marginOf, readLora } = await load("fine-tuned");
          const { fromBase64 } = await load("assets");
          const { startKernel } = await load("kernel");
          const { Weights } = await load("weights");
          const bytes = async (part) =>
            (await fetch("/explorer/assets/" + manifest[part].file)).arrayBuffer();
          const weights = new Weights(await bytes("weights"), manifest);
          const lora = readLora(new Uint8Array(await bytes("order")));
          const zero = { ...lora, get: (name) =>
            name.endsWith("lora_up") ? lora.get(name).map(() => 0) : lora.get(name) };
          const same = (a, b) => a.hidden_states.every((layer, i) =>
            layer.every((x, k) => x === b.hidden_states[i][k]));
          const run = (batch, lora) => encode(batch, weights, manifest.config, () => {}, lora);
          const found = [];
          for (const kernel of [await startKernel(fromBase64(manifest.kernel)), null]) {
            useSteps(kernel);
            for (const batch of batches) {
              const plain = await encode(batch, weights, manifest.config);
              const margin = await marginOf(batch, weights, manifest.config, lora);
              found.push([kernel !== null, margin, same(plain, await run(batch, zero)),
                same(plain, await run(batch, lora)), same(plain, await run(batch))]);
            }
          }
          return found;
        }""",
        {
            "batches": batches,
            "manifest": json.loads((explorer_assets / "manifest.json").read_text("utf-8")),
        },
    )
    assert [row[0] for row in found] == [True] * 3 + [False] * 3
    assert all(with_zero for _, _, with_zero, _, _ in found)
    assert not any(with_lora for *_, with_lora, _ in found)  # the twin
    assert all(afterwards for *_, afterwards in found)
    margins = np.array([row[1] for row in found]).reshape(2, -1)
    np.testing.assert_allclose(margins[0], margins[1], atol=1e-3)


def test_pairs_counted_in_the_page_are_those_of_python(game, scores):
    lines = scores.loc["true"]
    seen = lines[lines["fold"] != FOLD]["words"].tolist()
    asked = scores[scores["fold"] == FOLD]
    found = game.evaluate(
        """async ([seen, asked]) => {
          const { countPairs } = await import("/explorer/counted-pairs.mjs");
          return asked.map(countPairs(seen));
        }""",
        [seen, asked["words"].tolist()],
    )
    np.testing.assert_allclose(found, asked["counted"], atol=6e-4)  # kept to a thousandth


# ---------------------------------------------------------------- a line that is typed


def test_a_typed_line_is_played_and_has_a_score_of_its_own(game):
    game.locator(f"{ELEMENT} .choice").first.click()
    of_book = table(game)
    line = "the tide goes out at night and comes again"
    round_ = type_line(game, "The tide goes out at night, and comes again.")
    assert round_["kind"] == "typed"
    assert game.locator("#own").input_value() == ""  # whoever chooses is not to see it
    assert choices(game)[round_["place"]] == line
    assert {right for right, of, _ in table(game).values()} == {0}
    assert all(margins == "" for *_, margins in table(game).values())
    game.locator(f"{ELEMENT} .choice").nth(1 - round_["place"]).click()
    real, other = round_["margins"]["the model, LoRA"]
    assert table(game)["you"][:2] == (0, 1)
    assert table(game)["the model, LoRA"][:2] == (float(real > other), 1)
    pairs = round_["margins"]["counted pairs"]
    gap = pairs[0] - pairs[1]
    assert table(game)["counted pairs"][:2] == ((np.sign(gap) + 1) / 2, 1)
    assert "typed" in game.locator(f"{ELEMENT} caption").first.text_content()
    game.get_by_role("button", name="Next line").click()
    assert {n: v[:2] for n, v in table(game).items()} == {n: v[:2] for n, v in of_book.items()}


def test_shuffled_again_it_is_another_order_and_not_counted(game):
    line = "nine small birds were singing in the rain tonight"
    orders = {type_line(game, line)["shuffled"]}
    again = game.get_by_role("button", name="Shuffle again")
    for _ in range(3):
        game.locator(f"{ELEMENT} .choice").first.click()
        game.evaluate(REMEMBER)
        again.click()
        round_ = new_round(game)
        assert round_["real"] == line
        orders.add(round_["shuffled"])
        assert "not counted, since this line was asked before" in said(game)
    assert len(orders) > 1
    assert {of for _, of, _ in table(game).values()} == {1}


def test_a_line_of_a_poem_that_was_trained_on_is_named_and_not_counted(game, scores):
    lines = scores.loc["true"]
    poems = make_learning()["poems"]
    words = lines["words"].str.split().map(len)
    trained = lines[(lines["fold"] != FOLD) & (words > 6)].iloc[3]
    own = trained["words"].split()
    forms = [
        trained["words"].upper() + "!", " ".join(own[::-1]), " ".join(own[1:]),
        f"and he said {trained['words']}",
    ]  # fmt: skip
    for form in forms:
        type_line(game, form)
        game.locator(f"{ELEMENT} .choice").first.click()
        assert "not counted, since the model was trained on" in said(game), form
        assert f"“{poems[trained['text']]}”" in said(game)
        assert {of for _, of, _ in table(game).values()} == {0}
    held_out = lines[(lines["fold"] == FOLD) & (words > 6)].iloc[5]
    type_line(game, held_out["words"])
    game.locator(f"{ELEMENT} .choice").first.click()
    assert "not counted" not in said(game)
    assert f"stands in “{poems[held_out['text']]}”" in said(game)
    assert {of for _, of, _ in table(game).values()} == {1}


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("", "3 words or more"), ("two words", "3 words or more"), ("🌹 ! ?", "3 words or more"),
     ("so, so so!", "no other order")],
)  # fmt: skip
def test_what_cannot_be_shuffled_is_said_and_nothing_is_fetched(
    typed, answer, game, explorer_site
):
    before = choices(game)
    game.locator("#own").fill(typed)
    game.locator("#own").press("Enter")
    game.wait_for_selector(f"{ELEMENT} .status.error:has-text('{answer}')")
    assert choices(game) == before
    assert not [path for path in explorer_site.server.asked if "weights" in path]


def test_a_link_brings_the_typed_line(context, game, pages):
    line = "nobody knows where the small rain goes"
    type_line(game, line)
    link = game.locator(f"{ELEMENT} .provenance a").get_attribute("href")
    other = open_page(context, pages[ELEMENT] + link, ELEMENT)  # the model was kept
    other.wait_for_function(
        f"document.querySelector('{ELEMENT}').round.real === '{line}'", timeout=PATIENCE_MS
    )


# ---------------------------------------------------------------- when it cannot run


def plays_on(page):
    assert page.evaluate(f"{GAME}.round.kind") == "book"
    page.get_by_role("button", name="Next line").click()
    page.locator(f"{ELEMENT} .choice").first.click()
    assert re.match("Right|No", said(page))
    assert table(page)["the model, LoRA"][2] != ""


@pytest.mark.parametrize(
    ("fault", "answer"),
    [("lost", "connection was lost"), ("damaged", "is damaged"), ("missing", "404")],
)
def test_a_broken_file_of_the_classifier_is_said_and_not_used(
    fault, answer, game, explorer_site
):
    explorer_site.server.faults[FILE.name] = fault
    game.locator("#own").fill("the tide goes out at night")
    game.locator("#own").press("Enter")
    game.wait_for_selector(f"{ELEMENT} .status.error:has-text('{answer}')", timeout=PATIENCE_MS)
    plays_on(game)
    explorer_site.server.faults.clear()
    assert type_line(game, "the tide goes out at night")["kind"] == "typed"


def test_a_blocked_model_leaves_the_game(game, context):
    context.route("**/worker.mjs", lambda route: route.abort())
    game.locator("#own").fill("the tide goes out at night")
    game.locator("#own").press("Enter")
    game.wait_for_selector(f"{ELEMENT} .status.error:has-text('cannot be reached')")
    plays_on(game)


def test_from_a_file_the_game_is_there_and_says_what_is_not(context, from_file):
    page = open_page(context, from_file, ELEMENT)
    assert "needs a server" in page.locator(f"{ELEMENT} .note").text_content()
    assert page.locator(f"{ELEMENT} #own").count() == 0
    assert "in this page" not in page.locator(f"{ELEMENT} .provenance").text_content()
    plays_on(page)


@pytest.mark.parametrize("part", ["weights", "order"])
def test_pages_of_another_model_say_why(part, context, explorer_site, altered):
    why = "these pages have another model"
    assets = altered(
        f"no-{part}", "manifest.json",
        lambda manifest: manifest.update({part: None, f"{part}_left_out": why}),
    )  # fmt: skip
    body = place(ELEMENT, f"assets='{assets}'")
    page = open_page(context, explorer_site.page(f"no-{part}.html", body), ELEMENT)
    assert f"{why}. The lines here" in page.locator(f"{ELEMENT} .note").text_content()
    plays_on(page)

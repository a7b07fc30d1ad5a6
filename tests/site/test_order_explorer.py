"""<order-explorer>: the line is a line, and the score is that of who chose."""

import pytest
from explorer_pages import open_page, opened

from layerwise.texts.lines import load_runs
from tools.explorers.learning import count_pairs, make_learning

pytest_plugins = ("explorer_fixtures",)

ELEMENT = "order-explorer"
PLAYERS = ["you", "the model, LoRA", "counted pairs"]


@pytest.fixture(scope="module")
def scores():
    table = load_runs("scores").set_index(["order", "pair"])
    return table.assign(counted=count_pairs(table))


game = opened(ELEMENT)


def table(page):
    rows = page.locator(f"{ELEMENT} tbody").evaluate(
        "(body) => [...body.rows].map(({ cells }) => [...cells].map((c) => c.textContent))"
    )
    return {name: (float(right), int(of), margins) for name, right, of, margins in rows}


def test_three_play_and_each_gets_its_own_score(game, scores):
    true, shuffled = scores.loc["true"], scores.loc["shuffled"]
    expected = dict.fromkeys(PLAYERS, 0.0)
    for played in range(1, 7):
        assert table(game)["counted pairs"][2] == ""  # nothing is given away
        texts = game.locator(f"{ELEMENT} .choice").all_text_contents()
        pair, place = game.evaluate(
            "(name) => { const { line, real } = document.querySelector(name);"
            " return [line, real]; }",
            ELEMENT,
        )
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
        first, second = (scores.loc[(order, pair), "LoRA"] for order in
                         (("true", "shuffled") if place == 0 else ("shuffled", "true")))
        found = shown["the model, LoRA"][2].replace("−", "-").split(" and ")
        assert [float(x) for x in found] == pytest.approx([first, second], abs=0.051)
        said = game.locator(f"{ELEMENT} .status").text_content()
        assert said.startswith("Right" if choice == place else "No")
        assert f"“{texts[place]}”" in said
        game.get_by_role("button", name="Next line").click()


def test_a_link_opens_the_same_round(context, game, pages):
    game.get_by_role("button", name="Next line").click()
    link = game.locator(f"{ELEMENT} .provenance a").get_attribute("href")
    other = open_page(context, pages[ELEMENT] + link, ELEMENT)
    shown = [page.locator(f"{ELEMENT} .choice").all_text_contents() for page in (game, other)]
    assert shown[0] == shown[1]
    other.evaluate(f"location.hash = '#{ELEMENT}:round=-7'")
    other.wait_for_function(f"document.querySelector('{ELEMENT}').round === 1")


def test_rounds_differ_and_the_real_one_is_on_either_side(game):
    rounds = game.evaluate(
        """(name) => Array.from({ length: 40 }, (_, i) => {
          const game = document.querySelector(name);
          game.open(i + 1);
          return [game.line, game.real];
        })""",
        ELEMENT,
    )
    assert len({line for line, _ in rounds}) > 30
    assert 8 < sum(real for _, real in rounds) < 32


def test_pairs_are_counted_on_other_folds_than_they_are_tested_on(scores):
    margins = make_learning()["methods"][-1]
    assert margins["name"].startswith("counted pairs")
    gaps = scores.loc["true", "counted"] - scores.loc["shuffled", "counted"]
    right = ((gaps > 0) + (gaps == 0) / 2).groupby(scores.loc["true", "fold"]).mean()
    assert right.between(0.7, 0.95).all()  # were they counted on themselves, it would be more

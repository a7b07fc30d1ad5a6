"""<learning-explorer>: what it counts and lists is what the tables of the chapter hold."""

import numpy as np
import pandas as pd
import pytest
from explorer_pages import open_page, opened

from layerwise.texts.lines import load_runs
from tools.explorers.learning import METHODS, count_pairs

pytest_plugins = ("explorer_fixtures",)

ELEMENT = "learning-explorer"
SCORES = load_runs("scores").set_index(["order", "pair"])
SCORES["counted pairs"] = count_pairs(SCORES)
TRUE, SHUFFLED = SCORES.loc["true"], SCORES.loc["shuffled"]


learning = opened(ELEMENT)


def choose(page, **options):
    for name, label in options.items():
        page.locator(f"#{name}").select_option(label=label)


def rates(page):
    """Return the table of shares: by method, alone and as a pair."""
    rows = page.locator(f"{ELEMENT} .rates tbody").evaluate(
        "(body) => [...body.rows].map(({ cells }) => [...cells].map((c) => c.textContent))"
    )
    return {name: [float(x) for x in numbers] for name, *numbers in rows}


def listed(page):
    """Return the lines that are listed, each with its shuffle."""
    return page.locator(f"{ELEMENT} .lines tbody").evaluate(
        "(body) => [...body.rows].map(({ cells }) => [cells[0], cells[2]]"
        ".map((c) => c.textContent))"
    )


@pytest.mark.parametrize("fold", ["all", "1", "4"])
def test_shares_are_those_of_the_tables(fold, learning):
    choose(learning, fold=fold)
    tested = np.array(TRUE["fold"] == int(fold) - 1) if fold != "all" else slice(None)
    shown = rates(learning)
    assert list(shown) == list(METHODS.values())
    for run, name in METHODS.items():
        true, shuffled = (side[run].to_numpy()[tested] for side in (TRUE, SHUFFLED))
        alone = (np.r_[true > 0, shuffled <= 0]).mean()
        both = np.where(true == shuffled, 0.5, true > shuffled).mean()
        assert shown[name] == pytest.approx([alone, both], abs=0.0051)


def test_listed_are_the_lines_that_the_method_gets_wrong(learning):
    run, fold = "all weights", 2
    choose(learning, method=METHODS[run], fold=str(fold + 1), which="wrong as a pair")
    rows = pd.DataFrame({
        "true": TRUE["words"].to_numpy(), "shuffled": SHUFFLED["words"].to_numpy(),
        "wrong": ~(TRUE[run].to_numpy() > SHUFFLED[run].to_numpy()),
        "alone": (TRUE[run].to_numpy() <= 0) | (SHUFFLED[run].to_numpy() > 0),
    })[np.array(TRUE["fold"] == fold)]  # fmt: skip
    assert listed(learning) == rows.loc[rows["wrong"], ["true", "shuffled"]].values.tolist()
    said = learning.locator(f"{ELEMENT} .status").text_content()
    assert said == (f"{METHODS[run]}: {rows['wrong'].sum()} lines of {len(rows)}, "
                    "wrong as a pair.")  # fmt: skip
    choose(learning, which="wrong alone")
    assert listed(learning) == rows.loc[rows["alone"], ["true", "shuffled"]].values.tolist()
    n_marked = learning.locator(f"{ELEMENT} .lines .wrong").count()
    assert n_marked >= rows["alone"].sum()
    choose(learning, which="every line")
    assert len(listed(learning)) == len(rows)


def test_a_link_shows_the_same_and_nonsense_shows_all(context, learning, pages):
    choose(learning, method=METHODS["10 lines"], fold="5", which="wrong alone")
    link = learning.locator(f"{ELEMENT} .provenance a").get_attribute("href")
    other = open_page(context, pages[ELEMENT] + link, ELEMENT)
    assert listed(other) == listed(learning)
    assert other.locator(f"{ELEMENT} .chosen").text_content().startswith("all weights, 10")
    other.evaluate("location.hash = '#learning-explorer:fold=99&method=none&lines=7'")
    other.wait_for_function("document.querySelector('learning-explorer').fold.value === '0'")
    assert other.locator("#which").input_value() == "0"


def test_its_data_is_small(explorer_assets):
    assert (explorer_assets / "learning.json").stat().st_size < 100_000

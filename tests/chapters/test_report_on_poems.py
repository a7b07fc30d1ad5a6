"""`layerwise report` on the 59 poems shows what the executed chapter on context shows."""

import json
import re

import numpy as np
import pytest
from executed_context import HALF, row, text_shown


@pytest.fixture(scope="module")
def shown():
    return text_shown()


@pytest.fixture(scope="module")
def numbers(shown, poems_report):
    """The numbers of the report; not without a built chapter."""
    content = (poems_report / "numbers.json").read_text("utf-8")
    (ours,) = json.loads(content)["numbers"].values()
    return ours


def same(ours, theirs):
    np.testing.assert_allclose(ours, theirs, atol=HALF, rtol=0)


def test_drift_and_every_baseline_are_the_chapters(shown, numbers):
    assert len(numbers["drift"]) == 11
    for name, ours in numbers["drift"].items():
        if name == "random pair":
            continue  # in the chapter it is drawn, and not in its table
        theirs = row(shown, name.replace("text", "poem"))
        same(ours, theirs)
        # another row of the same table would not pass
        other = "same poem" if name != "same text" else "other poem"
        assert np.abs(np.subtract(ours, row(shown, other))).max() > 3 * HALF


def test_agreement_of_themes_and_its_controls_are_the_chapters(shown, numbers):
    ours = numbers["agreement"]
    last = row(shown, "mean, last layer", 3)
    same([ours["agreement"], ours["chance"], ours["chance_95"]], last)
    same(ours["static"], row(shown, "mean, static layer", 3)[0])
    same(ours["counted_words"], row(shown, "word counts, TF-IDF", 3)[0])
    assert abs(ours["static"] - last[0]) > 3 * HALF
    for rival, name in [("mean, static layer", "against_static"),
                        ("word counts, TF-IDF", "against_counted_words")]:  # fmt: skip
        found = re.search(rf"^{rival}((?:\s+-?[\d.]+){{6}})$", shown, re.MULTILINE)
        gain, low, high, only_first, only_rival, p = map(float, found[1].split())
        against = ours[name]
        assert (against["only_first"], against["only_second"]) == (only_first, only_rival)
        same([against["gain"], *against["interval"], against["p"]], [gain, low, high, p])


def test_the_largest_step_is_the_chapters(shown, numbers):
    largest = min(numbers["steps"], key=numbers["steps"].get)
    assert f"The largest step is {largest}." in shown

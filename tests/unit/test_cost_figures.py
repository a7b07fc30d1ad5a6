"""What the figures of a reading show is what was measured, at the place where it belongs."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from layerwise.evaluation import bootstrap_interval
from layerwise.figures.page import COMPARISON_COLORS
from layerwise.report.cost_figures import MOST_LABELS, draw_costs
from layerwise.report.costs import Costs
from layerwise.report.reading import Chosen, Reading

RNG = np.random.default_rng(4)
MODEL, COUNTING, SHUFFLED = (to_rgba(color) for color in COMPARISON_COLORS[:3])
BOTH = {"the model": MODEL, "counted runs of characters": COUNTING}
PARTS = {name: RNG.uniform(1, 4, (4, 10)) for name in ("printed", "lines shuffled")}
PARTS["lines shuffled"][1] = np.nan  # a text of one line
COUNTED_PARTS = RNG.uniform(3, 6, (4, 10))
ROWS = pd.Index([2, 3, 5, 8], name="row")
BITS = pd.DataFrame({"printed": [2.0, 3.0, 2.5, 4.0], "own title": [1.5, 2.9, 2.5, 3.0],
                     "another's title": [1.9, 2.8, np.nan, 3.9]}, ROWS)  # fmt: skip
VERSIONS = pd.DataFrame(
    [["words shuffled", 0.9, 0.6, 1.0, 4], ["words shuffled, counted", 0.5, 0.4, 0.7, 4],
     ["lines shuffled", 0.2, -0.1, 0.6, 3], ["lines shuffled, counted", 0.1, 0.0, 0.3, 3],
     ["stanzas shuffled", np.nan, np.nan, np.nan, 0],
     ["stanzas shuffled, counted", np.nan, np.nan, np.nan, 0],
     ["saved by another's title", 0.1, 0.0, 0.3, 3]],
    columns=["name", "mean", "low", "high", "n"],
).set_index("name")  # fmt: skip
LABELS = pd.DataFrame({"label": ["b", "a", "c"], "n_texts": [5, 3, 2], "counted": [6.0, 4, 5],
                       "bits_a_character": [3.0, 2.0, 4.0], "low": [2.9, 1.5, 3.0],
                       "high": [3.2, 2.1, 4.7]})  # fmt: skip
DATES = pd.DataFrame({"first": [1800.0, 1852], "last": [1850.0, 1900], "counted": [5.0, 6.5],
                      "bits_a_character": [3.0, 2.0], "low": [2.9, 1.2],
                      "high": [3.4, 2.3]})  # fmt: skip


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def costs_of(**changed) -> Costs:
    """What is measured, by hand, without the two figures that need a column of the table."""
    table = pd.DataFrame({"row": ROWS, "date": [1801.0, 1850, 1852, 1899]})
    reading = Reading(
        Chosen(table, pd.DataFrame(), True, {}), BITS, PARTS, pd.DataFrame(), pd.DataFrame(),
        {}, pd.DataFrame(), {},
    )  # fmt: skip
    costs = Costs(
        reading, pd.Series([0, 0, 1, 2], ROWS), BITS, COUNTED_PARTS, VERSIONS, pd.DataFrame(),
        pd.DataFrame(), pd.DataFrame(), {},
        pd.Series(["title begins the text", "in other words", "", "in other words"], ROWS),
    )  # fmt: skip
    return costs._replace(**changed)


def drawn(name: str, **changed):
    """One figure, of those that are drawn."""
    (picture,) = [x for x in draw_costs(costs_of(**changed)) if x.name == f"surprisal-{name}"]
    return picture


def intervals(axes, along_x: bool):
    """Each mean that has an interval: its colour, its place and its ends."""
    for container in axes.containers:
        points, _, (ends,) = container
        x, y = points.get_data()
        low, high = np.array(ends.get_segments())[:, :, 0 if along_x else 1].T
        yield to_rgba(points.get_color()), (x, y), (low, high)


def names(picture) -> list[str]:
    return [label.get_text() for label in picture.figure.axes[0].get_yticklabels()]


def legend(picture) -> dict:
    """The colour of what each name in the legend stands for."""
    (found,) = picture.figure.legends
    handles, names = picture.figure.axes[0].get_legend_handles_labels()
    assert names == [text.get_text() for text in found.get_texts()]
    marks = [x[0] if isinstance(x, tuple) else x for x in handles]  # of a mean with its ends
    colors = [to_rgba(x.get_color()) if hasattr(x, "get_color") else None for x in marks]
    return dict(zip(names, colors, strict=True))


def test_what_there_is_to_draw_is_drawn():
    assert [x.name for x in draw_costs(costs_of())] == [
        "surprisal-orders", "surprisal-position", "surprisal-titles"
    ]  # fmt: skip
    untitled = VERSIONS.assign(n=VERSIONS["n"].where(VERSIONS.index.str[0] != "s", 0))
    assert [x.name for x in draw_costs(costs_of(versions=untitled, labels=LABELS))] == [
        "surprisal-orders", "surprisal-position", "surprisal-labels"
    ]  # fmt: skip
    one_period = draw_costs(costs_of(dates=DATES[:1]))
    assert "surprisal-dates" not in [x.name for x in one_period]
    assert [x.name for x in draw_costs(costs_of(dates=DATES))][-1] == "surprisal-dates"


def test_orders_stand_from_above_with_the_model_above_counting():
    picture = drawn("orders")
    (axes,) = picture.figure.axes
    assert names(picture) == ["words shuffled", "lines shuffled"]  # no stanza could be
    assert axes.get_yticks().tolist() == [0, 1]
    bottom, top = axes.get_ylim()
    assert bottom > 1 > 0 > top  # the first is the uppermost
    model, counting = intervals(axes, along_x=True)
    for (color, (x, y), (low, high)), own, suffix in [
        (model, MODEL, ""), (counting, COUNTING, ", counted")
    ]:  # fmt: skip
        rows = VERSIONS.loc[[f"{name}{suffix}" for name in names(picture)]]
        assert color == own
        np.testing.assert_allclose([x, low, high], rows[["mean", "low", "high"]].T)
        assert np.abs(y - [0, 1]).max() < 0.5  # beside its name
    assert (model[1][1] < counting[1][1]).all()
    assert legend(picture) == BOTH
    assert [[0, 0], [0, 1]] in [[list(x) for x in line.get_data()] for line in axes.lines]
    assert "words shuffled, 0.900 and 0.500; lines shuffled, 0.200 and 0.100" in picture.alt


def test_tenths_stand_in_their_order_with_the_interval_of_what_was_printed():
    picture = drawn("position")
    (axes,) = picture.figure.axes
    printed, shuffled, counted = axes.lines
    for line, values, color in [
        (printed, PARTS["printed"], MODEL),
        (shuffled, PARTS["lines shuffled"][[0, 2, 3]], SHUFFLED),
        (counted, COUNTED_PARTS, COUNTING),
    ]:  # fmt: skip
        assert to_rgba(line.get_color()) == color
        assert line.get_xdata().tolist() == list(range(1, 11))
        np.testing.assert_allclose(line.get_ydata(), values.mean(axis=0))
    (band,) = axes.collections
    edge = band.get_paths()[0].vertices
    low, high = bootstrap_interval(PARTS["printed"][:, 3], groups=[0, 0, 1, 2])
    ends = edge[edge[:, 0] == 4][:, 1]  # the band's two edges at the fourth tenth
    np.testing.assert_allclose([ends.min(), ends.max()], [low, high])
    assert axes.get_ylim()[0] == 0
    assert legend(picture) == {
        "as printed": MODEL, "lines shuffled": SHUFFLED, "counted runs of characters": COUNTING
    }  # fmt: skip
    first, last = PARTS["printed"].mean(axis=0)[[0, -1]]
    assert f"as printed, {first:.3f} and {last:.3f}; lines" in picture.alt
    alone = drawn("position", counted_parts=np.full((4, 10), np.nan))
    assert list(legend(alone)) == ["as printed", "lines shuffled"]


def test_titles_are_those_of_texts_that_have_another_to_compare_with():
    picture = drawn("titles")
    begins, others = picture.figure.axes[0].collections
    np.testing.assert_allclose(begins.get_offsets(), [[0.1, 0.5]])
    np.testing.assert_allclose(others.get_offsets(), [[0.2, 0.1], [0.1, 1.0]], atol=1e-12)
    assert "A dot for each of 3 texts" in picture.alt
    assert "begin the text save 0.400 bits a character and those of other words 0.400" in (
        picture.alt
    )


def test_labels_stand_by_what_they_cost():
    picture = drawn("labels", labels=LABELS)
    (axes,) = picture.figure.axes
    assert names(picture) == ["a (3)", "b (5)", "c (2)"]
    assert axes.get_yticks().tolist() == [0, 1, 2]
    bottom, top = axes.get_ylim()
    assert bottom < 0 < 2 < top  # the dearest is the uppermost
    ((color, (x, y), (low, high)),) = intervals(axes, along_x=True)
    assert color == MODEL
    assert [list(z) for z in (x, y)] == [[2, 3, 4], [0, 1, 2]]
    np.testing.assert_allclose([low, high], [[1.5, 2.9, 3], [2.1, 3.2, 4.7]])
    counted = axes.lines[-1]
    assert to_rgba(counted.get_color()) == COUNTING
    assert counted.get_xydata().tolist() == [[4, 0], [6, 1], [5, 2]]
    assert legend(picture) == BOTH
    assert "by label: a 2.000, b 3.000, c 4.000." in picture.alt


def test_of_many_labels_the_first_are_drawn_and_it_is_said():
    n = MOST_LABELS + 1
    many = pd.concat([LABELS.iloc[:1].assign(label=f"label {i}") for i in range(n)])
    picture = drawn("labels", labels=many)
    assert len(names(picture)) == MOST_LABELS
    assert f"by label, the {MOST_LABELS} with most texts:" in picture.alt
    assert "with most texts" not in drawn("labels", labels=many[:MOST_LABELS]).alt


def test_periods_stand_in_their_middle_and_texts_at_their_dates():
    picture = drawn("dates", dates=DATES)
    (axes,) = picture.figure.axes
    texts = next(x for x in axes.collections if len(x.get_offsets()) == 4)
    assert texts.get_offsets().tolist() == [[1801, 2], [1850, 3], [1852, 2.5], [1899, 4]]
    ((color, (x, y), (low, high)),) = intervals(axes, along_x=False)
    assert color == MODEL
    assert [list(z) for z in (x, y)] == [[1825, 1876], [3, 2]]
    np.testing.assert_allclose([low, high], [[2.9, 1.2], [3.4, 2.3]])
    counted = axes.lines[-1]
    assert to_rgba(counted.get_color()) == COUNTING
    assert counted.get_xydata().tolist() == [[1825, 5], [1876, 6.5]]
    assert legend(picture) == {
        "a text": None, "a period": MODEL, "counted runs of characters": COUNTING
    }  # fmt: skip
    assert "2 periods: 3.000 from 1800 to 1850 and 2.000 from 1852 to 1900." in picture.alt

"""Strips of surprisal: each token where it stands, on its shade, and who gains by a title."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from layerwise.figures.page import BEHIND_TEXT, SHADES, show
from layerwise.figures.strips import as_lines, gains_of_heading, surprisal_strip
from layerwise.texts.poems import load_poems

PIECES = ["Hope", " is", ",\n", "\n", "a", " fe", "athers"]
BITS = np.array([8.0, 1.0, 0.0, 2.0, 4.0, 6.0, 3.0])
ALT = "Seven tokens, each on a shade of its surprisal, the darkest is the first one."


def test_pieces_stand_on_their_lines():
    assert as_lines(PIECES) == [[0, 1, 2], [3], [4, 5, 6]]
    assert as_lines(["one"]) == [[0]]


@pytest.mark.parametrize("end", ["\r\n", "\r", "\x85", "\u2028", "\v"])
def test_a_line_ends_as_on_any_system(end):
    pieces = [piece.replace("\n", end) for piece in PIECES]
    assert as_lines(pieces) == as_lines(PIECES)
    assert as_lines(["a", *end, "b"]) == [[*range(len(end) + 1)], [len(end) + 1]]
    assert as_lines([f"a{end}b", "c"]) == [[0], [1]]


def test_long_lines_go_on_below_and_those_of_poems_do_not():
    lines = as_lines(["", *["abcdef"] * 25])
    assert lines == [[*range(11)], [*range(11, 21)], [*range(21, 26)]]
    assert as_lines(["床" * 15] * 3) == [[0, 1], [2]]
    for text in load_poems()["text"]:
        assert len(as_lines(text)) == len(text.split("\n"))


def test_a_long_token_is_shortened_and_a_wide_one_has_its_room():
    (axes,) = surprisal_strip(["a", "b" * 5000, "月光", "d"], [1, 2, 3, 4]).axes
    assert [text.get_text() for text in axes.texts] == ["a", "bbbbbbbbbb…bbbbb", "月光", "d"]
    assert [patch.get_x() for patch in axes.patches] == [0, 1, 17, 21]


def test_each_token_is_drawn_where_it_stands_and_as_dark_as_it_surprises():
    (axes,) = surprisal_strip(PIECES, BITS).axes
    assert [text.get_text() for text in axes.texts] == [
        "Hope", "is", ",↵", "↵", "a", "fe", "athers",
    ]  # fmt: skip
    places = [patch.get_xy() for patch in axes.patches]
    assert places == [(0, 0), (4, 0), (7, 0), (0, 1), (0, 2), (1, 2), (4, 2)]
    assert [patch.get_width() for patch in axes.patches] == [4, 3, 2, 1, 1, 3, 6]
    wanted = [SHADES(share * BEHIND_TEXT) for share in BITS / 8]
    assert [patch.get_facecolor() for patch in axes.patches] == wanted
    assert show(surprisal_strip(PIECES, BITS), ALT).data.count("<text") == len(PIECES)


def test_tokens_of_a_table_are_drawn_whatever_its_index():
    table = pd.DataFrame({"piece": ["a", "b"], "bits": [1.0, 2.0]}, index=[5, 6])
    (axes,) = surprisal_strip(table["piece"], table["bits"]).axes
    assert [text.get_text() for text in axes.texts] == ["a", "b"]


def test_nothing_is_no_figure():
    with pytest.raises(ValueError, match=r"^there is no token to draw: give a text that is"):
        surprisal_strip([], [])
    with pytest.raises(ValueError, match=r"there are 0, 0 and 0 of these: .* one at least$"):
        gains_of_heading([], [], [])
    with pytest.raises(ValueError, match=r"^a text is a dot .* there are 2, 1 and 2 of these"):
        gains_of_heading([1, 2], [1], [True, False], noun="text")


def test_numbers_that_are_too_few_or_have_no_shade_are_refused():
    with pytest.raises(ValueError, match=r"7 tokens need as many numbers, got \(6,\)"):
        surprisal_strip(PIECES, BITS[1:])
    with pytest.raises(ValueError, match="has no shade"):
        surprisal_strip(PIECES, -BITS)


@pytest.mark.parametrize("begins", [[True, False, False, True], [1, 0, 0, 1]])
def test_poems_whose_title_begins_them_are_filled(begins):
    own, another = np.array([0.3, 0.1, -0.1, 0.2]), np.array([0.1, 0.1, 0.05, -0.02])
    figure = gains_of_heading(own, another, begins)
    filled, hollow = figure.axes[0].collections
    assert filled.get_offsets().tolist() == [[0.1, 0.3], [-0.02, 0.2]]
    assert hollow.get_offsets().tolist() == [[0.1, 0.1], [0.05, -0.1]]
    assert to_rgba(filled.get_facecolor()[0])[3] > 0
    assert len(hollow.get_facecolor()) == 0
    (line,) = figure.axes[0].lines
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())

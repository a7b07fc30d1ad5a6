"""Strips of surprisal: each token where it stands, on its shade, and who gains by a title."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from layerwise.figures.page import BEHIND_TEXT, SHADES, show
from layerwise.figures.strips import as_lines, gains_of_heading, surprisal_strip

PIECES = ["Hope", " is", ",\n", "\n", "a", " fe", "athers"]
BITS = np.array([8.0, 1.0, 0.0, 2.0, 4.0, 6.0, 3.0])
ALT = "Seven tokens, each on a shade of its surprisal, the darkest is the first one."


def test_pieces_stand_on_their_lines():
    assert as_lines(PIECES) == [[0, 1, 2], [3], [4, 5, 6]]
    assert as_lines(["one"]) == [[0]]


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


def test_numbers_that_are_too_few_or_have_no_shade_are_refused():
    with pytest.raises(ValueError, match=r"7 tokens need as many numbers, got \(6,\)"):
        surprisal_strip(PIECES, BITS[1:])
    with pytest.raises(ValueError, match="has no shade"):
        surprisal_strip(PIECES, -BITS)


def test_poems_whose_title_begins_them_are_filled():
    own, another = np.array([0.3, 0.1, -0.1, 0.2]), np.array([0.1, 0.1, 0.05, -0.02])
    figure = gains_of_heading(own, another, [True, False, False, True])
    filled, hollow = figure.axes[0].collections
    assert filled.get_offsets().tolist() == [[0.1, 0.3], [-0.02, 0.2]]
    assert hollow.get_offsets().tolist() == [[0.1, 0.1], [0.05, -0.1]]
    assert to_rgba(filled.get_facecolor()[0])[3] > 0
    assert len(hollow.get_facecolor()) == 0
    (line,) = figure.axes[0].lines
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())

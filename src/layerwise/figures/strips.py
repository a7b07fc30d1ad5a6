"""Figures of a text read token by token: a strip of surprisal, and who gains by a heading."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from layerwise.checks import to_array
from layerwise.figures.page import (
    BEHIND_TEXT,
    INK,
    LABEL_SIZE,
    SHADES,
    n_wide,
    new_figure,
    shares,
    short,
    style,
)
from layerwise.texts.cleaning import LINE_BREAK

LINE = 0.26  # inches, from a line of verse to the next
WIDEST = 60  # letters: no line of the poems has as many
LETTER = 0.6 * LABEL_SIZE / 72  # inches, of a typewriter's


def as_lines(pieces: Sequence[str]) -> list[list[int]]:
    """Return which pieces stand on each line: a piece that ends a line is that line's last.

    What does not fit into a width of ``WIDEST`` goes on below.
    """
    ends = [found.end() for found in LINE_BREAK.finditer("".join(pieces))]
    last = set(np.searchsorted(np.cumsum([len(piece) for piece in pieces]), ends).tolist())
    lines: list[list[int]] = []
    room = -1
    for i, piece in enumerate(pieces):
        if i - 1 in last or n_letters(piece) > room:
            lines.append([])
            room = WIDEST
        lines[-1].append(i)
        room -= n_letters(piece)
    return lines


@style()
def surprisal_strip(pieces: Sequence[str], bits) -> Figure:
    """Draw a text as it is read: behind each token its surprisal, more is darker.

    Long tokens are shortened in the middle, long lines go on below.

    Parameters
    ----------
    pieces : sequence of str
        The text, cut into tokens.
    bits : array of shape (n_tokens,)

    Raises
    ------
    ValueError
        If there is no token, or not a number for each.
    """
    pieces, bits = list(pieces), to_array(bits)
    if not pieces:
        raise ValueError("there is no token to draw: give a text that is not empty")
    if bits.shape != (len(pieces),):
        raise ValueError(f"{len(pieces)} tokens need as many numbers, got {bits.shape}")
    lines = as_lines(pieces)
    widest = max(sum(n_letters(pieces[i]) for i in line) for line in lines)
    figure, axes = new_figure(width=widest * LETTER + 0.4, height=len(lines) * LINE + 0.3)
    draw_strip(axes, pieces, bits, lines, widest)
    return figure


def n_letters(piece: str) -> int:
    """Return how many places a piece takes: a line end is seen as one, 月 needs two."""
    return len(short(piece)) + n_wide(piece)


def draw_strip(
    axes: Axes, pieces: Sequence[str], bits: np.ndarray, lines: list[list[int]], widest: int
) -> None:
    """Draw each piece where it stands, on its shade."""
    dark = shares(bits) * BEHIND_TEXT
    for row, line in enumerate(lines):
        place = 0
        for i in line:
            width = n_letters(pieces[i])
            axes.add_patch(Rectangle((place, row), width, 0.9, color=SHADES(dark[i]), lw=0))
            axes.text(place + width / 2, row + 0.45, short(pieces[i]).strip(), ha="center",
                      va="center", family="monospace", size=LABEL_SIZE)  # fmt: skip
            place += width
    axes.set(xlim=(0, widest), ylim=(len(lines), 0))
    axes.set_axis_off()


@style()
def gains_of_heading(
    own, another, is_first_line: Sequence[bool], noun: str = "poem"
) -> Figure:
    """Draw for each poem, or text, what its own title saves against what another's does.

    Parameters
    ----------
    own, another : arrays of shape (n_poems,)
        Bits a character that a poem costs less after the heading.
    is_first_line : sequence of bool
        Whether the title begins the poem: these are filled.
    noun : str
        What the axes call a poem.

    Raises
    ------
    ValueError
        If there is no poem, or not a value of each kind for each.
    """
    own, another = to_array(own), to_array(another)
    filled = np.asarray(is_first_line, dtype=bool)
    if not own.size or not own.shape == another.shape == filled.shape:
        raise ValueError(
            f"a {noun} is a dot with two numbers and a yes or no, but there are {own.size}, "
            f"{another.size} and {filled.size} of these: give as many of each, one at least"
        )
    figure, axes = new_figure(height=3.8)
    for which, color, label in [(filled, SHADES(0.9), "is the first line, or begins it"),
                                (~filled, "none", "is other words")]:  # fmt: skip
        axes.scatter(another[which], own[which], color=color, edgecolor=INK, linewidth=0.8,
                     s=34, label=f"title {label}", zorder=2)  # fmt: skip
    ends = [min(own.min(), another.min()), max(own.max(), another.max())]
    axes.plot(ends, ends, color=INK, linewidth=0.8, linestyle="--")
    axes.set(xlabel=f"saved by another {noun}'s title", ylabel="saved by its own title")
    figure.legend(loc="outside upper left")
    axes.grid()
    axes.set_axisbelow(True)
    return figure

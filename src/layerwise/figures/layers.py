"""Figures of layers: the deeper, the darker; and of tokens: the more, the darker."""

import html
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from layerwise.checks import to_array
from layerwise.figures.page import (
    BEHIND_TEXT,
    COMPARISON_COLORS,
    INK,
    PAGE_COLORS,
    SHADE,
    SHADES,
    drawn,
    label_tokens,
    new_figure,
    shares,
    style,
)

# The same comparison looks the same in every figure of every chapter: colour, marker, dash.
# Centred and shifted are kin: both take one vector from all.
LOOKS = {
    "same": (0, "o", "-"),
    "other": (1, "s", "--"),
    "random pair": (2, "D", "-."),
    "same, centred": (3, "^", ":"),
    "other, centred": (4, "v", (0, (5, 1, 1, 1, 1, 1))),
    "same, rotated": (5, "P", (0, (8, 2))),
    "other, rotated": (6, "*", (0, (1, 3))),
    "same, shifted": (3, "<", (0, (3, 1))),
    "other, shifted": (4, ">", (0, (2, 4))),
    "same, centred, rotated": (5, "X", (0, (8, 2, 1, 2))),
    "other, centred, rotated": (6, "p", (0, (4, 4))),
}

# Also where the site's style sheet is not: in Jupyter
STRIP = {
    "ol": "display: flex; flex-wrap: wrap; gap: 3px; margin: 0.4rem 0 0; padding: 0; "
    "list-style: none",
    "li": "padding: 0.2rem 0.5rem; border-radius: 3px; overflow-wrap: anywhere",
    "small": "display: block",
}


@style()
def violins_by_layer(table: pd.DataFrame, label: str, x: str = "layer") -> Figure:
    """Draw one violin of cosines for each layer, or each step between layers.

    Parameters
    ----------
    table : DataFrame
        Tidy, with a column ``cosine`` and one named by ``x``.
    label : str
        What the cosine compares: the label of the vertical axis.
    x : str
        The column that says which layer.
    """
    figure, axes = new_figure()
    sns.violinplot(
        table, x=x, y="cosine", color=SHADE, saturation=1, inner="quart", cut=0,
        density_norm="width", linewidth=1.0, linecolor=INK, ax=axes,
    )  # fmt: skip
    n_layers = table[x].nunique()
    for layer, violin in enumerate(axes.collections, start=1):
        violin.set_facecolor(SHADES(layer / n_layers))
    names = [text.get_text() for text in axes.get_xticklabels()]
    label_tokens(axes.xaxis, names, range(n_layers), room=4.0)
    axes.set(xlabel=x, ylabel=label)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    return figure


@style()
def compare_by_layer(table: pd.DataFrame, label: str) -> Figure:
    """Draw, for each comparison of a drift table, its median by layer and its middle half.

    Lines differ in dash and marker, so that they can be told apart without colour; each
    comparison of :data:`LOOKS` has its own in every figure, others take what is free.

    Parameters
    ----------
    table : DataFrame
        From :func:`layerwise.similarity.drift_table`.
    label : str
        The label of the vertical axis.

    Raises
    ------
    ValueError
        If there are more comparisons than can be told apart.
    """
    comparisons = list(table["comparison"].unique())
    if len(comparisons) > len(COMPARISON_COLORS):
        raise ValueError(
            f"{len(comparisons)} comparisons cannot be told apart in one figure: draw at most "
            f"{len(COMPARISON_COLORS)}"
        )
    figure, axes = new_figure(height=3.2 + 0.27 * ((len(comparisons) + 1) // 2))
    quartiles = table.groupby(["comparison", "layer"])["cosine"].quantile([0.25, 0.5, 0.75])
    lines = []
    for comparison, (number, marker, dash) in looks_of(comparisons).items():
        by_layer = quartiles[comparison].unstack()
        color = COMPARISON_COLORS[number]
        lines += axes.plot(
            by_layer.index, by_layer[0.5], color=color, marker=marker, linestyle=dash,
            markeredgecolor=INK, label=comparison,
        )  # fmt: skip
        axes.fill_between(
            by_layer.index, by_layer[0.25], by_layer[0.75], color=color, alpha=0.2
        )
    layers = sorted(table["layer"].unique())
    axes.set(xlabel="layer", ylabel=label, xticks=layers[:: 1 + len(layers) // 16])
    axes.grid(axis="y")
    # by name: left alone, matplotlib hides a line whose name begins with an underscore
    figure.legend(lines, comparisons, loc="outside lower center", ncols=2)
    return figure


def looks_of(comparisons: Sequence[str]) -> dict[str, tuple]:
    """Return for each comparison the number of its colour, its marker and its dash.

    A poem and a text are the same thing here.
    """
    looks = {name: LOOKS.get(re.sub(" (poem|text)", "", name)) for name in comparisons}
    taken = {look[0] for look in looks.values() if look}
    free = iter([look for look in LOOKS.values() if look[0] not in taken])
    return {name: look or next(free) for name, look in looks.items()}


@style()
def layer_picture(tokens: Sequence[str], moved) -> Figure:
    """Draw a text through all layers: a column for each token, a row for each layer.

    Parameters
    ----------
    tokens : sequence of str
    moved : array of shape (n_layers + 1, n_tokens)
        How far each token is, in each layer, from where it began: 0 is paper, the largest
        is darkest. Layer 0 is at the bottom.

    Raises
    ------
    ValueError
        If there is not a column for each token, or a distance is negative.
    """
    of_tile = shares(moved)
    n_tokens = len(tokens)
    if of_tile.ndim != 2 or of_tile.shape[1] != n_tokens or not n_tokens:
        raise ValueError(
            f"{n_tokens} tokens need distances of shape (n_layers + 1, {n_tokens}), got "
            f"{of_tile.shape}"
        )
    n_rows = len(of_tile)
    figure, axes = new_figure(height=1.1 + 0.27 * n_rows)
    for layer, token in np.ndindex(n_rows, n_tokens):
        # the paper shows between the tiles, whatever its colour
        tile = Rectangle((token + 0.03, layer + 0.06), 0.94, 0.88)
        tile.set(facecolor=SHADES(of_tile[layer, token]), edgecolor=INK, linewidth=0.3)
        axes.add_patch(tile)
    axes.set(xlim=(0, n_tokens), ylim=(0, n_rows), ylabel="layer")
    label_tokens(axes.xaxis, tokens, np.arange(n_tokens) + 0.5, room=4.2)
    layers = np.arange(0, n_rows, max(1, n_rows // 6))
    axes.set_yticks(layers + 0.5, [str(layer) for layer in layers])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def token_strip(tokens: Sequence[str], values: Sequence[float], label: str) -> HTML:
    """Set a text with each token shaded by a value, which can also be read as a number.

    Parameters
    ----------
    tokens : sequence of str
    values : sequence of float, one for each token
        0 is paper, the largest is darkest.
    label : str
        What the values are.

    Raises
    ------
    ValueError
        If there is not a value for each token, or one is negative.
    """
    if len(tokens) != len(values):
        raise ValueError(f"{len(tokens)} tokens, but {len(values)} values")
    pieces = []
    for token, value, share in zip(tokens, to_array(values), shares(values), strict=True):
        percent = f"{100 * BEHIND_TEXT * share:.0f}%"
        color = f"color-mix(in srgb, {PAGE_COLORS[SHADE]} {percent}, transparent)"
        pieces.append(
            f'<li style="{STRIP["li"]}; background: {color}"><bdi>{html.escape(drawn(token))}'
            f'</bdi> <small style="{STRIP["small"]}">{value:z.2f}</small></li>'
        )
    return HTML(
        f'<figure class="token-strip"><figcaption>{html.escape(drawn(label))}</figcaption>'
        f'<ol style="{STRIP["ol"]}">{"".join(pieces)}</ol></figure>'
    )

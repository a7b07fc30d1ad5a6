"""Figures of layers: each layer in its colour, the deeper, the darker."""

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from layerwise.figures.page import INK, new_figure

# Mid-tones: each stands out from white and from near-black paper (WCAG 1.4.11, 3:1).
COMPARISON_COLORS = ["#1f7fc0", "#c2602a", "#24896c", "#b05c9a", "#857428"]
# Light to dark with depth, also in greyscale and for every kind of colour vision.
LAYER_PALETTE = "crest"


def layer_colors(n_layers: int) -> list:
    """Return a colour for each layer from 0 to n_layers: the deeper, the darker."""
    return sns.color_palette(LAYER_PALETTE, n_layers + 1)


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
    n_layers = table[x].nunique()
    figure, axes = new_figure()
    sns.violinplot(
        table, x=x, y="cosine", hue=x, palette=layer_colors(n_layers)[1:], legend=False,
        inner="quart", cut=0, density_norm="width", linewidth=1.0, linecolor=INK, ax=axes,
    )
    axes.set(xlabel=x, ylabel=label)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    return figure


def compare_by_layer(table: pd.DataFrame, label: str) -> Figure:
    """Draw, for each comparison of a drift table, its median by layer and its middle half.

    Lines differ in dash and marker, so that they can be told apart without colour.

    Parameters
    ----------
    table : DataFrame
        From :func:`layerwise.similarity.drift_table`.
    label : str
        The label of the vertical axis.
    """
    figure, axes = new_figure(height=4.0)
    comparisons = list(table["comparison"].unique())
    quartiles = table.groupby(["comparison", "layer"])["cosine"].quantile([0.25, 0.5, 0.75])
    dashes = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
    for comparison, color, marker, dash in zip(
        comparisons, COMPARISON_COLORS, "osD^v", dashes, strict=False
    ):
        by_layer = quartiles[comparison].unstack()
        axes.plot(
            by_layer.index, by_layer[0.5], color=color, marker=marker, linestyle=dash,
            markeredgecolor=INK, label=comparison,
        )
        axes.fill_between(
            by_layer.index, by_layer[0.25], by_layer[0.75], color=color, alpha=0.2
        )
    axes.set(xlabel="layer", ylabel=label, xticks=sorted(table["layer"].unique()))
    axes.grid(axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def layer_picture(tokens: Sequence[str], moved: np.ndarray) -> Figure:
    """Draw a text through all layers: a column for each token, a row for each layer.

    Parameters
    ----------
    tokens : sequence of str
    moved : array of shape (n_layers + 1, n_tokens)
        How far each token is, in each layer, from where it began: the darker, the farther.
    """
    n_rows, n_tokens = np.shape(moved)
    figure, axes = new_figure(height=1.1 + 0.27 * n_rows)
    shades = np.asarray(moved) / (np.max(moved) or 1.0)
    palette = sns.color_palette(LAYER_PALETTE, as_cmap=True)
    for layer, token in np.ndindex(n_rows, n_tokens):
        # the paper shows between the tiles, whatever its colour
        tile = Rectangle((token + 0.03, layer + 0.06), 0.94, 0.88)
        tile.set(facecolor=palette(shades[layer, token]), linewidth=0)
        axes.add_patch(tile)
    axes.set(xlim=(0, n_tokens), ylim=(0, n_rows), ylabel="layer")
    few = n_tokens <= 8  # then the words can stand upright
    axes.set_xticks(np.arange(n_tokens) + 0.5, tokens, rotation=0 if few else 90)
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
        The darker the shade, the larger the value.
    label : str
        What the values are.

    Raises
    ------
    ValueError
        If there is not a value for each token.
    """
    if len(tokens) != len(values):
        raise ValueError(f"{len(tokens)} tokens, but {len(values)} values")
    numbers = np.asarray(values, dtype=float)
    spread = np.ptp(numbers) or 1.0
    shades = (numbers - numbers.min()) / spread  # 0 to 1
    palette = ListedColormap(sns.color_palette(LAYER_PALETTE, 256))
    pieces = []
    for token, value, shade in zip(tokens, numbers, shades, strict=True):
        r, g, b, _ = palette(float(shade))
        luminance = 0.2126 * r**2.2 + 0.7152 * g**2.2 + 0.0722 * b**2.2
        ink = "#fff" if luminance < 0.18 else "#000"  # either way a contrast above 4.5 to 1
        color = f"rgb({255 * r:.0f} {255 * g:.0f} {255 * b:.0f})"
        pieces.append(
            f'<li style="background: {color}; color: {ink}">{html.escape(token)} '
            f"<small>{value:.2f}</small></li>"
        )
    return HTML(
        f'<figure class="token-strip"><figcaption>{html.escape(label)}</figcaption>'
        f"<ol>{''.join(pieces)}</ol></figure>"
    )

"""The book's figures: one style, layers on one colour scale, and alt text with every figure.

A figure leaves here as SVG inside the page, drawn in the page's own text colour, so that it is
legible on light and dark paper and as small or large as the reader's screen.
"""

import hashlib
import html
import io
import re
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

# Text and lines are drawn in this colour, which then becomes the page's text colour.
INK = "#010203"
STYLE: dict = {
    "figure.figsize": (4.8, 3.2),
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "font.size": 11,
    "grid.color": "#8c8c8c",
    "grid.alpha": 0.35,
    "svg.fonttype": "none",
    "svg.hashsalt": "layerwise",
}
# Mid-tones: each stands out from white and from near-black paper (WCAG 1.4.11, 3:1).
COMPARISON_COLORS = ["#1f7fc0", "#c2602a", "#24896c", "#b05c9a", "#857428"]
# Light to dark with depth, also in greyscale and for every kind of colour vision.
LAYER_PALETTE = "crest"
ATTENTION_PALETTE = "crest"


def layer_colors(n_layers: int) -> list:
    """Return a colour for each layer from 0 to n_layers: the deeper, the darker."""
    return sns.color_palette(LAYER_PALETTE, n_layers + 1)


def new_figure(width: float = 4.8, height: float = 3.2, **subplots) -> tuple[Figure, Axes]:
    """Start a figure in the book's style; show it with :func:`show`.

    Parameters
    ----------
    width, height : float
        In inches; wider than 5 is hard to read on a phone.
    **subplots
        Passed on to ``plt.subplots``.
    """
    plt.rcParams.update(STYLE)
    return plt.subplots(figsize=(width, height), **subplots)


def figure_to_svg(figure: Figure, name: str) -> str:
    """Draw a figure as an SVG element that can stand in a page beside others.

    The same figure gives the same characters; ids carry the name and a digest of the drawing,
    so that two figures in one page do not share any; ink becomes ``currentColor``.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # A style sheet inside an SVG holds for the whole page: set the same on this figure only.
    svg = re.sub(r"<defs>\s*<style[^>]*>\*\{(.*?)\}</style>\s*</defs>", "", svg)
    svg = svg.replace("<svg ", '<svg style="stroke-linejoin: round; stroke-linecap: butt" ', 1)
    name += hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = re.sub(r'\b(id="|xlink:href="#)', rf"\1{name}-", svg)
    svg = svg.replace("url(#", f"url(#{name}-").replace(INK, "currentColor")
    return re.sub(r"\n\s*", "\n", svg)


def show(figure: Figure, alt: str, caption: str = "") -> HTML:
    """Turn a figure into an output with alt text; make it the last line of a cell.

    Parameters
    ----------
    figure : Figure
    alt : str
        What the figure shows, in words and computed numbers, for who cannot see it.
    caption : str
        A line below the figure.

    Raises
    ------
    ValueError
        If the alt text is too short to say what the figure shows.
    """
    if len(alt.split()) < 8:
        raise ValueError(f"alt text {alt!r} is too short: say what the figure shows")
    name = "f" + hashlib.sha256((alt + caption).encode()).hexdigest()[:8]
    svg = figure_to_svg(figure, name)
    plt.close(figure)
    alt = html.escape(alt)
    width_pt = figure.get_figwidth() * 72
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{alt}" ', 1)
    caption = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return HTML(
        f'<figure class="layerwise-figure" style="max-width: {width_pt * 4 / 3:.0f}px">\n'
        f"{svg}{caption}</figure>"
    )


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


def attention_heatmap(weights: np.ndarray, tokens: Sequence[str], title: str = "") -> Figure:
    """Draw one head's attention: a row for each token that looks, a column for each seen.

    Parameters
    ----------
    weights : array of shape (n_tokens, n_tokens)
        Rows sum to one.
    tokens : sequence of str
        Their pieces.
    title : str

    Raises
    ------
    ValueError
        If there is not a row and a column for each token.
    """
    weights = np.asarray(weights)
    if weights.shape != (len(tokens), len(tokens)):
        raise ValueError(
            f"{len(tokens)} tokens need weights of shape {(len(tokens), len(tokens))}, got "
            f"{weights.shape}: pick one text, one layer and one head"
        )
    side = 1.6 + 0.28 * len(tokens)
    figure, axes = new_figure(width=min(side + 0.9, 6.2), height=min(side, 5.3))
    image = axes.imshow(weights, cmap=ATTENTION_PALETTE, vmin=0, interpolation="nearest")
    axes.set_xticks(range(len(tokens)), tokens, rotation=90)
    axes.set_yticks(range(len(tokens)), tokens)
    axes.set(xlabel="is seen", ylabel="looks", title=title)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.7, label="share of attention")
    return figure


def attention_grid(attentions: Sequence[np.ndarray]) -> Figure:
    """Draw every head of every layer small: a row for each layer, a column for each head.

    Parameters
    ----------
    attentions : sequence of n_layers arrays of shape (n_heads, n_tokens, n_tokens)
        One text's attention weights.
    """
    n_layers, (n_heads, n_tokens, _) = len(attentions), attentions[0].shape
    side = n_tokens + 1  # one empty row and column between the maps
    mosaic = np.full((n_layers * side - 1, n_heads * side - 1), np.nan)
    for layer, of_layer in enumerate(attentions):
        for head, weights in enumerate(of_layer):
            top, left = layer * side, head * side
            mosaic[top : top + n_tokens, left : left + n_tokens] = weights
    figure, axes = new_figure(width=6.4, height=1.0 + 5.2 * n_layers / n_heads)
    image = axes.imshow(mosaic, cmap=ATTENTION_PALETTE, vmin=0, vmax=1, interpolation="nearest")
    middle = (n_tokens - 1) / 2
    heads, layers = np.arange(n_heads), np.arange(n_layers)
    axes.set_xticks(heads * side + middle, [str(head + 1) for head in heads])
    axes.set_yticks(layers * side + middle, [str(layer + 1) for layer in layers])
    axes.set(xlabel="head", ylabel="layer")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of attention")
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


def dots_by_layer(values: np.ndarray, label: str, reference: float | None = None) -> Figure:
    """Draw one dot for each head in each layer, and the layer's mean as a bar.

    Parameters
    ----------
    values : array of shape (n_layers, n_heads)
    label : str
        The label of the vertical axis.
    reference : float, optional
        What chance or evenness would give: a dashed line.
    """
    values = np.asarray(values)
    n_layers, n_heads = values.shape
    figure, axes = new_figure(height=3.2)
    offsets = np.linspace(-0.25, 0.25, n_heads)
    colors = layer_colors(n_layers)
    for layer in range(n_layers):
        axes.scatter(
            layer + 1 + offsets, values[layer], color=colors[layer + 1], edgecolor=INK,
            linewidth=0.6, s=30, zorder=2,
        )
        axes.hlines(values[layer].mean(), layer + 0.65, layer + 1.35, color=INK, linewidth=2)
    if reference is not None:
        axes.axhline(reference, color=INK, linestyle="--", linewidth=1)
    axes.set(xlabel="layer", ylabel=label, xticks=range(1, n_layers + 1))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
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

"""Figures of attention: one head, every head, and a number for each head."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from layerwise.checks import to_array
from layerwise.figures.page import (
    INK,
    SHADES,
    label_tokens,
    label_width,
    new_figure,
    shares,
    style,
)


@style()
def attention_heatmap(weights, tokens: Sequence[str], title: str = "") -> Figure:
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
    n_tokens, shape = len(tokens), tuple(np.shape(weights))
    if shape != (n_tokens, n_tokens) or not n_tokens:
        raise ValueError(
            f"{n_tokens} tokens need weights of shape {(n_tokens, n_tokens)}, got "
            f"{shape}: pick one text, one layer and one head"
        )
    side = min(max(0.26 * n_tokens, 1.2), 4.2)
    labels = max(label_width(token) for token in tokens)
    figure, axes = new_figure(width=side + labels + 1.3, height=side + labels + 0.7)
    _draw_shares(figure, axes, to_array(weights), largest=None)
    label_tokens(axes.xaxis, tokens, range(n_tokens), room=side)
    label_tokens(axes.yaxis, tokens, range(n_tokens), room=side)
    axes.set(xlabel="is seen", ylabel="looks", title=title)
    return figure


@style()
def attention_grid(attentions: Sequence) -> Figure:
    """Draw every head of every layer small: a row for each layer, a column for each head.

    Parameters
    ----------
    attentions : sequence of n_layers arrays of shape (n_heads, n_tokens, n_tokens)
        One text's attention weights.

    Raises
    ------
    ValueError
        If they are not those of one text.
    """
    maps = np.array([to_array(of_layer) for of_layer in attentions])
    if maps.ndim != 4:
        raise ValueError(
            "a grid needs weights of shape (n_layers, n_heads, n_tokens, n_tokens), got "
            f"{maps.shape}: pick one text"
        )
    n_layers, n_heads, n_tokens, _ = maps.shape
    side = n_tokens + 1  # one empty row and column between the maps
    mosaic = np.zeros((n_layers * side - 1, n_heads * side - 1))
    for layer, head in np.ndindex(n_layers, n_heads):
        top, left = layer * side, head * side
        mosaic[top : top + n_tokens, left : left + n_tokens] = maps[layer, head]
    cell = min(5.2 / n_heads, 8 / n_layers)  # inches
    figure, axes = new_figure(1.4 + cell * n_heads, 0.7 + cell * n_layers)
    _draw_shares(figure, axes, mosaic, largest=1)
    middle = (n_tokens - 1) / 2
    heads, layers = np.arange(n_heads), np.arange(n_layers)
    axes.set_xticks(heads * side + middle, [str(head + 1) for head in heads])
    axes.set_yticks(layers * side + middle, [str(layer + 1) for layer in layers])
    axes.set(xlabel="head", ylabel="layer")
    edges = np.arange(1, max(n_layers, n_heads)) * side - 1
    axes.hlines(edges[: n_layers - 1], -0.5, n_heads * side - 1.5, color=INK, linewidth=0.3)
    axes.vlines(edges[: n_heads - 1], -0.5, n_layers * side - 1.5, color=INK, linewidth=0.3)
    return figure


def _draw_shares(figure: Figure, axes: Axes, weights: np.ndarray, largest) -> None:
    """Draw weights as shades, in a frame, with the scale beside it."""
    shares(weights)  # refuses what has no shade
    image = axes.imshow(weights, cmap=SHADES, vmin=0, vmax=largest, interpolation="none")
    axes.spines[:].set(visible=True, linewidth=0.5)  # where all is paper, it still ends
    axes.tick_params(length=0)
    scale = figure.colorbar(image, ax=axes, shrink=0.7, label="share of attention")
    plt.setp(scale.solids, rasterized=True)  # as an image, it has no seams
    plt.setp(scale.outline, linewidth=0.5)


@style()
def dots_by_layer(values, label: str, reference: float | None = None) -> Figure:
    """Draw one dot for each head in each layer, and the layer's mean as a bar.

    Parameters
    ----------
    values : array of shape (n_layers, n_heads)
    label : str
        The label of the vertical axis.
    reference : float, optional
        What chance or evenness would give: a dashed line.

    Raises
    ------
    ValueError
        If there is not a row for each layer.
    """
    values = to_array(values)
    if values.ndim != 2:
        raise ValueError(f"dots need values of shape (n_layers, n_heads), got {values.shape}")
    n_layers, n_heads = values.shape
    figure, axes = new_figure(height=3.2)
    offsets = (np.arange(n_heads) - (n_heads - 1) / 2) * 0.5 / n_heads
    for layer in range(1, n_layers + 1):
        of_layer = values[layer - 1]
        axes.scatter(
            layer + offsets, of_layer, color=SHADES(layer / n_layers), edgecolor=INK,
            linewidth=0.6, s=30, zorder=2,
        )  # fmt: skip
        axes.hlines(of_layer.mean(), layer - 0.35, layer + 0.35, color=INK, linewidth=2)
    if reference is not None:
        axes.axhline(reference, color=INK, linestyle="--", linewidth=1)
    axes.set(xlabel="layer", ylabel=label, xticks=range(1, n_layers + 1, 1 + n_layers // 16))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    return figure

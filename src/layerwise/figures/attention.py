"""Figures of attention: one head, every head, and a number for each head."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from layerwise.figures.layers import layer_colors
from layerwise.figures.page import INK, new_figure

ATTENTION_PALETTE = "crest"


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

"""Figures of interventions: where a patch restores an answer, and what each cut leaves."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from layerwise.checks import to_array
from layerwise.figures.page import (
    BEHIND_TEXT,
    INK,
    SHADES,
    label_tokens,
    plt,
    shares,
    style,
)


@style()
def patching_grid(
    restored, tokens: Sequence[str], layers: Sequence[int], table: pd.DataFrame
) -> Figure:
    """Draw what a patch at each token and layer restores, above a table of cuts and tasks.

    One above the other: beside each other neither could be read on a phone.

    Parameters
    ----------
    restored : array of shape (n_layers, n_tokens)
        Shares; below 0 is drawn as 0, which is paper, and 1 is darkest.
    tokens : sequence of str
    layers : sequence of int
        Which layers the rows are, the first at the bottom.
    table : DataFrame
        Shares that are right: a row for each cut, a column for each task.

    Raises
    ------
    ValueError
        If there is not a row for each layer and a column for each token.
    """
    grid = np.clip(to_array(restored), 0, 1)
    if grid.shape != (len(layers), len(tokens)):
        raise ValueError(
            f"{len(layers)} layers and {len(tokens)} tokens need shares of shape "
            f"{(len(layers), len(tokens))}, got {grid.shape}"
        )
    ratios = [2.6, 0.6 + 0.3 * len(table)]  # inches
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(4.8, 1.0 + sum(ratios)), height_ratios=ratios
    )
    upper.imshow(grid, cmap=SHADES, vmin=0, vmax=1, aspect="auto", origin="lower",
                interpolation="none")  # fmt: skip
    upper.spines[:].set(visible=True, linewidth=0.5)
    every = max(1, len(layers) // 8)
    upper.set_yticks(range(0, len(layers), every), [str(n) for n in layers[::every]])
    upper.set(ylabel="layer", title="restored by a patch")
    label_tokens(upper.xaxis, tokens, range(len(tokens)), room=4.0)

    values = to_array(table)
    lower.imshow(BEHIND_TEXT * shares(values), cmap=SHADES, vmin=0, vmax=1, aspect="auto",
                 interpolation="none")  # fmt: skip
    for row, column in np.ndindex(values.shape):
        lower.text(column, row, f"{values[row, column]:.2f}", ha="center", va="center",
                   color=INK)  # fmt: skip
    lower.set_xticks(range(len(table.columns)), list(table.columns))
    lower.set_yticks(range(len(table)), list(table.index))
    lower.spines[:].set(visible=True, linewidth=0.5)
    lower.set(title="share right")
    for axes in (upper, lower):
        axes.tick_params(length=0)
    return figure

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
    """Draw what a patch at each token and layer restores, beside a table of cuts and tasks.

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
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.8), width_ratios=[5, 4])
    left.imshow(grid, cmap=SHADES, vmin=0, vmax=1, aspect="auto", origin="lower",
                interpolation="none")  # fmt: skip
    left.spines[:].set(visible=True, linewidth=0.5)
    every = max(1, len(layers) // 8)
    left.set_yticks(range(0, len(layers), every), [str(n) for n in layers[::every]])
    left.set(ylabel="layer", title="restored by a patch")
    label_tokens(left.xaxis, tokens, range(len(tokens)), room=3.0)

    values = to_array(table)
    right.imshow(BEHIND_TEXT * shares(values), cmap=SHADES, vmin=0, vmax=1, aspect="auto",
                 interpolation="none")  # fmt: skip
    for row, column in np.ndindex(values.shape):
        right.text(column, row, f"{values[row, column]:.2f}", ha="center", va="center",
                   color=INK)  # fmt: skip
    right.set_xticks(range(len(table.columns)), list(table.columns))
    right.set_yticks(range(len(table)), list(table.index))
    right.spines[:].set(visible=True, linewidth=0.5)
    right.set(title="share right")
    for axes in (left, right):
        axes.tick_params(length=0)
    return figure

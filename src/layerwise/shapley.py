"""Exact Shapley values: what each part of a text contributes, averaged over all orders.

Chapter: ``chapters/task.md``, "Which words decided?".
"""

from collections.abc import Callable
from math import factorial

import numpy as np

MOST_PARTS = 16  # 65,536 coalitions


def shapley_values(value: Callable[[np.ndarray], np.ndarray], n_parts: int) -> np.ndarray:
    """Return each part's mean contribution over all orders in which parts can be added.

    Source: Shapley (1953), "A Value for n-Person Games".

    Parameters
    ----------
    value : callable
        Takes a bool array of shape (n_coalitions, n_parts), True where a part is there, and
        returns what each coalition is worth, of shape (n_coalitions,).
    n_parts : int

    Returns
    -------
    array of shape (n_parts,)
        Sums to the worth of all parts less the worth of none.

    Raises
    ------
    ValueError
        If there are none, or so many that the coalitions cannot all be tried.
    """
    if not 1 <= n_parts <= MOST_PARTS:
        raise ValueError(
            f"{n_parts} parts have {2**n_parts:,} coalitions, and all are tried: give 1 to "
            f"{MOST_PARTS} parts, such as the words of a shorter line"
        )
    number = np.arange(2**n_parts)
    is_in = (number[:, None] >> np.arange(n_parts)) % 2 == 1  # (n_coalitions, n_parts)
    worth = np.asarray(value(is_in), dtype=float)
    n_in = is_in.sum(axis=1)
    weight = np.array([
        factorial(n) * factorial(n_parts - n - 1) / factorial(n_parts) for n in range(n_parts)
    ])  # of a coalition of n, when another part joins
    values = np.empty(n_parts)
    for part in range(n_parts):
        without = number[~is_in[:, part]]
        gain = worth[without + 2**part] - worth[without]
        values[part] = weight[n_in[without]] @ gain
    return values

"""Ask how much of the drift is one rotation, or one shift, the same for all texts.

Chapter: ``chapters/context.md``, "One rotation for all".
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.linalg import orthogonal_procrustes

from layerwise.similarity import (
    COMPARISONS,
    center_or_say_why,
    cosine,
    to_numbers,
    with_others,
)
from layerwise.tables import as_table


def fit_rotation(a, b) -> np.ndarray:
    """Find the one rotation, mirroring allowed, that brings all of ``a`` nearest to ``b``.

    Parameters
    ----------
    a, b : array of shape (n_vectors, n_dims)
        Row i of ``a`` is to come near row i of ``b``.

    Returns
    -------
    orthogonal array of shape (n_dims, n_dims)
        Use it as ``a @ rotation``.
    """
    rotation, _ = orthogonal_procrustes(to_numbers(a), to_numbers(b))
    return rotation


def rotation_baseline(
    token_layers: Sequence[np.ndarray], titles: Sequence[str]
) -> pd.DataFrame:
    """Measure the drift that is left when layer 0 may be moved, all texts in the same way.

    Rotated: by the one rotation that fits best. Shifted: by one vector added to all, which
    turns nothing. Both are found on every second text and tested on the texts between, and
    the other way round, so that no text is tested on a change it had a part in.

    Parameters
    ----------
    token_layers : sequence of arrays of shape (n_layers + 1, n_tokens, n_dims)
        One for each text, at least four.
    titles : sequence of str
        A name for each text.

    Returns
    -------
    DataFrame
        As :func:`drift_table`, with the same comparisons but the last, each ``, rotated``,
        and the first two ``, shifted`` (centred texts have no shared part to exchange).
        The other texts are those that were tested on the same change.
    """
    return compare_moved(token_layers, titles, lambda layer: 0)


def step_baseline(token_layers: Sequence[np.ndarray], titles: Sequence[str]) -> pd.DataFrame:
    """Measure the same for each step: each layer is compared with the one before it, moved.

    ``layer`` is where the step ends; otherwise as :func:`rotation_baseline`.
    """
    return compare_moved(token_layers, titles, lambda layer: layer - 1)


def compare_moved(
    token_layers: Sequence[np.ndarray], titles: Sequence[str], start_of: Callable[[int], int]
) -> pd.DataFrame:
    """Compare each layer with an earlier one, moved as the other half of the texts was."""
    n_texts = len(token_layers)
    if n_texts < 4:
        raise ValueError(f"fitting and testing needs four texts or more; got {n_texts}")
    pooled = np.stack([to_numbers(x).mean(axis=1) for x in token_layers], axis=1)
    centred = center_or_say_why(pooled)
    n_layers = len(pooled) - 1
    names = [f"{name}, rotated" for name in COMPARISONS[:4]]
    names += [f"{name}, shifted" for name in COMPARISONS[:2]]
    cosines = {name: np.empty((n_layers, n_texts)) for name in names}
    for fitted, tested in [(slice(0, None, 2), slice(1, None, 2)),
                           (slice(1, None, 2), slice(0, None, 2))]:  # fmt: skip
        tokens = np.concatenate([to_numbers(x) for x in token_layers[fitted]], axis=1)
        means = pooled[:, fitted].mean(axis=1)  # (n_layers + 1, n_dims)
        for layer in range(1, n_layers + 1):
            start = start_of(layer)
            rotation = fit_rotation(tokens[start], tokens[layer])
            moved = {
                ", rotated": (pooled, pooled[start, tested] @ rotation),
                ", centred, rotated": (centred, centred[start, tested] @ rotation),
                ", shifted": (pooled, pooled[start, tested] - means[start] + means[layer]),
            }
            for suffix, (vectors, then) in moved.items():
                now = vectors[layer, tested]
                cosines[f"same poem{suffix}"][layer - 1, tested] = cosine(now, then)
                cosines[f"other poem{suffix}"][layer - 1, tested] = with_others(now, then)
    return as_table(cosines, titles)

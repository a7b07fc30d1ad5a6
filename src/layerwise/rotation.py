"""Ask how much of the drift is one rotation, the same for all texts.

Chapter: ``chapters/context.md``, "One rotation for all".
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.linalg import orthogonal_procrustes

from layerwise.similarity import (
    COMPARISONS,
    as_table,
    center_or_say_why,
    cosine,
    to_numbers,
    with_others,
)


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
    """Measure the drift that is left when layer 0 may be rotated, all texts in the same way.

    The rotation is fitted on the tokens of every second text and tested on the texts between,
    and the other way round, so that no text is tested on a rotation it had a part in.

    Parameters
    ----------
    token_layers : sequence of arrays of shape (n_layers + 1, n_tokens, n_dims)
        One for each text, at least four.
    titles : sequence of str
        A name for each text.

    Returns
    -------
    DataFrame
        As :func:`drift_table`, with the same comparisons but the last, each ``, rotated``.
        The other texts are those that were tested on the same rotation.
    """
    n_texts = len(token_layers)
    if n_texts < 4:
        raise ValueError(f"fitting and testing needs four texts or more; got {n_texts}")
    pooled = np.stack([to_numbers(x).mean(axis=1) for x in token_layers], axis=1)
    centred = center_or_say_why(pooled)
    n_layers = len(pooled) - 1
    cosines = {f"{name}, rotated": np.empty((n_layers, n_texts)) for name in COMPARISONS[:4]}
    for fitted, tested in [(slice(0, None, 2), slice(1, None, 2)),
                           (slice(1, None, 2), slice(0, None, 2))]:  # fmt: skip
        tokens = np.concatenate([to_numbers(x) for x in token_layers[fitted]], axis=1)
        for layer in range(1, n_layers + 1):
            rotation = fit_rotation(tokens[0], tokens[layer])
            for suffix, vectors in [("", pooled), (", centred", centred)]:
                now, rotated = vectors[layer, tested], vectors[0, tested] @ rotation
                same, other = f"same poem{suffix}, rotated", f"other poem{suffix}, rotated"
                cosines[same][layer - 1, tested] = cosine(now, rotated)
                cosines[other][layer - 1, tested] = with_others(now, rotated)
    return as_table(cosines, titles)

"""Measure how far texts move from layer to layer, beside the baselines that give it meaning.

Inside, numbers are float64. What has no direction has no cosine: a vector of zeros, a nan, or
what rounding leaves where all texts are the same.

Chapter: ``chapters/context.md``, "Drift from the static layer".
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from layerwise.arrays import plain, precision
from layerwise.tables import as_table

COMPARISONS = [
    "same poem",
    "other poem",
    "same poem, centred",
    "other poem, centred",
    "random pair",
]
# A difference of so many units in the last place is rounding.
ROUNDING = 8


def to_numbers(x, name: str = "vectors") -> np.ndarray:
    """Turn anything that holds vectors into a float64 array of shape (..., n_dims).

    Parameters
    ----------
    x : array, Tensor, DataFrame, or nested list of numbers
        On any device, in any precision.
    name : str
        What an error calls it.

    Raises
    ------
    TypeError
        If it does not hold real numbers, some are masked, or its rows differ in length.
    ValueError
        If it has no dimension, or one of its numbers is nan or infinite.
    """
    try:
        array = np.asarray(plain(x))
        if array.dtype.kind not in "biufO":  # O: a table of several types of numbers
            raise TypeError(f"numbers of type {array.dtype}")
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} should be rows of numbers, all of one length, but: {error}"
        ) from None
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"{name} of shape {array.shape} hold no vector")
    refuse(~np.isfinite(array).all(axis=-1), name, "has a nan or an infinite number in it")
    return array


def refuse(bad: np.ndarray, name: str, what: str) -> None:
    """Name the vectors that are bad, the first five of them, if there are any."""
    if not bad.any():
        return
    if bad.ndim == 0:
        raise ValueError(f"{name}: the vector {what}")
    where = [tuple(map(int, place)) for place in np.argwhere(bad)]
    shown = ", ".join(str(place[0] if len(place) == 1 else place) for place in where[:5])
    more = f" and {len(where) - 5} more" if len(where) > 5 else ""
    raise ValueError(f"{name}: vector {shown}{more} {what}")


def directions(x, name: str = "vectors") -> np.ndarray:
    """Divide vectors by their length, which leaves their direction.

    Raises
    ------
    ValueError
        If a vector is zero, and so has no direction.
    """
    array = to_numbers(x, name)
    largest = np.abs(array).max(axis=-1, keepdims=True)
    refuse(largest[..., 0] == 0, name, "is zero: it has no direction, so no cosine")
    array = array / largest  # so that no square is too large or too small for a float64
    return array / np.linalg.norm(array, axis=-1, keepdims=True)


def cosine(a, b) -> np.ndarray:
    """Return the cosine of the angle between vectors, along the last axis.

    Parameters
    ----------
    a, b : array of shape (..., n_dims)
        Shapes that broadcast.

    Returns
    -------
    float64 array of shape (...)
        Between -1 and 1.

    Raises
    ------
    TypeError
        If they do not hold real numbers.
    ValueError
        If the shapes do not fit, or a vector has no direction: it is zero or holds a nan.
    """
    a, b = directions(a, "first vectors"), directions(b, "second vectors")
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(
            f"vectors of {a.shape[-1]} and {b.shape[-1]} dimensions have no cosine"
        )
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ValueError(
            f"vectors of shapes {a.shape} and {b.shape} cannot be paired with each other"
        ) from None
    return np.clip((a * b).sum(axis=-1), -1, 1)


def check_layers(layer_embeddings) -> np.ndarray:
    """Check that an array is layer embeddings of at least one layer and two texts.

    Returns
    -------
    float64 array of shape (n_layers + 1, n_texts, n_dims)

    Raises
    ------
    ValueError
        If it is not.
    """
    layers = to_numbers(layer_embeddings, "layer embeddings")
    if layers.ndim != 3 or min(layers.shape[:2]) < 2:
        raise ValueError(
            "layer embeddings have shape (n_layers + 1, n_texts, n_dims), with at least one "
            f"layer and two texts; got {layers.shape}"
        )
    return layers


def static_to_layer(layer_embeddings) -> np.ndarray:
    """Compare each text in each layer with the same text in layer 0.

    Parameters
    ----------
    layer_embeddings : array of shape (n_layers + 1, n_texts, n_dims)

    Returns
    -------
    array of shape (n_layers, n_texts)
        Row i is layer i + 1.
    """
    layers = check_layers(layer_embeddings)
    return cosine(layers[:1], layers[1:])


def layer_to_layer(layer_embeddings) -> np.ndarray:
    """Compare each text in each layer with the same text one layer earlier.

    Parameters
    ----------
    layer_embeddings : array of shape (n_layers + 1, n_texts, n_dims)

    Returns
    -------
    array of shape (n_layers, n_texts)
        Row i is the step from layer i to layer i + 1.
    """
    layers = check_layers(layer_embeddings)
    return cosine(layers[:-1], layers[1:])


def with_others(a, b) -> np.ndarray:
    """Return the mean cosine of each text in ``a`` with every *other* text in ``b``.

    Parameters
    ----------
    a, b : array of shape (..., n_texts, n_dims)
        Text i of both is the same text. Shapes that broadcast.

    Returns
    -------
    array of shape (..., n_texts)

    Raises
    ------
    ValueError
        If there are fewer than two texts, or a vector has no direction.
    """
    a, b = directions(a, "first vectors"), directions(b, "second vectors")
    n_texts = a.shape[-2] if a.ndim > 1 else 1
    if n_texts < 2 or b.ndim < 2 or b.shape[-2] != n_texts:
        raise ValueError(
            f"shapes {a.shape} and {b.shape} are not those of the same two or more texts"
        )
    # a cosine is a sum, so the sum of all cosines is one product with the sum of all directions
    with_all = (a * b.sum(axis=-2, keepdims=True)).sum(axis=-1)
    return np.clip((with_all - (a * b).sum(axis=-1)) / (n_texts - 1), -1, 1)


def across_texts(token_vectors: Sequence[np.ndarray]) -> float:
    """Return the mean cosine of two tokens from different texts, over all such pairs.

    Parameters
    ----------
    token_vectors : sequence of arrays of shape (n_tokens, n_dims)
        One for each text, of one layer.
    """
    unit = [directions(vectors) for vectors in token_vectors]
    sums = np.stack([vectors.sum(axis=0) for vectors in unit])  # (n_texts, n_dims)
    lengths = np.array([len(vectors) for vectors in unit])
    # as in with_others: the product of two sums is the sum of all cosines
    cosines = (sums.sum(axis=0) ** 2).sum() - (sums**2).sum()
    return float(cosines / (lengths.sum() ** 2 - (lengths**2).sum()))


def center(layer_embeddings) -> np.ndarray:
    """Subtract from each layer what all texts share in it.

    A vector of which only rounding is left becomes zero, and so has no cosine.

    Source: Timkey & van Schijndel (2021), "All Bark and No Bite".

    Parameters
    ----------
    layer_embeddings : array of shape (..., n_texts, n_dims)

    Returns
    -------
    float64 array of the same shape
    """
    vectors = to_numbers(layer_embeddings)
    centred = vectors - vectors.mean(axis=-2, keepdims=True)
    left = np.linalg.norm(centred, axis=-1) / np.linalg.norm(vectors, axis=-1).clip(1e-300)
    centred[left <= ROUNDING * precision(layer_embeddings)] = 0
    return centred


def center_or_say_why(layer_embeddings) -> np.ndarray:
    """Center layers, and refuse those in which texts have nothing of their own."""
    centred = center(layer_embeddings)
    same = (centred == 0).all(axis=-1).sum(axis=-1)  # how many, in each layer
    if same.any():
        layer = int(np.flatnonzero(same)[0])
        raise ValueError(
            f"in layer {layer}, {same[layer]} of {centred.shape[1]} texts equal the mean of "
            "all texts, but for rounding, and have no vector of their own to compare: [CLS], "
            "for one, is the same everywhere in layer 0. Pool with the mean."
        )
    return centred


def shared_part(layer_embeddings) -> np.ndarray:
    """Return, for each layer, the share of the mean squared length that is in the mean vector.

    From shape (..., n_texts, n_dims) to (...): 0 for nothing in common, 1 for all the same.
    """
    vectors = to_numbers(layer_embeddings)
    of_mean = (vectors.mean(axis=-2) ** 2).sum(axis=-1)
    return of_mean / (vectors**2).sum(axis=-1).mean(axis=-1)


def drift_table(layer_embeddings, titles: Sequence[str]) -> pd.DataFrame:
    """Measure the drift from layer 0, and the baselines it must be read against.

    The comparisons, each a cosine:

    - ``same poem``: a text in layer l with itself in layer 0.
    - ``other poem``: a text in layer l with the other texts in layer 0, the mean of all.
    - ``same poem, centred`` and ``other poem, centred``: the same two, after subtracting from
      each layer the mean of all texts in it.
    - ``random pair``: a text with the other texts in the same layer l, the mean of all. These
      are texts, pooled; the pairs in Ethayarajh (2019), section 3.2, are of words.

    Parameters
    ----------
    layer_embeddings : array of shape (n_layers + 1, n_texts, n_dims)
    titles : sequence of str
        A name for each text.

    Returns
    -------
    DataFrame
        One row for each comparison, layer (1 to n_layers) and text, with columns
        ``comparison``, ``layer``, ``title``, ``cosine``.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a vector has no direction, centred or not.
    """
    layers = check_layers(layer_embeddings)
    centred = center_or_say_why(layer_embeddings)
    cosines = [
        static_to_layer(layers),
        with_others(layers[1:], layers[:1]),
        static_to_layer(centred),
        with_others(centred[1:], centred[:1]),
        with_others(layers[1:], layers[1:]),
    ]
    return as_table(dict(zip(COMPARISONS, cosines, strict=True)), titles)


def nearest(vectors) -> np.ndarray:
    """Order, for each vector, all the others from the nearest by cosine to the farthest.

    Parameters
    ----------
    vectors : array of shape (n_texts, n_dims)

    Returns
    -------
    int array of shape (n_texts, n_texts - 1)
        Row i holds the positions of the other vectors, nearest first.

    Raises
    ------
    ValueError
        If there are fewer than two vectors, or one is zero or holds a nan.
    """
    unit = directions(vectors)
    if unit.ndim != 2 or len(unit) < 2:
        raise ValueError(f"neighbours need two vectors or more, in rows; got {unit.shape}")
    return order_others(each_with_each(unit))


def each_with_each(unit: np.ndarray) -> np.ndarray:
    """Return the cosine of each of several directions with each, of shape (n, n).

    Directions that only rounding tells apart count as one: else each device would have its own
    order of neighbours. With a cosine above 1 - 1e-11 two differ by less than 5e-6.
    """
    cosines = np.clip(unit @ unit.T, -1, 1)
    first = (cosines > 1 - 1e-11).argmax(axis=1)
    return cosines[np.ix_(first, first)]


def order_others(similarities: np.ndarray) -> np.ndarray:
    """Order, for each text, all the others from the most to the least similar.

    ``similarities`` has shape (n_texts, n_texts), the result (n_texts, n_texts - 1); equal ones
    stay in the order of the texts.
    """
    away = -similarities
    np.fill_diagonal(away, np.inf)  # itself comes last, and is left out
    return np.argsort(away, axis=1, kind="stable")[:, :-1]

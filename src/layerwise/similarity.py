"""Measure how far texts move from layer to layer, beside the baselines that give it meaning.

Chapter: *Large Language Models: An Introduction*, "Examining context".
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

COMPARISONS = [
    "same poem",
    "other poem",
    "same poem, centred",
    "other poem, centred",
    "random pair",
]


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of the angle between vectors, along the last axis.

    Parameters
    ----------
    a, b : array of shape (..., n_dims)
        Shapes that broadcast.

    Returns
    -------
    array of shape (...)
        Between -1 and 1.

    Raises
    ------
    ValueError
        If the vectors differ in length, or one of them is zero and so has no direction.
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(
            f"vectors of {a.shape[-1]} and {b.shape[-1]} dimensions have no cosine"
        )
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    if not np.all(norms > 0):
        raise ValueError("a vector of zeros has no direction, so no cosine")
    return (a * b).sum(axis=-1) / norms


def check_layers(layer_embeddings: np.ndarray) -> None:
    """Check that an array is layer embeddings of at least one layer and two texts.

    Raises
    ------
    ValueError
        If it is not.
    """
    if layer_embeddings.ndim != 3 or min(layer_embeddings.shape[:2]) < 2:
        raise ValueError(
            "layer embeddings have shape (n_layers + 1, n_texts, n_dims), with at least one "
            f"layer and two texts; got {layer_embeddings.shape}"
        )


def static_to_layer(layer_embeddings: np.ndarray) -> np.ndarray:
    """Compare each text in each layer with the same text in layer 0.

    Parameters
    ----------
    layer_embeddings : array of shape (n_layers + 1, n_texts, n_dims)

    Returns
    -------
    array of shape (n_layers, n_texts)
        Row i is layer i + 1.
    """
    check_layers(layer_embeddings)
    return cosine(layer_embeddings[:1], layer_embeddings[1:])


def layer_to_layer(layer_embeddings: np.ndarray) -> np.ndarray:
    """Compare each text in each layer with the same text one layer earlier.

    Parameters
    ----------
    layer_embeddings : array of shape (n_layers + 1, n_texts, n_dims)

    Returns
    -------
    array of shape (n_layers, n_texts)
        Row i is the step from layer i to layer i + 1.
    """
    check_layers(layer_embeddings)
    return cosine(layer_embeddings[:-1], layer_embeddings[1:])


def center(layer_embeddings: np.ndarray) -> np.ndarray:
    """Subtract from each layer what all texts share in it.

    Source: Timkey & van Schijndel (2021), "All Bark and No Bite".

    Parameters
    ----------
    layer_embeddings : array of shape (n_layers + 1, n_texts, n_dims)
    """
    return layer_embeddings - layer_embeddings.mean(axis=1, keepdims=True)


def other_texts(n_texts: int, seed: int = 0) -> np.ndarray:
    """Pair each text with another one: a random permutation that leaves none in its place.

    Returns
    -------
    int array of shape (n_texts,)

    Raises
    ------
    ValueError
        If there are fewer than two texts.
    """
    if n_texts < 2:
        raise ValueError(f"a text needs another text to be paired with; got {n_texts}")
    circle = np.random.default_rng(seed).permutation(n_texts)
    others = np.empty(n_texts, dtype=int)
    others[circle] = np.roll(circle, 1)
    return others


def drift_table(
    layer_embeddings: np.ndarray, titles: Sequence[str], seed: int = 0
) -> pd.DataFrame:
    """Measure the drift from layer 0, and the baselines it must be read against.

    The comparisons, each a cosine:

    - ``same poem``: a text in layer l with itself in layer 0.
    - ``other poem``: a text in layer l with another text in layer 0.
    - ``same poem, centred`` and ``other poem, centred``: the same two, after subtracting from
      each layer the mean of all texts in it.
    - ``random pair``: two texts in the same layer l (Ethayarajh 2019, section 3.2).

    Parameters
    ----------
    layer_embeddings : array of shape (n_layers + 1, n_texts, n_dims)
    titles : sequence of str
        A name for each text.
    seed : int
        Decides which other text a text is paired with.

    Returns
    -------
    DataFrame
        One row for each comparison, layer (1 to n_layers) and text, with columns
        ``comparison``, ``layer``, ``title``, ``cosine``.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    check_layers(layer_embeddings)
    n_layers, n_texts = layer_embeddings.shape[0] - 1, layer_embeddings.shape[1]
    if len(titles) != n_texts:
        raise ValueError(f"{n_texts} texts, but {len(titles)} titles")
    others = other_texts(n_texts, seed)
    centred = center(layer_embeddings)
    cosines = [  # each (n_layers, n_texts)
        static_to_layer(layer_embeddings),
        cosine(layer_embeddings[:1, others], layer_embeddings[1:]),
        static_to_layer(centred),
        cosine(centred[:1, others], centred[1:]),
        cosine(layer_embeddings[1:, others], layer_embeddings[1:]),
    ]
    index = pd.MultiIndex.from_product(
        [COMPARISONS, range(1, n_layers + 1), titles], names=["comparison", "layer", "title"]
    )
    return pd.DataFrame({"cosine": np.stack(cosines).ravel()}, index=index).reset_index()


def nearest(vectors: np.ndarray) -> np.ndarray:
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
        If one of the vectors is zero and so has no direction.
    """
    vectors = np.asarray(vectors)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(norms > 0):
        raise ValueError("a vector of zeros has no direction, so no neighbours")
    unit = vectors / norms
    similarities = unit @ unit.T  # cosines, (n_texts, n_texts)
    np.fill_diagonal(similarities, -np.inf)
    return np.argsort(-similarities, axis=1, kind="stable")[:, :-1]


def neighbour_agreement(
    neighbours: np.ndarray, labels: Sequence[str] | np.ndarray
) -> float:
    """Return the share of texts whose nearest neighbour has the same label.

    Parameters
    ----------
    neighbours : int array of shape (n_texts, n_texts - 1)
        From :func:`nearest`.
    labels : sequence of str, one for each text
    """
    own = np.asarray(labels)
    if len(own) != len(neighbours):
        raise ValueError(f"{len(neighbours)} texts, but {len(own)} labels")
    return float((own[neighbours[:, 0]] == own).mean())


def shuffled_agreement(
    neighbours: np.ndarray, labels: Sequence[str], n_shuffles: int = 1000, seed: int = 0
) -> np.ndarray:
    """Return the same share for labels dealt out at random: what chance gives.

    Returns
    -------
    array of shape (n_shuffles,)
    """
    rng = np.random.default_rng(seed)
    return np.array(
        [neighbour_agreement(neighbours, rng.permutation(labels)) for _ in range(n_shuffles)]
    )

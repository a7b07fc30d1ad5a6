"""Say whether one way of making vectors serves a task better than another, or than chance.

Chapter: ``chapters/context.md``, "Which layer, which token?".
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from layerwise.arrays import plain
from layerwise.similarity import cosine

N_DRAWS = 2000  # of a bootstrap interval


def check_labels(labels, n_texts: int) -> np.ndarray:
    """Check that there is a label for each text.

    Raises
    ------
    ValueError
        If there are more or fewer, or some are missing.
    """
    labels = np.asarray(plain(labels, "labels"))
    if labels.shape != (n_texts,):
        raise ValueError(f"{n_texts} texts, but {len(labels)} labels")
    missing = np.flatnonzero(pd.isna(labels)).tolist()
    if missing:
        raise ValueError(f"texts {missing} have no label: leave them out")
    return labels


def neighbour_agreement(
    neighbours: np.ndarray, labels: Sequence[str] | np.ndarray
) -> float:
    """Return the share of texts whose nearest neighbour has the same label.

    Parameters
    ----------
    neighbours : int array of shape (n_texts, n_texts - 1)
        From :func:`layerwise.similarity.nearest`.
    labels : sequence of str, one for each text
    """
    own = check_labels(labels, len(neighbours))
    return float((own[neighbours[:, 0]] == own).mean())


def shuffled_agreement(
    neighbours: np.ndarray,
    labels: Sequence[str] | np.ndarray,
    n_shuffles: int = 1000,
    groups: Sequence[int] | np.ndarray | None = None,
) -> np.ndarray:
    """Return the same share for labels dealt out at random: what chance gives.

    The labels are dealt in the same way for any neighbours, so that shuffle i of one option
    can be set beside shuffle i of another. Texts of a group that share a label, as passages of
    one book do, get one label again: one by one they would be far more witnesses than they are.

    Returns
    -------
    array of shape (n_shuffles,)
    """
    own = check_labels(labels, len(neighbours))
    groups = np.arange(len(own)) if groups is None else np.asarray(groups)
    of_text = pd.DataFrame({"group": groups, "label": own}).groupby(["group", "label"]).ngroup()
    first = np.unique(of_text, return_index=True)[1]  # a text of each
    rng = np.random.default_rng(0)
    dealt = [rng.permutation(own[first])[of_text] for _ in range(n_shuffles)]
    return np.array([neighbour_agreement(neighbours, labels) for labels in dealt])


def bootstrap_interval(
    gains, n_draws: int = N_DRAWS, groups: Sequence[int] | np.ndarray | None = None
) -> tuple[float, float]:
    """Return the 95% bootstrap interval of a mean: draw anew, with replacement, many times.

    Source: Efron & Tibshirani (1993), *An Introduction to the Bootstrap*, chapter 13.

    Parameters
    ----------
    gains : array of shape (n_texts,)
        For each text, by how much one option does better than the other.
    n_draws : int
    groups : sequence of int, one for each text, optional
        Texts of one group, such as passages of one book, are drawn together or not at all.

    Returns
    -------
    low, high : float
        The middle 95% of the means of the draws.
    """
    gains = np.asarray(plain(gains, "gains"), dtype=float)
    groups = np.arange(len(gains)) if groups is None else groups
    _, group = np.unique(groups, return_inverse=True)
    sums, sizes = np.bincount(group, gains), np.bincount(group)  # (n_groups,)
    rng = np.random.default_rng(0)
    means = []
    for _ in range(n_draws):
        drawn = rng.choice(len(sums), len(sums))
        means.append(sums[drawn].sum() / sizes[drawn].sum())
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


class Paired(NamedTuple):
    """Two options on the same texts: which of them succeeds where the other does not."""

    only_first: int
    only_second: int
    p: float


def check_successes(is_right) -> np.ndarray:
    """Check that an option succeeds or fails on each text; nan would count as a success."""
    is_right = np.asarray(plain(is_right, "answers"))
    odd = np.flatnonzero(~pd.Series(is_right.ravel()).isin([0, 1]))
    if odd.size:
        raise ValueError(
            f"{len(odd)} of {is_right.size} texts are neither right nor wrong: text {odd[0]} "
            f"is {is_right.ravel()[odd[0]]}; leave them out, or decide with True and False"
        )
    return is_right.astype(bool)


def paired_test(first, second) -> Paired:
    """Test two options on the same texts: McNemar's test, in its exact form.

    Were the two equally good, each text on which only one of them succeeds would be the toss
    of a coin. ``p`` is the probability of tosses at least as one-sided as these.

    Source: McNemar (1947), "Note on the Sampling Error of the Difference between Correlated
    Proportions".

    Parameters
    ----------
    first, second : bool array of shape (n_texts,)
        Where each option succeeds.

    Raises
    ------
    ValueError
        If they are not the same texts, or an option neither succeeds nor fails on one.
    """
    first, second = check_successes(first), check_successes(second)
    if first.shape != second.shape:
        raise ValueError(f"{first.size} and {second.size} texts: the same ones are needed")
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n_tosses = only_first + only_second
    p = binomtest(only_first, n_tosses).pvalue if n_tosses else 1.0
    return Paired(only_first, only_second, float(p))


def triples(vectors, labels: Sequence[str] | np.ndarray) -> pd.DataFrame:
    """List every vector beside one of its own label and one of another.

    Parameters
    ----------
    vectors : array of shape (n_vectors, n_dims)
    labels : sequence of str, one for each vector

    Returns
    -------
    DataFrame
        Columns ``one``, ``like`` and ``other``, positions, and ``gap``: by how much the
        cosine with ``like`` is larger than the cosine with ``other``. Smallest gap first.
    """
    vectors = np.asarray(vectors)
    own = check_labels(labels, len(vectors))
    similarity = cosine(vectors[:, None], vectors[None])  # (n_vectors, n_vectors)
    is_like = own[:, None] == own[None]
    np.fill_diagonal(similarity, np.nan)  # no vector is beside itself
    gaps = similarity[:, :, None] - similarity[:, None, :]  # (one, like, other)
    kept = is_like[:, :, None] & ~is_like[:, None, :] & ~np.isnan(gaps)
    table = pd.DataFrame(np.argwhere(kept), columns=["one", "like", "other"])
    return table.assign(gap=gaps[kept]).sort_values("gap", ignore_index=True)

"""The nearest texts of each text, those of its own group set aside.

Passages of one book, or posts of one thread, have words, names and a label in common: that they
are near each other says nothing. Texts of one group are not counted as each other's neighbours.
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from layerwise.similarity import directions, each_with_each
from layerwise.texts.passages import NO_SPACES

N_NEAREST = 5


def own_groups(table: pd.DataFrame) -> np.ndarray:
    """Return a number for the group of each text; every text its own if all are of one group.

    Where there is but one group, nothing would be left to compare; copies stay together,
    unless all are copies.
    """
    for together in ("group", "family"):
        groups, names = pd.factorize(table[together])
        if len(names) > 1:
            return groups
    return np.arange(len(table))


def nearest_of_other_groups(
    similarities: np.ndarray, groups: np.ndarray, n: int = N_NEAREST
) -> np.ndarray:
    """Find for each text the most similar ones that are not of its group.

    Parameters
    ----------
    similarities : array of shape (n_texts, n_texts)
    groups : int array of shape (n_texts,)
    n : int

    Returns
    -------
    int array of shape (n_texts, n)
        Positions, nearest first, equal ones in the order of the texts; -1 where there is no
        other. There are fewer columns if no text has so many.
    """
    away = np.where(groups[:, None] == groups[None], np.inf, -similarities)
    every = np.arange(len(away))
    found = np.full((len(away), n), -1)
    for rank in range(n):  # a few times the lowest is faster than once all in order
        first = away.argmin(axis=1)
        found[:, rank] = np.where(np.isinf(away[every, first]), -1, first)
        away[every, first] = np.inf
    return found[:, (found >= 0).any(axis=0)]


def cosines(vectors: np.ndarray) -> np.ndarray:
    """Return the cosine of each vector with each, of shape (n_texts, n_texts)."""
    return each_with_each(directions(vectors))


def shared_words(texts: Sequence[str]) -> np.ndarray:
    """Return how similar texts are by the words they share, rare words counting more.

    Returns
    -------
    array of shape (n_texts, n_texts)
        A text without a word is equally far from all.
    """
    words = rf"{NO_SPACES}|\b\w+\b"
    if not any(re.search(words, text) for text in texts):
        words = r"\S"  # emoji and marks alone
    weights = TfidfVectorizer(token_pattern=words).fit_transform(texts)  # of length one, sparse
    return (weights @ weights.T).toarray()


def neighbour_table(vectors: np.ndarray, table: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """List the nearest texts of each text, and say how many neighbours were set aside.

    Returns
    -------
    table : DataFrame
        ``row``, ``title``, ``rank``, ``nearest_row``, ``nearest_title``, ``cosine``.
    numbers : dict
        ``n_groups``; ``is_grouped``, whether any neighbour can be set aside; ``n_set_aside``,
        of how many texts the nearest of all is of their own group; and ``by_chance``, how
        often two models that choose blindly would name the same nearest text.
    """
    groups, similarities = own_groups(table), cosines(vectors)
    found = nearest_of_other_groups(similarities, groups)
    of_all = nearest_of_other_groups(similarities, np.arange(len(table)), 1)[:, 0]
    i, rank = np.nonzero(found >= 0)
    j = found[i, rank]
    titles, rows = table["title"].to_numpy(), table["row"].to_numpy()
    listed = pd.DataFrame({
        "row": rows[i],
        "title": titles[i],
        "rank": rank + 1,
        "nearest_row": rows[j],
        "nearest_title": titles[j],
        "cosine": similarities[i, j],
    })  # fmt: skip
    n_groups = int(table["group"].nunique())
    n_others = len(groups) - np.bincount(groups)[groups]  # (n_texts,)
    numbers = {
        "n_groups": n_groups,
        "is_grouped": 1 < n_groups < len(table),
        "n_set_aside": int((groups[of_all] == groups).sum()),
        "by_chance": float((1 / n_others).mean()),
    }
    return listed, numbers

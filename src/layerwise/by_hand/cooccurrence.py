"""From texts to a vector for every word: count who stands near whom, and keep what is regular.

A text is a list of tokens. Words outside the vocabulary are not counted, but keep their place.

Chapter: ``chapters/vectors.md``, from "The company of a word" on.
Source: Levy, Goldberg & Dagan (2015), "Improving Distributional Similarity with Lessons Learned
from Word Embeddings".
"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import svds


def count_company(
    texts: Iterable[Sequence[str]], words: Sequence[str], window: int = 4
) -> csr_array:
    """Count how often each word stands at most so many words from each other one.

    Returns
    -------
    csr_array of shape (n_words, n_words)
        Symmetric: who stands near me has me near.
    """
    place = {word: i for i, word in enumerate(words)}
    gap = [-1] * window  # no window reaches from one text into the next
    numbers = [i for text in texts for i in [*(place.get(t, -1) for t in text), *gap]]
    return count_pairs(numbers, len(words), window)


def count_pairs(numbers: Sequence[int], n_words: int, window: int = 4) -> csr_array:
    """Count the same where each word is its row in the table; -1 is a word without one.

    While it counts, every pair has a place in memory, also one that never comes.
    """
    ids = np.asarray(numbers, dtype=np.int64)
    counts = np.zeros(n_words**2)  # row after row
    for distance in range(1, window + 1):
        first, second = ids[:-distance], ids[distance:]
        both = (first >= 0) & (second >= 0)
        pairs = first[both] * n_words + second[both]
        counts += np.bincount(pairs, minlength=len(counts))
    table = counts.reshape(n_words, n_words)
    return csr_array(table + table.T)


def pmi(counts) -> csr_array:
    """Return the pointwise mutual information of each pair that came, in bits.

    How many times as often as chance would have it, as a logarithm: 0 is chance.

    Source: Church & Hanks (1990), "Word Association Norms, Mutual Information, and
    Lexicography".

    Parameters
    ----------
    counts : array of shape (n_words, n_words), sparse or not
        Pairs that never came have no place in the result.
    """
    counts = coo_array(counts, dtype=float)
    rows, columns = counts.coords
    by_row, by_column = counts.sum(axis=1), counts.sum(axis=0)
    chance = by_row[rows] * by_column[columns] / counts.sum()
    return coo_array((np.log2(counts.data / chance), counts.coords), counts.shape).tocsr()


def shorten(table, n_dims: int) -> np.ndarray:
    """Return rows with so few numbers that lie, to each other, as nearly as can be as before.

    The exact truncated singular value decomposition U S Vᵀ, of which it returns U √S.

    Parameters
    ----------
    table : sparse array of shape (n_words, n_words)
    n_dims : int
        Fewer than there are words.

    Returns
    -------
    array of shape (n_words, n_dims)
        The first dimension is the one in which most differs. Signs are those in which the
        largest number of a dimension is positive.
    """
    u, s, _ = svds(table, n_dims, v0=np.ones(table.shape[0]))
    u, s = u[:, ::-1], s[::-1]  # the largest first
    signs = np.sign(np.take_along_axis(u, np.abs(u).argmax(axis=0)[None], axis=0))
    return u * signs * np.sqrt(s)

"""Company counted, set beside chance, and shortened: against plain loops and dense algebra."""

from collections import Counter

import numpy as np
import pytest
from scipy.sparse import csr_array

from layerwise.by_hand.cooccurrence import count_company, count_pairs, pmi, shorten

TEXTS = [["a", "rose", "is", "a", "rose", "?"], ["is", "it"], ["rose"]]
WORDS = ["rose", "a", "is", "it"]  # "?" is not counted, and keeps its place


def by_loops(texts, words, window):
    pairs = Counter()
    for text in texts:
        for i, word in enumerate(text):
            for j, other in enumerate(text):
                pairs[word, other] += 0 < abs(i - j) <= window
    return [[pairs[word, other] for other in words] for word in words]


@pytest.mark.parametrize("window", [1, 2, 4])
def test_company_is_counted_on_both_sides_and_never_across_texts(window):
    counts = count_company(TEXTS, WORDS, window).toarray()
    np.testing.assert_array_equal(counts, by_loops(TEXTS, WORDS, window))
    assert counts[2, 3] == counts[3, 2] == 1  # "is it"; not "?" and what comes next
    assert counts[0, 0] == (2 if window >= 3 else 0)  # a rose has another rose near it twice


def test_a_word_that_is_not_counted_keeps_its_place():
    assert count_company([["a", "?", "is"]], WORDS, window=1).nnz == 0
    assert count_company([["a", "?", "is"]], WORDS, window=2).nnz == 2


def test_numbers_that_are_small_make_pairs_that_are_not():
    numbers = np.array([399, 2, -1, 398], dtype=np.int16)  # 399 * 400 is beyond int16
    counts = count_pairs(numbers, 400, window=2).toarray()
    pairs = [[2, 398], [2, 399], [398, 2], [399, 2]]
    np.testing.assert_array_equal(np.argwhere(counts), pairs)


def test_pmi_is_how_much_more_often_than_chance():
    counts = np.array([[0, 6.0, 2], [6, 0, 0], [2, 0, 4]])
    found = pmi(counts)
    assert found.nnz == 5  # pairs that never came have no place
    expected = np.log2(6 * 20 / (8 * 6))
    assert found[0, 1] == found[1, 0] == pytest.approx(expected)
    assert found[0, 2] == pytest.approx(np.log2(2 * 20 / (8 * 6)))
    assert found[0, 2] < 0 < found[2, 2]
    sparse = pmi(csr_array(counts))
    np.testing.assert_allclose(sparse.toarray(), found.toarray())


def test_rows_are_shortened_exactly_and_always_to_the_same():
    rng = np.random.default_rng(0)
    table = rng.poisson(0.7, (40, 40)) * rng.normal(size=(40, 40))
    table = table + table.T
    short = shorten(csr_array(table), 6)
    u, s, _ = np.linalg.svd(table)
    assert short.shape == (40, 6)
    for k in range(6):
        sign = np.sign(u[np.abs(u[:, k]).argmax(), k])
        np.testing.assert_allclose(short[:, k], sign * u[:, k] * np.sqrt(s[k]), atol=1e-8)
    assert (np.take_along_axis(short, np.abs(short).argmax(0)[None], 0) > 0).all()
    np.testing.assert_array_equal(shorten(csr_array(table), 6), short)

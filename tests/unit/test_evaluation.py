"""Whether one option is better than another, or than chance."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap, norm

from layerwise.calibration import calibration_error
from layerwise.checks import largest_difference
from layerwise.evaluation import (
    bootstrap_interval,
    check_labels,
    neighbour_agreement,
    paired_test,
    shuffled_agreement,
    triples,
)
from layerwise.similarity import cosine, nearest


def test_agreement_is_the_share_of_nearest_neighbours_with_the_same_label():
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
    assert neighbour_agreement(nearest(vectors), ["Life", "Life", "Love", "Love"]) == 1
    assert neighbour_agreement(nearest(vectors), ["Life", "Love", "Life", "Love"]) == 0
    assert neighbour_agreement(nearest(vectors), ["Life", "Life", "Life", "Love"]) == 0.5
    labels = pd.Series(["a", "a", "b", "b"], index=[9, 8, 7, 6], dtype="category")
    assert neighbour_agreement(nearest(vectors), labels) == 1


def test_shuffled_labels_agree_as_often_as_chance_has_it():
    neighbours = nearest(np.random.default_rng(0).normal(size=(40, 8)))
    labels = ["Life"] * 20 + ["Love"] * 20
    agreement = shuffled_agreement(neighbours, labels, n_shuffles=500)
    assert agreement.shape == (500,)
    assert agreement.mean() == pytest.approx(19 / 39, abs=0.02)
    np.testing.assert_array_equal(agreement, shuffled_agreement(neighbours, labels, 500))


def test_shuffles_are_dealt_the_same_way_to_every_option():
    labels = np.array(list("aaabbbcccd"))
    same = np.tile(np.arange(10)[:, None], (1, 9))  # as if each text were its own neighbour
    assert (shuffled_agreement(same, labels, 20) == 1).all()
    one, two = np.full((10, 9), 4), np.full((10, 9), 4)
    two[0] = 7
    gap = np.abs(shuffled_agreement(one, labels, 200) - shuffled_agreement(two, labels, 200))
    assert 0 < gap.max() <= 0.1 + 1e-9  # one text in ten has another neighbour


def test_labels_are_dealt_and_none_is_made_up():
    """How many share the label of one text is known, unless labels are drawn anew."""
    labels = np.array(list("aaaaaaabbc"))
    all_near_the_fourth = np.full((10, 9), 3)
    dealt = shuffled_agreement(all_near_the_fourth, labels, 300)
    assert set(dealt) == {0.7, 0.2, 0.1}
    groups = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2])  # of 4, 2 and 6 texts
    labels = np.array(list("aaaabbaaaaaa"))
    dealt = shuffled_agreement(np.full((12, 11), 4), labels, 300, groups)
    assert set(dealt) == {6 / 12, 8 / 12, 2 / 12}  # where the b is: in the third, first, second
    labels[0] = "b"  # and not every text for itself then: of 1, 3, 2 and 6 texts
    dealt = shuffled_agreement(np.full((12, 11), 4), labels, 300, groups)
    assert set(dealt) == {(2 + n) / 12 for n in (1, 3, 6)}


def test_one_text_with_another_label_does_not_make_a_group_of_many_witnesses():
    """By chance: groups are near themselves' kind, and labels are of groups."""
    groups, rng = np.repeat(np.arange(12), 10), np.random.default_rng(0)
    found = []
    for _ in range(60):
        labels = rng.permutation(np.repeat([0, 1], 6))[groups]
        labels[rng.integers(120)] ^= 1
        near = rng.permutation(12)  # the texts of a group are near those of one other
        neighbours = (near[groups] * 10 + rng.integers(0, 10, 120))[:, None]
        dealt = shuffled_agreement(neighbours, labels, 99, groups)
        found.append((dealt >= (labels[neighbours[:, 0]] == labels).mean()).mean())
    assert np.mean(np.array(found) < 0.05) < 0.15


def test_labels_that_do_not_fit_or_are_missing_are_refused():
    neighbours = nearest(np.eye(3) + 1)
    with pytest.raises(ValueError, match="3 texts, but 2 labels"):
        neighbour_agreement(neighbours, ["Life", "Love"])
    for nothing in (None, np.nan, pd.NA):
        labels = pd.Series(["Life", nothing, nothing], dtype=object)
        with pytest.raises(ValueError, match=r"texts \[1, 2\] have no label"):
            neighbour_agreement(neighbours, labels)
        with pytest.raises(ValueError, match="have no label"):
            shuffled_agreement(neighbours, labels)


def test_the_interval_is_the_bootstraps():
    gains = np.array([1, 1, 1, 0, 0, 0, 0, 0, -1, 1, 0, 1] * 5)
    low, high = bootstrap_interval(gains)
    theirs = bootstrap((gains,), np.mean, method="percentile", rng=1).confidence_interval
    assert low == pytest.approx(theirs.low, abs=0.03)
    assert high == pytest.approx(theirs.high, abs=0.03)
    assert low < gains.mean() < high
    assert bootstrap_interval(-gains) == pytest.approx((-high, -low), abs=0.02)
    assert bootstrap_interval([2, 2, 2]) == (2, 2)


def test_the_interval_is_that_of_95_in_100():
    gains = np.random.default_rng(3).normal(size=400)
    low, high = bootstrap_interval(gains)
    wide = (high - low) / (gains.std() / 20)
    assert wide == pytest.approx(2 * norm.ppf(0.975), rel=0.06)


def test_the_paired_test_counts_only_texts_on_which_the_two_differ():
    first = np.array([True] * 16 + [False] * 8 + [True] * 12 + [False] * 23)
    second = np.array([False] * 16 + [True] * 8 + [True] * 12 + [False] * 23)
    result = paired_test(first, second)
    assert (result.only_first, result.only_second) == (16, 8)
    assert result.p == pytest.approx(0.1516, abs=1e-4)  # 2 P(16 or more heads of 24)
    assert paired_test(second, first) == (8, 16, result.p)
    assert paired_test([True] * 5, [False] * 5).p == pytest.approx(2 / 2**5)


def test_two_options_that_never_differ_are_no_evidence():
    assert paired_test([True, False], [True, False]) == (0, 0, 1.0)


def test_options_on_other_texts_are_refused():
    with pytest.raises(ValueError, match="2 and 3 texts"):
        paired_test([True, False], [True, False, True])


def test_what_is_neither_success_nor_failure_is_refused():
    for odd in (np.nan, None, pd.NA, 0.7):
        for pair in (([1, 0, odd], [0, 1, 1]), ([0, 1, 1], [1, 0, odd])):
            with pytest.raises(ValueError, match=f"^1 of 3 texts .*: text 2 is {odd};"):
                paired_test(*pair)
    with pytest.raises(ValueError, match=r"^2 of 2 texts .*: text 0 is yes;"):
        paired_test(["yes", "no"], [True, False])
    for kind in (bool, int, float, object):
        assert paired_test(np.array([1, 1, 0, 0, 1], kind), [0, 0, 0, 1, 0])[:2] == (3, 1)


def test_masked_numbers_are_refused():
    masked = np.ma.array([1.0, 0, 1], mask=[False, True, False])
    for measure in (bootstrap_interval, lambda x: paired_test(x, x), lambda x: cosine(x, x),
                    lambda x: calibration_error(x, [1, 1, 0]), lambda x: check_labels(x, 3),
                    lambda x: largest_difference(x, x), lambda x: largest_difference([x], [x]),
                    lambda x: cosine([x, x], [x, x])):  # fmt: skip
        with pytest.raises(TypeError, match=r"1 of 3 \w+ are masked: leave them out"):
            measure(masked)
        measure(np.ma.array([1.0, 0, 1]))  # of which none is masked


def test_triples_are_all_there_are_and_each_gap_is_its_own():
    vectors = np.random.default_rng(5).normal(size=(5, 4))
    labels = np.array(list("aabab"))
    expected = {
        (i, j, k): cosine(vectors[i], vectors[j]) - cosine(vectors[i], vectors[k])
        for i in range(5) for j in range(5) for k in range(5)
        if i != j and labels[i] == labels[j] != labels[k]
    }  # fmt: skip
    table = triples(vectors, labels)
    places = [tuple(row) for row in table[["one", "like", "other"]].to_numpy()]
    assert sorted(places) == sorted(expected)
    np.testing.assert_allclose(table["gap"], [expected[place] for place in places], atol=1e-12)
    assert table["gap"].is_monotonic_increasing
    assert len(triples(vectors, list("abcde"))) == 0  # no two of a kind

"""Exact Shapley values: their axioms, and the same by orders."""

from itertools import permutations
from math import factorial

import numpy as np
import pytest

from layerwise.shapley import MOST_PARTS, shapley_values


def random_game(n_parts, seed):
    worth = np.random.default_rng(seed).normal(size=2**n_parts)
    return lambda is_in: worth[is_in @ (2 ** np.arange(n_parts))]


def by_orders(value, n_parts):
    total = np.zeros(n_parts)
    for order in permutations(range(n_parts)):
        is_in = np.zeros((1, n_parts), dtype=bool)
        for part in order:
            before = value(is_in)[0]
            is_in[0, part] = True
            total[part] += value(is_in)[0] - before
    return total / factorial(n_parts)


@pytest.mark.parametrize("n_parts", [1, 2, 5])
def test_values_are_means_over_all_orders_and_add_up(n_parts):
    value = random_game(n_parts, seed=n_parts)
    ours = shapley_values(value, n_parts)
    np.testing.assert_allclose(ours, by_orders(value, n_parts), atol=1e-12)
    ends = value(np.array([[True] * n_parts, [False] * n_parts]))
    assert ours.sum() == pytest.approx(ends[0] - ends[1], abs=1e-12)


def test_a_part_that_adds_nothing_gets_nothing_and_equal_parts_get_the_same():
    def value(is_in):  # 0 and 2 do the same, 1 nothing, 3 takes
        return 4.0 * (is_in[:, 0] | is_in[:, 2]) - 3.0 * is_in[:, 3]

    np.testing.assert_allclose(shapley_values(value, 4), [2, 0, 2, -3], atol=1e-12)


def test_too_many_parts_and_none_are_refused():
    for n_parts in (0, MOST_PARTS + 1):
        with pytest.raises(ValueError, match="give 1 to 16 parts"):
            shapley_values(lambda is_in: is_in.sum(axis=1), n_parts)

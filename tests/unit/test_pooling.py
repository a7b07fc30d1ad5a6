"""Pooling counts the tokens that the mask counts, each once, and nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch.testing import assert_close

from layerwise.pooling import POOLINGS, cls_pool, combine_layers, max_pool, mean_pool

NUMBERS = st.floats(-100, 100, width=32)
CLOSE = {"atol": 1e-3, "rtol": 1e-5}


@st.composite
def hidden_states_and_masks(draw):
    """Draw hidden states of some texts, and masks with padding on either side or within."""
    n_texts, n_tokens, n_dims = draw(st.tuples(*[st.integers(1, 5)] * 3))
    shape = (n_texts, n_tokens, n_dims)
    hidden_states = draw(arrays.arrays("f4", shape, elements=NUMBERS))
    mask = draw(arrays.arrays(bool, (n_texts, n_tokens)))
    mask[:, draw(st.integers(0, n_tokens - 1))] = True
    return torch.from_numpy(hidden_states), torch.from_numpy(mask).long()


@given(hidden_states_and_masks())
def test_mean_lies_between_the_smallest_and_the_largest_token(case):
    hidden_states, mask = case
    pooled = mean_pool(hidden_states, mask)
    assert (pooled <= max_pool(hidden_states, mask) + 1e-3).all()
    assert (pooled >= -max_pool(-hidden_states, mask) - 1e-3).all()


@given(hidden_states_and_masks())
def test_mean_and_max_equal_a_plain_loop(case):
    hidden_states, mask = case
    means, maxima = [], []
    for text, text_mask in zip(hidden_states.tolist(), mask.tolist(), strict=True):
        tokens = [vector for vector, counts in zip(text, text_mask, strict=True) if counts]
        means.append([sum(column) / len(tokens) for column in zip(*tokens, strict=True)])
        maxima.append([max(column) for column in zip(*tokens, strict=True)])
    assert_close(mean_pool(hidden_states, mask), torch.tensor(means), **CLOSE)
    assert torch.equal(max_pool(hidden_states, mask), torch.tensor(maxima))


ANYTHING = st.floats(width=32)  # nan and infinities, too


@given(hidden_states_and_masks(), ANYTHING, st.sampled_from(sorted(POOLINGS)))
def test_what_stands_in_padded_positions_does_not_matter(case, anything, pooling):
    hidden_states, mask = case
    changed = hidden_states.masked_fill(mask.unsqueeze(-1) == 0, anything)
    pool = POOLINGS[pooling]
    assert torch.equal(pool(changed, mask), pool(hidden_states, mask))


@given(hidden_states_and_masks(), st.sampled_from(sorted(POOLINGS)))
def test_more_padding_does_not_matter(case, pooling):
    hidden_states, mask = case
    longer = torch.cat([hidden_states, torch.full_like(hidden_states, 7)], dim=1)
    longer_mask = torch.cat([mask, torch.zeros_like(mask)], dim=1)
    pool = POOLINGS[pooling]
    assert_close(pool(longer, longer_mask), pool(hidden_states, mask), **CLOSE)


@given(hidden_states_and_masks(), st.data())
def test_mean_and_max_do_not_depend_on_the_order_of_tokens(case, data):
    hidden_states, mask = case
    order = data.draw(st.permutations(range(mask.shape[1])))
    for pool in (mean_pool, max_pool):
        permuted = pool(hidden_states[:, order], mask[:, order])
        assert_close(permuted, pool(hidden_states, mask), **CLOSE)


@given(hidden_states_and_masks())
def test_cls_is_the_first_token_that_counts(case):
    hidden_states, mask = case
    first = [row.index(1) for row in mask.tolist()]
    expected = torch.stack([text[i] for text, i in zip(hidden_states, first, strict=True)])
    assert torch.equal(cls_pool(hidden_states, mask), expected)


PADDED = torch.tensor([[[7.0, -7], [1, -2], [2, -6]], [[-3, 5], [0, -1], [4, 9]]])
MASK = torch.tensor([[0, 1, 1], [1, 1, 0]])
POOLED = {
    "cls": [[1, -2], [-3, 5]], "max": [[2, -2], [0, 5]], "mean": [[1.5, -4], [-1.5, 2]],
}  # fmt: skip


@pytest.mark.parametrize("pooling", sorted(POOLINGS))
@pytest.mark.parametrize("kind", [torch.int32, torch.int64, torch.float16, torch.bfloat16,
                                  torch.float32, torch.float64], ids=str)
def test_hidden_states_of_any_kind_are_pooled(pooling, kind):
    pooled = POOLINGS[pooling](PADDED.to(kind), MASK)
    assert pooled.tolist() == POOLED[pooling]
    assert pooled.dtype == (torch.float64 if kind == torch.float64 else torch.float32)


@pytest.mark.parametrize("pooling", sorted(POOLINGS))
@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int32, torch.float32,
                                  torch.bfloat16], ids=str)
def test_masks_of_any_kind_count_the_same(pooling, kind):
    assert POOLINGS[pooling](PADDED, MASK.to(kind)).tolist() == POOLED[pooling]


def test_the_mean_of_large_half_precision_numbers_does_not_overflow():
    large = torch.full((1, 600, 2), 1000, dtype=torch.float16)
    assert mean_pool(large, torch.ones(1, 600)).tolist() == [[1000, 1000]]


@pytest.mark.parametrize("pooling", sorted(POOLINGS))
def test_a_nan_in_a_token_that_counts_is_not_hidden(pooling):
    damaged = PADDED.clone()
    damaged[0, 1] = torch.nan
    assert POOLINGS[pooling](damaged, MASK).isnan().any(dim=1).tolist() == [True, False]


LAYERS = np.arange(5 * 3 * 2, dtype=np.float32).reshape(5, 3, 2)


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_the_last_layers_are_combined(kind):
    layers = kind(LAYERS)
    last = [LAYERS[i] for i in (1, 2, 3, 4)]
    np.testing.assert_allclose(combine_layers(layers, "sum"), sum(last))
    np.testing.assert_allclose(combine_layers(layers, "mean"), sum(last) / 4)
    np.testing.assert_array_equal(combine_layers(layers, "concat"), np.hstack(last))
    np.testing.assert_array_equal(combine_layers(layers, "concat", n_last=1), LAYERS[-1])


def test_large_numbers_of_half_precision_and_integers_are_combined():
    layers = np.array([[[60_000, 3]], [[50_016, 4]], [[40_000, 7]]])  # each a float16, too
    for kind in (np.float16, np.int64):
        for some in (layers.astype(kind), torch.from_numpy(layers.astype(kind))):
            assert combine_layers(some, "sum", 3).tolist() == [[150_016, 14]]
            assert combine_layers(some, "mean", 2).tolist() == [[45_008, 5.5]]
    for kind in (np.float32, np.float64):
        assert combine_layers(LAYERS.astype(kind), "sum").dtype == kind


@pytest.mark.parametrize("pooling", sorted(POOLINGS))
def test_a_mask_of_zeros_is_refused_with_the_text_it_belongs_to(pooling):
    mask = torch.tensor([[1, 1], [0, 0], [0, 0]])
    with pytest.raises(ValueError, match=r"all zeros for text\(s\) \[1, 2\]"):
        POOLINGS[pooling](torch.ones(3, 2, 4), mask)


@pytest.mark.parametrize("pooling", sorted(POOLINGS))
def test_a_mask_that_does_not_fit_is_refused(pooling):
    with pytest.raises(ValueError, match=r"a mask of shape \(3, 2\), got \(2, 3\)"):
        POOLINGS[pooling](torch.ones(3, 2, 4), torch.ones(2, 3))


def test_an_unknown_combination_is_refused():
    with pytest.raises(ValueError, match=r"'median': use 'mean', 'sum' or 'concat'"):
        combine_layers(LAYERS, "median")


@pytest.mark.parametrize("n_last", [0, -1, 6])
def test_more_layers_than_there_are_are_refused(n_last):
    with pytest.raises(ValueError, match=f"n_last={n_last}, but there are 5 layers"):
        combine_layers(LAYERS, "mean", n_last)

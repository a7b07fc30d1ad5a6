"""Attention: rows that sum to one, masks that hide, heads in their order."""

import math

import claims
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch.testing import assert_close

from layerwise.by_hand.attention import (
    attention_entropy,
    causal_mask,
    merge_heads,
    padding_mask,
    scaled_dot_product_attention,
    split_heads,
)

SIZES = st.integers(1, 6)
NUMBERS = st.floats(-30, 30, width=32)


@st.composite
def queries_keys_values(draw):
    """Draw Q, K and V of shape (n_texts, n_tokens, d_k)."""
    shape = draw(st.tuples(st.integers(1, 3), SIZES, SIZES))
    return [torch.from_numpy(draw(arrays.arrays("f4", shape, elements=NUMBERS))) for _ in "QKV"]


@st.composite
def queries_keys_values_mask(draw):
    """Draw Q, K, V and a mask with something to see in each row."""
    qkv = draw(queries_keys_values())
    n_texts, n_tokens, _ = qkv[0].shape
    mask = torch.from_numpy(draw(arrays.arrays(bool, (n_texts, n_tokens, n_tokens))))
    seen = draw(st.integers(0, n_tokens - 1))
    mask[..., seen] = True
    return *qkv, mask


@given(queries_keys_values_mask())
def test_rows_sum_to_one_and_masked_columns_are_exactly_zero(qkv_mask):
    _, weights = scaled_dot_product_attention(*qkv_mask)
    assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:-1]))
    assert (weights >= 0).all()
    assert (weights[~qkv_mask[3]] == 0).all()


@given(queries_keys_values_mask())
def test_each_row_lies_between_the_values_it_sees(qkv_mask):
    *_, value, mask = qkv_mask
    context, _ = scaled_dot_product_attention(*qkv_mask)
    for text, text_mask in enumerate(mask):
        for row, seen in enumerate(text_mask):
            values = value[text, seen]
            assert (context[text, row] >= values.amin(0) - 1e-4).all()
            assert (context[text, row] <= values.amax(0) + 1e-4).all()


@given(queries_keys_values(), st.data())
def test_later_tokens_move_no_earlier_row(qkv, data):
    n_tokens = qkv[0].shape[1]
    first_changed = data.draw(st.integers(0, n_tokens - 1))
    mask = causal_mask(n_tokens)
    before, _ = scaled_dot_product_attention(*qkv, mask)
    for x in qkv:
        x[:, first_changed:] = data.draw(NUMBERS)
    after, _ = scaled_dot_product_attention(*qkv, mask)
    assert torch.equal(after[:, :first_changed], before[:, :first_changed])


@given(queries_keys_values(), st.data())
def test_without_a_mask_the_order_of_keys_does_not_matter(qkv, data):
    query, key, value = qkv
    order = data.draw(st.permutations(range(key.shape[1])))
    context, _ = scaled_dot_product_attention(query, key, value)
    permuted, _ = scaled_dot_product_attention(query, key[:, order], value[:, order])
    assert_close(permuted, context, atol=1e-4, rtol=0)


@given(st.integers(1, 3), SIZES, SIZES, SIZES)
def test_merging_undoes_splitting(n_texts, n_tokens, n_heads, d_k):
    x = torch.randn(n_texts, n_tokens, n_heads * d_k)
    heads = split_heads(x, n_heads)
    assert heads.shape == (n_texts, n_heads, n_tokens, d_k)
    assert torch.equal(merge_heads(heads), x)


@given(st.integers(1, 3), SIZES, SIZES, SIZES)
def test_splitting_undoes_merging(n_texts, n_tokens, n_heads, d_k):
    heads = torch.randn(n_texts, n_heads, n_tokens, d_k)
    assert torch.equal(split_heads(merge_heads(heads), n_heads), heads)


def test_a_head_is_a_slice_of_consecutive_dimensions():
    claims.a_head_is_a_slice_of_consecutive_dimensions(None, None)


def test_attention_is_torchs():
    claims.attention_equals_torchs(None, None)


def test_a_causal_mask_hides_what_comes_later_and_nothing_else():
    claims.later_tokens_move_no_earlier_row(None, None)
    assert causal_mask(3).tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_a_padding_mask_hides_the_padding_from_every_head_and_row():
    mask = padding_mask(torch.tensor([[1, 1, 0], [1, 1, 1]]))
    assert mask.shape == (2, 1, 1, 3)
    assert mask.dtype == torch.bool
    assert mask.flatten(1).tolist() == [[True, True, False], [True, True, True]]


@given(st.integers(1, 64))
def test_entropy_is_0_bits_on_one_token_and_log2_n_when_even(n_tokens):
    even = torch.full((n_tokens, n_tokens), 1 / n_tokens)
    assert_close(attention_entropy(torch.eye(n_tokens)), torch.zeros(n_tokens))
    assert_close(attention_entropy(even), torch.full((n_tokens,), math.log2(n_tokens)))


def test_entropy_is_that_of_each_row():
    """A row is a token that looks; the columns' entropies would be others."""
    weights = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25]])
    assert attention_entropy(weights).tolist() == [0, 1, 2]
    assert attention_entropy(weights[None, None]).shape == (1, 1, 3)


def test_query_and_key_of_different_width_are_refused():
    with pytest.raises(ValueError, match=r"got 4 and 5: project both"):
        scaled_dot_product_attention(torch.ones(2, 4), torch.ones(2, 5), torch.ones(2, 4))


def test_a_key_without_a_value_is_refused():
    with pytest.raises(ValueError, match=r"got 3 keys and 2 values"):
        scaled_dot_product_attention(torch.ones(2, 4), torch.ones(3, 4), torch.ones(2, 4))


def test_a_row_with_nothing_to_see_is_refused():
    x = torch.ones(2, 4)
    with pytest.raises(ValueError, match=r"all False.*nothing to see"):
        scaled_dot_product_attention(x, x, x, torch.tensor([[True, True], [False, False]]))


def test_a_mask_of_numbers_is_refused():
    x = torch.ones(2, 4)
    with pytest.raises(TypeError, match=r"torch.int64.*padding_mask"):
        scaled_dot_product_attention(x, x, x, torch.tensor([1, 0]))


def test_a_mask_that_does_not_fit_is_refused():
    x = torch.ones(2, 4)
    with pytest.raises(ValueError, match=r"mask of shape \(3, 3\).*\(2, 2\)"):
        scaled_dot_product_attention(x, x, x, causal_mask(3))


def test_a_mask_of_zeros_is_refused_with_the_text_it_belongs_to():
    with pytest.raises(ValueError, match=r"all zeros for text\(s\) \[1\]"):
        padding_mask(torch.tensor([[1, 1], [0, 0]]))


@pytest.mark.parametrize("n_heads", [5, 0, -1])
def test_heads_that_do_not_divide_the_dimensions_are_refused(n_heads):
    with pytest.raises(ValueError, match=f"12 dimensions cannot be cut into {n_heads} heads"):
        split_heads(torch.ones(1, 2, 12), n_heads)

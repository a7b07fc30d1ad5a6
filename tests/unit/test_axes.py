"""An axis counted from behind is the right one, however many stand before it."""

import torch
from torch.testing import assert_close

from layerwise.by_hand.attention import attention_entropy


def test_entropy_is_that_of_each_row_in_a_batch_of_heads():
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(2, 3, 4, 4, generator=generator).softmax(dim=-1)  # not symmetric
    entropy = attention_entropy(weights)
    assert entropy.shape == (2, 3, 4)
    row = weights[1, 2, 3]
    assert_close(entropy[1, 2, 3], -(row * row.log2()).sum())

"""From one vector a token to one vector a text, and from many layers to one.

Chapter: *Large Language Models: An Introduction*, "Which layer, which token?".
"""

import torch
from torch import Tensor


def check_mask(hidden_states: Tensor, mask: Tensor) -> None:
    """Check that a mask fits its hidden states and leaves every text at least one token.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a text's mask is all zeros.
    """
    if mask.shape != hidden_states.shape[:2]:
        raise ValueError(
            f"hidden_states of shape {tuple(hidden_states.shape)} need a mask of shape "
            f"{tuple(hidden_states.shape[:2])}, got {tuple(mask.shape)}"
        )
    empty = (mask.sum(dim=1) == 0).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f"the mask is all zeros for text(s) {empty}: there is nothing to pool")


def cls_pool(hidden_states: Tensor, mask: Tensor) -> Tensor:
    """Take the first token's vector: [CLS] in a BERT.

    Parameters
    ----------
    hidden_states : Tensor of shape (n_texts, n_tokens, n_dims)
    mask : Tensor of shape (n_texts, n_tokens)
        1 for a token, 0 for padding; here it is only checked.

    Returns
    -------
    Tensor of shape (n_texts, n_dims)
    """
    check_mask(hidden_states, mask)
    return hidden_states[:, 0]


def mean_pool(hidden_states: Tensor, mask: Tensor) -> Tensor:
    """Average the vectors of the tokens that the mask counts.

    Source: Reimers & Gurevych (2019), "Sentence-BERT", section 3.

    Parameters
    ----------
    hidden_states : Tensor of shape (n_texts, n_tokens, n_dims)
    mask : Tensor of shape (n_texts, n_tokens)
        1 for a token that counts, 0 for padding.

    Returns
    -------
    Tensor of shape (n_texts, n_dims)
    """
    check_mask(hidden_states, mask)
    weights = mask.to(hidden_states.dtype).unsqueeze(-1)  # (n_texts, n_tokens, 1)
    return (hidden_states * weights).sum(dim=1) / weights.sum(dim=1)


def max_pool(hidden_states: Tensor, mask: Tensor) -> Tensor:
    """Take, in each dimension, the largest value of the tokens that the mask counts.

    Parameters
    ----------
    hidden_states : Tensor of shape (n_texts, n_tokens, n_dims)
    mask : Tensor of shape (n_texts, n_tokens)

    Returns
    -------
    Tensor of shape (n_texts, n_dims)
    """
    check_mask(hidden_states, mask)
    return hidden_states.masked_fill(~mask.bool().unsqueeze(-1), -torch.inf).amax(dim=1)


POOLINGS = {"cls": cls_pool, "mean": mean_pool, "max": max_pool}


def combine_layers(layer_embeddings, how: str, n_last: int = 4):
    """Make one vector a text from its last few layers.

    Source: Devlin et al. (2019), section 5.3, where the last four are summed or concatenated.

    Parameters
    ----------
    layer_embeddings : array or Tensor of shape (n_layers + 1, n_texts, n_dims)
    how : {"mean", "sum", "concat"}
    n_last : int
        How many layers, counted from the last.

    Returns
    -------
    array or Tensor of shape (n_texts, n_dims), or (n_texts, n_last * n_dims) for "concat"

    Raises
    ------
    ValueError
        If ``how`` is unknown, or there are fewer layers than asked for.
    """
    if not 1 <= n_last <= len(layer_embeddings):
        raise ValueError(f"n_last={n_last}, but there are {len(layer_embeddings)} layers")
    last = layer_embeddings[-n_last:]  # (n_last, n_texts, n_dims)
    if how == "mean":
        return last.mean(0)
    if how == "sum":
        return last.sum(0)
    if how == "concat":
        return last.swapaxes(0, 1).reshape(last.shape[1], -1)
    raise ValueError(f"unknown combination {how!r}: use 'mean', 'sum' or 'concat'")

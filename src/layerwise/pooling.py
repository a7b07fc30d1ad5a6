"""From one vector a token to one vector a text, and from many layers to one.

Chapter: ``chapters/context.md``, "Which layer, which token?".
"""

import numpy as np
import torch
from torch import Tensor


def check_mask(hidden_states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Check that a mask fits its hidden states and leaves every text at least one token.

    Returns
    -------
    hidden_states : Tensor of shape (n_texts, n_tokens, n_dims)
        In float32, if they were integers or of half precision.
    counts : bool Tensor of shape (n_texts, n_tokens, 1)

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
    counts = mask.bool()
    empty = (~counts.any(dim=1)).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f"the mask is all zeros for text(s) {empty}: there is nothing to pool")
    if hidden_states.dtype != torch.float64:
        hidden_states = hidden_states.float()
    return hidden_states, counts.unsqueeze(-1)


def cls_pool(hidden_states: Tensor, mask: Tensor) -> Tensor:
    """Take the vector of the first token that the mask counts: [CLS] in a BERT.

    Parameters
    ----------
    hidden_states : Tensor of shape (n_texts, n_tokens, n_dims)
    mask : Tensor of shape (n_texts, n_tokens)
        1 for a token that counts, 0 for padding, on whichever side it stands.

    Returns
    -------
    Tensor of shape (n_texts, n_dims)
    """
    hidden_states, counts = check_mask(hidden_states, mask)
    first = counts.squeeze(-1).int().argmax(dim=1)  # (n_texts,)
    return hidden_states[torch.arange(len(first), device=first.device), first]


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
    hidden_states, counts = check_mask(hidden_states, mask)  # counts: (n_texts, n_tokens, 1)
    total = hidden_states.masked_fill(~counts, 0).sum(dim=1)  # (n_texts, n_dims)
    return total / counts.sum(dim=1)


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
    hidden_states, counts = check_mask(hidden_states, mask)
    return hidden_states.masked_fill(~counts, -torch.inf).amax(dim=1)


POOLINGS = {"cls": cls_pool, "mean": mean_pool, "max": max_pool}


def at_least_single(x):
    """Return an array or Tensor of at least single precision."""
    if isinstance(x, Tensor):
        return x.to(torch.promote_types(x.dtype, torch.float32))
    return x.astype(np.result_type(x.dtype, np.float32), copy=False)


def combine_layers(layer_embeddings, how: str, n_last: int = 4):
    """Make one vector a text from its last few layers.

    Source: Devlin et al. (2019), section 5.3, where the last four of each token are
    concatenated, or summed with weights.

    Parameters
    ----------
    layer_embeddings : array or Tensor of shape (n_layers + 1, n_texts, n_dims)
    how : {"mean", "sum", "concat"}
        The first two in float32 or wider, whatever the numbers came in.
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
        return at_least_single(last).mean(0)
    if how == "sum":
        return at_least_single(last).sum(0)
    if how == "concat":
        return last.swapaxes(0, 1).reshape(last.shape[1], -1)
    raise ValueError(f"unknown combination {how!r}: use 'mean', 'sum' or 'concat'")

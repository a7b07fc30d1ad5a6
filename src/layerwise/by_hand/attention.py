"""Attention, written out: scores, masks, heads, and a model's own attention rebuilt.

Chapter: ``chapters/transformer.md``, "Attention". The equations are those of
Vaswani et al. (2017), "Attention Is All You Need", section 3.2.
"""

import math

import torch
from torch import Tensor, nn
from transformers.models.bert.modeling_bert import BertSelfAttention


def check_mask(mask: Tensor, scores: Tensor) -> None:
    """Check that a mask fits its scores and leaves every row something to see.

    Raises
    ------
    TypeError
        If the mask holds numbers.
    ValueError
        If its shape does not broadcast to that of the scores, or one of its rows is all False.
    """
    if mask.dtype != torch.bool:
        raise TypeError(
            f"the mask holds {mask.dtype}, not True and False: use padding_mask() on a "
            "tokenizer's attention mask, or mask.bool()"
        )
    try:
        mask.expand(scores.shape)
    except RuntimeError:
        raise ValueError(
            f"a mask of shape {tuple(mask.shape)} does not fit scores of shape "
            f"{tuple(scores.shape)}: it needs a row for each query and a column for each key"
        ) from None
    if not mask.any(dim=-1).all():
        raise ValueError("a row of the mask is all False: that token has nothing to see")


def check_shapes(query: Tensor, key: Tensor, value: Tensor) -> None:
    """Check that queries can meet keys, and that each key has its value."""
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"query and key must have the same last dimension, got {query.shape[-1]} and "
            f"{key.shape[-1]}: project both to d_k first"
        )
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"every key needs its value: got {key.shape[-2]} keys and {value.shape[-2]} values"
        )


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Let every token gather from the tokens it may see: softmax(QKᵀ / √d_k) V.

    Parameters
    ----------
    query, key : Tensor of shape (..., n_tokens, d_k)
        What each token asks for, and what each token offers.
    value : Tensor of shape (..., n_tokens, d_v)
        What each token hands over.
    mask : bool Tensor that broadcasts to (..., n_tokens, n_tokens), optional
        True where the row's token may see the column's token.

    Returns
    -------
    context : Tensor of shape (..., n_tokens, d_v)
    shares : Tensor of shape (..., n_tokens, n_tokens)
        Usually called attention weights; each row sums to one.

    Raises
    ------
    TypeError
        If the mask holds numbers.
    ValueError
        If the shapes do not fit, or a row of the mask leaves nothing to see.
    """
    check_shapes(query, key, value)
    d_k = query.shape[-1]
    scores = query @ key.transpose(-2, -1) / math.sqrt(d_k)  # (..., n_tokens, n_tokens)
    if mask is not None:
        check_mask(mask, scores)
        scores = scores.masked_fill(~mask, -math.inf)
    shares = scores.softmax(dim=-1)  # (..., n_tokens, n_tokens), rows sum to 1
    return shares @ value, shares


def padding_mask(attention_mask: Tensor) -> Tensor:
    """Turn a tokenizer's attention mask into one that broadcasts over heads and rows.

    Parameters
    ----------
    attention_mask : Tensor of shape (n_texts, n_tokens)
        1 for a token, 0 for padding.

    Returns
    -------
    bool Tensor of shape (n_texts, 1, 1, n_tokens)

    Raises
    ------
    ValueError
        If a text has no token at all.
    """
    empty = (attention_mask.sum(dim=-1) == 0).nonzero().flatten().tolist()
    if empty:
        raise ValueError(
            f"attention_mask is all zeros for text(s) {empty}: nothing to attend to"
        )
    return attention_mask.bool()[:, None, None, :]


def causal_mask(n_tokens: int) -> Tensor:
    """Return a mask in which each token sees itself and what came before it.

    Returns
    -------
    bool Tensor of shape (n_tokens, n_tokens)
    """
    return torch.ones(n_tokens, n_tokens, dtype=torch.bool).tril()


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """Cut the last dimension into heads.

    Parameters
    ----------
    x : Tensor of shape (n_texts, n_tokens, n_dims)
    n_heads : int
        Must divide n_dims; each head has d_k = n_dims / n_heads dimensions.

    Returns
    -------
    Tensor of shape (n_texts, n_heads, n_tokens, d_k)

    Raises
    ------
    ValueError
        If n_heads does not divide n_dims.
    """
    n_texts, n_tokens, n_dims = x.shape
    if n_heads < 1 or n_dims % n_heads:
        raise ValueError(
            f"{n_dims} dimensions cannot be cut into {n_heads} heads of equal size"
        )
    return x.view(n_texts, n_tokens, n_heads, n_dims // n_heads).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """Put the heads side by side again: the inverse of :func:`split_heads`.

    Parameters
    ----------
    x : Tensor of shape (n_texts, n_heads, n_tokens, d_k)

    Returns
    -------
    Tensor of shape (n_texts, n_tokens, n_heads * d_k)
    """
    return x.transpose(1, 2).flatten(start_dim=2)


def linear(x: Tensor, layer: nn.Linear) -> Tensor:
    """Apply a learned projection by hand: x Wᵀ + b.

    Parameters
    ----------
    x : Tensor of shape (..., n_in)
    layer : nn.Linear
        Its weight has shape (n_out, n_in), its bias (n_out,).

    Returns
    -------
    Tensor of shape (..., n_out)
    """
    return x @ layer.weight.T + layer.bias


def multi_head_self_attention(
    hidden_states: Tensor,
    self_attention: BertSelfAttention,
    n_heads: int,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Compute what a BERT layer's self-attention computes, from its own weights.

    Parameters
    ----------
    hidden_states : Tensor of shape (n_texts, n_tokens, n_dims)
    self_attention : BertSelfAttention
        ``model.encoder.layer[i].attention.self``: it holds ``query``, ``key``, ``value``.
    n_heads : int
    mask : bool Tensor that broadcasts to (n_texts, n_heads, n_tokens, n_tokens), optional

    Returns
    -------
    context : Tensor of shape (n_texts, n_tokens, n_dims)
        The heads side by side, before the output projection.
    shares : Tensor of shape (n_texts, n_heads, n_tokens, n_tokens)
    """
    query = split_heads(linear(hidden_states, self_attention.query), n_heads)
    key = split_heads(linear(hidden_states, self_attention.key), n_heads)
    value = split_heads(linear(hidden_states, self_attention.value), n_heads)
    context, shares = scaled_dot_product_attention(query, key, value, mask)
    return merge_heads(context), shares


def attention_entropy(shares: Tensor) -> Tensor:
    """Say how widely each token spreads its attention, in bits.

    0 is all on one token; log2(n) is evenly over n tokens (Clark et al. 2019, section 3.3,
    there in nats).

    Parameters
    ----------
    shares : Tensor of shape (..., n_tokens, n_tokens)

    Returns
    -------
    Tensor of shape (..., n_tokens)
    """
    return torch.special.entr(shares).sum(dim=-1) / math.log(2)

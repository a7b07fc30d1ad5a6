"""A model that writes, rebuilt from its own weights: a Llama in one sitting.

Every function takes the weights from a ``transformers`` model and does the arithmetic itself.
:func:`read` returns the model's logits in float32: the same operations in the same order, so
that even the last digits are the same. In float64 they are the same to the rounding of float32,
in which transformers' norms and angles stay. Dropout is left out: in evaluation mode it does
nothing. What changed since BERT: tokens see only what came before them, positions are angles,
norms divide without centring and stand before what they feed, heads share keys and values, and
the feed-forward network has a gate.

Chapter: ``chapters/writing.md``, "The whole model".
Source: Touvron et al. (2023), "LLaMA", section 2.2; Ainslie et al. (2023), "GQA".
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaDecoderLayer,
    LlamaMLP,
    LlamaRMSNorm,
)

from layerwise.by_hand.attention import (
    causal_mask,
    merge_heads,
    scaled_dot_product_attention,
    split_heads,
)
from layerwise.by_hand.bert import check_positions
from layerwise.by_hand.rebuilt import LLAMA, not_rebuilt

# For each layer that has read something, the keys and the values of all tokens so far, each of
# shape (n_texts, n_key_heads, n_tokens, head_dim).
Cache = dict[int, tuple[Tensor, Tensor]]


def rms_norm(x: Tensor, norm: LlamaRMSNorm) -> Tensor:
    """Give every token's vector a mean square of 1, then scale it.

    Source: Zhang & Sennrich (2019), "Root Mean Square Layer Normalization".

    Parameters
    ----------
    x : Tensor of shape (..., n_dims)
    norm : LlamaRMSNorm
        Its weight has shape (n_dims,); it has no bias.
    """
    mean_square = x.square().mean(dim=-1, keepdim=True)  # (..., 1)
    return x * torch.rsqrt(mean_square + norm.variance_epsilon) * norm.weight  # 1 / √


def project(x: Tensor, layer: nn.Linear) -> Tensor:
    """Apply a learned projection without a bias: x Wᵀ."""
    return x @ layer.weight.T


def rotary_angles(positions: Tensor, head_dim: int, base: float) -> Tensor:
    """Return by how much each pair of numbers is turned at each position, in radians.

    The first pair turns by one radian a token, the last by almost 1 / base.

    Source: Su et al. (2021), "RoFormer", section 3.2.

    Parameters
    ----------
    positions : int Tensor of shape (n_tokens,)

    Returns
    -------
    Tensor of shape (n_tokens, head_dim / 2)
    """
    pairs = torch.arange(0, head_dim, 2, device=positions.device)  # (head_dim / 2,)
    speeds = 1 / base ** (pairs / head_dim)  # (head_dim / 2,)
    return positions[:, None] * speeds


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn the pairs of a query or key; a pair is one number of each half.

    Parameters
    ----------
    x : Tensor of shape (n_texts, n_heads, n_tokens, head_dim)
    angles : Tensor of shape (n_tokens, head_dim / 2)
    """
    first, second = x.chunk(2, dim=-1)  # (n_texts, n_heads, n_tokens, head_dim / 2)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def share_heads(x: Tensor, n_heads: int) -> Tensor:
    """Hand each head of keys or values to as many heads of queries in a row.

    Parameters
    ----------
    x : Tensor of shape (n_texts, n_key_heads, n_tokens, head_dim)

    Returns
    -------
    Tensor of shape (n_texts, n_heads, n_tokens, head_dim)
    """
    return x.repeat_interleave(n_heads // x.shape[1], dim=1)


def self_attention(
    x: Tensor, attention: LlamaAttention, angles: Tensor, mask: Tensor, cache: Cache
) -> Tensor:
    """Let every token gather from those it may see, also from those read before.

    Parameters
    ----------
    x : Tensor of shape (n_texts, n_tokens, n_dims)
    attention : LlamaAttention
        ``model.model.layers[i].self_attn``.
    angles : Tensor of shape (n_tokens, head_dim / 2)
    mask : bool Tensor of shape (n_tokens, n_past + n_tokens)
    cache : dict
        What is new is added to it.

    Returns
    -------
    Tensor of shape (n_texts, n_tokens, n_dims)
    """
    config: Any = attention.config
    n_heads, n_key_heads = config.num_attention_heads, config.num_key_value_heads
    query = rotate(split_heads(project(x, attention.q_proj), n_heads), angles)
    key = rotate(split_heads(project(x, attention.k_proj), n_key_heads), angles)
    value = split_heads(project(x, attention.v_proj), n_key_heads)
    if attention.layer_idx in cache:
        before = cache[attention.layer_idx]
        key, value = torch.cat([before[0], key], 2), torch.cat([before[1], value], 2)
    cache[attention.layer_idx] = key, value  # each (…, n_key_heads, n_past + n_tokens, …)
    context, _ = scaled_dot_product_attention(
        query, share_heads(key, n_heads), share_heads(value, n_heads), mask
    )  # (n_texts, n_heads, n_tokens, head_dim)
    return project(merge_heads(context), attention.o_proj)


def silu(x: Tensor) -> Tensor:
    """Weigh each number by a soft step: x / (1 + e⁻ˣ).

    Source: Hendrycks & Gimpel (2016), "Gaussian Error Linear Units", section 2.
    """
    return nn.functional.silu(x)  # x / (1 + e⁻ˣ)


def feed_forward(x: Tensor, mlp: LlamaMLP) -> Tensor:
    """Expand each token's vector, let a gate weigh what goes through, contract it ("SwiGLU").

    Source: Shazeer (2020), "GLU Variants Improve Transformer".

    Parameters
    ----------
    x : Tensor of shape (n_texts, n_tokens, n_dims)
    mlp : LlamaMLP
        ``model.model.layers[i].mlp``.
    """
    gated = silu(project(x, mlp.gate_proj)) * project(x, mlp.up_proj)
    return project(gated, mlp.down_proj)  # (n_texts, n_tokens, n_dims)


def decoder_layer(
    hidden: Tensor, layer: LlamaDecoderLayer, angles: Tensor, mask: Tensor, cache: Cache
) -> Tensor:
    """Run one layer: attention and feed-forward, each normed before it and added after it."""
    normed = rms_norm(hidden, layer.input_layernorm)
    hidden = hidden + self_attention(normed, layer.self_attn, angles, mask, cache)
    normed = rms_norm(hidden, layer.post_attention_layernorm)
    return hidden + feed_forward(normed, layer.mlp)  # (n_texts, n_tokens, n_dims)


def n_read(cache: Cache) -> int:
    """Return how many tokens a cache holds."""
    return cache[0][0].shape[2] if cache else 0


def read(input_ids: Tensor, model: LlamaForCausalLM, cache: Cache | None = None) -> Tensor:
    """Return the scores of every token of the vocabulary, after each token that is read.

    Parameters
    ----------
    input_ids : int Tensor of shape (n_texts, n_tokens)
        Texts of one length: there is no padding here. They may be on the CPU, wherever the
        model is.
    model : LlamaForCausalLM
        In evaluation mode.
    cache : dict, optional
        ``{}`` before the first call. With it, only new tokens are given and computed.

    Returns
    -------
    Tensor of shape (n_texts, n_tokens, n_pieces)
        Logits: their softmax is the model's probability of what comes next.

    Raises
    ------
    TypeError
        If the model is not as :func:`check_rebuilt` wants it.
    ValueError
        If there are no tokens, or more than the model has positions.
    """
    check_rebuilt(model)
    cache = {} if cache is None else cache
    config: Any = model.config
    n_past, n_tokens = n_read(cache), input_ids.shape[1]
    if not n_tokens:
        raise ValueError("there is nothing to read: begin a text with tokenizer.bos_token")
    check_positions(n_past + n_tokens, config.max_position_embeddings)
    positions = torch.arange(n_past, n_past + n_tokens, device=model.device)
    base = config.rope_parameters["rope_theta"]
    angles = rotary_angles(positions, config.head_dim, base)  # (n_tokens, head_dim / 2)
    mask = causal_mask(n_past + n_tokens)[n_past:].to(model.device)
    hidden = model.model.embed_tokens.weight[input_ids]  # (n_texts, n_tokens, n_dims)
    for layer in model.model.layers:
        hidden = decoder_layer(hidden, layer, angles, mask, cache)
    return project(rms_norm(hidden, model.model.norm), model.lm_head)


def check_rebuilt(model: LlamaForCausalLM) -> None:
    """Check that a model is a Llama in which nothing is other than here.

    Raises
    ------
    TypeError
        If it is another model, has other parts, hooks, biases or turned positions, computes
        in another precision, or is in training mode; names all of these.
    """
    if not isinstance(model, LlamaForCausalLM):
        raise TypeError(
            f"this rebuilds a Llama (LlamaForCausalLM), not a {type(model).__name__}: choose "
            "such a checkpoint, as with --decoder NAME|FOLDER"
        )
    config: Any = model.config
    of = {
        "hidden_act": (config.hidden_act, "silu"),
        "attention_bias": (config.attention_bias, False),
        "mlp_bias": (config.mlp_bias, False),
        "rope_type": (config.rope_parameters["rope_type"], "default"),
    }
    other = [f"{name} is {value!r}, not {ours!r}" for name, (value, ours) in of.items()
             if value != ours]  # fmt: skip
    other += not_rebuilt(model, LLAMA, has_bias=False)
    if other:
        raise TypeError("this Llama is not the one rebuilt here: " + "; ".join(other))


# ---------------------------------------------------------------- writing


def next_probabilities(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
) -> Tensor:
    """Turn the scores of what comes next into the probabilities to draw from.

    Parameters
    ----------
    logits : Tensor of shape (n_texts, n_pieces)
    temperature : float
        Below 1 the likely gains, above 1 the unlikely; 0 leaves the likeliest alone: greedy.
    top_k : int, optional
        How many tokens stay, the likeliest ones.
    top_p : float
        Of these, the likeliest stay that together have at least this probability ("nucleus").

    Returns
    -------
    Tensor of shape (n_texts, n_pieces)

    Raises
    ------
    ValueError
        If the temperature is negative, top_k less than 1 or top_p not above 0.

    Source: Holtzman et al. (2020), "The Curious Case of Neural Text Degeneration", section 3.
    """
    if temperature < 0 or top_p <= 0 or (top_k is not None and top_k < 1):
        raise ValueError(
            f"temperature {temperature}, top_k {top_k}, top_p {top_p}: the first must not be "
            "negative, the others leave at least one token"
        )
    if temperature == 0:
        temperature, top_k = 1.0, 1
    probabilities, tokens = (logits / temperature).softmax(-1).sort(-1, descending=True)
    before = probabilities.cumsum(-1) - probabilities  # of all that are likelier
    too_many = torch.arange(logits.shape[-1], device=logits.device) >= (top_k or math.inf)
    kept = probabilities.masked_fill(too_many | (before >= top_p), 0)
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(kept).scatter(-1, tokens, kept)


def write(
    input_ids: Tensor, model: LlamaForCausalLM, n_tokens: int, seed: int = 0, **how
) -> Tensor:
    """Write on from each text, each token drawn after all that stand before it.

    Parameters
    ----------
    input_ids : int Tensor of shape (n_texts, n_begun)
    n_tokens : int
        How many to write.
    seed : int
        The same seed draws the same, on every device.
    **how
        ``temperature``, ``top_k`` and ``top_p`` of :func:`next_probabilities`.

    Returns
    -------
    int Tensor of shape (n_texts, n_tokens)
        What was written, on the CPU.
    """
    generator = torch.Generator().manual_seed(seed)
    cache: Cache = {}
    written = []
    new = input_ids
    for _ in range(n_tokens):
        logits = read(new, model, cache)[:, -1]  # (n_texts, n_pieces)
        shares = next_probabilities(logits, **how).cpu()
        new = torch.multinomial(shares, 1, generator=generator)
        written.append(new)  # (n_texts, 1)
    return torch.cat(written, dim=1)

"""The encoder rebuilt from its own weights: a BERT in one sitting.

Every function takes the weights from a ``transformers`` model and does the arithmetic itself.
:func:`encode` returns the model's hidden states, but for rounding, in float32 and float64.
Dropout is left out: in evaluation mode it does nothing.

Chapter: ``chapters/transformer.md``, "The whole encoder".
Source: Devlin et al. (2019), "BERT", section 3, and Vaswani et al. (2017), section 3.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers import BertModel
from transformers.models.bert.modeling_bert import BertLayer

from layerwise.by_hand.attention import linear, multi_head_self_attention, padding_mask
from layerwise.by_hand.rebuilt import BERT, not_rebuilt


def layer_norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Give every token's vector mean 0 and variance 1, then scale and shift it.

    Source: Ba, Kiros & Hinton (2016), "Layer Normalization".

    Parameters
    ----------
    x : Tensor of shape (..., n_dims)
    norm : nn.LayerNorm
        Its weight and bias have shape (n_dims,).

    Returns
    -------
    Tensor of shape (..., n_dims)
    """
    mean = x.mean(dim=-1, keepdim=True)  # (..., 1)
    variance = x.var(dim=-1, keepdim=True, unbiased=False)  # (..., 1)
    return (x - mean) / torch.sqrt(variance + norm.eps) * norm.weight + norm.bias


def gelu(x: Tensor) -> Tensor:
    """Weigh each number by the share of a normal distribution that lies below it: x Φ(x).

    Source: Hendrycks & Gimpel (2016), "Gaussian Error Linear Units".
    """
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def check_positions(n_tokens: int, n_positions: int) -> None:
    """Check that a model has a position for each token."""
    if n_tokens > n_positions:
        raise ValueError(
            f"{n_tokens} tokens, but the model has {n_positions} positions: truncate the text "
            "or cut it into chunks"
        )


def embed_tokens(input_ids: Tensor, token_type_ids: Tensor, model: BertModel) -> Tensor:
    """Compute hidden state 0: LayerNorm(word + position + token type).

    Parameters
    ----------
    input_ids, token_type_ids : int Tensor of shape (n_texts, n_tokens)
    model : BertModel

    Returns
    -------
    Tensor of shape (n_texts, n_tokens, n_dims)

    Raises
    ------
    ValueError
        If there are more tokens than the model has positions.
    """
    embeddings = model.embeddings
    n_tokens = input_ids.shape[1]
    check_positions(n_tokens, embeddings.position_embeddings.num_embeddings)
    word = embeddings.word_embeddings.weight[input_ids]  # (n_texts, n_tokens, n_dims)
    position = embeddings.position_embeddings.weight[:n_tokens]  # (n_tokens, n_dims)
    token_type = embeddings.token_type_embeddings.weight[token_type_ids]  # like word
    return layer_norm(word + position + token_type, embeddings.LayerNorm)


def feed_forward(x: Tensor, layer: BertLayer) -> Tensor:
    """Expand each token's vector four times, bend it with GELU, contract it again.

    Parameters
    ----------
    x : Tensor of shape (n_texts, n_tokens, n_dims)
    layer : BertLayer
        ``model.encoder.layer[i]``.

    Returns
    -------
    Tensor of shape (n_texts, n_tokens, n_dims)
    """
    expanded = gelu(linear(x, layer.intermediate.dense))  # (n_texts, n_tokens, 4 * n_dims)
    return linear(expanded, layer.output.dense)  # (n_texts, n_tokens, n_dims)


def encoder_layer(
    hidden_states: Tensor, layer: BertLayer, n_heads: int, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Run one layer: attention and feed-forward, each added to its input and normalized.

    Parameters
    ----------
    hidden_states : Tensor of shape (n_texts, n_tokens, n_dims)
    layer : BertLayer
        ``model.encoder.layer[i]``.
    n_heads : int
    mask : bool Tensor that broadcasts to (n_texts, n_heads, n_tokens, n_tokens), optional

    Returns
    -------
    hidden_states : Tensor of shape (n_texts, n_tokens, n_dims)
    shares : Tensor of shape (n_texts, n_heads, n_tokens, n_tokens)
    """
    context, shares = multi_head_self_attention(
        hidden_states, layer.attention.self, n_heads, mask
    )
    projected = linear(context, layer.attention.output.dense)
    attended = layer_norm(hidden_states + projected, layer.attention.output.LayerNorm)
    transformed = feed_forward(attended, layer)
    return layer_norm(attended + transformed, layer.output.LayerNorm), shares


def check_rebuilt(model: BertModel) -> None:
    """Check that a model is a BERT in which nothing is other than here.

    Raises
    ------
    TypeError
        If it is another model, has other parts, hooks or another precision, sees only what
        came before, or is in training mode; names all of these.
    """
    if not isinstance(model, BertModel) or model.config.model_type != "bert":
        raise TypeError(
            f"this rebuilds a BERT (BertModel), not a {type(model).__name__} of type "
            f"{model.config.model_type!r}"
        )
    other = [
        f"{name} is {value!r}, not {ours!r}"
        for name, ours in {
            "hidden_act": "gelu",
            "is_decoder": False,
            "add_cross_attention": False,
            "position_embedding_type": "absolute",
        }.items()
        if (value := getattr(model.config, name, ours)) != ours
    ]
    other += not_rebuilt(model, BERT, has_bias=True)
    if other:
        raise TypeError("this BERT is not the one rebuilt here: " + "; ".join(other))


READ_BY_OTHERS = ["position_ids", "inputs_embeds", "past_key_values", "encoder_hidden_states",
                  "encoder_attention_mask"]  # fmt: skip


def check_batch(batch: Mapping[str, Tensor]) -> None:
    """Check that a batch is what a tokenizer returns for a BERT.

    Raises
    ------
    TypeError
        If one of its three parts is missing, or no Tensor, or there is another one that a
        BERT would read.
    """
    parts = ["input_ids", "token_type_ids", "attention_mask"]
    wrong = [part for part in parts if not isinstance(batch.get(part), Tensor)]
    if wrong:
        raise TypeError(
            f"the batch has no tensor for {', '.join(wrong)}: call tokenizer(texts, "
            "padding=True, return_tensors='pt')"
        )
    more = [part for part in READ_BY_OTHERS if batch.get(part) is not None]
    if more:
        raise TypeError(
            f"the batch has {', '.join(more)}, which this does not read: leave it out"
        )


def encode(batch: Mapping[str, Tensor], model: BertModel) -> tuple[list[Tensor], list[Tensor]]:
    """Run the whole encoder on a batch, keeping every layer.

    Parameters
    ----------
    batch : mapping
        What a tokenizer returns: ``input_ids``, ``token_type_ids`` and ``attention_mask``,
        each of shape (n_texts, n_tokens).
    model : BertModel
        In evaluation mode.

    Returns
    -------
    hidden_states : list of n_layers + 1 Tensors of shape (n_texts, n_tokens, n_dims)
    attentions : list of n_layers Tensors of shape (n_texts, n_heads, n_tokens, n_tokens)

    Raises
    ------
    TypeError
        If the model is not as :func:`check_rebuilt` wants it, or the batch not as
        :func:`check_batch` does.
    ValueError
        If a text is all padding, or longer than the model's positions.
    """
    check_rebuilt(model)
    check_batch(batch)
    n_heads = model.config.num_attention_heads
    mask = padding_mask(batch["attention_mask"])
    hidden_states = [embed_tokens(batch["input_ids"], batch["token_type_ids"], model)]
    attentions = []
    for layer in model.encoder.layer:
        hidden, shares = encoder_layer(hidden_states[-1], layer, n_heads, mask)
        hidden_states.append(hidden)
        attentions.append(shares)
    return hidden_states, attentions

"""Embed texts in every layer at once: what you keep after the book.

Chapter: ``chapters/context.md``, "Which layer, which token?".
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase

from layerwise.batching import (
    BATCH_TOKENS,
    batches_by_length,
    map_in_parallel,
    pad,
    tokens_per_batch,
)
from layerwise.models import Encoder, has_decoder, run_every_layer
from layerwise.pooling import POOLINGS
from layerwise.tokenizing import check_texts, tokenize

# No bar for work that ends before a reader wonders.
SECONDS_BEFORE_PROGRESS = 2
# What two ways to the same number may differ by, as a share of the largest number.
ROUNDING, ROUNDING_OF_HALF = 1e-5, 0.02


def check_encoder(encoder: Encoder) -> None:
    """Check that an encoder, which may be a reader's own, can embed texts.

    Raises
    ------
    TypeError
        If it is no Encoder, or the model also has a decoder, which would need a text of its
        own.
    ValueError
        If the tokenizer has no padding token, the device is unknown, the model is on another
        one or in training mode, or its attention depends on the batches before.
    """
    if not isinstance(encoder, Encoder):
        raise TypeError(
            f"encoder is a {type(encoder).__name__}: pass load_encoder(), or "
            "Encoder(tokenizer, model, device)"
        )
    tokenizer, model, device = encoder
    if has_decoder(model):
        raise TypeError(
            f"{type(model).__name__} has an encoder and a decoder: pass model.get_encoder() as "
            "the model"
        )
    if tokenizer.pad_token_id is None:
        raise ValueError(
            "the tokenizer has no padding token, which fills short texts up: give it one, "
            "tokenizer.pad_token = tokenizer.eos_token"
        )
    if any(module.training for module in model.modules()):
        raise ValueError(
            "the model is in training mode, where dropout makes every run different: "
            "call model.eval() first"
        )
    if getattr(model, "attention_type", None) == "block_sparse":
        raise ValueError(
            "block-sparse attention depends on the length of the longest text, and on the "
            "texts read before: call model.set_attention_type('original_full') first"
        )
    if kind_of_device(device) != model.device.type:
        raise ValueError(
            f"the model is on {model.device}, the encoder's device is {device}: pass "
            f"Encoder(tokenizer, model.to({str(device)!r}), {str(device)!r})"
        )


def kind_of_device(device: torch.device | str) -> str:
    """Return what kind of device an encoder's is: one that a batch can be made for."""
    try:
        kind = torch.device(device).type
    except (RuntimeError, TypeError):
        kind = ""
    if kind not in BATCH_TOKENS:
        raise ValueError(
            f"the encoder's device is {device!r}: it should be one of {sorted(BATCH_TOKENS)}, "
            "the one that the model is on"
        )
    return kind


def cls_is_last(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether a tokenizer puts its [CLS] behind a text, as that of an XLNet does."""
    added = tokenizer([""])["input_ids"][0]
    return tokenizer.cls_token_id in added[-1:] and tokenizer.cls_token_id not in added[:1]


def pool_every_layer(
    batch: Mapping[str, Tensor], encoder: Encoder, pooling: str, from_end: bool = False
) -> Tensor:
    """Run the model on one batch, and pool each layer's hidden states.

    Parameters
    ----------
    batch, encoder, pooling
    from_end : bool
        Whether a text's last [CLS] is the one to take: one before it was typed.

    Returns
    -------
    Tensor of shape (n_layers + 1, n_texts, n_dims)
    """
    counts = batch["attention_mask"]
    if pooling == "cls":
        is_cls = (batch["input_ids"] == encoder.tokenizer.cls_token_id) & counts.bool()
        n_to_come = is_cls.flip(1).cumsum(1).flip(1)  # from each token on
        counts = is_cls & (n_to_come == 1) if from_end else is_cls
    hidden_states = run_every_layer(batch, encoder)
    return torch.stack([POOLINGS[pooling](layer, counts) for layer in hidden_states])


def padding_counts(inputs: Sequence[Mapping[str, Tensor]], encoder: Encoder) -> bool:
    """Tell by trying whether a text's vectors change when it is padded.

    They should not, but in some models a token sees its neighbours whatever the mask says
    (ConvBERT, MobileBERT), or all tokens are mixed (FNet).
    """
    by_length = sorted(inputs, key=lambda text: len(text["input_ids"]))
    shortest = by_length[0]
    longer = [text for text in by_length if len(text["input_ids"]) > len(shortest["input_ids"])]
    if not longer:
        return False
    alone = torch.stack(run_every_layer(pad([shortest], encoder), encoder))
    company = pad([shortest, longer[len(longer) // 2]], encoder)  # as far as most are padded
    together = torch.stack(run_every_layer(company, encoder))[:, :1, : alone.shape[2]]
    tolerance = ROUNDING if alone.dtype.itemsize >= 4 else ROUNDING_OF_HALF
    return bool((alone - together).abs().max() > tolerance * alone.abs().max())


def read_together(inputs: Sequence[Mapping[str, Tensor]], encoder: Encoder) -> list[list[int]]:
    """Group the positions of texts into batches, of texts of one length if padding counts."""
    lengths = [len(text["input_ids"]) for text in inputs]
    may_pad = not padding_counts(inputs, encoder)
    return list(batches_by_length(lengths, tokens_per_batch(encoder), may_pad))


def check_cls(inputs: Sequence[Mapping[str, Tensor]], encoder: Encoder) -> None:
    """Check that the tokenizer gives each text a [CLS], by whatever name.

    Raises
    ------
    ValueError
        If it has none, or does not add it.
    """
    tokenizer = encoder.tokenizer
    cls = tokenizer.cls_token_id
    if cls is None or not all((text["input_ids"] == cls).any() for text in inputs):
        raise ValueError(
            f"the tokenizer ({type(tokenizer).__name__}) adds no [CLS] to a text, so there is "
            "nothing for pooling='cls' to take: use 'mean' or 'max'"
        )


def check_finite(embeddings: np.ndarray) -> None:
    """Check that every number is one.

    Raises
    ------
    ValueError
        If some are nan or infinite; names their texts.
    """
    wrong = np.flatnonzero(~np.isfinite(embeddings).all(axis=(0, 2))).tolist()
    if wrong:
        raise ValueError(
            f"the model gives nan or infinity for {len(wrong)} of {embeddings.shape[1]} texts, "
            f"such as text {wrong[0]}: its weights are damaged, or too large for its dtype; "
            "load it in float32"
        )


def embed_layers(
    texts: Iterable[str],
    encoder: Encoder,
    pooling: str = "mean",
    truncate: bool = False,
    progress: bool = True,
) -> np.ndarray:
    """Embed each text in every layer of an encoder.

    Parameters
    ----------
    texts : list, column of a table, array or other series of str
        Each with at least one word.
    encoder : Encoder
        From :func:`layerwise.models.load_encoder`, or one of your own.
    pooling : {"mean", "cls", "max"}
        How a text's tokens become one vector; special tokens count, padding never does. In a
        model that lets padding count nevertheless, which is measured, texts of one length are
        read together.
    truncate : bool
        Whether the end of a text that is longer than the context window may be dropped.
    progress : bool
        Whether to show a progress bar when the work takes longer than two seconds.

    Returns
    -------
    float32 array of shape (n_layers + 1, n_texts, n_dims)
        Layer 0 is the embeddings, before any attention. Texts are in the order given.

    Raises
    ------
    TypeError
        If texts are not strings, or the model is none that has a vector for each token in
        each layer.
    ValueError
        If there are no texts, some are empty, too long or without a known word, the pooling
        is unknown or needs a [CLS] that is not there, or the encoder is not ready to read.

    Warns
    -----
    UserWarning
        If more than half of a text is unknown to the tokenizer.
    """
    texts = check_texts(texts)
    if pooling not in POOLINGS:
        raise ValueError(f"unknown pooling {pooling!r}: use one of {sorted(POOLINGS)}")
    check_encoder(encoder)
    inputs = tokenize(texts, encoder, truncate)
    if pooling == "cls":
        check_cls(inputs, encoder)
    from_end = pooling == "cls" and cls_is_last(encoder.tokenizer)
    batches = read_together(inputs, encoder)

    def embed(positions: list[int]) -> Tensor:
        batch = pad([inputs[i] for i in positions], encoder)
        return pool_every_layer(batch, encoder, pooling, from_end).cpu()

    embeddings = np.empty(0, dtype=np.float32)
    bar = tqdm(
        total=len(texts), desc="embedding", unit="text", leave=False,
        disable=not progress, delay=SECONDS_BEFORE_PROGRESS,
    )
    with bar:
        pooled_batches = map_in_parallel(embed, batches, torch.device(encoder.device))
        for positions, pooled in zip(batches, pooled_batches, strict=True):
            if not embeddings.size:  # now it is known how many layers and dimensions
                shape = (pooled.shape[0], len(texts), pooled.shape[2])
                embeddings = np.empty(shape, dtype=np.float32)
            embeddings[:, positions] = pooled.numpy()
            bar.update(len(positions))
    check_finite(embeddings)
    return embeddings

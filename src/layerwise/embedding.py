"""Embed texts in every layer at once: what you keep after the book.

Chapter: *Large Language Models: An Introduction*, "Examining context".
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from layerwise.batching import batches_by_length, map_in_parallel, pad, tokens_per_batch
from layerwise.models import Encoder, context_window
from layerwise.pooling import POOLINGS

# No bar for work that ends before a reader wonders.
SECONDS_BEFORE_PROGRESS = 2


def check_texts(texts: Sequence[str]) -> list[str]:
    """Check that texts is a non-empty sequence of non-empty strings.

    Raises
    ------
    TypeError
        If it is a single string, or one of the texts is not a string.
    ValueError
        If there are no texts, or one of them is empty.
    """
    if isinstance(texts, str):
        raise TypeError(f"texts is one string, {texts[:40]!r}: put it in a list, [text]")
    try:
        texts = list(texts)
    except TypeError:
        raise TypeError(
            f"texts is {texts!r}, of type {type(texts).__name__}: pass a list of strings"
        ) from None
    if not texts:
        raise ValueError("texts is empty: pass at least one text")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"text {i} is {text!r}, of type {type(text).__name__}, not a string: leave it "
                "out, or turn it into one"
            )
        if not text.strip():
            raise ValueError(f"text {i} is empty ({text!r}): leave it out, or give it words")
    return texts


def check_encoder(encoder: Encoder) -> None:
    """Check that an encoder, which may be a reader's own, can embed texts.

    Raises
    ------
    TypeError
        If the model also has a decoder, which would need a text of its own.
    ValueError
        If the tokenizer has no padding token, or the model is in training mode.
    """
    model = encoder.model
    if model.config.is_encoder_decoder and model.get_encoder() is not model:
        raise TypeError(
            f"{type(model).__name__} has an encoder and a decoder: pass model.get_encoder() as "
            "the model"
        )
    if encoder.tokenizer.pad_token_id is None:
        raise ValueError(
            "the tokenizer has no padding token, which fills short texts up: give it one, "
            "tokenizer.pad_token = tokenizer.eos_token"
        )
    if model.training:
        raise ValueError(
            "the model is in training mode, where dropout makes every run different: "
            "call model.eval() first"
        )


def tokenize(texts: Sequence[str], encoder: Encoder, truncate: bool) -> list[Tensor]:
    """Turn texts into input IDs, none longer than the context window.

    Returns
    -------
    list of int Tensors of shape (n_tokens,)
        One for each text, without padding.

    Raises
    ------
    ValueError
        If a text is too long and may not be truncated, or has nothing but special tokens:
        one with only characters that the tokenizer drops, or does not know.
    """
    window = context_window(encoder)
    input_ids = encoder.tokenizer(
        texts, padding=False, truncation=truncate, max_length=window if truncate else None,
        verbose=False,
    )["input_ids"]
    special = set(encoder.tokenizer.all_special_ids)
    for i, ids in enumerate(input_ids):
        if special.issuperset(ids):
            raise ValueError(
                f"text {i} ({texts[i][:40]!r}) has no token but special ones, so nothing of it "
                "would be embedded: leave it out, or give it words the tokenizer knows"
            )
        if len(ids) > window:
            raise ValueError(
                f"text {i} ({texts[i][:40]!r}...) has {len(ids)} tokens, the model reads at "
                f"most {window}: cut it into chunks, or pass truncate=True to drop its end"
            )
    return [torch.tensor(ids) for ids in input_ids]


def pool_every_layer(batch: dict[str, Tensor], encoder: Encoder, pool) -> Tensor:
    """Run the model on one batch, and pool each layer's hidden states.

    Returns
    -------
    float32 Tensor of shape (n_layers + 1, n_texts, n_dims)
    """
    with torch.inference_mode():
        hidden_states = encoder.model(**batch, output_hidden_states=True).hidden_states
        return torch.stack(
            [pool(layer.float(), batch["attention_mask"]) for layer in hidden_states]
        )


def embed_layers(
    texts: Sequence[str],
    encoder: Encoder,
    pooling: str = "mean",
    truncate: bool = False,
    progress: bool = True,
) -> np.ndarray:
    """Embed each text in every layer of an encoder.

    Parameters
    ----------
    texts : sequence of str
        Each with at least one word.
    encoder : Encoder
        From :func:`layerwise.models.load_encoder`, or one of your own.
    pooling : {"mean", "cls", "max"}
        How a text's tokens become one vector; special tokens count, padding never does.
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
        If texts is a single string or holds something else than strings, or the model also
        has a decoder, which would need a text of its own.
    ValueError
        If there are no texts, a text is empty, too long or without a known word, the pooling
        is unknown, the tokenizer has no padding token, or the model is in training mode.
    """
    texts = check_texts(texts)
    if pooling not in POOLINGS:
        raise ValueError(f"unknown pooling {pooling!r}: use one of {sorted(POOLINGS)}")
    check_encoder(encoder)
    input_ids = tokenize(texts, encoder, truncate)
    lengths = [len(ids) for ids in input_ids]
    batches = list(batches_by_length(lengths, tokens_per_batch(encoder)))

    def embed(positions: list[int]) -> Tensor:
        batch = pad([input_ids[i] for i in positions], encoder)
        return pool_every_layer(batch, encoder, POOLINGS[pooling]).cpu()

    config = encoder.model.config
    embeddings = np.empty(
        (config.num_hidden_layers + 1, len(texts), config.hidden_size), dtype=np.float32
    )
    bar = tqdm(
        total=len(texts), desc="embedding", unit="text", leave=False,
        disable=not progress, delay=SECONDS_BEFORE_PROGRESS,
    )
    with bar:
        pooled_batches = map_in_parallel(embed, batches, encoder.device)
        for positions, pooled in zip(batches, pooled_batches, strict=True):
            embeddings[:, positions] = pooled.numpy()
            bar.update(len(positions))
    return embeddings

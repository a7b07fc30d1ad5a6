"""What the tokenizer makes of the texts, and how far single tokens move."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
import torch

from layerwise.batching import map_in_parallel, pad
from layerwise.models import Encoder, context_window, run_every_layer
from layerwise.similarity import cosine
from layerwise.texts.passages import WORD
from layerwise.tokenizing import tokenize

# A token is spoken of if it occurs this often; the first that leaves enough of them is taken.
ENOUGH_TIMES = [10, 5, 3]
ENOUGH_TOKENS = 16


def count_tokens(texts: Sequence[str], encoder: Encoder) -> pd.DataFrame:
    """Count, for each text, its words, its tokens, and the tokens that are unknown.

    Returns
    -------
    DataFrame
        One row a text: ``n_words``, ``n_tokens`` (without those that are added to every text),
        ``n_known``, ``n_unknown``, and ``is_cut``, whether it is longer than the model can
        read.
    """
    tokenizer = encoder.tokenizer
    input_ids = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    n_special = tokenizer.num_special_tokens_to_add()
    unknown, special = tokenizer.unk_token_id, set(tokenizer.all_special_ids)
    n_tokens = np.array([len(ids) for ids in input_ids])
    return pd.DataFrame({
        "n_words": [len(WORD.findall(text)) for text in texts],
        "n_tokens": n_tokens,
        "n_known": [sum(i not in special for i in ids) for ids in input_ids],
        "n_unknown": [sum(i == unknown for i in ids) for ids in input_ids],
        "is_cut": n_tokens + n_special > context_window(encoder),
    })  # fmt: skip


def pieces_per_word(counts: pd.DataFrame) -> float:
    """Return how many tokens a word is cut into, marks counted, over all texts."""
    return counts["n_tokens"].sum() / max(1, counts["n_words"].sum())


def run_tokens(
    texts: Iterable[str], encoder: Encoder
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Run texts one by one, and yield for each its tokens and their vectors in every layer.

    Yields
    ------
    tokens : list of str
    vectors : float32 array of shape (n_layers + 1, n_tokens, n_dims)
    """

    def run(text: str) -> tuple[list[str], np.ndarray]:
        (inputs,) = tokenize([text], encoder, truncate=True)
        hidden_states = run_every_layer(pad([inputs], encoder), encoder)
        vectors = torch.cat(hidden_states).float().cpu().numpy()
        ids = inputs["input_ids"].tolist()
        return [str(encoder.tokenizer.convert_ids_to_tokens(i)) for i in ids], vectors

    yield from map_in_parallel(run, list(texts), torch.device(encoder.device))


def token_movement(
    tokens: Sequence[Sequence[str]], vectors: Sequence[np.ndarray]
) -> tuple[pd.DataFrame, int]:
    """Measure how far each token is, in the last layer, from where it began, on average.

    Returns
    -------
    table : DataFrame
        One row a token that occurs often enough, the one that moves most first, with columns
        ``token``, ``n`` (how often it occurs) and ``moved``, one minus the cosine of its
        vectors in layer 0 and in the last layer.
    n_times : int
        How often is often enough.
    """
    moved = np.concatenate([1 - cosine(x[0], x[-1]) for x in vectors])
    names = [token for of_text in tokens for token in of_text]
    table = pd.DataFrame({"token": names, "moved": moved}).groupby("token")["moved"]
    table = table.agg(["size", "mean"]).rename(columns={"size": "n", "mean": "moved"})
    for n_times in ENOUGH_TIMES:
        frequent = table[table["n"] >= n_times]
        if len(frequent) >= ENOUGH_TOKENS:
            break
    return frequent.sort_values("moved", ascending=False, kind="stable").reset_index(), n_times

"""Every place where a word stands: its passage, its vector in each layer, and its neighbours.

Chapter: ``chapters/vectors.md``, "One vector, two words".
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from layerwise.batching import map_in_parallel, pad
from layerwise.embedding import check_encoder, read_together
from layerwise.models import Encoder, run_every_layer
from layerwise.similarity import directions, each_with_each
from layerwise.tokenizing import check_texts, tokenize

# Words that printers of the speeches gave a capital for one of their senses.
AMBIGUOUS = ("may", "march", "house", "union", "general")
# What stands before a word that begins no sentence, line or quotation.
INSIDE = re.compile(r"[\w,;]['’]? $")


def find_occurrences(speeches: pd.DataFrame, word: str, n_around: int = 24) -> pd.DataFrame:
    """Find a word, with a capital and without, wherever it begins no sentence.

    Parameters
    ----------
    speeches : DataFrame
        With columns ``text``, ``speaker``, ``year``.
    word : str
        In lower case. Where it is in capitals throughout, it is left out.
    n_around : int
        How many words of the same paragraph are kept on each side.

    Returns
    -------
    DataFrame
        A row an occurrence: ``speaker``, ``year``, ``before``, ``found``, ``after``, and
        ``capital``, whether it has one.
    """
    either = re.compile(rf"\b(?:{word}|{word.capitalize()})\b")
    rows = []
    for speech in speeches.itertuples():
        for line in speech.text.splitlines():
            for match in either.finditer(line):
                before, after = line[: match.start()], line[match.end() :]
                if INSIDE.search(before):
                    rows.append({
                        "speaker": speech.speaker, "year": speech.year,
                        "before": " ".join(before.split()[-n_around:]) + " ",
                        "found": match.group(),
                        "after": " ".join(after.split(" ")[: n_around + 1]),
                        "capital": match.group() != word,
                    })  # fmt: skip
    return pd.DataFrame(rows)


def draw_balanced(
    occurrences: pd.DataFrame, most: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw as many occurrences with a capital as without one, at most so many of each.

    They keep their order: were those with a capital put last, others would be taken first where
    several are equally near.
    """
    each = min(most, *occurrences["capital"].value_counts())
    drawn = [
        rows.iloc[rng.choice(len(rows), each, replace=False)]
        for _, rows in occurrences.groupby("capital")
    ]
    return pd.concat(drawn).sort_index(ignore_index=True)


def passages_of(occurrences: pd.DataFrame) -> tuple[list[str], list[tuple[int, int]]]:
    """Return passages without capitals, and in each the place of the word, to embed."""
    columns = occurrences["before"] + occurrences["found"] + occurrences["after"]
    return columns.str.lower().tolist(), list(enumerate(occurrences["before"].str.len()))


def embed_places(
    texts: Sequence[str], places: Sequence[tuple[int, int]], encoder: Encoder
) -> np.ndarray:
    """Return the hidden state of the token at each place, in every layer.

    Parameters
    ----------
    texts : list of str
    places : list of (int, int)
        The number of a text, and a character in it.
    encoder : Encoder
        With a tokenizer that knows which characters a token was made from.

    Returns
    -------
    float32 array of shape (n_layers + 1, n_places, n_dims)

    Raises
    ------
    ValueError
        If there is no token at a place, or a text is longer than the context window.
    """
    texts = check_texts(texts)
    check_encoder(encoder)
    encoded = encoder.tokenizer(texts, verbose=False)
    tokens = [encoded.char_to_token(text, character) for text, character in places]
    if None in tokens:
        text, character = places[tokens.index(None)]
        raise ValueError(f"text {text} ({texts[text][:40]!r}) has no token at {character}")
    inputs = tokenize(texts, encoder, truncate=False)
    of_text: list[list[int]] = [[] for _ in texts]  # the numbers of its places
    for place, (text, _) in enumerate(places):
        of_text[text].append(place)

    def embed(positions: list[int]) -> tuple[list[int], np.ndarray]:
        batch = pad([inputs[i] for i in positions], encoder)
        found = [(place, row) for row, i in enumerate(positions) for place in of_text[i]]
        which, rows = [place for place, _ in found], [row for _, row in found]
        columns = [tokens[place] for place in which]
        there = [layer[rows, columns] for layer in run_every_layer(batch, encoder)]
        return which, torch.stack(there).float().cpu().numpy()

    batches = read_together(inputs, encoder)
    result = np.empty(0, dtype=np.float32)
    for which, vectors in map_in_parallel(embed, batches, torch.device(encoder.device)):
        if not result.size:
            result = np.empty((len(vectors), len(places), vectors.shape[2]), dtype=np.float32)
        result[:, which] = vectors
    return result


def nearest_elsewhere(vectors, groups: Sequence, n_nearest: int = 5) -> np.ndarray:
    """Find for each vector the nearest ones, by cosine, that are not of its own group.

    Parameters
    ----------
    vectors : array of shape (n, n_dims)
    groups : sequence of n names
        Such as who said it.

    Returns
    -------
    int array of shape (n, n_nearest)
        Their places, the nearest first.
    """
    group = pd.factorize(np.asarray(groups))[0]
    away = -each_with_each(directions(vectors))
    away[group[:, None] == group] = np.inf
    if np.isinf(away).sum(axis=1).max() > len(away) - n_nearest:
        raise ValueError(f"fewer than {n_nearest} vectors are of another group")
    return np.argsort(away, axis=1, kind="stable")[:, :n_nearest]

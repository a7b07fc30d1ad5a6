"""Reading with a model that writes: what each token of a text costs it, and beside what.

A text's conditions are versions of it that keep something and lose something else; a finding
that a control shows too is none.

Chapter: ``chapters/writing.md``, from "What the model makes of a poem" on.
"""

import math
import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from itertools import pairwise

import numpy as np
import pandas as pd
import torch

from layerwise.checkpoints import DEFAULTS
from layerwise.decoders import Decoder
from layerwise.texts.cleaning import line_feeds
from layerwise.texts.lines import another_order
from layerwise.texts.passages import Span, paragraph_spans, sentence_spans
from layerwise.texts.poems import split_stanzas

N_ALTERNATIVES = 3


def beginning(decoder: Decoder) -> int:
    """Return the token that stands before the first one of a text."""
    known = decoder.tokenizer.get_vocab()
    begin = known.get("<|endoftext|>", decoder.tokenizer.bos_token_id)
    if begin is None:
        raise ValueError(
            f"the tokenizer of {decoder.tokenizer.name_or_path} has no token to begin a text "
            "with, so nothing can be said of its first token: set tokenizer.bos_token"
        )
    return begin


def token_ids(text: str, decoder: Decoder, before: str = "") -> tuple[list[int], list[int]]:
    """Return the tokens of a text that stands after another, and where each begins in it.

    Both are cut together, as they stand: alone, the empty line before a text is another token.

    Returns
    -------
    ids : list of n_before + n_tokens int
        With the token before all texts.
    starts : list of n_tokens int
    """
    pieces = decoder.tokenizer(
        before + text, return_offsets_mapping=True, add_special_tokens=False
    )
    starts = [start - len(before) for start, _ in pieces["offset_mapping"]]
    kept = [start for start in starts if start >= 0]
    if len(kept) < len(starts) and starts[-len(kept) - 1] >= 0:
        raise ValueError("a token lies across the heading and the text")
    return [beginning(decoder), *pieces["input_ids"]], kept


def read_text(text: str, decoder: Decoder, before: str = "") -> pd.DataFrame:
    """Read a text once and say what each of its tokens costs.

    Parameters
    ----------
    text : str
    decoder : Decoder
    before : str
        What the model reads first, a heading for instance; it is not counted.

    Returns
    -------
    DataFrame
        A row for each token: ``start``, where it begins in the text; ``token``, its number;
        ``bits``, its surprisal; ``rank``, how many tokens the model held to be more probable;
        ``alternatives``, the most probable tokens, as text.

    Raises
    ------
    ValueError
        If the text is longer than the model can read at once.
    """
    ids, starts = token_ids(text, decoder, before)
    limit = decoder.model.config.max_position_embeddings
    if len(ids) > limit:
        raise ValueError(
            f"{len(ids)} tokens, but the model reads {limit} at once: cut the text"
        )
    given = torch.tensor([ids], device=decoder.device)
    with torch.inference_mode():
        logits = decoder.model(given).logits[0, :-1][-len(starts) :]  # (n_tokens, n_pieces)
        own = given[0, -len(starts) :, None]  # (n_tokens, 1)
        bits = -logits.log_softmax(-1).gather(-1, own)[:, 0] / math.log(2)
        rank = (logits > logits.gather(-1, own)).sum(-1)
        best = logits.topk(N_ALTERNATIVES).indices.tolist()
    alternatives = [[decoder.tokenizer.decode(token) for token in each] for each in best]
    return pd.DataFrame({
        "start": starts, "token": own[:, 0].tolist(), "bits": bits.cpu().double().numpy(),
        "rank": rank.tolist(), "alternatives": alternatives,
    })  # fmt: skip


# ---------------------------------------------------------------- versions of a text


def shuffle_words(text: str, rng: np.random.Generator) -> str:
    """Shuffle the words within each line; one of two words or more changes if it can."""
    lines = []
    for line in line_feeds(text).split("\n"):
        words = line.split(" ")
        lines.append(" ".join(another_order(words, rng)))
    return "\n".join(lines)


def shuffle_lines(text: str, rng: np.random.Generator) -> str:
    """Shuffle the lines; each stanza keeps its number of lines."""
    stanzas = split_stanzas(text)
    lines = iter(another_order([line for stanza in stanzas for line in stanza], rng))
    return join_stanzas([[next(lines) for _ in stanza] for stanza in stanzas])


def shuffle_stanzas(text: str, rng: np.random.Generator) -> str:
    """Shuffle the stanzas."""
    return join_stanzas(another_order(split_stanzas(text), rng))


def shuffle_spans(text: str, spans: Sequence[Span], rng: np.random.Generator) -> str:
    """Shuffle stretches of a text, such as its sentences; what is between them stays."""
    stretches = another_order([text[start:end] for start, end in spans], rng)
    ends = [0, *(end for _, end in spans)]
    between = [text[end:start] for end, (start, _) in zip(ends[:-1], spans, strict=True)]
    pairs = zip(between, stretches, strict=True)
    return "".join(gap + stretch for gap, stretch in pairs) + text[ends[-1] :]


def shuffle_words_of_prose(text: str, rng: np.random.Generator) -> str:
    """Shuffle the words within each sentence."""
    parts, end_of_last = [], 0
    for start, end in sentence_spans(text):
        parts += [text[end_of_last:start], shuffle_words(text[start:end], rng)]
        end_of_last = end
    return "".join(parts) + text[end_of_last:]


def join_stanzas(stanzas: Sequence[Sequence[str]]) -> str:
    """Write stanzas of lines as text."""
    return "\n\n".join("\n".join(stanza) for stanza in stanzas)


def normal(text: str, is_verse: bool = True) -> str:
    """Return a text as its versions are written: with line feeds, verse as of its stanzas."""
    return join_stanzas(split_stanzas(text)) if is_verse else line_feeds(text)


LAST_WORD = re.compile(r"[\w'’-]+(?=\W*$)")


def swap_ends(text: str, broken: bool) -> str:
    """Exchange last words of lines that are two lines apart, in stanzas of four lines.

    Where the second line rhymes with the fourth, exchanging these two keeps every rhyme;
    exchanging the fourth with the second of the next stanza breaks them. As much is moved, and
    as far. Without two stanzas of four lines on end, the text stays.
    """
    stanzas = [list(stanza) for stanza in split_stanzas(text)]
    for one, other in pairwise(stanzas):
        if len(one) == len(other) == 4:
            exchange(one, 3, other if broken else one, 1)
    return join_stanzas(stanzas)


def exchange(one: list[str], i: int, other: list[str], j: int) -> None:
    """Exchange the last words of two lines; each line keeps its signs."""
    first, second = LAST_WORD.search(one[i]), LAST_WORD.search(other[j])
    if first and second:
        one[i], other[j] = (
            one[i][: first.start()] + second[0] + one[i][first.end() :],
            other[j][: second.start()] + first[0] + other[j][second.end() :],
        )


def versions(
    poems: pd.DataFrame,
    decoder: Decoder,
    seed: int = 0,
    is_verse: bool = True,
    is_normal: bool = False,
) -> pd.DataFrame:
    """Return each text under each condition, with what stands before it.

    Parameters
    ----------
    poems : DataFrame
        With columns ``number``, ``title``, empty where there is none, and ``text``.
    decoder : Decoder
    seed : int
        Decides on the orders, and on whose title is another's.
    is_verse : bool
        Whether the parts of a text are stanzas and lines; else paragraphs and sentences, which
        are shuffled under the same names.
    is_normal : bool
        Whether texts are as :func:`normal` writes them, or cut from such texts.

    Returns
    -------
    DataFrame
        Columns ``condition``, ``number``, ``before`` and ``text``. All are versions of the
        text as :func:`normal` writes it, so that they differ in nothing else. A condition that
        leaves a text as it is has no row of it.
    """
    rng = np.random.default_rng(seed)
    titles = poems["title"].tolist()
    circle = rng.permutation(len(titles)).tolist()
    next_to = dict(zip(circle, np.roll(circle, -1).tolist(), strict=True))
    chat = ""
    if decoder.tokenizer.chat_template:
        asked = [{"role": "user", "content": "Write a poem."}]
        chat = str(decoder.tokenizer.apply_chat_template(
            asked, tokenize=False, add_generation_prompt=True
        ))  # fmt: skip
    rows = []
    texts = [text if is_normal else normal(text, is_verse) for text in poems["text"]]
    for i, (number, text) in enumerate(zip(poems["number"], texts, strict=True)):
        rows.append(("printed", number, "", text))
        if titles[i]:
            rows.append(("own title", number, f"{titles[i]}\n\n", text))
        if titles[i] and len(set(titles) - {""}) > 1:
            other = next_to[i]
            while titles[other] in ("", titles[i]):  # it is to be another
                other = next_to[other]
            rows.append(("another's title", number, f"{titles[other]}\n\n", text))
        if chat:
            rows.append(("asked in a chat", number, chat, text))
        for name, change in (CHANGES if is_verse else CHANGES_OF_PROSE).items():
            changed = change(text, rng)
            if changed != text:
                rows.append((name, number, "", changed))
    return pd.DataFrame(rows, columns=["condition", "number", "before", "text"])


CHANGES: dict[str, Callable[[str, np.random.Generator], str]] = {
    "words shuffled": shuffle_words,
    "lines shuffled": shuffle_lines,
    "stanzas shuffled": shuffle_stanzas,
    "ends exchanged": lambda text, rng: swap_ends(text, broken=False),
    "rhymes broken": lambda text, rng: swap_ends(text, broken=True),
}
CHANGES_OF_PROSE: dict[str, Callable[[str, np.random.Generator], str]] = {
    "words shuffled": shuffle_words_of_prose,
    "lines shuffled": lambda text, rng: shuffle_spans(text, sentence_spans(text), rng),
    "stanzas shuffled": lambda text, rng: shuffle_spans(text, paragraph_spans(text), rng),
}


def read_versions(rows: pd.DataFrame, decoder: Decoder) -> pd.DataFrame:
    """Read every row of :func:`versions`.

    Returns
    -------
    DataFrame
        Columns ``condition`` and ``number``, and those of :func:`read_text`.
    """
    read = []
    for condition, number, before, text in rows.itertuples(index=False):
        table = read_text(text, decoder, before)
        read.append(table.assign(condition=condition, number=number))
    return pd.concat(read, ignore_index=True)


N_READ_NOW = 12  # poems, where nothing was read before


def shortest_of(poems: pd.DataFrame) -> pd.Index:
    """Return the index of the poems that are read with another decoder than the book's."""
    return poems["text"].str.len().nsmallest(N_READ_NOW).index


# The conditions of which kept readings say what would have been more probable.
WITH_ALTERNATIVES = ("printed", "own title")


def kept_readings() -> pd.DataFrame:
    """Return what the book's decoder made of all poems, read once."""
    with files("layerwise.datasets").joinpath("readings.parquet").open("rb") as file:
        return pd.read_parquet(file)


def load_readings(poems: pd.DataFrame, decoder: Decoder) -> pd.DataFrame:
    """Return what the poems cost under every condition; see :func:`read_versions`.

    With the book's decoder, all poems, which were read once and come with the package. With
    another one, the shortest poems, read now.
    """
    if decoder.model.name_or_path == DEFAULTS["decoder"]:
        return kept_readings()
    rows, shortest = versions(poems, decoder), poems["number"][shortest_of(poems)]
    return read_versions(rows[rows["number"].isin(shortest)], decoder)

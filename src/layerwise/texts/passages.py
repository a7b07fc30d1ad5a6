"""Cut long texts into passages that each know where they come from."""

import re
from collections.abc import Callable

import pandas as pd
from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]  # where something begins and ends in a text, in characters

# A word, or one character of a script that puts no space between words.
NO_SPACES = (
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
    r"\U00020000-\U0003ffff]"
)
WORD = re.compile(rf"{NO_SPACES}|[^\W_]+")
PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
# A mark, what may close after it, then white space; in Chinese and Japanese no space follows.
SENTENCE_END = re.compile(r"(?:[.!?…]+[\"'”’»)\]]*\s+|[。！？]+[」』”’]*\s*)")
ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:\w|Mr|Mrs|Ms|Dr|St|Prof|Nr|No|vol|bzw|etc|vgl|cf|ca|Jr|Sr|Hon|Gen|Rev)\.\s+$"
)
UNITS = ["paragraph", "sentence", "token"]


def word_spans(text: str) -> list[Span]:
    """Return where each word and each mark of a text stands."""
    return [found.span() for found in re.finditer(r"\w+|[^\w\s]", text)]


def token_spans(tokenizer: PreTrainedTokenizerBase) -> Callable[[str], list[Span]]:
    """Return a function that says where each of a tokenizer's tokens stands in a text."""

    def spans(text: str) -> list[Span]:
        found = tokenizer(text, return_offsets_mapping=True, verbose=False)["offset_mapping"]
        return [(start, end) for start, end in found if end > start]  # no special token

    return spans


def paragraph_spans(text: str) -> list[Span]:
    """Return where each paragraph stands: between empty lines or, without any, line ends."""
    end = PARAGRAPH_END if PARAGRAPH_END.search(text.strip()) else re.compile(r"\n\s*")
    return between(text, [found.span() for found in end.finditer(text)])


def sentence_spans(text: str) -> list[Span]:
    """Return where each sentence stands; a rule of thumb that knows a few abbreviations."""
    spans = []
    for start, end in paragraph_spans(text):
        cuts = [
            (found.end(), found.end())
            for found in SENTENCE_END.finditer(text, start, end)
            if not ABBREVIATION.search(text[start : found.end()][-12:])
        ]
        spans += [
            (start + a, start + b)
            for a, b in between(text[start:end], [(i - start, j - start) for i, j in cuts])
        ]
    return spans


def between(text: str, cuts: list[Span]) -> list[Span]:
    """Return what lies between cuts, without white space at its ends."""
    starts = [0, *(end for _, end in cuts)]
    ends = [*(start for start, _ in cuts), len(text)]
    spans = []
    for start, end in zip(starts, ends, strict=True):
        piece = text[start:end]
        if piece.strip():
            start += len(piece) - len(piece.lstrip())
            spans.append((start, start + len(piece.strip())))
    return spans


def cut_texts(
    table: pd.DataFrame,
    unit: str = "paragraph",
    size: int = 120,
    overlap: int = 0,
    spans: Callable[[str], list[Span]] = word_spans,
) -> pd.DataFrame:
    """Cut each text into passages of whole paragraphs, sentences or tokens.

    A passage takes as many units as have room; a unit that is too long by itself is cut.

    Parameters
    ----------
    table : DataFrame
        With a column ``text``; the others are repeated for each passage.
    unit : {"paragraph", "sentence", "token"}
    size : int
        The most tokens in a passage.
    overlap : int
        How many units a passage has in common with the one before.
    spans : callable
        What counts as a token: words and marks, or :func:`token_spans` of a tokenizer.

    Returns
    -------
    DataFrame
        One row a passage, with three more columns: ``passage``, its number within the text,
        and ``start`` and ``end``, so that ``text[start:end]`` of the source is the passage.

    Raises
    ------
    ValueError
        If the unit is unknown, or size and overlap leave no room to move on.
    """
    if unit not in UNITS:
        raise ValueError(f"unknown unit {unit!r}: use 'paragraph', 'sentence' or 'token'")
    if size < 1 or overlap < 0:
        raise ValueError(f"a passage of {size} tokens with an overlap of {overlap} is none")
    if unit == "token" and overlap >= size:
        raise ValueError(
            f"passages of {size} tokens cannot overlap by {overlap}: choose a smaller overlap"
        )
    passages = []
    for row in table.to_dict("records"):
        found = passage_spans(row["text"], unit, size, overlap, spans)
        for number, (start, end) in enumerate(found, start=1):
            passage = {"text": row["text"][start:end], "passage": number}
            passages.append({**row, **passage, "start": start, "end": end})
    return pd.DataFrame(passages, columns=[*table.columns, "passage", "start", "end"])


def passage_spans(
    text: str, unit: str, size: int, overlap: int, spans: Callable[[str], list[Span]]
) -> list[Span]:
    """Return where each passage of one text stands."""
    tokens = spans(text)
    if unit == "token":
        return windows(text, tokens, size, overlap)
    units = paragraph_spans(text) if unit == "paragraph" else sentence_spans(text)
    pieces: list[tuple[Span, int]] = []  # each with how many tokens it has
    position = 0
    for span in units:
        inside = []
        while position < len(tokens) and tokens[position][0] < span[1]:
            inside.append(tokens[position])
            position += 1
        parts = [span] if len(inside) <= size else windows(text, inside, size, 0)
        pieces += [(x, sum(x[0] <= token[0] < x[1] for token in inside)) for x in parts]
    return pack(pieces, size, overlap)


def windows(text: str, tokens: list[Span], size: int, overlap: int) -> list[Span]:
    """Cut tokens into stretches of one size, within a word only if it is all there is."""
    passages: list[Span] = []
    first, after = 0, 0
    while after < len(tokens):
        end = min(first + size, len(tokens))
        cut = end
        while cut < len(tokens) and cut > after and _is_within_word(text, tokens[cut][0]):
            cut -= 1
        after = end if cut == after else cut
        passages.append((tokens[first][0], tokens[after - 1][1]))
        first = max(first + 1, after - overlap)
        while first < after and _is_within_word(text, tokens[first][0]):
            first += 1
    return passages


def _is_within_word(text: str, start: int) -> bool:
    return start > 0 and text[start].isalnum() and text[start - 1].isalnum()


def pack(pieces: list[tuple[Span, int]], size: int, overlap: int) -> list[Span]:
    """Join neighbouring pieces while there is room, some of them twice."""
    passages = []
    first = 0
    while first < len(pieces):
        n_tokens, after = 0, first
        while after < len(pieces) and (after == first or n_tokens + pieces[after][1] <= size):
            n_tokens += pieces[after][1]
            after += 1
        passages.append((pieces[first][0][0], pieces[after - 1][0][1]))
        if after == len(pieces):
            break
        first = max(first + 1, after - overlap)
    return passages

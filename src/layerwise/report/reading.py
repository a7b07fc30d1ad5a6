"""Read the texts with a model that writes: as they are, after headings, in another order.

What is read is bounded beforehand, and each version is summed up at once: memory does not grow
with the number of texts.
"""

import time
from typing import NamedTuple

import numpy as np
import pandas as pd

from layerwise.by_heart import place_to_go_on, ranks_after, recited, recited_of_known
from layerwise.decoders import Decoder
from layerwise.display import count
from layerwise.progress import clock_in, say, with_end_time
from layerwise.surprisal import normal, read_text, token_ids, versions
from layerwise.texts.passages import Span, passage_spans, sentence_spans, token_spans

MOST_TOKENS = 20_000  # of the texts, each version of which is read; beyond it, a sample
BEGINNING = 256  # tokens that are read of each text when texts are too many or too long
WINDOW = 1024  # tokens that are read at once, or half of what the model can
LONGEST_LINE = 100  # characters: where lines are longer in the median, it is no verse
N_PARTS = 10  # of a text, by which position is counted
VERSIONS = ["printed", "own title", "another's title", "words shuffled", "lines shuffled",
            "stanzas shuffled"]  # fmt: skip


class Chosen(NamedTuple):
    """What is to be read.

    Attributes
    ----------
    table : DataFrame
        The texts, with ``text`` as far as it is read, and ``heading``, empty without one.
    pieces : DataFrame
        What is read at once: ``row``, ``start`` in its text, ``text``, ``heading``.
    is_verse : bool
        Whether the parts of texts are lines and stanzas; else sentences and paragraphs.
    facts : dict
        ``n_texts``, ``n_usable``, ``n_tokens``, ``n_beginnings``, ``n_in_windows``,
        ``window``, ``n_words``.
    """

    table: pd.DataFrame
    pieces: pd.DataFrame
    is_verse: bool
    facts: dict


class Reading(NamedTuple):
    """What the model made of the texts.

    Attributes
    ----------
    chosen : Chosen
    bits : DataFrame
        A row a text, a column a version: what it costs, in bits a character.
    parts : dict of str to array of shape (n_texts, N_PARTS)
        For a version, the same by tenths of what is read at once.
    tokens : DataFrame
        Of the texts as printed: ``row``, ``start``, ``bits``, ``rank``.
    recited : DataFrame
        A row a text: ``tokens``, in a row, that the model goes on with as the author did;
        ``shuffled``, the same for its lines in another order.
    known : dict of str to int
        The same for texts that are widely known.
    first_token : DataFrame
        A row a text, a column a version: bits a character that its first token costs.
    texts : dict of str to list of str
        For a version in another order, each text as it was read; empty where it was not.
    """

    chosen: Chosen
    bits: pd.DataFrame
    parts: dict[str, np.ndarray]
    tokens: pd.DataFrame
    recited: pd.DataFrame
    known: dict[str, int]
    first_token: pd.DataFrame
    texts: dict[str, list[str]]


def are_verse(texts: pd.Series) -> bool:
    """Say whether texts are set in lines: most have line ends, and lines are short."""
    lines = [len(line) for text in texts for line in text.split("\n") if line.strip()]
    has_ends = texts.str.contains("\n", regex=False).mean() > 0.5
    return bool(has_ends and np.median(lines) <= LONGEST_LINE)


def line_spans(text: str) -> list[Span]:
    """Return where each line that is not empty stands."""
    spans, start = [], 0
    for line in text.split("\n"):
        if line.strip():
            spans.append((start, start + len(line)))
        start += len(line) + 1
    return spans


def choose(table: pd.DataFrame, decoder: Decoder, most: int) -> Chosen:
    """Choose what is read: all, or beginnings of texts that are drawn with a seed.

    Parameters
    ----------
    table : DataFrame
        With columns ``row``, ``text``, ``heading``, and what texts are grouped by.
    decoder : Decoder
    most : int
        How many tokens of texts may be read.
    """
    spans = token_spans(decoder.tokenizer)
    window = min(WINDOW, decoder.model.config.max_position_embeddings // 2)
    is_verse = are_verse(table["text"])
    unit = "paragraph" if is_verse else "sentence"
    # line feeds, and one empty line between stanzas, whatever the file has
    whole = table["text"].str.strip().map(lambda text: normal(text, is_verse))
    fits = table["heading"].map(lambda heading: len(spans(heading)) <= window // 4)
    table = table.assign(text=whole, heading=table["heading"].where(fits, ""))
    sizes = np.array([len(spans(text)) for text in table["text"]])
    n_usable, n_beginnings = len(table), 0
    if sizes.sum() > most:
        size = min(BEGINNING, window)
        drawn = np.random.default_rng(0).permutation(len(table))
        room = np.cumsum(np.minimum(sizes[drawn], size)) <= most
        kept = np.sort(drawn[room | (np.arange(len(drawn)) < 3)])
        table, sizes = table.iloc[kept], sizes[kept]
        beginnings = [
            text[slice(*passage_spans(text, unit, size, 0, spans)[0])] if n > size else text
            for text, n in zip(table["text"], sizes, strict=True)
        ]
        n_beginnings = int((sizes > size).sum())
        table = table.assign(text=beginnings)
    rows = []
    for x in table.itertuples():
        found = passage_spans(x.text, unit, window, 0, spans)
        if len(found) == 1:  # to its last sign, whatever comes after the last sentence
            found = [(0, len(x.text))]
        rows += [(x.row, start, x.text[start:end], x.heading) for start, end in found]
    pieces = pd.DataFrame(rows, columns=["row", "start", "text", "heading"])
    n_windows = pieces.groupby("row").size()
    words = table["text"].str.findall(r"\w+").str.len()
    facts = {
        "n_texts": len(table), "n_usable": n_usable, "n_beginnings": n_beginnings,
        "n_in_windows": int((n_windows > 1).sum()), "window": window,
        "n_tokens": sum(len(spans(text)) for text in pieces["text"]),
        "n_characters": int(pieces["text"].str.len().sum()), "n_words": int(words.sum()),
        "unit": "line" if is_verse else "sentence",
        "n_headings": int((table["heading"] != "").sum()),
        "n_different_headings": int(table.loc[table["heading"] != "", "heading"].nunique()),
    }  # fmt: skip
    return Chosen(table.reset_index(drop=True), pieces, is_verse, facts)


def read_all(chosen: Chosen, decoder: Decoder) -> Reading:
    """Read every version of every text once, and say beforehand how long it will take."""
    pieces = chosen.pieces
    asked = pieces.rename(columns={"heading": "title"}).assign(number=range(len(pieces)))
    rows = versions(asked, decoder, is_verse=chosen.is_verse, is_normal=True)
    rows = rows[rows["condition"].isin(VERSIONS)]
    limit = decoder.model.config.max_position_embeddings
    sizes = np.array([len(token_ids(x.text, decoder, x.before)[0]) for x in rows.itertuples()])
    rows, sizes = rows[sizes <= limit], sizes[sizes <= limit]
    say_how_long(rows, sizes, decoder)
    at = {row: i for i, row in enumerate(chosen.table["row"])}
    n_texts = len(at)
    totals = {name: np.full(n_texts, np.nan) for name in VERSIONS}
    firsts = {name: np.full(n_texts, np.nan) for name in VERSIONS}
    parts = {name: np.full((n_texts, N_PARTS), np.nan)
             for name in ("printed", "lines shuffled")}  # fmt: skip
    lengths = {name: np.zeros(n_texts) for name in VERSIONS}
    goes_on = {name: np.full(n_texts, np.nan) for name in parts}
    texts = {name: [""] * n_texts for name in ["printed", *VERSIONS[3:]]}
    tokens = []
    for x in with_end_time(zip(rows.itertuples(), sizes, strict=True), sizes.sum(), "reading"):
        piece = pieces.iloc[x.number]
        i, read = at[piece["row"]], read_text(x.text, decoder, x.before)
        bits = read["bits"].to_numpy()
        totals[x.condition][i] = np.nansum([totals[x.condition][i], bits.sum()])
        lengths[x.condition][i] += len(x.text)
        if np.isnan(firsts[x.condition][i]):
            firsts[x.condition][i] = bits[0]
        if x.condition in texts:
            texts[x.condition][i] += x.text
        if x.condition not in parts:
            continue
        tenth = np.minimum(read["start"].to_numpy() * N_PARTS // len(x.text), N_PARTS - 1)
        by_part = np.bincount(tenth, bits, N_PARTS)
        parts[x.condition][i] = np.nansum([parts[x.condition][i], by_part], axis=0)
        if np.isnan(goes_on[x.condition][i]):  # the beginning of a text only
            place = place_to_go_on(x.text, chosen.is_verse)
            goes_on[x.condition][i] = recited(ranks_after(read, place, len(x.text)))
        if x.condition == "printed":
            tokens.append(pd.DataFrame({
                "row": piece["row"], "start": read["start"] + piece["start"], "bits": bits,
                "rank": read["rank"],
            }))  # fmt: skip
    texts["printed"] = chosen.table["text"].tolist()  # with what stands between windows
    index = pd.Index(chosen.table["row"], name="row")
    whole = lengths["printed"]  # a version that not every window has is not compared
    of_each = {name: np.where(n == whole, n, np.nan) for name, n in lengths.items()}
    return Reading(
        chosen,
        pd.DataFrame({name: totals[name] / of_each[name] for name in VERSIONS}, index),
        {name: values / of_each[name][:, None] * N_PARTS for name, values in parts.items()},
        pd.concat(tokens, ignore_index=True),
        pd.DataFrame(
            {"tokens": goes_on["printed"], "shuffled": goes_on["lines shuffled"]}, index
        ),
        recited_of_known(decoder),
        pd.DataFrame({name: firsts[name] / of_each[name] for name in VERSIONS}, index),
        texts,
    )


def say_how_long(rows: pd.DataFrame, sizes: np.ndarray, decoder: Decoder) -> None:
    """Read one text of middling length, and say when all will be read."""
    middle = np.argsort(sizes)[len(sizes) // 2]
    began = time.monotonic()
    read_text(rows["text"].iloc[middle], decoder, rows["before"].iloc[middle])
    seconds = (time.monotonic() - began) * sizes.sum() / sizes[middle]
    say(
        f"  {count(len(rows), 'version')} of texts, {sizes.sum():,} tokens: "
        f"about {max(1, round(seconds / 60))} min, until {clock_in(seconds)}"
    )


def spans_of(text: str, is_verse: bool) -> list[Span]:
    """Return where each line or sentence of a text stands."""
    return line_spans(text) if is_verse else sentence_spans(text)

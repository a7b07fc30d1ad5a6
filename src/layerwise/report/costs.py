"""What the reading comes to: bits a character beside their controls, each with an interval."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from layerwise.by_hand import ngrams
from layerwise.report.cost_tests import by_date, by_label, summary
from layerwise.report.neighbours import own_groups
from layerwise.report.reading import N_PARTS, Reading, spans_of

ORDER = 5  # of the runs of characters that are counted
N_FOLDS = 10
MOST_COUNTED = 300_000  # characters of other texts
FEWEST_TO_COUNT = 3  # texts or groups
COUNTED = "counted"  # what the texts cost a model that counts runs of characters in others


WORD_IN_LINE = re.compile(r"\w+(?:['’-]\w+)*")


class Costs(NamedTuple):
    """The numbers of the section.

    Attributes
    ----------
    reading : Reading
    groups : Series
        By row, a number for the group of each text: what intervals are taken over.
    bits : DataFrame
        A row a text: each version, and what counting says of some, in bits a character.
    counted_parts : array of shape (n_texts, N_PARTS)
    versions : DataFrame
        A row a comparison: ``mean``, ``low``, ``high``, ``n``, ``above``.
    lines, labels, dates : DataFrame
        By line, label and date; the last two empty without a column.
    tests : dict
        For labels and dates: their tests and controls.
    title_kinds : Series
        By row, from :func:`title_kinds`.
    """

    reading: Reading
    groups: pd.Series
    bits: pd.DataFrame
    counted_parts: np.ndarray
    versions: pd.DataFrame
    lines: pd.DataFrame
    labels: pd.DataFrame
    dates: pd.DataFrame
    tests: dict
    title_kinds: pd.Series


def measure_costs(reading: Reading) -> Costs:
    """Compute everything that is said of a reading."""
    table = reading.chosen.table
    groups = pd.Series(own_groups(table), index=pd.Index(table["row"], name="row"))
    bits = reading.bits.copy()
    counted = counted_costs(reading.texts, groups.to_numpy())
    for name, by_character in counted.items():
        bits[COUNTED if name == "printed" else f"{name}, {COUNTED}"] = [
            each.mean() if len(each) else np.nan for each in by_character
        ]
    by_character = counted["printed"]
    parts = np.array([in_parts(each) for each in by_character])
    lines = line_table(reading, by_character)
    kinds = title_kinds(table["heading"], table["text"]).set_axis(bits.index)
    labels, dates, tests = pd.DataFrame(), pd.DataFrame(), {}
    if table["label"].nunique() > 1:
        labels, tests["labels"] = by_label(bits, table, groups)
    if "date" in table and table["date"].nunique() > 2:
        dates, tests["dates"] = by_date(bits, table, groups)
    versions = compare_versions(reading, bits, parts, groups, kinds)
    return Costs(reading, groups, bits, parts, versions, lines, labels, dates, tests, kinds)


# ---------------------------------------------------------------- counting, in the other texts


def counted_costs(
    texts: dict[str, list[str]], groups: np.ndarray
) -> dict[str, list[np.ndarray]]:
    """Return what texts cost a model that has counted runs of characters in the others.

    A group of texts is never on both sides. Where there are too few to count in, costs are
    not numbers.

    Parameters
    ----------
    texts : dict of str to list of str
        For each version, every text; the others are counted as printed.
    groups : int array of shape (n_texts,)

    Returns
    -------
    dict of str to list of arrays of shape (n_characters,)
        For each version, the bits of every character.
    """
    letters = {name: [list(text) for text in each] for name, each in texts.items()}
    bits = {
        name: [np.full(len(text), np.nan) for text in each] for name, each in letters.items()
    }
    n_groups = groups.max() + 1
    if n_groups < FEWEST_TO_COUNT:
        return bits
    n_signs = len(ngrams.find_vocabulary(letters["printed"]))
    order = np.random.default_rng(0).permutation(n_groups)
    for fold in np.array_split(order, min(N_FOLDS, n_groups)):
        inside = np.isin(groups, fold)
        others = [letters["printed"][i] for i in np.flatnonzero(~inside)]
        tables = ngrams.kneser_ney_tables(up_to(others, MOST_COUNTED), ORDER)
        model = ngrams.kneser_ney(tables, n_signs)
        for name, of_version in letters.items():
            for i in np.flatnonzero(inside):
                bits[name][i] = ngrams.surprisal(model, of_version[i], ORDER)
    return bits


def up_to(texts: list[list[str]], most: int) -> list[list[str]]:
    """Return texts, drawn at random from more than so many characters."""
    drawn = np.random.default_rng(0).permutation(len(texts))
    fits = np.cumsum([len(texts[i]) for i in drawn]) <= most
    return texts if fits.all() else [texts[i] for i in drawn[: max(1, fits.sum())]]


def in_parts(bits: np.ndarray) -> np.ndarray:
    """Return the mean of each tenth of a text's characters."""
    tenth = np.arange(len(bits)) * N_PARTS // len(bits)
    with np.errstate(invalid="ignore"):
        return np.bincount(tenth, bits, N_PARTS) / (len(bits) / N_PARTS)


# ---------------------------------------------------------------- what is compared


def compare_versions(
    reading: Reading, bits: pd.DataFrame, counted: np.ndarray, groups: pd.Series,
    kinds: pd.Series,
) -> pd.DataFrame:  # fmt: skip
    """Set each version beside the text as printed, and headings beside each other.

    Returns
    -------
    DataFrame
        By name: how much more the version costs, or how much a heading or the model saves.
    """
    printed = bits["printed"]
    compared = {}
    for name in ("words shuffled", "lines shuffled", "stanzas shuffled"):
        compared[name] = bits[name] - printed
        counted_more = bits[f"{name}, {COUNTED}"] - bits[COUNTED]
        compared[f"{name}, {COUNTED}"] = counted_more.where(compared[name].notna())
        compared[f"{name} beyond counting"] = compared[name] - counted_more
    compared["saved beside counting"] = bits[COUNTED] - printed
    own, another = printed - bits["own title"], printed - bits["another's title"]
    compared |= {
        "saved by its own title": own,
        "saved by another's title": another,
        "of that on the first token": reading.first_token["printed"]
        - reading.first_token["another's title"],
    }
    for kind in ("title begins the text", "title's words come later",
                 "title's words never come"):  # fmt: skip
        compared[f"own beyond another's: {kind}"] = (own - another).where(kinds == kind)
    parts = reading.parts
    compared["saved on the way"] = pd.Series(saved_on_the_way(parts["printed"]), bits.index)
    compared["the same, lines shuffled"] = pd.Series(
        saved_on_the_way(parts["lines shuffled"]), bits.index
    )
    compared["the same, counted"] = pd.Series(saved_on_the_way(counted), bits.index)
    compared["on the way beyond shuffled"] = (
        compared["saved on the way"] - compared["the same, lines shuffled"]
    )
    compared |= last_words(reading, bits.index)
    compared["goes on beyond shuffled"] = (
        reading.recited["tokens"] - reading.recited["shuffled"]
    )
    return pd.DataFrame({name: summary(x, groups) for name, x in compared.items()}).T


def saved_on_the_way(parts: np.ndarray) -> np.ndarray:
    """Return how much less the end of each text costs than its second to fourth tenth.

    The first tenth, where the model has read nothing, is left out.
    """
    return parts[:, 1:4].mean(axis=1) - parts[:, -3:].mean(axis=1)


def last_words(reading: Reading, rows: pd.Index) -> dict[str, pd.Series]:
    """Return by how much a line's last word costs more than others, by kind of word."""
    if not reading.chosen.is_verse:
        return {}
    words = word_table(reading)
    words = words[~words["first"]]  # it stands after a line end, and is another question
    kinds = {"all words": words, "words with content": words[words["content"]],
             "function words": words[~words["content"]]}  # fmt: skip
    found = {}
    for kind, of_kind in kinds.items():
        by_text = of_kind.groupby(["row", "last"])["bits"].mean().unstack()
        by_text = by_text.reindex(index=rows, columns=[True, False])
        found[f"last words: {kind}"] = by_text[True] - by_text[False]
    return found


def word_table(reading: Reading) -> pd.DataFrame:
    """Return each word's bits, and whether it is first or last in its line, and of content."""
    rows = []
    tokens = dict(list(reading.tokens.groupby("row", sort=False)))
    for x in reading.chosen.table.itertuples():
        starts, bits = (tokens[x.row][name].to_numpy() for name in ("start", "bits"))
        ends = np.append(starts[1:], len(x.text))
        sums = np.concatenate([[0], bits.cumsum()])
        for start, end in spans_of(x.text, reading.chosen.is_verse):
            words = list(WORD_IN_LINE.finditer(x.text, start, end))
            for i, word in enumerate(words):
                # a space belongs to the token after it: a word's tokens end inside it
                inside = np.searchsorted(ends, [word.start() + 1, word.end() + 1])
                rows.append((
                    x.row, sums[inside[1]] - sums[inside[0]], i == len(words) - 1, i == 0,
                    word[0].lower() not in ENGLISH_STOP_WORDS,
                ))  # fmt: skip
    return pd.DataFrame(rows, columns=["row", "bits", "last", "first", "content"])


# ---------------------------------------------------------------- titles


def title_kinds(titles: pd.Series, texts: pd.Series) -> pd.Series:
    """Say of each title whether it gives words of its text away; empty where there is none."""
    kinds = []
    for title, text in zip(titles, texts, strict=True):
        if not title:
            kinds.append("")
        elif plain(text).startswith(plain(title)):
            kinds.append("title begins the text")
        else:
            again = word_beginnings(title) & word_beginnings(text)
            kinds.append(f"title's words {'come later' if again else 'never come'}")
    return pd.Series(kinds, dtype="str")


def plain(words: str) -> str:
    """Return letters and digits alone, in lower case."""
    return "".join(filter(str.isalnum, words.lower()))


def word_beginnings(words: str) -> set[str]:
    """Return how each word of four letters or more begins."""
    return {word.lower()[:4] for word in re.findall(r"\w{4,}", words)}


# ---------------------------------------------------------------- line by line


def line_table(reading: Reading, counted: list[np.ndarray]) -> pd.DataFrame:
    """Return what each line or sentence costs the model, and what it costs to count.

    A token belongs to the line in which its first sign stands that is no space; a line end
    belongs to the line before it.
    """
    rows = []
    tokens = dict(list(reading.tokens.groupby("row", sort=False)))
    for x, of_text in zip(reading.chosen.table.itertuples(), counted, strict=True):
        spans = spans_of(x.text, reading.chosen.is_verse)
        starts, bits = (tokens[x.row][name].to_numpy() for name in ("start", "bits"))
        begins = np.array([0, *(start for start, _ in spans[1:]), len(x.text)])
        signs = np.array([i if x.text[i] != " " else i + 1 for i in starts])
        line = np.searchsorted(begins, signs, "right").clip(1, len(spans)) - 1
        sums, n_tokens = (np.bincount(line, w, len(spans)) for w in (bits, None))
        by_sign = np.concatenate([[0], of_text.cumsum()])[begins]
        for i, (start, end) in enumerate(spans):
            n = begins[i + 1] - begins[i]
            rows.append((
                x.row, x.title, i + 1, x.text[start:end], n, n_tokens[i], sums[i], sums[i] / n,
                (by_sign[i + 1] - by_sign[i]) / n,
            ))  # fmt: skip
    return pd.DataFrame(rows, columns=[
        "row", "title", reading.chosen.facts["unit"], "text", "n_characters", "n_tokens",
        "bits", "bits_a_character", "counted",
    ])  # fmt: skip

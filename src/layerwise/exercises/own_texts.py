"""The exercises of ``chapters/own_texts.md``."""

from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from layerwise.exercises import marking
from layerwise.exercises.marking import (
    RIGHT,
    Exercise,
    Verdict,
    compare,
    kind_of,
    mistake,
    not_yet,
)
from layerwise.texts.own import OwnTexts, load_texts

FEWEST = 20  # texts of one's own, to measure anything


def messy(again: OwnTexts, found: OwnTexts) -> Verdict:
    """Judge a spoiled table: is something reported that was not before?"""
    before, now = dict(counts(found)), dict(counts(again))
    if set(now) - set(before):
        return RIGHT
    if any(now[what] > before[what] for what in set(now) & set(before)):
        return mistake("the report has one row more of a kind that it had: spoil the table in "
                       "another way")  # fmt: skip
    if len(again.table) + again.report["n_rows"].sum() <= (
        len(found.table) + found.report["n_rows"].sum()
    ):
        return mistake("this table has no row more than the spoiled copy: add one to it")
    return not_yet("the report says nothing of it")


def counts(own: OwnTexts) -> list[tuple[str, int]]:
    """Return what was found, and in how many rows."""
    return list(zip(own.report["found"], own.report["n_rows"], strict=True))


def passages(n_passages, table: pd.DataFrame, cut: pd.DataFrame) -> Verdict:
    """Judge how many passages each text has, in the order of the table."""
    rows = table["row"].to_numpy()
    theirs = (cut["row"].to_numpy()[None] == rows[:, None]).sum(axis=1)
    highest = np.array([cut.loc[cut["row"] == row, "passage"].max() for row in rows])
    return compare(np.asarray(n_passages, dtype=float), theirs, {
        "this is one number for all texts: count text by text": float(len(cut)),
        "this is the mean over the texts: count text by text": len(cut) / len(rows),
        "these are the numbers of the last passages: do they begin with 0 or with 1?":
            highest if highest.max() != theirs.max() else theirs - 1,
    })  # fmt: skip


def which_label(label: str, by_label: pd.DataFrame) -> Verdict:
    """Judge which label's texts most often have a neighbour of their own."""
    if label == "":
        return not_yet("there is no label yet")
    by_label = by_label.set_index("label")
    shares, chances = by_label["agreement"], by_label["chance"]
    if not isinstance(label, str) and label not in list(shares.index):
        if isinstance(label, int | np.integer):
            return mistake("this is the row's number: which label stands there?")
        if isinstance(label, float):
            return mistake("this is a number: the question is whose share is the largest")
        return not_yet(f"this is {kind_of(label)}, and one label is wanted")
    if label not in shares.index:
        return not_yet(f"{label!r} is none of the labels")
    if shares[label] == shares.max():
        return RIGHT
    if shares[label] == shares.min():
        return mistake("this label has the lowest share: look at the other end")
    if chances[label] > chances.drop(label).max():
        return mistake("this label has the best chance, not the best result")
    return not_yet(f"there is a label with more than {shares[label]:.0%}")


def leak(fair: float, order: np.ndarray, source: np.ndarray, kinds: np.ndarray) -> Verdict:
    """Judge the share of passages whose nearest of *another* text has their label."""
    elsewhere = source[order] != source[:, None]  # (n_passages, n_passages - 1)
    nearest = np.take_along_axis(order, elsewhere.argmax(axis=1)[:, None], axis=1)[:, 0]
    same_label = kinds[order[:, 0]] == kinds
    first_is_fair = elsewhere[:, 0]
    return compare(float(fair), (kinds[nearest] == kinds).mean(), {
        "this leaves out the passages whose nearest is of their own text: look further for "
        "them, to their next": same_label[first_is_fair].mean() if first_is_fair.any() else 0.0,
        "this is how often the nearest is of the same text: that is what is wrong with it":
            1 - first_is_fair.mean(),
        "this counts a neighbour of the same text as wrong: look further, to the next":
            (same_label & first_is_fair).mean(),
    }, tolerance=1e-6)  # fmt: skip


def time(apart: float, second: np.ndarray | None, first: np.ndarray) -> Verdict:
    """Judge how far neighbours are apart in the second label."""
    if second is None:
        return not_yet("there is nothing to compare: it takes whole texts, and a second label "
                       "of years or dates")  # fmt: skip
    between = second[first] - second
    return compare(float(apart), abs(between).mean(), {
        "before and after cancel out here: take each distance without its sign":
            between.mean(),
        "this is how far any two texts are: take each with its nearest only":
            abs(second[:, None] - second).mean(),
        "this is the median: the other number above is a mean": float(np.median(abs(between))),
    })  # fmt: skip


def function_words(small: Sequence[str], words: Sequence[str]) -> Verdict:
    """Judge a vocabulary of small words: all of them, and no others."""
    chosen, known = set(small), set(words)
    if not chosen:
        return not_yet("no word is chosen yet")
    theirs = known & ENGLISH_STOP_WORDS
    if chosen & known == theirs and chosen <= ENGLISH_STOP_WORDS:
        return RIGHT
    if chosen == known - theirs:
        return mistake("these are the other words: keep what is in ENGLISH_STOP_WORDS")
    if max(map(len, chosen)) <= 4 and chosen - ENGLISH_STOP_WORDS:
        return mistake("these are short words: *war* is short, *themselves* is a small word")
    missing, extra = len(theirs - chosen), len(chosen - ENGLISH_STOP_WORDS)
    return not_yet(f"{missing} small words are missing, and {extra} others are among them")


def own_texts(mine: OwnTexts) -> Verdict:
    """Judge a table of the learner's: other texts than the book's, and enough of them."""
    texts = mine.table["text"].tolist()
    books = Path(str(files("layerwise.datasets") / "presidents.csv"))
    if texts == load_texts(books, text="text").table["text"].tolist():
        return not_yet("these are the book's own texts")
    if len(texts) < FEWEST:
        return mistake(f"{len(texts)} texts are too few to measure anything: take {FEWEST}")
    if (typical := float(np.median([len(text.split()) for text in texts]))) < 8:
        return mistake(f"half of these texts have {typical:.0f} words or fewer: is that the "
                       "column of the texts, or of their titles?")  # fmt: skip
    return RIGHT


EXERCISES = {
    "ex-messy": Exercise(messy, [
        "look at the rows above: which faults are there already?",
        "think of what a spreadsheet, a web page or an old program does to letters",
    ]),
    "ex-passages": Exercise(passages, [
        "`passages` has a row for each passage; its column `row` says which text it is from",
        "count how often each `row` of `own.table` stands there",
    ]),
    "ex-which-label": Exercise(which_label, [
        "look at the table `agreement.by_label`, column `agreement`",
        "with `.set_index('label')` the rows have names, and `idxmax` of a column returns one",
    ]),
    "ex-leak": Exercise(leak, [
        "`source[order[i]]` says for each neighbour of passage i which text it is from",
        "of `order[i]`, take the first that is from another text",
    ]),
    "ex-time": Exercise(time, [
        "`first` says for each text which is its nearest: `second[first]` are their years",
        "the mean of the distances, each without its sign",
    ]),
    "ex-function-words": Exercise(function_words, [
        "`all_words` are the words of the texts: which of them does scikit-learn list?",
        "a set of words and another: `&` is what both have",
    ]),
    "ex-own-texts": Exercise(own_texts, [
        "give `load_texts` the path of another file, and the name of its column of texts",
        "a CSV file with one text a row will do, or a folder of text files",
    ]),
}  # fmt: skip
check = partial(marking.check, EXERCISES)
judge = partial(marking.judge, EXERCISES)

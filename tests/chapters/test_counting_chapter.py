"""The chapter on counting: its numbers by other code, and all its checks on other texts."""

import re
import textwrap
from collections import Counter
from importlib.resources import files
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from executed_context import text_shown
from nltk.util import ngrams

from layerwise.texts.poems import load_poems
from layerwise.texts.speeches import load_speeches

CHAPTER = Path(__file__).parents[2] / "chapters" / "counting.md"
CELLS = [cell.source for cell in jupytext.read(CHAPTER).cells if cell.cell_type == "code"]


def run(cells, names, texts=None):
    """Run cells; where the chapter says what it works on, take other texts if there are any."""
    with plt.rc_context(), pd.option_context("display.float_format", None):
        for code in cells:
            exec(compile(code, code[:40], "exec"), names)
            if texts and code.startswith("texts ="):
                names["texts"] = texts
    plt.close("all")
    return names


@pytest.fixture(scope="module")
def measured():
    """Return the names of the chapter when the kinds of smoothing have been compared."""
    end = next(i for i, code in enumerate(CELLS) if "a_token.loc" in code)
    return run(CELLS[: end + 1], {"__name__": "__main__"})


@pytest.fixture(scope="module")
def plain():
    """Return the poems as tokens, cut in another way than by the package."""
    table = str.maketrans({sign: " " for sign in "—-,.;:!?()\"“”[]"})
    poems = []
    for text in load_poems()["text"]:
        lines = (line.lower().replace("’", "'").translate(table) for line in text.split("\n"))
        words = ([w.strip("'") for w in line.split() if w.strip("'")] for line in lines)
        poems.append([token for line in words if line for token in [*line, "\n"]])
    return poems


def test_poems_are_cut_into_the_same_words(measured, plain):
    assert measured["words"] == plain


def test_what_was_never_seen(measured, plain):
    for fold, row in zip(measured["folds"], measured["never_seen"].to_numpy(), strict=True):
        text = [" ".join(p) for p in plain]
        counted = " \n ".join(t for i, t in enumerate(text) if i not in fold)
        for n, share in zip((1, 2, 3), row, strict=True):
            new = []
            for i in fold:
                for line in text[i].split("\n"):
                    words = line.split()
                    new += [f" {' '.join(run)} " not in f" {counted} "
                            for run in zip(*(words[k:] for k in range(n)), strict=False)]
            assert share == pytest.approx(np.mean(new))


def models_by_tables(counted, least=2):
    """Return three models as tables of all pairs, and the row of each word; 0 is unknown."""
    often = Counter(token for poem in counted for token in poem)
    kinds = ["<unk>", *sorted(token for token, n in often.items() if n >= least)]
    place = {token: i for i, token in enumerate(kinds)}
    counted = numbered(counted, place)
    table = np.zeros((len(kinds), len(kinds)))
    for poem in counted:
        np.add.at(table, (poem[:-1], poem[1:]), 1)

    def discounted(counts):  # (..., v): what is left of each, and the share that is taken
        n = [np.sum(counts == k) for k in range(5)]
        d = np.array([0, 0.5, 1, 1.5])
        if min(n[1:]):
            y = n[1] / (n[1] + 2 * n[2])
            found = [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]
            d[1:] = np.where(np.array(found) > 0, found, d[1:])
        left = np.maximum(0, counts - d[np.minimum(counts, 3).astype(int)])
        total = counts.sum(-1, keepdims=True)
        taken = (counts - left).sum(-1, keepdims=True)
        taken = np.where(total, taken, 1)  # after what was never seen, all goes on
        return left / np.maximum(total, 1), taken / np.maximum(total, 1)

    def mixed(counts, shorter):
        left, taken = discounted(counts)
        return left + taken * shorter

    one = mixed(table.sum(0), 1 / len(kinds))
    two = mixed(table, mixed((table > 0).sum(0), 1 / len(kinds)))
    added = (table + 1) / (table + 1).sum(1, keepdims=True)
    return [one + 0 * table, added, two], place


def numbered(poems, place):
    """Return poems as numbers, with the line end that counts as standing before each."""
    return [[place.get(token, 0) for token in ["\n", *poem]] for poem in poems]


def bits_by_tables(counted, tested, least=2):
    """Return bits a token of three models, from one table of all pairs."""
    models, place = models_by_tables(counted, least)
    poems = numbered(tested, place)
    pairs = np.concatenate([np.stack([poem[:-1], poem[1:]]) for poem in poems], axis=1)
    return [-np.log2(model[tuple(pairs)]).mean() for model in models]


def test_bits_a_token(measured, plain):
    ours = measured["a_token"][["unigram", "bigram, add one", "bigram, Kneser-Ney"]]
    for fold, row in zip(measured["folds"], ours.to_numpy(), strict=True):
        counted = [poem for i, poem in enumerate(plain) if i not in fold]
        theirs = bits_by_tables(counted, [plain[i] for i in fold])
        np.testing.assert_allclose(row, theirs, rtol=1e-10)


def test_the_perplexity_trap(measured, plain):
    shown = text_shown("counting")
    told = re.search(r"^perplexity +mean +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)$", shown, re.M)
    for least, perplexity in zip((1, 2, 3, 5), told.groups(), strict=True):
        by_fold = []
        for fold in measured["folds"]:
            counted = [poem for i, poem in enumerate(plain) if i not in fold]
            *_, bits = bits_by_tables(counted, [plain[i] for i in fold], least)
            by_fold.append(2**bits)
        assert float(perplexity) == pytest.approx(np.mean(by_fold), abs=0.006)


def test_the_bigram_tells_a_line_from_its_shuffle(measured, plain):
    """The lines are shuffled in another way than the chapter's, so the shares are only near."""
    shown, rng = text_shown("counting"), np.random.default_rng(12)
    whole = float(re.search(r"^bigram: ([\d.]+) of \d+ pairs", shown, re.M)[1])
    right = []
    for fold in measured["folds"]:
        models, place = models_by_tables([p for i, p in enumerate(plain) if i not in fold])
        for i in fold:
            for line in " ".join(plain[i]).split("\n"):
                words = line.split()
                if len(set(words)) < 2:
                    continue
                other = words
                while other == words:
                    other = rng.permutation(words).tolist()
                costs = []
                for order in (words, other):
                    (numbers,) = numbered([[*order, "\n"]], place)
                    costs.append(-np.log2(models[-1][numbers[:-1], numbers[1:]]).sum())
                gap = costs[1] - costs[0]
                right.append(0.5 if abs(gap) < 1e-9 else gap > 0)
    assert np.mean(right) == pytest.approx(whole, abs=0.03)


def test_what_is_new_in_speeches_by_other_people(measured):
    """The last of the folds, with nltk's n-grams and sets of words."""
    speeches = load_speeches()
    texts = speeches["text"].str.lower().str.replace("’", "'").tolist()
    held, order = measured["held"], measured["order"]
    assert not set(speeches["speaker"][held]) & set(speeches["speaker"].iloc[order])

    def lines_of(numbers, most):  # a line end is a token too, as in the chapter
        tokens = []
        for i in numbers:
            for line in texts[i].split("\n"):
                words = re.findall(r"\w(?:[\w']*\w)?", line)
                tokens += [*words, "\n"] if words else []
        return [line.split() for line in " ".join(tokens[:most]).split("\n")]

    unseen = measured["unseen"]
    last = unseen[(unseen["fold"] == unseen["fold"].max()) & (unseen["text"] == "spoken")]
    tested = lines_of(np.flatnonzero(held), None)
    for most in (3_000, 300_000):
        counted = lines_of(order, most)
        for n in (1, 2, 3):
            seen = {run for line in counted for run in ngrams(line, n)}
            new = [run not in seen for line in tested for run in ngrams(line, n)]
            told = last.loc[(last["size"] == most) & (last["n"] == n), "share"]
            assert told.item() == pytest.approx(np.mean(new), abs=1e-4)


@pytest.mark.filterwarnings("default")
def test_every_check_holds_on_other_texts_with_line_ends(capsys):
    table = pd.read_csv(str(files("layerwise.datasets") / "presidents.csv"))
    texts = ["\n".join(textwrap.wrap(text, 40)) for text in table["text"]]
    names = run(CELLS, {"__name__": "__main__"}, texts)
    assert names["words"][0][0] == texts[0].split()[0].lower()
    said = capsys.readouterr().out
    assert said.count("✓ ") >= said.count("≠ ") >= 20
    assert said.count("✓ right") >= 6  # one exercise each

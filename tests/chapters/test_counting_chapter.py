"""The chapter on counting: its numbers by other code, and all its checks on other texts."""

import textwrap
from collections import Counter
from importlib.resources import files
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from layerwise.texts.poems import load_poems

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


def bits_by_tables(counted, tested):
    """Return bits a token of three models, from one table of all pairs."""
    often = Counter(token for poem in counted for token in poem)
    kinds = ["<unk>", *sorted(token for token, n in often.items() if n > 1)]
    place = {token: i for i, token in enumerate(kinds)}
    counted, tested = ([[place.get(t, 0) for t in [*"\n", *p]] for p in side]
                       for side in (counted, tested))
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
        total = np.maximum(counts.sum(-1, keepdims=True), 1)
        return left / total, (counts - left).sum(-1, keepdims=True) / total

    def mixed(counts, shorter):
        left, taken = discounted(counts)
        return left + taken * shorter

    one = mixed(table.sum(0), 1 / len(kinds))
    two = mixed(table, mixed((table > 0).sum(0), 1 / len(kinds)))
    added = (table + 1) / (table + 1).sum(1, keepdims=True)
    pairs = np.concatenate([np.stack([poem[:-1], poem[1:]]) for poem in tested], axis=1)
    return [-np.log2(p[tuple(pairs)]).mean() for p in (one + 0 * table, added, two)]


def test_bits_a_token(measured, plain):
    ours = measured["a_token"][["unigram", "bigram, add one", "bigram, Kneser-Ney"]]
    for fold, row in zip(measured["folds"], ours.to_numpy(), strict=True):
        counted = [poem for i, poem in enumerate(plain) if i not in fold]
        theirs = bits_by_tables(counted, [plain[i] for i in fold])
        np.testing.assert_allclose(row, theirs, rtol=1e-10)


@pytest.mark.filterwarnings("default")
def test_every_check_holds_on_other_texts_with_line_ends(capsys):
    table = pd.read_csv(str(files("layerwise.datasets") / "presidents.csv"))
    texts = ["\n".join(textwrap.wrap(text, 40)) for text in table["text"]]
    names = run(CELLS, {"__name__": "__main__"}, texts)
    assert names["words"][0][0] == texts[0].split()[0].lower()
    said = capsys.readouterr().out
    assert said.count("✓ ") >= said.count("≠ ") >= 20
    assert said.count("✓ right") >= 6  # one exercise each

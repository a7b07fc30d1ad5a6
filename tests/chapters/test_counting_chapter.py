"""The chapter on counting: its numbers by other code, and all its checks on other texts."""

import bz2
import lzma
import re
import textwrap
from collections import Counter, defaultdict
from importlib.resources import files
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from by_counting import by_runs
from executed_context import text_shown
from nltk.util import ngrams
from scipy.stats import linregress

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
    """Return the names of the chapter when the places in a line have been compared."""
    end = next(i for i, code in enumerate(CELLS) if code.startswith("measures = "))
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


def test_weights_of_a_mixture_by_tables(measured, plain):
    fold = measured["folds"][3]
    counted = [poem for i, poem in enumerate(plain) if i not in fold]
    often = Counter(token for poem in counted for token in poem)
    place = {t: i for i, t in enumerate(sorted(t for t, n in often.items() if n > 1), start=1)}
    v = len(place) + 1

    def shares(poems):  # (v,) and (v, v); a row of zeros after what was never seen
        table = np.zeros((v, v))
        for poem in numbered(poems, place):
            np.add.at(table, (poem[:-1], poem[1:]), 1)
        total = table.sum(1, keepdims=True)
        return table.sum(0) / table.sum(), table / np.maximum(total, 1), total[:, 0] > 0

    def bits(weights, parts, poems):
        one, two, known = parts
        poems = numbered(poems, place)
        pairs = np.concatenate([np.stack([p[:-1], p[1:]]) for p in poems], axis=1)
        shorter = weights[0] * one[pairs[1]] + (1 - weights[0]) / v
        mixed = weights[1] * two[tuple(pairs)] + (1 - weights[1]) * shorter
        return -np.log2(np.where(known[pairs[0]], mixed, shorter))

    rest, tenth = [p for i, p in enumerate(counted) if i % 10], counted[::10]
    grid = [(a, b) for a in (0.8, 0.9, 0.99) for b in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)]
    chosen = min(grid, key=lambda weights: bits(weights, shares(rest), tenth).sum())
    theirs = bits(chosen, shares(counted), [plain[i] for i in fold]).mean()
    assert measured["a_token"].loc[3, "bigram, interpolated"] == pytest.approx(theirs)


def written(poem):
    """Return a poem as one string, its words parted by spaces."""
    return " ".join(poem).replace(" \n", "\n").replace("\n ", "\n")


def split_by(fold, plain):
    counted = [poem for i, poem in enumerate(plain) if i not in fold]
    return counted, [plain[i] for i in fold]


def hide_by(counted):
    """Return a function that hides words that came once, how many are left, and who spells."""
    often = Counter(token for poem in counted for token in poem)
    letters = [[*word, "\n"] for word, n in sorted(often.items()) if n == 1]
    speller = by_runs(letters, 4, len({letter for word in letters for letter in word}) + 1)

    def hide(poem):
        return [token if often[token] > 1 else "<unk>" for token in poem]

    n_known = sum(n > 1 for n in often.values())
    return hide, n_known + 1, lambda word: speller([*word, "\n"])


@pytest.mark.parametrize("number", [0, 7])
def test_bits_a_character(measured, plain, number):
    row = measured["held_out"].loc[number]
    counted, tested = split_by(measured["folds"][number], plain)
    texts = [[list(written(poem)) for poem in side] for side in (counted, tested)]
    n_characters = sum(map(len, texts[1]))
    n_kinds = len({sign for text in texts[0] for sign in text}) + 1
    for n in range(1, 7):
        theirs = sum(map(by_runs(texts[0], n, n_kinds), texts[1])) / n_characters
        assert row[f"characters, n = {n}"] == pytest.approx(theirs, rel=1e-9)
    hide, v, spelled = hide_by(counted)
    seen, new = ([hide(poem) for poem in side] for side in (counted, tested))
    spelling = sum(spelled(word) for poem, hidden in zip(tested, new, strict=True)
                   for word, token in zip(poem, hidden, strict=True) if token == "<unk>")
    for n in (1, 2, 3):
        theirs = (sum(map(by_runs(seen, n, v), new)) + spelling) / n_characters
        assert row[f"words, n = {n}"] == pytest.approx(theirs, rel=1e-9)
    add_one = bits_by_tables(counted, tested)[1] * sum(map(len, new))
    theirs = (add_one + spelling) / n_characters
    assert row["words, add one, n = 2"] == pytest.approx(theirs)
    for name, pack in [("packed by bz2", bz2.compress), ("packed by xz", lzma.compress)]:
        both, first = (len(pack("".join(map(written, poems)).encode()))
                       for poems in (counted + tested, counted))
        assert row[name] == pytest.approx(8 * (both - first) / n_characters)


def test_what_samples_copy(measured, plain):
    """Written by other code and other chance, so that the shares are only near."""
    shown, rng = measured["memorised"], np.random.default_rng(31)
    all_lines = [line for poem in plain for line in written(poem).split("\n")]
    sixes = {run for poem in plain for run in ngrams(poem, 6)}
    for n in (2, 3, 4, 5):
        after = defaultdict(list)  # a follower as often as it came
        for poem in plain:
            for run in ngrams(["\n"] * (n - 1) + poem + ["\n"] * (n - 2), n):
                after[run[:-1]].append(run[-1])
        tokens = ["\n"] * (n - 1)
        for _ in range(2000):
            tokens.append(str(rng.choice(after[tuple(tokens[len(tokens) - n + 1 :])])))
        parts = [part for part in re.split(r"\n\n+", written(tokens).strip("\n")) if part]
        runs = [run for part in parts for run in ngrams(re.findall(r"\S+|\n", part + "\n"), 6)]
        lines = [line for part in parts for line in part.split("\n")][:-1]
        row = shown.loc[n]
        shares = np.mean([run in sixes for run in runs]), np.mean(np.isin(lines, all_lines))
        assert shares == pytest.approx((row["runs of six"], row["lines"]), abs=0.1)


def test_the_slope_of_frequencies_and_of_typing(measured, plain):
    running = [token for poem in plain for token in poem if token != "\n"]
    signs = list(" ".join(running))
    np.random.default_rng(77).shuffle(signs)
    typed = "".join(signs).split()
    for words, name, near in [(running, "poems", 1e-9), (typed, "typing", 0.09)]:
        often = np.sort(np.unique(words, return_counts=True)[1])[::-1]
        for n_ranks in (30, 100, 300):
            logs = np.log(np.arange(1, n_ranks + 1)), np.log(often[:n_ranks])
            told = measured["by_ranks"].loc[n_ranks, name]
            assert linregress(*logs).slope == pytest.approx(told, abs=near)


def test_the_places_in_a_line(measured, plain):
    costs = {place: [] for place in ("first", "last")}
    for fold in measured["folds"]:
        counted, tested = split_by(fold, plain)
        models, place = models_by_tables(counted)
        *_, spelled = hide_by(counted)
        for poem, numbers in zip(tested, numbered(tested, place), strict=True):
            bits = -np.log2(models[-1][numbers[:-1], numbers[1:]])
            before_and_after = zip(["\n", *poem[:-1]], [*poem[1:], "\n"], strict=True)
            for (before, after), word, is_known, cost in zip(
                before_and_after, poem, numbers[1:], bits, strict=True
            ):
                edges = [before == "\n", after == "\n"]
                if word != "\n" and sum(edges) == 1:
                    more = 0 if is_known else spelled(word)
                    costs["first" if edges[0] else "last"].append((cost, cost + more))
    for place, both in costs.items():
        told = measured["by_place"].loc[["one symbol", "spelled"], place].to_numpy()
        np.testing.assert_allclose(told, np.mean(both, axis=0), rtol=1e-9)


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

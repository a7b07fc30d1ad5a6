"""The numbers of the chapter on vectors, computed again: NumPy, scikit-learn and transformers.

No code of ``layerwise`` that counts or measures; it finds the places of words, and loads. What
the executed chapter shows must agree.
"""

import re
from collections import Counter
from pathlib import Path

import jupytext
import numpy as np
import pandas as pd
import pytest
import torch
from executed_context import HALF, row, text_shown
from sklearn.decomposition import TruncatedSVD
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import KFold
from sklearn.utils.extmath import randomized_svd

from layerwise.occurrences import AMBIGUOUS, draw_balanced, find_occurrences
from layerwise.texts.glove import load_glove
from layerwise.texts.poems import load_poems
from layerwise.texts.speeches import load_speeches

CHAPTER = Path(__file__).parents[2] / "chapters" / "vectors.md"
CELLS = [cell.source for cell in jupytext.read(CHAPTER).cells if cell.cell_type == "code"]
WORD = re.compile(r"\w(?:[\w']*\w)?")


def written(name):
    """Return what a cell of the chapter writes down by hand: lists of words."""
    code = next(code for code in CELLS if code.startswith(f"{name} = "))
    names = {}
    exec(code[: code.index("\n}") + 2], names)
    return names[name]


@pytest.fixture(scope="module")
def shown():
    return text_shown("vectors")


@pytest.fixture(scope="module")
def spoken():
    """Each speech as paragraphs, each a list of words, by another rule than the package's."""
    texts = load_speeches()["text"].str.lower().str.replace("’", "'")
    return [[WORD.findall(line) for line in text.split("\n")] for text in texts]


@pytest.fixture(scope="module")
def words(spoken, encoder):
    flat = [word for speech in spoken for line in speech for word in line]
    found, often = np.unique(flat, return_counts=True)
    pieces, glove = encoder.tokenizer.get_vocab(), set(load_glove().index)
    kept = [(n, w) for w, n in zip(found, often, strict=True)
            if n >= 50 and w in pieces and w in glove]
    return [str(word) for _, word in sorted(kept, key=lambda pair: -pair[0])]


def information_of(lines, words):
    """Return what is above chance in the company of words, from a dense table."""
    place = {word: i for i, word in enumerate(words)}
    v = len(words)
    ids = [i for line in lines for i in [*(place.get(w, v) for w in line), v, v, v, v]]
    ids = np.array(ids)
    counts = np.zeros((v + 1) ** 2)
    for distance in (1, 2, 3, 4):
        pairs = ids[:-distance] * (v + 1) + ids[distance:]
        counts += np.bincount(pairs, minlength=(v + 1) ** 2)
    counts = counts.reshape(v + 1, v + 1)[:v, :v]
    counts += counts.T
    share = counts / counts.sum()
    with np.errstate(divide="ignore"):
        information = np.log2(share / np.outer(share.sum(1), share.sum(0)))
    return np.maximum(information, 0)


def vectors_of(lines, words):
    """Return 50 numbers for each word: scikit-learn's SVD."""
    svd = TruncatedSVD(50, algorithm="arpack", random_state=0)
    return svd.fit_transform(information_of(lines, words)) / np.sqrt(svd.singular_values_)


@pytest.fixture(scope="module")
def sources(spoken, words, encoder):
    pieces = encoder.tokenizer.get_vocab()
    table = encoder.model.embeddings.word_embeddings.weight.detach().numpy()
    return {
        "speeches": vectors_of([line for speech in spoken for line in speech], words),
        "GloVe": load_glove().loc[words].to_numpy(),
        "model's table": table[[pieces[word] for word in words]],
    }


@pytest.mark.parametrize("name", ["speeches", "GloVe", "model's table"])
def test_words_of_a_list_are_near_each_other(name, shown, sources, words):
    place = {word: i for i, word in enumerate(words)}
    precisions = precisions_of(sources[name], place)
    mean, std, control = row(shown, name, 3)
    assert mean == pytest.approx(np.mean(precisions), abs=HALF)
    assert std == pytest.approx(np.std(precisions, ddof=1), abs=HALF)
    assert control < 0.02


def precisions_of(source, place):
    """Return for each list of the chapter how many of the nearest are on it."""
    precisions = []
    for text in written("belong").values():
        rows = [place[word] for word in text.split() if word in place]
        cosines = cosine_similarity(source[rows], source)
        hits = []
        for own, line in zip(rows, cosines, strict=True):
            ranked = [i for i in np.argsort(-line) if i != own][: len(rows) - 1]
            hits.append(len(set(ranked) & set(rows)) / len(ranked))
        precisions.append(np.mean(hits))
    return precisions


def test_last_layer_averaged(shown, spoken, words, encoder):
    """Other passages than the chapter's, so that the share is only near."""
    place = {word: i for i, word in enumerate(words)}
    passages = [line[i : i + 60] for speech in spoken for line in speech
                for i in range(0, len(line), 60)]
    order, often = np.random.default_rng(41).permutation(len(passages)), np.zeros(len(words))
    totals = np.zeros((len(words), 384))
    for fewest in (12, 4, 1):
        for i in order:
            new = {word for word in passages[i] if word in place and not often[place[word]]}
            if len(new) < fewest:
                continue
            batch = encoder.tokenizer(
                passages[i], is_split_into_words=True, return_tensors="pt", truncation=True
            )
            with torch.no_grad():
                last = encoder.model(**batch).last_hidden_state[0].numpy()
            spoken_at = np.array([-1 if at is None else at for at in batch.word_ids()])
            for at, word in enumerate(passages[i]):
                if word in place and often[place[word]] < 5 and (spoken_at == at).any():
                    totals[place[word]] += last[np.argmax(spoken_at == at)]
                    often[place[word]] += 1
    known = often > 0
    assert known.mean() > 0.99
    averages = totals / np.maximum(often, 1)[:, None]
    averages[~known] = np.random.default_rng(0).normal(size=((~known).sum(), 384))
    told = row(shown, "last layer, averaged", 3)[0]
    assert told == pytest.approx(np.mean(precisions_of(averages, place)), abs=0.06)


@pytest.mark.parametrize("name", ["speeches", "GloVe", "model's table"])
def test_how_frequent_a_word_is(name, shown, spoken, sources, words):
    """By least squares with a little weight decay; words of equal frequency may be swapped."""
    flat = np.concatenate([line for speech in spoken for line in speech if line])
    found, counts = np.unique(flat, return_counts=True)
    often = dict(zip(found.tolist(), counts.tolist(), strict=True))
    y = np.log([often[word] for word in words])
    x = sources[name] - sources[name].mean(axis=0)
    x /= x.std(axis=0)
    explained = []
    for trained, tested in KFold(5, shuffle=True, random_state=0).split(x):
        centre = x[trained].mean(axis=0)
        inner = x[trained] - centre
        gram = inner.T @ inner + 100 * np.eye(x.shape[1])
        weights = np.linalg.solve(gram, inner.T @ (y[trained] - y[trained].mean()))
        misses = y[tested] - y[trained].mean() - (x[tested] - centre) @ weights
        explained.append(1 - misses.var() / y[tested].var())
    table = shown[shown.index("R²") :]
    assert row(table, name, 3)[0] == pytest.approx(np.mean(explained), abs=0.03)


def test_random_starts_give_other_neighbours(shown, spoken, words):
    table = information_of([line for speech in spoken for line in speech], words)
    lists = []
    for seed in (11, 12):
        u, s, _ = randomized_svd(table, 50, random_state=seed)
        cosines = cosine_similarity(u * np.sqrt(s))
        np.fill_diagonal(cosines, -1)
        lists.append(np.argsort(-cosines, axis=1)[::10, :10])
    share = np.mean([len({*a} & {*b}) / 10 for a, b in zip(*lists, strict=True)])
    told = re.search(r"two random starts share ([\d.]+)", shown)
    assert float(told[1]) == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("name", ["speeches", "GloVe", "model's table"])
def test_analogies_with_and_without_their_control(name, shown, sources, words):
    place = {word: i for i, word in enumerate(words)}
    unit = sources[name] / np.linalg.norm(sources[name], axis=1, keepdims=True)
    shares = []
    for text in written("relations").values():
        pairs = [pair.split() for pair in text.split(", ")]
        pairs = [(place[a], place[b]) for a, b in pairs if a in place and b in place]
        right = []
        for a, b in pairs:
            for c, d in pairs:
                if len({a, b, c, d}) < 4:
                    continue
                analogy, near = unit @ (unit[b] - unit[a] + unit[c]), unit @ unit[c]
                allowed = np.isin(np.arange(len(words)), [a, b, c], invert=True)
                right.append([np.argmax(np.where(allowed, analogy, -9)) == d,
                              np.argmax(analogy) == d,
                              np.argmax(np.where(allowed, near, -9)) == d])
        shares.append(np.mean(right, axis=0))
    told = shown.index("as it is told")
    assert row(shown[told:], name, 3) == pytest.approx(np.mean(shares, axis=0), abs=HALF)


def test_senses_in_every_layer(shown, encoder):
    """One passage at a time, and five neighbours by a sort."""
    speeches, rng = load_speeches(), np.random.default_rng(0)
    drawn = {w: draw_balanced(find_occurrences(speeches, w), 100, rng) for w in AMBIGUOUS}
    for word in ("march", "house", "union"):
        found, states = drawn[word].to_dict("records"), []
        for place in found:
            line = (place["before"] + place["found"] + place["after"]).lower()
            batch = encoder.tokenizer(line, return_tensors="pt", return_offsets_mapping=True)
            starts = batch.pop("offset_mapping")[0, 1:-1, 0].tolist()
            with torch.no_grad():
                layers = encoder.model(**batch, output_hidden_states=True).hidden_states
            token = 1 + starts.index(len(place["before"]))
            states.append([layer[0, token].numpy() for layer in layers])
        shares = []
        for layer in zip(*states, strict=True):
            cosines, right = cosine_similarity(np.stack(layer)), []
            for i, place in enumerate(found):
                others = [j for j, other in enumerate(found)
                          if other["speaker"] != place["speaker"]]
                near = sorted(others, key=lambda j, i=i: -cosines[i, j])[:5]
                right += [found[j]["found"] == place["found"] for j in near]
            shares.append(np.mean(right))
        senses = shown[shown.index("year  words beside") :]
        assert row(senses, word, 9)[2:] == pytest.approx(shares, abs=HALF + 0.002)
        assert row(senses, word, 9)[:2] == pytest.approx(rivals(found), abs=0.02)
        others = shown[shown.index("other people  other speeches") :]
        cosines, right = cosine_similarity(np.stack([state[-1] for state in states])), []
        for i, place in enumerate(found):
            near = sorted(range(len(found)), key=lambda j, i=i: -cosines[i, j])
            near = [j for j in near if any(found[j][name] != place[name]
                                           for name in ("speaker", "year"))][:5]
            right += [found[j]["found"] == place["found"] for j in near]
        assert row(others, word, 2) == pytest.approx([shares[-1], np.mean(right)], abs=0.008)


def rivals(found):
    """Return what the year gives, and the words beside: five nearest by other people."""
    glove = load_glove()
    known, shares = set(glove.index), []
    for n in (1, 2, 4):
        means = []
        for place in found:
            left, right = ([w for w in WORD.findall(place[side].lower().replace("’", "'"))
                            if w in known] for side in ("before", "after"))
            means.append(glove.loc[left[-n:] + right[:n]].to_numpy().mean(axis=0))
        shares.append(share_of_nearest(found, -cosine_similarity(np.stack(means))))
    years = np.array([place["year"] for place in found])
    return [share_of_nearest(found, np.abs(years[:, None] - years)), max(shares)]


def share_of_nearest(found, away):
    right = []
    for i, place in enumerate(found):
        others = [j for j, other in enumerate(found) if other["speaker"] != place["speaker"]]
        near = sorted(others, key=lambda j, i=i: away[i, j])[:5]
        right += [found[j]["found"] == place["found"] for j in near]
    return np.mean(right)


def test_change_over_time_and_its_control(shown, spoken, words):
    """Another deal than the chapter's, with places cut down one word after the other."""
    speeches, rng = load_speeches(), np.random.default_rng(99)

    def lines_of(half):
        return [line for speech, taken in zip(spoken, half, strict=True) if taken
                for line in speech]

    later = (speeches["year"] > 1900).to_numpy()
    by_time = [lines_of(half) for half in (later, ~later)]
    counts = [Counter(word for line in lines for word in line) for lines in by_time]
    common = {word: None for word in words if min(c[word] for c in counts) >= 60}

    def cut_down(lines, most):
        flat = np.array([word for line in lines for word in line], dtype=object)
        for word, places in pd.Series(flat).groupby(flat).indices.items():
            if word in common:
                flat[rng.permutation(places)[most[word] :]] = "?"
        return np.split(flat, np.cumsum([len(line) for line in lines])[:-1])

    def differ(halves):
        one, other = (v / np.linalg.norm(v, axis=1, keepdims=True)
                      for v in (vectors_of(lines, list(common)) for lines in halves))
        u, _, vt = np.linalg.svd(one.T @ other)
        return 1 - ((one @ u @ vt) * other).sum(axis=1)

    changed = differ(by_time)
    told = re.search(r"^energy +(\d+) +(\d+) +([\d.]+) ", shown, re.M).groups()
    assert [int(n) for n in told[:2]] == [counts[1]["energy"], counts[0]["energy"]]
    assert float(told[2]) == pytest.approx(changed[list(common).index("energy")], abs=HALF)
    said = re.search(r"differs by ([\d.]+) on average, between random halves by (.*?):", shown)
    assert float(said[1]) == pytest.approx(changed.mean(), abs=HALF)
    people = np.array(speeches["speaker"].unique())
    some = np.random.default_rng(99).permutation(people)[: len(people) // 2]
    half = speeches["speaker"].isin(some).to_numpy()
    dealt = [cut_down(lines_of(side), most)
             for side, most in zip((half, ~half), counts, strict=True)]
    assert float(said[2]) == pytest.approx(differ(dealt).mean(), abs=0.02)
    n_beyond, n_words = re.search(r"^(\d+) of ([\d,]+) words are beyond", shown, re.M).groups()
    assert int(n_words.replace(",", "")) == len(common)
    assert len(common) / 21 < int(n_beyond) < len(common) / 5


def test_rhymes_are_no_nearer(shown):
    glove = load_glove()
    known, ends = set(glove.index), set()
    for text in load_poems()["text"]:
        for stanza in text.split("\n\n"):
            lines = [re.findall(r"[\w']+", line.lower().replace("’", "'"))
                     for line in stanza.split("\n")]
            if len(lines) == 4:
                ends.add(tuple(sorted(line[-1].strip("'") for line in lines[1::2])))
    n_pairs = int(re.search(r"(\d+) pairs, such as", shown)[1])
    rhymes = [pair for pair in ends if pair[0] != pair[1] and set(pair) <= known]
    assert abs(len(rhymes) - n_pairs) < 30  # the chapter asks for whole pieces as well
    line_ends = sorted({word for pair in rhymes for word in pair})
    v = glove.loc[line_ends].to_numpy()
    cosines = cosine_similarity(v - v.mean(0))
    place = {word: i for i, word in enumerate(line_ends)}
    of_rhymes = np.mean([cosines[place[a], place[b]] for a, b in rhymes])
    rest = (cosines.sum() - len(cosines)) / (len(cosines) ** 2 - len(cosines))
    gain = row(shown[shown.index("nearer by") :], "GloVe         than other pairs", 3)
    assert of_rhymes - rest == pytest.approx(gain[0], abs=0.03)
    assert gain[1] < of_rhymes - rest < gain[2]

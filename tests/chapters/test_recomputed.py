"""The numbers of the chapter on context, computed again: NumPy and the weights, nothing else.

No code of ``layerwise`` that measures, no PyTorch model: the encoder is written out once more,
in ``by_numpy``, and so is every measure here. What the executed chapter shows must agree.
"""

import re

import numpy as np
import pytest
from executed_context import HALF, column, row, text_shown
from scipy.stats import binom

from layerwise.texts.poems import load_poems

pytest_plugins = ("by_numpy",)


@pytest.fixture(scope="session")
def token_vectors(read_by_numpy):
    return [read_by_numpy(text).hidden_states for text in load_poems()["text"]]


@pytest.fixture(scope="session")
def pooled(token_vectors):
    return np.stack([v.mean(axis=1) for v in token_vectors], axis=1).astype(float)


# ---------------------------------------------------------------- the measures, once more


def cos(a, b):
    return np.einsum("...d,...d->...", a, b) / np.sqrt((a**2).sum(-1) * (b**2).sum(-1))


def mean_with_others(a, b):
    """Walk over all pairs: one loop, no shortcut."""
    n = len(a)
    return [np.mean([cos(a[i], b[j]) for j in range(n) if j != i]) for i in range(n)]


def medians(of_layer):
    return [float(np.median(of_layer(layer))) for layer in range(1, 7)]


def rotate(a, b):
    left, _, right = np.linalg.svd(a.T @ b)
    return left @ right


def drift_rotated(token_vectors, vectors, compare, start_of=lambda layer: 0):
    """Fit on every second poem, test on those between, and the other way round."""
    n = len(token_vectors)
    values = np.empty((6, n))
    for half in (0, 1):
        fitted, tested = np.arange(half, n, 2), np.arange(1 - half, n, 2)
        tokens = np.concatenate([token_vectors[i] for i in fitted], axis=1).astype(float)
        for layer in range(1, 7):
            before = start_of(layer)
            turned = vectors[before, tested] @ rotate(tokens[before], tokens[layer])
            values[layer - 1, tested] = compare(vectors[layer, tested], turned)
    return np.median(values, axis=1).tolist()


def drift_shifted(pooled, compare, start_of=lambda layer: 0):
    """Exchange the mean of one half for the later one, and test on the other half."""
    values = np.empty(pooled.shape[:2])[1:]
    for start in (0, 1):
        half, rest = pooled[:, start::2], pooled[:, 1 - start :: 2]
        for layer in range(1, len(pooled)):
            before = start_of(layer)
            shifted = rest[before] + (half[layer] - half[before]).mean(axis=0)
            values[layer - 1, 1 - start :: 2] = compare(rest[layer], shifted)
    return np.median(values, axis=1).tolist()


def first_neighbours(x):
    x = x / np.sqrt((x**2).sum(-1, keepdims=True))
    return (x @ x.T - 9 * np.eye(len(x))).argmax(axis=1)


def word_counts(texts):
    """TF-IDF as scikit-learn's manual has it: smooth; of words of one letter, too."""
    counted = [re.findall(r"\b\w+\b", text.lower()) for text in texts]
    words = sorted(set().union(*counted))
    counts = np.array([[found.count(word) for word in words] for found in counted], float)
    in_texts = (counts > 0).sum(axis=0)
    return counts * (np.log((1 + len(texts)) / (1 + in_texts)) + 1)


# ---------------------------------------------------------------- what the chapter shows


@pytest.fixture(scope="session")
def shown():
    return text_shown()


def same(ours, theirs):
    np.testing.assert_allclose(ours, theirs, atol=HALF, rtol=0)


def test_the_drift_and_its_baselines(shown, pooled):
    c = pooled - pooled.mean(axis=1, keepdims=True)
    same(row(shown, "same poem"), medians(lambda layer: cos(pooled[0], pooled[layer])))
    same(row(shown, "same poem, centred"), medians(lambda layer: cos(c[0], c[layer])))
    others = medians(lambda layer: mean_with_others(pooled[layer], pooled[0]))
    same(row(shown, "other poem"), others)
    same(row(shown, "other poem, centred"),
         medians(lambda layer: mean_with_others(c[layer], c[0])))  # fmt: skip
    # the right baseline is not the raw one, so the test can tell them apart
    assert np.abs(np.subtract(others, row(shown, "same poem"))).min() > 3 * HALF


def test_what_one_rotation_and_one_shift_leave(shown, token_vectors, pooled):
    c = pooled - pooled.mean(axis=1, keepdims=True)
    for name, vectors in [("poem", pooled), ("poem, centred", c)]:
        ours = drift_rotated(token_vectors, vectors, cos)
        same(row(shown, f"same {name}, rotated"), ours)
        ours = drift_rotated(token_vectors, vectors, mean_with_others)
        same(row(shown, f"other {name}, rotated"), ours)
    shifted = drift_shifted(pooled, cos)
    same(row(shown, "same poem, shifted"), shifted)
    same(row(shown, "other poem, shifted"), drift_shifted(pooled, mean_with_others))
    distance = 1 - np.array(medians(lambda layer: cos(pooled[0], pooled[layer])))
    for left, pattern in [
        (drift_rotated(token_vectors, pooled, cos),
         r"rotation takes away (\d+)% of the raw drift.* and (\d+)% in the last\."),
        (shifted, r"no turning at all, takes away (\d+)% in the one and (\d+)% in"),
    ]:  # fmt: skip
        percents = re.search(pattern, shown)
        gone = 1 - (1 - np.array(left)) / distance
        same([int(p) / 100 for p in percents.groups()], gone[-2:])


def test_what_the_poems_share(shown, token_vectors, pooled):
    header = "shared part two poems two tokens"
    parts = (pooled.mean(axis=1) ** 2).sum(-1) / (pooled**2).sum(-1).mean(-1)
    same(column(shown, header, 0), parts)
    same(column(shown, header, 1), [np.mean(mean_with_others(v, v)) for v in pooled])
    tokens = []
    for layer in (0, 5):  # all pairs, in one large product
        unit = [v[layer, 1:-1].astype(float) for v in token_vectors]
        owner = np.repeat(np.arange(len(unit)), [len(v) for v in unit])
        unit = np.concatenate(unit)
        unit /= np.sqrt((unit**2).sum(-1, keepdims=True))
        tokens.append((unit @ unit.T)[owner[:, None] != owner].mean())
    same([column(shown, header, 2)[layer] for layer in (0, 5)], tokens)


def test_themes_of_neighbours_and_the_exact_test(shown, pooled):
    poems = load_poems()
    themes = poems["theme"].to_numpy()
    options = {
        "mean, last layer": pooled[-1],
        "mean, static layer": pooled[0],
        "word counts, TF-IDF": word_counts(poems["text"]),
    }
    hits = {name: themes[first_neighbours(x)] == themes for name, x in options.items()}
    for name, right in hits.items():
        same(row(shown, name, 3)[0], right.mean())
    sizes = np.unique(themes, return_counts=True)[1]
    chance = (sizes * (sizes - 1)).sum() / (59 * 58)  # two poems drawn: of one theme?
    same(row(shown, "mean, last layer", 3)[1], chance)
    for rival in ("mean, static layer", "word counts, TF-IDF"):
        won = (hits["mean, last layer"] & ~hits[rival]).sum()
        lost = (hits[rival] & ~hits["mean, last layer"]).sum()
        tails = binom.cdf(min(won, lost), won + lost, 0.5) * 2
        found = re.search(rf"^{rival}\s+(-?[\d.]+) .*\s(\d+)\s+(\d+)\s+([\d.]+)$", shown, re.M)
        gain, only_first, only_rival, p = (float(number) for number in found.groups())
        assert (only_first, only_rival) == (won, lost)
        same([gain, p], [(won - lost) / 59, min(1, tails)])


def test_poems_without_company_drift_as_far(shown, read_by_numpy, pooled):
    poems = load_poems()["text"]
    alone = [read_by_numpy(text, alone=True).hidden_states.mean(axis=1) for text in poems]
    alone = np.stack(alone, axis=1).astype(float)
    c, c_alone = (v - v.mean(axis=1, keepdims=True) for v in (pooled, alone))
    header = "same poem same, alone with and without company another poem \\"
    same(column(shown, header, 1), medians(lambda layer: cos(alone[0], alone[layer])))
    same(column(shown, header, 2), medians(lambda layer: cos(pooled[layer], alone[layer])))
    same(column(shown, header, 3),
         medians(lambda layer: mean_with_others(pooled[layer], alone[layer])))  # fmt: skip
    header = "centred finds itself, alone"  # the table is printed in two parts
    same(column(shown, header, 0), medians(lambda layer: cos(c[layer], c_alone[layer])))
    static, moved = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (c[0], c_alone[1:]))
    nearest = (moved @ static.T).argmax(axis=2)  # (n_layers, n_poems)
    same(column(shown, header, 1), (nearest == np.arange(len(poems))).mean(axis=1))


def test_steps_beside_their_baselines(shown, token_vectors, pooled):
    def before(layer):
        return layer - 1

    steps = [np.median(cos(pooled[i], pooled[i + 1])) for i in range(6)]
    rotated = drift_rotated(token_vectors, pooled, cos, before)
    shifted = drift_shifted(pooled, cos, before)
    others = medians(lambda layer: mean_with_others(pooled[layer], pooled[layer - 1]))
    for i, numbers in enumerate(zip(steps, others, rotated, shifted, strict=True)):
        same(row(shown, f"{i}→{i + 1}", 4), numbers)
    largest = int(np.argmin(steps))
    found = re.search(r"rotation for all, at (\S+), where the others come to (\S+) or", shown)
    rest = min(rotated[:largest] + rotated[largest + 1 :])
    same([float(x) for x in found.groups()], [rotated[largest], rest])


def test_steps_and_the_ends_of_the_violin(shown, pooled):
    last = cos(pooled[-1], pooled[0])
    c = pooled - pooled.mean(axis=1, keepdims=True)
    own = cos(c[-1], c[0])
    titles = load_poems()["title"].to_numpy()
    for i in [*np.argsort(last)[:3], *np.argsort(last)[-3:]]:
        same(row(shown, titles[i], 2), [last[i], own[i]])
    steps = [np.median(cos(pooled[i], pooled[i + 1])) for i in range(6)]
    largest = int(np.argmin(steps))
    assert f"The largest step is {largest}→{largest + 1}." in shown
    falls = (np.diff(cos(pooled[:1], pooled[1:]), axis=0) < 0).all(axis=0).mean()
    assert f"about each: {falls:.0%} of them" in shown

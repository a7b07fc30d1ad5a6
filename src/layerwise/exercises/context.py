"""The exercises of ``chapters/context.md``."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from layerwise.evaluation import neighbour_agreement
from layerwise.exercises import marking
from layerwise.exercises.marking import RIGHT, Exercise, Verdict, compare, mistake, not_yet
from layerwise.pooling import mean_pool
from layerwise.similarity import center, cosine, nearest

# Three texts of four places and two dimensions; the first is shorter, the last is full.
VECTORS = np.array([
    [[1.0, -2.0], [3.0, 4.0], [50.0, 60.0], [70.0, 80.0]],
    [[-5.0, 6.0], [7.0, 8.0], [9.0, -1.0], [40.0, 30.0]],
    [[2.0, 2.5], [0.0, 1.0], [-1.0, 3.0], [4.0, 6.0]],
])
MASK = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]])
NEGLIGIBLE = 1e-3  # of what a fit leaves over, in the direction of what it was fitted on


def layer(shares: dict, layers: dict, themes) -> Verdict:
    """Judge the shares of neighbours with the same theme, a number for each layer."""
    n_layers = len(layers["mean"])
    if missing := set(layers) - set(shares):
        return not_yet(f"there is nothing yet for {', '.join(sorted(missing))}")
    for pooling in layers:
        theirs = [neighbour_agreement(nearest(x), themes) for x in layers[pooling]]
        ours = [float(x) for x in np.atleast_1d(shares[pooling])]
        if len(ours) == n_layers - 1 and marking.same(ours, theirs[1:]):
            return mistake("the static layer is missing: it is what the others have to beat")
        if len(ours) != n_layers:
            return not_yet(f"{pooling} has {len(ours)} numbers, for {n_layers} layers")
        verdict = compare(ours, theirs, {
            "every text has found itself: leave it out of its own neighbours": [1.0] * n_layers,
        })  # fmt: skip
        if not verdict.right:
            return verdict._replace(says=f"{pooling}: {verdict.says}")
    return RIGHT


def mean(masked_mean: Callable) -> Verdict:
    """Judge a mean over what the mask counts, on three texts of different lengths."""
    made = masked_mean(VECTORS.copy(), MASK.copy())
    theirs = mean_pool(torch.tensor(VECTORS), torch.tensor(MASK))
    total = (VECTORS * MASK[..., None]).sum(axis=1)
    return compare(made, theirs, {
        "this counts the padding: look at the mask": VECTORS.mean(axis=1),
        "the padding is out of the sum, but not out of the number that divides it":
            total / VECTORS.shape[1],
        "this is the sum over the tokens: divide it by their number": total,
    })  # fmt: skip


def centre(centred: np.ndarray, vectors: np.ndarray) -> Verdict:
    """Judge the centred vectors of one layer."""
    theirs, spread = center(vectors[None])[0], vectors.std(axis=0)
    divided = theirs / np.where(spread > 1e-6, spread, 1)  # but where all poems are alike
    return compare(centred, theirs, {
        "this is each poem less its own mean: take the mean of the poems, for each dimension":
            vectors - vectors.mean(axis=1, keepdims=True),
        "this takes one number from everything: the shared part is a vector":
            vectors - vectors.mean(),
        "this divides by the spread as well: centring only subtracts":
            divided,
    })  # fmt: skip


def broken(wrong, every: Sequence[torch.Tensor], mask: torch.Tensor) -> Verdict:
    """Judge means that count the padding, on purpose."""
    padded = torch.stack([hidden.mean(dim=1) for hidden in every])
    right = torch.stack([mean_pool(hidden, mask) for hidden in every])
    if marking.same(wrong, right, 1e-3):
        return not_yet("these are the right vectors: no padding is counted in them")
    return compare(wrong, padded, {
        "this multiplies by the mask first, so that the padding is out of the sum: leave the "
        "mask out": torch.stack([(h * mask.unsqueeze(-1)).mean(dim=1) for h in every]),
        "this is the mean over the poems: the tokens are the second dimension, number 1":
            torch.stack([hidden.mean(dim=0) for hidden in every]),
    })  # fmt: skip


def matrix(change: np.ndarray, runs: Sequence[tuple]) -> Verdict:
    """Judge a matrix: is nothing left over that it could still explain?"""
    static, later = ([v[i] for _, v in runs] for i in (0, -1))
    if np.shape(change) != (static[0].shape[1],) * 2:
        return not_yet(f"it has shape {np.shape(change)}, for {static[0].shape[1]} dimensions")
    if is_fit(change, static[::2], later[::2]):
        return RIGHT
    if is_fit(change, static, later):
        return mistake("this was fitted on all the poems, those it is to be tested on among "
                       "them: take every second one")  # fmt: skip
    if is_fit(change, later[::2], static[::2]):
        return mistake("this goes back, from the last layer to the static one: change the two")
    if np.allclose(change.T @ change, np.eye(len(change)), atol=1e-3):
        return not_yet("this is a rotation: it keeps every length")
    return not_yet("it leaves something over that a better matrix would explain")


def is_fit(change: np.ndarray, before: list, after: list) -> bool:
    """Say whether a matrix is the best: what it leaves is at right angles to the tokens."""
    x, y = np.concatenate(before).astype(float), np.concatenate(after).astype(float)
    left = np.linalg.norm(x.T @ (x @ change - y))
    return bool(left < NEGLIGIBLE * np.linalg.norm(x.T @ y))


def still(n_same: float, senses: Sequence[str], of_word: np.ndarray) -> Verdict:
    """Judge how many nearest contexts have the sense that the learner gave both."""
    given = np.array(senses, dtype=object)
    if len(given) != of_word.shape[1]:
        return not_yet(f"there are {of_word.shape[1]} lines and {len(given)} senses")
    if any(sense in ("", "?", None) for sense in given):
        return not_yet("some lines have no sense yet")
    if len(set(given)) == 1:
        return mistake("every line has the same sense here: then neighbours cannot but agree")
    agree = [int((given[nearest(v)[:, 0]] == given).sum()) for v in of_word]
    return compare(float(n_same), float(agree[-1]), {
        "this counts every line with itself: its nearest is another line": float(len(given)),
        "this is a share: the question is how many": agree[-1] / len(given),
        "these are the neighbours in the static layer: take the last": float(agree[0]),
    })  # fmt: skip


def order(mixed: Sequence[str], itself, texts: Sequence[str], layers, mixed_layers) -> Verdict:
    """Judge shuffled texts, and their cosine with themselves by layer."""
    if list(mixed) == list(texts):
        return not_yet("these texts are in their right order")
    if sorted(mixed) == sorted(texts):
        return mistake("the poems are in another order, each of them whole: mix its words")
    for one, text in zip(mixed, texts, strict=True):
        if sorted(one.split()) != sorted(text.split()):
            if is_joined_without_space(one, text):
                return mistake("here the space is missing: join the words with a space")
            if sorted("".join(one.split())) == sorted("".join(text.split())):
                return mistake("here the letters are mixed: split the text into words first")
            return not_yet(f"{one[:30]!r} has not the words of {text[:30]!r}")
    if all(o.split() == t.split() for o, t in zip(mixed, texts, strict=True)):
        return not_yet("the words stand in their right order: only what is between them, as "
                       "line breaks, is another")  # fmt: skip
    cosines = cosine(layers, mixed_layers)
    if len(np.atleast_1d(itself)) != len(layers):
        return not_yet(f"there are {len(layers)} layers: give a cosine for each")
    return compare(np.asarray(itself), np.median(cosines, axis=1), {
        "this is the mean: the median is less moved by a few": cosines.mean(axis=1),
    })  # fmt: skip


def is_joined_without_space(one: str, text: str) -> bool:
    """Say whether a string is the words of a text in any order, with nothing between them."""
    words = sorted(text.split(), key=len, reverse=True)
    for word in words:  # the longest first, so that no short one is taken from inside it
        if word not in one:
            return False
        one = one.replace(word, " ", 1)
    return not one.strip()


EXERCISES = {
    "ex-layer": Exercise(layer, [
        "one list for each pooling, one number for each layer, from the static one on",
        "`layers[pooling]` can be gone through layer by layer: `for vectors in ...`",
    ]),
    "ex-mean": Exercise(mean, [
        "`vectors * mask[..., None]` makes padding zero: then add up, and divide",
        "the number of tokens differs from text to text: `mask.sum(axis=1)`",
    ]),
    "ex-centre": Exercise(centre, [
        "`vectors` has a row for each poem: what do all of them share?",
        "the mean along `axis=0` has one number for each dimension",
    ]),
    "ex-break": Exercise(broken, [
        "`hidden_layers` has for each layer (n_poems, n_tokens, n_dims): average along the "
        "tokens",
        "`torch.stack([... for hidden in hidden_layers])`, without any mask",
    ]),
    "ex-matrix": Exercise(matrix, [
        "the exercise names the function; what it returns first is the matrix",
        "from the static tokens to the later ones, of every second poem",
    ]),
    "ex-still": Exercise(still, [
        "read each line of `lines` and write a word for each into `senses`, in their order",
        "`neighbour` says for each line which line is nearest: compare the two senses",
    ]),
    "ex-order": Exercise(order, [
        "for one text: split it, mix the words with `rng.permutation`, join them again",
        "then `embed_layers(mixed, encoder, progress=False)`, and the median of the cosines",
    ]),
}  # fmt: skip
check = partial(marking.check, EXERCISES)
judge = partial(marking.judge, EXERCISES)

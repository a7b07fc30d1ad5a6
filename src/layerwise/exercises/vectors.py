"""The exercises of ``chapters/vectors.md``."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import pearsonr, spearmanr

from layerwise.exercises import marking
from layerwise.exercises.marking import RIGHT, Exercise, Verdict, compare, mistake, not_yet
from layerwise.occurrences import nearest_elsewhere
from layerwise.similarity import directions


def of_pair(bits: float, counts, place: Mapping[str, int]) -> Verdict:
    """Judge the PMI of gold and silver."""
    both = counts[place["gold"], place["silver"]]
    gold, silver = counts.sum(axis=1)[[place["gold"], place["silver"]]]
    everything = counts.sum()
    ratio = both * everything / (gold * silver)
    return compare(float(bits), float(np.log2(ratio)), {
        "this is the natural logarithm: bits need log₂": float(np.log(ratio)),
        "this is how many times as often as by chance: take its log₂": float(ratio),
        "this leaves out the sum of the whole table": float(np.log2(both / (gold * silver))),
    })  # fmt: skip


def nearest_word(function: Callable[[np.ndarray, int], int], vectors) -> Verdict:
    """Judge a function that finds the nearest row by cosine."""
    vectors = np.asarray(vectors)
    unit = directions(vectors)
    rows = range(0, len(vectors), max(1, len(vectors) // 60))
    wrong = []
    for row in rows:
        cosines, products = unit @ unit[row], vectors @ vectors[row]
        farthest = np.argmin(cosines)
        cosines[row] = products[row] = -np.inf
        answer = function(vectors, row)
        if not (isinstance(answer, int | np.integer) and 0 <= answer < len(vectors)):
            return not_yet(f"it returns {answer!r}: the number of a row is wanted")
        if answer != np.argmax(cosines):
            wrong.append((answer, row, np.argmax(products), farthest))
    if not wrong:
        return RIGHT
    if any(answer == row for answer, row, *_ in wrong):
        return mistake("it returns the word itself, whose cosine is 1: leave it out")
    if all(answer == product for answer, _, product, _ in wrong):
        return mistake("this is the largest product: divide by the lengths, or long ones win")
    if all(answer == farthest for answer, _, _, farthest in wrong):
        return mistake("this is the farthest word: the highest cosine is wanted")
    return not_yet(f"for {len(wrong)} of {len(rows)} rows another one is nearer")


def without_first(function: Callable, vectors, questions: np.ndarray) -> Verdict:
    """Judge a rule that answers analogies by the sum of b and c."""
    unit = directions(vectors)
    answers = []
    for a, b, c, _ in questions:
        answer = function(unit, a, b, c)
        if not isinstance(answer, int | np.integer):
            return not_yet(f"it returns {answer!r}: the number of a row is wanted")
        answers.append(int(answer))

    def expected(by_a: int, exclude: bool) -> list[int]:
        found = []
        for a, b, c, _ in questions:
            cosines = unit @ (unit[b] + unit[c] + by_a * unit[a])
            cosines[[a, b, c] if exclude else []] = -np.inf
            found.append(int(np.argmax(cosines)))
        return found

    if answers == expected(0, True):
        return RIGHT
    if any(answer in question[:3] for answer, question in zip(answers, questions, strict=True)):
        return mistake("it answers with words of the question: exclude all three")
    if answers == expected(-1, True):
        return mistake("it still subtracts the first word: forget it")
    n_right = sum(map(int.__eq__, answers, expected(0, True)))
    return not_yet(f"{n_right} of {len(answers)} answers are those of the rule")


def dealt(random_key: Callable, capital: np.ndarray) -> Verdict:
    """Judge a function that deals out a key at random."""
    rng = np.random.default_rng(1)
    keys = [np.asarray(random_key(np.array(capital), rng)) for _ in range(20)]
    if any(key.shape != capital.shape for key in keys):
        return not_yet(f"its shape is {keys[0].shape}, and {capital.shape} is wanted")
    agree = [(key == capital).mean() for key in keys]
    if min(agree) == 1:
        return mistake("this is the true key")
    if max(agree) == 0:
        return mistake("this is the true key turned round: it parts the places in the same way")
    if any(key.sum() != capital.sum() for key in keys):
        return not_yet("the number of capitals is not that of the true key")
    if all((key == keys[0]).all() for key in keys):
        return not_yet("it deals the same key each time: use rng")
    return RIGHT


def own_word(share: float, layers: np.ndarray, occurrences: pd.DataFrame) -> Verdict:
    """Judge the share of nearest places that have the same sense, in the last layer."""
    key = occurrences["capital"].to_numpy()

    def of(vectors, groups: Sequence) -> float:
        near = nearest_elsewhere(vectors, groups)
        return float((key[near] == key[:, None]).mean())

    people, nobody = list(occurrences["speaker"]), range(len(key))
    return compare(float(share), of(layers[-1], people), {
        "this counts places by the same speaker, who repeats himself": of(layers[-1], nobody),
        "this is layer 0, where all places have the same vector but for their number":
            of(layers[0], people),
    })  # fmt: skip


def of_ranks(correlations: Sequence[float], rarer: Sequence[int], *changes) -> Verdict:
    """Judge two correlations in ranks."""
    return compare(np.ravel(correlations), np.array(
        [spearmanr(rarer, change).statistic for change in changes]
    ), {
        "these are Pearson's: a few very frequent words decide. Take ranks":
            np.array([pearsonr(rarer, change).statistic for change in changes]),
        "two are wanted: by time, and dealt":
            np.array([spearmanr(rarer, changes[0]).statistic]),
    })  # fmt: skip


EXERCISES = {
    "ex-pmi": Exercise(of_pair, [
        "by chance the pair would come `of_gold * of_silver / everything` times",
        "divide the count of the pair by that, and take `np.log2`",
    ]),
    "ex-nearest": Exercise(nearest_word, [
        "divide each vector by its length: `np.linalg.norm(vectors, axis=1, keepdims=True)`",
        "set the word's own cosine to `-np.inf` before you take the largest",
    ]),
    "ex-analogy": Exercise(without_first, [
        "the target is `unit[b] + unit[c]`",
        "set the cosines of the three rows to `-np.inf`",
    ]),
    "ex-key": Exercise(dealt, [
        "shuffle the key that there is",
        "`rng.permutation` returns the same values in another order",
    ]),
    "ex-own-word": Exercise(own_word, [
        "`nearest_elsewhere` leaves out the places of the same group",
        "the vectors are those of the last layer, the groups are the speakers",
    ]),
    "ex-rare": Exercise(of_ranks, [
        "`spearmanr(a, b).statistic` is the correlation of ranks",
        "the first with `changes[\"by time\"]`, the second with `changes[\"dealt, mean\"]`",
    ]),
}  # fmt: skip
check = partial(marking.check, EXERCISES)
judge = partial(marking.judge, EXERCISES)

"""The exercises of ``chapters/task.md``."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

import numpy as np
import pandas as pd

from layerwise.calibration import calibration_error
from layerwise.exercises import marking
from layerwise.exercises.marking import RIGHT, Exercise, Verdict, compare, mistake, not_yet
from layerwise.fine_tuning import Classifier, trained_parameters
from layerwise.shapley import shapley_values

# Of one size nowhere: answers that are too sure in one bin and too modest in another.
CONFIDENCE = np.array([0.95, 0.93, 0.97, 0.91, 0.62, 0.65, 0.55, 0.81, 0.84, 0.99])
IS_RIGHT = np.array([1, 0, 1, 0, 1, 1, 0, 1, 1, 1])


def whose(answer: Collection, groups: pd.Series, tested: Sequence[int]) -> Verdict:
    """Judge the groups that are named as standing on both sides of a split."""
    named = set(answer)
    of_tested = set(groups.iloc[tested])
    of_trained = set(groups.drop(index=groups.index[tested]))
    both = of_tested & of_trained
    if named == both:
        return RIGHT
    if named and not named & set(groups):
        return mistake("none of these is a poem's first line: give names, and no positions")
    if named == of_tested | of_trained:
        return mistake("these are the poems on either side: those on both are wanted")
    if named == of_tested and of_tested != both:
        return mistake("these are all the poems that are tested: some of them are not trained")
    missing, too_many = len(both - named), len(named - both)
    return not_yet(f"{missing} that leak are missing, {too_many} that do not are named")


def how_many(answer: int, classifier: Classifier) -> Verdict:
    """Judge how many numbers are trained."""
    model, head = classifier.encoder.model, classifier.head
    right = sum(weight.numel() for weight in trained_parameters(classifier))
    of_head = head.weight.numel() + head.bias.numel()
    whole = sum(x.numel() for name, x in model.named_parameters() if "lora" not in name)
    return compare(float(answer), float(right), {
        "the head is trained, too: two rows of weights, and two numbers more":
            float(right - of_head),
        "the head has a bias: one number more for each label": float(right - head.bias.numel()),
        "there are two matrices, A and B: this counts one of them":
            float((right - of_head) / 2 + of_head),
        "queries and values have a pair of matrices each: this counts one pair a layer":
            float((right - of_head) / 2),
        "this is the whole encoder, and most of it is frozen": float(whole),
    }, tolerance=0.5)  # fmt: skip


def error_of_calibration(my_error: Callable) -> Verdict:
    """Judge a function that returns the expected calibration error."""
    answer = float(my_error(CONFIDENCE.copy(), IS_RIGHT.copy()))
    bins = np.floor(CONFIDENCE * 10)
    gaps = [CONFIDENCE[bins == b].mean() - IS_RIGHT[bins == b].mean() for b in np.unique(bins)]
    sizes = [(bins == b).mean() for b in np.unique(bins)]
    return compare(answer, calibration_error(CONFIDENCE, IS_RIGHT), {
        "this is one bin: what is too sure here and too modest there cancels out":
            abs(CONFIDENCE.mean() - IS_RIGHT.mean()),
        "each bin counts as much as any other: weigh it by how many answers it has":
            np.abs(gaps).mean(),
        "the gaps cancel out: take the size of each before you add":
            float(np.dot(gaps, sizes)),
        "this is the gap of each answer by itself: first take the means of a bin":
            np.abs(CONFIDENCE - IS_RIGHT).mean(),
    })  # fmt: skip


def orders(by_orders: Callable) -> Verdict:
    """Judge Shapley values of three parts, of which two need each other."""

    def value(parts: set[int]) -> float:
        return 7.0 * ({0, 2} <= set(parts)) + 2.0 * (1 in parts) - 1.0 * ({1, 2} <= set(parts))

    def of_sets(is_in: np.ndarray) -> list[float]:
        return [value(set(np.flatnonzero(row).tolist())) for row in is_in]

    everything = {0, 1, 2}
    first = [value(set(range(i + 1))) - value(set(range(i))) for i in range(3)]
    alone = [value(everything) - value(everything - {i}) for i in everything]
    right = shapley_values(of_sets, 3)  # type: ignore[arg-type]
    answer = list(by_orders(value, 3))
    return compare(answer, right.tolist(), {
        "this leaves out each part alone: where two need each other, both get everything":
            alone,
        "this is one order: take the mean over all": first,
        "this is the sum over the orders: divide it by their number": (6 * right).tolist(),
        "each part is put in alone: what it adds to others is missing":
            [value({i}) for i in range(3)],
    })  # fmt: skip


def best(answer: float, shuffled: np.ndarray) -> Verdict:
    """Judge what the best of several layers reaches once in twenty by chance."""
    return compare(float(answer), float(np.quantile(shuffled.max(axis=1), 0.95)), {
        "this is the largest of the thresholds: the best of a deal may be in any layer":
            float(np.quantile(shuffled, 0.95, axis=0).max()),
        "this throws all layers into one heap: first take the best of each deal":
            float(np.quantile(shuffled, 0.95)),
        "this is the threshold of the last layer alone":
            float(np.quantile(shuffled[:, -1], 0.95)),
        "this is what the best reaches on average: once in twenty is wanted":
            float(shuffled.max(axis=1).mean()),
        "this is the best of all deals: once in twenty is wanted": float(shuffled.max()),
    }, tolerance=1e-9)  # fmt: skip


def own_lines(share: float, margins: np.ndarray) -> Verdict:
    """Judge the share of lines of which the true order was preferred."""
    true, shuffled = margins
    pairs = float(np.where(true == shuffled, 0.5, true > shuffled).mean())
    alone = float(((true > 0) * 1.0 + (shuffled <= 0)).mean() / 2)
    return compare(float(share), pairs, {
        "these are the lines that are called right alone: compare a line with its shuffle":
            alone,
        "these are the true lines that are taken for real; their shuffles may be, too":
            float((true > 0).mean()),
        "this counts the lines whose shuffle is preferred": 1 - pairs,
        "this is a number of lines: divide it by all": pairs * len(true),
    }, tolerance=1e-6)  # fmt: skip


EXERCISES = {
    "ex-whose": Exercise(whose, [
        "`find_leaks(lines, tested, by=[\"poem\"], text=\"true\")` lists them, a row each",
        "a set of its column `name`",
    ]),
    "ex-how-many": Exercise(how_many, [
        "A has rank times n_dims numbers, and so has B",
        "twice that for the queries and again for the values, in each layer; then the head",
    ]),
    "ex-calibration": Exercise(error_of_calibration, [
        "go through the bins: which confidences lie from low to low + 0.1? 1 is in the last",
        "add up, bin by bin, its size times its gap; divide by the number of answers",
    ]),
    "ex-orders": Exercise(orders, [
        "`permutations(range(n_parts))` gives every order",
        "keep the set of those before; a part adds value(before | {part}) - value(before)",
    ]),
    "ex-best": Exercise(best, [
        "`shuffled.max(axis=1)` is the best layer of each deal",
        "the quantile comes after the largest, not before",
    ]),
    "ex-own-lines": Exercise(own_lines, [
        "the first row of `theirs` belongs to the true lines, the second to their shuffles",
        "`as_pair` says of each line if the true one is chosen",
    ]),
}  # fmt: skip
check = partial(marking.check, EXERCISES)
judge = partial(marking.judge, EXERCISES)

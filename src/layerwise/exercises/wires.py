"""The exercises of ``chapters/wires.md``."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from layerwise.exercises import marking
from layerwise.exercises.marking import RIGHT, Exercise, Verdict, compare, mistake, not_yet

Head = tuple[int, int]


def pairs(chosen: Sequence[str], candidates: Sequence[str], tokenizer) -> Verdict:
    """Judge a choice of word pairs: are both words one token, inside a sentence?"""

    def lengths(words, before=" "):
        return [len(tokenizer(before + word, add_special_tokens=False)["input_ids"])
                for word in words.split()]  # fmt: skip

    if isinstance(chosen, str):
        return mistake("this is one text: hand over a list of pairs")
    if unknown := [pair for pair in chosen if pair not in candidates]:
        return not_yet(f"{unknown[0]!r} is not among the pairs to choose from")
    kept = {pair for pair in candidates if lengths(pair) == [1, 1]}
    same_length = {pair for pair in candidates if len(set(lengths(pair))) == 1}
    at_the_start = {pair for pair in candidates if lengths(pair, "") == [1, 1]}
    if set(chosen) == kept:
        return RIGHT
    if set(chosen) == at_the_start:
        return mistake("this cuts the words without the space before them: inside a sentence "
                       "they are other tokens")  # fmt: skip
    if set(chosen) == same_length:
        return mistake("both of a pair are equally long here, and some are of several tokens: "
                       "then there is no one place where a sentence differs")  # fmt: skip
    n_wrong = len(set(chosen) - kept)
    return not_yet(f"{n_wrong} of these are not one token each, and {len(kept - set(chosen))} "
                   "that are one token each are left out")  # fmt: skip


def predicts(place: Callable[[Sequence[int], int], int]) -> Verdict:
    """Judge a function that says where a model's logits for an answer stand."""
    ids, answer = [11, 7, 5, 3, 9, 4, 2], 9
    found = int(place(ids, answer))
    return compare(found, 3, {
        "this is where the answer stands: the logits there are those for what comes after it":
            4,
        "this is where the text ends: the answer stood before that": len(ids) - 1,
        "this looks from the end: count from the start, or the place moves when a text grows":
            -4,
    })  # fmt: skip


def share(restored: Callable) -> Verdict:
    """Judge a function that says which share of an answer a patch has restored."""
    clean, corrupt = torch.tensor([6.0, 5.0]), torch.tensor([-4.0, -3.0])
    patched = torch.tensor([1.0, 4.0])
    whole = clean - corrupt
    return compare(restored(patched, clean, corrupt), (patched - corrupt) / whole, {
        "this compares with the clean run alone: where the patch does nothing it must give 0":
            patched / clean,
        "this is what is still missing": (clean - patched) / whole,
        "this is how far the patch has moved the answer: divide by how far it could":
            patched - corrupt,
        "this is one number for all texts: keep them apart, and average last":
            ((patched - corrupt) / whole).mean(),
    })  # fmt: skip


def draw(draw_others: Callable[[Sequence[Head], int, int], Sequence[Head]]) -> Verdict:
    """Judge a draw of heads to cut as a control: as many, in the same layers, none found."""
    found = [(3, 2), (3, 5), (7, 1)]
    n_heads = 6
    seen = set()
    for seed in range(40):
        drawn = [(int(layer), int(number)) for layer, number in
                 draw_others(list(found), n_heads, seed)]  # fmt: skip
        if not drawn:
            return not_yet("nothing is drawn")
        if set(drawn) & set(found):
            return mistake("this may draw what was found: then the control is cut as well")
        if len(set(drawn)) < len(drawn):
            return mistake("this may draw a head twice: then fewer are cut than were found")
        if sorted(layer for layer, _ in drawn) != [3, 3, 7]:
            return mistake("these are in other layers than what was found: a cut near the "
                           "output may matter more, whichever head it is")  # fmt: skip
        if any(not 1 <= number <= n_heads for _, number in drawn):
            return mistake(f"heads are counted from 1 to {n_heads}")
        seen.add(tuple(sorted(drawn)))
    if len(seen) < 2:
        return mistake("this draws the same each time: one draw is no spread")
    return RIGHT


def induction(score: Callable) -> Verdict:
    """Judge a score for heads that look at what came after a token the last time."""
    n = 5
    weights = torch.rand(2 * n, 2 * n, generator=torch.Generator().manual_seed(0)).tril()
    weights /= weights.sum(-1, keepdim=True)

    def to_earlier(offset, rows):
        return torch.stack([weights[i, i - offset] for i in rows]).mean()

    second = range(n, 2 * n)
    return compare(score(weights, n), to_earlier(n - 1, second), {
        "this is how much is looked at the same token where it stood before: what came after "
        "it stands one further": to_earlier(n, second),
        "this is how much is looked at the token just before": to_earlier(1, second),
        "this takes the first half in too: nothing has come before there":
            to_earlier(n - 1, range(n - 1, 2 * n)),
        "this looks one too far back": to_earlier(n + 1, range(n + 1, 2 * n)),
        "this looks from what is seen: rows look, columns are seen":
            torch.stack([weights[i - n + 1, i] for i in second]).mean(),
    })  # fmt: skip


def coins(label_words: Callable[[list[str], int], Sequence]) -> Verdict:
    """Judge labels for a control task: one for each type, drawn by a coin."""
    words = "the bee the rose a bee of the sea a rose in the dew".split()
    drawn = []
    for seed in range(40):
        labels = [bool(label) for label in label_words(list(words), seed)]
        if len(labels) != len(words):
            return not_yet(f"{len(words)} words need as many labels, and these are "
                           f"{len(labels)}")  # fmt: skip
        if len(set(zip(words, labels, strict=True))) > len(set(words)):
            return mistake("a word has another label where it stands again: this is the "
                           "control that hides what a probe remembers")  # fmt: skip
        drawn.append(labels)
    if not any(map(any, drawn)) or all(map(all, drawn)):
        return not_yet("every word has the same label")
    if len(set(map(tuple, drawn))) < 3:
        return mistake("these labels are the same for every seed: a coin has no reason")
    if not 0.3 < np.mean(drawn) < 0.7:
        return not_yet("this coin is not fair")
    return RIGHT


def own_shape(
    shape: str, found_on: str, answer: Sequence[float], measure: Callable
) -> Verdict:
    """Judge a shape of the learner's own, and what was measured on it."""
    if not isinstance(shape, str) or shape.count("{}") != 1:
        return mistake("a shape is a text with one {} for the noun")
    if shape == found_on:
        return mistake("the heads were found on this shape: it is no test of them")
    whole, cut = measure(shape)
    if whole < 0.8:
        return mistake(f"nothing cut, {whole:.0%} are right on this shape: there is too little "
                       "to lose")  # fmt: skip
    return compare(np.asarray(answer, dtype=float), [whole, cut], {
        "these two are the wrong way round: first nothing cut, then the cut": [cut, whole],
        "this is what is lost: give both, since what can be lost is not the same everywhere":
            [whole - cut, whole - cut],
    })  # fmt: skip


EXERCISES = {
    "ex-pairs": Exercise(pairs, [
        "`tokenizer(\" king\")[\"input_ids\"]` has one number for each token",
        "keep a pair if that is one for both of its words, with the space",
    ]),
    "ex-predicts": Exercise(predicts, [
        "the logits at a token are for the token that comes next",
        "`ids.index(answer)` is where the answer stands",
    ]),
    "ex-share": Exercise(share, [
        "0 where the patch changes nothing, 1 where it gives the clean run's answer",
        "how far it moved, divided by how far the two runs lie apart",
    ]),
    "ex-draw": Exercise(draw, [
        "go through the layers of what was found, and draw in each",
        "take what was found out of 1 to n_heads; `rng.choice(rest, k, replace=False)`",
    ]),
    "ex-induction": Exercise(induction, [
        "a token in the second half, in row i, stood n places earlier before",
        "what came after it then is in column i - n + 1",
    ]),
    "ex-coin": Exercise(coins, [
        "go through `sorted(set(words))`: each of them once",
        "keep the labels in a dict, by word, and look each word up",
    ]),
    "ex-own-shape": Exercise(own_shape, [
        "`measure_shape` gives both numbers",
        "if too few are right with nothing cut, take the noun nearer to the verb",
    ]),
}  # fmt: skip
check = partial(marking.check, EXERCISES)
judge = partial(marking.judge, EXERCISES)

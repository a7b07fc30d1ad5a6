"""The exercises of ``chapters/writing.md``."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from layerwise.exercises import marking
from layerwise.exercises.marking import (
    RIGHT,
    Exercise,
    Verdict,
    compare,
    mistake,
    not_yet,
    same,
)

SHARES = np.array([0.1, 0.5, 0.15, 0.25])
WARM, COLD = 2.0, 0.5


def warmer(function: Callable[[np.ndarray, float], Sequence[float]]) -> Verdict:
    """Judge a temperature: are shares raised to 1 / temperature, and do they sum to one?"""
    for temperature in (WARM, COLD):
        answer = np.asarray(function(SHARES.copy(), temperature), dtype=float)
        raised = SHARES ** (1 / temperature)
        upside_down = SHARES**temperature
        verdict = compare(answer, raised / raised.sum(), {
            "these do not sum to one yet: divide by their sum": raised,
            "this is upside down: a high temperature must make them more alike":
                upside_down / upside_down.sum(),
            "these are the shares as they were: dividing all by the same number, and then by "
            "the sum, changes nothing": SHARES,
        })  # fmt: skip
        if verdict is not RIGHT:
            return verdict
    return RIGHT


def nucleus(function: Callable[[np.ndarray, float], int]) -> Verdict:
    """Judge how many tokens are kept that together reach a probability."""
    for p in (0.4, 0.7, 0.8, 0.99):
        answer = function(SHARES.copy(), p)
        ranked = np.sort(SHARES)[::-1].cumsum()
        verdict = compare(float(answer), float((ranked < p).sum() + 1), {
            "these do not reach the probability together: one more is needed":
                float((ranked < p).sum()),
            "the likeliest come first: sort them":
                float((SHARES.cumsum() < p).sum() + 1),
        })  # fmt: skip
        if verdict is not RIGHT:
            return verdict
    return RIGHT


def cache_size(answer: float, config) -> Verdict:
    """Judge how many bytes a token takes in the cache."""
    n_layers, n_bytes = config.num_hidden_layers, 4
    n_key_heads = getattr(config, "num_key_value_heads", config.num_attention_heads)
    head_dim = config.hidden_size // config.num_attention_heads
    of_key = n_layers * n_key_heads * head_dim * n_bytes
    named: dict[str, float] = {
        "these are the keys alone: the values are kept too": of_key,
        "this is one layer: every layer has its own": 2 * of_key / n_layers,
        "these are numbers: each takes four bytes": 2 * of_key / n_bytes,
    }
    if n_key_heads < config.num_attention_heads:
        all_heads = 2 * of_key * config.num_attention_heads / n_key_heads
        named["the heads share keys and values: fewer are kept"] = all_heads
    return compare(float(answer), float(2 * of_key), named)


def moved(answer: Sequence[int], positions: Sequence[int]) -> Verdict:
    """Judge other positions: are all distances what they were?"""
    ours, theirs = np.asarray(answer, dtype=float), np.asarray(positions, dtype=float)
    if ours.shape != theirs.shape:
        return not_yet(f"give one position for each of the {len(theirs)} tokens")
    if same(ours, theirs):
        return mistake("these are the positions as they were")
    steps, wanted = np.diff(ours), np.diff(theirs)
    if same(steps, wanted):
        return RIGHT
    if same(steps, -wanted):
        return mistake("these run backwards: two tokens are as far apart, but the other way")
    if len(set(steps)) == 1 and steps[0]:
        return mistake("these stretch all distances: a neighbour is no neighbour any more")
    return not_yet("some tokens are further apart than they were, or nearer")


def own_gain(
    answer: float, without: np.ndarray, own: np.ndarray, another: np.ndarray
) -> Verdict:
    """Judge what a poem's own title saves more than another one does."""
    right = float((another - own).mean())
    return compare(float(answer), right, {
        "this is what it saves beside no heading, and another's title saves some of it too":
            float((without - own).mean()),
        "this is what another poem's title saves": float((without - another).mean()),
        "this is the other way round: a saving is what a poem costs less": -right,
        "this is the sum over all poems: take the mean": float((another - own).sum()),
    })  # fmt: skip


def begun(function: Callable[[Sequence[int]], int]) -> Verdict:
    """Judge how many tokens the model would have written as they stand."""
    for ranks in ([0, 0, 3, 0, 0, 1], [2, 0, 0], [0, 0, 0]):
        first = next((i for i, rank in enumerate(ranks) if rank), len(ranks))
        verdict = compare(float(function(list(ranks))), float(first), {
            "this counts right guesses anywhere: after its first wrong token the model would "
            "read its own text, and not this one": float(ranks.count(0)),
            "this counts the wrong token too": float(first + 1),
        })  # fmt: skip
        if verdict is not RIGHT:
            return verdict
    return RIGHT


def a_character(cost: float, bits: np.ndarray, text: str) -> Verdict:
    """Judge what a text costs a character."""
    total = float(np.sum(bits))
    return compare(float(cost), total / len(text), {
        "this is what a token costs: texts are cut into tokens of other lengths":
            total / len(bits),
        "this is the whole cost: divide it": total,
        "spaces and line ends are characters too, and were read":
            total / len("".join(text.split())),
    })  # fmt: skip


EXERCISES = {
    "ex-warm": Exercise(warmer, [
        "raise every share to a power, then divide by the sum",
        "the power is one over the temperature",
    ]),
    "ex-nucleus": Exercise(nucleus, [
        "sort the shares, the largest first, and add them up one by one",
        "`np.cumsum` adds up; count those sums that are too small, and take one more",
    ]),
    "ex-cache-size": Exercise(cache_size, [
        "a key and a value for each layer and each head of keys",
        "times the numbers in a head, times four bytes",
    ]),
    "ex-moved": Exercise(moved, [
        "only the distance of two tokens is seen by their scores",
        "add the same to every position",
    ]),
    "ex-own-title": Exercise(own_gain, [
        "another poem's title saves something too: what does the own one save beyond it?",
        "compare the column of the own title with that of another's, poem by poem",
    ]),
    "ex-begun": Exercise(begun, [
        "go through the ranks from the first, and stop at the first that is not 0",
        "a loop with `break`, or `next` over the places of what is not 0",
    ]),
    "ex-own-text-by-heart": Exercise(a_character, [
        "what all tokens cost together, for each character of the text",
        "`sum` in place of `mean`, and divide by `len(mine)`",
    ]),
}  # fmt: skip
check = partial(marking.check, EXERCISES)
judge = partial(marking.judge, EXERCISES)

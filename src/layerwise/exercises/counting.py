"""The exercises of ``chapters/counting.md``."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from layerwise.by_hand.ngrams import LINE_END, Counts, join_words
from layerwise.display import count
from layerwise.exercises import marking
from layerwise.exercises.marking import RIGHT, Exercise, Verdict, compare, mistake, not_yet

FEWEST = 10  # times that a token came, for its doubt to be looked at
SMALL = ["a", "rose", LINE_END, "is", "a", "rose", "too", LINE_END]


def doubt(guess: str, counts: Counts) -> Verdict:
    """Judge a token: is the model in more doubt after any other?"""
    if not isinstance(guess, str):
        return mistake("this is no token: say after which one, not how many bits")
    if (guess,) not in counts:
        return not_yet(f"{guess!r} never came")
    entropies = {}
    for (token,), after in counts.items():
        shares = np.array(list(after.values())) / after.total()
        if after.total() >= FEWEST:
            entropies[token] = -(shares * np.log2(shares)).sum()
    if guess not in entropies:
        return mistake(f"{guess!r} came fewer than {FEWEST} times: it is left out")
    n_above = sum(entropy > entropies[guess] for entropy in entropies.values())
    if n_above == 0:
        return RIGHT
    most = max(counts, key=lambda context: counts[context].total())
    if (guess,) == most:
        return mistake("this is the most frequent token: after "
                       f"{count(n_above, 'other')} there is more doubt")  # fmt: skip
    return not_yet(f"after {count(n_above, 'token')} there is more doubt")


def how_much(k: float, cost_of: Callable[[float], float]) -> Verdict:
    """Judge what is added to each count: do a quarter and four times as much cost more?"""
    k = float(k)
    if not k > 0:
        return mistake("with nothing added, a pair that was not seen is impossible")
    if cost_of(k) < min(cost_of(k / 4), cost_of(4 * k)):
        return RIGHT
    smaller = cost_of(k / 4) <= cost_of(k)
    if k == 1:
        return mistake("this is add one: the vocabulary is too large for it")
    return not_yet(f"this is too {'large' if smaller else 'small'}")


def backwards(turn: Callable[[list[str]], Sequence[str]]) -> Verdict:
    """Judge a function that turns the tokens of a poem round."""
    answer = list(turn(list(SMALL)))
    lines = [["a", "rose"], ["is", "a", "rose", "too"]]
    return compare(answer, SMALL[::-1], {
        "this turns the letters of each word round as well: these are other words":
            [token[::-1] for token in SMALL[::-1]],
        "this turns the letters of each word and leaves the order":
            [token[::-1] for token in SMALL],
        "this turns each line by itself, and reads the lines from first to last":
            [token for line in lines for token in [*line[::-1], LINE_END]],
        "this sorts the tokens: the poem is gone": sorted(SMALL),
    })  # fmt: skip


def others(
    count_others: Callable[[Sequence[int]], list], verses: Sequence[Sequence[str]]
) -> Verdict:
    """Judge what is counted when some verses are tested: all others, once each."""
    fold = [1, 4, len(verses) - 1]
    kept = [i for i in range(len(verses)) if i not in fold]
    tested = [verses[i] for i in fold]
    answer = count_others(fold)
    if answer is not None and len(answer) == len(kept) and all(
        isinstance(item, int | np.integer) for item in answer
    ):  # fmt: skip
        return mistake("these are the places of the lines: the lines themselves are counted")
    return compare(list(answer), [verses[i] for i in kept], {
        "the tested lines are among those that are counted": list(verses),
        "these are the lines that are tested": tested,
        "this drops every line that reads like a tested one: only those in the fold go":
            [verse for verse in verses if verse not in tested],
    })  # fmt: skip


def loop(circle: Callable[[str], Sequence[str]], best_next: Callable[[str], str]) -> Verdict:
    """Judge a function that returns the circle in which greedy writing ends."""
    for token in ["hope", "the", LINE_END, "a"]:
        if isinstance(circle(token), set | frozenset):
            return mistake("a set has no order: return the tokens as they follow one another")
        answer = list(circle(token))
        way_in, right = written_greedily(token, best_next)
        if answer == right:
            continue
        if answer == [*way_in, *right]:
            return mistake(f"from {token!r} this returns the way in as well: begin where the "
                           "token that comes again stands first")  # fmt: skip
        if answer == [*right, right[0]]:
            return mistake("this has the token that comes again twice")
        if any(answer == [*right[i:], *right[:i]] for i in range(len(right))):
            return mistake(f"from {token!r} this is the circle, begun later than the writing "
                           "comes into it")  # fmt: skip
        return not_yet(f"from {token!r} the writing does not end in {answer}")
    return RIGHT


def written_greedily(token: str, best_next: Callable[[str], str]) -> tuple[list, list]:
    """Return the way into a circle, and the circle: two walk, and one is twice as fast."""
    slow, fast = best_next(token), best_next(best_next(token))
    while slow != fast:
        slow, fast = best_next(slow), best_next(best_next(fast))
    way_in, start = [], token
    while start != fast:
        way_in.append(start)
        start, fast = best_next(start), best_next(fast)
    found, now = [start], best_next(start)
    while now != start:
        found.append(now)
        now = best_next(now)
    return way_in, found


def a_character(cost: float, total: float, tokens: Sequence[str]) -> Verdict:
    """Judge what a text costs a character."""
    words = [token for token in tokens if token != LINE_END]
    return compare(float(cost), total / len(join_words(tokens)), {
        "this is the whole cost: divide it": float(total),
        "this is what a token costs: where words are longer, a token is more text":
            total / len(tokens),
        "this leaves out the spaces and line ends, and they are coded too":
            total / sum(map(len, words)),
    })  # fmt: skip


EXERCISES = {
    "ex-doubt": Exercise(doubt, [
        "`max(..., key=entropy_after)` finds the largest",
        "go through `frequent`: rarer tokens are left out",
    ]),
    "ex-add-k": Exercise(how_much, [
        "try a tenth, and a hundredth: does the cost fall?",
        "when a quarter and four times as much both cost more, you have it",
    ]),
    "ex-backwards": Exercise(backwards, [
        "the last token comes first; no token itself is changed",
        "`tokens[::-1]` steps through a list from its end",
    ]),
    "ex-leaky-split": Exercise(others, [
        "go through the places of all lines, and ask of each whether it is in the fold",
        "a list of `verses[j]` for every j that is not in `set(fold)`",
    ]),
    "ex-loop": Exercise(loop, [
        "first let the path go on until the next token is on it",
        "`path.index(token)` says where a token stands first: the circle begins there",
    ]),
    "ex-own-counts": Exercise(a_character, [
        "`join_words(other)` is the text as it is coded",
        "divide by its length: that counts spaces and line ends",
    ]),
}  # fmt: skip
check = partial(marking.check, EXERCISES)
judge = partial(marking.judge, EXERCISES)

"""Say of an answer that it is right, wrong in a way that has a name, or not there yet.

A *judge* is a function for one exercise: it gets the answer and what the answer was made from,
and returns a :class:`Verdict`. Judges ask the model, or a property that only a right answer
has, wherever that can be done: what they compare with is computed, never typed.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any, NamedTuple, cast

import numpy as np

from layerwise.checks import largest_difference, to_array

TOLERANCE = 1e-4


class Verdict(NamedTuple):
    """What there is to say of an answer."""

    right: bool
    says: str  # one sentence
    named: bool = False  # a usual mistake


class Exercise(NamedTuple):
    """How an exercise is judged, and its hints, the smallest first."""

    judge: Callable[..., Verdict]
    hints: Sequence[str]


RIGHT = Verdict(True, "right")
given: dict[str, int] = {}  # how many hints of an exercise were shown
started: dict[str, list] = {}  # the first answer of an exercise that was checked
WRITTEN_NUMBER = re.compile(r"\s*-?[\d.,]+\s*%?\s*")


def mistake(says: str) -> Verdict:
    """Name a usual mistake."""
    return Verdict(False, says, named=True)


def not_yet(says: str) -> Verdict:
    """Say what is true of an answer that is none of the usual mistakes."""
    return Verdict(False, says)


def same(answer, other, tolerance: float = TOLERANCE) -> bool:
    """Say whether two things are equal, everywhere; what cannot be compared is not."""
    try:
        return largest_difference(answer, other) <= tolerance
    except (TypeError, ValueError):
        return False


def compare(
    answer, right, mistakes: Mapping[str, Any], tolerance: float = TOLERANCE
) -> Verdict:
    """Compare an answer with the right one, and with what usual mistakes would give.

    Parameters
    ----------
    answer, right : Tensor, array, number, str, or lists of these
    mistakes : mapping
        What to say, and the wrong answer that it is said of.
    tolerance : float
        How much any number may differ.
    """
    if same(answer, right, tolerance):
        return RIGHT
    for says, wrong in mistakes.items():
        if same(answer, wrong, tolerance):
            return mistake(says)
    try:
        largest_difference(answer, right)
    except (TypeError, ValueError) as error:
        if np.ndim(answer) == 0 < np.ndim(right) and not isinstance(answer, str | None):
            return not_yet(f"this is one number, and {np.size(right)} are wanted")
        return not_yet(str(error))
    return not_yet(how_far(answer, right, tolerance))


def how_far(answer, right, tolerance: float) -> str:
    """Say how an answer differs from the right one, without giving that away."""
    try:
        ours, theirs = to_array(answer), to_array(right)
    except (TypeError, ValueError):  # lists of different lengths, or words
        return "it is not the same everywhere"
    if ours.size == 1:
        return f"this number is too {'low' if ours < theirs else 'high'}"
    if ours.shape != theirs.shape:
        return f"its shape is {ours.shape}, and {theirs.shape} is wanted"
    n_right = int((np.abs(ours - theirs) <= tolerance).sum())
    return f"{n_right} of its {ours.size} numbers are right"


def judge(exercises: Mapping[str, Exercise], label: str, *answer) -> Verdict:
    """Judge an answer; whatever it makes Python raise is told, and raises nothing.

    Parameters
    ----------
    exercises : mapping
        The exercises of a chapter, by label.
    label : str
    *answer
        The answer, and what it was made from.

    Raises
    ------
    KeyError
        If the chapter has no such exercise.
    """
    if label not in exercises:
        raise KeyError(f"no exercise is called {label!r}: there are {', '.join(exercises)}")
    if not isinstance(answer[0], FunctionType):
        return told(exercises[label].judge, *answer)
    function, returned = watched(answer[0])
    verdict = told(exercises[label].judge, function, *answer[1:])
    is_none = bool(returned) and returned[0] is None
    if is_none and not (verdict.right or verdict.named):
        return not_yet("your function returns nothing: does it lack its return?")
    return verdict


def told(judge: Callable[..., Verdict], *answer) -> Verdict:
    """Judge an answer; tell what it makes Python raise."""
    try:
        return judge(*answer)
    except Exception as error:  # a learner's function may raise anything
        if isinstance(error, TypeError) and "not callable" in str(error) and not callable(
            answer[0]
        ):
            return not_yet(f"this is {kind_of(answer[0])}: hand over the function, "
                           "its name without brackets, and not what it returned")  # fmt: skip
        for part in answer:
            if isinstance(part, str) and WRITTEN_NUMBER.fullmatch(part):
                return not_yet(f"{part!r} is text: give the number itself, without quotation "
                               "marks, per cent or commas")  # fmt: skip
        says = " ".join(str(error).split()) or "and says no more"
        return not_yet(f"checking it raised {type(error).__name__}: {says[:200]}")


def kind_of(answer) -> str:
    """Say of what type an answer is, with its article."""
    kind = type(answer).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"


def watched(function: FunctionType) -> tuple[FunctionType, list]:
    """Return a function that does the same, and a list of what it returned last."""
    returned: list = []

    @functools.wraps(function)
    def watch(*arguments, **named):
        returned.clear()  # it may raise instead
        returned.append(function(*arguments, **named))
        return returned[0]

    return cast(FunctionType, watch), returned


def check(exercises: Mapping[str, Exercise], label: str, *answer) -> None:
    """Judge an answer and print what there is to say; if it is nothing usual, with a hint.

    Each time one more hint is shown, but none for the first answer: where all cells are run at
    once, that is what the exercise starts from. See :func:`judge`.
    """
    verdict = judge(exercises, label, *answer)
    print("✓ right" if verdict.right else f"✗ {'' if verdict.named else 'not yet: '}"
          f"{verdict.says}")  # fmt: skip
    if verdict.right or verdict.named:
        return
    now = [mark_of(part) for part in answer]
    if started.setdefault(label, now) == now:
        print("change it and check again: then there is a hint")
        return
    hints = exercises[label].hints
    number = given[label] = min(given.get(label, 0) + 1, len(hints))
    more = "; check again for the next" if number < len(hints) else ""
    print(f"hint {number} of {len(hints)}: {hints[number - 1]}{more}")


def mark_of(part):
    """Return what is the same for the same answer, also of a function defined again."""
    code = getattr(part, "__code__", part)
    if isinstance(code, CodeType):
        return code.co_code, code.co_names, [mark_of(constant) for constant in code.co_consts]
    return repr(part) if isinstance(part, str | int | float | list | tuple) else id(part)

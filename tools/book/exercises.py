"""The parts of an exercise, as they stand in a chapter.

    ::::{exercise-start} ★ What is padding       its label is ex-waste
    a cell                                       to start from
    a cell: check("ex-waste", share, ...)        what says whether the answer is right
    ::::{exercise-end}
    :::{solution-start} ex-waste
    cells, with the same check in one of them    the solution
    a cell tagged mistakes, with two checks      usual mistakes
    :::{solution-end}
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tools.chapters import Cell, Page

FEWEST_MISTAKES = 2


class Exercise(NamedTuple):
    """An exercise, taken apart."""

    label: str
    title: str
    line: int
    start: list[Cell]
    check: list[Cell]
    solution: list[Cell]
    mistakes: list[Cell]

    @property
    def stars(self) -> int:
        """How hard it is."""
        return self.title.count("★")


def checks_in(cells: list[Cell], label: str) -> int:
    """Count the checks of an exercise in cells."""
    call = re.compile(rf"\bcheck\(\"{re.escape(label)}\"")
    return sum(len(call.findall("\n".join(cell.code))) for cell in cells)


def exercises_in(page: Page) -> Iterator[Exercise]:
    """List the exercises of a page whose code runs, in the order of the page."""
    marks = [directive for directive in page.directives if directive.name.endswith("-start")]
    ends = {
        kind: sorted(d.line for d in page.directives if d.name == f"{kind}-end")
        for kind in ("exercise", "solution")
    }

    def within(kind: str, first: int) -> list[Cell]:
        last = next((line for line in ends[kind] if line > first), first)
        return [cell for cell in page.cells if first < cell.line < last]

    solutions = {d.argument: d.line for d in marks if d.name == "solution-start"}
    for directive in marks:
        if directive.name != "exercise-start":
            continue
        label = directive.options.get("label", "")
        asked = within("exercise", directive.line)
        answered = within("solution", solutions[label]) if label in solutions else []
        yield Exercise(
            label,
            directive.argument,
            directive.line,
            start=[cell for cell in asked if not checks_in([cell], label)],
            check=[cell for cell in asked if checks_in([cell], label)],
            solution=[cell for cell in answered if "mistakes" not in cell.tags],
            mistakes=[cell for cell in answered if "mistakes" in cell.tags],
        )


def missing_in(exercise: Exercise) -> Iterator[str]:
    """Say what an exercise lacks, and what to do."""
    call = f'check("{exercise.label}", ...)'
    if not exercise.start:
        yield "has no cell to start from: add one above its check"
    if len(exercise.check) != 1:
        yield f"has {len(exercise.check)} cells with a check: end it with one, {call}"
    if not checks_in(exercise.solution, exercise.label):
        yield f"has a solution that is not checked: add {call}"
    if checks_in(exercise.mistakes, exercise.label) < FEWEST_MISTAKES:
        yield f"has no {FEWEST_MISTAKES} usual mistakes: add {call} to a cell tagged mistakes"

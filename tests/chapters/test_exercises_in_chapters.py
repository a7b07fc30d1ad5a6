"""Every exercise of the built book: start, solution and usual mistakes get what is theirs."""

import json
from functools import cache

import pytest

from tools.book.exercises import checks_in, exercises_in
from tools.chapters import read_pages
from tools.desk import ROOT

EXECUTED = ROOT / "_build" / "executed"
EXERCISES = [
    (page.name, exercise) for page in read_pages(ROOT) for exercise in exercises_in(page)
]
each = pytest.mark.parametrize(
    ("name", "exercise"), EXERCISES, ids=[exercise.label for _, exercise in EXERCISES]
)


@cache
def executed(name: str) -> list[dict]:
    """Return the cells of an executed chapter."""
    path = (EXECUTED / name).with_suffix(".ipynb")
    if not path.is_file():
        pytest.skip("the book was not built: run python3 -m nox -s book first")
    return json.loads(path.read_text("utf-8"))["cells"]


def verdicts(name: str, cells: list) -> list[str]:
    """Return what the checks in cells of a chapter printed, a string for each."""
    wanted = ["\n".join(cell.code).strip() for cell in cells]
    lines = []
    for cell in executed(name):
        if cell["cell_type"] == "code" and "".join(cell["source"]).strip() in wanted:
            for output in cell["outputs"]:
                lines += "".join(output.get("text", "")).splitlines()
    said: list[str] = []
    for line in lines:
        if line.startswith(("✓ right", "✗ ")):
            said.append(line)
        elif line.startswith("hint "):
            said[-1] += "\n" + line
    return said


def test_there_are_enough_exercises_and_the_steps_are_small():
    assert len(EXERCISES) >= 30
    for name in {name for name, _ in EXERCISES}:
        stars = {exercise.stars for page, exercise in EXERCISES if page == name}
        assert stars == {1, 2, 3}, name


@each
def test_the_start_fails_and_costs_no_hint(name, exercise):
    (said,) = verdicts(name, exercise.check)
    assert said.startswith("✗ not yet: ")
    assert "hint" not in said


@each
def test_the_solution_passes_its_check(name, exercise):
    said = verdicts(name, exercise.solution)
    assert len(said) == checks_in(exercise.solution, exercise.label)
    assert set(said) == {"✓ right"}


@each
def test_each_usual_mistake_is_named_and_each_differently(name, exercise):
    said = verdicts(name, exercise.mistakes)
    assert len(said) == checks_in(exercise.mistakes, exercise.label) >= 2
    assert all(verdict.startswith("✗ ") and "not yet" not in verdict for verdict in said)
    assert len(set(said)) == len(said)

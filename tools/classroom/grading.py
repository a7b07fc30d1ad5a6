"""An nbgrader course from the chapters: ``_build/classroom/nbgrader``.

A chapter is an assignment. A start cell keeps what it starts from, and holds the solution in a
region that nbgrader takes out; a check is a test cell, whose verdict is asked for by name in a
hidden region. An exercise gives a point for each star.
"""

import re
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.book.exercises import Exercise, exercises_in
from tools.chapters import read_pages
from tools.classroom.notebooks import kind_of, write

CONFIG = Path(__file__).with_name("nbgrader_config.py")
CHECK = re.compile(r"^check\((.*?)\)$", re.MULTILINE | re.DOTALL)


def solution_of(exercise: Exercise) -> str:
    """Return the code of a solution, without the cells that write its prose."""
    cells = [cell for cell in exercise.solution if "remove-input" not in cell.tags]
    return "\n\n\n".join("\n".join(cell.code) for cell in cells)


def marked(cell: NotebookNode, grade_id: str, points: int | None) -> NotebookNode:
    """Tell nbgrader what a cell is: an answer, or, with points, a test."""
    is_test = points is not None
    about = {
        "grade": is_test, "solution": not is_test, "locked": is_test, "task": False,
        "grade_id": grade_id, "schema_version": 3,
    }  # fmt: skip
    if is_test:
        about |= {"points": points}
    cell.metadata["nbgrader"] = about
    return cell


def with_region(source: str, kind: str, hidden: str) -> str:
    """Put code into a region that nbgrader takes out."""
    return f"{source.rstrip()}\n\n### BEGIN {kind}\n{hidden}\n### END {kind}"


def make_assignment(
    name: str, notebook: NotebookNode, exercises: dict[str, Exercise]
) -> NotebookNode:
    """Return a chapter as an assignment for its teacher, solutions and tests included.

    Parameters
    ----------
    name : str
        The chapter's: ``tokens``.
    notebook : NotebookNode
        The student's copy.
    exercises : dict
        By label.
    """
    copy = nbformat.from_dict(notebook)
    for cell, after in zip(copy.cells, [*copy.cells[1:], None], strict=True):
        kind = kind_of(cell)
        if kind not in ("start", "check"):
            continue
        label = cell.metadata["layerwise"]["exercise"]
        if kind == "check":
            asked = CHECK.search(cell.source)
            assert asked, f"lint lets no exercise without its check pass: {label}"
            hidden = (
                f"from layerwise.exercises.{name} import judge\n\n"
                f"verdict = judge({asked[1]})\n"
                "assert verdict.right, verdict.says"
            )
            cell.source = with_region(cell.source, "HIDDEN TESTS", hidden)
            marked(cell, label, exercises[label].stars)
        elif after is not None and kind_of(after) == "check":
            solution = solution_of(exercises[label])
            cell.source = with_region(cell.source, "SOLUTION", solution)
            marked(cell, f"{label}-answer", None)
    return copy


def write_course(root: Path, students: dict[str, NotebookNode], folder: Path) -> None:
    """Write the course: its settings, and the source of each assignment."""
    wheels = list((root / "_build" / "html" / "notebooks").glob("*.whl"))
    for page in read_pages(root):
        name = Path(page.name).stem
        exercises = {exercise.label: exercise for exercise in exercises_in(page)}
        if name in students and exercises:
            assignment = make_assignment(name, students[name], exercises)
            write(assignment, folder / "source" / name / f"{name}.ipynb")
            for wheel in wheels:  # what lies beside a notebook is released with it
                shutil.copy(wheel, folder / "source" / name)
    shutil.copy(CONFIG, folder)

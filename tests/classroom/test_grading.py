"""The graded course, from generating to feedback, on submissions of every kind."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

from tools.classroom.grading import write_course
from tools.classroom.notebooks import read_notebooks, student_copy
from tools.desk import ROOT

NBGRADER = os.environ.get("LAYERWISE_NBGRADER", "")
NOTEBOOKS = ROOT / "_build" / "html" / "notebooks"
LOOP = "while True:\n    pass"
LONGEST = 30  # seconds for a cell
pytestmark = pytest.mark.skipif(not NBGRADER, reason="run python3 -m nox -s grading")


def add_kernel(course: Path, python: str) -> None:
    """Make a Python the one that runs the course's notebooks."""
    kernel = course.parent / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True, exist_ok=True)
    start = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": start, "display_name": "book", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec), "utf-8")


def shortened(cells: list) -> list:
    """Leave out the exercise that takes longest, and what comes after the last one needed."""
    labels = [cell.metadata.get("layerwise", {}).get("exercise") for cell in cells]
    end = len(labels) - labels[::-1].index("ex-pad")
    return [cell for cell, label in zip(cells[:end], labels, strict=False)
            if label != "ex-train"]  # fmt: skip


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """Return a course of one short assignment, whose kernel is the book's own Python."""
    folder = tmp_path_factory.mktemp("grading") / "course"
    tokens = student_copy(read_notebooks(NOTEBOOKS)["tokens"])
    tokens.cells = shortened(tokens.cells)
    write_course(ROOT, {"tokens": tokens}, folder)
    add_kernel(folder, sys.executable)
    settings = folder / "nbgrader_config.py"
    exchange = str(folder.parent / "exchange")
    more = f"\nc.Exchange.root = {exchange!r}\nc.Execute.timeout = {LONGEST}\n"
    settings.write_text(settings.read_text("utf-8") + more, "utf-8")
    (folder.parent / "exchange").mkdir(mode=0o777)
    (folder.parent / "exchange").chmod(0o777)
    return folder


def nbgrader(course: Path, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
    """Run a command of nbgrader in the course."""
    env = os.environ | {
        "JUPYTER_PATH": str(course.parent / "jupyter"), "OMP_NUM_THREADS": "1",
        "HOME": str(course.parent), "PYTHONPATH": "",
        # it calls a program of its own, alembic, by name
        "PATH": f"{Path(NBGRADER).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    ran = subprocess.run(
        [NBGRADER, *arguments], cwd=course, env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode in allowed, ran.stderr[-3000:]
    return ran.stdout + ran.stderr


def edit(released: Path, target: Path, changes: dict[str, str | None]) -> None:
    """Write a submission: a released notebook with cells replaced, by their grade_id.

    None takes a cell out; the name "copied" has a cell there twice.
    """
    notebook = nbformat.read(released, as_version=4)
    cells, notebook.cells = notebook.cells, []
    for cell in cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = changes.get(grade_id, cell.source)
        times = 0 if cell.source is None else 1 + (grade_id == changes.get("copied", ""))
        notebook.cells += [nbformat.from_dict(cell | {"id": f"{cell['id']}-{number}"})
                           for number in range(times)]  # fmt: skip
    target.parent.mkdir(parents=True)
    nbformat.write(notebook, target)


@contextmanager
def unfit(course: Path) -> Iterator[None]:
    """Put submissions beside the others that nbgrader would give 0, or leave out."""
    submitted = course / "submitted"
    whole = (course / "release/tokens/tokens.ipynb").read_bytes()
    files = {
        "cut/tokens/tokens.ipynb": whole[:5000], "void/tokens/tokens.ipynb": b"",
        "named/tokens/tokens Müller.ipynb": whole, "high/tokens.ipynb": whole,
        "packed/tokens/tokens.zip": b"PK", "loose.ipynb": whole,
        "other/tokens/tokens.ipynb": nbformat.writes(nbformat.v4.new_notebook()).encode(),
    }  # fmt: skip
    for name, content in files.items():
        (submitted / name).parent.mkdir(parents=True, exist_ok=True)
        (submitted / name).write_bytes(content)
    (submitted / "lazy").mkdir()  # has submitted nothing
    yield
    (submitted / "loose.ipynb").unlink()
    for name in ["cut", "void", "named", "high", "packed", "other", "lazy"]:
        shutil.rmtree(submitted / name)


@pytest.fixture(scope="module")
def graded(course):
    """Generate, release, submit, collect, autograde and write feedback; return the points."""
    nbgrader(course, "generate_assignment", "tokens")
    nbgrader(course, "release_assignment", "tokens")
    source = course / "source" / "tokens" / "tokens.ipynb"
    released = course / "release" / "tokens" / "tokens.ipynb"
    answers = {
        cell.metadata["nbgrader"]["grade_id"]: cell.source
        for cell in nbformat.read(source, as_version=4).cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    submissions = {
        "right": answers,
        "empty": {},
        "wrong": answers | {"ex-waste-answer": "share = 1.0", "ex-loss-answer": "1 / 0"},
        "looping": answers | {"ex-waste-answer": LOOP},
        "editing": {"ex-waste": "print('✓ right')", "ex-pad": "", "ex-loss": "assert True"},
        "shortening": answers | {"ex-waste-answer": None, "ex-waste": None},
        "copying": answers | {"copied": "ex-waste"},
        "dying": answers | {"ex-ratio-answer": "import os\nos._exit(1)"},
    }
    inbound = course.parent / "exchange" / "layer-by-layer" / "inbound"
    for number, (student, changes) in enumerate(submissions.items()):
        folder = inbound / f"{student}+tokens+2026-11-26 10:00:0{number} UTC+{number:06}"
        edit(released, folder / "tokens.ipynb", changes)
        (folder / "timestamp.txt").write_text(f"2026-11-26 10:00:0{number} UTC", "utf-8")
    nbgrader(course, "collect", "tokens", "--ExchangeCollect.check_owner=False")
    assert {path.name for path in (course / "submitted").iterdir()} == set(submissions)
    add_kernel(course, str(Path(NBGRADER).with_name("python")))  # it has no layerwise
    stopped = {"without": nbgrader(course, "autograde", "tokens", allowed=(1,))}
    add_kernel(course, "false")
    stopped["dead"] = nbgrader(course, "autograde", "tokens", allowed=(1,))
    add_kernel(course, sys.executable)
    with unfit(course):
        stopped["unfit"] = nbgrader(course, "autograde", "tokens", allowed=(1,))
    assert not list(course.glob("autograded/*"))
    said = nbgrader(course, "autograde", "tokens", allowed=(0, 1))
    nbgrader(course, "generate_feedback", "tokens")
    nbgrader(course, "export", "--to", "grades.csv")
    with (course / "grades.csv").open(encoding="utf-8") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    return rows, said, stopped


def points(graded, student: str) -> float:
    return float(graded[0][student]["score"] or 0)


def test_who_does_everything_right_gets_every_point(graded, course):
    source = nbformat.read(course / "source" / "tokens" / "tokens.ipynb", as_version=4)
    given = [cell.metadata.get("nbgrader", {}).get("points") or 0 for cell in source.cells]
    most = float(graded[0]["right"]["max_score"])
    assert points(graded, "right") == most == sum(given) > 8


def test_who_does_nothing_gets_nothing(graded):
    assert points(graded, "empty") == 0


@pytest.mark.parametrize(("student", "n_points"), [("wrong", 2), ("looping", 1)])
def test_an_answer_that_fails_costs_its_points_and_no_others(graded, student, n_points):
    assert points(graded, student) == points(graded, "right") - n_points


def test_who_edits_the_tests_gets_nothing(graded):
    assert points(graded, "editing") == 0


def test_a_kernel_that_dies_is_told_and_stops_no_one_else(graded):
    assert "dying" in graded[1]
    assert points(graded, "dying") == 0


def test_without_the_package_nobody_is_graded_and_it_is_said_what_to_do(graded):
    last = graded[2]["without"].strip().splitlines()[-1]
    assert re.match(r"nobody is graded: .* ModuleNotFoundError: .*layerwise.* would fail", last)
    assert last.endswith("tokens.ipynb in the kernel python3: it installs what is missing")


def test_a_kernel_that_does_not_start_gives_nobody_0(graded):
    assert "Traceback" not in graded[2]["dead"].partition("nobody is graded")[2]
    assert "nobody is graded: the kernel python3 does not start: " in graded[2]["dead"]


def test_what_nbgrader_cannot_read_is_named_before_anybody_is_graded(graded):
    first, *told, remedy = graded[2]["unfit"].partition("nobody is graded")[2].splitlines()
    assert first == ", as these would get 0 or be left out:"
    assert remedy.startswith("Put each right in submitted/, or move it away")
    assert {line.partition(":")[0]: line.partition(": ")[2][:26] for line in told} == {
        "cut": "tokens.ipynb is no noteboo", "void": "tokens.ipynb is no noteboo",
        "named": "named/tokens/tokens.ipynb ", "high": "high/tokens/tokens.ipynb i",
        "packed": "packed/tokens/tokens.ipynb", "other": "tokens.ipynb was not made ",
        "loose.ipynb": "it is a file where a stude",
    }  # fmt: skip
    assert "tokens/tokens Müller.ipynb is there instead" in "".join(told)


def test_an_exercise_that_was_taken_out_costs_its_points_and_no_others(graded):
    assert points(graded, "shortening") == points(graded, "right") - 1
    assert points(graded, "copying") == points(graded, "right")


def test_the_released_notebook_holds_no_solution(graded, course):
    released = (course / "release" / "tokens" / "tokens.ipynb").read_text("utf-8")
    source = (course / "source" / "tokens" / "tokens.ipynb").read_text("utf-8")
    assert "### BEGIN SOLUTION" in source
    assert "BEGIN" not in released
    assert "verdict.says" not in released
    assert "[1] * len(ids) + [0] * n_missing" in source
    assert "[1] * len(ids) + [0] * n_missing" not in released


def test_the_feedback_says_what_the_check_said(graded, course):
    pages = {path.parts[-3]: path.read_text("utf-8")
             for path in (course / "feedback").rglob("tokens.html")}  # fmt: skip
    assert "this number is too high" in pages["wrong"]
    assert "ZeroDivisionError" in pages["wrong"]


def test_the_course_can_be_zipped_for_those_without_an_exchange(graded, course):
    archive = shutil.make_archive(str(course.parent / "released"), "zip", course / "release")
    assert Path(archive).stat().st_size > 10_000

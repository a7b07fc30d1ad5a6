"""The graded course, from generating to feedback, on submissions of every kind."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
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


def edit(released: Path, target: Path, changes: dict[str, str]) -> None:
    """Write a submission: a released notebook with cells replaced, by their grade_id."""
    notebook = nbformat.read(released, as_version=4)
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in changes:
            cell.source = changes[grade_id]
    target.parent.mkdir(parents=True)
    nbformat.write(notebook, target)


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
    without = nbgrader(course, "autograde", "tokens", allowed=(1,))
    assert not list(course.glob("autograded/*"))
    add_kernel(course, sys.executable)
    said = nbgrader(course, "autograde", "tokens", allowed=(0, 1))
    nbgrader(course, "generate_feedback", "tokens")
    nbgrader(course, "export", "--to", "grades.csv")
    with (course / "grades.csv").open(encoding="utf-8") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    return rows, said, without


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
    last = graded[2].strip().splitlines()[-1]
    assert re.match(r"nobody is graded: .* ModuleNotFoundError: .*layerwise.* would fail", last)
    assert last.endswith("tokens.ipynb in the kernel python3: it installs what is missing")


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

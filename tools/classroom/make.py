"""Make ``_build/classroom`` from the built book: ``nox -s classroom``.

    student/      notebooks without solutions, and the package they need
    teacher/      the same with outputs, solutions and usual mistakes
    plan/         for each chapter and for one session, a plan by the minute
    handout/      a sheet to print for each chapter
    nbgrader/     a graded course; see teaching/README.md
    answers.zip   the notebooks with solutions, to be released later
"""

import argparse
import shutil
import sys
import zipfile
from pathlib import Path

from tools.book.pages import put_in_place
from tools.classroom.grading import write_course
from tools.classroom.handouts import write_handouts
from tools.classroom.notebooks import read_notebooks, student_copy, teacher_copy, write
from tools.classroom.plans import write_plans
from tools.desk import ROOT, BuildError, run_command, say


def make(root: Path, target: Path) -> None:
    """Make everything in a fresh folder, and put it in place.

    Raises
    ------
    BuildError
        If the book is not built, or a plan does not fit its chapter.
    """
    site = root / "_build" / "html"
    if not (site / "notebooks" / "chapters").is_dir():
        raise BuildError(f"no notebooks in {site}: build the book, python3 -m nox -s book")
    draft = target.with_name(f".{target.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    given = read_notebooks(site / "notebooks")
    executed = read_notebooks(site / "notebooks" / "executed")
    students = {name: student_copy(notebook) for name, notebook in given.items()}
    for name in given:
        write(students[name], draft / "student" / f"{name}.ipynb")
        write(teacher_copy(executed[name]), draft / "teacher" / f"{name}.ipynb")
    for folder in ("student", "teacher"):
        for wheel in (site / "notebooks").glob("*.whl"):
            shutil.copy(wheel, draft / folder)
    zip_answers(draft / "teacher", draft / "answers.zip")
    write_plans(root, students, draft / "plan")
    write_handouts(students, draft / "handout")
    write_course(root, students, draft / "nbgrader")
    put_in_place(draft, target)


def zip_answers(folder: Path, archive: Path) -> None:
    """Pack the notebooks with solutions, each file with one and the same date."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.glob("*.ipynb")):
            packed.writestr(zipfile.ZipInfo(f"answers/{path.name}"), path.read_bytes(),
                            zipfile.ZIP_DEFLATED)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Make it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "_build" / "classroom")
    options = parser.parse_args(arguments)

    def act() -> int:
        make(ROOT, options.to)
        for path in sorted(options.to.iterdir()):
            say(f"{path}: {len(list(path.iterdir()))} files" if path.is_dir() else f"{path}")
        return 0

    return run_command(act)


if __name__ == "__main__":
    sys.exit(main())

"""Make ``_build/classroom`` from the built book: ``nox -s classroom``.

    student/      notebooks without solutions, and the package they need
    teacher/      the same with outputs, solutions and usual mistakes
    plan/         for each chapter and for one session, a plan by the minute
    handout/      a sheet to print for each chapter
    nbgrader/     a graded course; see teaching/README.md
    answers.zip   the notebooks with solutions, to be released later

With --hub and --repository also links.md, which opens the notebooks on a JupyterHub; with
--bundle a folder for a USB stick (tools/classroom/bundle.py).
"""

import argparse
import shutil
import sys
import zipfile
from pathlib import Path

from _ext.notebooks import launch_links
from tools.classroom.bundle import add_options, targets_asked_for, write_bundle
from tools.classroom.grading import write_course
from tools.classroom.handouts import write_handouts
from tools.classroom.notebooks import read_notebooks, student_copy, teacher_copy, write
from tools.classroom.plans import write_plans
from tools.desk import ROOT, BuildError, run_command, say
from tools.made import made_whole


def make(root: Path, target: Path, links: str = "") -> None:
    """Make everything in a fresh folder, and put it in place; with links to a hub, if any."""
    with made_whole(target, ", or name another, --to") as draft:
        fill(root, draft)
        if links:
            (draft / "links.md").write_text(links, "utf-8")


def fill(root: Path, draft: Path) -> None:
    """Write everything into a folder."""
    site = root / "_build" / "html"
    if not (site / "notebooks" / "chapters").is_dir():
        raise BuildError(f"no notebooks in {site}: build the book, python3 -m nox -s book")
    draft.mkdir()
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
    write_handouts(root, students, draft / "handout")
    write_course(root, students, draft / "nbgrader")


def zip_answers(folder: Path, archive: Path) -> None:
    """Pack the notebooks with solutions, each file with one and the same date."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.glob("*.ipynb")):
            packed.writestr(zipfile.ZipInfo(f"answers/{path.name}"), path.read_bytes(),
                            zipfile.ZIP_DEFLATED)  # fmt: skip


def hub_links(root: Path, hub: str, repository: str, branch: str) -> str:
    """Return a page with a link for each chapter, which opens its notebook on a JupyterHub."""
    if not hub and not repository:
        raise BuildError(f"--branch {branch!r} is of links to a hub: name --hub, --repository")
    wrong = [f"{option} {address!r}" for option, address in
             [("--hub", hub), ("--repository", repository)]
             if not address.startswith(("https://", "http://"))]  # fmt: skip
    if wrong:
        raise BuildError(f"{' and '.join(wrong)}: an address is wanted, https://...")
    buttons = {"jupyterhub_url": hub, "notebooks_branch": branch or "main"}
    settings = {"repository_url": repository, "launch_buttons": buttons}
    names = read_notebooks(root / "_build" / "html" / "notebooks")
    lines = [f"- [{name}]({launch_links(settings, name)['JupyterHub']})" for name in names]
    return "\n".join(["# The chapters on the hub\n", *lines, ""])


def main(arguments: list[str] | None = None) -> int:
    """Make it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "_build" / "classroom")
    parser.add_argument("--hub", default="", metavar="ADDRESS", help="of a JupyterHub")
    parser.add_argument("--repository", default="", metavar="ADDRESS", help="of student/")
    parser.add_argument("--branch", default="", help="of that repository; default: main")
    add_options(parser)
    options = parser.parse_args(arguments)

    def act() -> None:
        targets = targets_asked_for(options.bundle, options.python)
        links = ""
        if options.hub or options.repository or options.branch:
            links = hub_links(ROOT, options.hub, options.repository, options.branch)
        make(ROOT, options.to, links)
        for path in sorted(options.to.glob("[!.]*")):
            say(f"{path}: {len(list(path.iterdir()))} files" if path.is_dir() else f"{path}")
        if targets:
            write_bundle(ROOT, options.to, ROOT / "_build" / "bundle", targets)

    return run_command(act)


if __name__ == "__main__":
    sys.exit(main())

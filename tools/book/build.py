"""Build the book: execute what is not executed yet, then write the pages.

    python -m tools.book.build [--encoder NAME|FOLDER] [--decoder NAME|FOLDER]
                               [--device cpu|cuda|mps|auto] [--course FOLDER]
"""

import argparse
import re
import sys
import time
from pathlib import Path

from nbformat import NotebookNode

from tools.book.course import lay_out, publish, read_course
from tools.book.pages import write_pages
from tools.chapters import Book, Chapter, Failure, read_book, sphinx_settings
from tools.desk import (
    BuildError,
    add_common_options,
    exclusive,
    models_asked_for,
    read_source,
    run_command,
    say,
)
from tools.executions.devices import available_cores, find_device, resolve_device
from tools.executions.environment import Workplace, check_installed, read_pins
from tools.executions.fingerprint import Basis, Fingerprint, fingerprint_of, read_basis
from tools.executions.kernels import Task, execute_chapters
from tools.executions.models import fetch_models, roles_of
from tools.executions.store import Execution, Store

COLORS = re.compile(r"\x1b\[[0-9;]*m")


def main(arguments: list[str] | None = None) -> int:
    """Build the book; return the exit status."""
    options = parse_arguments(arguments)

    def act() -> int:
        if options.course:
            return build_course(options.course.resolve(), options)
        return build(options.book.resolve(), models_asked_for(options), options.device)

    return run_command(act)


def build_course(folder: Path, options: argparse.Namespace) -> int:
    """Build a course of the reader's; return the exit status."""
    course = read_course(folder)
    root = folder / "_build" / "book"
    lay_out(course, root)
    asked = models_asked_for(options)
    for role, name in course.models.items():
        asked[role] = asked[role] or (str(folder / name) if (folder / name).is_dir() else name)
    status = build(root, asked, options.device)
    if status == 0:
        say(f"the course: {publish(course, root)}")
    return status


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line; see ``--help``."""
    parser = argparse.ArgumentParser(prog="nox -s book --", description="Build the book.")
    add_common_options(parser)
    parser.add_argument("--course", type=Path, metavar="FOLDER", help="one of your own")
    return parser.parse_args(arguments)


def build(root: Path, asked: dict[str, str | None], device: str | None) -> int:
    """Build the book in a folder; return the exit status."""
    started = time.perf_counter()
    build_folder = root / "_build"
    with exclusive(build_folder):
        book = read_book(root)
        check_bibliographies(root)
        basis = read_basis(root, asked, resolve_device(device))
        store = Store(root)
        fingerprints = {c.name: fingerprint_of(c, basis) for c in book.chapters}
        say(f"{basis.described}: {len(book.chapters)} chapters")
        failures = book.unreadable + execute_missing(book, basis, store, fingerprints)
        if failures:
            return report_failures(failures)
        executions = find_all(store, fingerprints)
        if write_pages(book, basis, executions):
            say("error: the pages are not written; the warnings above say why")
            return 1
        store.prune(fingerprints)
    say(f"done in {time.perf_counter() - started:.1f} s: {build_folder / 'html/index.html'}")
    return 0


def check_bibliographies(root: Path) -> None:
    """Check before chapters are executed what Sphinx would read only after them."""
    for name in sphinx_settings(root).get("bibtex_bibfiles") or []:
        if (root / name).is_file():  # what is none, Sphinx tells
            read_source(root / name)


def find_all(store: Store, fingerprints: dict[str, Fingerprint]) -> dict[str, Execution]:
    """Look up the execution of every chapter, each of which must be there."""
    found = {name: store.find(name, print) for name, print in fingerprints.items()}
    if gone := [name for name, execution in found.items() if execution is None]:
        raise BuildError(f"the execution of {gone[0]} cannot be read again: build once more")
    return {name: execution for name, execution in found.items() if execution is not None}


def execute_missing(
    book: Book, basis: Basis, store: Store, fingerprints: dict[str, Fingerprint]
) -> list[Failure]:
    """Execute the chapters that the store does not hold; return those that failed."""
    missing = [c for c in book.chapters if store.find(c.name, fingerprints[c.name]) is None]
    if not missing:
        say("every chapter is executed already")
        return []
    # Those with the most cells first, so that no long one is left to run alone at the end.
    missing.sort(key=lambda chapter: -len(chapter.code_cells))
    say("to execute: " + ", ".join(chapter.name for chapter in missing))
    check_installed(read_pins(book.root))
    workplace = Workplace(
        basis.snapshot.folder,
        {role: model.asked_for for role, model in basis.models.items()},
        basis.device,
        find_device(basis.device),
    )
    tasks = [make_task(chapter, basis) for chapter in missing]
    used = {role: basis.models[role] for task in tasks for role in task.roles}
    fetch_models(used, workplace)

    def keep(chapter: Chapter, executed: NotebookNode, record: dict) -> None:
        store.keep(chapter, fingerprints[chapter.name], executed, record)

    return execute_chapters(tasks, workplace, available_cores(), keep, say)


def make_task(chapter: Chapter, basis: Basis) -> Task:
    """Lay out for a chapter what its fingerprint holds, and nothing else."""
    packages = basis.snapshot.folder.parent / chapter.name.replace("/", "--")
    code = [cell.source for _, cell in chapter.code_cells]
    basis.snapshot.copy_for(basis.snapshot.files_for(code, chapter.data), packages)
    return Task(chapter, packages, roles_of(chapter.models, basis.models))


def report_failures(failures: list[Failure]) -> int:
    """Show what failed, each with its cell and traceback; return the exit status."""
    for failure in failures:
        where = f", {failure.where}" if failure.where else ""
        say(f"\n{'=' * 72}\nFAILED {failure.chapter}{where}\n{failure.what}\n{'-' * 40}")
        if failure.details:
            say(failure.details if sys.stdout.isatty() else COLORS.sub("", failure.details))
    names = ", ".join(failure.chapter for failure in failures)
    say(f"\nerror: failed: {names}. Chapters that succeeded stay in the cache.")
    return 1


if __name__ == "__main__":
    sys.exit(main())

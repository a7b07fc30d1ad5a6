"""Build the book: execute what is not executed yet, then write the pages.

    python -m tools.build_book [--model NAME] [--device cpu|cuda|mps|auto]

Pages are written into a fresh folder that replaces ``_build/html`` when all of them are done
and nothing was wrong: what is in ``_build/html`` always comes from a build that succeeded.
"""

import argparse
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from filelock import FileLock, Timeout
from packaging.requirements import InvalidRequirement, Requirement

from tools.chapters import Book, Chapter, Failure, read_book, sha256_of_text
from tools.errors import BuildError
from tools.execute import Workplace, execute_chapters, kernel_environment
from tools.fingerprint import (
    Fingerprint,
    available_cores,
    compute_fingerprint,
    find_device,
    has_weights,
    read_pins,
    resolve_device,
    sha256_of_file,
    take_snapshot,
)
from tools.in_page_model import add_in_page_model
from tools.store import Execution, Store, to_json

ROOT = Path(__file__).parent.parent
FETCH = "from layerwise.models import *; fetch_checkpoint(find_checkpoint())"
# Folders of _build that are replaced as a whole.
PUBLISHED = ("html", "executed")
COLORS = re.compile(r"\x1b\[[0-9;]*m")


def main(arguments: list[str] | None = None) -> int:
    """Build the book; return the exit status."""
    options = parse_arguments(arguments)
    try:
        return build(options.book.resolve(), options.model, options.device)
    except BuildError as error:
        say(f"error: {error}")
        return 1


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line; see ``--help``."""
    parser = argparse.ArgumentParser(prog="nox -s book --", description="Build the book.")
    add_common_options(parser)
    return parser.parse_args(arguments)


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which executions are meant."""
    parser.add_argument(
        "--model",
        default=os.environ.get("LAYERWISE_CHECKPOINT") or None,
        metavar="NAME",
        help="a checkpoint of src/layerwise/checkpoints.py; default: the first",
    )
    parser.add_argument(
        "--device",
        default=os.environ.get("LAYERWISE_DEVICE") or "auto",
        metavar="cpu|cuda|mps|auto",
        help="where chapters are executed; default: auto",
    )
    parser.add_argument(
        "--book", type=Path, default=ROOT, metavar="FOLDER", help="default: this one"
    )


def say(line: str) -> None:
    """Show a line at once, also when the output goes to a file."""
    print(line, flush=True)


def build(root: Path, model: str | None, device: str | None) -> int:
    """Build the book in a folder; return the exit status."""
    started = time.perf_counter()
    build_folder = root / "_build"
    with exclusive(build_folder):
        book = read_book(root)
        snapshot = take_snapshot(root, build_folder / ".packages")
        fingerprint = compute_fingerprint(root, snapshot, model, resolve_device(device))
        store = Store(root, fingerprint)
        say(
            f"{fingerprint.checkpoint} on {fingerprint.device}, "
            f"fingerprint {fingerprint.digest}: {len(book.chapters)} chapters"
        )
        failures = book.unreadable + execute_missing(book, store, snapshot.folder)
        if failures:
            return report_failures(failures)
        executions = {chapter.name: store.find(chapter.key) for chapter in book.chapters}
        store.write_index(list({e.key: e for e in executions.values()}.values()))
        if write_pages(book, store, executions):
            say("error: the pages are not written; the warnings above say why")
            return 1
        store.prune(list(executions.values()))
    say(f"done in {time.perf_counter() - started:.1f} s: {build_folder / 'html/index.html'}")
    return 0


@contextmanager
def exclusive(build_folder: Path) -> Iterator[None]:
    """Keep two builds of one book apart. The lock ends with its process, however that ends."""
    build_folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(build_folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("another build or cache command is at work on this book; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def execute_missing(book: Book, store: Store, packages: Path) -> list[Failure]:
    """Execute the chapters that the store does not hold; return those that failed."""
    missing = {c.key: c for c in book.chapters if store.find(c.key) is None}
    if not missing:
        say("every chapter is executed already")
        return []
    fingerprint = store.fingerprint
    # Those with the most cells first, so that no long one is left to run alone at the end.
    chapters = sorted(missing.values(), key=lambda chapter: -len(chapter.code_cells))
    say("to execute: " + ", ".join(chapter.name for chapter in chapters))
    check_installed(read_pins(book.root / "requirements.txt"))
    device_name = find_device(fingerprint.device)
    workplace = Workplace(packages, fingerprint.checkpoint, fingerprint.device, device_name)
    fetch_model(workplace)
    return execute_chapters(chapters, workplace, available_cores(), store.keep, say)


def fetch_model(workplace: Workplace) -> None:
    """Get the model onto this machine, once, before every chapter asks for it.

    Raises
    ------
    BuildError
        If it is not here and cannot be fetched.
    """
    if has_weights(workplace.packages, workplace.checkpoint):
        return
    say(f"fetching {workplace.checkpoint}")
    with kernel_environment(workplace):
        run = subprocess.run(
            [sys.executable, "-c", FETCH], capture_output=True, text=True, check=False
        )
    if run.returncode != 0:
        reason = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BuildError(
            f"chapters have to be executed, and their model cannot be had: {reason} Executions "
            "made where the model is can be used here: nox -s cache -- unpack FILE"
        )


def check_installed(pins: dict[str, str]) -> None:
    """Check that the libraries installed are those the fingerprint names.

    Raises
    ------
    BuildError
        If one is missing or of another version.
    """
    wrong = []
    for name, version in pins.items():
        try:
            requirement = Requirement(f"{name}=={version.partition(';')[0]}")
            installed = importlib.metadata.version(requirement.name)
        except (InvalidRequirement, importlib.metadata.PackageNotFoundError):
            installed = "not installed"
        # A build for one kind of machine, 2.13.0+cpu, is the same version.
        if installed.partition("+")[0] != version.partition(";")[0].strip():
            wrong.append(f"{name} is {installed}, requirements.txt pins {version}")
    if wrong:
        raise BuildError(
            "the environment is not the one that requirements.txt pins: "
            + "; ".join(wrong[:5])
            + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
            + ". Remove .venv and run nox again, or install requirements.txt"
        )


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


def write_executed_notebooks(
    book: Book, executions: dict[str, Execution], folder: Path
) -> None:
    """Write every chapter as an executed notebook, ``<folder>/chapters/tokens.ipynb``."""
    for chapter in book.chapters:
        path = folder / f"{chapter.name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(merge_outputs(chapter, executions[chapter.name]), path, version=4)


def merge_outputs(chapter: Chapter, execution: Execution) -> nbformat.NotebookNode:
    """Return a chapter's notebook, text and code, with the outputs of its execution."""
    metadata = {
        name: execution.notebook.metadata[name]
        for name in ("kernelspec", "language_info")
        if name in execution.notebook.metadata
    }
    notebook = nbformat.v4.new_notebook(metadata=metadata)
    executed = iter(execution.notebook.cells)
    for number, cell in enumerate(chapter.notebook.cells, start=1):
        cell = nbformat.from_dict(next(executed) if cell.cell_type == "code" else cell)
        cell["id"] = f"cell-{number}"
        notebook.cells.append(cell)
    return notebook


def summary(book: Book, fingerprint: Fingerprint, executions: dict[str, Execution]) -> dict:
    """Gather what the executions page and executions.json say."""
    model = fingerprint.parts["model"]
    return {
        "fingerprint": fingerprint.digest,
        "parts": {
            part: values if len(values) < 8 else sha256_of_text(to_json(values))
            for part, values in fingerprint.parts.items()
        },
        "model": model["checkpoint"],
        "revision": model["revision"],
        "weights_sha256": model["weights"],
        "device": fingerprint.device,
        "versions": fingerprint.parts["libraries"],
        "chapters": [
            {
                "name": chapter.name,
                "executed": executions[chapter.name].record["executed"],
                "seconds": executions[chapter.name].record["seconds"],
                "device": executions[chapter.name].record["device"],
                "python": executions[chapter.name].record["python"],
                "cells": len(chapter.code_cells),
            }
            for chapter in book.chapters
        ],
    }


def write_pages(book: Book, store: Store, executions: dict[str, Execution]) -> int:
    """Write pages and executed notebooks, and put them in place; return Sphinx's exit status.

    What Sphinx remembers of the last build is used only if that build came to its end and
    nothing that shapes a page without Sphinx's knowledge has changed since.
    """
    build_folder = book.root / "_build"
    workshop = build_folder / ".sphinx"
    finished = workshop / "finished"
    state = pages_state(book.root, store)
    if not finished.is_file() or finished.read_text("utf-8") != state:
        shutil.rmtree(workshop, ignore_errors=True)
    finished.unlink(missing_ok=True)
    for name in PUBLISHED:
        shutil.rmtree(workshop / name, ignore_errors=True)
        (workshop / name).mkdir(parents=True)
    # Beside the pages, where extensions find them.
    write_executed_notebooks(book, executions, workshop / "executed")
    record = workshop / "executions.json"
    record.write_text(to_json(summary(book, store.fingerprint, executions)), "utf-8")
    status = run_sphinx(book, store, record, workshop)
    if status == 0:
        # Sphinx's note to its next build, which begins in an empty folder; it holds paths.
        (workshop / "html" / ".buildinfo").unlink(missing_ok=True)
        add_in_page_model(book.root, store.fingerprint, workshop / "html", say)
        for name in PUBLISHED:
            put_in_place(workshop / name, build_folder / name)
        finished.write_text(state, "utf-8")
    return status


def pages_state(root: Path, store: Store) -> str:
    """Return a digest of what shapes every page: executions, settings, tools, libraries."""
    files = [*(root / "_ext").glob("*.py"), *Path(__file__).parent.glob("*.py")]
    files += [root / "_config.yml", root / "_toc.yml", root / "requirements.txt"]
    digests = {f"{path.parent.name}/{path.name}": sha256_of_file(path) for path in files}
    return sha256_of_text(to_json({"executions": str(store.folder), **digests}))


def run_sphinx(book: Book, store: Store, record: Path, workshop: Path) -> int:
    """Run Sphinx as Jupyter Book does; every warning is an error, nothing is executed.

    All pages are written, also those whose text did not change: their navigation may have.
    """
    import myst_nb.core.execute.cache
    from jupyter_book.sphinx import build_sphinx

    myst_nb.core.execute.cache.single_nb_execution = refuse_to_execute
    result = build_sphinx(
        book.root,
        workshop / "html",
        noconfig=True,
        path_config=book.root / "_config.yml",
        confoverrides={
            "external_toc_path": str(book.root / "_toc.yml"),
            "latex_individualpages": False,
            "nb_execution_mode": "cache",
            "nb_execution_cache_path": str(store.folder),
            "nb_execution_excludepatterns": [],
            "executions_record": str(record),
        },
        doctreedir=workshop / "doctrees",
        force_all=True,
        warningiserror=True,
        keep_going=True,
        quiet=True,
    )
    return 1 if isinstance(result, BaseException) else int(result)


def refuse_to_execute(*_, **__):
    """Stand in for MyST-NB's own executor: every execution was made and checked before."""
    raise RuntimeError("this page's execution is not in the cache: report this as a bug")


def put_in_place(new: Path, place: Path) -> None:
    """Replace a folder by another one."""
    old = place.with_name(f".{place.name}-before")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        os.replace(place, old)
    os.replace(new, place)
    shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

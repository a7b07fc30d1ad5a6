"""Build the book: execute what is not executed yet, then write the pages.

    python -m tools.book.build [--model NAME] [--device cpu|cuda|mps|auto]
"""

import argparse
import re
import sys
import time
from pathlib import Path

from tools.book.pages import write_pages
from tools.chapters import Book, Failure, read_book
from tools.desk import BuildError, add_common_options, exclusive, say
from tools.executions.devices import available_cores, find_device, resolve_device
from tools.executions.environment import Workplace, check_installed, read_pins
from tools.executions.fingerprint import compute_fingerprint, take_snapshot
from tools.executions.kernels import execute_chapters
from tools.executions.model import fetch_model
from tools.executions.store import Store

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

"""Look after the cache of executions.

    nox -s cache -- status          what is fresh, stale or missing, and why
    nox -s cache -- pack FILE       put the executions of the book into a file
    nox -s cache -- unpack FILE     take over executions made on another machine
    nox -s cache -- fingerprint     what names the cache, for instance in CI

``--encoder``, ``--decoder`` and ``--device`` say which executions are meant, as for the book.
"""

import argparse
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tools.chapters import Book, Chapter, read_book
from tools.desk import (
    BuildError,
    add_common_options,
    exclusive,
    models_asked_for,
    run_command,
    say,
    sha256_of_text,
    to_json,
)
from tools.executions.devices import resolve_device
from tools.executions.fingerprint import Basis, Fingerprint, fingerprint_of, read_basis
from tools.executions.pack import pack, unpack
from tools.executions.store import Execution, Store, device_and_models


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = parse_arguments(arguments)
    root = options.book.resolve()

    def run() -> int:
        with exclusive(root / "_build"):
            basis = read_basis(root, models_asked_for(options), resolve_device(options.device))
            return COMMANDS[options.command](read_book(root), basis, options)

    return run_command(run)


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line; see ``--help``."""
    parser = argparse.ArgumentParser(
        prog="nox -s cache --", description="Look after the cache of executions."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, needs_file, purpose in [
        ("status", False, "say which chapters are fresh, stale or missing, and why"),
        ("pack", True, "put the executions of the book into FILE"),
        ("unpack", True, "take over the executions in FILE"),
        ("fingerprint", False, "print one fingerprint for all chapters"),
    ]:
        command = commands.add_parser(name, help=purpose, description=purpose)
        if needs_file:
            command.add_argument("file", type=Path, metavar="FILE")
        add_common_options(command)
    return parser.parse_args(arguments)


class State(NamedTuple):
    """What the cache holds of a chapter."""

    state: str  # fresh, stale, missing
    details: str


def state_of(chapter: Chapter, basis: Basis, store: Store) -> State:
    """Find out whether a chapter's execution is there, and if not, why not."""
    fingerprint = fingerprint_of(chapter, basis)
    if (execution := store.find(chapter.name, fingerprint)) is not None:
        record = execution.record
        seconds, when, device = (record[name] for name in ("seconds", "executed", "device"))
        return State("fresh", f"{seconds:>7.1f} s  {when}  {device}")
    for earlier in store.earlier(chapter.name):
        if device_and_models(earlier.fingerprint) == device_and_models(fingerprint):
            reasons = fingerprint.differences(earlier.fingerprint)
            more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
            return State("stale", "; ".join(reasons[:3]) + more)
    return State("missing", "never executed with this model on this device")


def status(book: Book, basis: Basis, _) -> int:
    """Show, for each chapter, whether its execution is fresh, stale or missing."""
    store = Store(book.root)
    say(basis.described)
    for failure in book.unreadable:
        say(f"{failure.chapter:<28} unreadable  {failure.what}")
    for chapter in book.chapters:
        state = state_of(chapter, basis, store)
        say(f"{chapter.name:<28} {state.state:<10}  {state.details}")
    return 1 if book.unreadable else 0


def pack_command(book: Book, basis: Basis, options: argparse.Namespace) -> int:
    """Put the executions of every chapter into a file."""
    store = Store(book.root)
    executions = {
        chapter.name: store.find(chapter.name, fingerprint_of(chapter, basis))
        for chapter in book.chapters
    }
    missing = [name for name, execution in executions.items() if execution is None]
    missing += [failure.chapter for failure in book.unreadable]
    if missing or not executions:  # a site could not be built from such a pack
        names = ", ".join(missing) or "any chapter"
        raise BuildError(f"no execution of {names}: run nox -s book first")
    pack(store, [e for e in executions.values() if e is not None], options.file)
    say(f"packed {len(executions)} executions on {basis.device} into {options.file}")
    return 0


def unpack_command(book: Book, basis: Basis, options: argparse.Namespace) -> int:
    """Take over the executions in a file."""
    chapters = {chapter.name: chapter for chapter in book.chapters}
    asked = {role: model for role, model in models_asked_for(options).items() if model}

    @cache  # the executions of a pack were made on the same models, whose files are large
    def basis_here(device: str, models: tuple[tuple[str, str], ...]) -> Basis:
        return read_basis(book.root, dict(models) | asked, device)

    def fingerprint_here(execution: Execution) -> Fingerprint | None:
        chapter, made = chapters.get(execution.record["chapter"]), execution.fingerprint
        models = tuple(sorted(made.models.items()))
        return chapter and fingerprint_of(chapter, basis_here(made.device, models))

    executions = unpack(Store(book.root), options.file, fingerprint_here)
    device = executions[0].fingerprint.device
    models = {r: m for e in executions for r, m in e.fingerprint.models.items()}
    roles = [role for role in models_asked_for(options) if role in models]
    named = "".join(f" --{role} {models[role]}" for role in roles)
    say(
        f"unpacked {len(executions)} executions on {device}. Build from them with: nox -s book "
        f"-- --device {device}{named}"
    )
    return 0


def print_fingerprint(book: Book, basis: Basis, _) -> int:
    """Print sixteen digits that stand for the fingerprints of all chapters."""
    digests = {chapter.name: fingerprint_of(chapter, basis).digest for chapter in book.chapters}
    say(sha256_of_text(to_json(digests))[:16])
    return 0


COMMANDS = {
    "status": status,
    "pack": pack_command,
    "unpack": unpack_command,
    "fingerprint": print_fingerprint,
}

if __name__ == "__main__":
    sys.exit(main())

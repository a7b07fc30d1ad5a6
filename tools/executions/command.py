"""Look after the cache of executions.

    nox -s cache -- status          what is fresh, stale or missing, and why
    nox -s cache -- pack FILE       put the executions of the book into a file
    nox -s cache -- unpack FILE     take over executions made on another machine
    nox -s cache -- fingerprint     what names the cache, for instance in CI

``--model`` and ``--device`` say which executions are meant, as for the book.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

from tools.chapters import Book, Chapter, read_book
from tools.desk import BuildError, add_common_options, exclusive, say
from tools.executions.devices import resolve_device
from tools.executions.fingerprint import Fingerprint, compute_fingerprint, take_snapshot
from tools.executions.pack import pack, unpack
from tools.executions.store import Store


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = parse_arguments(arguments)
    root = options.book.resolve()
    try:
        with exclusive(root / "_build"):
            return COMMANDS[options.command](root, options)
    except BuildError as error:
        say(f"error: {error}")
        return 1


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
        ("fingerprint", False, "print the fingerprint"),
    ]:
        command = commands.add_parser(name, help=purpose, description=purpose)
        if needs_file:
            command.add_argument("file", type=Path, metavar="FILE")
        add_common_options(command)
    return parser.parse_args(arguments)


def fingerprint_of(root: Path, model: str | None, device: str | None) -> Fingerprint:
    """Compute the fingerprint of a checkout for a model and a device."""
    snapshot = take_snapshot(root, root / "_build" / ".packages")
    return compute_fingerprint(root, snapshot, model, resolve_device(device))


class State(NamedTuple):
    """What the cache holds of a chapter."""

    chapter: str
    state: str  # fresh, stale, missing
    reasons: list[str]
    seconds: float | None = None
    executed: str = ""
    device: str = ""


def state_of(chapter: Chapter, store: Store, earlier: list[Store]) -> State:
    """Find out whether a chapter's execution is there, and if not, why not."""
    execution = store.find(chapter.key)
    if execution is not None:
        record = execution.record
        return State(
            chapter.name, "fresh", [], record["seconds"], record["executed"], record["device"]
        )
    if chapter_was_executed(chapter, store):
        return State(chapter.name, "stale", ["chapter: its code changed"])
    for other in earlier:
        same_code = other.find(chapter.key) is not None
        if same_code or chapter_was_executed(chapter, other):
            reasons = store.fingerprint.differences(other.fingerprint)
            if not same_code:
                reasons.append("chapter: its code changed")
            return State(chapter.name, "stale", reasons)
    return State(chapter.name, "missing", ["never executed with this model on this device"])


def chapter_was_executed(chapter: Chapter, store: Store) -> bool:
    """Tell whether a store holds an execution of a chapter, whatever its code was."""
    return chapter.name in {execution.record["chapter"] for execution in store.all()}


def status(root: Path, options: argparse.Namespace) -> int:
    """Show, for each chapter, whether its execution is fresh, stale or missing."""
    book = read_book(root)
    store = Store(root, fingerprint_of(root, options.model, options.device))
    earlier = store.earlier()
    say(
        f"model {store.fingerprint.checkpoint}, device {store.fingerprint.device}, "
        f"fingerprint {store.fingerprint.digest}"
    )
    for failure in book.unreadable:
        say(f"{failure.chapter:<28} unreadable  {failure.what}")
    for chapter in book.chapters:
        state = state_of(chapter, store, earlier)
        if state.state == "fresh":
            details = f"{state.seconds:>7.1f} s  {state.executed}  {state.device}"
        else:
            details = "; ".join(state.reasons[:3])
            if len(state.reasons) > 3:
                details += f"; and {len(state.reasons) - 3} more"
        say(f"{chapter.name:<28} {state.state:<10}  {details}")
    return 1 if book.unreadable else 0


def pack_command(root: Path, options: argparse.Namespace) -> int:
    """Put the executions of every chapter into a file."""
    book = read_book(root)
    store = Store(root, fingerprint_of(root, options.model, options.device))
    executions = {chapter.key: store.find(chapter.key) for chapter in book.chapters}
    check_complete(book, executions)
    pack(store, list(executions.values()), options.file)
    say(
        f"packed {len(executions)} executions on {store.fingerprint.device}, fingerprint "
        f"{store.fingerprint.digest}, into {options.file}"
    )
    return 0


def check_complete(book: Book, executions: dict) -> None:
    """Check that there is an execution for every chapter.

    Raises
    ------
    BuildError
        If one is missing: a site could not be built from such a pack.
    """
    missing = [chapter.name for chapter in book.chapters if executions[chapter.key] is None]
    missing += [failure.chapter for failure in book.unreadable]
    if missing or not executions:
        names = ", ".join(missing) or "any chapter"
        raise BuildError(f"no execution of {names}: run nox -s book first")


def unpack_command(root: Path, options: argparse.Namespace) -> int:
    """Take over the executions in a file."""
    store, count = unpack(
        root, options.file, lambda model, device: fingerprint_of(root, model, device)
    )
    fingerprint = store.fingerprint
    say(
        f"unpacked {count} executions, fingerprint {fingerprint.digest}. Build from them with: "
        f"nox -s book -- --model {fingerprint.checkpoint} --device {fingerprint.device}"
    )
    return 0


def print_fingerprint(root: Path, options: argparse.Namespace) -> int:
    """Print what names the folder of the cache."""
    fingerprint = fingerprint_of(root, options.model, options.device)
    say(fingerprint.digest)
    return 0


COMMANDS = {
    "status": status,
    "pack": pack_command,
    "unpack": unpack_command,
    "fingerprint": print_fingerprint,
}

if __name__ == "__main__":
    sys.exit(main())

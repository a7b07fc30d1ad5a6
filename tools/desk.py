"""What all tools share: where the book is, its lock, options, digests, JSON, the one error."""

import argparse
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

ROOT = Path(__file__).parent.parent


class BuildError(Exception):
    """Something is wrong that the reader of the message can put right; no traceback helps."""


def say(line: str) -> None:
    """Show a line at once, also when the output goes to a file."""
    print(line, flush=True)


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


def sha256_of_text(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return a file's SHA-256 as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_json(value) -> str:
    """Return JSON text that is the same for the same value."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that it is never seen half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, "utf-8")
    os.replace(draft, path)

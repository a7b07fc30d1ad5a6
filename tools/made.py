"""Folders that a command makes whole, and knows again, so that nothing of others' goes."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.desk import BuildError, read_record, sha256_of_file, to_json

RECORD = ".made.json"  # what a command wrote, with digests
FROM_PROGRAMS = {".ipynb_checkpoints", "__pycache__", ".DS_Store", "Thumbs.db", "desktop.ini"}


@contextmanager
def made_whole(target: Path, remedy: str = "") -> Iterator[Path]:
    """Lend a folder to make, which takes the target's place if that holds nothing of others."""
    target = target.resolve()
    if others := tell_others(target, remedy):
        raise BuildError(others)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as workshop:
        draft = Path(workshop, "made")
        yield draft
        made = {path.relative_to(draft).as_posix(): sha256_of_file(path)
                for path in files_in(draft)}  # fmt: skip
        (draft / RECORD).write_text(to_json(made), "utf-8")
        put_in_place(draft, target)


def files_in(folder: Path) -> list[Path]:
    """List the files of a folder, without what Jupyter, Python and systems leave in it."""
    return [path for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != RECORD
            and not FROM_PROGRAMS & set(path.relative_to(folder).parts)]  # fmt: skip


def tell_others(target: Path, remedy: str = "") -> str:
    """Say that a folder holds files that were not made here, or were changed, if it does."""
    if target.is_file():
        return f"{target} is a file where a folder is needed: move it away"
    made = read_record(target / RECORD)
    names = {path.relative_to(target).as_posix(): path for path in files_in(target)}
    others = [name for name, path in names.items() if made.get(name) != sha256_of_file(path)]
    if not others:
        return ""
    return (
        f"{target} holds {len(others)} files that this command did not make, or that were "
        f"changed since, {others[0]} first: move the folder away{remedy}"
    )


def put_in_place(new: Path, place: Path) -> None:
    """Replace a folder by another one; interrupted in between, put the old one back."""
    old = place.with_name(f".{place.name}-before")
    if place.is_file():
        raise BuildError(f"{place} is a file where a folder is needed: move it away")
    shutil.rmtree(old, ignore_errors=True)
    try:
        if place.exists():
            os.replace(place, old)
        os.replace(new, place)
    except BaseException:
        if old.exists() and not place.exists():
            os.replace(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)

"""Keep executions: a folder for each chapter, and in it one for each fingerprint.

    .jupyter_cache/chapters--tokens/3f2a91c0b7d4e865/
        base.ipynb       the executed notebook, as jupyter-cache keeps it
        execution.json   when, on what, how long; what it rests on; the notebook's digest

An execution appears in one rename, complete, and is checked whenever it is looked up. For
Sphinx the executions of a build are laid out anew as jupyter-cache's own folder, whose index
MyST-NB looks up: a database that a killed build left half-written is never read.
"""

import base64
import datetime
import json
import math
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import jupyter_cache.cache.db
import nbformat
from jupyter_cache import get_cache
from jupyter_cache.cache.db import NbCacheRecord
from nbformat import NotebookNode
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError

from tools.chapters import Chapter, hashed_notebook
from tools.desk import BuildError, sha256_of_text, to_json
from tools.executions.fingerprint import Fingerprint

CACHE_FOLDER = ".jupyter_cache"
NOTEBOOK, RECORD = "base.ipynb", "execution.json"
# Executions under earlier fingerprints that stay, so that going back to a branch runs nothing.
EARLIER_KEPT = 5
TYPES: dict[str, type] = {
    "chapter": str, "executed": str, "seconds": float, "device": str, "instructions": str,
    "python": str, "sha256": str, "fingerprint": dict,
}  # fmt: skip


class Execution(NamedTuple):
    """An execution that the cache holds, whole and checked.

    Attributes
    ----------
    notebook : NotebookNode
        The code cells with their outputs.
    record : dict
        ``chapter``, ``executed`` (UTC, ISO 8601), ``seconds``, ``device``, ``instructions``
        (the processor's), ``python``, ``fingerprint`` (its parts), ``sha256`` of the
        notebook's file.
    """

    notebook: NotebookNode
    record: dict

    @property
    def fingerprint(self) -> Fingerprint:
        """What it rests on."""
        return Fingerprint(self.record["fingerprint"])

    @property
    def key(self) -> str:
        """jupyter-cache's digest of kernel and code cells."""
        return self.record["fingerprint"]["code"]["cells"]


class Store:
    """The executions of a book."""

    def __init__(self, root: Path):
        self.folder = root / CACHE_FOLDER

    def place(self, chapter: str, fingerprint: Fingerprint) -> Path:
        """Return the folder of a chapter's execution."""
        return self.folder / slug(chapter) / fingerprint.digest

    def find(self, chapter: str, fingerprint: Fingerprint) -> Execution | None:
        """Look an execution up; None if there is none, or if its files are damaged."""
        return read_execution(self.place(chapter, fingerprint))

    def keep(
        self, chapter: Chapter, fingerprint: Fingerprint, executed: NotebookNode, record: dict
    ) -> None:
        """Add an execution, so that it is there as a whole or not at all."""
        code, _ = hashed_notebook(executed)
        text = nbformat.writes(code, nbformat.NO_CONVERT)
        record = {
            "chapter": chapter.name, **record,
            "fingerprint": fingerprint.parts, "sha256": sha256_of_text(text),
        }  # fmt: skip
        self.put(self.place(chapter.name, fingerprint), text, to_json(record))

    def put(self, place: Path, notebook: str, record: str) -> None:
        """Write the two files of an execution, in one rename."""
        draft = place.with_name(f".{place.name}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        (draft / NOTEBOOK).write_text(notebook, "utf-8")
        (draft / RECORD).write_text(record, "utf-8")
        shutil.rmtree(place, ignore_errors=True)
        os.replace(draft, place)

    def folders(self, chapter: str) -> list[Path]:
        """Return the folders of a chapter's executions, the last used first."""
        found = [path for path in (self.folder / slug(chapter)).glob("*") if path.is_dir()]
        return sorted(found, key=lambda folder: folder.stat().st_mtime, reverse=True)

    def earlier(self, chapter: str) -> list[Execution]:
        """Return a chapter's executions under any fingerprint, the last used first."""
        found = [read_execution(folder) for folder in self.folders(chapter)]
        return [execution for execution in found if execution is not None]

    def prune(self, used: dict[str, Fingerprint]) -> None:
        """Note what a build used; of each chapter, models and device keep the last few."""
        for chapter, fingerprint in used.items():
            os.utime(self.place(chapter, fingerprint))
            seen: Counter = Counter()
            for folder in self.folders(chapter):
                execution = read_execution(folder)
                made_on = device_and_models(execution.fingerprint) if execution else ()
                seen[made_on] += 1
                if execution is None or seen[made_on] > 1 + EARLIER_KEPT:
                    shutil.rmtree(folder, ignore_errors=True)
        for folder in self.folder.glob("*"):
            if folder.name not in {slug(chapter) for chapter in used}:
                shutil.rmtree(folder, ignore_errors=True)


def slug(chapter: str) -> str:
    """Return the folder's name for a chapter."""
    return chapter.replace("/", "--")


def device_and_models(fingerprint: Fingerprint) -> tuple[str, ...]:
    """Return what an execution was made on: those made on something else lie apart."""
    return (fingerprint.device, *sorted(fingerprint.models.values()))


def read_execution(folder: Path) -> Execution | None:
    """Read an execution and check it; None if anything about it is wrong."""
    try:
        record = (folder / RECORD).read_text("utf-8")
        notebook = (folder / NOTEBOOK).read_text("utf-8")
    except (OSError, ValueError):
        return None
    execution = check_execution(folder.name, notebook, record)
    of_chapter = execution and slug(execution.record["chapter"]) == folder.parent.name
    return execution if of_chapter else None


def check_execution(digest: str, notebook: str, record: str) -> Execution | None:
    """Make an execution of the texts of its two files; None if anything about it is wrong."""
    try:
        told = json.loads(record)
        if told.keys() != TYPES.keys() or told["sha256"] != sha256_of_text(notebook):
            return None
        execution = Execution(nbformat.reads(notebook, nbformat.NO_CONVERT), told)
        check_record(told)
        check_notebook(execution.notebook)
        right = (
            execution.fingerprint.digest == digest
            and hashed_notebook(execution.notebook)[1] == execution.key
            and device_and_models(execution.fingerprint) != ()
        )
    except Exception:  # a record may hold any JSON whatever, and be wrong in any way
        return None
    return execution if right else None


def check_record(told: dict) -> None:
    """Raise ValueError if a value of a record is of another type, or impossible."""
    to_json(told).encode()  # half a character, as JSON can hold, could not be written
    parts = told["fingerprint"].values()
    if any(not isinstance(told[name], kind) for name, kind in TYPES.items()):
        raise ValueError("a value is of another type")
    if not all(isinstance(part, dict) for part in parts):
        raise ValueError("a part of the fingerprint is no table")
    if not all(isinstance(value, str) for part in parts for value in part.values()):
        raise ValueError("a part of the fingerprint is no text")
    if not 0 <= told["seconds"] < math.inf:
        raise ValueError("it took a time that does not exist")
    if datetime.datetime.fromisoformat(told["executed"]).tzinfo is None:
        raise ValueError("the time is not UTC")


def check_notebook(notebook: NotebookNode) -> None:
    """Check that a page can be made from a notebook."""
    nbformat.validate(notebook)
    nbformat.writes(notebook, nbformat.NO_CONVERT).encode()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for name, value in output.get("data", {}).items():
                if name in ("image/png", "image/jpeg"):
                    base64.b64decode("".join(value.split()), validate=True)


def lay_out_for_sphinx(executions: list[Execution], folder: Path) -> None:
    """Lay executions out as jupyter-cache's folder, from nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    jupyter_cache.cache.db.create_engine = engine_of
    try:
        fill_cache(get_cache(str(folder)), executions, folder)
    except SQLAlchemyError as error:
        raise BuildError(f"{folder} cannot be written, is the disk full? ({error})") from error


def engine_of(address: str) -> Engine:
    """Open the index of jupyter-cache, which takes a "?" in a path for the path's end."""
    path = address.removeprefix("sqlite:///")
    return create_engine(URL.create("sqlite", database=path))


def fill_cache(cache, executions: list[Execution], folder: Path) -> None:
    """Add each execution to jupyter-cache's files and to its index."""
    by_key: dict[str, Execution] = {}
    for execution in executions:
        other = by_key.setdefault(execution.key, execution)
        if other is not execution:
            if other.notebook != execution.notebook:
                names = f"{other.record['chapter']} and {execution.record['chapter']}"
                raise BuildError(f"{names} have the same code and other outputs: change a cell")
            continue
        place = folder / "executed" / execution.key / NOTEBOOK
        place.parent.mkdir(parents=True)
        place.write_text(nbformat.writes(execution.notebook, nbformat.NO_CONVERT), "utf-8")
        NbCacheRecord.create_record(
            uri=execution.record["chapter"],
            hashkey=execution.key,
            db=cache.db,
            data={"execution_seconds": execution.record["seconds"]},
            created=datetime.datetime.fromisoformat(execution.record["executed"]),
        )
    cache.db.dispose()

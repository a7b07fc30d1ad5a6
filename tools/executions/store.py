"""Keep executions: one folder for each checkpoint, device and fingerprint.

    .jupyter_cache/sentence-transformers--all-MiniLM-L6-v2-cpu/3f2a.../
        fingerprint.json            what these executions rest on, part by part
        executed/<key>/base.ipynb   an executed notebook, as jupyter-cache keeps it
        executed/<key>/execution.json   when, on what, how long; the notebook's digest
        global.db                   jupyter-cache's index, which MyST-NB looks up

The files are the truth and the index is derived from them, anew for each build: a database that
a killed build left half-written is never read. A notebook appears under ``executed`` in one
rename, complete, and is checked whenever it is looked up.
"""

import datetime
import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.cache.db import NbCacheRecord
from nbformat import NotebookNode

from tools.chapters import Chapter, hashed_notebook
from tools.desk import sha256_of_text, to_json, write_atomically
from tools.executions.fingerprint import Fingerprint

CACHE_FOLDER = ".jupyter_cache"
NOTEBOOK, RECORD = "base.ipynb", "execution.json"
# Folders of earlier fingerprints that stay, so that going back to a branch executes nothing.
EARLIER_KEPT = 5


class Execution(NamedTuple):
    """An execution that the cache holds, whole and checked.

    Attributes
    ----------
    key : str
        jupyter-cache's digest of kernel and code cells.
    notebook : NotebookNode
        The code cells with their outputs.
    record : dict
        ``chapter``, ``executed`` (UTC, ISO 8601), ``seconds``, ``device``, ``python``,
        ``sha256`` of the notebook's file.
    """

    key: str
    notebook: NotebookNode
    record: dict


class Store:
    """The executions of one checkpoint on one device under one fingerprint."""

    def __init__(self, root: Path, fingerprint: Fingerprint):
        self.fingerprint = fingerprint
        self.family = root / CACHE_FOLDER / family_name(fingerprint)
        self.folder = self.family / fingerprint.digest

    def find(self, key: str) -> Execution | None:
        """Look an execution up; None if there is none, or if its files are damaged."""
        return read_execution(self.folder / "executed" / key)

    def all(self) -> list[Execution]:
        """Return every execution, of whatever code; the order has no meaning."""
        found = [read_execution(folder) for folder in (self.folder / "executed").glob("*")]
        return [execution for execution in found if execution is not None]

    def keep(self, chapter: Chapter, executed: NotebookNode, record: dict) -> None:
        """Add an execution, so that it is there as a whole or not at all.

        Parameters
        ----------
        chapter : Chapter
        executed : NotebookNode
            The chapter's notebook with its outputs.
        record : dict
            See :class:`Execution`; the digest is added here.
        """
        code, key = hashed_notebook(executed)
        text = nbformat.writes(code, nbformat.NO_CONVERT)
        record = {"chapter": chapter.name, **record, "sha256": sha256_of_text(text)}
        draft = self.folder / "executed" / f".{key}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        (draft / NOTEBOOK).write_text(text, "utf-8")
        (draft / RECORD).write_text(to_json(record), "utf-8")
        place = self.folder / "executed" / key
        shutil.rmtree(place, ignore_errors=True)
        os.replace(draft, place)
        self.describe()

    def describe(self) -> None:
        """Write down what these executions rest on, and that they are in use."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / "fingerprint.json", to_json(self.fingerprint.parts))

    def write_index(self, executions: list[Execution]) -> None:
        """Write jupyter-cache's database, from nothing."""
        self.describe()
        for leftover in self.folder.glob("global.db*"):
            leftover.unlink()
        cache = get_cache(str(self.folder))
        for execution in executions:
            NbCacheRecord.create_record(
                uri=execution.record["chapter"],
                hashkey=execution.key,
                db=cache.db,
                data={"execution_seconds": execution.record["seconds"]},
                created=datetime.datetime.fromisoformat(execution.record["executed"]),
            )
        cache.db.dispose()

    def earlier(self) -> list["Store"]:
        """Return the stores of this model's and device's other fingerprints, latest first."""
        stores = []
        for folder in self.family.glob("*"):
            fingerprint = read_fingerprint(folder)
            if fingerprint is not None and folder != self.folder:
                store = Store(self.family.parent.parent, fingerprint)
                store.folder = folder
                stores.append(store)
        return sorted(stores, key=lambda store: store.last_used, reverse=True)

    @property
    def last_used(self) -> float:
        """When a build last used these executions, in seconds since the epoch."""
        return (self.folder / "fingerprint.json").stat().st_mtime

    def prune(self, executions: list[Execution]) -> None:
        """Remove executions of code that is no longer in the book, and old fingerprints."""
        wanted = {execution.key for execution in executions}
        for folder in (self.folder / "executed").glob("*"):
            if folder.name not in wanted:
                shutil.rmtree(folder, ignore_errors=True)
        known = {self.folder, *(store.folder for store in self.earlier()[:EARLIER_KEPT])}
        for folder in self.family.glob("*"):
            if folder not in known:
                shutil.rmtree(folder, ignore_errors=True)


def family_name(fingerprint: Fingerprint) -> str:
    """Return the folder's name for a checkpoint and device."""
    return f"{fingerprint.checkpoint.replace('/', '--')}-{fingerprint.device}"


def read_fingerprint(folder: Path) -> Fingerprint | None:
    """Read what the executions in a folder rest on; None if it does not say."""
    try:
        fingerprint = Fingerprint(json.loads((folder / "fingerprint.json").read_text("utf-8")))
        family_name(fingerprint)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return fingerprint


def read_execution(folder: Path) -> Execution | None:
    """Read an execution and check it; None if anything about it is wrong."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        text = (folder / NOTEBOOK).read_text("utf-8")
        if record["sha256"] != sha256_of_text(text):
            return None
        notebook = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
        datetime.datetime.fromisoformat(record["executed"])
        complete = {"chapter", "executed", "seconds", "device", "python"} <= record.keys()
        if not complete or hashed_notebook(notebook)[1] != folder.name:
            return None
    except (OSError, ValueError, KeyError, AttributeError, nbformat.ValidationError):
        return None
    return Execution(folder.name, notebook, record)

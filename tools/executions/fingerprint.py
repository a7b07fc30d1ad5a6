"""Say what the execution of a chapter rests on, exactly: its fingerprint.

An output in a page is as old as the code, data, libraries and models that made it. The
fingerprint of a chapter is a digest of those that it uses; an execution made under another one
is never shown.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from tools.chapters import Chapter
from tools.executions.environment import read_pins
from tools.executions.models import Model, find_models, roles_of
from tools.executions.snapshot import Snapshot, take_snapshot

# Raise it when executions are stored or prepared in another way: all are made again.
FORMAT = 3


class Fingerprint:
    """What an execution rests on: parts, each naming things and the state they are in.

    Attributes
    ----------
    parts : dict of str to dict of str to str
        For instance ``{"package": {"src/layerwise/pooling.py": "9f86d08..."}, ...}``.
    """

    def __init__(self, parts: dict[str, dict[str, str]]):
        self.parts = parts

    @cached_property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that stand for all parts."""
        text = json.dumps(self.parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def device(self) -> str:
        """The type of device: cpu, cuda or mps."""
        return self.parts["device"]["type"]

    @property
    def models(self) -> dict[str, str]:
        """The checkpoint of each role that it names."""
        return {r: p["checkpoint"] for r, p in self.parts.items() if "checkpoint" in p}

    def differences(self, other: "Fingerprint", other_is: str = "before") -> list[str]:
        """Name what differs, part by part and thing by thing.

        Parameters
        ----------
        other_is : str
            What to call the other one.

        Returns
        -------
        list of str
            For instance ``["libraries: numpy 2.4.6 (before 2.4.5)"]``.
        """
        found = []
        if self.parts.get("code") != other.parts.get("code"):
            found.append("chapter: its code changed")
        for part in sorted((self.parts.keys() | other.parts.keys()) - {"code"}):
            ours, theirs = self.parts.get(part, {}), other.parts.get(part, {})
            for name in sorted(ours.keys() | theirs.keys()):
                if ours.get(name) != theirs.get(name):
                    difference = describe(ours.get(name), theirs.get(name), other_is)
                    found.append(f"{part}: {name} {difference}")
        return found


def describe(ours: str | None, theirs: str | None, other_is: str) -> str:
    """Put one difference into words."""
    if theirs is None:
        return f"is new (not there {other_is})"
    if ours is None:
        return f"is missing (there {other_is})"
    if len(ours) == len(theirs) == 64:  # digests say nothing to a reader
        return "differs"
    return f"{ours} ({other_is} {theirs})"


class Basis(NamedTuple):
    """What the executions of a whole book can rest on, read once for a build.

    Attributes
    ----------
    snapshot : Snapshot
        The package and its data, as they were when the build began.
    models : dict of str to Model
        The checkpoint that stands for each role.
    common : dict of str to dict of str to str
        The parts that every chapter's fingerprint has, the device among them.
    """

    snapshot: Snapshot
    models: dict[str, Model]
    common: dict[str, dict[str, str]]

    @property
    def device(self) -> str:
        """The type of device: cpu, cuda or mps."""
        return self.common["device"]["type"]

    @property
    def described(self) -> str:
        """On what models and device chapters are executed, in words."""
        names = [
            model.name + ("" if model.known else " (not on the book's list: unverified)")
            for model in self.models.values()
        ]
        return f"{', '.join(names)} on {self.device}"


def read_basis(root: Path, asked: Mapping[str, str | None], device: str) -> Basis:
    """Read what executions rest on; needs neither the device nor torch, nor the models.

    Parameters
    ----------
    root : Path
        The book.
    asked : dict of str to str or None
        For each role, the checkpoint to use; None for the book's own.
    device : {"cpu", "cuda", "mps"}
    """
    snapshot = take_snapshot(root, root / "_build" / ".packages" / "all")
    common = {
        "libraries": read_pins(root),
        # Releases that fix bugs, 3.11.7 or 3.11.9, share executions: the machine with the
        # device is seldom the one that builds the pages.
        "python": {"version": ".".join(platform.python_version_tuple()[:2])},
        "device": {"type": device},
        "executions": {"format": str(FORMAT)},
    }
    return Basis(snapshot, find_models(snapshot.folder, asked), common)


def fingerprint_of(chapter: Chapter, basis: Basis) -> Fingerprint:
    """Compute the fingerprint of a chapter: its code, and what that code uses."""
    code = [cell.source for _, cell in chapter.code_cells]
    return fingerprint_of_code(code, chapter.key, chapter.models, chapter.data, basis)


def fingerprint_of_code(
    code: list[str],
    key: str,
    roles: tuple[str, ...] | None,
    data: tuple[str, ...] | None,
    basis: Basis,
) -> Fingerprint:
    """Compute the fingerprint of code that names some models and data sets; None is all."""
    files = basis.snapshot.files_for(code, data)
    of_data = {name: digest for name, digest in files.items() if name.startswith("data/")}
    of_package = {name: digest for name, digest in files.items() if name not in of_data}
    models = {role: basis.models[role].part for role in roles_of(roles, basis.models)}
    return Fingerprint(
        {"code": {"cells": key}, "package": of_package, "data": of_data, **models}
        | basis.common
    )

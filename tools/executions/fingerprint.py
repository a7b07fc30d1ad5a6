"""Say what the executions of the book rest on, exactly: its fingerprint.

An output in a page is as old as the code, data, libraries and model that made it. The
fingerprint is a digest of all of them; executions made under another one are never shown.
"""

import hashlib
import json
import platform
import shutil
import tomllib
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from tools.desk import BuildError, sha256_of_file
from tools.executions.environment import read_pins
from tools.executions.model import model_part

# Raise it when executions are stored or prepared in another way: all are made again.
FORMAT = 1


class Fingerprint:
    """What executions rest on: parts, each a mapping from the names of things to their state.

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
    def checkpoint(self) -> str:
        """The name of the model."""
        return self.parts["model"]["checkpoint"]

    @property
    def device(self) -> str:
        """The type of device: cpu, cuda or mps."""
        return self.parts["device"]["type"]

    def differences(self, other: "Fingerprint", other_is: str = "before") -> list[str]:
        """Name what differs, part by part and thing by thing.

        Parameters
        ----------
        other : Fingerprint
        other_is : str
            What to call the other one.

        Returns
        -------
        list of str
            For instance ``["libraries: numpy 2.4.6 (before 2.4.5)"]``.
        """
        found = []
        for part in sorted(self.parts.keys() | other.parts.keys()):
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


class Snapshot(NamedTuple):
    """A copy of the packages that chapters import, and what it was copied from.

    Chapters run on this copy: what is edited while they run cannot get into executions of the
    fingerprint that was computed before.
    """

    folder: Path
    files: dict[str, str]  # source file, relative to the book -> SHA-256


def package_folders(root: Path) -> dict[str, Path]:
    """Return the packages that pyproject.toml installs, and the folder of each.

    Raises
    ------
    BuildError
        If pyproject.toml does not say.
    """
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    try:
        folders = settings["tool"]["setuptools"]["package-dir"]
    except KeyError:
        raise BuildError(
            f"{root / 'pyproject.toml'} has no [tool.setuptools.package-dir]: list there the "
            "packages that chapters import"
        ) from None
    return {package: root / folder for package, folder in folders.items()}


def take_snapshot(root: Path, folder: Path) -> Snapshot:
    """Copy the packages of the book into a folder, laid out for import.

    Parameters
    ----------
    root : Path
        The book.
    folder : Path
        Emptied first.
    """
    shutil.rmtree(folder, ignore_errors=True)
    files = {}
    for package, source_folder in package_folders(root).items():
        target_folder = folder.joinpath(*package.split("."))
        for source in sorted(source_folder.rglob("*")):
            if not source.is_file() or "__pycache__" in source.parts:
                continue
            target = target_folder / source.relative_to(source_folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            files[source.relative_to(root).as_posix()] = sha256_of_file(target)
    return Snapshot(folder, files)


def compute_fingerprint(root: Path, snapshot: Snapshot, model: str | None, device: str):
    """Compute the fingerprint of the executions of a book.

    Needs neither the device nor torch, nor the model itself.

    Parameters
    ----------
    root : Path
        The book.
    snapshot : Snapshot
        From :func:`take_snapshot`.
    model : str or None
        A name in the list of checkpoints; None for the default.
    device : {"cpu", "cuda", "mps"}

    Returns
    -------
    Fingerprint
    """
    data = {name: digest for name, digest in snapshot.files.items() if name.startswith("data/")}
    package = {name: digest for name, digest in snapshot.files.items() if name not in data}
    return Fingerprint(
        {
            "package": package,
            "data": data,
            "libraries": read_pins(root / "requirements.txt"),
            # Releases that fix bugs, 3.11.7 or 3.11.9, share executions: the machine with the
            # device is seldom the one that builds the pages.
            "python": {"version": ".".join(platform.python_version_tuple()[:2])},
            "model": model_part(snapshot.folder, model),
            "device": {"type": device},
            "executions": {"format": str(FORMAT)},
        }
    )

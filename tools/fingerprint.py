"""Say what the executions of the book rest on, exactly: its fingerprint.

An output in a page is as old as the code, data, libraries and model that made it. The
fingerprint is a digest of all of them; executions made under another one are never shown.
"""

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tomllib
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from tools.errors import BuildError

# Raise it when executions are stored or prepared in another way: all are made again.
FORMAT = 1
DEVICES = ("auto", "cpu", "cuda", "mps")
WEIGHTS = "model.safetensors"


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


def sha256_of_file(path: Path) -> str:
    """Return a file's SHA-256 as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


def read_pins(requirements: Path) -> dict[str, str]:
    """Read a compiled requirements file: each package and its pinned version.

    Comments do not count: who needs a package does not change what it computes.
    """
    pins = {}
    for line in requirements.read_text("utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line and not line.startswith("-"):
            name, _, version = line.partition("==")
            pins[name.strip()] = version.strip()
    return pins


def read_checkpoints(packages: Path):
    """Import the list of known checkpoints, and nothing else of the package."""
    path = packages / "layerwise" / "checkpoints.py"
    spec = importlib.util.spec_from_file_location("layerwise_checkpoints", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def local_weights(checkpoint) -> Path | None:
    """Return the file of a checkpoint's weights on this machine; None if it is not here."""
    if checkpoint.folder is not None:
        weights = Path(checkpoint.folder) / WEIGHTS
        return weights if weights.is_file() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(checkpoint.name, WEIGHTS, revision=checkpoint.revision)
    return Path(found) if isinstance(found, str) else None


def has_weights(packages: Path, name: str) -> bool:
    """Tell whether a checkpoint's weights are on this machine."""
    return local_weights(read_checkpoints(packages).CHECKPOINTS[name]) is not None


def model_part(packages: Path, name: str | None) -> dict[str, str]:
    """Return the checkpoint, its revision, and the digest of its weights.

    The digest is that of the file on this machine, so that a file that was changed is seen.
    Where the file is not here it is the published one's: executions that were carried here from
    a machine that has it can be used.

    Raises
    ------
    BuildError
        If the checkpoint is not in the list.
    """
    module = read_checkpoints(packages)
    name = name or module.DEFAULT_CHECKPOINT
    if name not in module.CHECKPOINTS:
        known = ", ".join(repr(known_name) for known_name in module.CHECKPOINTS)
        raise BuildError(f"unknown checkpoint {name!r}: use --model with one of {known}")
    checkpoint = module.CHECKPOINTS[name]
    weights = local_weights(checkpoint)
    return {
        "checkpoint": checkpoint.name,
        "revision": checkpoint.revision,
        "weights": sha256_of_file(weights) if weights else checkpoint.weights_sha256,
    }


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


def resolve_device(name: str | None) -> str:
    """Turn "auto" into the type of device that this machine would use.

    torch takes seconds to import, and a prose edit should not wait for it: it is asked only
    where the machine could have a device besides its CPU.

    Raises
    ------
    BuildError
        If the name is unknown.
    """
    name = name or "auto"
    if name not in DEVICES:
        raise BuildError(f"unknown device {name!r}: use --device with one of {DEVICES}")
    if name != "auto":
        return name
    if not may_have_accelerator():
        return "cpu"
    return "cuda" if ask_torch("cuda") else "mps" if ask_torch("mps") else "cpu"


def may_have_accelerator() -> bool:
    """Tell whether torch might find a GPU here, without asking torch."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    signs = ["/dev/nvidia0", "/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg"]
    return (
        any(Path(sign).exists() for sign in [*signs, "/dev/kfd"])
        or shutil.which("nvidia-smi") is not None
    )


ASK_TORCH = {
    "cuda": "import torch; torch.cuda.is_available() and print(torch.cuda.get_device_name())",
    "mps": "import torch; torch.backends.mps.is_available() and print('Apple GPU')",
}


def ask_torch(device: str) -> str:
    """Return the name of this machine's device of a type; empty if it has none."""
    answer = subprocess.run(
        [sys.executable, "-c", ASK_TORCH[device]], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() if answer.returncode == 0 else ""


def find_device(device: str) -> str:
    """Return the name of the device that executions will run on.

    Raises
    ------
    BuildError
        If this machine has none of this type.
    """
    name = processor_name() if device == "cpu" else ask_torch(device)
    if not name:
        raise BuildError(
            f"device {device!r} was asked for, but torch finds none on this machine. Use "
            "--device cpu, or unpack executions that were made on such a device: "
            "nox -s cache -- unpack FILE"
        )
    return name


def processor_name() -> str:
    """Return the name of this machine's processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "CPU"


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

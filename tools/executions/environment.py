"""The environment of chapters: pinned libraries, and the variables that kernels inherit."""

import importlib.metadata
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from packaging.markers import Marker

from tools.desk import BuildError
from tools.install import PIN_FILES, read_lines

# What a kernel inherits from the machine: where programs, homes, temporary files, devices,
# models, caches and the network are. Anything else a person has set would change what a
# cell shows.
INHERITED = re.compile(
    r"PATH|HOME|USERPROFILE|SYSTEMROOT|COMSPEC|PATHEXT|APPDATA|LOCALAPPDATA|TEMP|TMP|TMPDIR"
    r"|LAYERWISE_CACHE|XDG_CACHE_HOME|LD_LIBRARY_PATH|CUDA_.*|NVIDIA_.*|HF_(HOME|HUB_CACHE|HUB_OFFLINE|ENDPOINT|TOKEN)"
    r"|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|OPENBLAS_(CORETYPE|L2_SIZE)",
    re.IGNORECASE,
)
# A loader that is asked for this says why it cannot load anything.
NOT_NAMED = "no model: the chapter's header does not say layerwise: {{models: [{role}]}}"


class Workplace(NamedTuple):
    """Where and on what chapters are executed.

    Attributes
    ----------
    packages : Path
        The snapshot of all packages.
    models : dict of str to str
        For each role, the checkpoint's name or folder.
    device : str
        The type of device.
    device_name : str
        What the device calls itself.
    """

    packages: Path
    models: dict[str, str]
    device: str
    device_name: str


def kernel_variables(workplace: Workplace, packages: Path, roles: list[str]) -> dict[str, str]:
    """Return the environment variables of a kernel: ours alone.

    What a cell shows must follow from the fingerprint: not from a person's settings, from the
    number of cores, or from the seed of Python's hashes.

    Parameters
    ----------
    packages : Path
        What the chapter can import.
    roles : list of str
        The models that it can load.
    """
    from_machine = {n: v for n, v in os.environ.items() if INHERITED.fullmatch(n)}
    models = {
        f"LAYERWISE_{role.upper()}": name if role in roles else NOT_NAMED.format(role=role)
        for role, name in workplace.models.items()
    }
    return from_machine | models | {
        "LAYERWISE_DEVICE": workplace.device,
        "PYTHONPATH": str(packages),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "MATPLOTLIBRC": matplotlib_defaults(),
        "SOURCE_DATE_EPOCH": "0",
        # Sums in another order differ in the last digit; one thread for each chapter also uses
        # all cores best when chapters run side by side.
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "TOKENIZERS_PARALLELISM": "false",
    }  # fmt: skip


def matplotlib_defaults() -> str:
    """Return the file of matplotlib's own settings; empty without matplotlib."""
    matplotlib = find_spec("matplotlib")
    if matplotlib is None or matplotlib.origin is None:
        return ""
    return str(Path(matplotlib.origin).parent / "mpl-data/matplotlibrc")


def read_pins(root: Path) -> dict[str, str]:
    """Read the compiled requirements: each package, and its pinned version.

    A package that only some systems need is followed by their marker, so that the same files
    give the same pins on every machine. Comments and digests do not count.
    """
    pins: dict[str, str] = {}
    for line in [line for name in PIN_FILES for line in read_lines(root / name)]:
        if line.startswith("--"):
            continue
        pin, _, marker = line.removesuffix("\\").partition(";")
        name, _, version = pin.strip().partition("==")
        pin = f"{version.strip()} ; {marker.strip()}" if marker else version.strip()
        pins[name] = f"{pins[name]}, {pin}" if name in pins else pin
    return pins


def installable(pin: str) -> str | None:
    """Return the version of a pin that holds on this machine; None if it needs none."""
    for one in pin.split(", "):
        version, _, marker = one.partition(" ; ")
        if not marker or Marker(marker).evaluate():
            return version
    return None


def check_installed(pins: dict[str, str]) -> None:
    """Check that the libraries installed are those the fingerprint names."""
    wrong = []
    for name, pin in pins.items():
        version = installable(pin)
        if version is None:
            continue
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "not installed"
        # A build for one kind of machine, 2.13.0+cpu, is the same version.
        if installed.partition("+")[0] != version:
            wrong.append(f"{name} is {installed}, requirements.txt pins {version}")
    if wrong:
        raise BuildError(
            "the environment is not the one that requirements.txt pins: "
            + "; ".join(wrong[:5])
            + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
            + ". Remove .venv and run nox again, or install requirements.txt"
        )

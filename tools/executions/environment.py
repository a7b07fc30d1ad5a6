"""The environment of chapters: pinned libraries, and the variables that kernels inherit."""

import importlib.metadata
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement

from tools.desk import BuildError

# Settings of a person or terminal that would change what a cell shows.
PERSONAL_SETTINGS = ("MPLBACKEND", "COLUMNS", "LINES", "PYTHONSTARTUP", "PYTHONWARNINGS")


class Workplace(NamedTuple):
    """Where and on what chapters are executed.

    Attributes
    ----------
    packages : Path
        The snapshot of the packages that chapters import.
    checkpoint, device : str
        The model, and the type of device.
    device_name : str
        What the device calls itself.
    """

    packages: Path
    checkpoint: str
    device: str
    device_name: str


@contextmanager
def kernel_environment(workplace: Workplace) -> Iterator[None]:
    """Set the environment variables that kernels inherit, and restore them afterwards.

    What a cell shows must follow from the fingerprint: not from a person's settings, from the
    number of cores, or from the seed of Python's hashes.
    """
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as empty:
        for name in PERSONAL_SETTINGS:
            os.environ.pop(name, None)
        os.environ |= {
            "LAYERWISE_CHECKPOINT": workplace.checkpoint,
            "LAYERWISE_DEVICE": workplace.device,
            "PYTHONPATH": os.pathsep.join(
                path for path in (str(workplace.packages), before.get("PYTHONPATH")) if path
            ),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "IPYTHONDIR": empty,
            "SOURCE_DATE_EPOCH": "0",
            # Sums in another order differ in the last digit; one thread for each chapter also
            # uses all cores best when chapters run side by side.
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "TOKENIZERS_PARALLELISM": "false",
        }
        if matplotlib := find_spec("matplotlib"):
            defaults = Path(matplotlib.origin).parent / "mpl-data" / "matplotlibrc"
            os.environ["MATPLOTLIBRC"] = str(defaults)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


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


def check_installed(pins: dict[str, str]) -> None:
    """Check that the libraries installed are those the fingerprint names.

    Raises
    ------
    BuildError
        If one is missing or of another version.
    """
    wrong = []
    for name, version in pins.items():
        try:
            requirement = Requirement(f"{name}=={version.partition(';')[0]}")
            installed = importlib.metadata.version(requirement.name)
        except (InvalidRequirement, importlib.metadata.PackageNotFoundError):
            installed = "not installed"
        # A build for one kind of machine, 2.13.0+cpu, is the same version.
        if installed.partition("+")[0] != version.partition(";")[0].strip():
            wrong.append(f"{name} is {installed}, requirements.txt pins {version}")
    if wrong:
        raise BuildError(
            "the environment is not the one that requirements.txt pins: "
            + "; ".join(wrong[:5])
            + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
            + ". Remove .venv and run nox again, or install requirements.txt"
        )

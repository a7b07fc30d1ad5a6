"""Build the wheel of ``layerwise`` that a notebook far from its clone installs.

The same sources give the same bytes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tools.desk import BuildError, sha256_of_file, sha256_of_text, to_json

SOURCES = ["pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT", "src"]
SOURCES += ["data/datasets", "_static/explorer"]
EPOCH = "1577836800"  # the date of every file in it, as in the archive of the site


def built_wheel(root: Path) -> Path:
    """Return the wheel of the package in ``root``, built unless it is there already."""
    files = {path: sha256_of_file(root / path) for path in source_files(root)}
    place = root / "_build" / "wheel" / sha256_of_text(to_json([sys.version, files]))[:16]
    if not list(place.glob("*.whl")):
        shutil.rmtree(place.parent, ignore_errors=True)
        with tempfile.TemporaryDirectory() as workshop:
            wheel = build_wheel(root, list(files), Path(workshop))
            place.mkdir(parents=True)
            shutil.copyfile(wheel, place / wheel.name)
    (wheel,) = place.glob("*.whl")
    return wheel


def source_files(root: Path) -> list[str]:
    """List what the wheel is made from, without what Python left there."""
    found = []
    for name in SOURCES:
        path = root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            place = file.relative_to(root)
            if file.is_file() and not any(
                part == "__pycache__" or part.endswith(".egg-info") for part in place.parts
            ):
                found.append(place.as_posix())
    return found


def build_wheel(root: Path, files: list[str], workshop: Path) -> Path:
    """Build the wheel from a copy: setuptools leaves things beside what it builds."""
    for name in files:
        copy = workshop / "source" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, copy)
        copy.chmod(0o644)  # it is kept in the wheel
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    command += ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(workshop)]
    ran = subprocess.run(
        [*command, str(workshop / "source")],
        env=os.environ | {"SOURCE_DATE_EPOCH": EPOCH},
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(workshop.glob("*.whl"))
    if ran.returncode or len(wheels) != 1 or not zipfile.is_zipfile(wheels[0]):
        raise BuildError(f"the wheel of layerwise cannot be built: {ran.stderr.strip()[-500:]}")
    return wheels[0]

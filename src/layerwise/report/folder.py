"""A folder that is there whole or not at all."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

# By this file a folder is known to be a report, which may be replaced.
NUMBERS = "numbers.json"


def check_target(folder: Path, replace: bool) -> None:
    """Check, before anything is computed, that a folder can be written.

    Raises
    ------
    FileExistsError
        If it is there and may not be replaced, or is something else than a report.
    FileNotFoundError
        If the folder it is to lie in is not there.
    """
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(folder.parent)!r} to write into")
    if not folder.exists():
        return
    if not replace:
        raise FileExistsError(
            f"{str(folder)!r} is there already: name another with --out, or add --replace"
        )
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / NUMBERS).is_file()):
        raise FileExistsError(
            f"{str(folder)!r} is not a report of this command (it has no {NUMBERS}), so it is "
            "not replaced: name another with --out"
        )


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Give a draft folder to write into, and put it in place when nothing went wrong."""
    prefix = f".{folder.name}-draft-"
    done = contextlib.ExitStack()
    with done, tempfile.TemporaryDirectory(
        prefix=prefix, dir=folder.parent, ignore_cleanup_errors=True
    ) as place:
        draft = Path(place) / folder.name  # temporary folders are for their owner alone
        draft.mkdir()
        yield draft
        if folder.exists():
            folder.rename(Path(place) / "replaced")
        draft.rename(folder)
        done.enter_context(stopped_after(folder))


@contextmanager
def stopped_after(folder: Path) -> Iterator[None]:
    """Say of a stop that comes when a folder is in place that it is."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped; what was asked for is in {folder}") from None


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV that spreadsheets read: UTF-8 with a byte order mark."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\n")


def write_json(content: dict, path: Path) -> None:
    """Write numbers as JSON; what is not a number is null."""
    text = json.dumps(plain(content), ensure_ascii=False, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def plain(x):
    """Turn arrays, tables and NumPy's numbers into what JSON knows."""
    if isinstance(x, dict):
        return {str(key): plain(value) for key, value in x.items()}
    if isinstance(x, pd.DataFrame):
        return plain(x.to_dict("records"))
    if isinstance(x, list | tuple | np.ndarray):
        return [plain(item) for item in x]
    if isinstance(x, np.generic):
        x = x.item()
    return None if isinstance(x, float) and not np.isfinite(x) else x

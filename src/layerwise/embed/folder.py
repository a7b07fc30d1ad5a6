"""The folder of a run: what it is, which parts are there, and how a file gets into it whole."""

import contextlib
import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from layerwise.embed.parts import read_about
from layerwise.report.folder import plain

RUN = "run.json"  # by it a folder is known, and what its vectors are
PARTS = "parts"  # holds nothing but whole parquet files, so that the folder can be read as one
LOCK = ".lock"  # held by the process that writes
N_DIFFERENCES = 4  # that are named


def digest_of_run(asked: dict) -> str:
    """Return a digest of all that decides on a run's numbers."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def check_target(folder: Path) -> None:
    """Check, before anything is computed, that a folder can hold a run.

    Raises
    ------
    FileExistsError
        If it is a file, or holds something else than a run.
    FileNotFoundError
        If the folder it is to lie in is not there.
    PermissionError
        If it cannot be written.
    """
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(folder.parent)!r} to write into")
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{str(folder)!r} is a file: name a folder with --out")
    try:
        folder.mkdir(exist_ok=True)
        probe = folder / f".{os.getpid()}.draft"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise PermissionError(
            f"{str(folder)!r} cannot be written ({error.strerror}): name another folder with "
            "--out"
        ) from None
    there = [path for path in folder.iterdir() if not is_left_over(path)]
    if there and folder / RUN not in there:
        raise FileExistsError(
            f"{str(folder)!r} holds something else (it has no {RUN}): name another folder "
            "with --out"
        )


def is_left_over(path: Path) -> bool:
    """Say whether a file is what a run leaves behind that was killed."""
    return path.name == LOCK or (path.name.startswith(".") and path.suffix == ".draft")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder for this process; the system opens it again when the process ends.

    Raises
    ------
    FileExistsError
        If another process writes into it.
    """
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout:
        raise FileExistsError(
            f"another run is writing into {str(folder)!r}: wait until it has ended, or name "
            "another folder with --out"
        ) from None


def open_run(folder: Path, asked: dict, about: dict) -> dict[int, int]:
    """Begin a run in a folder, or go on with the same one.

    Parameters
    ----------
    folder : Path
    asked : dict
        All that decides on the numbers.
    about : dict
        What else is to be known of the run.

    Returns
    -------
    dict of int to int
        For each part that is there, by its number, how many rows of the table it stands for.

    Raises
    ------
    FileExistsError
        If the folder holds another run, or files of another.
    """
    path = folder / RUN
    if path.is_file():
        try:
            there = json.loads(path.read_text("utf-8"))["asked"]
        except (ValueError, KeyError, TypeError):
            raise FileExistsError(
                f"{path} is damaged: delete the folder, or name another with --out"
            ) from None
        if there != plain(asked):
            raise FileExistsError(
                f"{str(folder)!r} holds another run ({differences(there, plain(asked))}): name "
                "another folder with --out"
            )
    else:
        write_run(folder, asked, about)
    (folder / PARTS).mkdir(exist_ok=True)
    for left in folder.glob(".*.draft"):
        left.unlink()
    return dict(parts_there(folder, digest_of_run(asked)))


def parts_there(folder: Path, run: str) -> Iterator[tuple[int, int]]:
    """Yield the number of each part that is there whole, and how many rows it stands for."""
    for path in sorted((folder / PARTS).iterdir()):
        about = read_about(path)
        if about.get("run") == run and path.name == Path(part_name(about["part"])).name:
            yield about["part"], about["n_rows"]
        elif about or not re.fullmatch(r"part-\d{6,}\.parquet", path.name):
            raise FileExistsError(f"{str(path)!r} is not of this run: take it out of there")


def write_run(folder: Path, asked: dict, about: dict) -> None:
    """Write what a run is."""
    text = json.dumps(plain({**about, "asked": asked}), ensure_ascii=False, indent=1)
    write_whole(folder, RUN, [(text + "\n").encode()])


def differences(there: dict, asked: dict, name: str = "") -> str:
    """Say in which values two runs differ, those of the run in the folder first."""
    said = []
    for key in sorted({*there, *asked}):
        old, new = there.get(key), asked.get(key)
        where = f"{name} {key}".strip().replace("_", " ")
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            said.append(differences(old, new, where))
        else:
            said.append(f"{where} was {short(old)}, now {short(new)}")
    shown = "; ".join(said[:N_DIFFERENCES])
    return shown + (f"; and {len(said) - N_DIFFERENCES} more" * (len(said) > N_DIFFERENCES))


def short(value: object) -> str:
    """Show a value, a digest by its beginning."""
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text


def part_name(number: int) -> str:
    """Return the name of a part, so that names are in the order of parts."""
    return f"{PARTS}/part-{number:06}.parquet"


def write_whole(folder: Path, name: str, pieces: Iterable[bytes]) -> None:
    """Write a file that is there whole or not at all, whatever stops this process.

    Raises
    ------
    OSError
        If the disk is full, or does not take the file.
    """
    path = folder / name
    draft = folder / f".{path.name}.{os.getpid()}.draft"
    try:
        with draft.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                f"the disk of {str(folder)!r} is full: make room, and give the same command "
                "again; what is written stays, and is not computed again"
            ) from None
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """See to it that the names in a folder outlive a loss of power, where a system can."""
    if os.name != "nt":
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)

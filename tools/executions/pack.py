"""Carry executions from one machine to another in one file.

A pack is a gzipped tar archive of ``manifest.json`` and the files of each execution. It is
taken over whole or not at all: every file is checked against the manifest, and what the
executions rest on against this checkout, before anything is written where builds look.
"""

import gzip
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path

from tools.desk import BuildError, sha256_of_text, to_json
from tools.executions.fingerprint import Fingerprint
from tools.executions.store import NOTEBOOK, RECORD, Execution, Store, read_execution

MANIFEST = "manifest.json"
MEMBER = re.compile(rf"executed/[0-9a-f]{{32}}/({re.escape(NOTEBOOK)}|{re.escape(RECORD)})")
# Executed notebooks of the whole book are a few megabytes: far more is not a pack of this book.
LARGEST_PACK = 500_000_000


def pack(store: Store, executions: list[Execution], file: Path) -> None:
    """Write executions and what they rest on into a file; the same give the same bytes."""
    members = {}
    for execution in executions:
        folder = store.folder / "executed" / execution.key
        for name in (NOTEBOOK, RECORD):
            members[f"executed/{execution.key}/{name}"] = (folder / name).read_text("utf-8")
    manifest = {
        "fingerprint": store.fingerprint.parts,
        "files": {name: sha256_of_text(text) for name, text in members.items()},
    }
    members[MANIFEST] = to_json(manifest)
    draft = file.with_name(f".{file.name}.draft")
    # No time of packing and no name of a user: gzip and tar would write both.
    with (
        draft.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, text in sorted(members.items()):
            content = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    os.replace(draft, file)


def read_pack(file: Path) -> tuple[Fingerprint, dict[str, str]]:
    """Read a pack into memory, checking all of it.

    Returns
    -------
    fingerprint : Fingerprint
        What its executions rest on.
    files : dict of str to str
        Their texts, by name, without the manifest.

    Raises
    ------
    BuildError
        If it is damaged, incomplete, or holds anything but executions.
    """
    texts = {}
    try:
        with gzip.open(file) as packed:
            content = packed.read(LARGEST_PACK + 1)  # to the end, so that its CRC is checked
        if len(content) > LARGEST_PACK:
            raise BuildError(f"{file} is refused: it is too large for executions of a book")
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                check_member(member, texts, file)
                texts[member.name] = archive.extractfile(member).read().decode("utf-8")
        manifest = json.loads(texts.pop(MANIFEST))
        fingerprint, digests = Fingerprint(manifest["fingerprint"]), dict(manifest["files"])
        fingerprint.digest, fingerprint.checkpoint, fingerprint.device  # noqa: B018
    except FileNotFoundError:
        raise BuildError(f"{file} does not exist") from None
    except KeyError as error:
        raise BuildError(f"{file} is not a pack of executions: it lacks {error}") from error
    except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise BuildError(
            f"{file} is damaged or not a pack of executions ({reason}): pack it again"
        ) from error
    wrong = [
        name
        for name in sorted(texts.keys() | digests.keys())
        if name not in texts or digests.get(name) != sha256_of_text(texts[name])
    ]
    if wrong:
        raise BuildError(f"{file} is damaged: {', '.join(wrong)} is not what was packed")
    return fingerprint, texts


def check_member(member: tarfile.TarInfo, seen: dict[str, str], file: Path) -> None:
    """Refuse what a pack would not hold: links, folders, other names, names that lead outside.

    Raises
    ------
    BuildError
        For any of these.
    """
    if not member.isfile():
        what = "a link" if member.issym() or member.islnk() else "no plain file"
        raise BuildError(f"{file} is refused: {member.name!r} in it is {what}")
    if member.name != MANIFEST and not MEMBER.fullmatch(member.name):
        raise BuildError(
            f"{file} is refused: {member.name!r} in it is no execution and may lead outside "
            "the folder of the cache"
        )
    if member.name in seen:
        raise BuildError(f"{file} is refused: it holds {member.name!r} twice")


def unpack(root: Path, file: Path, fingerprint_here) -> tuple[Store, int]:
    """Take over the executions in a pack.

    Parameters
    ----------
    root : Path
        The book.
    file : Path
    fingerprint_here : callable
        Given a checkpoint and a type of device, returns this checkout's fingerprint.

    Returns
    -------
    store : Store
        Where they are now.
    n_executions : int

    Raises
    ------
    BuildError
        If the pack is damaged, or made from other code, data, libraries or model.
    """
    packed, texts = read_pack(file)
    here = fingerprint_here(packed.checkpoint, packed.device)
    if differences := packed.differences(here, "here"):
        listed = "\n  ".join(differences[:12])
        more = f"\n  and {len(differences) - 12} more" if len(differences) > 12 else ""
        raise BuildError(
            f"{file} was made from something else than this checkout. In the pack, compared "
            f"with here:\n  {listed}{more}\nCheck out what it was made from, or pack again."
        )
    store = Store(root, here)
    store.family.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".unpack-", dir=store.family))
    try:
        for name, text in texts.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_text(text, "utf-8")
        executions = sorted((draft / "executed").glob("*"))
        for folder in executions:
            if read_execution(folder) is None:
                raise BuildError(f"{file} is refused: execution {folder.name} in it is broken")
        for folder in executions:
            place = store.folder / "executed" / folder.name
            shutil.rmtree(place, ignore_errors=True)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder, place)
        store.describe()
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return store, len(executions)

"""Carry executions from one machine to another in one file.

A pack is a gzipped tar archive of ``manifest.json`` and the two files of each execution. It is
taken over whole or not at all: every execution is checked, against the manifest and against
what its chapter rests on in this checkout, before anything is written where builds look.

A pack is shown to readers as if it had been made here. Take one from somebody you trust.
"""

import gzip
import io
import json
import re
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tools.desk import BuildError, draft_of, sha256_of_text, to_json
from tools.executions.fingerprint import Fingerprint
from tools.executions.store import NOTEBOOK, RECORD, Execution, Store, check_execution, slug

MANIFEST = "manifest.json"
FILES = "|".join(re.escape(name) for name in (NOTEBOOK, RECORD))
MEMBER = re.compile(rf"([\w.-]+)/([0-9a-f]{{16}})/({FILES})")
# Executed notebooks of the whole book are a few megabytes: far more is not a pack of this book.
LARGEST_PACK = 500_000_000
MOST_MEMBERS = 2_000
# The last: tarfile calls itself for each header that announces another.
DAMAGED = (OSError, EOFError, tarfile.TarError, zlib.error, ValueError, RecursionError)


def pack(store: Store, executions: list[Execution], file: Path) -> None:
    """Write executions and what they rest on into a file; the same give the same bytes."""
    if file.is_dir() or not file.parent.is_dir():
        what = f"{file} is a folder" if file.is_dir() else f"{file.parent} is no folder"
        raise BuildError(f"{what}: name the file to write the pack to")
    members = {}
    for execution in executions:
        folder = store.place(execution.record["chapter"], execution.fingerprint)
        for name in (NOTEBOOK, RECORD):
            place = f"{folder.parent.name}/{folder.name}/{name}"
            members[place] = (folder / name).read_text("utf-8")
    members[MANIFEST] = to_json({name: sha256_of_text(text) for name, text in members.items()})
    # No time of packing and no name of a user: gzip and tar would write both.
    with (
        draft_of(file) as draft,
        draft.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, text in sorted(members.items()):
            content = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def read_members(file: Path) -> dict[str, str]:
    """Read the texts in a pack into memory, by their names."""
    texts: dict[str, str] = {}
    try:
        with gzip.open(file) as packed:
            content = packed.read(LARGEST_PACK + 1)  # to the end, so that its CRC is checked
        if len(content) > LARGEST_PACK:
            raise BuildError(f"{file} is refused: it is too large for executions of a book")
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                check_member(member, texts, file)
                texts[member.name] = read_member(archive, member)
    except FileNotFoundError:
        raise BuildError(f"{file} does not exist") from None
    except DAMAGED as error:
        reason = f"{type(error).__name__}: {error}"
        raise BuildError(
            f"{file} is damaged or not a pack of executions ({reason}): pack it again"
        ) from error
    return texts


def read_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    """Read one file of a pack."""
    content = archive.extractfile(member)
    assert content is not None, "check_member lets only plain files pass"
    return content.read().decode("utf-8")


def check_member(member: tarfile.TarInfo, seen: dict[str, str], file: Path) -> None:
    """Refuse what a pack would not hold: links, folders, odd names, names that lead outside."""
    what = None
    if member.issym() or member.islnk():
        what = f"{member.name!r} in it is a link"
    elif not member.isreg() or member.issparse():
        what = f"{member.name!r} in it is no plain file"
    elif member.name != MANIFEST and not MEMBER.fullmatch(member.name):
        what = f"{member.name!r} in it is no execution and may lead outside the cache"
    elif member.name in seen:
        what = f"it holds {member.name!r} twice"
    elif len(seen) > MOST_MEMBERS or member.size > LARGEST_PACK:
        what = "it is too large for executions of a book"
    if what:
        raise BuildError(f"{file} is refused: {what}")


def read_pack(file: Path) -> list[tuple[Execution, str, str]]:
    """Read a pack, checking all of it.

    Returns
    -------
    list of (Execution, str, str)
        Each execution, and the texts of its notebook and of its record.
    """
    texts = read_members(file)
    try:
        manifest = dict(json.loads(texts.pop(MANIFEST)))
    except (KeyError, ValueError, TypeError):
        raise BuildError(
            f"{file} is not a pack of executions: its {MANIFEST} is missing or damaged"
        ) from None
    wrong = [
        name
        for name in sorted(texts.keys() | manifest.keys())
        if name not in texts or manifest.get(name) != sha256_of_text(texts[name])
    ]
    if wrong:
        raise BuildError(f"{file} is damaged: {', '.join(wrong)} is not what was packed")
    found = []
    for folder in sorted({name.rpartition("/")[0] for name in texts}):
        notebook, record = (texts.get(f"{folder}/{name}", "") for name in (NOTEBOOK, RECORD))
        execution = check_execution(folder.rpartition("/")[2], notebook, record)
        if execution is None or slug(execution.record["chapter"]) != folder.partition("/")[0]:
            raise BuildError(f"{file} is refused: execution {folder} in it is broken")
        found.append((execution, notebook, record))
    if not found:
        raise BuildError(f"{file} is empty: it holds no execution; pack it again")
    return found


def unpack(
    store: Store, file: Path, fingerprint_here: Callable[[Execution], Fingerprint | None]
) -> list[Execution]:
    """Take over the executions in a pack.

    Parameters
    ----------
    store : Store
    file : Path
    fingerprint_here : callable
        Given an execution, returns what its chapter rests on in this checkout, on the same
        models and device; None if there is no such chapter.
    """
    packed = read_pack(file)
    differences: dict[str, None] = {}  # in order, each once
    for execution, *_ in packed:
        here = fingerprint_here(execution)
        if here is None:
            differences[f"{execution.record['chapter']} is no chapter of this book"] = None
        else:
            differences |= dict.fromkeys(execution.fingerprint.differences(here, "here"))
    if differences:
        listed = "\n  ".join(list(differences)[:12])
        more = f"\n  and {len(differences) - 12} more" if len(differences) > 12 else ""
        raise BuildError(
            f"{file} was made from something else than this checkout. In the pack, compared "
            f"with here:\n  {listed}{more}\nCheck out what it was made from, or pack again."
        )
    for execution, notebook, record in packed:
        place = store.place(execution.record["chapter"], execution.fingerprint)
        store.put(place, notebook, record)
    return [execution for execution, *_ in packed]

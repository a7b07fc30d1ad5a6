"""What every reader of a file gives: rows of cells, and what was found on the way."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from layerwise.texts.encodings import decode


class Finding(NamedTuple):
    """One thing that was found in a file, and what was done about it."""

    found: str
    done: str
    rows: list[int]  # empty if it concerns the file as a whole


class Rows(NamedTuple):
    """What a file holds: names of columns, and for each row its number and its cells."""

    columns: list[str]
    cells: list[list[Any]]
    numbers: list[int]  # as a spreadsheet, or the folder's order, counts them
    findings: list[Finding]


def read_text(path: Path, encoding: str | None, findings: list[Finding]) -> str:
    """Read a file's characters, and note what had to be assumed about its encoding."""
    text, found = decode(path.read_bytes(), encoding)
    if found:
        findings.append(Finding(f"{path.name} {found}", "if letters are wrong, name the "
                                "encoding", []))
    return text


def from_records(
    header: list[Any], body: list[tuple[int, list[Any]]], findings: list[Finding]
) -> Rows:
    """Make all rows as wide as the header, and give every column a name of its own."""
    names = ["" if name is None else str(name).strip() for name in header]
    while names and not names[-1] and not any(cells[len(names) - 1 :] for _, cells in body):
        names.pop()
    for i, name in enumerate(names):
        if not name:
            names[i] = f"column {i + 1}"
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        for i, name in enumerate(names):
            if name in names[:i]:
                names[i] = f"{name} ({i + 1})"
        findings.append(Finding(
            f"columns of the same name ({', '.join(repeated)})",
            "the later ones got their position as well", [],
        ))  # fmt: skip
    longer = [number for number, cells in body if any(cells[len(names) :])]
    shorter = [number for number, cells in body if len(cells) < len(names)]
    if longer:
        findings.append(Finding(
            f"rows with more cells than the {len(names)} names of columns",
            "the cells beyond were left out; a delimiter inside a text needs quotation marks",
            longer,
        ))  # fmt: skip
    if shorter:
        findings.append(Finding(
            f"rows with fewer cells than the {len(names)} names of columns",
            "the cells that lack were taken as empty", shorter,
        ))  # fmt: skip
    width = len(names)
    cells = [(list(cells) + [""] * width)[:width] for _, cells in body]
    return Rows(names, cells, [number for number, _ in body], findings)

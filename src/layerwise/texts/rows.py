"""What every reader of a file gives: rows of cells, and what was found on the way."""

import datetime
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from layerwise.texts.encodings import Encoding, decode, find_encoding

# A name of a column that is one of these, or longer, may be a cell of a table without names.
NUMBER_OR_DATE = re.compile(r"[-+]?[\d.,]*\d|\d{1,4}([-./])\d{1,2}\1\d{1,4}([T ]\d.*)?")
LONGEST_NAME = 60  # characters
MOST_WORDS_OF_NAME = 8


class Finding(NamedTuple):
    """One thing that was found in a file, and what was done about it."""

    found: str
    done: str
    rows: list[int]  # empty if it concerns the file as a whole


class Row(NamedTuple):
    """One row of a file as it is read."""

    number: int  # as a spreadsheet, or the folder's order, counts it
    cells: list[Any] | None  # None if it was left out
    notes: tuple[tuple[str, str], ...] = ()  # what was found, and what was done


class Table(NamedTuple):
    """A file that is read row by row: rows are there once, in their order."""

    columns: list[str]
    n_rows: int  # with cells
    rows: Iterator[Row]
    findings: list[Finding]  # those that concern the file as a whole


class Rows(NamedTuple):
    """Rows of a file, some or all: names of columns, and for each its number and its cells."""

    columns: list[str]
    cells: list[list[Any]]
    numbers: list[int]
    findings: list[Finding]


def gather(columns: list[str], rows: Iterable[Row]) -> Rows:
    """Take rows together, and what was found in them."""
    cells, numbers = [], []
    noted: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        for note in row.notes:
            noted.setdefault(note, []).append(row.number)
        if row.cells is not None:
            cells.append(row.cells)
            numbers.append(row.number)
    findings = [Finding(found, done, where) for (found, done), where in noted.items()]
    return Rows(columns, cells, numbers, findings)


def in_chunks(
    table: Table, position: int, n_rows: int, n_characters: int
) -> Iterator[list[Row]]:
    """Cut the rows of a table into chunks, the same ones whenever the file is read.

    A chunk ends with its n_rows-th row, or with the one that brings the cells at a position to
    n_characters: so it is of limited size, whatever the number and the length of the texts.
    """
    chunk: list[Row] = []
    room = n_characters
    for row in table.rows:
        chunk.append(row)
        room -= len(str(row.cells[position])) if row.cells is not None else 0
        if len(chunk) == n_rows or room <= 0:
            yield chunk
            chunk, room = [], n_characters
    if chunk:
        yield chunk


def read_text(path: Path, encoding: str | None, findings: list[Finding]) -> str:
    """Read a file's characters, and note what had to be assumed about its encoding."""
    text, found = decode(path.read_bytes(), encoding)
    if found:
        findings.append(encoding_finding(path, found))
    return text


def encoding_of(path: Path, encoding: str | None, findings: list[Finding]) -> Encoding:
    """Find the encoding of a file that is read piece by piece, and note what was assumed."""
    with path.open("rb") as file:
        kind = find_encoding(file, encoding)
    if kind.found:
        findings.append(encoding_finding(path, kind.found))
    return kind


def encoding_finding(path: Path, found: str) -> Finding:
    """Return what is said of a file whose encoding had to be found."""
    return Finding(f"{path.name} {found}", "if letters are wrong, name the encoding", [])


def from_records(
    header: list[Any], body: list[tuple[int, list[Any]]], findings: list[Finding]
) -> Table:
    """Make a table of records that are all at hand."""
    names = name_columns(header, max((len(cells) for _, cells in body), default=0), findings)
    rows = (fit(number, cells, names) for number, cells in body)
    return Table(names, len(body), rows, findings)


def name_columns(header: list[Any], width: int, findings: list[Finding]) -> list[str]:
    """Give every column a name of its own; width is that of the widest row."""
    names = ["" if name is None else str(name).strip() for name in header]
    note_names_like_data(header, names, findings)
    while names and not names[-1] and width < len(names):
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
    return names


def note_names_like_data(header: list[Any], names: list[str], findings: list[Finding]) -> None:
    """Note names of columns that read like a row of a table without them."""
    if names == [str(i) for i in range(len(names))]:  # a data frame whose columns have none
        return
    like_data = [
        name for cell, name in zip(header, names, strict=True)
        if isinstance(cell, datetime.date) or NUMBER_OR_DATE.fullmatch(name)
        or len(name) > LONGEST_NAME or len(name.split()) > MOST_WORDS_OF_NAME
    ]  # fmt: skip
    if like_data:
        named = ", ".join(repr(f"{x[:40]} …" if len(x) > 40 else x) for x in like_data[:3])
        findings.append(Finding(
            f"row 1 was taken for the names of the columns, and reads like a text or its data "
            f"({named})", "if it is one, write a row of names above it", [],
        ))  # fmt: skip


def fit(number: int, cells: list[Any], names: list[str]) -> Row:
    """Make a row as wide as the header."""
    width, notes = len(names), []
    if any(cells[width:]):
        notes.append((
            f"rows with more cells than the {width} names of columns",
            "the cells beyond were left out; a delimiter inside a text needs quotation marks",
        ))  # fmt: skip
    if len(cells) < width:
        notes.append((
            f"rows with fewer cells than the {width} names of columns",
            "the cells that lack were taken as empty",
        ))  # fmt: skip
    return Row(number, (list(cells) + [""] * width)[:width], tuple(notes))

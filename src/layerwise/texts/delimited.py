"""Read a table of cells with a comma, semicolon, tab or bar between them."""

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TextIO

from layerwise.texts.encodings import Encoding
from layerwise.texts.rows import Finding, Row, Table, encoding_of, fit, name_columns

DELIMITERS = ",;\t|"
N_SAMPLED = 200  # lines that are looked at to find the delimiter
N_CHARACTERS_SAMPLED = 1_000_000
# A cell may hold a novel; the default is 131,072 characters.
csv.field_size_limit(2**31 - 1)




class Dress(NamedTuple):
    """How a table of cells is written down."""

    encoding: Encoding
    delimiter: str
    n_before: int  # lines before the table
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL


class Scan(NamedTuple):
    """What is to be known of a table of cells before its rows are read."""

    n_records: int  # with any cell, the header counted
    width: int  # of the widest below the header
    is_open: bool  # whether a quoted cell runs to the end, for want of a closing mark


def read_delimited(path: Path, encoding: str | None) -> Table:
    """Read a table of cells with a comma, semicolon, tab or bar between them."""
    findings: list[Finding] = []
    dress = find_dress(path, encoding_of(path, encoding, findings))
    seen = scan(path, dress)
    if seen.is_open:
        dress = dress._replace(quoting=csv.QUOTE_NONE)
        seen = scan(path, dress)
        findings.append(Finding(
            "a quotation mark is opened and never closed",
            "quotation marks taken as characters, each line as a row", [],
        ))  # fmt: skip
    if not seen.n_records:
        raise ValueError(f"{path.name} holds no cells")
    header = next(record for record in records(path, dress) if any(record))
    names = name_columns(header, seen.width, findings)
    return Table(names, seen.n_records - 1, rows_below(path, dress, names), findings)


def find_dress(path: Path, encoding: Encoding) -> Dress:
    """Find out what stands between the cells of a table, and what before them."""
    with open_as(path, encoding) as file:
        sample = file.read(N_CHARACTERS_SAMPLED)
    if sample[:4].lower() != "sep=":
        return Dress(encoding, find_delimiter(sample), 0)
    # A line by which Excel tells itself the delimiter
    return Dress(encoding, sample.splitlines()[0].strip()[4:5] or ",", 1)


def open_as(path: Path, encoding: Encoding) -> TextIO:
    """Open a file for its characters, its line ends as they are."""
    return path.open(encoding=encoding.name, errors=encoding.errors, newline="")


def records(path: Path, dress: Dress, end: Sequence[str] = ()) -> Iterator[list[str]]:
    """Yield the records of a table of cells, header first, and of lines added at its end."""
    with open_as(path, dress.encoding) as file:
        for _ in range(dress.n_before):
            file.readline()
        lines = itertools.chain(file, end)
        yield from csv.reader(lines, delimiter=dress.delimiter, quoting=dress.quoting)


def scan(path: Path, dress: Dress) -> Scan:
    """Read a table of cells once, to know its size and whether it is whole."""
    # A file that ends inside a quoted cell swallows whatever is added to it.
    probe = ["\n", f"{dress.delimiter}\n"]
    n_records = width = 0
    last: list[str] = []
    for record in records(path, dress, probe):
        if any(last):
            width = max(width, len(last) if n_records else 0)
            n_records += 1
        last = record
    return Scan(n_records, width, last != ["", ""])


def rows_below(path: Path, dress: Dress, names: list[str]) -> Iterator[Row]:
    """Yield the rows below the header; those without any cell, but at the end, as left out."""
    blank: list[Row] = []
    is_header = True
    for number, cells in enumerate(records(path, dress), start=1 + dress.n_before):
        if not any(cells):
            blank.append(Row(number, None, (("rows without any cell", "left out"),)))
            continue
        if not is_header:
            yield from blank
            blank = []
            yield fit(number, cells, names)
        is_header = False


def find_delimiter(text: str) -> str:
    """Return the delimiter that cuts the first lines into rows of most nearly equal length."""
    lines = text.splitlines()[:N_SAMPLED]

    def regularity(delimiter: str) -> tuple[float, int]:
        records = [x for x in csv.reader(lines, delimiter=delimiter) if x]
        width = len(records[0]) if records else 1
        if width == 1:
            return (0.0, 1)
        return (sum(len(x) == width for x in records) / len(records), width)

    return max(DELIMITERS, key=regularity)

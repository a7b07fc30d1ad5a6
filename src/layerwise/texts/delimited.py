"""Read a table of cells with a comma, semicolon, tab or bar between them."""

import csv
import io
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from layerwise.texts.encodings import Encoding, open_text
from layerwise.texts.rows import Finding, Row, Table, encoding_of, fit, name_columns

DELIMITERS = ",;\t|"
WHOLE_LINES = "\x1f"  # where nothing stands between cells: a sign that no text holds
CALLED = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
N_SAMPLED = 200  # rows that are looked at to find the delimiter
FEWEST_ALIKE = 3  # rows that are equally long by more than chance
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
    lengths: Counter[int]  # how many of those below the header have so many cells
    filled: Counter[int]  # the same, empty ones at the end not counted
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
    names = name_columns(header, max(seen.lengths, default=0), findings)
    check_lengths(path, dress, seen, names)
    return Table(names, seen.n_records - 1, rows_below(path, dress, names), findings)


def find_dress(path: Path, encoding: Encoding) -> Dress:
    """Find out what stands between the cells of a table, and what before them."""
    with open_text(path, encoding, newline="") as file:
        sample = file.read(N_CHARACTERS_SAMPLED)
    if sample[:4].lower() != "sep=":
        return Dress(encoding, find_delimiter(sample), 0)
    # A line by which Excel tells itself the delimiter
    return Dress(encoding, sample.splitlines()[0][4:5] or ",", 1)


def records(path: Path, dress: Dress, end: Sequence[str] = ()) -> Iterator[list[str]]:
    """Yield the records of a table of cells, header first, and of lines added at its end."""
    with open_text(path, dress.encoding, newline="") as file:
        for _ in range(dress.n_before):
            file.readline()
        lines = itertools.chain(file, end)
        yield from csv.reader(lines, delimiter=dress.delimiter, quoting=dress.quoting)


def scan(path: Path, dress: Dress) -> Scan:
    """Read a table of cells once, to know its size and whether it is whole."""
    # A file that ends inside a quoted cell swallows whatever is added to it.
    probe = ["\n", f"{dress.delimiter}\n"]
    n_records = 0
    lengths: Counter[int] = Counter()
    filled: Counter[int] = Counter()
    last: list[str] = []
    for record in records(path, dress, probe):
        if any(last):
            if n_records:
                lengths[len(last)] += 1
                filled[max(i for i, cell in enumerate(last, start=1) if cell)] += 1
            n_records += 1
        last = record
    return Scan(n_records, lengths, filled, last != ["", ""])


def check_lengths(path: Path, dress: Dress, seen: Scan, names: list[str]) -> None:
    """Refuse a table most of whose rows have other numbers of cells than the header.

    Raises
    ------
    ValueError
        If it is so: then it was cut at the wrong signs, or at signs inside texts.
    """
    width, n_rows = len(names), seen.n_records - 1
    n_fewer = sum(n for length, n in seen.lengths.items() if length < width)
    n_more = sum(n for length, n in seen.filled.items() if length > width)
    if 2 * (n_fewer + n_more) <= n_rows:
        return
    other = ";" if dress.delimiter != ";" else ","
    counts = [f"{n:,} of {n_rows:,} {which}" for n, which in
              [(n_fewer, "fewer"), (n_more, "more")] if n]  # fmt: skip
    raise ValueError(
        f"{path.name}, cut at {CALLED.get(dress.delimiter, repr(dress.delimiter))}, has rows "
        f"of unequal length: beside row 1 with {width}, {' and '.join(counts)} cells; put "
        "texts between quotation marks, and if another sign stands between cells, name it in "
        f"a line of its own at the beginning, such as sep={other}"
    )


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
    """Return the delimiter that cuts the first rows into most nearly equal numbers of cells.

    Two things speak for a delimiter: how many rows are as long as the first, and how many as
    the most common one. The first alone may be a text, in a table without names of columns.
    """
    lengths = {}
    for delimiter in DELIMITERS:
        records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        lengths[delimiter] = [len(x) for x in itertools.islice(records, N_SAMPLED) if any(x)]
    if not lengths[","]:
        return ","

    def regularity(delimiter: str) -> tuple[float, int]:
        found = Counter(lengths[delimiter])
        first, (commonest, n) = lengths[delimiter][0], found.most_common(1)[0]
        agree = (found[first] if first > 1 else 0) + (n if commonest > 1 else 0)
        return (agree / found.total(), commonest)

    best = max(DELIMITERS, key=regularity)
    first, *others = lengths[best]
    # One name above texts with commas in them: their lines are cells.
    is_one_column = first == 1 and (len(set(others)) > 1 or len(others) < FEWEST_ALIKE)
    return WHOLE_LINES if is_one_column and max(others, default=1) > 1 else best

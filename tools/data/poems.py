"""Build the poems' dataset from its source, and check one against the other.

The source is ``data/poems/``, one text file a poem. The dataset that readers load is
``data/datasets/dickinson_poems.parquet``, derived from it.

    python -m tools.data.poems            rebuild the parquet
    python -m tools.data.poems --check    change nothing, exit 1 if anything differs

Both compare every line of every poem with ``data/digests.json``, the digests of the lines
printed in the first editions.
"""

import argparse
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tools.desk import ROOT

N_POEMS = 59
THEMES = ("Life", "Love", "Nature", "Time and Eternity")
YEARS = {1: 1890, 2: 1891, 3: 1896}  # series: the year it appeared
HEADER_KEYS = ("title", "first_line", "theme", "series", "year", "number")
WHOLE_NUMBERS = ("series", "year", "number")

SCHEMA = pa.schema(
    [
        ("title", pa.string()),
        ("first_line", pa.string()),
        ("text", pa.string()),
        ("theme", pa.string()),
        ("series", pa.int64()),
        ("year", pa.int64()),
        ("number", pa.int64()),
    ]
)


class DatasetError(Exception):
    """Something in the data is wrong; the message says where, and what to do."""


@dataclass(frozen=True)
class Poem:
    """One poem, as its source file gives it."""

    path: Path
    title: str
    first_line: str
    theme: str
    series: int
    year: int
    number: int
    stanzas: tuple[tuple[str, ...], ...]

    @property
    def text(self) -> str:
        """The whole poem: a newline parts two lines, an empty line two stanzas."""
        return "\n\n".join("\n".join(stanza) for stanza in self.stanzas)


# --- Where things are --------------------------------------------------------------------


def poems_folder(data: Path) -> Path:
    """Give the folder of the source files."""
    return data / "poems"


def digests_path(data: Path) -> Path:
    """Give the file of the line digests."""
    return data / "digests.json"


def parquet_path(data: Path) -> Path:
    """Give the file that is derived."""
    return data / "datasets" / "dickinson_poems.parquet"


def shown(path: Path) -> str:
    """Name a path as a reader of the project knows it: from the project's root."""
    path = path.resolve()
    return (path.relative_to(ROOT) if path.is_relative_to(ROOT) else path).as_posix()


# --- Reading one poem --------------------------------------------------------------------


def read_poem(path: Path) -> Poem:
    """Read and check one source file.

    Parameters
    ----------
    path : Path
        A file with a header of ``key: value`` lines, an empty line, and the poem.

    Returns
    -------
    Poem
        What the file holds.

    Raises
    ------
    DatasetError
        If the file is not in that form; the message names the file, the line or value,
        and what to do.
    """
    lines = read_lines(path)
    if "" not in lines:
        raise DatasetError(
            f"{shown(path)}: no empty line. Leave one between the header and the poem."
        )
    end_of_header = lines.index("")
    header = parse_header(lines[:end_of_header], path)
    stanzas = parse_stanzas(lines[end_of_header + 1 :], path, end_of_header + 2)
    poem = Poem(path=path, stanzas=stanzas, **header)
    check_values(poem)
    return poem


def read_lines(path: Path) -> list[str]:
    """Read a source file as lines, and check the characters it is made of."""
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{shown(path)}: not UTF-8. Save it as UTF-8.") from error
    if not content.endswith("\n") or content.endswith("\n\n"):
        raise DatasetError(
            f"{shown(path)}: no newline at the end, or a stray blank line there. End the "
            "last line with one newline."
        )
    lines = content[:-1].split("\n")
    for number, line in enumerate(lines, start=1):
        check_line(line, f"{shown(path)}, line {number}")
    return lines


def check_line(line: str, place: str) -> None:
    """Check that one line keeps the conventions of ``data/README.md``."""
    if line != line.strip():
        raise DatasetError(f"{place}: {line!r} has spaces around it. Take them away.")
    strange = re.search(r"[^ -~—]", line)
    if strange:
        raise DatasetError(
            f"{place}: the character {strange[0]!r}. Use plain ASCII (straight quotation "
            "marks), and — for a dash."
        )
    if re.search(r"--| —|— ", line):
        raise DatasetError(f"{place}: {line!r}. Write a dash as — with no space around it.")


def parse_header(lines: list[str], path: Path) -> dict[str, str | int]:
    """Turn the lines above the poem into a dictionary with exactly ``HEADER_KEYS``."""
    header: dict[str, str | int] = {}
    for number, line in enumerate(lines, start=1):
        place = f"{shown(path)}, line {number}"
        key, colon, value = line.partition(": ")
        if not colon or key not in HEADER_KEYS:
            raise DatasetError(
                f"{place}: {line!r} is no header line. Write 'key: value' with one of "
                f"{', '.join(HEADER_KEYS)}; leave an empty line before the poem."
            )
        if key in header:
            raise DatasetError(f"{place}: a second {key!r}. Keep one.")
        header[key] = whole_number(key, value, place) if key in WHOLE_NUMBERS else value
    for key in HEADER_KEYS:
        if key not in header:
            raise DatasetError(
                f"{shown(path)}: no {key!r} in the header. Add a line '{key}: …' above the "
                "first empty line."
            )
    return header


def whole_number(key: str, value: str, place: str) -> int:
    """Read a header's value that must be a whole number."""
    if not re.fullmatch(r"[1-9][0-9]*", value):
        raise DatasetError(f"{place}: {key} {value!r}. Write a whole number, such as 1.")
    return int(value)


def parse_stanzas(
    lines: list[str], path: Path, first_number: int
) -> tuple[tuple[str, ...], ...]:
    """Group the lines of a poem into stanzas.

    Parameters
    ----------
    lines : list of str
        The lines below the empty line that ends the header.
    path : Path
        Their file, for messages.
    first_number : int
        The number, in the file, of the first of them.

    Returns
    -------
    tuple of tuples of str
        One tuple of lines a stanza.
    """
    # The line above the first of these is the empty one that ends the header.
    for number, (above, line) in enumerate(pairwise(["", *lines]), start=first_number):
        if above == line == "":
            raise DatasetError(
                f"{shown(path)}, line {number}: a stray blank line. One blank line parts two "
                "stanzas; delete this one."
            )
    if not lines:
        raise DatasetError(f"{shown(path)}: a header and no poem. Write the poem below it.")
    return tuple(tuple(stanza.split("\n")) for stanza in "\n".join(lines).split("\n\n"))


def check_values(poem: Poem) -> None:
    """Check each value of a header against what it may be."""
    place = shown(poem.path)
    if poem.theme not in THEMES:
        raise DatasetError(
            f"{place}: unknown theme {poem.theme!r}. Use one of {', '.join(THEMES)}."
        )
    if poem.series not in YEARS:
        raise DatasetError(f"{place}: series {poem.series}. Use 1, 2 or 3.")
    if poem.year != YEARS[poem.series]:
        raise DatasetError(
            f"{place}: year {poem.year}, but series {poem.series} appeared in "
            f"{YEARS[poem.series]}. Correct one of the two."
        )
    if poem.number > N_POEMS:
        raise DatasetError(f"{place}: number {poem.number}. Use a number from 1 to {N_POEMS}.")
    if poem.first_line != poem.stanzas[0][0]:
        raise DatasetError(
            f"{place}: first_line is {poem.first_line!r}, but the poem begins "
            f"{poem.stanzas[0][0]!r}. Make them equal, punctuation included."
        )
    if poem.path.name != file_name(poem):
        raise DatasetError(
            f"{place}: number {poem.number} with this first line belongs in "
            f"{file_name(poem)}. Rename the file or correct its header."
        )


def file_name(poem: Poem) -> str:
    """Name the file of a poem: its number, then its first line in plain letters."""
    words = re.findall(r"[a-z]+", poem.first_line.lower().replace("'", ""))
    return f"{poem.number:02d}-{'-'.join(words)}.txt"


# --- Reading all the poems ---------------------------------------------------------------


def read_poems(folder: Path) -> list[Poem]:
    """Read every poem of a folder.

    Parameters
    ----------
    folder : Path
        The folder of the source files.

    Returns
    -------
    list of Poem
        All ``N_POEMS`` of them, ordered by number.

    Raises
    ------
    DatasetError
        If a file is not a poem in the right form, or one is there twice or not at all.
    """
    poems = [read_poem(path) for path in sorted(folder.glob("*.txt"))]
    check_no_duplicates(poems)
    missing = sorted(set(range(1, N_POEMS + 1)) - {poem.number for poem in poems})
    if missing:
        raise DatasetError(
            f"{shown(folder)}: {len(poems)} poems where {N_POEMS} belong; without a file: "
            f"{', '.join(map(str, missing))}. Restore what is missing."
        )
    return sorted(poems, key=lambda poem: poem.number)


def check_no_duplicates(poems: list[Poem]) -> None:
    """Check that no two poems have one number, and no two one text."""
    seen: dict[str, Path] = {}
    for poem in poems:
        for what in (f"number {poem.number}", f"the poem\n{poem.text}"):
            if what in seen:
                raise DatasetError(
                    f"{shown(seen[what])} and {shown(poem.path)}: both hold {what}\n"
                    "Keep one of the two files."
                )
            seen[what] = poem.path


# --- Comparing with the first editions ---------------------------------------------------


def line_digest(line: str) -> str:
    """Compute a line's digest, from its letters only.

    Spacing, punctuation and capitals are left out, so that *'T is* and *'tis* agree.

    Examples
    --------
    >>> line_digest("'Tis the majority") == line_digest("'T IS THE MAJORITY")
    True
    """
    letters = re.sub("[^a-z]", "", line.lower())
    return hashlib.sha256(letters.encode("ascii")).hexdigest()[:10]


def read_digests(path: Path) -> dict[int, list[list[str]]]:
    """Read the digests: for each poem's number, one list a stanza, one digest a line."""
    try:
        records = json.loads(path.read_text(encoding="utf-8"))["poems"]
        digests = {record["number"]: record["line_digests"] for record in records}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{shown(path)}: {error}. Restore the file.") from error
    if sorted(digests) != list(range(1, N_POEMS + 1)):
        raise DatasetError(
            f"{shown(path)}: digests of {len(digests)} poems where {N_POEMS} belong, "
            f"numbered from 1. Restore the file."
        )
    return digests


def differences(poem: Poem, expected: list[list[str]]) -> list[str]:
    """Compare a poem with the digests of its first edition.

    Parameters
    ----------
    poem : Poem
        The poem.
    expected : list of lists of str
        Its digests, stanza by stanza.

    Returns
    -------
    list of str
        One message a difference; empty if every line is exact.
    """
    place = shown(poem.path)
    shape = [len(stanza) for stanza in poem.stanzas]
    expected_shape = [len(stanza) for stanza in expected]
    if shape != expected_shape:
        return [
            f"{place}: lines per stanza {shape}, in the edition {expected_shape}. Look for a "
            "line or a blank line that is lost or too many."
        ]
    return [
        f"{place}, stanza {s}, line {n}: {line!r} is not the line printed in {poem.year}. "
        "Correct the poem, not its digest."
        for s, (stanza, digests) in enumerate(zip(poem.stanzas, expected, strict=True), 1)
        for n, (line, digest) in enumerate(zip(stanza, digests, strict=True), 1)
        if line_digest(line) != digest
    ]


def check_poems(poems: list[Poem], digests: dict[int, list[list[str]]]) -> None:
    """Check every line of every poem; raise one `DatasetError` that lists what differs."""
    problems = [
        problem for poem in poems for problem in differences(poem, digests[poem.number])
    ]
    if problems:
        raise DatasetError("\n".join(problems))


# --- The parquet -------------------------------------------------------------------------


def to_table(poems: list[Poem]) -> pa.Table:
    """Lay the poems out as a table: a row a poem, the columns of ``SCHEMA``."""
    columns = {name: [getattr(poem, name) for poem in poems] for name in SCHEMA.names}
    return pa.table(columns, schema=SCHEMA)


def to_parquet(table: pa.Table) -> bytes:
    """Encode a table so that the same rows always give the same bytes.

    Nothing is left to a default that may change: no compression (the table is small), no
    dictionaries, no statistics, no schema of pandas or Arrow beside Parquet's own. One
    thing still depends on the version of pyarrow: the footer names the writer.
    """
    buffer = pa.BufferOutputStream()
    pq.write_table(
        table,
        buffer,
        version="2.6",
        data_page_version="1.0",
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
    )
    return buffer.getvalue().to_pybytes()


def check_parquet(poems: list[Poem], path: Path) -> None:
    """Check that a parquet holds exactly these poems, in exactly the bytes of a rebuild."""
    rebuild = "Run 'python -m tools.data.poems'."
    if not path.exists():
        raise DatasetError(f"{shown(path)}: no such file. {rebuild}")
    content = path.read_bytes()
    expected = to_table(poems)
    if content == to_parquet(expected):
        return
    try:
        found = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{shown(path)}: not a parquet file. {rebuild}") from error
    raise DatasetError(f"{shown(path)}: {describe(poems, expected, found)} {rebuild}")


def describe(poems: list[Poem], expected: pa.Table, found: pa.Table) -> str:
    """Say in what a parquet differs from the poems it should hold."""
    if found.schema != expected.schema:
        columns = ", ".join(f"{field.name} {field.type}" for field in found.schema)
        return f"has the columns {columns}."
    if found.num_rows != expected.num_rows:
        return f"has {found.num_rows} rows for {expected.num_rows} poems."
    rows = zip(poems, expected.to_pylist(), found.to_pylist(), strict=True)
    stale = [shown(poem.path) for poem, right, row in rows if right != row]
    if stale:
        return f"differs from {', '.join(stale)}."
    return (
        "has the right rows in other bytes, so another version of pyarrow wrote it. This is "
        f"{pa.__version__}; install the one in requirements.txt."
    )


# --- The command -------------------------------------------------------------------------


def read_exact_poems(data: Path) -> list[Poem]:
    """Read the poems of a data folder, and check them against the digests beside them."""
    poems = read_poems(poems_folder(data))
    check_poems(poems, read_digests(digests_path(data)))
    return poems


def build(data: Path) -> str:
    """Rebuild the parquet of a data folder; say what was written."""
    poems = read_exact_poems(data)
    path = parquet_path(data)
    path.write_bytes(to_parquet(to_table(poems)))
    return f"{shown(path)}: {len(poems)} poems written."


def check(data: Path) -> str:
    """Check the poems and the parquet of a data folder, change nothing; say what holds."""
    poems = read_exact_poems(data)
    check_parquet(poems, parquet_path(data))
    n_lines = sum(len(stanza) for poem in poems for stanza in poem.stanzas)
    return f"{len(poems)} poems, {n_lines} lines, each as printed; the parquet equals them."


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        description="Build data/datasets/dickinson_poems.parquet from data/poems."
    )
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if wrong")
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="the data folder")
    options = parser.parse_args(arguments)
    try:
        print(check(options.data) if options.check else build(options.data))
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

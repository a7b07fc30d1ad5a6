"""Read the poems' source files, and compare every line with the first editions.

A source file in ``data/poems/`` is a header of ``key: value`` lines, an empty line, and the
poem. ``data/digests.json`` holds the digests of the lines printed in the first editions.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tools.desk import ROOT, BuildError

N_POEMS = 59
THEMES = ("Life", "Love", "Nature", "Time and Eternity")
YEARS = {1: 1890, 2: 1891, 3: 1896}  # series: the year it appeared
HEADER_KEYS = ("title", "first_line", "theme", "series", "year", "number")
WHOLE_NUMBERS = ("series", "year", "number")


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


def shown(path: Path) -> str:
    """Name a path as a reader of the project knows it: from the project's root."""
    path = path.resolve()
    return (path.relative_to(ROOT) if path.is_relative_to(ROOT) else path).as_posix()


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
    """
    lines = read_lines(path)
    if "" not in lines:
        raise BuildError(
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
        raise BuildError(f"{shown(path)}: not UTF-8. Save it as UTF-8.") from error
    if not content.endswith("\n") or content.endswith("\n\n"):
        raise BuildError(
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
        raise BuildError(f"{place}: {line!r} has spaces around it. Take them away.")
    strange = re.search(r"[^ -~—]", line)
    if strange:
        raise BuildError(
            f"{place}: the character {strange[0]!r}. Use plain ASCII (straight quotation "
            "marks), and — for a dash."
        )
    if re.search(r"--| —|— ", line):
        raise BuildError(f"{place}: {line!r}. Write a dash as — with no space around it.")


def parse_header(lines: list[str], path: Path) -> dict[str, Any]:
    """Turn the lines above the poem into a dictionary with exactly ``HEADER_KEYS``."""
    header: dict[str, Any] = {}
    for number, line in enumerate(lines, start=1):
        place = f"{shown(path)}, line {number}"
        key, colon, value = line.partition(": ")
        if not colon or key not in HEADER_KEYS:
            raise BuildError(
                f"{place}: {line!r} is no header line. Write 'key: value' with one of "
                f"{', '.join(HEADER_KEYS)}; leave an empty line before the poem."
            )
        if key in header:
            raise BuildError(f"{place}: a second {key!r}. Keep one.")
        header[key] = whole_number(key, value, place) if key in WHOLE_NUMBERS else value
    for key in HEADER_KEYS:
        if key not in header:
            raise BuildError(
                f"{shown(path)}: no {key!r} in the header. Add a line '{key}: …' above the "
                "first empty line."
            )
    return header


def whole_number(key: str, value: str, place: str) -> int:
    """Read a header's value that must be a whole number."""
    if not re.fullmatch(r"[1-9][0-9]*", value):
        raise BuildError(f"{place}: {key} {value!r}. Write a whole number, such as 1.")
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
            raise BuildError(
                f"{shown(path)}, line {number}: a stray blank line. One blank line parts two "
                "stanzas; delete this one."
            )
    if not lines:
        raise BuildError(f"{shown(path)}: a header and no poem. Write the poem below it.")
    return tuple(tuple(stanza.split("\n")) for stanza in "\n".join(lines).split("\n\n"))


def check_values(poem: Poem) -> None:
    """Check each value of a header against what it may be."""
    place = shown(poem.path)
    if poem.theme not in THEMES:
        raise BuildError(
            f"{place}: unknown theme {poem.theme!r}. Use one of {', '.join(THEMES)}."
        )
    if poem.series not in YEARS:
        raise BuildError(f"{place}: series {poem.series}. Use 1, 2 or 3.")
    if poem.year != YEARS[poem.series]:
        raise BuildError(
            f"{place}: year {poem.year}, but series {poem.series} appeared in "
            f"{YEARS[poem.series]}. Correct one of the two."
        )
    if poem.number > N_POEMS:
        raise BuildError(f"{place}: number {poem.number}. Use a number from 1 to {N_POEMS}.")
    if poem.first_line != poem.stanzas[0][0]:
        raise BuildError(
            f"{place}: first_line is {poem.first_line!r}, but the poem begins "
            f"{poem.stanzas[0][0]!r}. Make them equal, punctuation included."
        )
    if poem.path.name != file_name(poem):
        raise BuildError(
            f"{place}: number {poem.number} with this first line belongs in "
            f"{file_name(poem)}. Rename the file or correct its header."
        )


def file_name(poem: Poem) -> str:
    """Name the file of a poem: its number, then its first line in plain letters."""
    words = re.findall(r"[a-z]+", poem.first_line.lower().replace("'", ""))
    return f"{poem.number:02d}-{'-'.join(words)}.txt"


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
    """
    poems = [read_poem(path) for path in sorted(folder.glob("*.txt"))]
    check_no_duplicates(poems)
    missing = sorted(set(range(1, N_POEMS + 1)) - {poem.number for poem in poems})
    if missing:
        raise BuildError(
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
                raise BuildError(
                    f"{shown(seen[what])} and {shown(poem.path)}: both hold {what}\n"
                    "Keep one of the two files."
                )
            seen[what] = poem.path


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
        raise BuildError(f"{shown(path)}: {error}. Restore the file.") from error
    if sorted(digests) != list(range(1, N_POEMS + 1)):
        raise BuildError(
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
    """Check every line of every poem; raise one `BuildError` that lists what differs."""
    problems = [
        problem for poem in poems for problem in differences(poem, digests[poem.number])
    ]
    if problems:
        raise BuildError("\n".join(problems))

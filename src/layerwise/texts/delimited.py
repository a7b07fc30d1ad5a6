"""Read a table of cells with a comma, semicolon, tab or bar between them."""

import csv
import io
from pathlib import Path

from layerwise.texts.rows import Finding, Rows, from_records, read_text

DELIMITERS = ",;\t|"
N_SAMPLED = 200  # lines that are looked at to find the delimiter
# A cell may hold a novel; the default is 131,072 characters.
csv.field_size_limit(2**31 - 1)


def read_delimited(path: Path, encoding: str | None) -> Rows:
    """Read a table of cells with a comma, semicolon, tab or bar between them."""
    findings: list[Finding] = []
    text = read_text(path, encoding, findings)
    if text[:4].lower() == "sep=":  # a line by which Excel tells itself the delimiter
        first, _, rest = text.partition("\n")
        delimiter, text, before = first.strip()[4:5] or ",", rest, 1
    else:
        delimiter, before = find_delimiter(text), 0
    records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    if opens_without_closing(text, delimiter):
        as_cells = csv.reader(
            io.StringIO(text, newline=""), delimiter=delimiter, quoting=csv.QUOTE_NONE
        )
        records = list(as_cells)
        findings.append(Finding(
            "a quotation mark is opened and never closed",
            "quotation marks taken as characters, each line as a row", [],
        ))  # fmt: skip
    numbered = [(i + 1 + before, cells) for i, cells in enumerate(records) if any(cells)]
    if not numbered:
        raise ValueError(f"{path.name} holds no cells")
    blank = [i + 1 + before for i, cells in enumerate(records) if not any(cells)]
    if blank := [number for number in blank if number < numbered[-1][0]]:
        findings.append(Finding("rows without any cell", "left out", blank))
    (_, header), *body = numbered
    return from_records(header, body, findings)


def find_delimiter(text: str) -> str:
    """Return the delimiter that cuts the first lines into rows of most nearly equal length."""
    lines = text[:1_000_000].splitlines()[:N_SAMPLED]

    def regularity(delimiter: str) -> tuple[float, int]:
        records = [x for x in csv.reader(lines, delimiter=delimiter) if x]
        width = len(records[0]) if records else 1
        if width == 1:
            return (0.0, 1)
        return (sum(len(x) == width for x in records) / len(records), width)

    return max(DELIMITERS, key=regularity)


def opens_without_closing(text: str, delimiter: str) -> bool:
    """Say whether a quoted cell runs to the end of the file for want of a closing mark."""
    # A file that ends inside a quoted cell swallows whatever is added to it.
    probe = f"\n{delimiter}\n"
    last = None
    for record in csv.reader(io.StringIO(text + probe, newline=""), delimiter=delimiter):
        last = record
    return last != ["", ""]

"""What the executed chapters of the core show, to compare with what was computed elsewhere."""

import json
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXECUTED = ROOT / "_build" / "executed" / "chapters"
# What a chapter shows if it was executed with the default model and the poems.
MARKS = {
    "tokens": "There are 59 texts.",
    "transformer": "In this model, all-MiniLM-L6-v2,",
    "context": "(7, 59, 384)",
    "counting": "came 771 times",
    "vectors": "3328 words",
    "task": "748 lines",
    "writing": "134,515,008 parameters, 30 layers",
    "wires": "a decoder of 30 layers with 9 heads each",
}
HALF = 0.006  # of the last decimal that is shown, and a little for rounding


@cache
def text_shown(chapter: str = "context") -> str:
    """Return all text that an executed chapter shows, tables as plain text."""
    executed = EXECUTED / f"{chapter}.ipynb"
    if not executed.is_file():
        pytest.skip("the chapter was not executed: run python3 -m nox -s book first")
    text = []
    for cell in json.loads(executed.read_text("utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for part in (output.get("text"), data.get("text/markdown"), data.get("text/plain")):
                if part is not None:
                    text.append("".join(part))
    text = "\n\n".join(text).replace("\N{MINUS SIGN}", "-")
    if MARKS[chapter] not in text:
        pytest.skip("the chapter was executed with another model or other texts")
    return text


def row(shown, start, n_numbers=6, then=""):
    """Find the first line of a table that begins so, and return its numbers."""
    pattern = rf"^{re.escape(start)}((?:\s+-?\d+\.\d\d+){{{n_numbers}}}){then}\s*$"
    found = re.search(pattern, shown, re.MULTILINE)
    assert found, f"no row {start!r} with {n_numbers} numbers"
    return [float(number) for number in found[1].split()]


def column(shown, header, place):
    """Return a column of a table whose header line holds these words, by its place."""
    lines = shown.split("\n")
    start = next(i for i, line in enumerate(lines) if line.split() == header.split())
    values = []
    for line in lines[start + 1 :]:
        if not line.strip():
            break
        if re.match(r"\d", line):
            values.append(float(line.split()[1 + place]))
    return values

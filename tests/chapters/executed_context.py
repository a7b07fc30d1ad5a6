"""What the executed chapter on context shows, to compare with what was computed elsewhere."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXECUTED = ROOT / "_build" / "executed" / "chapters" / "context.ipynb"
HALF = 0.006  # of the last decimal that is shown, and a little for rounding


def text_shown() -> str:
    """Return all text that the executed chapter shows, tables as plain text."""
    if not EXECUTED.is_file():
        pytest.skip("the chapter was not executed: run python3 -m nox -s book first")
    text = []
    for cell in json.loads(EXECUTED.read_text("utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for part in (output.get("text"), data.get("text/markdown"), data.get("text/plain")):
                if part is not None:
                    text.append("".join(part))
    text = "\n\n".join(text).replace("\N{MINUS SIGN}", "-")
    if "(7, 59, 384)" not in text:
        pytest.skip("the chapter was executed with another model or other texts")
    return text


def row(shown, start, n_numbers=6):
    """Find the first line of a table that begins so, and return its numbers."""
    pattern = rf"^{re.escape(start)}((?:\s+-?\d+\.\d\d){{{n_numbers}}})\s*$"
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

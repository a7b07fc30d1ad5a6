"""Read a table that is written as JSON, whole or line by line."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from layerwise.texts.encodings import Encoding, open_text
from layerwise.texts.rows import Finding, Row, Table, encoding_of, read_text


def read_json(path: Path, encoding: str | None) -> Table:
    """Read JSON: a list of objects or of texts, or an object of columns."""
    findings: list[Finding] = []
    text = read_text(path, encoding, findings)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # more than one value: a line each
            return read_json_lines(path, encoding)
        raise ValueError(
            f"{path.name} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from None
    if isinstance(content, dict):
        lists = [value for value in content.values() if isinstance(value, list)]
        if len(lists) == 1 and all(isinstance(item, dict) for item in lists[0]):
            content = lists[0]
        elif content and all(isinstance(x, list | dict) for x in content.values()):
            as_lists = {
                name: list(column.values()) if isinstance(column, dict) else column
                for name, column in content.items()
            }
            if len({len(column) for column in as_lists.values()}) == 1:
                content = [
                    dict(zip(as_lists, cells, strict=True))
                    for cells in zip(*as_lists.values(), strict=True)
                ]
    if not isinstance(content, list):
        raise ValueError(
            f"{path.name} is JSON, but not a table: a list of objects is one, such as "
            '[{"text": "…", "label": "…"}]'
        )
    objects = [_as_object(value) for value in content]
    columns = list(dict.fromkeys(str(name) for record in objects for name in record))
    rows = _json_rows(enumerate(objects, start=1), columns)
    return Table(columns, len(objects), rows, findings)


def read_json_lines(path: Path, encoding: str | None) -> Table:
    """Read JSON lines: an object, or a text, in each line."""
    findings: list[Finding] = []
    kind = encoding_of(path, encoding, findings)
    columns: dict[str, None] = {}
    n_rows = n_broken = 0
    for _, record in _json_lines(path, kind):
        n_broken += record is None
        if record is not None:
            n_rows += 1
            columns |= dict.fromkeys(map(str, record))
    if n_broken and not n_rows:
        raise ValueError(f"{path.name} holds no line of JSON")
    return Table(list(columns), n_rows, _json_rows(_json_lines(path, kind), columns), findings)


def _json_lines(path: Path, encoding: Encoding) -> Iterator[tuple[int, dict | None]]:
    """Yield the number and the object of each line that is not empty; None if it is broken."""
    with open_text(path, encoding, newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield number, _as_object(json.loads(line))
                except json.JSONDecodeError:
                    yield number, None


def _as_object(value: Any) -> dict:
    """Make an object of a bare text, with the name "text"."""
    return value if isinstance(value, dict) else {"text": value}


def _json_rows(
    numbered: Iterable[tuple[int, dict | None]], columns: Iterable[str]
) -> Iterator[Row]:
    """Yield objects as rows; None as a row that is left out."""
    for number, record in numbered:
        if record is None:
            yield Row(number, None, (("lines that are not JSON", "left out"),))
        else:
            yield Row(number, [record.get(name) for name in columns])

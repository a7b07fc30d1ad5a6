"""Read a table that is written as JSON, whole or line by line."""

import json
from pathlib import Path
from typing import Any

from layerwise.texts.rows import Finding, Rows, read_text


def read_json(path: Path, encoding: str | None) -> Rows:
    """Read JSON: a list of objects or of texts, or an object of columns."""
    findings: list[Finding] = []
    text = read_text(path, encoding, findings)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # more than one value: a line each
            return _from_json_lines(path, text, findings)
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
    return _from_objects(list(enumerate(content, start=1)), findings)


def read_json_lines(path: Path, encoding: str | None) -> Rows:
    """Read JSON lines: an object, or a text, in each line."""
    findings: list[Finding] = []
    return _from_json_lines(path, read_text(path, encoding, findings), findings)


def _from_json_lines(path: Path, text: str, findings: list[Finding]) -> Rows:
    objects: list[tuple[int, Any]] = []
    broken = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            objects.append((number, json.loads(line)))
        except json.JSONDecodeError:
            broken.append(number)
    if broken and not objects:
        raise ValueError(f"{path.name} holds no line of JSON")
    if broken:
        findings.append(Finding("lines that are not JSON", "left out", broken))
    return _from_objects(objects, findings)


def _from_objects(objects: list[tuple[int, Any]], findings: list[Finding]) -> Rows:
    """Make rows of objects; a bare text is one with the name "text"."""
    rows = [(n, x if isinstance(x, dict) else {"text": x}) for n, x in objects]
    columns = list(dict.fromkeys(str(name) for _, row in rows for name in row))
    cells = [[row.get(name) for name in columns] for _, row in rows]
    return Rows(columns, cells, [number for number, _ in rows], findings)

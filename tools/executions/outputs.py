"""What cells show: made the same at each execution, and refused where it tells of a fault."""

import html
import json
import re
import sysconfig
import tempfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from tools.chapters import Chapter, Failure, code_cells

# More is a mistake, and a page that no browser shows.
LARGEST_OUTPUT = 20_000_000
WIDGET = "application/vnd.jupyter.widget-view+json"
# A random name, which stays where a table has cut a path short.
TEMPORARY = re.compile(rf"{re.escape(tempfile.gettempdir())}/(tmp|ipykernel_)\w+")
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
TRACEBACK = re.compile(r"Traceback \(most recent call last\)")
MAY_RAISE = "raises-exception"


def make_repeatable(notebook: NotebookNode, hidden: dict[str, str]) -> None:
    """Take out of an executed notebook what would differ at the next execution of the same.

    Ids of cells are random; widgets carry random ids, show progress that is over, and need
    scripts from another host; paths and process numbers belong to this machine.

    Parameters
    ----------
    hidden : dict of str to str
        Paths of this execution, and what to write in their place.
    """
    patterns = machine_paths(hidden)
    notebook.metadata.pop("widgets", None)
    for number, cell in enumerate(notebook.cells, start=1):
        cell["id"] = f"cell-{number}"
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        cell.outputs = [out for out in cell.outputs if WIDGET not in out.get("data", {})]
        cell.outputs = join_streams(cell.outputs)
        for output in cell.outputs:
            hide_machine(output, patterns)


def join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Put together what was printed in pieces, each stream in one, as a terminal would."""
    joined: list[NotebookNode] = []
    open_streams: dict[str, NotebookNode] = {}
    for output in outputs:
        if output.output_type == "stream" and output.name in open_streams:
            open_streams[output.name].text += output.text
            continue
        if output.output_type == "stream":
            open_streams[output.name] = output
        else:
            open_streams.clear()
        joined.append(output)
    for output in joined:
        if output.output_type == "stream":
            output.text = "\n".join(overwrite(line) for line in output.text.split("\n"))
    return joined


def overwrite(line: str) -> str:
    """Return what is left of a line after its carriage returns, and backspaces."""
    line = next((part for part in reversed(line.split("\r")) if part), "")
    if "\b" not in line:
        return line
    left: list[str] = []
    for character in line:
        if character != "\b":
            left.append(character)
        elif left:
            left.pop()
    return "".join(left)


def machine_paths(hidden: dict[str, str]) -> list[tuple[re.Pattern, str]]:
    """Return the paths of this machine that outputs may show, and what to write instead."""
    paths = [
        *hidden.items(),
        (sysconfig.get_path("purelib"), "site-packages"),
        (sysconfig.get_path("platlib"), "site-packages"),
        (sysconfig.get_path("stdlib"), "python"),
    ]
    home = str(Path.home())
    paths += [
        (path.replace(home, "~", 1), short) for path, short in paths if path.startswith(home)
    ]
    paths.sort(key=lambda pair: -len(pair[0]))  # one may begin with another one
    found = [(re.compile("|".join(map(re.escape, forms(p)))), short) for p, short in paths]
    temporary = re.escape(tempfile.gettempdir())
    return [(re.compile(rf"{temporary}/ipykernel_\d+/\d+\.py"), "cell.py"), *found]


def forms(path: str) -> list[str]:
    """Return a path as it stands in plain text, HTML, LaTeX, Markdown, JSON, and an address."""
    escaped = re.sub(r"([_#%&$])", r"\\\1", path)
    in_html = {html.escape(path), html.escape(path, quote=False)}
    found = {path, *in_html, urllib.parse.quote(path), escaped, json.dumps(path)[1:-1]}
    return sorted(found, key=len, reverse=True)


def texts_of(output: NotebookNode) -> Iterator[tuple[Any, Any]]:
    """Find every text that an output shows: where it stands, and under which name."""
    for name in ("text", "evalue", "traceback", "data"):
        yield from texts_in(output, name)


def texts_in(place: Any, name: Any) -> Iterator[tuple[Any, Any]]:
    """Find every text in a value, however deep, but pictures."""
    value = place.get(name) if isinstance(place, dict) else place[name]
    if isinstance(value, str) and name not in ("image/png", "image/jpeg"):
        yield place, name
    elif isinstance(value, dict | list):
        for inner in list(value) if isinstance(value, dict) else range(len(value)):
            yield from texts_in(value, inner)


def hide_machine(output: NotebookNode, patterns: list[tuple[re.Pattern, str]]) -> None:
    """Shorten the paths in every text that a cell shows, of whatever kind."""
    for place, name in texts_of(output):
        for pattern, short in patterns:
            place[name] = pattern.sub(short, place[name])


def find_fault(chapter: Chapter, notebook: NotebookNode) -> Failure | None:
    """Return a failure if an output tells of one, or will be another one next time.

    A traceback may come from where no cell fails: printed, from a thread, from a ``__repr__``.
    """
    for number, cell in code_cells(notebook):
        may_raise = MAY_RAISE in cell.metadata.get("tags", [])
        for output in cell.outputs:
            shown = "\n".join(place[name] for place, name in texts_of(output))
            if not may_raise and (output.output_type == "error" or TRACEBACK.search(shown)):
                what = "an output shows a traceback: mend it, or tag the cell raises-exception"
                details = f"{cell.source}\n{'-' * 40}\n{shown}"
                return Failure(chapter.name, chapter.place(number), what, details)
            if match := TEMPORARY.search(shown):
                what = f"the output shows {match.group()!r}, another name each time"
                return Failure(chapter.name, chapter.place(number), what, cell.source)
            if match := ADDRESS.search(shown):
                what = f"the output shows a memory address, {match.group()!r}, "
                what += "which is another one at each execution"
                return Failure(chapter.name, chapter.place(number), what, cell.source)
    return None

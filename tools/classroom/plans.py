"""Plans by the minute: written in ``teaching/plans``, their numbers computed here.

A plan is a page in Markdown with one table, whose columns are minutes, kind, what, and how.
What is read or run names a section of the chapter, between asterisks: its cells are counted,
and the time of day in the session, the chapter's run time and its reading time are added.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from _ext.minutes import Reading
from tools.classroom.notebooks import kind_of, parts, sections
from tools.desk import BuildError, read_source

KINDS = ("read", "predict", "run", "discuss", "exercise", "buffer")
ROW = re.compile(r"\| *(\d+) *\| *(\w+) *\| *(.+?) *\| *(.+?) *\|")
HEAD = re.compile(r"\| *minutes *\| *kind *\|.*\n\|[-| :]+\n")


class Step(NamedTuple):
    """A line of a plan."""

    minutes: int
    kind: str
    what: str
    how: str


def read_steps(text: str) -> list[Step]:
    """Read the table of a plan."""
    return [Step(int(row[1]), *row.groups()[1:]) for row in ROW.finditer(text)]


def check_steps(name: str, length: int, steps: list[Step], known: set[str]) -> list[str]:
    """Return what is wrong with a plan: its sum, its kinds, sections that are not there."""
    wrong = []
    if (together := sum(step.minutes for step in steps)) != length:
        wrong.append(f"its minutes are {together}, the session has {length}")
    for step in steps:
        if step.kind not in KINDS:
            wrong.append(f"{step.kind!r} is no kind: use one of {', '.join(KINDS)}")
        if (section := named_section(step)) and section not in known:
            wrong.append(f"there is no section called {section!r}")
    if missing := set(KINDS) - {step.kind for step in steps}:
        wrong.append(f"it has no minutes to {', '.join(sorted(missing))}")
    return [f"teaching/plans/{name}.md: {what}" for what in wrong]


def named_section(step: Step) -> str:
    """Return the section that a step names, between asterisks."""
    found = re.search(r"(?<!\*)\*([^*]+)\*(?!\*)", step.what)
    return found[1] if found else ""


def count(cells: list[NotebookNode]) -> Reading:
    """Count what there is to read in cells, outputs taken as one for each cell of code."""
    reading = Reading()
    for cell in cells:
        if kind_of(cell) == "text":
            reading = reading.plus(Reading(words=len(cell.source.split())))
        else:
            hidden = cell.metadata.get("jupyter", {}).get("source_hidden")
            lines = 0 if hidden else cell.source.count("\n") + 1
            reading = reading.plus(Reading(code_lines=lines, outputs=1))
    return reading


def write_plan(
    name: str, text: str, chapters: dict[str, NotebookNode], seconds: dict[str, float]
) -> str:
    """Return a plan with its clock and numbers."""
    length = re.search(r"^minutes: (\d+)$", text, re.MULTILINE)
    about = re.search(r"^chapters: (.+)$", text, re.MULTILINE)
    if not length or not about:
        raise BuildError(f"teaching/plans/{name}.md: begin with minutes: and chapters:")
    names = [part.strip() for part in about[1].split(",")]
    if unknown := set(names) - set(chapters):
        raise BuildError(f"teaching/plans/{name}.md: no chapter is called {min(unknown)!r}")
    found = {section: cells for chapter in names for section, cells
             in sections(chapters[chapter]).items()}  # fmt: skip
    below = {section: cells for chapter in names for section, cells
             in parts(chapters[chapter]).items()}  # fmt: skip
    steps = read_steps(text)
    if wrong := check_steps(name, int(length[1]), steps, set(found)):
        raise BuildError("\n".join(wrong))
    body = text.partition("\n---\n")[2] if text.startswith("---\n") else text
    head = HEAD.search(body)
    assert head, "a plan has a table: its steps were read from it"
    end = head.end() + len(re.match(r"(?:\|.*\n)*", body[head.end() :])[0])  # type: ignore[index]
    return (
        body[: head.start()]
        + table_of(steps, found, below)
        + body[end:].rstrip()
        + "\n\n"
        + numbers(names, chapters, seconds)
    )


def table_of(steps: list[Step], found: dict[str, list], below: dict[str, list]) -> str:
    """Return the steps as a table, with the clock and what is counted in each."""
    rows = ["| from | minutes | | what | how |", "|---|---|---|---|---|"]
    clock = 0
    for step in steps:
        section = named_section(step)
        counted = counted_in(step, found.get(section, []), below.get(section, []))
        start = f"{clock // 60}:{clock % 60:02}"
        rows.append(
            f"| {start} | {step.minutes} | {step.kind} | {step.what}{counted} | {step.how} |"
        )
        clock += step.minutes
    return "\n".join(rows) + "\n"


def counted_in(step: Step, cells: list[NotebookNode], below: list[NotebookNode]) -> str:
    """Say how long a section takes to read, or how many cells it and its parts have."""
    if step.kind == "read":
        to_read = max(1, round(count(cells).minutes))
        to_talk = step.minutes - to_read
        left = f", {to_talk} to talk" if to_talk > 0 else ", the whole of it"
        return f" ({to_read} min to read{left})"
    if step.kind != "run":
        return ""
    told = []
    for some, where in ((cells, ""), (below, " in its parts")):
        if n := sum(kind_of(cell) == "code" for cell in some):
            told.append(f"{n} cell{'' if n == 1 else 's'}{where}")
    return f" ({', '.join(told)})" if told else ""


def numbers(
    names: list[str], chapters: dict[str, NotebookNode], seconds: dict[str, float]
) -> str:
    """Return what the book's build counted and measured, as a table."""
    rows = ["## Counted when this was made", "",
            "| chapter | cells | to run | prose | code | exercises |",
            "|---|---|---|---|---|---|"]  # fmt: skip
    for name in names:
        cells = chapters[name].cells
        reading = count(cells)
        n_cells = sum(cell.cell_type == "code" for cell in cells)
        n_checks = sum(kind_of(cell) == "check" for cell in cells)
        rows.append(
            f"| {name} | {n_cells} | {seconds[name]:.0f} s | {reading.prose_minutes:.0f} min "
            f"| {reading.code_minutes:.0f} min | {n_checks} |"
        )
    return "\n".join(rows) + "\n"


def write_plans(root: Path, chapters: dict[str, NotebookNode], folder: Path) -> None:
    """Write every plan in ``teaching/plans``; say of all at once what is wrong with them."""
    folder.mkdir(parents=True)
    record = json.loads((root / "_build" / "html" / "executions.json").read_text("utf-8"))
    seconds = {c["name"].rpartition("/")[2]: c["seconds"] for c in record["chapters"]}
    wrong = []
    for path in sorted((root / "teaching" / "plans").glob("*.md")):
        try:
            plan = write_plan(path.stem, read_source(path), chapters, seconds)
        except BuildError as error:
            wrong.append(str(error))
        else:
            (folder / path.name).write_text(plan, "utf-8")
    if wrong:
        raise BuildError("\n".join(wrong))

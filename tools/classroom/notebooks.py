"""Copies of the notebooks for a class: with solutions for teachers, for students without."""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

# A link to a page of the website: in a class's folder there is none.
LINK_TO_PAGE = re.compile(r"(?<!!)\[([^\]]*)\]\((?!\w+:)[^)\s]*\.html[^)\s]*(?: \"[^\"]*\")?\)")
CHECK = re.compile(r"^check\(", re.MULTILINE)


def read_notebooks(folder: Path) -> dict[str, NotebookNode]:
    """Read the chapters' notebooks of a built site, by name: ``tokens``."""
    return {
        path.stem: nbformat.read(path, as_version=4)
        for path in sorted((folder / "chapters").glob("*.ipynb"))
    }


def kind_of(cell: NotebookNode) -> str:
    """Say what a cell is: ``start``, ``check``, ``solution``, ``text`` or ``code``."""
    said = cell.metadata.get("layerwise", {})
    if "solution" in said:
        return "solution"
    if cell.cell_type == "markdown":
        return "text"
    if "exercise" in said:
        return "check" if CHECK.search(cell.source) else "start"
    return "code"


def student_copy(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook without solutions, and without links that lead nowhere."""
    copy = nbformat.from_dict(notebook)
    copy.cells = [cell for cell in copy.cells if kind_of(cell) != "solution"]
    return without_page_links(copy)


def teacher_copy(executed: NotebookNode) -> NotebookNode:
    """Return a notebook with all it showed, and its solutions unfolded."""
    copy = nbformat.from_dict(executed)
    for cell in copy.cells:
        if kind_of(cell) == "solution":
            cell.source = cell.source.replace("<details>", "<details open>", 1)
    return without_page_links(copy)


def without_page_links(notebook: NotebookNode) -> NotebookNode:
    """Leave of links to pages that are not handed out only their words."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK_TO_PAGE.sub(r"\1", cell.source)
    return notebook


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for number, cell in enumerate(notebook.cells, start=1):
        cell["id"] = f"cell-{number}"
    nbformat.write(notebook, path)


def sections(notebook: NotebookNode) -> dict[str, list[NotebookNode]]:
    """Return the cells below each heading of the second and third level, by its words."""
    found: dict[str, list[NotebookNode]] = {"": []}
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            found[heading].append(cell)
            continue
        text: list[str] = []
        for line in cell.source.split("\n"):
            if opened := re.match(r"#{2,3} (?:[\d.]+ )?(.+)", line):
                found[heading].append(new_markdown_cell("\n".join(text)))
                text, heading = [], heading_of(opened[1])
                found.setdefault(heading, [])
            text.append(line)
        found[heading].append(new_markdown_cell("\n".join(text)))
    return found


def parts(notebook: NotebookNode) -> dict[str, list[NotebookNode]]:
    """Return the cells of the parts below each heading of the second level."""
    found = sections(notebook)
    below: dict[str, list[NotebookNode]] = {}
    whole = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    upper = ""
    for marks, words in re.findall(r"^(#{2,3}) (?:[\d.]+ )?(.+)", whole, re.MULTILINE):
        if marks == "##":
            upper = heading_of(words)
        else:
            below.setdefault(upper, []).extend(found.get(heading_of(words), []))
    return below


def heading_of(title: str) -> str:
    """Return a heading without its marks; of an exercise, its name without its number."""
    title = title.replace("●", "").strip()
    exercise = re.fullmatch(r"Exercise(?: [\d.]+)? \((.+?) *\)", title)
    return exercise[1] if exercise else title

"""Write every chapter as a notebook with the outputs of its execution."""

from pathlib import Path

import nbformat

from tools.chapters import Book, Chapter
from tools.executions.store import Execution


def write_executed_notebooks(
    book: Book, executions: dict[str, Execution], folder: Path
) -> None:
    """Write every chapter as an executed notebook, ``<folder>/chapters/tokens.ipynb``."""
    for chapter in book.chapters:
        path = folder / f"{chapter.name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(merge_outputs(chapter, executions[chapter.name]), path, version=4)


def merge_outputs(chapter: Chapter, execution: Execution) -> nbformat.NotebookNode:
    """Return a chapter's notebook, text and code, with the outputs of its execution."""
    metadata = {
        name: execution.notebook.metadata[name]
        for name in ("kernelspec", "language_info")
        if name in execution.notebook.metadata
    }
    named = {"models": chapter.models, "data": chapter.data}  # for who installs what it needs
    if needs := {what: list(names) for what, names in named.items() if names is not None}:
        metadata["layerwise"] = needs
    notebook = nbformat.v4.new_notebook(metadata=metadata)
    executed = iter(execution.notebook.cells)
    for number, cell in enumerate(chapter.notebook.cells, start=1):
        cell = nbformat.from_dict(next(executed) if cell.cell_type == "code" else cell)
        cell["id"] = f"cell-{number}"
        notebook.cells.append(cell)
    return notebook

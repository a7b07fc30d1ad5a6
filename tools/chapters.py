"""Read the book's settings and its chapters, exactly as MyST-NB will read them."""

from pathlib import Path
from typing import NamedTuple

import yaml
from jupyter_book.config import get_final_config
from jupyter_cache import get_cache
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import create_nb_reader
from myst_parser.config.main import MdParserConfig
from nbformat import NotebookNode
from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

from tools.desk import BuildError

# Its folder does not matter for computing keys, and is not made.
CACHE_OF_NO_FOLDER = get_cache(".jupyter_cache")
SUFFIXES = (".md", ".ipynb")


class Chapter(NamedTuple):
    """A page of the book that has cells to execute."""

    name: str  # as Sphinx calls it: chapters/tokens
    path: Path
    notebook: NotebookNode
    key: str  # jupyter-cache's digest of kernel and code cells
    time_limit: int  # seconds for a cell

    @property
    def code_cells(self) -> list[tuple[int, NotebookNode]]:
        """The cells to execute; see :func:`code_cells`."""
        return code_cells(self.notebook)

    def place(self, cell_number: int) -> str:
        """Say where a cell is: its number, and the line of its code in the source."""
        lines = self.notebook.metadata.get("source_map")  # an .ipynb file has none
        line = f" (line {lines[cell_number - 1] + 1})" if lines else ""
        return f"cell {cell_number}{line}"


def code_cells(notebook: NotebookNode) -> list[tuple[int, NotebookNode]]:
    """Return the code cells of a notebook, each with its number among all cells, from 1."""
    cells = enumerate(notebook.cells, start=1)
    return [(number, cell) for number, cell in cells if cell.cell_type == "code"]


class Failure(NamedTuple):
    """A chapter that cannot be read or executed, told for the terminal."""

    chapter: str
    where: str  # "", or "cell 3 (line 45)"
    what: str  # one line
    details: str = ""  # the cell and its traceback


class Book(NamedTuple):
    """The book as its settings describe it."""

    root: Path
    sphinx_settings: dict
    chapters: list[Chapter]
    unreadable: list[Failure]


def read_book(root: Path) -> Book:
    """Read the settings and every chapter in the table of contents.

    Raises
    ------
    BuildError
        If the settings or the table of contents cannot be read.
    """
    for name in ("_config.yml", "_toc.yml", "requirements.txt", "pyproject.toml"):
        if not (root / name).is_file():
            raise BuildError(f"{root} is no book: it has no {name}")
    try:
        names = list(parse_toc_yaml(root / "_toc.yml"))
    except (MalformedError, yaml.YAMLError) as error:
        raise BuildError(f"_toc.yml cannot be read: {error}") from error
    settings = sphinx_settings(root)
    chapters, unreadable = [], []
    for name in names:
        try:
            chapter = read_chapter(root, name, settings)
        except Exception as error:  # whatever a broken file makes a reader raise
            what = f"cannot be read: {type(error).__name__}: {error}"
            unreadable.append(Failure(name, "", what))
        else:
            if chapter is not None:
                chapters.append(chapter)
    return Book(root, settings, chapters, unreadable)


def sphinx_settings(root: Path) -> dict:
    """Return the Sphinx settings that Jupyter Book derives from _config.yml.

    Raises
    ------
    BuildError
        If _config.yml cannot be read.
    """
    try:
        settings, _ = get_final_config(
            user_yaml=root / "_config.yml",
            sourcedir=root,
            cli_config={"latex_individualpages": False},
        )
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise BuildError(f"_config.yml cannot be read: {error}") from error
    return settings


def parser_settings(settings: dict, prefix: str, config_class):
    """Gather the settings with a prefix into the parser's own class, as Sphinx would."""
    names = {name for name, _, field in config_class().as_triple()}
    values = {
        key.removeprefix(prefix): value
        for key, value in settings.items()
        if key.startswith(prefix) and key.removeprefix(prefix) in names
    }
    return config_class(**values)


def find_source(root: Path, name: str) -> Path:
    """Return the file of a page in the table of contents.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    for suffix in ("", *SUFFIXES):
        path = root / f"{name}{suffix}"
        if path.is_file():
            return path
    raise FileNotFoundError(f"_toc.yml lists {name}, but there is no {name}.md")


def check_header(text: str) -> None:
    """Check that the header of a Markdown page is YAML.

    MyST-NB takes a page with a broken header for one without code.

    Raises
    ------
    ValueError
        If it is not.
    """
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != "---":
        return
    ends = [i for i, line in enumerate(lines) if i and line.rstrip() in ("---", "...")]
    if not ends:
        raise ValueError("its header begins with --- and never ends")
    try:
        header = yaml.safe_load("\n".join(lines[1 : ends[0]]))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 2}: " if mark else ""
        problem = getattr(error, "problem", None) or error
        raise ValueError(f"its header is not YAML: {line}{problem}") from error
    if header is not None and not isinstance(header, dict):
        raise ValueError("its header is not a list of 'name: value' lines")


def read_chapter(root: Path, name: str, settings: dict) -> Chapter | None:
    """Read one page; None if it has no cells to execute."""
    path = find_source(root, name)
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        check_header(text)
    md_config = parser_settings(settings, "myst_", MdParserConfig)
    nb_config = parser_settings(settings, "nb_", NbParserConfig)
    reader = create_nb_reader(str(path), md_config, nb_config, text)
    if reader is None:
        return None
    notebook = reader.read(text)
    own_settings = notebook.metadata.get(nb_config.metadata_key, {})
    time_limit = own_settings.get("execution_timeout", nb_config.execution_timeout)
    page = path.relative_to(root).with_suffix("").as_posix()
    return Chapter(page, path, notebook, cache_key(notebook), time_limit)


def cache_key(notebook: NotebookNode) -> str:
    """Return the key under which jupyter-cache files the execution of a notebook."""
    return hashed_notebook(notebook)[1]


def hashed_notebook(notebook: NotebookNode) -> tuple[NotebookNode, str]:
    """Return the code cells as jupyter-cache keeps them, and their key."""
    return CACHE_OF_NO_FOLDER.create_hashed_notebook(notebook)

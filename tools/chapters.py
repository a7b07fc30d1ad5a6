"""Read the book's settings and its chapters, exactly as MyST-NB will read them."""

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import yaml
from docutils.parsers.rst.directives.misc import TestDirective
from jsonschema import ValidationError
from jupyter_book.config import get_final_config
from jupyter_cache import get_cache
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import create_nb_reader
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.directives import parse_directive_text
from myst_parser.parsers.mdit import create_md_parser
from nbformat import NotebookNode
from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

from tools.desk import BuildError, read_source
from tools.install import PIN_FILES

# Its folder does not matter for computing keys, and is not made.
CACHE_OF_NO_FOLDER = get_cache(".jupyter_cache")
SUFFIXES = (".md", ".ipynb")


class Chapter(NamedTuple):
    """A page of the book that has cells to execute."""

    name: str  # as Sphinx calls it: chapters/tokens
    notebook: NotebookNode
    key: str  # jupyter-cache's digest of kernel and code cells
    time_limit: int  # seconds for a cell
    models: tuple[str, ...] | None = None  # the roles its header names; None: not said, so all
    data: tuple[str, ...] | None = None  # the data sets its header names; None: all

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


class Cell(NamedTuple):
    """A cell of code, as it stands in a Markdown page."""

    line: int  # of the source where its code begins
    tags: set[str]
    code: list[str]  # without empty lines around it


class Directive(NamedTuple):
    """A directive that is no cell."""

    line: int
    name: str
    argument: str
    options: dict[str, str]
    body: list[tuple[int, str]]  # numbers of lines, and lines


class Page(NamedTuple):
    """A Markdown page, taken apart for those who check its text and its code."""

    name: str  # relative to the book: chapters/tokens.md
    text: str
    cells: list[Cell]
    prose: list[tuple[int, str]]  # numbers of lines, and lines
    directives: list[Directive]


class Book(NamedTuple):
    """The book as its settings describe it."""

    root: Path
    chapters: list[Chapter]
    unreadable: list[Failure]


def read_book(root: Path) -> Book:
    """Read the settings and every chapter in the table of contents."""
    for name in ("_config.yml", "_toc.yml", *PIN_FILES, "pyproject.toml"):
        if not (root / name).is_file():
            raise BuildError(f"{root} is no book: it has no {name}")
        read_source(root / name)
    names = read_contents(root)
    settings = sphinx_settings(root)
    chapters, unreadable = [], []
    for name in names:
        try:
            chapter = read_chapter(root, name, settings)
        except BuildError as error:
            unreadable.append(Failure(name, "", str(error)))
        except Exception as error:  # whatever a broken file makes a reader raise
            what = f"cannot be read: {type(error).__name__}: {error}"
            unreadable.append(Failure(name, "", what))
        else:
            if chapter is not None:
                chapters.append(chapter)
    return Book(root, chapters, unreadable)


def read_contents(root: Path) -> list[str]:
    """Return the pages in the table of contents, in its order."""
    try:
        names = list(parse_toc_yaml(root / "_toc.yml"))
    except (MalformedError, yaml.YAMLError, TypeError, AttributeError) as error:
        raise BuildError(f"_toc.yml cannot be read: {error}") from error
    bare = [name.removesuffix(".md").removesuffix(".ipynb") for name in names]
    if twice := [name for name in bare if bare.count(name) > 1]:
        raise BuildError(f"_toc.yml lists {twice[0]} twice: leave one of them")
    return names


def sphinx_settings(root: Path) -> dict:
    """Return the Sphinx settings that Jupyter Book derives from _config.yml."""
    try:
        settings, _ = get_final_config(
            user_yaml=root / "_config.yml",
            sourcedir=root,
            cli_config={"latex_individualpages": False},
            raise_on_invalid=True,
        )
    except ValidationError as error:
        wrong = error.message.removeprefix("- ")
        raise BuildError(f"_config.yml cannot be read: {wrong}") from error
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise BuildError(f"_config.yml cannot be read: {error}") from error
    if strange := [name for name in settings if not isinstance(name, str)]:
        raise BuildError(f"_config.yml cannot be read: {strange[0]!r} is no name of a setting")
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
    """Return the file of a page in the contents; FileNotFoundError if there is none."""
    for suffix in ("", *SUFFIXES):
        path = root / f"{name}{suffix}"
        if path.is_file():
            return path
    raise FileNotFoundError(f"_toc.yml lists {name}, but there is no {name}.md")


def check_header(text: str) -> None:
    """Raise ValueError if the header of a Markdown page is not YAML.

    MyST-NB takes a page with a broken header for one without code.
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
        raise ValueError(f"its header is not YAML: {told_by_yaml(error, 2)}") from error
    if header is not None and not isinstance(header, dict):
        raise ValueError("its header is not a list of 'name: value' lines")


def told_by_yaml(error: Exception, first: int = 1) -> str:
    """Say in one line why a text is not YAML, counting its lines from the first."""
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + first}: " if mark else ""
    return line + " ".join(str(getattr(error, "problem", None) or error).split())


def read_chapter(root: Path, name: str, settings: dict) -> Chapter | None:
    """Read one page; None if it has no cells to execute."""
    path = find_source(root, name)
    text = read_source(path)
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
    models, data = read_needs(notebook.metadata.get("layerwise", {}))
    _, key = hashed_notebook(notebook)
    return Chapter(page, notebook, key, time_limit, models, data)


def read_needs(named: dict) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Read which models and data sets a header names; ValueError if it names others."""
    form = "write layerwise: {models: [encoder], data: [dickinson_poems]}"
    if not isinstance(named, dict) or not named.keys() <= {"models", "data"}:
        raise ValueError(f"its header has layerwise: {named!r}: {form}")
    for what, names in named.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"its header has {what}: {names!r}, which is no list: {form}")
    models, data = (
        tuple(sorted(named[what])) if what in named else None for what in ("models", "data")
    )
    return models, data


def hashed_notebook(notebook: NotebookNode) -> tuple[NotebookNode, str]:
    """Return the code cells as jupyter-cache keeps them, and their key."""
    return CACHE_OF_NO_FOLDER.create_hashed_notebook(notebook)


def read_pages(root: Path) -> list[Page]:
    """Take every Markdown page in the table of contents apart."""
    config = parser_settings(sphinx_settings(root), "myst_", MdParserConfig)
    try:
        paths = [find_source(root, name) for name in read_contents(root)]
    except FileNotFoundError as error:
        raise BuildError(str(error)) from None
    return [read_page(path, root, config) for path in paths if path.suffix == ".md"]


def read_page(path: Path, root: Path, config: MdParserConfig) -> Page:
    """Take a page apart into cells, prose and directives, with MyST's own parser."""
    text = read_source(path)
    page = Page(path.relative_to(root).as_posix(), text, [], [], [])
    blocks = replace(config, disable_syntax=[*config.disable_syntax, "inline"])
    read_blocks(page, create_md_parser(blocks, RendererHTML), text.splitlines(), 1)
    return page


def read_blocks(page: Page, parser, lines: list[str], first: int) -> None:
    """Sort the blocks of a page, or of a directive in it that begins at line ``first``."""
    prose: set[int] = set()
    for token in parser.parse("\n".join(lines) + "\n"):
        if token.type in ("inline", "html_block"):
            prose.update(range(*where(token)))
        elif token.type in ("fence", "colon_fence") and token.info.startswith("{"):
            directive = read_directive(token, first)
            if directive.name == "code-cell":
                page.cells.append(as_cell(directive))
            else:
                page.directives.append(directive)
            if token.type == "colon_fence" and directive.body:
                body = [line for _, line in directive.body]
                read_blocks(page, parser, body, directive.body[0][0])
    page.prose.extend((first + number, lines[number]) for number in sorted(prose))


def where(token: Token) -> tuple[int, int]:
    """Return the first line of a block, from 0, and the line after its last."""
    assert token.map, "every block of a page has a place in it"
    return token.map[0], token.map[1]


def read_directive(token: Token, first: int) -> Directive:
    """Read ``{name} argument``, the options below it, and its body."""
    name, _, argument = token.info.strip().lstrip("{").partition("}")
    # docutils' own directive for tests takes any option.
    parsed = parse_directive_text(TestDirective, argument.strip(), token.content)
    line = first + where(token)[0]
    body = list(enumerate(parsed.body, start=line + 1 + parsed.body_offset))
    return Directive(line, name, argument.strip(), parsed.options, body)


def as_cell(directive: Directive) -> Cell:
    """Take a cell's tags, and its code without empty lines around it."""
    body, tags = directive.body, directive.options.get("tags", "")
    while body and not body[0][1].strip():
        body.pop(0)
    while body and not body[-1][1].strip():
        body.pop()
    code = [line for _, line in body]
    return Cell(body[0][0] if body else directive.line, set(re.findall(r"[\w-]+", tags)), code)

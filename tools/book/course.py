"""A course of one's own, without a fork: ``nox -s book -- --course FOLDER``.

The folder holds ``course.yml`` and the texts. From these and this clone a book is laid out in
``FOLDER/_build``, built there, and its site put into ``FOLDER/site``::

    title: Letters of a village
    about: What a model makes of the letters we have read.
    chapters:                 # as in _toc.yml; below each, names that it sets, and what to
      tokens:                 # set them to
        line: My dear sister, the rain has not stopped
        word: haymaking
      own_texts:
    texts: letters.csv        # a table
    columns: {text: letter, title: writer}   # as layerwise.texts.own.load_texts calls them
    encoder: NAME|FOLDER      # if it is another model; decoder: in the same way

The texts are those of every chapter that has names below it, and of one that reads a path.
"""

import ast
import difflib
import re
import shutil
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from tools.chapters import Page, find_source, read_contents, read_pages, told_by_yaml
from tools.desk import ROOT, BuildError, read_source
from tools.made import made_whole, tell_others

COPIED = ["_ext", "_static", "_templates", "data", "src", "teaching", "tools", "CITATION.cff",
          "LICENSE", "LICENSE-TEXT", "README.md", "pyproject.toml", "references.bib",
          "requirements.txt", "requirements-torch.txt"]  # fmt: skip
REFERENCE = ["glossary", "bibliography", "executions"]
ROLES = "encoder", "decoder"
SITE = "site"
FEWEST = 20  # texts
COLUMNS = "text", "label", "title", "group", "date", "encoding"  # as load_texts has them
KNOWN = {"title", "about", "author", "chapters", "texts", "columns", *ROLES}
LABEL = re.compile(r"^(?:\(([\w-]+)\)=|:label: (\S+))\n+(?:#+ (.+))?", re.MULTILINE)
REFERENCES = re.compile(r"\{(ref|doc|numref)\}`(?:([^`<]+?) *<([^`>]+)>|([^`<]+))`")
WHERE = """\
from importlib.resources import files
from pathlib import Path

where = Path(str(files("layerwise.datasets").joinpath({!r})))"""
LOAD = """\
from layerwise.texts.own import load_texts

own = load_texts(where, **{!r})"""


class Course(NamedTuple):
    """What ``course.yml`` says."""

    folder: Path
    title: str
    about: str
    author: str
    chapters: dict[str, dict]
    texts: Path | None
    columns: dict[str, str]
    models: dict[str, str]  # by role


def read_course(folder: Path) -> Course:
    """Read a course's settings, and say all at once what stands in the way of its site."""
    said = read_settings(folder / "course.yml")
    chapters, columns = said.get("chapters") or {}, said.get("columns") or {}
    if isinstance(chapters, list) and all(isinstance(name, str) for name in chapters):
        chapters = dict.fromkeys(chapters)
    named = said.get("texts")
    texts = folder / str(named) if named and not isinstance(named, list | dict) else None
    wrong = [*wrong_settings(said), *wrong_chapters(chapters), *wrong_columns(columns)]
    if texts:
        wrong += wrong_name(texts) + wrong_table(texts, called(columns))
    if others := tell_others((folder / SITE).resolve()):
        wrong.append(others)
    if wrong:
        raise BuildError(f"{folder / 'course.yml'}: " + "; ".join(wrong))
    names = {name: chapters[name] or {} for name in chapters}
    return Course(folder, str(said["title"]), str(said.get("about") or ""),
                  str(said.get("author") or ""), names, texts, called(columns),
                  {role: str(said[role]) for role in ROLES if said.get(role)})  # fmt: skip


def read_settings(path: Path) -> dict:
    """Read the file of settings; one that holds no names with values holds none."""
    try:
        said = yaml.safe_load(read_source(path))
    except (yaml.YAMLError, ValueError) as error:  # a date may be none
        raise BuildError(f"{path} is not YAML: {told_by_yaml(error)}") from None
    return said if isinstance(said, dict) else {}


def wrong_settings(said: dict) -> list[str]:
    """Say which settings there are none of, or are not one text."""
    wrong = [f"{key!r} is no setting: use {', '.join(sorted(KNOWN))}"
             for key in sorted(map(str, said.keys() - KNOWN))]  # fmt: skip
    if not said.get("title"):
        wrong.append("it has no title:")
    return wrong + [f"{key}: {said[key]!r} is several: write one" for key in said
                    if key in KNOWN - {"chapters", "columns"}
                    and isinstance(said[key], list | dict)]  # fmt: skip


def wrong_chapters(chapters: object) -> list[str]:
    """Say what is wrong with the chapters, and with the names below each."""
    there = [Path(name).name for name in read_contents(ROOT) if name.startswith("chapters/")]
    if not chapters:
        return [f"it has no chapters: name some of {', '.join(there)}"]
    if not isinstance(chapters, dict):
        return [f"chapters: {chapters!r}: write a list of names, or for each NAME: and what "
                "it sets, without a dash"]  # fmt: skip
    wrong = []
    for name, given in chapters.items():
        if name not in there:
            wrong.append(f"{name!r} is no chapter: there are {', '.join(there)}")
        elif not isinstance(given, dict | None):
            wrong.append(f"below {name!r} stand no names")
        elif given:
            wrong += wrong_names(name, given)
    return wrong


def wrong_names(chapter: str, given: dict) -> list[str]:
    """Say which names a chapter does not set, and which values cannot stand in its code."""
    (page,) = (page for page in pages_here() if page.name == f"chapters/{chapter}.md")
    every = sorted(set().union(*(assigned("\n".join(cell.code)) for cell in page.cells)))
    wrong = []
    for name, value in given.items():
        if name not in every:
            close = difflib.get_close_matches(str(name), every, n=1)
            hint = f": did you mean {close[0]!r}?" if close else ""
            wrong.append(f"{chapter} sets no name {name!r}{hint}")
        elif not is_code(value):
            wrong.append(f"{chapter}: {name}: put quotation marks around {value}")
    return wrong


def is_code(value: object) -> bool:
    """Say whether a value is the same when it stands in code; a date is not, nor NaN."""
    try:
        return ast.literal_eval(repr(value)) == value
    except ValueError:
        return False


@cache
def pages_here() -> list[Page]:
    """Take this clone's pages apart, once."""
    return read_pages(ROOT)


def called(columns: object) -> dict[str, str]:
    """Return what columns are called, but for what nobody reads, or is not said."""
    said = columns if isinstance(columns, dict) else {}
    return {key: str(said[key]) for key in COLUMNS if said.get(key) is not None}


def wrong_columns(columns: object) -> list[str]:
    """Say which columns are none that texts are loaded by."""
    if not isinstance(columns, dict):
        return ["columns: write {text: its name, title: its name, label: its name}"]
    return [f"columns: {key!r} is none of {', '.join(COLUMNS)}"
            for key in columns if key not in COLUMNS]  # fmt: skip


def wrong_name(texts: Path) -> list[str]:
    """Say that a table may not be called as it is, in the place of the book's own tables."""
    if texts.suffix != ".csv" or not texts.stem.isidentifier():
        return [f"texts: {texts.name}: call it by one word, and save it as .csv"]
    if any(path.stem == texts.stem for path in (ROOT / "data" / "datasets").iterdir()):
        return [f"texts: {texts.name}: call it otherwise, the book has a table of that name"]
    return []


def wrong_table(texts: Path, columns: dict) -> list[str]:
    """Say why a table of texts cannot be loaded, or is too small, as the chapters read it."""
    from layerwise.texts.files import open_table
    from layerwise.texts.own import load_texts

    if not texts.is_file():
        return [f"texts: there is no file {texts}"]
    if texts.suffix != ".csv":
        return []
    wrong, n_texts = [], FEWEST
    try:
        n_texts = open_table(texts, columns.get("encoding")).n_rows
        n_texts = len(load_texts(texts, **columns).table)
    except ValueError as error:
        wrong.append(f"texts: {error}")
    if n_texts < FEWEST:
        wrong.append(f"texts: at least {FEWEST} are needed, and {texts.name} holds {n_texts}, "
                     "repeats left out")  # fmt: skip
    return wrong


def lay_out(course: Course, root: Path) -> None:
    """Lay the course's book out in a folder, but for what was built there before."""
    root.mkdir(parents=True, exist_ok=True)
    for path in root.iterdir():
        if path.name not in ("_build", ".jupyter_cache"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in COPIED:
        source, leave = ROOT / name, shutil.ignore_patterns("__pycache__", "*.egg-info")
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=leave)
        else:
            shutil.copy(source, root / name)
    if course.texts:
        shutil.copy(course.texts, root / "data" / "datasets")
    names = [f"chapters/{name}" for name in course.chapters]
    kept = {name: read_source(find_source(ROOT, name)) for name in [*names, *REFERENCE]}
    pages = {Path(page.name).stem: page for page in pages_here()}
    titles = titles_of(pages, names)
    for name, text in kept.items():
        if name in names:
            text = adapted(course, pages[Path(name).name], text)
        target = root / f"{name}.md"
        target.parent.mkdir(exist_ok=True)
        target.write_text(without_lost_references(text, titles), "utf-8")
    (root / "index.md").write_text(make_index(course, names), "utf-8")
    write_settings(course, names, root)


def titles_of(pages: dict[str, Page], names: list[str]) -> dict[str, str]:
    """Return what is not in the course and can be referred to: its title, by label or page."""
    lost = {}
    for name, page in pages.items():
        if page.name.removesuffix(".md") in [*names, *REFERENCE]:
            continue
        found = re.search(r"^# (.+)$", page.text, re.MULTILINE)
        lost[name] = found[1] if found else name
        for label, of_exercise, title in LABEL.findall(page.text):
            lost[label or of_exercise] = title or lost[name]
    return lost


def without_lost_references(text: str, lost: dict[str, str]) -> str:
    """Put words in place of references to what is not in the course."""
    def words(found: re.Match) -> str:
        target = found[3] or found[4]
        name = target.rpartition("/")[2]
        if name not in lost:
            return found[0]
        return found[2] or f"*{lost[name].replace('●', '').strip()}*"

    return REFERENCES.sub(words, text)


def adapted(course: Course, page: Page, text: str) -> str:
    """Return a chapter that works on the course's texts, and says so."""
    name = Path(page.name).stem
    given = dict(course.chapters[name])
    set_by = [(cell, assigned("\n".join(cell.code))) for cell in page.cells]
    wanted = set(given) or ({"path"} if course.texts else set())
    fitting = [(cell, names) for cell, names in set_by if names & wanted]
    if not fitting:
        return text
    cell, names = fitting[0]
    lines = []
    if course.texts:
        lines.append(WHERE.format(course.texts.name))
        if names & {"texts", "poems"}:
            lines.append(LOAD.format(course.columns))
        values = {"texts": 'own.table["text"].tolist()', "poems": "own.table",
                  "path": "where", "columns": repr(course.columns)}  # fmt: skip
        lines += [f"{one} = {code}" for one, code in values.items() if one in names]
    lines += [f"{one} = {value!r}" for one, value in given.items()]
    note = (
        f"\n\n:::{{note}}\nIn *{course.title}* this chapter works on what is set here. Where "
        "it speaks of poems, its numbers and figures are those of these texts.\n:::\n\n"
        "```{code-cell} ipython3\n" + "\n".join(lines) + "\n```"
    )
    if course.texts:  # or else the file is not there when the chapter runs
        named = re.compile(r"(?<=^  data: \[)(.*?)(?=\])", re.MULTILINE)
        of_course = course.texts.stem
        text = named.sub(lambda x: f"{x[1]}, {of_course}".lstrip(", "), text, count=1)
    source = text.split("\n")
    end = next(at for at in range(cell.line - 1, len(source)) if source[at].startswith("```"))
    return "\n".join(source[: end + 1]) + note + "\n" + "\n".join(source[end + 1 :])


def assigned(code: str) -> set[str]:
    """Return the names that a cell sets."""
    return {part.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Assign)
            for target in node.targets for part in ast.walk(target)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}  # fmt: skip


def make_index(course: Course, names: list[str]) -> str:
    """Write the first page."""
    chapters = "\n".join(f"- {{doc}}`{name}`" for name in names)
    return f"# {course.title}\n\n{course.about}\n\n{chapters}\n"


def write_settings(course: Course, names: list[str], root: Path) -> None:
    """Write the book's settings and its table of contents."""
    settings = yaml.safe_load(read_source(ROOT / "_config.yml"))
    settings["title"] = course.title
    if course.author:
        settings["author"] = course.author
    settings["exclude_patterns"] = [*settings["exclude_patterns"], "_build"]
    moved = settings["sphinx"]["config"]["moved_pages"]
    settings["sphinx"]["config"]["moved_pages"] = {
        old: new for old, new in moved.items() if new in names
    }
    ours, reference = ([{"file": name} for name in pages] for pages in (names, REFERENCE))
    parts = [{"caption": course.title, "numbered": True, "chapters": ours},
             {"caption": "Reference", "chapters": reference}]  # fmt: skip
    contents = {"format": "jb-book", "root": "index", "parts": parts}
    for name, value in [("_config.yml", settings), ("_toc.yml", contents)]:
        text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
        (root / name).write_text(text, "utf-8")


def publish(course: Course, root: Path) -> Path:
    """Put the built site whole beside the course's settings; return its first page."""
    with made_whole(course.folder / SITE) as draft:
        shutil.copytree(root / "_build" / "html", draft)
    return course.folder / SITE / "index.html"

"""Check chapters for what a build does not notice, and say what to do about it.

    python -m tools.book.lint

Each function named ``check_...`` below is one rule; its docstring states it. A finding reads
``file:line: what is wrong: what to do``.

What counts as prose: every line of a page outside its header, code, equations, comments and
targets, and outside the first line and the options of a directive; see ``Page`` in
``tools/chapters.py``. Inside prose, inline code, roles such as ``{cite:p}`` and ``{term}``,
inline mathematics, the addresses of links, and numbers that are names ("section 3.2",
"Python 3.11") do not count.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tools.book.exercises import exercises_in, missing_in
from tools.book.quiz import read_answers
from tools.chapters import Cell, Page, read_pages
from tools.desk import ROOT, run_command

MOST_LINES = 22  # of a cell: more do not fit a laptop's screen beside its output
MOST_CHARACTERS = 88  # of a line of code: as wide as the page
MOST_CHARACTERS_HIDDEN = 110  # of a line in a cell whose code the page folds away
HIDDEN = {"remove-input", "hide-input", "remove-cell", "hide-cell"}

# What JupyterLab writes on saving, so that saving a chapter changes no line of it; settings of
# the chapter's own may follow.
HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  name: python3
  display_name: Python 3 (ipykernel)
  language: python
"""

FORBIDDEN_CODE = {
    r"\bos\.chdir\b|^\s*%cd\b": "changes the working folder",
    r"\bsys\.path\b": "changes where Python looks for modules",
    r"^\s*[!%]\s*(pip|conda|mamba)\b|\bpip\.main\b": "installs packages",
}
FORBIDDEN_WORDS = re.compile(r"\b(simply|obviously|as\s+you\s+can\s+see)\b", re.IGNORECASE)
# A decimal, a percentage, or a number of four digits and more, with or without its comma.
NUMBER = re.compile(
    r"\d[\d,.]*\s?(?:%|per\s?cent\b)|\d[\d,]*\.\d+|(?<![\w.])\.\d+|\d{1,3}(?:,\d{3})+|\d{4,}"
)
YEAR = re.compile(r"1[789]\d\d|20\d\d")
NOT_PROSE = re.compile(
    r"(?P<ticks>`+).+?(?P=ticks)"  # inline code, and the text of a role
    r"|\{[a-z:]+\}(?=`)"  # the name of a role
    r"|(?<!\\)\$[^$]+\$"  # mathematics
    r"|(?<=\])\([^)]*\)"  # the address of a link
    r"|<[^>]+>"  # an address, or HTML
    r"|\b(?:[Ss]ections?|[Vv]ersion|Python) [\d.]+"  # names of things
)
CITATION = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")
TERM = re.compile(r"\{term\}`([^`]+)`")


class Finding(NamedTuple):
    """Something to mend."""

    file: str
    line: int
    what: str  # is wrong, and what to do

    def __str__(self) -> str:
        """Return the line to show, in the form that editors make a link of."""
        return f"{self.file}:{self.line}: {self.what}"


def called(call: ast.Call) -> str:
    """Return the name of what is called as it is written: ``pd.concat``."""
    return ast.unparse(call.func)


def calls(cell: Cell) -> list[ast.Call]:
    """Return every call of a function in a cell."""
    try:
        tree = ast.parse("\n".join(cell.code))
    except SyntaxError:  # a magic, or a mistake that the build reports
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def line_of_call(cell: Cell, name: str) -> int | None:
    """Return the line of the source with the first call of a function, if any."""
    lines = [cell.line + call.lineno - 1 for call in calls(cell) if called(call) == name]
    return min(lines, default=None)


def check_header(page: Page) -> Iterator[Finding]:
    """A page with code has the header that Jupyter needs, and names what it runs on."""
    if not page.cells:
        return
    if not page.text.startswith(HEADER):
        what = "another header than the other chapters': begin with\n" + HEADER
        yield Finding(page.name, 1, what)
    header = page.text.removeprefix("---\n").partition("\n---\n")[0].splitlines()
    if "layerwise:" not in header:
        what = "the models and data are not named: layerwise: {models: [encoder], data: []}"
        yield Finding(page.name, 1, what)


def check_code(page: Page) -> Iterator[Finding]:
    """Code does not install, does not change folders or paths, and fits the page."""
    for cell in page.cells:
        if len(cell.code) > MOST_LINES:
            what = f"a cell of {len(cell.code)} lines: split it, {MOST_LINES} fit a screen"
            yield Finding(page.name, cell.line, what)
        most = MOST_CHARACTERS_HIDDEN if cell.tags & HIDDEN else MOST_CHARACTERS
        for number, line in enumerate(cell.code, start=cell.line):
            if len(line) > most:
                what = f"{len(line)} characters of code: break the line, {most} fit the page"
                yield Finding(page.name, number, what)
            for pattern, does in FORBIDDEN_CODE.items():
                if re.search(pattern, line):
                    what = f"code that {does}: leave it out, the package is installed"
                    yield Finding(page.name, number, what)


def check_numbers(page: Page) -> Iterator[Finding]:
    """Prose has no measured numbers: no decimal, no percentage, none of four digits or more.

    They are computed in a cell, so that they are those of the model that was run. Years from
    1700 to 2099 are no measurements, and headings may say what they like.
    """
    for number, line in page.prose:
        if line.lstrip().startswith("#"):
            continue
        for found in NUMBER.findall(NOT_PROSE.sub(" ", line)):
            if not YEAR.fullmatch(found):
                what = f"the number {found} is typed: compute it: Markdown(f'... {{n}} ...')"
                yield Finding(page.name, number, what)


def check_words(page: Page) -> Iterator[Finding]:
    """Prose does not tell readers that what they may find hard is easy."""
    for number, line in page.prose:
        for word in FORBIDDEN_WORDS.findall(NOT_PROSE.sub(" ", line)):
            yield Finding(page.name, number, f"{word!r}: leave it out, or say why it is so")


def check_figures(page: Page) -> Iterator[Finding]:
    """Every figure has an alt text with at least one computed field."""
    for cell in page.cells:
        for call in calls(cell):
            if called(call) != "show":
                continue
            line = cell.line + call.lineno - 1
            alt = next((word.value for word in call.keywords if word.arg == "alt"), None)
            if alt is None:
                what = "a figure without alt text: pass alt=f'...' to show"
                yield Finding(page.name, line, what)
            elif not any(isinstance(node, ast.FormattedValue) for node in ast.walk(alt)):
                what = "an alt text without a computed number: say with {...} what is drawn"
                yield Finding(page.name, line, what)


def check_twins(page: Page) -> Iterator[Finding]:
    """Every check has a broken twin in the same cell or the next one.

    Where there can be none, a comment in the cell says why: ``# no twin: ...``.
    """
    for i, cell in enumerate(page.cells):
        line = line_of_call(cell, "check_equal")
        nearby = page.cells[i : i + 2]
        if (
            line is not None
            and all(line_of_call(near, "check_differs") is None for near in nearby)
            and not any("# no twin: " in code for code in cell.code)
        ):
            what = "a check without a broken twin: add check_differs, or say '# no twin: why'"
            yield Finding(page.name, line, what)


def check_exercises(page: Page) -> Iterator[Finding]:
    """Every exercise has a label and a solution; if code runs, a start and a check of both.

    And two usual mistakes, in cells tagged ``mistakes``, each of which is checked as well.
    """
    solutions = {
        directive.argument
        for directive in page.directives
        if directive.name in ("solution", "solution-start")
    }
    for directive in page.directives:
        if directive.name not in ("exercise", "exercise-start"):
            continue
        label = directive.options.get("label")
        if not label:
            what = "an exercise without a label: add :label: ex-NAME below its first line"
            yield Finding(page.name, directive.line, what)
        elif label not in solutions:
            what = f"an exercise without a solution: add :::{{solution-start}} {label}"
            yield Finding(page.name, directive.line, what)
        elif directive.name == "exercise" and page.cells:
            what = f"an exercise without cells: write exercise-start, {label}, and a start"
            yield Finding(page.name, directive.line, what)
    for exercise in exercises_in(page):
        for what in missing_in(exercise):
            yield Finding(page.name, exercise.line, f"the exercise {exercise.label} {what}")


def check_quizzes(page: Page) -> Iterator[Finding]:
    """A chapter with exercises ends with a quiz, and each question can be answered."""
    quizzes = [directive for directive in page.directives if directive.name == "quiz"]
    for quiz in quizzes:
        try:
            read_answers("\n".join(line for _, line in quiz.body))
        except ValueError as error:
            yield Finding(page.name, quiz.line, f"a quiz: {error}")
    if not quizzes and any(exercises_in(page)):
        what = "a chapter without a quiz: add :::{quiz} with a question"  # noqa: RUF027
        yield Finding(page.name, 1, what)


PAGE_RULES = [
    check_header,
    check_code,
    check_numbers,
    check_words,
    check_figures,
    check_twins,
    check_exercises,
    check_quizzes,
]


def references_in(pages: Iterable[Page], role: re.Pattern) -> Iterator[tuple[Page, int, str]]:
    """Find what pages refer to with a role: the page, its line, and what is referred to."""
    for page in pages:
        for number, line in page.prose:
            for content in role.findall(line):
                target = re.search(r"<([^>]+)>$", content)  # text <target>
                yield page, number, target[1] if target else content


def check_citations(pages: list[Page], root: Path) -> Iterator[Finding]:
    """Every key that is cited is in references.bib, and every entry there is cited."""
    lines = (root / "references.bib").read_text("utf-8").splitlines()
    entries = {
        found[1].strip(): number
        for number, line in enumerate(lines, start=1)
        if (found := re.match(r"\s*@\w+\{([^,]+),", line))
    }
    cited = set()
    for page, number, content in references_in(pages, CITATION):
        for key in (part.strip() for part in content.split(",")):
            cited.add(key)
            if key not in entries:
                what = f"{key!r} is not in references.bib: add it, or mend the key"
                yield Finding(page.name, number, what)
    for key in entries.keys() - cited:
        what = f"{key!r} is cited nowhere: cite it, or take it out"
        yield Finding("references.bib", entries[key], what)


def glossary_entries(pages: list[Page]) -> dict[str, int]:
    """Return the words of the glossary, each with its line: what is not indented."""
    return {
        text.strip(): line
        for page in pages
        for directive in page.directives
        if directive.name == "glossary"
        for line, text in directive.body
        if text[:1].strip()
    }


def check_terms(pages: list[Page]) -> Iterator[Finding]:
    """Every {term} is in the glossary, and every word there is a {term} of some page."""
    entries = {word.lower(): (word, line) for word, line in glossary_entries(pages).items()}
    used = set()
    for page, number, word in references_in(pages, TERM):
        used.add(word.lower())
        if word.lower() not in entries:
            what = f"the term {word!r} is not in glossary.md: add it, or mend the term"
            yield Finding(page.name, number, what)
    for word in entries.keys() - used:
        what = f"{entries[word][0]!r} is a {{term}} nowhere: use it, or take it out"
        yield Finding("glossary.md", entries[word][1], what)


def check_labels(pages: list[Page]) -> Iterator[Finding]:
    """A label of an exercise stands once in the book: the second would hide the first."""
    seen: dict[str, str] = {}
    for page in pages:
        for directive in page.directives:
            label = directive.options.get("label")
            if label is None or directive.name not in ("exercise", "exercise-start"):
                continue
            if label in seen:
                what = f"the label {label!r} is taken by {seen[label]}: choose another one"
                yield Finding(page.name, directive.line, what)
            seen[label] = f"{page.name}:{directive.line}"


def lint(root: Path) -> list[Finding]:
    """Check every page of a book against every rule."""
    pages = read_pages(root)
    findings = [finding for page in pages for rule in PAGE_RULES for finding in rule(page)]
    findings += [*check_citations(pages, root), *check_terms(pages), *check_labels(pages)]
    return sorted(findings)


def main() -> int:
    """Show every finding; return the exit status."""
    return run_command(show_findings)


def show_findings() -> int:
    """Check the book and show every finding; return the exit status."""
    findings = lint(ROOT)
    for finding in findings:
        print(finding)
    print(f"chapters: {len(findings)} findings" if findings else "chapters: nothing found")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

"""A sheet to print for each chapter: what it is about, its exercises, room to write."""

import html
import re
from base64 import b64encode
from collections.abc import Collection
from pathlib import Path

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

from _ext.mathml import latex_to_mathml
from tools.classroom.notebooks import heading_of, kind_of
from tools.classroom.plans import named_section, read_steps
from tools.desk import ROOT, read_source
from tools.site.browser import BROWSER_OPTIONS, CHROMIUM

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<p class="name">Name: ______________________</p>
{body}
</body>
</html>
"""
STYLE = Path(__file__).with_name("handout.css")
# A sheet is one file, and few systems have a font with roots: those with equations bring it.
MATH_FONT = ROOT / "_static" / "fonts" / "stix-two-math-subset.woff2"
MATH_STYLE = """
@font-face {{ font-family: "STIX Two Math"; src: url("data:font/woff2;base64,{font}"); }}
math {{ font-family: "STIX Two Math", math; }}
"""
LINES_OF_STARS = {1: 2, 2: 4, 3: 6}
# On paper there are no cells: the sentence that sends to one is left out.
ON_SCREEN = re.compile(r" ?\bStart (?:here|with|by)\b[^.:]*[.:]")
EXERCISE = re.compile(r"^### Exercise.*", re.MULTILINE)
QUESTION = re.compile(
    r'\*\*(.+)\*\*\n\n((?:<details class="quiz">(?s:.*?)</details>\s*)+)'
)  # the question is a line, and may have words in italics


def make_handout(name: str, notebook: NotebookNode, session: Collection[str] = ()) -> str:
    """Return the sheet of a chapter, as HTML; the exercises of its session are marked."""
    markdown = MarkdownIt("commonmark").enable("table").use(
        dollarmath_plugin,
        renderer=lambda latex, given: latex_to_mathml(
            latex, "block" if given["display_mode"] else "inline"
        ),
    )
    text = [cell.source for cell in notebook.cells if kind_of(cell) == "text"]
    whole = "\n\n".join(text)
    title = re.search(r"^# (?:[\d.]+ )?(.+)$", whole, re.MULTILINE)
    goals = re.search(r"You will be able to\n\n((?:- .+\n?)+)", whole)
    parts = [f"<h1>{html.escape(title[1] if title else name)}</h1>"]
    if goals:
        parts.append("<h2>You will be able to</h2>" + markdown.render(goals[1]))
    parts.append("<h2>Exercises</h2>")
    for cell in notebook.cells:
        if kind_of(cell) == "text" and (found := EXERCISE.search(cell.source)):
            n_lines = LINES_OF_STARS[found[0].partition("\n")[0].count("★") or 1]
            lines = "<div></div>" * n_lines
            heading, _, words = cell.source[found.start() :].partition("\n")
            if heading_of(heading.lstrip("# ")) in session:
                heading += " · in this chapter's session"
            asked = markdown.render(f"{heading}\n{ON_SCREEN.sub('', words)}")
            parts.append(f'<section>{asked}'
                         f'<div class="lines">{lines}</div></section>')  # fmt: skip
    if quiz := questions(whole):
        # A page of its own: the questions give away what is to be predicted.
        parts.append(f'<h2 class="own-page">Test yourself</h2>{quiz}')
    words = html.escape(title[1] if title else name)
    style = STYLE.read_text("utf-8").replace("TITLE", words.replace('"', ""))
    body = "\n".join(parts)
    if "<math" in body:
        style += MATH_STYLE.format(font=b64encode(MATH_FONT.read_bytes()).decode())
    return PAGE.format(title=words, style=style, body=body)


def questions(text: str) -> str:
    """Return the quiz of a chapter, with boxes to tick in place of what unfolds."""
    parts = []
    for question, folded in QUESTION.findall(text):
        answers = re.findall(r"<summary>(.*?)</summary>", folded)
        items = "".join(f"<li>{answer}</li>" for answer in answers)
        asked = MarkdownIt("commonmark").renderInline(question)
        parts.append(f'<section class="quiz"><b>{asked}</b><ul>{items}</ul></section>')
    return "\n".join(parts)


def write_handouts(root: Path, notebooks: dict[str, NotebookNode], folder: Path) -> None:
    """Write every chapter's sheet as a page, and where there is Chromium as a PDF."""
    folder.mkdir(parents=True)
    pages = []
    for name, notebook in notebooks.items():
        pages.append(folder / f"{name}.html")
        plan = root / "teaching" / "plans" / f"{name}.md"
        steps = read_steps(read_source(plan)) if plan.is_file() else []
        session = {named_section(step) for step in steps}
        pages[-1].write_text(make_handout(name, notebook, session), "utf-8")
    if Path(CHROMIUM).is_file():
        print_pages(pages)


def print_pages(pages: list[Path]) -> None:
    """Print pages through Chromium, each into a PDF beside it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_OPTIONS)
        page = browser.new_page()
        for path in pages:
            page.goto(path.as_uri(), wait_until="load")
            page.pdf(path=path.with_suffix(".pdf"), prefer_css_page_size=True, tagged=True)
        browser.close()

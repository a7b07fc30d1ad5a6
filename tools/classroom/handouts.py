"""A sheet to print for each chapter: what it is about, its exercises, room to write."""

import html
import re
from pathlib import Path

from markdown_it import MarkdownIt
from nbformat import NotebookNode

from tools.classroom.notebooks import kind_of
from tools.site.browser import BROWSER_OPTIONS, CHROMIUM

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
  @page {{ size: A4; margin: 18mm 18mm 20mm; @bottom-center {{ content: "{title} · " counter(page); font: 9pt sans-serif; }} }}
  body {{ font: 11pt/1.45 Georgia, serif; max-width: 46em; margin: 2em auto; padding: 0 1em; color: #111; }}
  h1 {{ font-size: 20pt; margin: 0 0 .2em; }} h2 {{ font-size: 14pt; }} h3 {{ font-size: 11.5pt; margin: 0 0 .2em; }}
  section {{ break-inside: avoid; margin: 1.1em 0; }}
  .lines div {{ border-bottom: 1px solid #999; height: 8mm; }}
  pre, code {{ font: 9.5pt/1.4 monospace; }} pre {{ background: #f3f3f3; padding: .5em; white-space: pre-wrap; }}
  .quiz li {{ list-style: "☐  "; }}
  .name {{ float: right; font-size: 10pt; }}
</style>
</head>
<body>
<p class="name">Name: ______________________</p>
{body}
</body>
</html>
"""
LINES_OF_STARS = {1: 3, 2: 5, 3: 8}


def make_handout(name: str, notebook: NotebookNode) -> str:
    """Return the sheet of a chapter, as HTML."""
    markdown = MarkdownIt("commonmark").enable("table")
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
            parts.append(f'<section>{markdown.render(cell.source[found.start():])}'
                         f'<div class="lines">{lines}</div></section>')  # fmt: skip
    return PAGE.format(title=html.escape(title[1] if title else name), body="\n".join(parts))


EXERCISE = re.compile(r"^### Exercise.*", re.MULTILINE)


def write_handouts(notebooks: dict[str, NotebookNode], folder: Path) -> None:
    """Write every chapter's sheet as a page, and where there is Chromium as a PDF."""
    folder.mkdir(parents=True)
    pages = []
    for name, notebook in notebooks.items():
        pages.append(folder / f"{name}.html")
        pages[-1].write_text(make_handout(name, notebook), "utf-8")
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

"""Sphinx extension: a chapter's page knows its plan, for who shows it to a class.

The plan of ``teaching/plans`` is in the page as data; ``_static/project.js`` shows it, section
by section, in the window of the speaker.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from tools.classroom.plans import named_section, read_steps
from tools.desk import read_source


def notes_of(plan: str) -> list[dict]:
    """Return what a plan says, each step with the section it names."""
    steps = read_steps(plan)
    return [{"section": named_section(step), **step._asdict()} for step in steps]


def add_notes(
    app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None
) -> None:
    """Put the plan of a chapter into its page."""
    path = Path(app.srcdir, "teaching", "plans", f"{Path(pagename).name}.md")
    if doctree is None or not pagename.startswith("chapters/") or not path.is_file():
        return
    said = json.dumps(notes_of(read_source(path)), ensure_ascii=False).replace("</", "<\\/")
    context["body"] += f'<script type="application/json" id="plan">{said}</script>\n'


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("html-page-context", add_notes)

"""Sphinx extension: how long a chapter takes, and what to take along.

Below each chapter's title stands how long it takes to read and to run, with its notebook to
download and the services that open it; and, where the site has no address, the package that
the notebook looks for beside it.
"""

import html
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from _ext.executions import read_record
from _ext.minutes import count
from _ext.notebooks import is_notebook, launch_links
from tools.book.wheel import built_wheel


def running_time(seconds: float) -> str:
    """Say how long a chapter ran, in a round number."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"


def seconds_to_run(app: Sphinx, pagename: str) -> float | None:
    """Look up how long a chapter's execution took."""
    chapters = read_record(app.config)["chapters"]
    return next((c["seconds"] for c in chapters if c["name"] == pagename), None)


def reading_line(app: Sphinx, pagename: str, context: dict, doctree: nodes.document) -> str:
    """Write the line below a chapter's title."""
    reading = count(doctree)
    parts = [
        f"<span>{max(1, round(reading.prose_minutes))} min of prose, "
        f"{round(reading.code_minutes)} min of code</span>"
    ]
    if seconds := seconds_to_run(app, pagename):
        parts.append(f"<span>{running_time(seconds)} to run</span>")
    pathto = context["pathto"]
    for text, folder in [
        ("Notebook", "notebooks"),
        ("Executed notebook", "notebooks/executed"),
    ]:
        address = pathto(f"{folder}/{pagename}.ipynb", True)
        parts.append(f'<a href="{html.escape(address)}" download>{text}</a>')
    if not app.config.html_baseurl:  # then a notebook cannot fetch the package it needs
        address = pathto(f"notebooks/{built_wheel(Path(app.srcdir)).name}", True)
        parts.append(f'<a href="{html.escape(address)}" download>Package (wheel)</a>')
    for name, address in launch_links(app.config.layerwise_launch, pagename).items():
        parts.append(f'<a href="{html.escape(address)}">{name}</a>')
    return f'<p class="reading">{" ".join(parts)}</p>'


def add_reading_line(
    app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None
) -> None:
    """Add the line to a chapter."""
    if doctree is None or pagename == app.config.root_doc or not is_notebook(app.env, pagename):
        return
    line = reading_line(app, pagename, context, doctree)
    context["body"] = context["body"].replace("</h1>", "</h1>\n" + line, 1)


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("html-page-context", add_reading_line, priority=950)

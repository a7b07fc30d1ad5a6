"""Sphinx extension: the path for one session, as a table whose minutes are counted.

A section, or an exercise, belongs to the path if its title ends with ●. ``{session-plan}``
lists them chapter by chapter, with the cells to run and the minutes for each: reading as in
``minutes``, and for an exercise what its stars say. What is left of the session is for
questions; a path that takes longer than the session is a warning, so it fails the build.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from _ext.minutes import Reading, count
from _ext.pages import names_in_order
from _ext.tables import table, text

MARK = "●"
ON_PATH = "on-path"
MINUTES_OF_STARS = {"★": 4, "★★": 7, "★★★": 30}
RUN_MINUTES_PER_CHAPTER = 1  # opening it, and waiting for its cells

logger = logging.getLogger(__name__)


class Row(NamedTuple):
    """A part of a chapter that is on the path."""

    title: str
    target: str  # the id to link to
    cells: int
    minutes: float


class session_plan(nodes.General, nodes.Element):
    """Where the table will stand, once every chapter is read."""


class SessionPlan(SphinxDirective):
    """``{session-plan} 90``: a session of so many minutes."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Leave the place."""
        return [session_plan("", minutes=int(self.arguments[0]))]


def title_of(element: nodes.Element) -> str:
    """Return the title of a section or an exercise."""
    title = next(iter(element.findall(nodes.title)), None)
    return title.astext() if title is not None else ""


class MarksAreNoWords(SphinxTransform):
    """Take the mark out of the words of a heading: a link to it repeats only these.

    What stands in its place is empty and has a class; the style sheet draws the mark.
    """

    default_priority = 700  # before headings are collected for links and contents

    def apply(self, **kwargs: object) -> None:
        """Change the headings of one document."""
        for title in self.document.findall(nodes.title):
            last = title.children[-1] if title.children else None
            if isinstance(title.parent, nodes.section) and isinstance(last, nodes.Text):
                words = last.rstrip()
                if words.endswith(MARK):
                    words = words.removesuffix(MARK).rstrip()
                    title.replace(last, [nodes.Text(words), nodes.inline(classes=[ON_PATH])])


def is_marked(element: nodes.Element) -> bool:
    """Say whether a section or an exercise is on the path."""
    title = next(iter(element.findall(nodes.title)), None)
    if title is None:
        return False
    return is_drawn(title) or title.astext().rstrip(" )").endswith(MARK)


def is_drawn(title: nodes.title) -> bool:
    """Say whether the website draws the mark behind a heading."""
    return any(ON_PATH in part["classes"] for part in title.findall(nodes.inline))


def is_exercise(element: nodes.Node) -> bool:
    """Say whether this is an exercise."""
    return isinstance(element, nodes.Element) and "exercise" in element.get("classes", [])


def exercise_minutes(title: str) -> int:
    """Return the minutes that an exercise's stars stand for."""
    return MINUTES_OF_STARS["★" * title.count("★")]


def rows_of(chapter: nodes.Element) -> Iterator[Row]:
    """List what is on the path in a chapter: its sections, and below each its exercises."""
    top = next(iter(chapter.findall(nodes.section)))
    for section in (child for child in top.children if isinstance(child, nodes.section)):
        parts = [s for s in section.findall(nodes.section) if is_marked(s)]
        if not parts:
            continue
        own = [child for part in parts for child in part.children]
        exercises = [child for child in own if is_exercise(child)]
        to_read = [c for c in own if not isinstance(c, nodes.section) and c not in exercises]
        reading = Reading()
        for child in to_read:
            reading = reading.plus(count(child))
        title = title_of(section).replace(MARK, "").strip()
        if not is_marked(section):  # only some of it is to be read
            names = [title_of(part).replace(MARK, "").strip() for part in parts]
            title = f"{title}: {', '.join(names)}"
        target = (section if is_marked(section) else parts[0])["ids"][0]
        yield Row(title, target, count_cells(to_read), reading.minutes)
        for exercise in filter(is_marked, exercises):
            title = title_of(exercise).removeprefix("Exercise").replace(MARK, "").strip()
            yield Row(f"Exercise {title}", exercise["ids"][0], 1, exercise_minutes(title))


def count_cells(elements: Sequence[nodes.Node]) -> int:
    """Count cells with code that is shown or folded, but not left out."""
    return sum(
        "cell_input" in container.get("classes", [])
        for element in elements
        for container in element.findall(nodes.container)
    )


def whole_minutes(minutes: float) -> int:
    """Round to whole minutes; nothing takes less than one."""
    return max(1, round(minutes))


def skipped(chapter: nodes.Element) -> list[str]:
    """List the sections of a chapter of which nothing is on the path."""
    top = next(iter(chapter.findall(nodes.section)))
    sections = [s for s in top.findall(nodes.section) if s is not top]
    left_out = [s for s in sections if not any(map(is_marked, s.findall(nodes.section)))]
    titles = [title_of(section) for section in left_out]
    return [title for title in titles if title]  # what is in an exercise has none


def write_plan(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the table in its place."""
    for place in list(doctree.findall(session_plan)):
        chapters = [name for name in names_in_order(app) if name.startswith("chapters/")]
        trees = {name: app.env.get_doctree(name) for name in chapters}
        place.replace_self(make_plan(app, docname, trees, place["minutes"]))


def make_plan(
    app: Sphinx, docname: str, chapters: dict[str, nodes.document], session: int
) -> list[nodes.Node]:
    """Make the table, and below it what to skip."""
    rows: list[tuple[str, str, Row]] = []
    opening: list = []
    skips: list = []
    for name, tree in chapters.items():
        listed = list(rows_of(tree))
        if not listed:
            continue
        top = next(iter(tree.findall(nodes.section)))
        address = app.builder.get_relative_uri(docname, name)
        opening.append(len(rows))
        rows.append((address, title_of(top), Row("", "", 0, RUN_MINUTES_PER_CHAPTER)))
        rows += [(f"{address}#{row.target}", row.title, row) for row in listed]
        if names := skipped(tree):
            skips.append(f"In {title_of(top)}: {'; '.join(names)}.")
    minutes = [whole_minutes(row.minutes) for *_, row in rows]
    left = session - sum(minutes)
    if left < 0:
        logger.warning("the path takes %d minutes, a session has %d", sum(minutes), session)
    lines: list[list[nodes.Node]] = []
    for i, ((address, title, row), number) in enumerate(zip(rows, minutes, strict=True)):
        link = nodes.reference("", title, refuri=address, internal=True)
        first = nodes.strong("", "", link) if i in opening else link
        lines.append([first, text(str(row.cells or "")), text(str(number))])
    rest = max(left, 0)
    lines.append([text("Questions, and what went wrong"), text(""), text(str(rest))])
    lines.append([nodes.strong("", "Together"), text(""), text(str(sum(minutes) + rest))])
    items = [nodes.list_item("", nodes.paragraph("", line)) for line in skips]
    return [
        table(["read, run, do", "cells", "minutes"], lines, widths=(70, 15, 15)),
        nodes.paragraph("", "What waits for another day:"),
        nodes.bullet_list("", *items),
    ]


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_node(session_plan)
    app.add_directive("session-plan", SessionPlan)
    app.add_transform(MarksAreNoWords)
    app.connect("doctree-resolved", write_plan)

"""Sphinx extension: the page of all poems, made from the data by the directive ``{poems}``.

On top all are listed. Each poem has the address ``poem-17``, each of its lines
``poem-17-line-3``. Below each stand the poems before and after it, by theme and by year of
print; where these are the same ones, once.
"""

import html
from itertools import pairwise

import pandas as pd
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from layerwise.texts.poems import load_poems, poem_html


class Poems(SphinxDirective):
    """All poems, theme by theme, each with its neighbours."""

    def run(self) -> list[nodes.Node]:
        """Return an introduction, a list by year, and one section for each theme."""
        poems = load_poems()
        poems["name"] = [f"poem-{number}" for number in poems["number"]]
        poems["shown"] = poems["title"].map(as_in_print)
        by_theme = poems.sort_values(["theme", "number"], kind="stable")
        by_year = poems.sort_values(["year", "number"], kind="stable")
        turns: dict[str, dict[str, list[str]]] = {}  # poem -> links -> what they are by
        for order, column in [(by_theme, "theme"), (by_year, "year")]:
            for name, (label, links) in neighbours(order, column).items():
                turns.setdefault(name, {}).setdefault(links, []).append(label)
        return [
            introduction(poems),
            years(by_year),
            *[section(theme, group, turns) for theme, group in by_theme.groupby("theme")],
        ]


def as_in_print(line: str) -> str:
    """Return a title without the comma it may end in, with curved apostrophes."""
    return line.rstrip(",;:").replace("'", "’")


def introduction(poems: pd.DataFrame) -> nodes.paragraph:
    """Say what is on the page."""
    volumes = ", ".join(str(year) for year in sorted(poems["year"].unique()))
    return nodes.paragraph(
        "",
        f"All {len(poems)} poems by Emily Dickinson that the book reads, under the "
        f"{poems['theme'].nunique()} headings the first editors gave them, in the wording of "
        f"the editions of {volumes}. Below each stand its neighbours, by theme and by year.",
    )


def neighbours(poems: pd.DataFrame, column: str) -> dict[str, tuple[str, str]]:
    """Return for each poem its place in this order, and links to those before and after it."""
    before = {b.name: a for a, b in pairwise(poems.itertuples(index=False))}
    after = {a.name: b for a, b in pairwise(poems.itertuples(index=False))}
    return {
        poem.name: (
            str(getattr(poem, column)),
            turn(before.get(poem.name), after.get(poem.name)),
        )
        for poem in poems.itertuples(index=False)
    }


def turn(before, after) -> str:
    """Write the links to two neighbours."""
    links = []
    for rel, sign, poem in [("prev", "←", before), ("next", "→", after)]:
        if poem is not None:
            text = html.escape(poem.shown)
            parts = f"{sign} {text}" if rel == "prev" else f"{text} {sign}"
            links.append(f'<a rel="{rel}" href="#{poem.name}">{parts}</a>')
    return " ".join(links)


def section(
    theme: str, poems: pd.DataFrame, turns: dict[str, dict[str, list[str]]]
) -> nodes.section:
    """Return the section of one theme."""
    part = nodes.section(ids=[nodes.make_id(theme)], names=[theme.lower()])
    part += nodes.title("", theme)
    for poem in poems.itertuples(index=False):
        one = nodes.section(ids=[poem.name], names=[poem.name], classes=["one-poem"])
        one += nodes.title("", poem.shown)
        source = f"Poems, series {poem.series} ({poem.year}), {theme}"
        verse = poem_html(poem.text, source=source, name=poem.name)
        one += nodes.raw("", verse, format="html")
        near = html.escape(f"Before and after poem {poem.number}")
        links = f'<nav class="poem-turn" aria-label="{near}">\n'
        for both, labels in turns[poem.name].items():
            links += f"<p><span>{html.escape(', '.join(labels))}</span> {both}</p>\n"
        one += nodes.raw("", links + "</nav>", format="html")
        part += one
    return part


def years(poems: pd.DataFrame) -> nodes.section:
    """List the poems by the year they were printed in."""
    part = nodes.section(ids=["by-year"], names=["by year"])
    part += nodes.title("", "By year")
    for year, group in poems.groupby("year"):
        part += nodes.paragraph("", "", nodes.strong("", str(year)))
        part += nodes.bullet_list(
            "",
            *[
                nodes.list_item(
                    "",
                    nodes.paragraph(
                        "", "", nodes.reference("", poem.shown, refid=poem.name, internal=True)
                    ),
                )
                for poem in group.itertuples(index=False)
            ],
        )
    return part


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("poems", Poems)

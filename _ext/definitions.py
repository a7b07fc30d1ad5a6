"""Sphinx extension: each glossary term on a page carries its definition.

For screen readers, and for ``site.js``, which shows it on hover, focus or tap.
"""

import re
from functools import cache
from typing import cast

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder


@cache
def glossary_definitions(app: Sphinx) -> dict[str, str]:
    """Return the HTML of each glossary definition, by the id of its term."""
    if "glossary" not in app.env.found_docs:
        return {}
    definitions: dict[str, str] = {}
    builder = cast(StandaloneHTMLBuilder, app.builder)
    glossary = app.env.get_and_resolve_doctree("glossary", builder)
    for link in list(glossary.findall(nodes.reference)):  # they hold in one place only
        link.replace_self(link.children)
    for item in glossary.findall(nodes.definition_list_item):
        definition = next(item.findall(nodes.definition))
        fragments = [builder.render_partial(part)["fragment"] for part in definition.children]
        for term in item.findall(nodes.term):
            definitions.update(dict.fromkeys(term["ids"], "".join(fragments)))
    return definitions


def add_definitions(body: str, definitions: dict[str, str]) -> str:
    """Mark each link to a glossary term, and append the definitions it and its like need."""
    used = {}

    def mark(link: re.Match) -> str:
        term = link.group(2)
        if term not in definitions:
            return link.group()
        used[term] = definitions[term]
        target = f"{link.group(1)}#{term}"
        return f'<a class="term" aria-describedby="definition-{term}" href="{target}">'

    body = re.sub(
        r'<a class="reference internal" href="([^"#]*)#(term-[^"]*)"(?: title="[^"]*")?>',
        mark,
        body,
    )
    if not used:
        return body
    blocks = "\n".join(
        f'<div id="definition-{term}">{definition}</div>' for term, definition in used.items()
    )
    return f"{body}\n<div hidden>\n{blocks}\n</div>\n"


def define_terms(
    app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None
) -> None:
    """Add to a page the definitions of its terms."""
    if doctree is not None:
        context["body"] = add_definitions(context["body"], glossary_definitions(app))


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("html-page-context", define_terms, priority=960)

"""Sphinx extension: what the search looks through, place by place.

A place is a section, or a line of a poem: anything with an address of its own. Sphinx's index
knows pages and headings only, and shows where a word stands by fetching the page, which
browsers refuse to pages opened as files; so they do where an index is kept in WebAssembly, as
Pagefind's is. ``_static/places.js``, a classic script, holds the words themselves and works
anywhere.
"""

import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx_exercise.nodes import solution_node

from _ext.pages import names_in_order
from layerwise.texts.poems import load_poems

# What Sphinx's own search is made of: our pages ask for none of it.
UNUSED = [
    "searchindex.js", "_static/searchtools.js", "_static/language_data.js",
    "_static/doctools.js", "_static/documentation_options.js",
]  # fmt: skip


def places_of(document: nodes.document, page: str) -> list[dict]:
    """Return the places of a page, in order: its address, its headings, its words."""
    places = []
    for section in document.findall(nodes.section):
        title = section.next_node(nodes.title)
        if title is None or "one-poem" in section.get("classes", []):
            continue
        top = section.parent is document
        text, code = words_of(section)
        places.append(
            {
                "at": page if top else f"{page}#{section['ids'][0]}",
                "title": title.astext(),
                "text": text,
                "code": code,
            }
        )
    for item in document.findall(nodes.definition_list_item):
        term, definition = item.next_node(nodes.term), item.next_node(nodes.definition)
        if term["ids"]:
            at = f"{page}#{term['ids'][0]}"
            places.append({"at": at, "title": term.astext(), "text": definition.astext()})
    return places


def words_of(section: nodes.section) -> tuple[str, str]:
    """Return a section's prose and its code, without those of the sections in it.

    Nor those of solutions: a list of what was found would give them away.
    """
    prose, code = [], []
    for node in section.children:
        if isinstance(node, nodes.section | solution_node):
            continue
        for block in node.findall(nodes.literal_block):
            if "output" not in block["classes"] + block.parent.get("classes", []):
                code.append(block.astext())
        if node.next_node(nodes.term) is None:  # a glossary's terms are places
            prose += [block.astext() for block in node.findall(nodes.paragraph)]
        for block in node.findall(nodes.raw):
            prose += re.findall(r"<figcaption>(.*?)</figcaption>", block.astext(), re.DOTALL)
    return one_line(prose), one_line(code)


def one_line(parts: list[str]) -> str:
    """Put parts into one line, with single blanks."""
    return re.sub(r"\s+", " ", " ".join(parts)).strip()


def poem_places() -> list[dict]:
    """Return a place for each line of each poem."""
    return [
        {
            "at": f"poems.html#poem-{poem.number}-line-{number}",
            "title": poem.title.rstrip(",;:"),
            "text": line,
            "verse": number,
        }
        for poem in load_poems().itertuples(index=False)
        for number, line in enumerate(filter(None, poem.text.split("\n")), start=1)
    ]


def collect(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    """Keep the places of each page that is written."""
    if doctree is None or "nosearch" in app.env.metadata.get(pagename, {}):
        return
    address = app.builder.get_target_uri(pagename)
    title = app.env.titles[pagename].astext()
    kept = app.layerwise_places  # type: ignore[attr-defined]
    kept[pagename] = {"title": title, "places": places_of(doctree, address)}


def write_places(app: Sphinx, exception: Exception | None) -> None:
    """Write the pages' places, in the order of the book, and leave Sphinx's search out."""
    if exception is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    kept = app.layerwise_places  # type: ignore[attr-defined]
    pages = [kept[name] for name in names_in_order(app) if name in kept]
    for page in pages:
        if page["places"] and page["places"][0]["at"] == "poems.html":
            page["places"] += poem_places()
    script = (
        f"var bookPages = {json.dumps(pages, ensure_ascii=False, separators=(',', ':'))};\n"
    )
    (folder / "_static" / "places.js").write_text(script, "utf-8")
    for name in UNUSED:
        (folder / name).unlink(missing_ok=True)


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("builder-inited", lambda app: setattr(app, "layerwise_places", {}))
    app.connect("html-page-context", collect)
    app.connect("build-finished", write_places, priority=995)

"""Sphinx extension: tables and matrices as a reader of print expects them.

In the tables that pandas writes, numbers stand at the right of their column, with separators
from 10,000 on and a minus of their own length; every column that has a name has it in one row,
and every heading says what it is the heading of. A printed matrix keeps its rows and columns.
"""

import re
from html import unescape
from xml.etree import ElementTree

from sphinx.application import Sphinx

NUMBER = re.compile(r"[-−+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?%?")
ENTITY = re.compile(r"&(?!amp;|lt;|gt;|quot;)[a-z]+;")  # XML knows no others
# Identifiers look like numbers; nobody says "vocabulary entry thirty thousand"
NO_SEPARATORS = re.compile(r"\bid|_ids?\b|year", re.IGNORECASE)


def improve_tables(body: str) -> str:
    """Mend every table that pandas wrote, if it can be read as XML."""

    def mend(match: re.Match) -> str:
        try:
            table = ElementTree.fromstring(ENTITY.sub(lambda e: unescape(e[0]), match.group()))
        except ElementTree.ParseError:  # HTML of the author's own in a cell
            return match.group()
        mend_table(table)
        return ElementTree.tostring(table, encoding="unicode", short_empty_elements=False)

    return re.sub(r'<table class="dataframe">.*?</table>', mend, body, flags=re.DOTALL)


def mend_table(table: ElementTree.Element) -> None:
    """Mend one table in place."""
    head, body = table.find("thead"), table.find("tbody")
    if head is not None:
        merge_index_names(head)
        for cell in head.iter("th"):
            cell.set("scope", "colgroup" if "colspan" in cell.attrib else "col")
            cell.attrib.pop("halign", None)
            if not words(cell):  # an index without a name has no heading to read out
                cell.tag = "td"
                del cell.attrib["scope"]
    if body is None:
        return
    for cell in body.iter("th"):
        cell.set("scope", "row")
    last: list = list(list(head)[-1]) if head is not None and len(head) else []
    names = [words(cell) for cell in last]
    for column, cells in enumerate(columns(body)):
        name = names[column] if column < len(names) else ""
        texts = [words(cell) for cell in cells if words(cell) not in ("", "NaN", "nan", "None")]
        if not texts or not all(map(NUMBER.fullmatch, texts)):
            continue
        for cell in cells:
            cell.set("class", "number")
            if len(cell) == 0:
                cell.text = typeset(words(cell), separators=not NO_SEPARATORS.search(name))
        if column < len(names):
            list(last)[column].set("class", "number")


def merge_index_names(head: ElementTree.Element) -> None:
    """Put the index's names, which have a row of their own, beside those of the columns."""
    rows = list(head)
    if len(rows) < 2:
        return
    names, above = list(rows[-1]), list(rows[-2])
    n_names = next((i for i, cell in enumerate(names) if not words(cell)), len(names))
    if n_names == len(names) or any(words(cell) for cell in names[n_names:]):
        return  # this row has the columns' own names
    for above_it, cell in zip(above, names[:n_names], strict=False):
        above_it.text = words(cell)  # in place of what the columns together are called, if that
    head.remove(rows[-1])


def columns(body: ElementTree.Element) -> list[list[ElementTree.Element]]:
    """Return the cells of each column, one that spans rows in each of them.

    A table in which cells span columns, or with rows of other lengths, has none.
    """
    rows: list[list[ElementTree.Element]] = []
    spanning: dict[int, tuple[int, ElementTree.Element]] = {}  # column -> rows from here, cell
    for row in body:
        cells, own = [], iter(row)
        for place in range(len(row) + len(spanning)):
            if place in spanning:
                n_rows, cell = spanning.pop(place)
            else:
                cell = next(own)
                n_rows = int(cell.get("rowspan", 1))
            cells.append(cell)
            if n_rows > 1:
                spanning[place] = (n_rows - 1, cell)
        rows.append(cells)
    spans = any("colspan" in cell.attrib for row in rows for cell in row)
    if spans or len({len(row) for row in rows}) != 1:
        return []
    return [list(column) for column in zip(*rows, strict=True)]


def words(cell: ElementTree.Element) -> str:
    """Return what a cell says."""
    return "".join(cell.itertext()).strip()


def typeset(number: str, separators: bool) -> str:
    """Write a number as in print: a true minus, and separators from 10,000 on."""
    if not NUMBER.fullmatch(number):
        return number
    whole = re.match(r"[-−+]?(\d+)", number)
    if separators and whole and len(whole.group(1)) >= 5:
        start, end = whole.span(1)
        number = f"{number[:start]}{int(whole.group(1)):,}{number[end:]}"
    return number.replace("-", "−")


def mark_shapes(body: str) -> str:
    """Give outputs with indented lines, such as a matrix, a class: no line is broken."""
    return re.sub(
        r'<div class="output (text_plain|stream)(?=[^>]*>(?:(?!</pre>).)*?\n {2,}\S)',
        r'<div class="output shaped \1',
        body,
        flags=re.DOTALL,
    )


def keep_names_whole(body: str) -> str:
    """Keep the words of inline code whole at their hyphens, where a phone has room for them."""
    short = r'<span class="pre">(?=[^<]*-)([^<]{2,28})</span>'
    return re.sub(short, r'<span class="pre whole">\1</span>', body)


def add_print_notes(body: str) -> str:
    """Say on paper that there is something to try on the website."""
    note = (
        '<p class="print-only">On the website, readers can try this on lines of their own.</p>'
    )
    return re.sub(r"</[a-z]+-explorer>", lambda end: end.group() + note, body)


def improve_outputs(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    """Mend a page's tables, matrices and explorers."""
    if doctree is not None:
        body = keep_names_whole(improve_tables(context["body"]))
        context["body"] = add_print_notes(mark_shapes(body))


def setup(app: Sphinx) -> None:
    """Connect to Sphinx, after what makes the page's HTML valid."""
    app.connect("html-page-context", improve_outputs, priority=960)

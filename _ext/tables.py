"""Tables that extensions write into pages, with a head."""

from collections.abc import Sequence

from docutils import nodes


def table(
    headings: Sequence[str], rows: Sequence[Sequence[nodes.Node]], widths: Sequence[int] = ()
) -> nodes.table:
    """Put rows of cells into a table; widths are parts of the page, all equal if left out."""
    group = nodes.tgroup(cols=len(headings))
    group += [nodes.colspec(colwidth=width) for width in widths or [1] * len(headings)]
    head, body = nodes.thead(), nodes.tbody()
    head += table_row([text(heading) for heading in headings])
    body += [table_row(row) for row in rows]
    group += [head, body]
    return nodes.table("", group)


def table_row(cells: Sequence[nodes.Node]) -> nodes.row:
    """Put cells into a row."""
    row = nodes.row()
    row += [nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells]
    return row


def text(value: str) -> nodes.Node:
    """Return a value as text."""
    return nodes.inline("", value)

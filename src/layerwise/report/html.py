"""Small pieces of HTML: tables, figures, lists."""

import html
import re
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from layerwise.figures.page import svg_with_alt
from layerwise.report.figures import Picture

escape = html.escape


def table_html(
    table: pd.DataFrame,
    caption: str,
    formats: Mapping[str, Callable] | None = None,
    marks: Sequence[str] = (),
) -> str:
    """Set a table; numbers stand to the right.

    Parameters
    ----------
    table : DataFrame
    caption : str
        HTML.
    formats : mapping of column to function, optional
        How numbers of a column are written.
    marks : sequence of str
        Columns whose cells get their content as class, such as "yes".
    """
    formats = formats or {}
    is_number = {name: pd.api.types.is_numeric_dtype(table[name]) for name in table}
    head = "".join(
        f'<th scope="col"{_class("n" if is_number[name] else "")}>{escape(str(name))}</th>'
        for name in table
    )
    rows = []
    for cells in table.itertuples(index=False, name=None):
        row = []
        for name, cell in zip(table.columns, cells, strict=True):
            write = formats.get(name, str)
            kind = str(cell).replace(" ", "-") if name in marks else ""
            kind = "n" if is_number[name] else kind
            row.append(f"<td{_class(kind)}>{escape(write(cell))}</td>")
        rows.append(f"<tr>{''.join(row)}</tr>")
    return (
        f'<div class="table" tabindex="0"><table><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _class(name: str) -> str:
    return f' class="{escape(name)}"' if name else ""


def picture_html(picture: Picture, folder: str) -> str:
    """Set a figure in the page's own colours, with links to its files."""
    name = f"{folder}-{picture.name}".replace("/", "-")
    svg = svg_with_alt(picture.figure, name, picture.alt)
    width = picture.figure.get_figwidth() * 96
    files = " · ".join(
        file_link(f"{folder}/{picture.name}.{x}", x.upper()) for x in ["svg", "png"]
    )
    return (
        f'<figure style="max-width: {width:.0f}px">{svg}<figcaption>'
        f'{escape(picture.caption)} <span class="files">{files}</span></figcaption></figure>'
    )


def file_link(path: str, name: str = "") -> str:
    """Link to a file of the report."""
    return f'<a href="{escape(path)}">{escape(name or path)}</a>'


def list_html(items: Sequence[str], name: str = "") -> str:
    """Set a list of plain sentences."""
    return f"<ul{_class(name)}>{''.join(f'<li>{prose(x)}</li>' for x in items)}</ul>"


def prose(text: str) -> str:
    """Set a plain sentence; the name of an option stays on its line."""
    return re.sub(r"--[a-z-]+", r'<span class="option">\g<0></span>', escape(text))

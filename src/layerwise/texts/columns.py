"""Which columns of a table to read, and whether they hold what they are read for."""

import difflib
from typing import Any

from layerwise.texts.cleaning import is_missing
from layerwise.texts.dates import read_date
from layerwise.texts.rows import Rows


def listed(names: list[str]) -> str:
    """Quote and join names, the first twelve of them."""
    shown = ", ".join(quoted(name) for name in names[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def quoted(name: str, longest: int = 60) -> str:
    """Quote a name, of a long one the beginning; what joins emoji or letters stays as it is."""
    shown = repr(name if len(name) <= longest else f"{name[:longest]} …")
    for joiner in ("\u200c", "\u200d"):
        shown = shown.replace(ascii(joiner)[1:-1], joiner)
    return shown


def column_of(rows: Rows, name: str) -> list[Any]:
    """Return the cells of a column."""
    position = rows.columns.index(name)
    return [cells[position] for cells in rows.cells]


def check_columns(rows: Rows, wanted: dict[str, str | None]) -> None:
    """Check that the columns that are named are there; say which are, and the closest.

    Raises
    ------
    ValueError
        If one is not, or one is named twice.
    """
    wrong = []
    folded = {name.casefold(): name for name in rows.columns}
    for name in filter(None, wanted.values()):
        if name not in rows.columns:
            close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
            hint = f" (did you mean {folded[close[0]]!r}?)" if close else ""
            wrong.append(f"{name!r}{hint}")
    if wrong:
        raise ValueError(
            f"there is no column {' and no column '.join(wrong)}; the columns are "
            f"{listed(rows.columns)}"
        )
    if wanted["text"] is not None and wanted["text"] == wanted["label"]:
        raise ValueError(f"{wanted['text']!r} is named as the column of texts and of labels")


def longest_column(rows: Rows) -> str:
    """Return the name of the column whose texts are the longest on average.

    Raises
    ------
    ValueError
        If no column holds text.
    """

    def mean_length(name: str) -> float:
        cells = [cell for cell in column_of(rows, name) if not is_missing(cell)]
        lengths = [len(x) for x in cells if isinstance(x, str) and not is_number(x)]
        return sum(lengths) / max(1, len(cells))

    longest = max(rows.columns, key=mean_length)
    if not mean_length(longest):
        raise ValueError(f"none of the columns {listed(rows.columns)} holds texts")
    return longest


def is_number(cell: object) -> bool:
    """Say whether a cell is a number, or the digits of one."""
    if isinstance(cell, int | float):
        return True
    try:
        float(str(cell).replace(",", "."))
    except ValueError:
        return False
    return True


def check_is_text(rows: Rows, name: str) -> None:
    """Check that the column of texts holds texts.

    Raises
    ------
    ValueError
        If it holds nothing, or mostly numbers or objects.
    """
    cells = [cell for cell in column_of(rows, name) if not is_missing(cell)]
    if not cells:
        raise ValueError(f"the column {name!r} is empty in all {len(rows.cells)} rows")
    no_text = sum(is_number(cell) or not isinstance(cell, str) for cell in cells)
    if no_text > len(cells) / 2:
        first = next(x for x in cells if is_number(x) or not isinstance(x, str))
        raise ValueError(
            f"the column {name!r} does not hold texts: {no_text} of {len(cells)} cells are "
            f"numbers or the like, such as {str(first)[:40]!r}; the columns are "
            f"{listed(rows.columns)}"
        )


def check_is_date(rows: Rows, name: str) -> None:
    """Check that a column of dates holds any.

    Raises
    ------
    ValueError
        If no cell can be read as a date.
    """
    cells = [cell for cell in column_of(rows, name) if not is_missing(cell)]
    if not cells:
        raise ValueError(f"the column {name!r} is empty in all {len(rows.cells)} rows")
    if all(read_date(cell) is None for cell in cells):
        raise ValueError(
            f"the column {name!r} does not hold dates: none of {len(cells)} cells can be read "
            f"as a year or a date, such as {str(cells[0])[:40]!r}; the columns are "
            f"{listed(rows.columns)}"
        )

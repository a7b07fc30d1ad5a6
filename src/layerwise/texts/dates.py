"""Dates as years with a fraction, from what a cell of a table may hold."""

import datetime
import re

from layerwise.texts.cleaning import is_missing

ISO = re.compile(r"(-?\d{1,4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?(?:[T ]\d.*)?")
DAY_FIRST = re.compile(r"\d{1,2}[./]\d{1,2}[./](\d{4})")  # or the month: the year is the same
A_YEAR = re.compile(r"(?<!\d)(1\d{3}|20\d{2})(?!\d)")


def read_date(cell: object) -> float | None:
    """Read a date as a year, with what has gone of it as a fraction; None if there is none.

    Numbers are years. Of a text that is no date in digits, such as "spring 1862", the year is
    read if it has one alone.
    """
    if is_missing(cell) or isinstance(cell, bool):
        return None
    if isinstance(cell, datetime.date):  # a datetime, too
        return as_year(cell.year, cell.month, cell.day)
    if isinstance(cell, int | float):
        return float(cell)
    text = str(cell).strip()
    if found := ISO.fullmatch(text):
        year, month, day = (int(part or 1) for part in found.groups())
        return as_year(year, month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None
    if re.fullmatch(r"-?\d{1,4}\.\d+", text):
        return float(text)
    if found := DAY_FIRST.fullmatch(text):
        return float(found[1])
    years = set(A_YEAR.findall(text))
    return float(years.pop()) if len(years) == 1 else None


def as_year(year: int, month: int, day: int) -> float:
    """Return a date as a year with a fraction, a month being a twelfth."""
    return year + (month - 1) / 12 + (day - 1) / 366

"""Your own texts: from a table or a folder to texts that can be embedded, and a report.

Nothing is dropped in silence: every row of the file is in the table or in the report.
"""

import datetime
import unicodedata
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from layerwise.texts.cleaning import clean, is_missing
from layerwise.texts.columns import (
    check_columns,
    check_is_date,
    check_is_text,
    column_of,
    is_number,
    listed,
    longest_column,
    quoted,
)
from layerwise.texts.dates import read_date
from layerwise.texts.files import TEXT_ENDINGS, open_table
from layerwise.texts.names import first_words
from layerwise.texts.rows import Finding, Rows, gather


class OwnTexts(NamedTuple):
    """Texts that can be embedded, and all that was found in the file they come from.

    Attributes
    ----------
    table : DataFrame
        One row a text, with columns ``row`` (its number in the file, as a spreadsheet counts),
        ``title``, ``text`` and ``label``; and ``group`` and ``date``, a year, if their columns
        were named.
    report : DataFrame
        One row a finding, with columns ``found``, ``done``, ``n_rows`` and ``rows``.
    """

    table: pd.DataFrame
    report: pd.DataFrame


class Columns(NamedTuple):
    """The names of the columns that are read."""

    text: str
    label: str | None
    title: str | None
    group: str | None = None
    date: str | None = None


def load_texts(
    path: str | PathLike,
    text: str | None = None,
    label: str | None = None,
    title: str | None = None,
    encoding: str | None = None,
    as_is: bool = False,
    group: str | None = None,
    date: str | None = None,
) -> OwnTexts:
    """Load your own texts from a table or a folder, and report all that was found.

    Left out are rows without a text and texts that stand in the file before; everything else
    is kept, cleaned of what no author wrote.

    Parameters
    ----------
    path : path
        CSV, TSV, JSON, JSON lines, Excel, parquet, one text file, or a folder of text files,
        whose sub-folders are the labels.
    text, label, title : str, optional
        The names of columns. Without ``text`` the column of the longest texts is read; without
        ``label`` texts have none; without ``title`` a text is called by its first words.
    encoding : str, optional
        Left out, it is found.
    as_is : bool
        Whether to leave markup, invisible characters and white space in the texts.
    group : str, optional
        The name of a column that says which texts belong together, such as those of one
        document or one author.
    date : str, optional
        The name of a column of years or dates.

    Returns
    -------
    OwnTexts
        ``table, report``.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    ValueError
        If the file cannot be read, has no such column, or holds no text.
    """
    source = open_table(Path(path), encoding)
    rows = gather(source.columns, source.rows)
    columns, findings = choose_columns(
        rows, Path(path), Columns(text or "", label, title, group, date)
    )
    check_is_text(rows, columns.text)
    if columns.date:
        check_is_date(rows, columns.date)
    table, in_rows = as_texts(rows, columns, as_is)
    if table.empty:
        raise ValueError(nothing_left(columns, in_rows))
    findings = [*source.findings, *findings, *in_rows]
    if columns.label:
        note_labels(table, findings)
    table = leave_out_repeats(table, findings)
    return OwnTexts(table, without_left_out(as_table(findings), table["row"]))


def choose_columns(rows: Rows, path: Path, named: Columns) -> tuple[Columns, list[Finding]]:
    """Check the columns that are named, and choose those that are not.

    Raises
    ------
    ValueError
        If one is not there, or no column holds text.
    """
    findings = []
    text, label, title = named.text, named.label, named.title
    if path.is_dir():
        text, title = text or "text", title or "title"
        label = label or ("folder" if any(column_of(rows, "folder")) else None)
    elif path.suffix.lower() in TEXT_ENDINGS:
        text = text or "text"  # the other column is the file's name
    named = Columns(text, label, title, named.group, named.date)
    check_columns(rows, {name: column or None for name, column in named._asdict().items()})
    if not text:
        text = longest_column(rows)
        if len(rows.columns) > 1:
            findings.append(Finding(
                "no column of texts was named",
                f"{quoted(text)} was read, whose texts are the longest of "
                f"{listed(rows.columns)}", [],
            ))  # fmt: skip
    return named._replace(text=text), findings


def as_texts(
    rows: Rows, columns: Columns, as_is: bool
) -> tuple[pd.DataFrame, list[Finding]]:
    """Make of rows the texts that can be embedded, and say what was found.

    Returns
    -------
    DataFrame
        One row a text, see :class:`OwnTexts`.
    list of Finding
    """
    findings = list(rows.findings)
    texts = read_texts(rows, columns.text, as_is, findings)
    label, title = columns.label, columns.title
    labels = [read_name(cell) for cell in column_of(rows, label)] if label else None
    titles = [read_name(cell) for cell in column_of(rows, title)] if title else None
    table = pd.DataFrame({
        "row": pd.Series([rows.numbers[i] for i in texts], dtype="int64"),
        "title": pd.Series(
            [(titles[i] if titles else None) or first_words(texts[i]) for i in texts],
            dtype="str",
        ),
        "text": pd.Series(list(texts.values()), dtype="str"),
        "label": pd.Series([labels[i] if labels else None for i in texts], dtype="str"),
    })  # fmt: skip
    if columns.group:
        names = [read_name(cell) for cell in column_of(rows, columns.group)]
        table["group"] = pd.Series([names[i] for i in texts], dtype="str")
        alone = table.loc[table["group"].isna(), "row"].tolist()
        if alone:
            findings.append(Finding("no group", "kept; a group of its own", alone))
    if columns.date:
        dates = [read_date(cell) for cell in column_of(rows, columns.date)]
        table["date"] = pd.Series([dates[i] for i in texts], dtype="float64")
        undated = table.loc[table["date"].isna(), "row"].tolist()
        if undated:
            done = "kept; not part of what is said of dates"
            findings.append(Finding("no date that could be read", done, undated))
    return table, findings


def nothing_left(columns: Columns, findings: list[Finding]) -> str:
    """Say that a column holds no text, and why."""
    why = "; ".join(f"{x.found} in {len(x.rows)} rows" for x in findings if x.rows)
    return f"the column {columns.text!r} holds no text: {why}"


def read_texts(
    rows: Rows, name: str, as_is: bool, findings: list[Finding]
) -> dict[int, str]:
    """Read and clean the column of texts; return those there are, by their positions."""
    texts: dict[int, str] = {}
    noted: dict[tuple[str, str], list[int]] = {}

    def note(found: str, done: str, i: int) -> None:
        noted.setdefault((found, done), []).append(rows.numbers[i])

    for i, cell in enumerate(column_of(rows, name)):
        if is_missing(cell):
            word = "" if not isinstance(cell, str) or not cell.strip() else f" ({cell.strip()})"
            note(f"no text{word}", "left out", i)
            continue
        if not isinstance(cell, str | int | float):
            note("a text that is neither text nor number", "left out", i)
            continue
        if is_number(cell):
            note("a text that is only a number", "kept, as text", i)
        text, done = clean(str(cell), as_is)
        for found, what in done:
            note(found, what, i)
        if not any(character.isalnum() for character in text):
            if not any(unicodedata.category(x)[0] in "SP" for x in text):
                note("no text once it was cleaned", "left out", i)
                continue
            note("a text without a letter or a digit", "kept", i)
        texts[i] = text
    findings += [Finding(found, done, numbers) for (found, done), numbers in noted.items()]
    return texts


def read_name(cell: object) -> str | None:
    """Read a label or a title as a string in one line; None where there is none."""
    if is_missing(cell):
        return None
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # a column with gaps turns whole numbers into 1.0, 2.0
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        cell = cell.date()  # a spreadsheet's dates have a time, midnight
    return " ".join(clean(str(cell))[0].split()) or None


def note_labels(table: pd.DataFrame, findings: list[Finding]) -> None:
    """Note texts without a label, and labels that differ in capitals only."""
    missing = table.loc[table["label"].isna(), "row"].tolist()
    if missing:
        done = "kept; not part of what is said of labels"
        findings.append(Finding("no label", done, missing))
    labels = sorted(table["label"].dropna().unique())
    by_folded: dict[str, list[str]] = {}
    for name in labels:
        by_folded.setdefault(name.casefold(), []).append(name)
    alike = [" and ".join(map(quoted, names)) for names in by_folded.values() if len(names) > 1]
    if alike:
        findings.append(Finding(
            f"labels that differ only in capitals ({', '.join(alike)})", "kept apart", []
        ))


def leave_out_repeats(table: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    """Keep the first of texts that are the same but for white space."""
    same = table["text"].map(lambda text: unicodedata.normalize("NFC", " ".join(text.split())))
    repeated = same.duplicated()
    if not repeated.any():
        return table
    findings.append(Finding(
        "a text that stands in the file before", "left out: the first of them is kept",
        table.loc[repeated, "row"].tolist(),
    ))  # fmt: skip
    n_labels = table.groupby(same, sort=False)["label"].transform("nunique")
    differ = table.loc[n_labels > 1, "row"].tolist()
    if differ:
        findings.append(Finding(
            "the same text under different labels", "the first label is kept", differ
        ))
    return table[~repeated].reset_index(drop=True)


def without_left_out(report: pd.DataFrame, kept: pd.Series) -> pd.DataFrame:
    """Take rows that were left out after all from what is said of those that were kept."""
    is_kept = report["done"].str.startswith("kept") & (report["n_rows"] > 0)
    there = set(kept)
    rows = [
        [row for row in x.rows if row in there] if of_kept else x.rows
        for x, of_kept in zip(report.itertuples(), is_kept, strict=True)
    ]
    n_rows = [len(x) for x in rows]
    changed = report.assign(rows=pd.Series(rows, dtype=object), n_rows=n_rows)
    return changed[~is_kept | (changed["n_rows"] > 0)].reset_index(drop=True)


def as_table(findings: list[Finding]) -> pd.DataFrame:
    """Set findings as a table: what concerns the file first, then what concerns rows."""
    ordered = sorted(findings, key=lambda finding: bool(finding.rows))
    return pd.DataFrame({
        "found": pd.Series([x.found for x in ordered], dtype="str"),
        "done": pd.Series([x.done for x in ordered], dtype="str"),
        "n_rows": pd.Series([len(x.rows) for x in ordered], dtype=int),
        "rows": pd.Series([x.rows for x in ordered], dtype=object),
    })  # fmt: skip

"""From a file or a folder to rows of cells, with nothing decided about them yet."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from layerwise.texts.delimited import read_delimited
from layerwise.texts.json_tables import read_json, read_json_lines
from layerwise.texts.rows import Finding, Row, Table, from_records, read_text

TEXT_ENDINGS = {".txt", ".text", ".md"}


def open_table(path: Path, encoding: str | None = None) -> Table:
    """Open a table, or a folder of text files, by the ending of its name.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    ValueError
        If the file is of a kind that is not read, is not what its name says, or is empty.
    """
    if path.is_dir():
        return read_folder(path, encoding)
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {str(path)!r}")
    ending = path.suffix.lower()
    if ending not in READERS:
        raise ValueError(
            f"{path.name} is of a kind that is not read ({ending or 'no ending'}): save it as "
            f"one of {', '.join(sorted(READERS))}, or name a folder of text files"
        )
    if path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty")
    table = READERS[ending](path, encoding)
    if not table.n_rows:
        raise ValueError(f"{path.name} has no rows below the names of its columns")
    return table


def read_excel(path: Path, encoding: str | None) -> Table:
    """Read the first sheet of an Excel file that holds anything."""
    try:
        sheets = pd.read_excel(
            path, sheet_name=None, header=None, dtype=object, keep_default_na=False
        )
    except ImportError:
        raise ValueError(
            "reading Excel needs one package more: pip install 'layerwise[excel]'; or save the "
            "sheet as CSV"
        ) from None
    except Exception as error:  # a zip that is none, a workbook of another program: many types
        raise ValueError(f"{path.name} cannot be read as Excel: {error}") from None
    filled = {name: sheet for name, sheet in sheets.items() if not sheet.empty}
    if not filled:
        raise ValueError(f"{path.name} holds no cells")
    chosen, *others = filled
    findings = []
    if others:
        findings.append(Finding(
            f"more than one sheet ({', '.join(filled)})", f"the first, {chosen}, was read", []
        ))
    numbered = [
        (i, list(cells))
        for i, cells in enumerate(filled[chosen].itertuples(index=False), start=1)
        if any(cell != "" for cell in cells)
    ]
    (_, header), *body = numbered
    return from_records(header, body, findings)


def read_parquet(path: Path, encoding: str | None) -> Table:
    """Read a parquet file."""
    try:
        with pq.ParquetFile(path) as file:
            empty = with_index(file.schema_arrow.empty_table().to_pandas())
            n_rows = file.metadata.num_rows
    except Exception as error:  # pyarrow has many types of error, without a base
        raise ValueError(f"{path.name} cannot be read as parquet: {error}") from None
    return Table([str(name) for name in empty.columns], n_rows, parquet_rows(path), [])


def with_index(table: pd.DataFrame) -> pd.DataFrame:
    """Make a column of an index that says something."""
    return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()


def parquet_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a parquet file, a thousand read at a time."""
    number = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(1000):
            table = with_index(batch.to_pandas())
            columns = [table[name].astype(object).tolist() for name in table]
            for cells in zip(*columns, strict=True):
                number += 1
                yield Row(number, list(cells))


def read_one_text(path: Path, encoding: str | None) -> Table:
    """Read a text file as a table of one row."""
    findings: list[Finding] = []
    text = read_text(path, encoding, findings)
    if not text.strip():
        raise ValueError(f"{path.name} is empty")
    return Table(["text", "title"], 1, iter([Row(1, [text, path.stem])]), findings)


def read_folder(folder: Path, encoding: str | None) -> Table:
    """Read a folder of text files: the text, its name, and the sub-folder it lies in."""
    files = [
        path for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(x.startswith(".") for x in path.relative_to(folder).parts)
    ]  # fmt: skip
    texts = [path for path in files if path.suffix.lower() in TEXT_ENDINGS]
    others = [path.name for path in files if path not in set(texts)]
    if not texts:
        tables = [name for name in others if Path(name).suffix.lower() in READERS]
        hint = f"; did you mean the file {tables[0]} in it?" if tables else ""
        raise ValueError(
            f"the folder {folder.name!r} holds no text files "
            f"({', '.join(sorted(TEXT_ENDINGS))}){hint}"
        )
    findings: list[Finding] = []
    if others:
        shown = ", ".join(others[:5]) + (" …" if len(others) > 5 else "")
        findings.append(Finding(f"files that are not text files ({shown})", "left out", []))
    columns = ["text", "title", "folder", "file"]
    return Table(columns, len(texts), folder_rows(folder, texts, encoding), findings)


def folder_rows(folder: Path, files: list[Path], encoding: str | None) -> Iterator[Row]:
    """Yield the text files of a folder as rows."""
    for number, path in enumerate(files, start=1):
        findings: list[Finding] = []
        try:
            text = read_text(path, encoding, findings)
        except ValueError as error:  # which of the files?
            raise ValueError(f"{path.name}: {error}") from None
        parts = path.relative_to(folder).parts
        label = parts[0] if len(parts) > 1 else ""
        notes = tuple((found, done) for found, done, _ in findings)
        yield Row(number, [text, path.stem, label, "/".join(parts)], notes)


READERS: dict[str, Callable[[Path, str | None], Table]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".tab": read_delimited,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".xlsx": read_excel,
    ".xlsm": read_excel,
    ".parquet": read_parquet,
    **dict.fromkeys(TEXT_ENDINGS, read_one_text),
}

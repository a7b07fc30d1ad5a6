"""From a file or a folder to rows of cells, with nothing decided about them yet."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from layerwise.texts.delimited import read_delimited
from layerwise.texts.json_tables import read_json, read_json_lines
from layerwise.texts.rows import Finding, Rows, from_records, read_text

TEXT_ENDINGS = {".txt", ".text", ".md"}


def read_rows(path: Path, encoding: str | None = None) -> Rows:
    """Read a table, or a folder of text files, by the ending of its name.

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
    rows = READERS[ending](path, encoding)
    if not rows.cells:
        raise ValueError(f"{path.name} has no rows below the names of its columns")
    return rows


def read_excel(path: Path, encoding: str | None) -> Rows:
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


def read_parquet(path: Path, encoding: str | None) -> Rows:
    """Read a parquet file."""
    try:
        table = pd.read_parquet(path)
    except Exception as error:  # pyarrow has many types of error, without a base
        raise ValueError(f"{path.name} cannot be read as parquet: {error}") from None
    if not isinstance(table.index, pd.RangeIndex):
        table = table.reset_index()
    columns = [table[name].astype(object).tolist() for name in table]
    cells = [list(row) for row in zip(*columns, strict=True)]
    names = [str(name) for name in table.columns]
    return Rows(names, cells, list(range(1, len(cells) + 1)), [])


def read_one_text(path: Path, encoding: str | None) -> Rows:
    """Read a text file as a table of one row."""
    findings: list[Finding] = []
    text = read_text(path, encoding, findings)
    return Rows(["text", "title"], [[text, path.stem]], [1], findings)


def read_folder(folder: Path, encoding: str | None) -> Rows:
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
    cells = []
    for path in texts:
        parts = path.relative_to(folder).parts
        label = parts[0] if len(parts) > 1 else ""
        cells.append([read_text(path, encoding, findings), path.stem, label, "/".join(parts)])
    columns = ["text", "title", "folder", "file"]
    return Rows(columns, cells, list(range(1, len(cells) + 1)), findings)


READERS: dict[str, Callable[[Path, str | None], Rows]] = {
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

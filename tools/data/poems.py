"""Build the poems' dataset from its source, and check one against the other.

The source is ``data/poems/``, one text file a poem. The dataset that readers load is
``data/datasets/dickinson_poems.parquet``, derived from it.

    python -m tools.data.poems            rebuild the parquet
    python -m tools.data.poems --check    change nothing, exit 1 if anything differs

Both compare every line of every poem with ``data/digests.json``, the digests of the lines
printed in the first editions.
"""

import argparse
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tools.data.source import Poem, check_poems, read_digests, read_poems, shown
from tools.desk import ROOT, BuildError, run_command, say

SCHEMA = pa.schema(
    [
        ("title", pa.string()),
        ("first_line", pa.string()),
        ("text", pa.string()),
        ("theme", pa.string()),
        ("series", pa.int64()),
        ("year", pa.int64()),
        ("number", pa.int64()),
    ]
)


def parquet_path(data: Path) -> Path:
    """Give the file that is derived."""
    return data / "datasets" / "dickinson_poems.parquet"


def to_table(poems: list[Poem]) -> pa.Table:
    """Lay the poems out as a table: a row a poem, the columns of ``SCHEMA``."""
    columns = {name: [getattr(poem, name) for poem in poems] for name in SCHEMA.names}
    return pa.table(columns, schema=SCHEMA)


def to_parquet(table: pa.Table) -> bytes:
    """Encode a table so that the same rows always give the same bytes.

    Nothing is left to a default that may change: no compression (the table is small), no
    dictionaries, no statistics, no schema of pandas or Arrow beside Parquet's own. One
    thing still depends on the version of pyarrow: the footer names the writer.
    """
    buffer = pa.BufferOutputStream()
    pq.write_table(
        table,
        buffer,
        version="2.6",
        data_page_version="1.0",
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
    )
    return buffer.getvalue().to_pybytes()


def check_parquet(poems: list[Poem], path: Path) -> None:
    """Check that a parquet holds exactly these poems, in exactly the bytes of a rebuild."""
    rebuild = "Run 'python -m tools.data.poems'."
    if not path.exists():
        raise BuildError(f"{shown(path)}: no such file. {rebuild}")
    content = path.read_bytes()
    expected = to_table(poems)
    if content == to_parquet(expected):
        return
    try:
        found = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowInvalid, OSError) as error:
        raise BuildError(f"{shown(path)}: not a parquet file. {rebuild}") from error
    raise BuildError(f"{shown(path)}: {describe(poems, expected, found)} {rebuild}")


def describe(poems: list[Poem], expected: pa.Table, found: pa.Table) -> str:
    """Say in what a parquet differs from the poems it should hold."""
    if found.schema != expected.schema:
        columns = ", ".join(f"{field.name} {field.type}" for field in found.schema)
        return f"has the columns {columns}."
    if found.num_rows != expected.num_rows:
        return f"has {found.num_rows} rows for {expected.num_rows} poems."
    rows = zip(poems, expected.to_pylist(), found.to_pylist(), strict=True)
    stale = [shown(poem.path) for poem, right, row in rows if right != row]
    if stale:
        return f"differs from {', '.join(stale)}."
    return (
        "has the right rows in other bytes, so another version of pyarrow wrote it. This is "
        f"{pa.__version__}; install the one in requirements.txt."
    )


def read_exact_poems(data: Path) -> list[Poem]:
    """Read the poems of a data folder, and check them against the digests beside them."""
    poems = read_poems(data / "poems")
    check_poems(poems, read_digests(data / "digests.json"))
    return poems


def build(data: Path) -> str:
    """Rebuild the parquet of a data folder; say what was written."""
    poems = read_exact_poems(data)
    path = parquet_path(data)
    path.write_bytes(to_parquet(to_table(poems)))
    return f"{shown(path)}: {len(poems)} poems written."


def check(data: Path) -> str:
    """Check the poems and the parquet of a data folder, change nothing; say what holds."""
    poems = read_exact_poems(data)
    check_parquet(poems, parquet_path(data))
    n_lines = sum(len(stanza) for poem in poems for stanza in poem.stanzas)
    return f"{len(poems)} poems, {n_lines} lines, each as printed; the parquet equals them."


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        description="Build data/datasets/dickinson_poems.parquet from data/poems."
    )
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if wrong")
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="the data folder")
    options = parser.parse_args(arguments)
    act = check if options.check else build
    return run_command(lambda: say(act(options.data)))


if __name__ == "__main__":
    sys.exit(main())

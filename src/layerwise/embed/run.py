"""One run: from a table to a folder of vectors, part by part."""

import argparse
import contextlib
import csv
import io
import itertools
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch

from layerwise.checkpoints import fetch_checkpoint, find_checkpoint
from layerwise.display import count
from layerwise.embed.folder import (
    PARTS,
    digest_of_run,
    open_run,
    part_name,
    write_run,
    write_whole,
)
from layerwise.embed.parts import LIBRARIES, Part, Settings, make_file, read_about
from layerwise.models import Encoder, load_encoder, run_every_layer
from layerwise.progress import say, with_end_time
from layerwise.provenance import describe_model, digest_of_path, versions
from layerwise.report.words import row_ranges
from layerwise.texts.cleaning import is_missing
from layerwise.texts.columns import check_is_text, column_of
from layerwise.texts.files import open_table
from layerwise.texts.own import Columns, as_texts, choose_columns, nothing_left
from layerwise.texts.rows import Finding, Table, gather, in_chunks

# A part ends with either: enough to keep the processor busy, little to lose or to hold.
ROWS_PER_PART, CHARACTERS_PER_PART = 4096, 1_000_000
ROWS_SAMPLED = 1000  # by which columns that are not named are chosen
STOPPED = "stopped; what is written stays, and the same command goes on from there"


def embed_table(options: argparse.Namespace, out: Path) -> str:
    """Embed all texts that are not in the folder yet; return what to say at the end.

    Raises
    ------
    ValueError
        If there are no texts, no such column or layer, or the model cannot read them.
    FileExistsError
        If the folder holds another run.
    """
    table, columns, findings = open_texts(options)
    say("loading the model")
    with contextlib.redirect_stdout(sys.stderr):
        device = "cpu" if options.ray else options.device
        encoder = load_encoder(options.encoder, device)
    n_layers, n_dims = shape_of_layers(encoder)
    asked = {
        "texts": {
            "sha256": digest_of_path(options.texts), **columns._asdict(),
            "encoding": options.encoding, "as_is": options.as_is,
        },
        "model": describe_model(options.encoder, encoder, n_layers, n_dims),
        "layers": choose_layers(options.layers, n_layers),
        "pooling": options.pooling, "dtype": options.dtype,
        "rows_per_part": ROWS_PER_PART, "characters_per_part": CHARACTERS_PER_PART,
        "versions": versions(LIBRARIES),
    }  # fmt: skip
    settings = Settings(
        tuple(asked["layers"]), options.pooling, options.dtype, n_dims, digest_of_run(asked)
    )
    about = {
        "made_by": "layerwise embed", "file": options.texts.resolve().name,
        "model": str(encoder.model.name_or_path), "n_rows": table.n_rows,
    }  # fmt: skip
    there = open_run(out, asked, about)
    n_left = table.n_rows - sum(there.values())
    say(plan(out, n_left, bool(there), settings))
    try:
        parts = read_parts(table, columns, options.as_is, there)
        for number, file in with_end_time(
            make_files(parts, encoder, settings, options), n_left, "embedding"
        ):
            write_whole(out, part_name(number), [file])
            if options.stopped.is_set():
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise KeyboardInterrupt(STOPPED) from None
    return finish(out, asked, about, columns, findings)


def open_texts(options: argparse.Namespace) -> tuple[Table, Columns, list[Finding]]:
    """Open the table, and choose its columns by its first rows."""
    table = open_table(options.texts, options.encoding)
    first = list(itertools.islice(table.rows, ROWS_SAMPLED))
    rows = gather(table.columns, first)
    named = Columns(options.text or "", options.label, options.title)
    columns, findings = choose_columns(rows, options.texts, named)
    if not all(map(is_missing, column_of(rows, columns.text))):
        check_is_text(rows, columns.text)
    table = table._replace(rows=itertools.chain(first, table.rows))
    return table, columns, [*table.findings, *findings]


def shape_of_layers(encoder: Encoder) -> tuple[int, int]:
    """Return the numbers of layers, the embeddings not counted, and of dimensions."""
    ids = torch.arange(8, device=encoder.device)[None]  # (1, 8)
    hidden_states = run_every_layer(
        {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, encoder
    )
    return len(hidden_states) - 1, hidden_states[0].shape[2]


def choose_layers(asked: str, n_layers: int) -> list[int]:
    """Turn "all", or numbers between commas, into layers of a model.

    Raises
    ------
    ValueError
        If some are not layers of it; names all of them.
    """
    if asked == "all":
        return list(range(n_layers + 1))
    names = [name.strip() for name in asked.split(",")]
    wrong = [name for name in names if not name.isdecimal() or int(name) > n_layers]
    if wrong:
        raise ValueError(
            f"--layers {asked}: no layer {', '.join(map(repr, wrong))}; use all, or some of 0 "
            f"to {n_layers} between commas"
        )
    return sorted({int(name) for name in names})


def read_parts(
    table: Table, columns: Columns, as_is: bool, there: dict[int, int]
) -> Iterator[Part]:
    """Yield the parts of a table that are not there yet."""
    chunks = in_chunks(
        table, table.columns.index(columns.text), ROWS_PER_PART, CHARACTERS_PER_PART
    )
    for number, chunk in enumerate(chunks):
        if number in there:
            continue
        rows = gather(table.columns, chunk)
        texts, findings = as_texts(rows, columns, as_is)
        yield Part(number, len(rows.cells), texts, findings)


def make_files(
    parts: Iterator[Part], encoder: Encoder, settings: Settings, options: argparse.Namespace
) -> Iterator[tuple[tuple[int, bytes], int]]:
    """Yield each part's number and file, with how many rows it stands for."""
    if options.ray:
        from layerwise.embed.cluster import make_files_on_cluster

        checkpoint = fetch_checkpoint(find_checkpoint(options.encoder))
        yield from make_files_on_cluster(
            parts, checkpoint, settings, options.ray
        )
        return
    for part in parts:
        yield (part.number, make_file(part, encoder, settings)), part.n_rows


def plan(out: Path, n_left: int, is_begun: bool, settings: Settings) -> str:
    """Say how much is to be done, and how much room it takes."""
    if not n_left:
        return "all of it is there already"
    width = {"float32": 4, "float16": 2}[settings.dtype]
    size = n_left * len(settings.layers) * settings.n_dims * width
    free = shutil.disk_usage(out).free
    return (
        f"{count(n_left, 'row')}{' to go on with' if is_begun else ''}, "
        f"{count(len(settings.layers), 'layer')} of {settings.n_dims} dimensions: "
        f"up to {size / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free"
        + (", which is not enough: the run will stop when they are used up" * (size > free))
    )


def finish(
    out: Path, asked: dict, about: dict, columns: Columns, findings: list[Finding]
) -> str:
    """Write what was found, and how many texts there are; return what to say."""
    totals: Counter = Counter()
    n_texts = n_parts = size = 0
    for path in part_files(out):
        part = read_about(path)
        n_parts, n_texts = n_parts + 1, n_texts + part["n_texts"]
        size += path.stat().st_size
        for x in part["found"]:
            totals[x["found"], x["done"]] += len(x["rows"])
    if not n_texts:
        noted = [Finding(x, done, list(range(n))) for (x, done), n in totals.items()]
        raise ValueError(nothing_left(columns, noted))
    write_whole(out, "found.csv", found_lines(out, findings))
    write_run(out, asked, {**about, "n_texts": n_texts, "n_parts": n_parts})
    said = [f"{x.found} ({x.done})" for x in findings]
    said += [f"{count(n, 'row')}: {found} ({done})" for (found, done), n in totals.items()]
    end = f"{count(n_texts, 'text')} in {count(n_parts, 'file')}, {size / 1e6:,.0f} MB: "
    return "\n".join([*said, f"{end}{out / PARTS}"])


def part_files(out: Path) -> list[Path]:
    """Return the files of all parts, in their order."""
    return sorted((out / PARTS).iterdir())


def found_lines(out: Path, findings: list[Finding]) -> Iterator[bytes]:
    """Yield the lines of a table of what was found: in the file as a whole, then by part."""
    yield "\ufefffound,done,n_rows,rows\n".encode()
    for path in [None, *part_files(out)]:
        found = [Finding(**x) for x in read_about(path)["found"]] if path else findings
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows(
            (x.found, x.done, len(x.rows), row_ranges(x.rows, len(x.rows))) for x in found
        )
        yield lines.getvalue().encode()

"""Measure the texts with each model, and write the report's files."""

import argparse
import contextlib
import itertools
import re
import sys
from collections.abc import Container, Sequence
from pathlib import Path

import pandas as pd

from layerwise.display import count
from layerwise.models import Encoder, load_encoder
from layerwise.progress import say
from layerwise.provenance import describe_model, digest_of_path, versions
from layerwise.report.cost_page import CostSection
from layerwise.report.cost_write import cost_facts, load_reader, read_with, write_costs
from layerwise.report.explorer import write_explorer
from layerwise.report.figures import draw, medians_table, save
from layerwise.report.findings import compare_models, shared_neighbours
from layerwise.report.folder import NUMBERS, write_json, write_table
from layerwise.report.limits import limits_of
from layerwise.report.measure import Measured, measure
from layerwise.report.methods import (
    LIBRARIES,
    digest_of_texts,
    methods_markdown,
    methods_paragraphs,
)
from layerwise.report.page import Section, page_html
from layerwise.report.prepare import prepare
from layerwise.report.words import row_ranges
from layerwise.texts.own import OwnTexts
from layerwise.texts.passages import NO_SPACES


def make_report(draft: Path, texts: OwnTexts, options: argparse.Namespace, run: dict) -> dict:
    """Measure, draw and write everything into a draft folder; return the facts.

    The first model decides which texts are measured: how long a passage may be, and what it
    can read at all. The others are measured on the same.
    """
    asked = options.encoders or [None]
    encoders = dict(zip(asked, load_models(asked, options.device), strict=True))
    decoder = load_reader(options) if options.surprisal else None
    if decoder:  # before titles are made different, or passages get names of their own
        named = options.title and not options.passages
        texts.table["heading"] = texts.table["title"] if named else ""
    n_rows = len(texts.table) + n_left_out(texts.report)
    texts = prepare(texts, encoders[asked[0]], options)
    one = "passage" if options.passages else "text"
    sections: list[Section] = []
    described: dict[str, dict] = {}
    for i, (given, encoder) in enumerate(encoders.items()):
        name = model_name(encoder, described)
        say(f"measuring {count(len(texts.table), one)} with {name}")
        measured = measure(name, texts.table, encoder)
        sizes = measured.numbers["n_layers"], measured.numbers["n_dims"]
        described[name] = describe_model(given, encoder, *sizes)
        limits = limits_of(texts.table, encoder, measured)
        folder = f"models/{slug(name)}/" if i else ""
        sections.append(Section(measured, draw(measured), limits, folder))
    models = [section.measured for section in sections]
    facts = {
        **run,
        "texts": describe_texts(texts, options, n_rows),
        "models": described,
        "versions": versions(LIBRARIES),
        "limits": {x.measured.model: x.limits for x in sections},
        "shared_neighbours": [shared_neighbours(models[0], other) for other in models[1:]],
        "numbers": {x.model: x.numbers for x in models},
    }
    read = read_with(decoder, texts.table, options) if decoder else None
    if read:
        facts["surprisal"] = cost_facts(read)
    write_files(draft, facts, sections, texts, read)
    return facts


def load_models(asked: Sequence[str | None], device: str) -> list[Encoder]:
    """Load every model that is named, or else the default; what it says goes to the errors."""
    with contextlib.redirect_stdout(sys.stderr):
        return [load_encoder(name, device=device) for name in asked]


def model_name(encoder: Encoder, taken: Container[str]) -> str:
    """Return a model's name, with a number if another has the same."""
    name = str(encoder.model.name_or_path)
    numbered = (f"{name} ({i})" for i in itertools.count(2))
    return name if name not in taken else next(x for x in numbered if x not in taken)


def slug(name: str) -> str:
    """Turn a name into one that a folder can have everywhere."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "model"


def n_left_out(report: pd.DataFrame) -> int:
    """Return how many rows of a file were left out."""
    return int(report.loc[report["done"].str.startswith("left out"), "n_rows"].sum())


def describe_texts(texts: OwnTexts, options: argparse.Namespace, n_rows: int) -> dict:
    """Return what is to be known of the texts measured, of a file of so many rows."""
    table = texts.table
    return {
        "file": options.texts.resolve().name,
        "file_sha256": digest_of_path(options.texts),
        "n_rows": n_rows,
        "n_texts": len(table),
        "n_usable": int(table["n_usable"].iloc[0]),
        "is_sample": len(table) < int(table["n_usable"].iloc[0]),
        "passages": options.passages,
        "group": options.group,
        "n_groups": int(table["group"].nunique()),
        "n_joined": int(table["is_copy"].sum()),
        "n_labels": int(table["label"].nunique()),
        "n_words": int(table["n_words"].sum()),
        "median_words": float(table["n_words"].median()),
        "has_spaces": bool(
            2 * table["text"].str.count(NO_SPACES).sum() <= table["n_words"].sum()
        ),
        "n_tokens": int(table["n_tokens"].sum()),
        "n_unknown": int(table["n_unknown"].sum()),
        "sha256": digest_of_texts(table),
    }


def write_files(
    draft: Path, facts: dict, sections: list[Section], texts: OwnTexts,
    read: CostSection | None,
) -> None:  # fmt: skip
    """Write tables, numbers, methods, the page and the figures."""
    table, report = texts
    claims = compare_models([section.measured for section in sections])
    paragraphs = methods_paragraphs(facts, [section.measured for section in sections])
    if read:
        paragraphs.insert(-1, read.methods)
        write_costs(read, draft)
    write_table(claims, draft / "tables" / "findings.csv")
    found = report.assign(rows=report["rows"].map(lambda rows: row_ranges(rows, len(rows))))
    write_table(found, draft / "tables" / "found.csv")
    unwritten = ["n_usable", "is_copy", "family", *(["heading"] if read else [])]
    write_table(table.drop(columns=unwritten), draft / "tables" / "texts.csv")
    for section in sections:
        write_tables(section.measured, draft / section.folder / "tables")
    facts["claims"] = claims.to_dict("records")
    write_json(facts, draft / NUMBERS)
    methods = methods_markdown(facts["title"], paragraphs, facts["command"])
    (draft / "methods.md").write_text(methods, encoding="utf-8", newline="\n")
    page = page_html(facts["title"], facts, sections, claims, table, report, paragraphs, read)
    (draft / "index.html").write_text(page, encoding="utf-8", newline="\n")
    write_explorer(sections[0].measured.explorer, sections[0].measured.model, draft)
    for section in sections:
        for picture in section.pictures:
            save(picture, draft / section.folder / "figures")


def write_tables(measured: Measured, folder: Path) -> None:
    """Write the tables of one model."""
    tables: dict[str, pd.DataFrame] = {
        "drift": measured.drift,
        "drift-medians": medians_table(measured.drift),
        "steps": measured.steps,
        "nearest": measured.nearest,
        "words": measured.words,
    }
    if measured.agreement:
        tables["agreement"] = measured.agreement.table
        tables["labels"] = measured.agreement.by_label
    for name, table in tables.items():
        write_table(table, folder / f"{name}.csv")

"""Load the model that writes, let it read, and write what came out into the report's folder."""

import argparse
import contextlib
import sys
from pathlib import Path

import pandas as pd

from layerwise.checkpoints import default_checkpoint
from layerwise.decoders import Decoder, load_decoder
from layerwise.display import count
from layerwise.models import Encoder
from layerwise.progress import say
from layerwise.provenance import describe_model
from layerwise.report.cost_figures import draw_costs
from layerwise.report.cost_findings import cost_findings
from layerwise.report.cost_limits import cost_limits, cost_methods
from layerwise.report.cost_page import CostSection
from layerwise.report.costs import measure_costs
from layerwise.report.figures import save
from layerwise.report.folder import write_table
from layerwise.report.reading import MOST_TOKENS, choose, read_all
from layerwise.report.tokens import count_tokens, pieces_per_word
from layerwise.surprisal import beginning
from layerwise.texts.poems import load_poems


def load_reader(options: argparse.Namespace) -> Decoder:
    """Load the model that writes, and check that it can read texts token by token.

    Raises
    ------
    ValueError
        If it has no token to begin a text with, or does not know where its tokens stand.
    """
    with contextlib.redirect_stdout(sys.stderr):
        decoder = load_decoder(options.decoder, device=options.device)
    beginning(decoder)
    if not decoder.tokenizer.is_fast:
        raise ValueError(
            f"the tokenizer of {decoder.model.name_or_path} does not say where its tokens "
            "stand in a text: name a decoder with a tokenizer.json"
        )
    return decoder


def read_with(
    decoder: Decoder, table: pd.DataFrame, options: argparse.Namespace
) -> CostSection:
    """Let a model read the texts, and say what came out and what cannot be said.

    Parameters
    ----------
    decoder : Decoder
    table : DataFrame
        The texts measured, with ``heading``.
    options : Namespace
    """
    name = str(decoder.model.name_or_path)
    say(f"reading {count(len(table), 'text')} with {name}")
    chosen = choose(table, decoder, options.most_tokens or MOST_TOKENS)
    costs = measure_costs(read_all(chosen, decoder))
    as_encoder = Encoder(*decoder)  # what is said of a tokenizer is the same for both
    config = decoder.model.config
    given = options.decoder or default_checkpoint("decoder")
    model = describe_model(given, as_encoder, config.num_hidden_layers, config.hidden_size)
    pieces, usual = (
        pieces_per_word(count_tokens(texts, as_encoder))
        for texts in (chosen.table["text"], load_poems()["text"])
    )
    asked = {"title": options.title, "passages": options.passages}
    return CostSection(
        costs, name, model, cost_findings(costs), cost_limits(costs, pieces, usual, asked),
        draw_costs(costs), cost_methods(costs, name, model),
    )  # fmt: skip


def cost_facts(section: CostSection) -> dict:
    """Return what stands in ``numbers.json``."""
    costs = section.costs
    return {
        "decoder": {section.decoder: section.model},
        "read": costs.reading.chosen.facts,
        "bits_a_character": costs.bits.mean().to_dict(),
        "versions": costs.versions.to_dict("index"),
        "tests": costs.tests,
        "recited": {
            "tokens": costs.reading.recited["tokens"].max(),
            "in_another_order": costs.reading.recited["shuffled"].max(),
            "widely_known": costs.reading.known,
        },
        "claims": section.claims,
        "limits": section.limits,
    }


def write_costs(section: CostSection, draft: Path) -> None:
    """Write tables and figures."""
    costs = section.costs
    titles = costs.reading.chosen.table.set_index("row")["title"]
    tables = {
        "findings": pd.DataFrame(section.claims),
        "versions": costs.versions.rename_axis("what").reset_index(),
        "texts": costs.bits.join(titles).reset_index(),
        "lines": costs.lines,
        "tokens": costs.reading.tokens,
        "by-heart": costs.reading.recited.join(titles).reset_index(),
        "labels": costs.labels,
        "dates": costs.dates,
    }
    for name, table in tables.items():
        if len(table):
            write_table(table, draft / "tables" / f"surprisal-{name}.csv")
    for picture in section.pictures:
        save(picture, draft / "figures")

"""The explorer of drift on the reader's texts: its data, and a script that runs from a file."""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

import layerwise.explorers.source as source  # from _static, as pyproject.toml says
from layerwise.explorers.drift import describe_drift, describe_text
from layerwise.explorers.scripts import bundle
from layerwise.models import Encoder, context_window
from layerwise.report.neighbours import own_groups
from layerwise.tokenizing import that_drops_the_end

MOST_SHOWN = 150  # texts, drawn at random from more: the cosine of every pair is in the file
SCRIPT = "explorer/drift.js"


def explorer_data(
    table: pd.DataFrame,
    kept: np.ndarray,
    tokens: Sequence[list[str]],
    vectors: Sequence[np.ndarray],
    drift: pd.DataFrame,
    encoder: Encoder,
) -> dict:
    """Describe the texts of which all tokens were kept, or some of them, for the explorer.

    Parameters
    ----------
    table : DataFrame
        The texts.
    kept : int array of shape (n_kept,)
        The positions in it of those whose tokens were kept.
    tokens, vectors : sequences of length n_kept
        From :func:`layerwise.report.tokens.run_tokens`.
    drift : DataFrame
        Of all texts, with the names of :func:`layerwise.similarity.drift_table`.
    encoder : Encoder
    """
    drawn = np.sort(np.random.default_rng(0).permutation(len(kept))[:MOST_SHOWN])
    chosen = table.iloc[kept[drawn]]
    pooled = np.stack([vectors[i].mean(axis=1) for i in drawn], axis=1)
    groups = own_groups(table)[kept[drawn]]
    described = []
    for i, group, text in zip(drawn, groups, chosen.itertuples(), strict=True):
        offsets = offsets_of(text.text, len(tokens[i]), encoder)
        label = text.label if isinstance(text.label, str) else ""
        words = describe_text(text.text, tokens[i], offsets, vectors[i])
        names = {"first_line": text.title, "theme": label, "group": int(group)}
        described.append({**names, **words})
    shown = drift[drift["title"].isin(chosen["title"])]
    return describe_drift(described, pooled, shown, noun="text")


def offsets_of(text: str, n_tokens: int, encoder: Encoder) -> list:
    """Return where each token stands; nowhere, if the tokenizer cannot say so."""
    if not encoder.tokenizer.is_fast:
        return [(0, 0)] * n_tokens
    window = context_window(encoder)
    cut = {"truncation": True, "max_length": int(window)} if np.isfinite(window) else {}
    found = that_drops_the_end(encoder.tokenizer)(
        text, return_offsets_mapping=True, verbose=False, **cut
    )
    return found["offset_mapping"]


def write_explorer(data: dict, model: str, draft: Path) -> None:
    """Write the script, with the data in it, into a report's folder."""
    manifest = {"format": 2, "checkpoint": model, "drift": {"file": "drift.json"}}
    contents = {"manifest.json": as_json(manifest), "drift.json": as_json(data)}
    script = f"globalThis.layerwiseFiles = {as_json(contents)};\n"
    script += bundle(files(source), ["drift-explorer.mjs"])
    (draft / SCRIPT).parent.mkdir()
    (draft / SCRIPT).write_text(script, encoding="utf-8", newline="\n")


def explorer_style() -> str:
    """Return the explorer's style sheet."""
    return (files(source) / "explorer.css").read_text("utf-8")


def as_json(content: dict) -> str:
    """Write JSON without spaces."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def explorer_part(data: dict, n_texts: int) -> str:
    """Set the explorer, and what stands in its place where it cannot start."""
    n_shown = len(data["poems"])
    which = (
        f"{n_shown:,} of the {n_texts:,} texts, drawn at random" if n_shown < n_texts
        else "every text"
    )  # fmt: skip
    return (
        f"<p>A dot for {which}, in each layer. Choose one to read it, its words shaded by how "
        "far their tokens moved; set another beside it; see which are nearest in any layer.</p>"
        "<drift-explorer><p>The figures below show the same numbers, all texts together: here "
        "they can be explored where scripts run.</p></drift-explorer>"
    )

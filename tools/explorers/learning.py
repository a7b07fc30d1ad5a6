"""What the explorers of learning and of order read: each line's margins under each method."""

import base64
import json

import numpy as np
import pandas as pd

from layerwise.by_hand.ngrams import (
    LINE_END,
    find_vocabulary,
    hide_unknown,
    kneser_ney,
    kneser_ney_tables,
    surprisal,
)
from layerwise.texts.lines import load_runs
from layerwise.texts.poems import load_poems
from tools.data import order_lora
from tools.desk import ROOT

# What is shown of the columns of the table, in this order: few labels, then all, then controls.
METHODS = {
    "10 lines": "all weights, 10 lines",
    "100 lines": "all weights, 100 lines",
    "all weights": "all weights, all lines",
    "LoRA": "LoRA, all lines",
    "counted pairs": "counted pairs, all lines",
}


def make_learning() -> dict:
    """Return lines, shuffles, folds, and margins as whole thousandths, packed."""
    scores = load_runs("scores").set_index(["order", "pair"])
    scores["counted pairs"] = count_pairs(scores)
    true, shuffled = scores.loc["true"], scores.loc["shuffled"]
    made_with = json.loads((ROOT / "data" / "digests_of_order_runs.json").read_text("utf-8"))
    in_page = json.loads((ROOT / order_lora.DIGEST).read_text("utf-8"))
    controls = in_page["right, labels dealt at random"]
    return {
        "encoder": made_with["made with"]["encoder"],
        "in_page": {"fold": in_page["fold"], "controls": controls},
        "poems": load_poems()["first_line"].tolist(),
        "lines": [
            list(row)
            for row in zip(
                true["text"].tolist(), true["line"].tolist(), true["fold"].tolist(),
                true["words"], shuffled["words"], strict=True,
            )
        ],
        "methods": [
            {"name": name, "true": pack(true[run]), "shuffled": pack(shuffled[run])}
            for run, name in METHODS.items()
        ],
    }  # fmt: skip


def count_pairs(scores: pd.DataFrame) -> pd.Series:
    """Return how many bits pairs, counted on other folds, save on each line or shuffle."""
    saved = pd.Series(0.0, index=scores.index)
    for fold in scores["fold"].unique():
        true = scores.loc["true"]
        seen = [tokens_of(words) for words in true.loc[true["fold"] != fold, "words"]]
        vocabulary = find_vocabulary(seen, 2)
        seen = [hide_unknown(tokens, vocabulary) for tokens in seen]
        one, two = (kneser_ney(kneser_ney_tables(seen, n), len(vocabulary)) for n in (1, 2))
        for place, words in scores.loc[scores["fold"] == fold, "words"].items():
            tokens = hide_unknown(tokens_of(words), vocabulary)
            saved[place] = (surprisal(one, tokens, 1) - surprisal(two, tokens, 2)).sum()
    return saved.round(3) + 0.0  # no zero has a sign


def tokens_of(words: str) -> list[str]:
    """Return the words of a line, and its end."""
    return [*words.split(), LINE_END]


def pack(margins) -> str:
    """Pack numbers as whole thousandths, in two bytes each, in base64."""
    thousandths = np.rint(1000 * np.asarray(margins))
    return base64.b64encode(thousandths.astype("<i2").tobytes()).decode()

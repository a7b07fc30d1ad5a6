"""What the explorer of learning reads: each line's margins under each method trained."""

import base64
import json

import numpy as np

from layerwise.texts.lines import load_runs
from layerwise.texts.poems import load_poems
from tools.desk import ROOT

# What is shown of the columns of the table, in this order: few labels, then all, then controls.
METHODS = {
    "10 lines": "all weights, 10 lines",
    "100 lines": "all weights, 100 lines",
    "300 lines": "all weights, 300 lines",
    "all weights": "all weights, all lines",
    "LoRA": "LoRA, all lines",
    "random start": "without pretraining, all lines",
}


def make_learning() -> dict:
    """Return lines, shuffles, folds, and margins as whole thousandths, packed."""
    scores = load_runs("scores").set_index("order")
    true, shuffled = scores.loc["true"], scores.loc["shuffled"]
    made_with = json.loads((ROOT / "data" / "digests_of_order_runs.json").read_text("utf-8"))
    return {
        "encoder": made_with["made with"]["encoder"],
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


def pack(margins) -> str:
    """Pack numbers as whole thousandths, in two bytes each, in base64."""
    thousandths = np.rint(1000 * np.asarray(margins))
    return base64.b64encode(thousandths.astype("<i2").tobytes()).decode()

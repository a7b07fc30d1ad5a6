"""Train the classifier of word order that the website carries, and write what it learned.

    python -m tools.data.order_lora    train it, and write the file

It is the run "LoRA" of ``order_runs`` on the first fold, the one that chapters/task.md trains
as ``learner``: on the lines of all poems but those of that fold. The file holds its two thin
matrices for each query and value, and its head, in 16 bits. A control learns labels dealt at
random, several times. All take two minutes of one core.
"""

import hashlib
import inspect
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save

from layerwise.fine_tuning import Classifier, add_lora, fine_tune
from layerwise.models import Encoder, load_encoder
from tools.data.order_runs import (
    N_EPOCHS,
    RUNS,
    SEED,
    SIZE,
    fit,
    labelled,
    load_lines,
    made_with,
    margins_of,
)
from tools.desk import ROOT, run_command, write_made

RUN, FOLD = RUNS["LoRA"], 0
N_DEALS = 5  # of the control
FILE = Path("data/datasets/order_lora.safetensors")
DIGEST = Path("data/digests_of_order_lora.json")


def learned(classifier: Classifier) -> dict[str, torch.nn.Parameter]:
    """Return the weights that training changed, by name."""
    named = [
        *classifier.encoder.model.named_parameters(),
        *((f"head.{name}", weight) for name, weight in classifier.head.named_parameters()),
    ]
    return {name: weight for name, weight in named if weight.requires_grad}


def write_learned(classifier: Classifier, encoder: str) -> bytes:
    """Return what was learned as a safetensors file in 16 bits."""
    weights = {name: weight.detach().half() for name, weight in learned(classifier).items()}
    scale = inspect.signature(add_lora).parameters["scale"].default
    said = json.dumps({"encoder": encoder, "fold": FOLD, "scale": scale})
    return save(weights, {"lora": said})  # one entry: several would be in no certain order


def read_learned(encoder: Encoder, file: Path = ROOT / FILE) -> Classifier:
    """Return an encoder, a copy, with what was learned added to it."""
    classifier = RUN.make(encoder)
    with safe_open(file, "pt") as found, torch.no_grad():
        for name, weight in learned(classifier).items():
            weight.copy_(found.get_tensor(name))
    return classifier


def shares_right(margins: np.ndarray) -> dict[str, float]:
    """Return the share of orders called right alone, and of true lines chosen of two."""
    true, shuffled = margins
    alone = ((true > 0).mean() + (shuffled <= 0).mean()) / 2
    return {"alone": round(float(alone), 3), "both": round(float((true > shuffled).mean()), 3)}


def control(encoder: Encoder, deal: int) -> dict[str, float]:
    """Train on labels that mean nothing; return what is right of the held-out lines.

    Half of the true lines are called true, and half of the shuffled ones, drawn at random.
    """
    lines = load_lines()
    texts, labels = labelled(lines[lines["fold"] != FOLD])
    rng = np.random.default_rng(deal)
    half = np.arange(len(labels) // 2) % 2
    dealt = np.concatenate([rng.permutation(half), rng.permutation(half)])
    classifier = RUN.make(encoder)
    fine_tune(classifier, texts, dealt, N_EPOCHS, RUN.learning_rate, SIZE, SEED)
    return shares_right(margins_of(classifier, lines[lines["fold"] == FOLD]))


def make() -> None:
    """Train, write the file, and note what is right of the lines that were held out."""
    torch.set_num_threads(1)  # sums come out in one order
    encoder, lines, used = load_encoder(device="cpu"), load_lines(), made_with()
    data = write_learned(fit(RUN, FOLD, lines, encoder), used["encoder"])
    write_made({FILE: data})
    held_out = lines[lines["fold"] == FOLD]
    write_made({DIGEST: {
        "made with": used,
        "fold": FOLD,
        "right": shares_right(margins_of(read_learned(encoder), held_out)),
        "right, labels dealt at random": [control(encoder, deal) for deal in range(N_DEALS)],
        "sha256": {FILE.name: hashlib.sha256(data).hexdigest()},
    }})  # fmt: skip


def main() -> int:
    """Run the command; return its exit status."""
    return run_command(make)


if __name__ == "__main__":
    sys.exit(main())

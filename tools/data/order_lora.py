"""Train the classifier of word order that the website carries, and write what it learned.

    python -m tools.data.order_lora            train it, and write the file
    python -m tools.data.order_lora --check    change nothing; 1 if another would be written

It is the run "LoRA" of ``order_runs`` on the first fold, the one that chapters/task.md trains
as ``learner``: on the lines of all poems but those of that fold. The file holds its two thin
matrices for each query and value, and its head, in 16 bits. A control learns labels dealt at
random, several times. All take two minutes of one core, the check half a minute.
"""

import hashlib
import inspect
import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save

from layerwise.checkpoints import find_checkpoint
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
    margins_of,
)
from tools.desk import ROOT, asked_to_check, run_command, say

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


def make(check: bool) -> int:
    """Train, then write the file or say if another would be written; return the exit status."""
    torch.set_num_threads(1)  # sums come out in one order
    checkpoint, encoder = find_checkpoint(None).name, load_encoder(device="cpu")
    lines = load_lines()
    classifier = fit(RUN, FOLD, lines, encoder)
    data = write_learned(classifier, checkpoint)
    digest = hashlib.sha256(data).hexdigest()
    if check:
        same = hashlib.sha256((ROOT / FILE).read_bytes()).hexdigest() == digest
        say(f"{FILE}: {'as' if same else 'not as'} it is trained")
        return 0 if same else 1
    (ROOT / FILE).write_bytes(data)
    held_out = lines[lines["fold"] == FOLD]
    made = {
        "made with": {
            "encoder": checkpoint,
            "torch": torch.__version__.split("+")[0],
            "transformers": transformers.__version__,
            "processor": torch.backends.cpu.get_cpu_capability(),
        },
        "fold": FOLD,
        "right": shares_right(margins_of(read_learned(encoder), held_out)),
        "right, labels dealt at random": [control(encoder, deal) for deal in range(N_DEALS)],
        "sha256": {FILE.name: digest},
    }
    text = json.dumps(made, indent=1)
    (ROOT / DIGEST).write_text(text + "\n", encoding="utf-8", newline="\n")
    say(f"{FILE}: {len(data) / 1000:.0f} kB; right: {made['right']}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    check = asked_to_check("Train the classifier that the page carries.", arguments)
    return run_command(lambda: make(check))


if __name__ == "__main__":
    sys.exit(main())

"""Train what the chapter on a task shows but has no time to train: every fold, method and seed.

    python -m tools.data.order_runs    train what is missing, write the tables

One run on one fold takes up to a minute of one core, all of them a quarter of an hour. What was
trained lies in ``_build/order_runs``; delete it to train everything again. The tables are
committed, and ``data/digests_of_order_runs.json`` says what they must hold, and which model,
libraries and processor they were made with.
"""

import hashlib
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import transformers
from sklearn.model_selection import GroupKFold

from layerwise.checkpoints import find_checkpoint
from layerwise.embedding import embed_layers
from layerwise.fine_tuning import (
    Classifier,
    fine_tune,
    lora_classifier,
    new_classifier,
    predict,
)
from layerwise.models import Encoder, load_encoder
from layerwise.similarity import cosine
from layerwise.texts.lines import lines_and_shuffles
from layerwise.texts.poems import load_poems
from tools.desk import ROOT, run_command, say, write_made

N_FOLDS = 5
ORDERS = ("true", "shuffled")
PARTS = Path("_build/order_runs")
TABLES = {name: Path(f"data/datasets/order_{name}.csv") for name in ("scores", "layers")}
DIGESTS = Path("data/digests_of_order_runs.json")
FEWEST_STEPS, SIZE, N_EPOCHS, SEED = 30, 32, 3, 0


class Run(NamedTuple):
    """How a classifier is made and trained."""

    make: Callable[[Encoder], Classifier]
    learning_rate: float = 1e-4
    n_lines: int | None = None  # of the training lines; all


whole = partial(new_classifier, n_labels=2)
lora = partial(lora_classifier, n_labels=2)
RUNS = {
    "all weights": Run(whole),
    "LoRA": Run(lora, 2e-3),
    **{f"{n} lines": Run(whole, n_lines=n) for n in (10, 100)},
}


def load_lines() -> pd.DataFrame:
    """Return the lines, their shuffled words, and the fold in which each is tested."""
    lines = lines_and_shuffles(load_poems()["text"])
    folds = GroupKFold(N_FOLDS, shuffle=True, random_state=0).split(lines, groups=lines["text"])
    for fold, (_, tested) in enumerate(folds):
        lines.loc[tested, "fold"] = fold
    return lines.astype({"fold": int})


def labelled(lines: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """Return true lines, then shuffled ones, as texts with the labels 1 and 0."""
    texts = [*lines["true"], *lines["shuffled"]]
    return texts, np.repeat([1, 0], len(lines))


def training_lines(
    lines: pd.DataFrame, fold: int, n_lines: int | None, seed: int = SEED
) -> pd.DataFrame:
    """Return the lines outside a fold, or so many of them, drawn at random."""
    trained = lines[lines["fold"] != fold]
    if n_lines is None:
        return trained
    return trained.iloc[np.random.default_rng(seed).permutation(len(trained))[:n_lines]]


def enough_epochs(n_texts: int, n_epochs: int = N_EPOCHS) -> int:
    """Return how many epochs make the fewest steps, or more if they are asked for."""
    return max(n_epochs, -(-FEWEST_STEPS // -(-n_texts // SIZE)))


def fit(run: Run, fold: int, lines: pd.DataFrame, encoder: Encoder) -> Classifier:
    """Train on the lines outside a fold; return the classifier."""
    texts, labels = labelled(training_lines(lines, fold, run.n_lines))
    classifier = run.make(encoder)
    n_epochs = enough_epochs(len(texts))
    fine_tune(classifier, texts, labels, n_epochs, run.learning_rate, SIZE, SEED)
    return classifier


def margins_of(classifier: Classifier, lines: pd.DataFrame) -> np.ndarray:
    """Return the margins of true lines, then of shuffled ones, of shape (2, n_lines)."""
    logits = predict(classifier, labelled(lines)[0])
    return (logits[:, 1] - logits[:, 0]).reshape(2, -1)


def train(
    run: Run, fold: int, lines: pd.DataFrame, encoder: Encoder
) -> dict[str, pd.DataFrame]:
    """Train on the lines outside a fold and test on those in it; return rows of the tables."""
    tested = lines[lines["fold"] == fold]
    classifier = fit(run, fold, lines, encoder)
    margins = margins_of(classifier, tested)
    scores = pd.DataFrame({"true": margins[0], "shuffled": margins[1]}, index=tested.index)
    made = {"scores": scores}
    if run == RUNS["all weights"]:
        made["layers"] = what_moved(classifier, encoder, tested)
    return made


def what_moved(classifier: Classifier, encoder: Encoder, tested: pd.DataFrame) -> pd.DataFrame:
    """Return for each layer how far it moved, and what its old weights cost if put back."""
    texts, labels = labelled(tested)
    before = embed_layers(tested["true"], encoder, progress=False)
    after = embed_layers(tested["true"], classifier.encoder, progress=False)
    model: Any = classifier.encoder.model
    old: Any = encoder.model
    parts = [(model.embeddings, old.embeddings),
             *zip(model.encoder.layer, old.encoder.layer, strict=True)]  # fmt: skip
    rows = []
    for layer, (part, old_part) in enumerate(parts):
        learned = {name: x.clone() for name, x in part.state_dict().items()}
        part.load_state_dict(old_part.state_dict())
        logits = predict(classifier, texts)
        part.load_state_dict(learned)
        rows.append({
            "layer": layer,
            "cosine": cosine(before[layer], after[layer]).mean(),
            "right": (logits.argmax(axis=1) == labels).mean(),
        })  # fmt: skip
    logits = predict(classifier, texts)
    rows.append({"layer": -1, "right": (logits.argmax(axis=1) == labels).mean()})
    return pd.DataFrame(rows)


def part_of(name: str, fold: int, table: str) -> Path:
    """Return where the rows of one run and fold are kept."""
    return ROOT / PARTS / f"{name.replace(' ', '-')}-{fold}-{table}.csv"


def make_parts() -> None:
    """Train what is missing, and keep it."""
    lines, encoder = load_lines(), load_encoder(device="cpu")
    (ROOT / PARTS).mkdir(parents=True, exist_ok=True)
    for name, run in RUNS.items():
        for i in range(N_FOLDS):
            if part_of(name, i, "scores").exists():
                continue
            start = time.perf_counter()
            for table, rows in train(run, i, lines, encoder).items():
                rows.to_csv(part_of(name, i, table), lineterminator="\n")
            say(f"{name}, fold {i}: {time.perf_counter() - start:.0f} s")


def make_tables() -> dict[Path, bytes]:
    """Put the parts together, as the bytes of each table."""

    def read(name: str, table: str) -> pd.DataFrame:
        return pd.concat(
            {i: pd.read_csv(part_of(name, i, table), index_col=0) for i in range(N_FOLDS)}
        )

    lines = load_lines()
    columns = ["text", "line", "fold", "words"]
    both = pd.concat(
        {order: lines.rename(columns={order: "words"})[columns] for order in ORDERS},
        names=["order", "pair"],
    )
    for name in RUNS:
        margins = read(name, "scores").droplevel(0).sort_index()
        both[name] = pd.concat({order: margins[order] for order in ORDERS}).round(3)
    layers = read("all weights", "layers").rename_axis(["fold", None]).reset_index("fold")
    tables = {
        "scores": both.reset_index(),
        "layers": layers[["fold", "layer", "cosine", "right"]].round(4),
    }
    return {TABLES[name]: table.to_csv(index=False, lineterminator="\n").encode()
            for name, table in tables.items()}  # fmt: skip


def made_with() -> dict[str, str]:
    """Return what decides on the digits of what is trained."""
    return {
        "encoder": find_checkpoint(None).name,
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
        "processor": torch.backends.cpu.get_cpu_capability(),
    }


def make(
    make_parts: Callable[[], None], make_tables: Callable[[], dict[Path, bytes]], digests: Path
) -> None:
    """Train, write the tables, and note their digests."""
    torch.set_num_threads(1)  # sums come out in one order
    make_parts()
    made = make_tables()
    sha256 = {path.name: hashlib.sha256(table).hexdigest() for path, table in made.items()}
    write_made({**made, digests: {"made with": made_with(), "sha256": sha256}})


def main() -> int:
    """Run the command; return its exit status."""
    return run_command(lambda: make(make_parts, make_tables, DIGESTS))


if __name__ == "__main__":
    sys.exit(main())

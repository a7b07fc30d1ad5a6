"""Train what the chapter on a task asks besides: seeds, fewer lines, a random start, themes.

    python -m tools.data.order_repeats    train what is missing, write the tables

All of it takes three quarters of an hour of one core. What was trained lies in
``_build/order_repeats``; delete it to train everything again. The tables are committed, and
``data/digests_of_order_repeats.json`` says what they must hold, and what they were made with.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from layerwise.embedding import embed_layers
from layerwise.fine_tuning import (
    fine_tune,
    new_classifier,
    predict,
    without_pretraining,
)
from layerwise.models import Encoder, load_encoder
from layerwise.similarity import nearest
from layerwise.texts.lines import lines_and_shuffles
from layerwise.texts.poems import load_poems
from layerwise.texts.speeches import load_speeches
from tools.data.order_runs import (
    N_EPOCHS,
    N_FOLDS,
    SIZE,
    enough_epochs,
    labelled,
    load_lines,
    make,
    margins_of,
    training_lines,
)
from tools.desk import ROOT, run_command, say

PARTS = Path("_build/order_repeats")
TABLES = {
    "repeats": Path("data/datasets/order_repeats.csv"),
    "long": Path("data/datasets/order_long.csv"),
    "themes": Path("data/datasets/theme_scores.csv"),
}
DIGESTS = Path("data/digests_of_order_repeats.json")
PROSE_SIZES = (6, 12, 24)  # words of a piece
LEARNING_RATE = 1e-4


class Run(NamedTuple):
    """What is trained, on which folds, with which seeds, and the table it is for."""

    table: str
    seeds: range
    folds: range = range(N_FOLDS)
    n_lines: int | None = None  # of the training lines; all
    n_epochs: int = N_EPOCHS
    pretrained: bool = True


RUNS = {
    "all weights": Run("repeats", range(1, 2)),
    **{f"{n} lines": Run("repeats", range(1), n_lines=n) for n in (30, 300)},
    "random start": Run("repeats", range(1), range(2), n_epochs=12, pretrained=False),
    "long": Run("long", range(1), range(1), n_epochs=8),
    "themes": Run("themes", range(2), n_epochs=6),  # seed 0: the true ones, else dealt
}


def train_order(run: Run, seed: int, fold: int, encoder: Encoder) -> pd.DataFrame:
    """Train on the lines outside a fold; return what is right in it, and on prose."""
    lines = load_lines()
    tested = lines[lines["fold"] == fold]
    texts, labels = labelled(training_lines(lines, fold, run.n_lines, seed))
    n_epochs = enough_epochs(len(texts), run.n_epochs)
    start = encoder if run.pretrained else without_pretraining(encoder, seed)
    classifier = new_classifier(start, 2, seed)
    held_out = labelled(tested) if run.table == "long" else None
    epochs = fine_tune(classifier, texts, labels, n_epochs, LEARNING_RATE, SIZE, seed, held_out)
    if run.table == "long":
        return epochs.reset_index()
    true, shuffled = margins_of(classifier, tested)
    row = {
        "alone": ((true > 0).mean() + (shuffled <= 0).mean()) / 2,
        "both": (true > shuffled).mean(),
    }
    if run.n_lines is None and run.pretrained:
        row["kept"] = neighbours_kept(encoder, classifier.encoder)
        for size in PROSE_SIZES:
            true, shuffled = margins_of(classifier, lines_and_shuffles(pieces_of_prose(size)))
            row[f"prose, {size} words"] = (true > shuffled).mean()
    return pd.DataFrame([row])


def pieces_of_prose(size: int) -> list[str]:
    """Return so many words of each annual message, after the first hundred."""
    texts = load_speeches().query("annual")["text"]
    return [" ".join(text.split()[100 : 100 + size]) for text in texts]


def neighbours_kept(before: Encoder, after: Encoder) -> float:
    """Return which share of the five nearest of each poem, in the last layer, stays."""
    texts = load_poems()["text"]
    lists = [nearest(embed_layers(texts, each, progress=False)[-1])[:, :5]
             for each in (before, after)]  # fmt: skip
    kept = [len({*old} & {*new}) / 5 for old, new in zip(*lists, strict=True)]
    return float(np.mean(kept))


def train_themes(run: Run, seed: int, fold: int, encoder: Encoder) -> pd.DataFrame:
    """Train on the poems outside a fold; return the theme that each poem in it is given."""
    poems = load_poems()
    names, labels = np.unique(poems["theme"], return_inverse=True)
    if seed:
        labels = np.random.default_rng(seed).permutation(labels)
    folds = KFold(N_FOLDS, shuffle=True, random_state=0).split(labels)
    trained, tested = list(folds)[fold]
    classifier = new_classifier(encoder, len(names), 0)
    texts = poems["text"].to_numpy()
    epochs = fine_tune(
        classifier, texts[trained].tolist(), labels[trained], run.n_epochs, LEARNING_RATE, 8
    )
    answers = predict(classifier, texts[tested].tolist()).argmax(axis=1)
    return pd.DataFrame({
        "poem": tested, "theme": names[labels[tested]], "answer": names[answers],
        "right in training": epochs["right"].iloc[-1],
    })  # fmt: skip


TRAIN: dict[str, Callable[[Run, int, int, Encoder], pd.DataFrame]] = {
    "repeats": train_order, "long": train_order, "themes": train_themes,
}  # fmt: skip


def part_of(name: str, seed: int, fold: int) -> Path:
    """Return where the rows of one run, seed and fold are kept."""
    return ROOT / PARTS / f"{name.replace(' ', '-')}-{seed}-{fold}.csv"


def jobs() -> list[tuple[str, int, int]]:
    """List the runs, each with a seed and a fold."""
    return [(name, seed, fold) for name, run in RUNS.items()
            for seed in run.seeds for fold in run.folds]  # fmt: skip


def make_parts() -> None:
    """Train what is missing, and keep it."""
    encoder = load_encoder(device="cpu")
    (ROOT / PARTS).mkdir(parents=True, exist_ok=True)
    for name, seed, fold in jobs():
        part = part_of(name, seed, fold)
        if part.exists():
            continue
        start = time.perf_counter()
        run = RUNS[name]
        made = TRAIN[run.table](run, seed, fold, encoder)
        made.insert(0, "fold", fold)
        made.insert(0, "seed", seed)
        made.insert(0, "run", name)
        made.to_csv(part, index=False, lineterminator="\n")
        say(f"{name}, seed {seed}, fold {fold}: {time.perf_counter() - start:.0f} s")


def make_tables() -> dict[Path, bytes]:
    """Put the parts together, as the bytes of each table."""
    tables = {}
    for table, path in TABLES.items():
        of_table = [job for job in jobs() if RUNS[job[0]].table == table]
        parts = pd.concat(pd.read_csv(part_of(*job)) for job in of_table)
        tables[path] = parts.round(4).to_csv(index=False, lineterminator="\n").encode()
    return tables


def main() -> int:
    """Run the command; return its exit status."""
    return run_command(lambda: make(make_parts, make_tables, DIGESTS))


if __name__ == "__main__":
    sys.exit(main())

"""Measure `layerwise embed`: texts a second beside sentence-transformers, and memory.

    python -m benchmarks.embed --out _build/bench.json

Speed is measured as in benchmarks.embedding, contenders alternated. Ours are whole runs, from
the table to files on the disk, with every layer kept; theirs is `encode` alone, at its best
batch size, the last layer. Memory is the system's own account of finished commands, of a small
and of a large table; the large one also says how long a larger one would take.
"""

import argparse
import contextlib
import io
import itertools
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from sentence_transformers import SentenceTransformer

from benchmarks._results import merge_into
from benchmarks.embedding import (
    WEIGHTS_FOLDER,
    alternate,
    describe_machine,
    fastest_batch_sizes,
    medians,
    print_table,
    say,
)
from layerwise import cli

SECTION = "embed"
N_TEXTS, N_ROUNDS = 2000, 3
SMALL, LARGE = 1000, 100_000
PROJECTED = 10_000_000
NAMES = ["the sea", "a storm", "her garden", "the old king", "his debts", "a letter",
         "the harvest", "my sister", "the bell", "our boat", "that winter"]  # fmt: skip
VERBS = ["remembers", "breaks", "forgives", "follows", "outlives", "drowns", "names", "fears"]


def make_table(path: Path, n: int) -> Path:
    """Write a table of generated texts of one to three clauses, all different."""
    rng = random.Random(0)

    def clause() -> str:
        return f"{rng.choice(NAMES)} {rng.choice(VERBS)} {rng.choice(NAMES)}"

    texts = (
        f"{', and '.join(clause() for _ in range(rng.randint(1, 3)))} on day {i}."
        for i in range(n)
    )
    pd.DataFrame({"text": list(texts)}).to_csv(path, index=False)
    return path


def arguments(table: Path, out: Path) -> list[str]:
    """Return what the command is given."""
    return ["embed", str(table), "--text", "text", "--device", "cpu", "--out", str(out)]


def measure_speed(place: Path) -> dict[str, float]:
    """Compare texts a second on one table, both from this process."""
    table = make_table(place / "speed.csv", N_TEXTS)
    texts = pd.read_csv(table)["text"].tolist()
    other = SentenceTransformer(WEIGHTS_FOLDER, device="cpu")
    outs = (place / f"speed-{i}" for i in itertools.count())

    def encode(size: int) -> None:
        other.encode(texts, batch_size=size, show_progress_bar=False)

    def embed() -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(sys.stdout):
            if status := cli.main(arguments(table, next(outs))):
                raise SystemExit(status)

    say(f"{N_TEXTS} texts: the best batch sizes")
    sizes = fastest_batch_sizes(encode, 2)
    ways = {"embed": embed, **{str(size): lambda size=size: encode(size) for size in sizes}}
    seconds = medians(alternate(ways, N_ROUNDS))
    best = min(sizes, key=lambda size: seconds[str(size)])
    return {
        "embed: texts/s, every layer, from table to files": N_TEXTS / seconds["embed"],
        "embed: sentence-transformers' texts/s": N_TEXTS / seconds[str(best)],
        "embed: sentence-transformers' best batch size": best,
        "embed: texts/s over sentence-transformers": seconds[str(best)] / seconds["embed"],
    }


def run_command(place: Path, n: int) -> tuple[float, float, float]:
    """Run the command on n texts; return seconds, and MB of memory and of files."""
    table, out = make_table(place / f"{n}.csv", n), place / f"{n}"
    say(f"{n} texts: time and memory")
    began = time.perf_counter()
    command = [sys.executable, "-m", "layerwise", *arguments(table, out)]
    process = os.spawnv(os.P_NOWAIT, sys.executable, command)
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"the command failed: {status}")
    unit = 1 if sys.platform == "darwin" else 1024
    size = sum(path.stat().st_size for path in (out / "parts").iterdir())
    return time.perf_counter() - began, used.ru_maxrss * unit / 1e6, size / 1e6


def measure_memory(place: Path) -> dict[str, float]:
    """Compare the memory of a small and of a large table; say what a larger one would take."""
    _, small, _ = run_command(place, SMALL)
    seconds, large, size = run_command(place, LARGE)
    return {
        "embed: texts of the large table": LARGE,
        "embed: texts/s of the large table, the start counted": LARGE / seconds,
        "embed: MB of memory for the small table": small,
        "embed: MB of memory for the large table": large,
        "embed: memory for the large table over that for the small": large / small,
        "embed: hours for ten million texts": seconds / LARGE * PROJECTED / 3600,
        "embed: GB on the disk for ten million texts": size / LARGE * PROJECTED / 1000,
    }


def main() -> None:
    """Measure everything, write the figures, print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="add the figures to this JSON file")
    options = parser.parse_args()
    machine = describe_machine(N_ROUNDS)
    with tempfile.TemporaryDirectory() as place:
        figures = measure_speed(Path(place)) | measure_memory(Path(place))
    if options.out:
        merge_into(options.out, SECTION, {"machine": machine, "figures": figures})
    print_table("layerwise embed", figures)


if __name__ == "__main__":
    main()

"""Measure embed_layers against what one would use instead, as ratios.

    python -m benchmarks.embedding --out _build/bench.json

Everything that is compared is alternated in one run, on the same threads: each round measures
each contender once, and the figures are medians over rounds. So a machine that is busy for a
while slows all of them, and the ratios stay. Runs on the CPU, with the book's default model.
"""

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import torch
from sentence_transformers import SentenceTransformer

from benchmarks._contenders import (
    WEIGHTS_FOLDER,
    count_tokens,
    load_textbook,
    make_texts,
    matrix_products,
    package_way,
    textbook_way,
    useful_gflop,
)
from benchmarks._memory import extra_memory
from benchmarks._results import merge_into
from layerwise.checkpoints import DEFAULT_CHECKPOINT
from layerwise.embedding import embed_layers
from layerwise.models import load_encoder
from layerwise.similarity import cosine, nearest
from layerwise.texts.poems import load_poems

SECTION = "embedding"
SENTENCE_TRANSFORMERS_BATCHES = [8, 16, 32, 64, 128]

# What each ratio must reach, or stay below; those of benchmarks.embed too.
TARGETS = {
    "embed: texts/s over sentence-transformers": (">=", 1),
    "embed: memory for the large table over that for the small": ("<=", 1.5),
    "poems: times faster than the textbook way": (">=", 5),
    "poems: share of the textbook way's extra memory": ("<=", 1 / 6),
    "poems: largest difference from the textbook way": ("<=", 1e-5),
    "texts: tokens/s over sentence-transformers": (">=", 1.05),
    "texts: bfloat16 tokens/s over sentence-transformers": (">=", 2 * 1.05),
    "texts: bfloat16 tokens/s over float32": None,
    "texts: share of a float32 matrix product's speed": None,
    "bfloat16 matrix product's speed over float32's": None,
}


# Time


def alternate(contenders: dict[str, Callable], n_rounds: int) -> dict[str, list[float]]:
    """Run every contender once in each round, in turn, and return its seconds in each."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for i in range(n_rounds + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if i > 0:  # the first round only warms up
                seconds[name].append(time.perf_counter() - start)
        say(f"  round {i} of {n_rounds} done" if i else "  warmed up")
    return seconds


def fastest_batch_sizes(encode: Callable[[int], object], n: int) -> list[int]:
    """Return the n batch sizes with which sentence-transformers takes least, fastest first."""
    ways = {size: lambda size=size: encode(size) for size in SENTENCE_TRANSFORMERS_BATCHES}
    seconds = medians(alternate(ways, 1))
    return sorted(seconds, key=lambda size: seconds[size])[:n]


def medians(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Return each contender's median."""
    return {name: statistics.median(times) for name, times in seconds.items()}


# The measurements


def measure_poems(n_rounds: int) -> dict[str, float]:
    """Compare with the textbook way on the poems: time, memory, and the results."""
    poems = list(load_poems()["text"])
    textbook, encoder = load_textbook(), load_encoder(DEFAULT_CHECKPOINT, device="cpu")
    say(f"{len(poems)} poems: time")
    ways = {
        "textbook": lambda: textbook_way(poems, *textbook),
        "package": lambda: package_way(poems, encoder),
    }
    seconds = medians(alternate(ways, n_rounds))
    say(f"{len(poems)} poems: memory")
    megabytes = {
        way: statistics.median(extra_memory(way) for _ in range(n_rounds)) for way in ways
    }
    pairs = zip(ways["textbook"](), ways["package"](), strict=True)
    difference = max(float(np.abs(theirs - ours).max()) for theirs, ours in pairs)
    return {
        "poems: textbook way, seconds": seconds["textbook"],
        "poems: embed_layers, seconds": seconds["package"],
        "poems: textbook way, extra MB": megabytes["textbook"],
        "poems: embed_layers, extra MB": megabytes["package"],
        "poems: times faster than the textbook way": seconds["textbook"] / seconds["package"],
        "poems: share of the textbook way's extra memory": (
            megabytes["package"] / megabytes["textbook"]
        ),
        "poems: largest difference from the textbook way": difference,
    }


def measure_texts(n_texts: int, n_rounds: int) -> dict[str, float]:
    """Compare tokens per second: sentence-transformers, both dtypes, a matrix product."""
    encoder = load_encoder(DEFAULT_CHECKPOINT, device="cpu")
    half = load_encoder(DEFAULT_CHECKPOINT, device="cpu", dtype="bfloat16")
    other = SentenceTransformer(WEIGHTS_FOLDER, device="cpu")
    texts = make_texts(list(load_poems()["text"]), n_texts, encoder)
    n_tokens, gflop = count_tokens(texts, encoder), useful_gflop(texts, encoder)
    say(f"{n_texts} texts, {n_tokens} tokens")

    def encode(size: int) -> None:
        other.encode(texts, batch_size=size, show_progress_bar=False)

    say("sentence-transformers: the best batch sizes")
    sizes = fastest_batch_sizes(encode, 2)
    say(f"sentence-transformers in batches of {sizes}, and the others")
    multiply, product_gflop = matrix_products(torch.float32, gflop / 4)
    multiply_half, half_gflop = matrix_products(torch.bfloat16, gflop / 4)
    contenders: dict[str, Callable] = {
        "package": lambda: embed_layers(texts, encoder, progress=False),
        "bfloat16": lambda: embed_layers(texts, half, progress=False),
        "product": multiply,
        "bfloat16 product": multiply_half,
        **{f"batches of {size}": lambda size=size: encode(size) for size in sizes},
    }
    seconds = medians(alternate(contenders, n_rounds))
    best = min(sizes, key=lambda size: seconds[f"batches of {size}"])
    theirs = seconds[f"batches of {best}"]
    product = product_gflop / seconds["product"]
    return {
        "texts": n_texts,
        "tokens": n_tokens,
        **{
            f"texts: sentence-transformers, batches of {size}, tokens/s": (
                n_tokens / seconds[f"batches of {size}"]
            )
            for size in sizes
        },
        "texts: sentence-transformers' best batch size": best,
        "texts: embed_layers, tokens/s": n_tokens / seconds["package"],
        "texts: embed_layers in bfloat16, tokens/s": n_tokens / seconds["bfloat16"],
        "texts: embed_layers, useful GFLOP/s": gflop / seconds["package"],
        "texts: float32 matrix product, GFLOP/s": product,
        "texts: bfloat16 matrix product, GFLOP/s": half_gflop / seconds["bfloat16 product"],
        "texts: tokens/s over sentence-transformers": theirs / seconds["package"],
        "texts: bfloat16 tokens/s over float32": seconds["package"] / seconds["bfloat16"],
        "texts: bfloat16 tokens/s over sentence-transformers": theirs / seconds["bfloat16"],
        "texts: share of a float32 matrix product's speed": (
            gflop / seconds["package"] / product
        ),
        "bfloat16 matrix product's speed over float32's": (
            half_gflop / seconds["bfloat16 product"] / product
        ),
    }


def measure_bfloat16_error() -> dict[str, float]:
    """Count what bfloat16 changes between the poems, in the last layer."""
    poems = list(load_poems()["text"])
    exact, rounded = (
        embed_layers(
            poems, load_encoder(DEFAULT_CHECKPOINT, device="cpu", dtype=dtype), progress=False
        )[-1]
        for dtype in ("float32", "bfloat16")
    )
    change = np.abs(cosine(exact[:, None], exact) - cosine(rounded[:, None], rounded))
    return {
        "bfloat16: largest change of a cosine between two poems": float(change.max()),
        "bfloat16: poems whose nearest neighbour changes": int(
            (nearest(exact)[:, 0] != nearest(rounded)[:, 0]).sum()
        ),
    }


def describe_machine(n_rounds: int) -> dict:
    """Say what the figures were measured on."""
    cpu = torch.cpu.get_capabilities()
    return {
        "cpu": cpu.get("cpu_name", platform.processor()),
        "threads": torch.get_num_threads(),
        "avx512_bf16": bool(cpu.get("avx512_bf16", False)),
        "amx_bf16": bool(cpu.get("amx_bf16", False)),
        "load before": psutil.getloadavg()[0],
        "rounds": n_rounds,
        **{name: version(name) for name in ("torch", "transformers", "sentence-transformers")},
    }


# The report


def verdict(name: str, value: float) -> str:
    """Say whether a figure reaches its target; nothing if it has none."""
    if TARGETS.get(name) is None:
        return ""
    relation, target = TARGETS[name]
    reached = value >= target if relation == ">=" else value <= target
    return f"target {relation} {target:.3g}: {'reached' if reached else 'NOT REACHED'}"


def print_table(title: str, rows: dict) -> None:
    """Print names, figures, and targets where there are any."""
    print(f"\n{title}")
    for name, value in rows.items():
        shown = f"{value:.3g}" if isinstance(value, float) and value < 1000 else value
        shown = f"{value:,.0f}" if isinstance(value, float) and value >= 1000 else shown
        print(f"  {name:<62}{shown!s:>12}  {verdict(name, value)}".rstrip())


def say(message: str) -> None:
    """Say on stderr what is going on."""
    print(message, file=sys.stderr, flush=True)


def main() -> None:
    """Measure everything, write the figures, print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("_build/bench.json"))
    parser.add_argument("--rounds", type=int, default=5, help="measure so many times")
    parser.add_argument("--texts", type=int, default=2000)
    arguments = parser.parse_args()
    machine = describe_machine(arguments.rounds)
    figures = {
        **measure_poems(arguments.rounds),
        **measure_texts(arguments.texts, arguments.rounds),
        **measure_bfloat16_error(),
    }
    machine["load after"] = psutil.getloadavg()[0]
    merge_into(arguments.out, SECTION, {"machine": machine, "figures": figures})
    print_table("Measured on", machine)
    print_table("Figures", {name: figures[name] for name in figures if name not in TARGETS})
    print_table("Ratios", {name: figures[name] for name in TARGETS if name in figures})


if __name__ == "__main__":
    main()

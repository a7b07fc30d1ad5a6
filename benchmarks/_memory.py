"""How much memory a way of embedding needs: each in a process of its own.

    python -m benchmarks._memory textbook|package
"""

import subprocess
import sys
import threading

import psutil

from benchmarks._contenders import load_textbook, package_way, textbook_way
from layerwise.checkpoints import DEFAULT_CHECKPOINT
from layerwise.embedding import embed_layers
from layerwise.models import load_encoder
from layerwise.texts.poems import load_poems

SECONDS_BETWEEN_SAMPLES = 0.002


def extra_memory(way: str) -> float:
    """Return the MB that a way needs above its loaded model, on the poems, in a fresh process.

    Fresh, because memory that an earlier run gave back to Python is not given back to the
    system, and would hide what a later one needs.
    """
    command = [sys.executable, "-m", "benchmarks._memory", way]
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


if __name__ == "__main__":
    print(measure_extra_memory(sys.argv[1]))

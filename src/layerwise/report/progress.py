"""Say what is being done, and when it will end."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence

SECONDS_BETWEEN_LINES = 10  # where lines cannot be written over


def say(what: str) -> None:
    """Say on standard error what is being done."""
    print(what, file=sys.stderr, flush=True)


def with_end_time(items: Iterable, sizes: Sequence[int], what: str) -> Iterator:
    """Yield items, and say from time to time how much is done and when the rest will be.

    Parameters
    ----------
    items : iterable
    sizes : sequence of int
        How much work each item is.
    what : str
        What is done to them, such as "embedding".
    """
    total, done, began = sum(sizes), 0, time.monotonic()
    last_said, width = began, 0
    on_a_terminal = sys.stderr.isatty()
    end = "\r" if on_a_terminal else "\n"
    for item, size in zip(items, sizes, strict=True):
        yield item  # while whoever asked works on it
        done += size
        now = time.monotonic()
        if now - last_said < (0.2 if on_a_terminal else SECONDS_BETWEEN_LINES):
            continue
        last_said = now
        seconds_left = (now - began) * (total - done) / done
        ends = time.strftime("%H:%M:%S", time.localtime(time.time() + seconds_left))
        line = f"  {what}: {done / total:.0%}, done at about {ends}"
        width = max(width, len(line))
        print(line.ljust(width), end=end, file=sys.stderr, flush=True)
    if on_a_terminal and width:
        print(" " * width, end=end, file=sys.stderr, flush=True)

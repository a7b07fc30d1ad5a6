"""Say what is being done, and when it will end."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

SECONDS_BETWEEN_LINES = 10  # where lines cannot be written over
SECONDS_BEFORE_DATE = 12 * 3600


def say(what: str) -> None:
    """Say on standard error what is being done."""
    print(what, file=sys.stderr, flush=True)


def with_end_time(
    sized_items: Iterable[tuple[Any, int]], total: int, what: str
) -> Iterator[Any]:
    """Yield items, and say from time to time how much is done and when the rest will be.

    Parameters
    ----------
    sized_items : iterable of (item, int)
        Each item, and how much work it is.
    total : int
        How much work they all are.
    what : str
        What is done to them, such as "embedding".
    """
    done, began = 0, time.monotonic()
    last_said, width = began, 0
    on_a_terminal = sys.stderr.isatty()
    end = "\r" if on_a_terminal else "\n"
    for item, size in sized_items:
        yield item  # while whoever asked works on it
        done += size
        now = time.monotonic()
        if now - last_said < (0.2 if on_a_terminal else SECONDS_BETWEEN_LINES):
            continue
        last_said = now
        seconds_left = (now - began) * (total - done) / done
        line = f"  {what}: {done / total:.0%}, done at about {clock_in(seconds_left)}"
        width = max(width, len(line))
        print(line.ljust(width), end=end, file=sys.stderr, flush=True)
    if on_a_terminal and width:
        print(" " * width, end=end, file=sys.stderr, flush=True)


def clock_in(seconds: float) -> str:
    """Say what the clock will show in some seconds; and the date, if that is long."""
    form = "%H:%M:%S" if seconds < SECONDS_BEFORE_DATE else "%Y-%m-%d %H:%M"
    return time.strftime(form, time.localtime(time.time() + seconds))

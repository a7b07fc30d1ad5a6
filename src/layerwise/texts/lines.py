"""Lines and their shuffled words: a task that counting words cannot solve.

Chapter: ``chapters/task.md``, "A task that words alone cannot solve".
"""

from collections.abc import Iterable, Sequence
from importlib.resources import files

import numpy as np
import pandas as pd

from layerwise.by_hand.ngrams import LINE_END, split_words

FEWEST_WORDS = 3


def lines_and_shuffles(texts: Iterable[str], seed: int = 0) -> pd.DataFrame:
    """Set each line, in lower case and without punctuation, beside the same words shuffled.

    Parameters
    ----------
    texts : sequence of str
        With line ends.
    seed : int
        Decides on the orders.

    Returns
    -------
    DataFrame
        A row a line of three words or more that has another order: ``text``, the position of
        its text; ``line``, its number, from 1; ``true`` and ``shuffled``, which differ.

    Raises
    ------
    ValueError
        If there is no such line.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for i, text in enumerate(texts):
        lines = " ".join(split_words(text)).split(LINE_END)
        for number, line in enumerate(lines, start=1):
            words = line.split()
            if len(words) >= FEWEST_WORDS and len(set(words)) > 1:
                rows.append((i, number, " ".join(words), " ".join(another_order(words, rng))))
    if not rows:
        raise ValueError(
            f"none of the texts has a line of {FEWEST_WORDS} words or more: keep line ends"
        )
    return pd.DataFrame(rows, columns=["text", "line", "true", "shuffled"])


def another_order(items: Sequence, rng: np.random.Generator) -> list:
    """Return items in an order that is not theirs, if there is one."""
    items = list(items)
    if all(item == items[0] for item in items):
        return items
    other = items
    while other == items:
        other = [items[i] for i in rng.permutation(len(items))]
    return other


def load_runs(table: str, task: str = "order") -> pd.DataFrame:
    """Load what was trained beforehand on the poems, by ``tools/data/order_runs.py``.

    Parameters
    ----------
    table : {"scores", "layers", "repeats", "long"}
        The margin of each line and of its shuffle, above 0 if it is taken for a real one, a
        column a run; what moved in which layer; what another seed, fewer lines and random
        weights gave; losses by epoch of a training that went on.
    task : {"order", "theme"}
        Of themes there are scores only: the theme that each poem was given.
    """
    with files("layerwise.datasets").joinpath(f"{task}_{table}.csv").open("rb") as file:
        return pd.read_csv(file)

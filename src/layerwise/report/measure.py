"""Measure one model on the texts: all numbers of the report are made here."""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd

from layerwise.embedding import embed_layers
from layerwise.models import Encoder, context_window
from layerwise.progress import with_end_time
from layerwise.report.agreement import Agreement, can_agree, label_agreement
from layerwise.report.explorer import explorer_data
from layerwise.report.neighbours import neighbour_table, own_groups
from layerwise.report.tokens import run_tokens, token_movement
from layerwise.rotation import rotation_baseline
from layerwise.similarity import drift_table, layer_to_layer
from layerwise.tables import medians_by_layer

PART = 8000  # tokens that are embedded before progress is said
# Tokens whose vectors are all kept at once, for the rotation and for single words: beyond
# them, texts are drawn at random.
MOST_TOKENS_KEPT = 30_000
FEWEST_FOR_ROTATION = 4  # texts
# Below or above these no claim is said to hold, whatever its test says.
FEW_TEXTS = 20
MOSTLY_UNKNOWN = 0.3  # share of tokens


class Measured(NamedTuple):
    """What was measured with one model.

    Attributes
    ----------
    model : str
        Its name.
    drift : DataFrame
        ``comparison``, ``layer``, ``title``, ``cosine``: texts with layer 0, and baselines.
    steps : DataFrame
        ``step``, ``title``, ``cosine``: texts with the layer before.
    nearest : DataFrame
        ``row``, ``title``, ``rank``, ``nearest_row``, ``nearest_title``, ``cosine``.
    words : DataFrame
        ``token``, ``n``, ``moved``.
    groups : Series
        By title, a number for the group of each text: what intervals are taken over.
    explorer : dict
        What the explorer of drift shows.
    agreement : Agreement or None
        None without labels to compare.
    numbers : dict
        What the above comes to.
    """

    model: str
    drift: pd.DataFrame
    steps: pd.DataFrame
    nearest: pd.DataFrame
    words: pd.DataFrame
    groups: pd.Series
    explorer: dict
    agreement: Agreement | None
    numbers: dict


def measure(name: str, table: pd.DataFrame, encoder: Encoder) -> Measured:
    """Measure drift, steps, neighbours, words and labels with one model.

    Parameters
    ----------
    name : str
        The model's.
    table : DataFrame
        With columns ``row``, ``title`` (all different), ``text``, ``label``, ``group``,
        ``n_tokens``.
    encoder : Encoder
    """
    titles = table["title"]
    kept = draw_texts(table["n_tokens"].clip(upper=context_window(encoder)).to_numpy())
    with warnings.catch_warnings():  # of unknown tokens: said once, in what cannot be said
        warnings.simplefilter("ignore", UserWarning)
        layers = embed(table, encoder)
        tokens, vectors = run_kept(table["text"].iloc[kept].tolist(), encoder)
    drift = drift_table(layers, titles)
    words, n_times = token_movement(tokens, vectors)
    if len(kept) >= FEWEST_FOR_ROTATION:
        drift = pd.concat([drift, rotation_baseline(vectors, titles.iloc[kept])])
    explorer = explorer_data(table, kept, tokens, vectors, drift, encoder)
    drift["comparison"] = drift["comparison"].str.replace("poem", "text")
    agreement = agree(layers, table)
    groups = pd.Series(own_groups(table), index=titles)
    steps = step_table(layers, titles)
    neighbours, set_aside = neighbour_table(layers[-1], table)
    numbers = {
        "model": name,
        "claims_may_hold": len(groups.unique()) >= FEW_TEXTS
        and table["n_unknown"].sum() <= MOSTLY_UNKNOWN * table["n_tokens"].sum(),
        "n_layers": len(layers) - 1,
        "n_dims": layers.shape[2],
        "drift": {name: row.to_list() for name, row in medians_by_layer(drift).iterrows()},
        "steps": steps.groupby("step", sort=False)["cosine"].median().to_dict(),
        "finds_itself": finds_itself(layers),
        "neighbours": set_aside,
        "words": {
            "n_texts": len(kept), "n_tokens": sum(map(len, tokens)), "at_least": n_times,
        },
        "agreement": agreement.numbers if agreement else None,
    }  # fmt: skip
    return Measured(
        name, drift, steps, neighbours, words, groups, explorer, agreement, numbers
    )


def embed(table: pd.DataFrame, encoder: Encoder) -> np.ndarray:
    """Embed all texts in parts, and say when it will be done."""
    n_tokens = table["n_tokens"].clip(upper=context_window(encoder))
    parts = [part for _, part in table.groupby(n_tokens.cumsum() // PART)]
    sizes = [int(n_tokens[part.index].sum()) for part in parts]
    return np.concatenate([
        embed_layers(part["text"], encoder, truncate=True, progress=False)
        for part in with_end_time(zip(parts, sizes, strict=True), sum(sizes), "embedding")
    ], axis=1)  # fmt: skip


def draw_texts(n_tokens: np.ndarray) -> np.ndarray:
    """Return the positions of all texts, or of as many drawn at random as may be kept whole."""
    drawn = np.random.default_rng(0).permutation(len(n_tokens))
    fits = np.cumsum(n_tokens[drawn]) <= MOST_TOKENS_KEPT
    return np.sort(drawn[fits | (np.arange(len(drawn)) < FEWEST_FOR_ROTATION)])


def run_kept(texts: list[str], encoder: Encoder) -> tuple[list[list[str]], list[np.ndarray]]:
    """Run texts one by one, keep every token, and say when it will be done."""
    sizes = [len(text) for text in texts]
    sized = zip(run_tokens(texts, encoder), sizes, strict=True)
    runs = list(with_end_time(sized, sum(sizes), "single tokens"))
    return [tokens for tokens, _ in runs], [vectors for _, vectors in runs]


def step_table(layers: np.ndarray, titles: pd.Series) -> pd.DataFrame:
    """Compare each text in each layer with itself one layer before."""
    cosines = layer_to_layer(layers)  # (n_layers, n_texts)
    names = [f"{layer}→{layer + 1}" for layer in range(len(cosines))]
    index = pd.MultiIndex.from_product([names, titles], names=["step", "title"])
    return pd.DataFrame({"cosine": cosines.ravel()}, index=index).reset_index()


def finds_itself(layers: np.ndarray) -> list[float]:
    """Return, for each layer, the share of texts whose own static vector is the nearest."""
    static = layers[0] / np.linalg.norm(layers[0], axis=-1, keepdims=True)
    return [
        float(((layer @ static.T).argmax(axis=1) == np.arange(len(layer))).mean())
        for layer in layers[1:]
    ]


def agree(layers: np.ndarray, table: pd.DataFrame) -> Agreement | None:
    """Measure how labels agree, over the texts that have one; None if they cannot.

    All may be the same; or none stands in two groups, and 0 would be no number of the model's.
    """
    has_label = table["label"].notna().to_numpy()
    labelled = table[has_label]
    if labelled["label"].nunique() < 2 or len(labelled) < 3 or not can_agree(labelled):
        return None
    groups = own_groups(labelled)
    return label_agreement(layers[:, has_label], labelled["text"], labelled["label"], groups)

"""Do texts that are near each other have the same label, more often than by chance?

Four controls stand beside the number: labels dealt out at random, the static layer, a count of
words that knows no model, and the best of all layers with labels dealt out at random.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from layerwise.evaluation import (
    bootstrap_interval,
    neighbour_agreement,
    paired_test,
    shuffled_agreement,
)
from layerwise.report.neighbours import (
    cosines,
    nearest_of_other_groups,
    own_groups,
    shared_words,
)

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


def groups_of_labels(table: pd.DataFrame) -> pd.Series:
    """Return by label in how many groups of texts it stands, those of most groups first.

    Where all texts are of one group, each counts as its own, as everywhere.
    """
    labelled = table.dropna(subset="label")
    pairs = labelled[["label"]].assign(group=own_groups(labelled)).drop_duplicates()
    return pairs["label"].value_counts()


def can_agree(table: pd.DataFrame) -> bool:
    """Say whether any label stands in two groups, so that a neighbour could have it."""
    return bool((groups_of_labels(table) > 1).any())


def label_agreement(
    layer_embeddings: np.ndarray,
    texts: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[int] | np.ndarray | None = None,
) -> Agreement:
    """Compare the label of each text with its nearest neighbour's, in every layer.

    Parameters
    ----------
    layer_embeddings : array of shape (n_layers + 1, n_texts, n_dims)
    texts, labels : sequence of str, one for each text
    groups : sequence of int, one for each text, optional
        Texts of one group do not count as each other's neighbours; intervals and tests are
        over groups.
    """
    own, names = pd.factorize(np.asarray(labels))
    alone = np.arange(len(own))
    group = alone if groups is None else np.asarray(groups)
    n_layers = len(layer_embeddings) - 1
    options = {
        f"layer {layer}": nearest_of_other_groups(cosines(x), group, 1)
        for layer, x in enumerate(layer_embeddings)
    }
    options[COUNTED] = nearest_of_other_groups(shared_words(texts), group, 1)
    hits = {name: own[found[:, 0]] == own for name, found in options.items()}
    # the same shuffles for all options: column i of each is one way of dealing
    shuffled = {
        name: shuffled_agreement(found, own, N_SHUFFLES, group)
        for name, found in options.items()
    }
    table = pd.DataFrame({
        "option": list(options),
        "agreement": [neighbour_agreement(found, own) for found in options.values()],
        "chance": [shuffled[name].mean() for name in options],
        "chance_95": [np.quantile(shuffled[name], 0.95) for name in options],
    })  # fmt: skip
    last = f"layer {n_layers}"
    best_by_chance = np.max([x for name, x in shuffled.items() if name != COUNTED], axis=0)
    of_all = nearest_of_other_groups(cosines(layer_embeddings[-1]), alone, 1)
    numbers = {
        "n_texts": len(own),
        "n_labels": len(names),
        "n_groups": len(set(group)),
        "agreement": float(hits[last].mean()),
        "with_own_group": neighbour_agreement(of_all, own),
        "interval": interval_of_share(hits[last], group),
        "chance": float(shuffled[last].mean()),
        "chance_95": float(np.quantile(shuffled[last], 0.95)),
        "p_chance": float((1 + (shuffled[last] >= hits[last].mean()).sum()) / (1 + N_SHUFFLES)),
        "best_of_layers_by_chance_95": float(np.quantile(best_by_chance, 0.95)),
        "against_static": compared(hits[last], hits["layer 0"], group),
        "against_counted_words": compared(hits[last], hits[COUNTED], group),
        "counted_words": float(hits[COUNTED].mean()),
        "static": float(hits["layer 0"].mean()),
    }
    return Agreement(table, by_label(names[own], hits[last], group), numbers)


def interval_of_share(hits: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Return the 95% interval of a share; Clopper and Pearson's where all draws are alike."""
    if 0 < hits.mean() < 1:
        return bootstrap_interval(hits, groups=groups)
    n_groups = len(set(groups))
    low, high = binomtest(n_groups * int(hits[0]), n_groups).proportion_ci(method="exact")
    return float(low), float(high)


def compared(first: np.ndarray, second: np.ndarray, groups: np.ndarray) -> dict:
    """Compare two options on the same texts: gain, its interval, and the exact paired test.

    Of a group of texts it is asked which option is right more often: what its texts have in
    common counts once.
    """
    gains = first.astype(float) - second
    of_group = pd.Series(gains).groupby(groups).sum().to_numpy()
    test = paired_test(of_group > 0, of_group < 0)
    return {
        "gain": float(gains.mean()),
        "interval": bootstrap_interval(gains, groups=groups),
        "only_first": test.only_first,
        "only_second": test.only_second,
        "p": test.p,
    }


def by_label(labels: np.ndarray, hits: np.ndarray, groups: np.ndarray) -> pd.DataFrame:
    """Return, for each label, how often the neighbour shares it, and how often by chance."""
    texts = pd.DataFrame({"label": labels, "group": groups, "hit": hits})
    n_same = texts.groupby("label")["hit"].transform("size")
    n_same -= texts.groupby(["label", "group"])["hit"].transform("size")
    n_others = len(texts) - texts.groupby("group")["hit"].transform("size")
    table = texts.assign(chance=n_same / n_others).groupby("label")
    table = table.agg(
        n_texts=("hit", "size"), agreement=("hit", "mean"), chance=("chance", "mean")
    ).reset_index()
    return table.sort_values("n_texts", ascending=False, kind="stable").reset_index(drop=True)

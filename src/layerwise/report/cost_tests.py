"""Whether labels differ in what their texts cost, or dates, and what controls leave of it."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from layerwise.evaluation import N_DRAWS, bootstrap_interval

N_DEALT = 2000
MOST_PERIODS = 8
FEWEST_IN_PERIOD = 5


def summary(values: pd.Series | np.ndarray, groups: pd.Series) -> dict:
    """Return a mean over texts, its interval, over how many, and how many lie above 0.

    Texts of one group alone have no interval: drawn anew, they are always the same.
    """
    values = pd.Series(np.asarray(values, dtype=float), index=groups.index).dropna()
    if values.empty:
        return {"mean": np.nan, "low": np.nan, "high": np.nan, "n": 0, "above": 0}
    own = groups[values.index]
    low, high = (
        bootstrap_interval(values, groups=own) if own.nunique() > 1 else (np.nan, np.nan)
    )
    return {"mean": values.mean(), "low": low, "high": high, "n": len(values),
            "above": int((values > 0).sum())}  # fmt: skip


def aspects(bits: pd.DataFrame, table: pd.DataFrame, also_date: bool) -> dict[str, np.ndarray]:
    """Return what is tested: the cost, and what is left of it beside each control.

    A control that cannot be had, such as words shuffled where nothing can be shuffled, is not
    a number.
    """
    printed = bits["printed"].to_numpy()
    length = np.log(table["text"].str.len().to_numpy())
    order = bits["words shuffled"].to_numpy() - printed
    found = {
        "cost": printed,
        "length taken out": without(printed, length),
        "worth of word order": order,
        "the same beyond counting": order
        - (bits["words shuffled, counted"] - bits["counted"]).to_numpy(),
    }
    if also_date and "date" in table:
        found["length and date taken out"] = without(printed, length, table["date"].to_numpy())
    return found


def without(values: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Return what is left of values when a straight line through others is taken away."""
    columns = np.stack([np.ones(len(values)), *others], axis=1)
    left = np.full(len(values), np.nan)
    known = np.isfinite(columns).all(axis=1) & np.isfinite(values)
    if known.sum() > columns.shape[1]:
        fitted, *_ = np.linalg.lstsq(columns[known], values[known])
        left[known] = values[known] - columns[known] @ fitted
    return left


def by_label(
    bits: pd.DataFrame, table: pd.DataFrame, groups: pd.Series
) -> tuple[pd.DataFrame, dict]:
    """Return what texts of each label cost, beside the controls, and whether labels differ."""
    table = table.set_index(bits.index)
    tested = aspects(bits, table, also_date=True)
    rows = []
    for label, of_label in table.groupby("label"):
        own, at = bits.loc[of_label.index], groups[of_label.index]
        cost = summary(own["printed"], at)
        order = summary(own["words shuffled"] - own["printed"], at)
        rows.append({
            "label": label, "n_texts": cost["n"], "bits_a_character": cost["mean"],
            "low": cost["low"], "high": cost["high"], "counted": own["counted"].mean(),
            "order_is_worth": order["mean"], "order_low": order["low"],
            "order_high": order["high"],
        })  # fmt: skip
    listed = pd.DataFrame(rows).sort_values("n_texts", ascending=False, kind="stable")
    tests = {
        name: dealt_test(values, table["label"], groups, share_between)
        for name, values in tested.items()
    }
    return listed.reset_index(drop=True), tests


def by_date(
    bits: pd.DataFrame, table: pd.DataFrame, groups: pd.Series
) -> tuple[pd.DataFrame, dict]:
    """Return what texts of each period cost, beside the controls, and whether dates matter."""
    table = table.set_index(bits.index)
    tested = aspects(bits, table, also_date=False)
    dated = table["date"].dropna()
    period = dated  # each date its own, or as many texts in each
    if dated.nunique() > MOST_PERIODS:
        n_periods = min(MOST_PERIODS, max(1, len(dated) // FEWEST_IN_PERIOD))
        period = pd.qcut(dated, n_periods, labels=False, duplicates="drop")
    rows = []
    for _, dates in dated.groupby(period):
        own, at = bits.loc[dates.index], groups[dates.index]
        cost = summary(own["printed"], at)
        rows.append({
            "first": dates.min(), "last": dates.max(), "n_texts": cost["n"],
            "bits_a_character": cost["mean"], "low": cost["low"], "high": cost["high"],
            "counted": own["counted"].mean(),
            "order_is_worth": (own["words shuffled"] - own["printed"]).mean(),
        })  # fmt: skip
    tests = {
        name: dealt_test(values, table["date"], groups, rank_correlation)
        for name, values in tested.items()
    }
    for name, values in tested.items():
        tests[name] |= dict(zip(
            ("low", "high"), interval_of_rank(values, table["date"], groups), strict=True
        ))  # fmt: skip
    return pd.DataFrame(rows), tests


def dealt_test(
    values: np.ndarray, kinds: pd.Series, groups: pd.Series, measure: Callable
) -> dict:
    """Measure how values go with labels or dates, and how they do when these are dealt anew.

    Texts of one group that have the same label or date count once. Where no two of these have
    the same label, or all have, there is nothing to test.

    Returns
    -------
    dict
        ``value``; ``chance``, what dealing gives in the mean; ``p``, how often it gives as
        much; ``n``.
    """
    given, own = units(values, kinds, groups)
    n_kinds = len(np.unique(given.astype(str)))
    too_many = measure is share_between and n_kinds == len(own)
    if len(own) < 3 or n_kinds < 2 or too_many:
        return {"value": np.nan, "chance": np.nan, "p": np.nan, "n": len(own)}
    rng = np.random.default_rng(0)
    value = measure(given, own)
    dealt = np.array([measure(given, rng.permutation(own)) for _ in range(N_DEALT)])
    as_much = np.abs(dealt) >= abs(value) - 1e-12
    return {"value": value, "chance": dealt.mean(), "n": len(own),
            "p": (1 + as_much.sum()) / (1 + N_DEALT)}  # fmt: skip


def units(
    values: np.ndarray, kinds: pd.Series, groups: pd.Series
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels or dates, and the mean of the values of a group that have the same."""
    texts = pd.DataFrame({
        "kind": kinds.to_numpy(), "value": values, "group": groups.to_numpy()
    }).dropna()  # fmt: skip
    means = texts.groupby(["group", "kind"], sort=False)["value"].mean().reset_index()
    return means["kind"].to_numpy(), means["value"].to_numpy()


def share_between(labels: np.ndarray, values: np.ndarray) -> float:
    """Return which share of the variance of values lies between labels."""
    centred = values - values.mean()
    _, label = np.unique(labels.astype(str), return_inverse=True)
    sums = np.bincount(label, centred)
    total = (centred**2).sum()
    return float((sums**2 / np.bincount(label)).sum() / total) if total else 0.0


def rank_correlation(dates: np.ndarray, values: np.ndarray) -> float:
    """Return Spearman's correlation; 0 where one of both is all the same."""
    ranks = [rankdata(each) for each in (dates, values)]
    if min(each.std() for each in ranks) == 0:
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


def interval_of_rank(
    values: np.ndarray, dates: pd.Series, groups: pd.Series
) -> tuple[float, float]:
    """Return the 95% bootstrap interval of Spearman's correlation."""
    given, own = units(values, dates, groups)
    if len(own) < 3:
        return np.nan, np.nan
    rng = np.random.default_rng(0)
    drawn = (rng.choice(len(own), len(own)) for _ in range(N_DRAWS))
    low, high = np.quantile([rank_correlation(given[i], own[i]) for i in drawn], [0.025, 0.975])
    return float(low), float(high)

"""What the numbers come to: a few claims, each with its value and whether it holds.

A claim holds if the interval of its measure leaves zero out, or its test is significant at
``LEVEL``; else it cannot be said, nor can it of too few texts or of a script that the model
does not know. The claims are the same for every text and every model, fixed
before anything was measured.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from layerwise.display import count, number
from layerwise.evaluation import bootstrap_interval
from layerwise.report.measure import Measured
from layerwise.report.words import interval, p_value, percent

LEVEL = 0.05
# What may be done to layer 0, the same for all texts, and how a claim speaks of it.
CHANGES = {
    "rotated": "One rotation, the same for all texts,",
    "shifted": "One vector added to all texts, without any turn,",
}
YES, IN_PART, NO, OPEN = "yes", "in part", "no", "cannot be said"


def findings_of(measured: Measured) -> list[dict]:
    """Return the claims for one model: ``claim``, ``value`` (in words) and ``holds``.

    A claim that the texts are too few for, or have no labels for, is left out.
    """
    findings = [finds_its_start(measured, "")]
    if "same text, rotated" in measured.numbers["drift"]:
        findings += [undone(measured, change) for change in CHANGES]
        findings.append(rotation_against_shift(measured))
        findings.append(finds_its_start(measured, ", centred, rotated"))
    if measured.agreement:
        findings += label_findings(measured.agreement.numbers)
    if not measured.numbers["claims_may_hold"]:
        findings = [{**finding, "holds": OPEN} for finding in findings]
    return findings


def undone(measured: Measured, change: str) -> dict:
    """Say in which layers a change, the same for all, undoes most of the median drift."""
    drift = measured.numbers["drift"]
    shares = [
        (changed - raw) / (1 - raw)
        for raw, changed in zip(drift["same text"], drift[f"same text, {change}"], strict=True)
    ]
    most = [share > 0.5 for share in shares]
    return {
        "claim": f"{CHANGES[change]} undoes more than half of the drift",
        "value": f"in {sum(most)} of {len(most)} layers; in the last {percent(shares[-1])}",
        "holds": YES if all(most) else IN_PART if any(most) else NO,
    }


def rotation_against_shift(measured: Measured) -> dict:
    """Say whether the rotation brings texts nearer to their static vectors than the shift."""
    claim = "In the last layer the rotation undoes more than that one vector"
    return gain_finding(measured, claim, "same text, rotated", "same text, shifted")


def finds_its_start(measured: Measured, kind: str) -> dict:
    """Say whether a text ends nearer to its own beginning than to that of the others."""
    what = "also centred and after one rotation" if kind else "in the last layer"
    claim = f"A text is nearer to its own static vector than to those of others, {what}"
    return gain_finding(measured, claim, f"same text{kind}", f"other text{kind}")


def gain_finding(measured: Measured, claim: str, one: str, other: str) -> dict:
    """Say whether one comparison's cosine is higher than another's, in the last layer."""
    last = measured.drift[measured.drift["layer"] == measured.numbers["n_layers"]]
    by_text = last.pivot(index="title", columns="comparison", values="cosine")
    gains = (by_text[one] - by_text[other]).dropna()
    low_and_high = bootstrap_interval(gains, groups=measured.groups[gains.index])
    return {
        "claim": claim,
        "value": f"by {number(gains.mean())} on average ({interval(low_and_high)})",
        "holds": verdict(gains.mean(), low_and_high[0] > 0 or low_and_high[1] < 0),
    }


def verdict(gain: float, is_clear: bool) -> str:
    """Turn a gain and whether it is clear into yes, no, or cannot be said."""
    if not is_clear:
        return OPEN
    return YES if gain > 0 else NO


def label_findings(numbers: dict) -> list[dict]:
    """Return what is said about labels: against chance, the static layer, counted words."""
    findings = [{
        "claim": "A text's nearest neighbour has its label more often than by chance",
        "value": f"{percent(numbers['agreement'])} ({interval(numbers['interval'], percent)}), "
        f"by chance {percent(numbers['chance'])}, {p_value(numbers['p_chance'])}",
        "holds": YES if numbers["p_chance"] < LEVEL else OPEN,
    }]  # fmt: skip
    for key, name in [
        ("against_static", "the static layer"), ("against_counted_words", "counted words"),
    ]:  # fmt: skip
        test = numbers[key]
        findings.append({
            "claim": f"The last layer does better at this than {name}",
            "value": right_more_often(test, numbers) + f", {p_value(test['p'])}",
            "holds": verdict(test["gain"], test["p"] < LEVEL),
        })  # fmt: skip
    return findings


def right_more_often(test: dict, numbers: dict) -> str:
    """Say for how many texts, or groups of texts, each of two options does better."""
    first, second = test["only_first"], test["only_second"]
    if numbers["n_groups"] == numbers["n_texts"]:
        return f"{count(first, 'text')} right only here, {second:,} only there"
    return f"{count(first, 'group')} right more often here, {second:,} there"


def compare_models(models: Sequence[Measured]) -> pd.DataFrame:
    """Set the findings of all models side by side.

    Returns
    -------
    DataFrame
        One row a claim: ``claim``; for each model its value and verdict; and ``in all``, the
        verdict if all models agree on it, else "differs".
    """
    by_model = [{x["claim"]: x for x in findings_of(measured)} for measured in models]
    claims = list(dict.fromkeys(claim for findings in by_model for claim in findings))
    nothing = {"value": "", "holds": OPEN}
    table = pd.DataFrame({"claim": claims})
    for measured, findings in zip(models, by_model, strict=True):
        chosen = [findings.get(claim, nothing) for claim in claims]
        table[f"{measured.model}: value"] = [x["value"] for x in chosen]
        table[f"{measured.model}: holds"] = [x["holds"] for x in chosen]
    if len(models) > 1:
        holds = table[[f"{measured.model}: holds" for measured in models]]
        table["in all"] = [
            row.iloc[0] if row.nunique() == 1 else "differs" for _, row in holds.iterrows()
        ]
    return table


def shared_neighbours(first: Measured, second: Measured) -> dict:
    """Return how often two models name the same nearest text, and how often chance would."""
    nearest = [
        x.nearest.loc[x.nearest["rank"] == 1, "nearest_row"].to_numpy() for x in (first, second)
    ]
    return {
        "models": [first.model, second.model],
        "same_nearest": float(np.mean(nearest[0] == nearest[1])),
        "chance": first.numbers["neighbours"]["by_chance"],
    }

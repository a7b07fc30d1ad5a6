"""What may be said of what texts cost a model that writes: claims, each beside its control.

A claim whose control shows the same fails, and is said to.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from layerwise.display import count, number
from layerwise.report.costs import COUNTED, ORDER, Costs
from layerwise.report.findings import LEVEL, NO, OPEN, YES
from layerwise.report.measure import FEW_TEXTS
from layerwise.report.words import interval, p_value, percent

FAILS = "fails its control"
READS_BETTER = "The model guesses these texts better than one that has counted the others"
FEWEST_RECITED = 5  # tokens in a row: below, a common phrase will do


def three(x: float) -> str:
    """Write bits a character."""
    return number(x, 3)


def written(x: pd.Series) -> str:
    """Write a mean with its interval; or that there is none."""
    if not x["n"]:
        return "not to be had"
    return f"{three(x['mean'])} ({interval((x['low'], x['high']), three)})"


def is_above(x: pd.Series) -> bool:
    """Say whether a mean's interval lies above 0."""
    return bool(x["n"] and x["low"] > 0)


def is_below(x: pd.Series) -> bool:
    """Say whether a mean's interval lies below 0."""
    return bool(x["n"] and x["high"] < 0)


def judged(raw: pd.Series, beyond: pd.Series) -> str:
    """Say whether an effect is there, and whether it goes beyond its control."""
    if not raw["n"] or not (is_above(raw) or is_below(raw)):
        return OPEN
    if is_below(raw):
        return NO
    return YES if is_above(beyond) else FAILS


def cost_findings(costs: Costs) -> list[dict]:
    """Return the claims: ``claim``, ``value``, ``control`` and ``holds``.

    None is said to hold of too few texts, or of texts that cost the model more than counting.
    That a text is recited needs no more than that text.
    """
    found = [
        *order_findings(costs), reads_better(costs), title_finding(costs), on_the_way(costs),
        *last_word_finding(costs), *label_findings(costs), *date_findings(costs),
    ]  # fmt: skip
    found = [x for x in found if x]
    if not may_hold(costs):
        found = [x if x["claim"] == READS_BETTER and x["holds"] == NO else {**x, "holds": OPEN}
                 for x in found]  # fmt: skip
    return [*found, by_heart_finding(costs)]


def may_hold(costs: Costs) -> bool:
    """Say whether there are enough texts, and the model can read them at all."""
    counting = costs.versions.loc["saved beside counting"]
    return costs.groups.nunique() >= FEW_TEXTS and not is_below(counting)


def order_findings(costs: Costs) -> list[dict]:
    """Say whether the order of words, lines and stanzas counts, to it and to counting."""
    unit = costs.reading.chosen.facts["unit"]
    larger = "stanza" if unit == "line" else "paragraph"
    found = []
    for name, what in [
        ("words", f"words in a {unit}"), ("lines", f"{unit}s"), ("stanzas", f"{larger}s"),
    ]:  # fmt: skip
        more = costs.versions.loc[f"{name} shuffled"]
        counted = costs.versions.loc[f"{name} shuffled, counted"]
        if more["n"]:
            found.append({
                "claim": f"The order of {what} counts, beyond runs of characters",
                "value": f"shuffled, {written(more)} more; so for {more['above']:.0f} of "
                f"{more['n']:.0f}",
                "control": f"runs of {ORDER} characters: {written(counted)}",
                "holds": judged(more, costs.versions.loc[f"{name} shuffled beyond counting"])
                if counted["n"] else OPEN,
            })  # fmt: skip
    return found


def reads_better(costs: Costs) -> dict:
    """Say whether the model reads the texts better than counting does."""
    saved = costs.versions.loc["saved beside counting"]
    if not saved["n"]:
        return {}
    return {
        "claim": READS_BETTER,
        "value": f"saves {written(saved)}",
        "control": f"runs of {ORDER} characters: {number(costs.bits[COUNTED].mean())} bits",
        "holds": judged(saved, saved),
    }


def title_finding(costs: Costs) -> dict:
    """Say whether a title says something of its text, or any title does as well."""
    own = costs.versions.loc["saved by its own title"]
    another = costs.versions.loc["saved by another's title"]
    if not another["n"]:
        return {}
    left = costs.versions.loc["own beyond another's: title's words never come"]
    beyond = (
        f"where no word of it comes in the text, the own one saves {written(left)} more"
        if left["n"] else "each title has words of its text, so that nothing is left to say"
    )  # fmt: skip
    enough = left["n"] >= FEW_TEXTS or not is_above(left)
    return {
        "claim": "Its title helps to guess a text, beyond the words that it gives away",
        "value": f"saves {written(own)}",
        "control": f"another's title: {written(another)}; {beyond} ({left['n']:.0f} texts)",
        "holds": judged(own, left) if enough else OPEN,
    }


def on_the_way(costs: Costs) -> dict:
    """Say whether a text is easier to guess as one reads on, because of its course."""
    saved = costs.versions.loc["saved on the way"]
    shuffled = costs.versions.loc["the same, lines shuffled"]
    unit = costs.reading.chosen.facts["unit"]
    return {
        "claim": "As one reads on, a text is easier to guess, because of its course",
        "value": f"saves {written(saved)}",
        "control": f"{unit}s shuffled: {written(shuffled)}; counted: "
        f"{written(costs.versions.loc['the same, counted'])}",
        "holds": judged(saved, costs.versions.loc["on the way beyond shuffled"])
        if shuffled["n"] else OPEN,
    }


def last_word_finding(costs: Costs) -> list[dict]:
    """Say whether last words of lines cost more than others, whatever kind of word they are."""
    if "last words: all words" not in costs.versions.index:
        return []
    every, content, function = (
        costs.versions.loc[f"last words: {kind}"]
        for kind in ("all words", "words with content", "function words")
    )
    holds = judged(every, content)
    if holds == YES and not function["mean"] > 0:
        holds = FAILS
    return [{
        "claim": "The last word of a line costs more than others",
        "value": f"{written(every)} bits a word",
        "control": f"among words with content {written(content)}, among function words "
        f"{written(function)}",
        "holds": holds,
    }]  # fmt: skip


def with_p(test: dict, write: Callable[[float], str]) -> str:
    """Write a test's value beside chance."""
    if np.isnan(test["p"]):
        return "not to be had"
    return f"{write(test['value'])}, {p_value(test['p'])}"


def survives(test: dict, controls: list[dict]) -> str:
    """Say whether a difference is there, and is still there beside each control."""
    if not test["p"] < LEVEL:
        return OPEN
    return YES if all(x["p"] < LEVEL for x in controls if not np.isnan(x["p"])) else FAILS


def label_findings(costs: Costs) -> list[dict]:
    """Say whether labels differ in what they cost, and in more than length and words."""
    if "labels" not in costs.tests:
        return []
    tests = costs.tests["labels"]
    controls = [x for x in ("length taken out", "length and date taken out") if x in tests]
    cost = tests["cost"]
    return [
        {
            "claim": "Texts of different labels cost differently",
            "value": "not to be had" if np.isnan(cost["p"]) else
            f"{percent(cost['value'])} of the variance lies between labels, by chance "
            f"{percent(cost['chance'])}; {p_value(cost['p'])}",
            "control": "; ".join(f"{x}: {with_p(tests[x], percent)}" for x in controls),
            "holds": survives(cost, [tests[x] for x in controls]),
        },
        beyond_words("Labels differ", tests, percent),
    ]


def date_findings(costs: Costs) -> list[dict]:
    """Say whether what a text costs goes with its date, and with more than its words."""
    if "dates" not in costs.tests:
        return []
    tests = costs.tests["dates"]
    cost, length = tests["cost"], tests["length taken out"]
    if np.isnan(cost["p"]):
        return []
    return [
        {
            "claim": "What a text costs goes with its date",
            "value": f"rank correlation {with_p(cost, number)} "
            f"({interval((cost['low'], cost['high']))})",
            "control": f"length taken out: {with_p(length, number)}",
            "holds": survives(cost, [length]),
        },
        beyond_words("Date counts", tests, number),
    ]


def beyond_words(claim: str, tests: dict, write: Callable) -> dict:
    """Say whether labels or dates show in what the order of words is worth, or in words alone.

    Its control is what the same order is worth to counting: that is one of capitals, commas
    and common phrases.
    """
    order, beyond = tests["worth of word order"], tests["the same beyond counting"]
    return {
        "claim": f"{claim} in more than words: in what the order of words is worth",
        "value": with_p(order, write),
        "control": f"beyond what it is worth to counting: {with_p(beyond, write)}",
        "holds": OPEN if np.isnan(beyond["p"]) else survives(order, [beyond]),
    }  # fmt: skip


def recited_texts(costs: Costs) -> pd.DataFrame:
    """Return the texts that are gone on with for longer than any shuffled one is."""
    recited = costs.reading.recited
    least = max(FEWEST_RECITED, np.nan_to_num(recited["shuffled"].max()) + 1)
    return recited[recited["tokens"] >= least]


def by_heart_finding(costs: Costs) -> dict:
    """Say whether the model recites any of the texts, given that the measure can fire."""
    recited, known = costs.reading.recited, costs.reading.known
    found, most = recited_texts(costs), max(known.values(), default=0)
    can_fire = most >= FEWEST_RECITED
    listed = ", ".join(f"{name} {n}" for name, n in sorted(known.items(), key=lambda x: -x[1]))
    shuffled = recited["shuffled"].dropna()
    return {
        "claim": "The model has some of these texts by heart",
        "value": f"{count(len(found), 'text')} of {len(recited):,} gone on with for "
        f"{FEWEST_RECITED} tokens or more; at most {recited['tokens'].max():.0f}, "
        f"{(recited['tokens'] == 0).sum():,} not at all",
        "control": f"in another order at most {shuffled.max():.0f}; widely known: {listed}"
        if len(shuffled) else f"widely known: {listed}",
        "holds": YES if len(found) else NO if can_fire else OPEN,
    }

"""What cannot be said of what texts cost, and the paragraph on how it was measured."""

import numpy as np

from layerwise.display import count, number
from layerwise.evaluation import N_DRAWS
from layerwise.report.cost_findings import FEWEST_RECITED, is_below, written
from layerwise.report.cost_tests import N_DEALT
from layerwise.report.costs import COUNTED, FEWEST_TO_COUNT, MOST_COUNTED, N_FOLDS, ORDER, Costs
from layerwise.report.limits import ALONE, COARSER, MANY_PIECES
from layerwise.report.measure import FEW_TEXTS
from layerwise.report.reading import BEGINNING, spans_of
from layerwise.report.words import cut_into, listing

FEW_COUNTED = 20_000  # characters


def cost_limits(costs: Costs, pieces: float, usual: float, asked: dict) -> list[str]:
    """List what cannot be said.

    Parameters
    ----------
    costs : Costs
    pieces, usual : float
        Tokens a word of these texts, and of the book's poems.
    asked : dict
        ``title``, ``label``, ``date``, ``passages``: the options.
    """
    facts, tests = costs.reading.chosen.facts, costs.tests
    unit = facts["unit"]
    limits = [*limits_of_sample(facts), *limits_of_language(costs, pieces, usual)]
    n_groups = int(costs.groups.nunique())
    if n_groups < FEW_TEXTS:
        limits.append(
            f"There are {count(n_groups, 'text')} or groups of them: with fewer than "
            f"{FEW_TEXTS} no claim is said to hold."
        )
    if costs.reading.chosen.table["group"].nunique() == 1:
        limits.append(
            "All that was read is one text, or of one group: an interval over its parts says "
            "nothing of other texts, and counting in “the others” is counting in the same one."
        )
    if costs.bits[COUNTED].isna().all():
        limits.append(
            f"With fewer than {FEWEST_TO_COUNT} texts there are no others to count in, so it "
            "is not known what the model's reading adds to counting."
        )
    elif facts["n_characters"] < FEW_COUNTED:
        limits.append(
            f"The other texts have {facts['n_characters']:,} characters at most: so little "
            "is counted badly, and anything looks good beside it."
        )
    if not costs.versions.loc["words shuffled", "n"]:
        limits.append("There is nothing to shuffle: without spaces between words, the control "
                      "of another order cannot be had.")  # fmt: skip
    elif not costs.versions.loc["lines shuffled", "n"]:
        limits.append(f"Each text is one {unit}: what its course is worth cannot be asked.")
    if not facts["n_headings"]:
        why = ("As passages have no titles of their own" if asked["title"] and asked["passages"]
               else "Without a column of titles (--title)")  # fmt: skip
        limits.append(f"{why}, what a heading saves cannot be said.")
    elif facts["n_different_headings"] < 2:
        limits.append("All titles are the same, so there is no other's to compare with.")
    if "labels" not in tests:
        limits.append("Without labels that differ (--label), nothing is said by speaker, "
                      "or whatever a label would be.")  # fmt: skip
    elif np.isnan(tests["labels"]["cost"]["p"]):
        limits.append(
            f"{ALONE}, so a difference between labels cannot be told from one between texts: "
            f"{COARSER}"
        )
    if "dates" not in tests:
        limits.append("Without dates that differ (--date), nothing is said by date.")
    limits.append(limit_of_memory(costs))
    return limits


def limits_of_sample(facts: dict) -> list[str]:
    """Say what was not read, and what was read in windows."""
    limits = []
    if facts["n_texts"] < facts["n_usable"] or facts["n_beginnings"]:
        cut = (
            f", and of {facts['n_beginnings']:,} that are longer only the first {BEGINNING} "
            "tokens or fewer" if facts["n_beginnings"] else ""
        )
        limits.append(
            f"A sample was read: {facts['n_texts']:,} of {facts['n_usable']:,} texts, drawn "
            f"with the seed 0{cut}. To read more, raise --most-tokens."
        )
    if facts["n_in_windows"]:
        limits.append(
            f"{count(facts['n_in_windows'], 'text')} longer than {facts['window']:,} tokens "
            "were cut into windows between paragraphs or sentences; each is read as if nothing "
            "came before it, and a title stands before each. Position is that in a window."
        )
    return limits


def limits_of_language(costs: Costs, pieces: float, usual: float) -> list[str]:
    """Say whether the texts are in a language that the model does not read."""
    limits = []
    if is_below(costs.versions.loc["saved beside counting"]):
        limits.append(
            "The texts cost the model more than counting in the other texts does: it does not "
            "read their language, or does not read at all. No claim is said to hold."
        )
    if pieces > MANY_PIECES * usual:
        limits.append(
            f"{cut_into(pieces)}; of English verse it makes {number(usual, 1)}. So they are "
            "probably in a language or a spelling that this model has read little of, and "
            "their cost says more of that than of them. Function words are told from others by "
            "an English list. Another model can be named with --decoder."
        )
    return limits


def limit_of_memory(costs: Costs) -> str:
    """Say what a text that is not recited, or is, does not show."""
    known = costs.reading.known
    most = max(known.values(), default=0)
    if most < FEWEST_RECITED:
        return (
            "This model does not recite texts that are on the web everywhere, either: that it "
            "recites none of these shows nothing of whether it has read them."
        )
    silent = sum(n < FEWEST_RECITED for n in known.values())
    return (
        "A text that is not recited may have been read: of the widely known texts, "
        f"{silent} of {len(known)} are not recited for {FEWEST_RECITED} tokens, either."
    )


# ---------------------------------------------------------------- methods


def cost_methods(costs: Costs, name: str, model: dict) -> str:
    """Write the paragraph on methods: what was done with these texts, and nothing else."""
    facts = costs.reading.chosen.facts
    revision = f", revision {model['revision']}" if model["revision"] else ""
    weights = "; ".join(f"{x} {digest}" for x, digest in model["sha256"].items()
                        if x.endswith((".safetensors", ".gguf")))  # fmt: skip
    window = f"at most {facts['window']:,} tokens at once"
    if facts["n_in_windows"]:
        window += (
            f", {count(facts['n_in_windows'], 'longer text')} cut into windows that are read "
            "as if nothing came before them"
        )
    return " ".join(filter(None, [
        f"Surprisal. {count(facts['n_texts'], 'text')}{of_sample(facts)}, "
        f"{facts['n_tokens']:,} tokens in all, were read with the decoder {name} "
        f"({model['type']}{revision}; SHA-256: {weights}), in {model['dtype']} on "
        f"{model['device']}, {window}. The surprisal of a token (Levy 2008) is −log₂ of its "
        "probability after what stands before it in its text; a text costs the sum over its "
        f"tokens, divided by its characters: {number(costs.bits['printed'].mean())} bits a "
        "character as printed, on average over texts.",
        methods_of_counting(costs), methods_of_versions(costs),
        f"Intervals are 95% percentile bootstrap intervals over "
        f"{'groups' if is_over_groups(costs) else 'texts'} ({N_DRAWS:,} draws).",
        methods_of_tests(costs), methods_of_memory(costs),
    ]))  # fmt: skip


def is_over_groups(costs: Costs) -> bool:
    """Say whether intervals are over groups of several texts."""
    return costs.groups.nunique() < len(costs.groups)


def of_sample(facts: dict) -> str:
    """Say which texts were drawn, and of how many only the beginning was read."""
    drawn = (
        f", drawn with the seed 0 from {facts['n_usable']:,}"
        if facts["n_texts"] < facts["n_usable"] else ""
    )  # fmt: skip
    n = facts["n_beginnings"]
    cut = f", of {n:,} of them the first {BEGINNING} tokens or fewer" if n else ""
    return drawn + cut


def methods_of_counting(costs: Costs) -> str:
    """Say how the other texts were counted; nothing if there were too few."""
    saved = costs.versions.loc["saved beside counting"]
    if not saved["n"]:
        return ""
    n_folds = min(N_FOLDS, int(costs.groups.nunique()))
    whole = " that keep groups whole" if is_over_groups(costs) else ""
    many = costs.reading.chosen.facts["n_characters"] > MOST_COUNTED
    most = f" (at most {MOST_COUNTED:,} characters of them)" if many else ""
    return (
        f"A model of runs of {ORDER} characters (modified Kneser-Ney, Chen and Goodman 1999) "
        f"that counted the other texts{most}, in {n_folds} folds{whole}, costs "
        f"{number(costs.bits[COUNTED].mean())}; the decoder saves {written(saved)}."
    )


def methods_of_versions(costs: Costs) -> str:
    """Say in which versions texts were read, and how many of them were, if not all."""
    unit = costs.reading.chosen.facts["unit"]
    larger = "stanzas" if unit == "line" else "paragraphs"
    n_texts = len(costs.groups)
    said = []
    for version, what in [
        ("saved by its own title", "after their own title"),
        ("saved by another's title", "after another text's title"),
        ("words shuffled", f"with the words of each {unit} shuffled"),
        ("lines shuffled", f"with {unit}s shuffled"),
        ("stanzas shuffled", f"with {larger} shuffled"),
    ]:
        n = int(costs.versions.loc[version, "n"])
        if n:
            said.append(what if n == n_texts else f"{what} ({n:,} of {n_texts:,})")
    if not said:
        return ""
    return f"The same texts were read {listing(said)}, and compared text by text."


def dealt(tests: dict) -> list[str]:
    """Return what was dealt anew: labels, dates, both, or nothing where none can be tested."""
    return [x for x in ("labels", "dates")
            if x in tests and not np.isnan(tests[x]["cost"]["p"])]  # fmt: skip


def methods_of_tests(costs: Costs) -> str:
    """Say what was dealt anew to test what goes with it, and what was taken out."""
    names = dealt(costs.tests)
    if not names:
        return ""
    tested = [costs.tests[name] for name in names]
    taken = [
        what for aspect, what in [
            ("length taken out", "the logarithm of length taken out"),
            ("length and date taken out", "length and date taken out"),
        ] if any(aspect in x and not np.isnan(x[aspect]["p"]) for x in tested)
    ]  # fmt: skip
    also = f", also with {listing(taken)}" if taken else ""
    once = (
        f" Texts of a group that have the same {' or '.join(x[:-1] for x in names)} count once."
        if is_over_groups(costs) else ""
    )  # fmt: skip
    return (
        f"{' and '.join(names).capitalize()} were dealt anew {N_DEALT:,} times to test what "
        f"goes with them{also}.{once}"
    )


def methods_of_memory(costs: Costs) -> str:
    """Say how it was counted whether the model recites texts."""
    chosen, recited = costs.reading.chosen, costs.reading.recited
    unit = chosen.facts["unit"]
    is_one = [len(spans_of(text, chosen.is_verse)) < 2 for text in chosen.table["text"]]
    place = "in its second half" if all(is_one) else f"after its first {unit}"
    if any(is_one) and not all(is_one):
        place += f" (where it is one {unit}, in its second half)"
    beside = [f"with {unit}s shuffled"] if recited["shuffled"].notna().any() else []
    beside += [f"for {len(costs.reading.known)} widely known texts"]
    return (
        f"A text is recited for as many tokens {place} as the model holds to be the most "
        f"probable ones, in a row; the same was counted {listing(beside)}."
    )

"""What the report cannot say of these texts with this model, and what would help."""

import pandas as pd

from layerwise.display import count, number
from layerwise.models import Encoder, context_window
from layerwise.report.agreement import can_agree, groups_of_labels
from layerwise.report.measure import FEW_TEXTS, MOSTLY_UNKNOWN, Measured
from layerwise.report.tokens import count_tokens, pieces_per_word
from layerwise.report.words import cut_into, percent
from layerwise.texts.columns import listed, quoted
from layerwise.texts.poems import load_poems

FEW_OF_A_LABEL = 5
MUCH_UNKNOWN = 0.05  # share of tokens
# Against the poems of the book, cut by the same tokenizer: English that it knows well.
MANY_PIECES = 1.4
ALONE = "Each label is that of one text or group alone"
COARSER = "name a coarser column with --label, or a finer one with --group."


def limits_of(table: pd.DataFrame, encoder: Encoder, measured: Measured) -> list[str]:
    """List what cannot be said, in sentences, for one model.

    Parameters
    ----------
    table : DataFrame
        The texts measured, with their counts of words and tokens.
    encoder : Encoder
    measured : Measured
    """
    return [
        *limits_of_size(table),
        *limits_of_groups(table),
        *limits_of_labels(table),
        *limits_of_language(table, encoder),
        *limits_of_length(table, encoder),
        *limits_of_drawing(table, measured),
    ]


def limits_of_size(table: pd.DataFrame) -> list[str]:
    """Say whether the texts are too few."""
    if len(table) >= FEW_TEXTS:
        return []
    return [
        f"There are {count(len(table), 'text')}. With fewer than {FEW_TEXTS}, an interval or a "
        "test says little, and a figure is a set of anecdotes: read tables, not medians. No "
        "claim is said to hold."
    ]


def limits_of_groups(table: pd.DataFrame) -> list[str]:
    """Say whether the texts come from one source, or from few."""
    n_groups, n_near = table["group"].nunique(), int(table["is_copy"].sum())
    if n_groups == len(table) or n_groups >= FEW_TEXTS:
        return []
    near = (
        f" {n_near:,} of them were put together here, without being told to, because they are "
        "nearly the same as others, or as others that are: which ones stands in "
        "tables/found.csv, and what goes with what in the column group of tables/texts.csv."
        if n_near else ""
    )
    if n_groups == 1:
        return [
            f"All of this is one text, or of one group.{near} An interval over its parts says "
            "how sure a number is of this source, and nothing of others; nearest texts are "
            "parts of it as well."
        ]
    return [
        f"The {len(table):,} texts come from {count(n_groups, 'source')} only.{near} What the "
        "texts of a source have in common counts once, so that intervals and tests are as wide "
        f"as of {count(n_groups, 'text')}, and no claim is said to hold."
    ]


def limits_of_labels(table: pd.DataFrame) -> list[str]:
    """Say whether labels are missing, all the same, or of too few texts or groups of them."""
    labels = table["label"].dropna()
    if labels.empty:
        return ["Without a column of labels, nothing is said about how well neighbours agree."]
    if labels.nunique() == 1:
        return [
            f"All texts have the label {quoted(labels.iloc[0])}, so neighbours cannot but "
            "agree: nothing is said about labels."
        ]
    limits = []
    if len(labels) < len(table):
        limits.append(
            f"{count(len(table) - len(labels), 'text')} of {len(table):,} without a label are "
            "left out of what is said about labels."
        )
    if not can_agree(table):
        limits.append(
            f"{ALONE}, and no text of the same group counts as a neighbour: none could agree, "
            f"so nothing is said about labels; {COARSER}"
        )
        return limits
    sizes = labels.value_counts()
    limits += limits_of_small_labels(groups_of_labels(table), sizes)
    if sizes.iloc[0] > 0.8 * len(labels):
        limits.append(
            f"{percent(sizes.iloc[0] / len(labels))} of the texts have the label "
            f"{quoted(sizes.index[0])}: agreement is high by chance already; compare it with "
            "chance only."
        )
    return limits


def limits_of_small_labels(n_groups: pd.Series, n_texts: pd.Series) -> list[str]:
    """Name labels of few texts, or of few groups of them, and those that cannot agree."""
    is_grouped = n_groups.sum() < n_texts.sum()
    several, other = ("groups of texts", "group") if is_grouped else ("texts", "text")
    small, alone = n_groups[n_groups < FEW_OF_A_LABEL], n_groups[n_groups == 1]
    never = f"A text whose label no other {other} has can never agree with its neighbour."
    if len(small) > len(n_groups) / 2 and len(n_groups) > 10:
        limits = [
            f"{len(small)} of {len(n_groups)} labels stand for fewer than {FEW_OF_A_LABEL} "
            f"{several}: is this a column of labels, or of names? With so few {several} a "
            "label, agreement says little."
        ]
        if len(alone) and is_grouped:
            limits.append(f"In one group stand {listed(list(alone.index))}. {never}")
        return limits
    if small.empty:
        return []
    named = ", ".join(f"{quoted(name)} ({n})" for name, n in small.items())
    return [f"Too few {several} to say anything about these labels: {named}. {never}"]


def limits_of_language(table: pd.DataFrame, encoder: Encoder) -> list[str]:
    """Say whether the tokenizer knows the texts' words and characters."""
    limits = []
    unknown = table["n_unknown"].sum() / max(1, table["n_tokens"].sum())
    if unknown > MUCH_UNKNOWN:
        limits.append(
            f"{percent(unknown)} of the tokens are unknown to the model, which reads them all "
            f"as the same sign, {encoder.tokenizer.unk_token}. "
            + ("What is measured here is mostly that sign, so no claim is said to hold: name a "
               "model for this script with --encoder."
               if unknown > MOSTLY_UNKNOWN else "What stands in them it cannot see.")
        )
    pieces = pieces_per_word(table)
    usual = pieces_per_word(count_tokens(load_poems()["text"], encoder))
    if pieces > MANY_PIECES * usual:
        limits.append(
            f"{cut_into(pieces)}, punctuation counted; of English verse it makes "
            f"{number(usual, 1)}. So they are "
            "probably in a language, a spelling or a notation that this model was not trained "
            "on, and their vectors say more of letters than of words. A model for the language "
            "can be named with --encoder."
        )
    return limits


def limits_of_length(table: pd.DataFrame, encoder: Encoder) -> list[str]:
    """Say whether texts are longer than the model reads, or much differ in length."""
    n_cut = int(table["is_cut"].sum())
    if not n_cut:
        return []
    n_all, window = int(table["n_tokens"].sum()), int(context_window(encoder))
    n_read = int(table["n_tokens"].clip(upper=window).sum())
    return [
        f"{count(n_cut, 'text')} of {len(table):,} are longer than the {window:,} tokens that "
        f"the model reads at once: only their beginnings were read, {percent(n_read / n_all)} "
        "of all tokens. To read everything, cut texts into passages: --passages paragraph."
    ]


def limits_of_drawing(table: pd.DataFrame, measured: Measured) -> list[str]:
    """Say whether rotation and words rest on some of the texts only."""
    limits = []
    words = measured.numbers["words"]
    if words["n_texts"] < len(table):
        limits.append(
            f"The rotation and the words that move most were measured on {words['n_texts']:,} "
            f"texts drawn at random ({words['n_tokens']:,} tokens): to keep every token of all "
            "texts would need more memory than many machines have."
        )
    if "same text, rotated" not in measured.numbers["drift"]:
        limits.append(
            "The texts are too few to fit a rotation on some and test it on others, so that "
            "baseline is missing: nothing can be said of how much of the drift is one "
            "rotation, or one shift, the same for all."
        )
    return limits

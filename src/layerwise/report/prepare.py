"""From the texts of a file to the texts that are measured: passages, limits of size, counts."""

import argparse

import numpy as np
import pandas as pd

from layerwise.display import count
from layerwise.models import Encoder, context_window
from layerwise.progress import say
from layerwise.report.enough import check_enough
from layerwise.report.tokens import count_tokens
from layerwise.splits import families, joined_groups, near_pairs
from layerwise.texts.columns import quoted
from layerwise.texts.names import first_words
from layerwise.texts.own import OwnTexts, without_left_out
from layerwise.texts.passages import cut_texts, token_spans

MOST_TEXTS = 5000  # all pairs are compared: beyond it, texts are drawn at random
PASSAGE_SIZE = 120  # tokens


def prepare(texts: OwnTexts, encoder: Encoder, options: argparse.Namespace) -> OwnTexts:
    """Cut texts into passages if asked to, draw from too many, count words and tokens.

    Returns
    -------
    OwnTexts
        ``table`` has a number of its own in ``row`` for each text or passage, where it comes
        from in ``source`` and ``group``, titles that are all different, and counts of words
        and tokens;
        ``report`` says in addition what was left out here.

    Raises
    ------
    ValueError
        If fewer than three texts remain.
    """
    table, report = texts
    findings = []
    table["source"] = table["row"].astype(str)
    row = "row " + table["source"]  # a text without a group is one by itself
    table["group"] = table["group"].fillna(row) if "group" in table else row
    if options.passages:
        table = as_passages(table, encoder, options)
        say(f"cut {count(len(texts.table), 'text')} into {count(len(table), 'passage')}")
    counts = count_tokens(table["text"], encoder)
    table = pd.concat([table, counts], axis=1)
    unread = table["n_known"] == 0
    if unread.any():
        findings.append(finding(
            "a text without any token that the model knows", "left out", table[unread]
        ))
        table = table[~unread]
        report = without_left_out(report, rows_of_file(table))
    n_usable = len(table)
    if n_usable > MOST_TEXTS:
        drawn = np.sort(np.random.default_rng(0).permutation(n_usable)[:MOST_TEXTS])
        findings.append({
            "found": f"{n_usable:,} texts, more than can all be compared with each other",
            "done": f"{MOST_TEXTS:,} were drawn at random", "n_rows": 0, "rows": [],
        })  # fmt: skip
        table = table.iloc[drawn]
    check_enough(len(table), options.passages, "; ".join(x["found"] for x in findings))
    table = table.reset_index(drop=True)
    if options.title and not options.group:
        findings += repeated_titles(table)
    table["title"] = different_titles(table)
    apart, of_copies = set_copies_apart(table)
    if len(apart) < len(table):
        report = without_left_out(report, rows_of_file(apart))
    table, findings = apart, findings + of_copies
    check_enough(len(table), options.passages, "; ".join(x["found"] for x in findings))
    if findings:
        report = pd.concat([report, pd.DataFrame(findings)], ignore_index=True)
    return OwnTexts(table.assign(n_usable=n_usable), report)


def as_passages(
    table: pd.DataFrame, encoder: Encoder, options: argparse.Namespace
) -> pd.DataFrame:
    """Cut texts into passages that are short enough for the model."""
    room = context_window(encoder) - encoder.tokenizer.num_special_tokens_to_add()
    size = options.size or min(PASSAGE_SIZE, room)
    if size > room:
        raise ValueError(f"--size {size}: the model reads at most {room} tokens of a text")
    passages = cut_texts(
        table, options.passages, int(size), options.overlap or 0, token_spans(encoder.tokenizer)
    )
    number = passages["passage"].astype(str)
    passages["source"] = passages["source"] + ", passage " + number
    beginnings = passages["text"].map(first_words)
    passages["title"] = passages["title"] + " " + number + ": " + beginnings
    passages["source_row"] = passages["row"]
    passages["row"] = range(1, len(passages) + 1)
    return passages


def repeated_titles(table: pd.DataFrame) -> list[dict]:
    """Note titles that stand for several texts: they may come from one source."""
    sizes = table["title"].value_counts()
    sizes = sizes[sizes > 1]
    if sizes.empty:
        return []
    named = ", ".join(f"{quoted(title)} ({n})" for title, n in sizes.head(3).items())
    more = f" and {len(sizes) - 3:,} more" if len(sizes) > 3 else ""
    return [{
        "found": f"titles that several texts have: {named}{more}",
        "done": "the row was added; if such texts come from one source, name the column of "
        "sources with --group, so that they do not count as each other's neighbours",
        "n_rows": 0, "rows": [],
    }]  # fmt: skip


def set_copies_apart(table: pd.DataFrame) -> tuple[pd.DataFrame, list[dict]]:
    """Join sources that are nearly the same; leave out what else several sources share.

    A text finds its copy, and shows nothing of the model. Sources most of whose texts are the
    same are one. But a notice that stands in every book makes no two books one: it is of no
    source, and goes.

    Returns
    -------
    table : DataFrame
        With ``family``, a number for texts that are nearly the same, and ``is_copy``, whether
        a text was joined with others.
    findings : list of dict
        What was done.
    """
    table = table.assign(family=families(table["text"].tolist()))
    shared = table.groupby("family")["group"].transform("nunique") > 1
    is_mostly = shared.groupby(table["group"]).transform("mean") > 0.5
    table["is_copy"] = shared & is_mostly.groupby(table["family"]).transform("all")
    stray = shared & ~table["is_copy"]
    findings = []
    for chosen, found, done in [
        (stray, "texts that stand nearly the same in several sources", "left out: they are of "
         "no one source, and would find each other"),
        (table["is_copy"], "texts that are nearly the same as others", "put into one group, so "
         "that they do not count as each other's neighbours"),
    ]:  # fmt: skip
        if chosen.any():
            named = named_pairs(table, chosen)
            findings.append(finding(f"{found}: {named}", done, table[chosen]))
    alone = -1 - table.index
    joined = joined_groups(table["group"], table["family"].where(table["is_copy"], alone))
    table["group"] = table.groupby(joined)["group"].transform("first")
    return table[~stray].reset_index(drop=True), findings


def named_pairs(table: pd.DataFrame, chosen: pd.Series) -> str:
    """Name a pair of each of the first families of some texts."""
    by_family = list(table[chosen].groupby("family").groups.values())
    pairs = [name_pair(table, members) for members in by_family[:3]]
    more = f"; and {len(by_family) - 3:,} more" if len(by_family) > 3 else ""
    return f"{'; '.join(pairs)}{more}"


def name_pair(table: pd.DataFrame, members: pd.Index) -> str:
    """Name two texts of a family that are nearly the same, and say how many it has."""
    numbers, first, second = near_pairs(table.loc[members, "text"].tolist())
    repeated = np.flatnonzero(pd.Series(numbers).duplicated(keep=False))
    if len(repeated):  # the same words: nearer than any other two
        pair = np.flatnonzero(numbers == numbers[repeated[0]])[:2]
    else:
        i = int(np.flatnonzero(first < second)[0])
        pair = np.array([np.flatnonzero(numbers == n)[0] for n in (first[i], second[i])])
    a, b = table.loc[members[pair], "title"]
    n_more = len(members) - 2
    more = f" (with {n_more:,} more, each nearly as another of these)" if n_more else ""
    return f"{quoted(a)} and {quoted(b)}{more}"


def different_titles(table: pd.DataFrame) -> pd.Series:
    """Return the titles, those that stand for several texts with their row added."""
    repeated = table["title"].duplicated(keep=False)
    with_row = table["title"] + " (row " + table["source"] + ")"
    return table["title"].where(~repeated, with_row)


def rows_of_file(table: pd.DataFrame) -> pd.Series:
    """Return the rows of the file that texts come from; passages have numbers of their own."""
    return table["source_row" if "source_row" in table else "row"]


def finding(found: str, done: str, table: pd.DataFrame) -> dict:
    """Return a row of the report of what was found."""
    rows = rows_of_file(table).tolist()
    return {"found": found, "done": done, "n_rows": len(rows), "rows": rows}

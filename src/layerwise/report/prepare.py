"""From the texts of a file to the texts that are measured: passages, limits of size, counts."""

import argparse

import numpy as np
import pandas as pd

from layerwise.models import Encoder, context_window
from layerwise.progress import say
from layerwise.report.tokens import count_tokens
from layerwise.report.words import count
from layerwise.splits import families, joined_groups
from layerwise.texts.names import first_words
from layerwise.texts.own import OwnTexts
from layerwise.texts.passages import cut_texts, token_spans

MOST_TEXTS = 5000  # all pairs are compared: beyond it, texts are drawn at random
FEWEST_TEXTS = 3
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
    n_usable = len(table)
    if n_usable > MOST_TEXTS:
        drawn = np.sort(np.random.default_rng(0).permutation(n_usable)[:MOST_TEXTS])
        findings.append({
            "found": f"{n_usable:,} texts, more than can all be compared with each other",
            "done": f"{MOST_TEXTS:,} were drawn at random", "n_rows": 0, "rows": [],
        })  # fmt: skip
        table = table.iloc[drawn]
    if len(table) < FEWEST_TEXTS:
        what = count(len(table), "passage" if options.passages else "text")
        hint = "" if options.passages else "; a long text can be cut: --passages paragraph"
        left_out = f" ({'; '.join(x['found'] for x in findings)})" if findings else ""
        raise ValueError(
            f"{what}{left_out} cannot be compared: at least {FEWEST_TEXTS} are needed{hint}"
        )
    table = table.reset_index(drop=True)
    if options.title and not options.group:
        findings += repeated_titles(table)
    table["title"] = different_titles(table)
    findings += join_copies(table)
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
    named = ", ".join(f"{title!r} ({n})" for title, n in sizes.head(3).items())
    more = f" and {len(sizes) - 3:,} more" if len(sizes) > 3 else ""
    return [{
        "found": f"titles that several texts have: {named}{more}",
        "done": "the row was added; if such texts come from one source, name the column of "
        "sources with --group, so that they do not count as each other's neighbours",
        "n_rows": 0, "rows": [],
    }]  # fmt: skip


def join_copies(table: pd.DataFrame) -> list[dict]:
    """Put texts that are nearly the same into one group, in place, and note which they are.

    A text finds its copy, and shows nothing of the model. So a leak by copies is kept out in
    the same way as one by groups.
    """
    same = families(table["text"].tolist())
    groups = table.groupby(same)["group"].transform("nunique")
    copies = table[groups > 1]
    if copies.empty:
        return []
    joined = joined_groups(table["group"], same)
    table["group"] = table.groupby(joined)["group"].transform("first")
    of_family = [" and ".join(map(repr, titles.head(2)))
                 for _, titles in copies.groupby(same[copies.index])["title"]]  # fmt: skip
    more = f"; and {len(of_family) - 3:,} more" if len(of_family) > 3 else ""
    return [finding(
        f"texts that are nearly the same as others: {'; '.join(of_family[:3])}{more}",
        "put into one group, so that they do not count as each other's neighbours", copies
    )]  # fmt: skip


def different_titles(table: pd.DataFrame) -> pd.Series:
    """Return the titles, those that stand for several texts with their row added."""
    repeated = table["title"].duplicated(keep=False)
    with_row = table["title"] + " (row " + table["source"] + ")"
    return table["title"].where(~repeated, with_row)


def finding(found: str, done: str, table: pd.DataFrame) -> dict:
    """Return a row of the report of what was found."""
    rows = table["source_row" if "source_row" in table else "row"].tolist()
    return {"found": found, "done": done, "n_rows": len(rows), "rows": rows}

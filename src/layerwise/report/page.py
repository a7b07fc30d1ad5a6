"""The page of a report: one file that opens by a double click."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

import pandas as pd

from layerwise.display import count, number
from layerwise.report.agreement import Agreement
from layerwise.report.cost_page import CostSection, cost_part
from layerwise.report.explorer import SCRIPT, explorer_part, explorer_style
from layerwise.report.figures import Picture, medians_table
from layerwise.report.html import escape, file_link, list_html, picture_html, table_html
from layerwise.report.measure import Measured
from layerwise.report.words import percent, row_ranges

N_NEAREST = 3  # neighbours of a text that the page lists; the file lists more
N_WORDS = 12  # tokens at each end
LIMITS = "What this report cannot say"
EXCERPT = 600  # characters of a text that the page shows


class Section(NamedTuple):
    """One model's part of the page."""

    measured: Measured
    pictures: list[Picture]
    limits: list[str]
    folder: str  # of its files: "" or "models/NAME/"


def page_html(
    title: str, facts: dict, sections: Sequence[Section], claims: pd.DataFrame,
    table: pd.DataFrame, report: pd.DataFrame, methods: Sequence[str],
    read: CostSection | None = None,
) -> str:  # fmt: skip
    """Write the page.

    Parameters
    ----------
    title : str
    facts : dict
        What stands in ``numbers.json``.
    sections : sequence of Section
        One for each model, the first of them the main one.
    claims : DataFrame
        From :func:`layerwise.report.findings.compare_models`.
    table, report : DataFrame
        The texts measured; what was found in the file.
    methods : sequence of str
    read : CostSection, optional
        What a model that writes made of the texts.
    """
    style, script = (
        files("layerwise.report").joinpath(name).read_text("utf-8")
        for name in ["page.css", "page.js"]
    )
    main = sections[0]
    parts = {
        "findings": ("What the numbers come to", findings_part(claims, facts)),
        "limits": (LIMITS, limits_part(sections)),
        "explore": ("Text by text", explorer_part(main.measured.explorer, len(table))),
        "drift": ("Drift, and what to read it against", drift_part(main)),
        "labels": ("Labels and neighbours", labels_part(main)),
        "words": ("The tokens that move", words_part(main)),
        **({"surprisal": ("What surprises a model that writes", cost_part(read))}
           if read else {}),
        "texts": ("The texts and their nearest texts", texts_part(main.measured, table)),
        "found": ("What was found in the file", found_part(report)),
        "methods": ("Methods", methods_part(methods)),
    }
    for i, section in enumerate(sections[1:], start=2):
        name = f"The same texts, other model: {section.measured.model}"
        other = drift_part(section) + labels_part(section) + words_part(section)
        parts[f"model-{i}"] = (name, other)
    contents = "".join(
        f'<li><a href="#{x}">{escape(name)}</a></li>' for x, (name, _) in parts.items()
    )
    body = "".join(
        f'<section id="{x}"><h2>{escape(name)}</h2>{part}</section>'
        for x, (name, part) in parts.items()
    )
    texts = facts["texts"]
    one = "passage" if texts["passages"] else "text"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{explorer_style()}{style}</style>
<script src="{SCRIPT}" defer></script>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p class="muted">{count(texts['n_texts'], one)}, {escape(', '.join(facts['models']))}.
Made by layerwise {escape(facts['versions']['layerwise'])} on {escape(facts['date'])}.</p>
<nav aria-label="Contents"><ul>{contents}</ul></nav>
</header>
<main>
{body}
</main>
<script type="application/json" id="texts-data">{texts_data(main.measured, table)}</script>
<script>{script}</script>
</body>
</html>
"""


def findings_part(claims: pd.DataFrame, facts: dict) -> str:
    """Set the claims, for all models, and how far models share neighbours."""
    marks = [name for name in claims if name.endswith("holds") or name == "in all"]
    shown = claims.replace({" p ([=<]) ": " p\u00a0\\1\u00a0"}, regex=True)
    if len(facts["models"]) == 1:
        shown = shown.rename(columns=lambda name: name.rpartition(": ")[2])
        marks = ["holds"]
    may_hold = all(x["claims_may_hold"] for x in facts["numbers"].values())
    unless = "" if may_hold else (
        " Here that is not enough, because texts or sources are too few, or the model knows "
        f'too few of their signs: see <a href="#limits">{LIMITS.lower()}</a>.'
    )
    text = table_html(
        shown,
        "Each claim was fixed before anything was measured. It holds where an interval leaves "
        f"zero out or a test is significant.{unless} "
        f"{file_link('tables/findings.csv', 'CSV')}",
        marks=marks,
    )
    for shared in facts["shared_neighbours"]:
        first, second = shared["models"]
        text += (
            f"<p>{escape(first)} and {escape(second)} name the same nearest text for "
            f"{percent(shared['same_nearest'])} of the texts; choosing blindly, two would for "
            f"{percent(shared['chance'])}.</p>"
        )
    return text


def limits_part(sections: Sequence[Section]) -> str:
    """List what cannot be said, by model if there are several."""
    parts = []
    for section in sections:
        if len(sections) > 1:
            parts.append(f"<h3>{escape(section.measured.model)}</h3>")
        parts.append(
            list_html(section.limits, "limits") if section.limits
            else "<p>Nothing in the texts or the model stands out as a reason to doubt the "
            "numbers. They are about these texts and this model.</p>"
        )
    return "".join(parts)


def drift_part(section: Section) -> str:
    """Set figures and medians of drift and steps."""
    shown = [x for x in section.pictures if x.name != "labels"]
    medians = medians_table(section.measured.drift)
    by_layer = {name: number for name in medians.columns[1:]}
    files = section.folder + "tables"
    caption = (
        "Medians over texts. All values: " + file_link(f"{files}/drift.csv", "drift.csv") + ", "
        + file_link(f"{files}/steps.csv", "steps.csv")
    )
    pictures = "".join(picture_html(x, section.folder + "figures") for x in shown)
    pictures = f'<div class="beside">{pictures}</div>'
    return (
        "<p>A falling line by itself says nothing of context: ask first what other texts do, "
        "and how much is one rotation, or one vector added, the same for all.</p>"
        + pictures + table_html(medians, caption, by_layer)
    )


def labels_part(section: Section) -> str:
    """Set the agreement of labels beside its controls."""
    agreement, groups = section.measured.agreement, set_aside(section.measured)
    if agreement is None:
        return groups + "<p>No labels to compare: see what this report cannot say.</p>"
    pictures = [x for x in section.pictures if x.name == "labels"]
    return (
        groups
        + "".join(picture_html(x, section.folder + "figures") for x in pictures)
        + agreement_tables(agreement, section.folder)
    )


def set_aside(measured: Measured) -> str:
    """Say how many nearest texts did not count, and what they would have made of labels."""
    x = measured.numbers["neighbours"]
    if not x["is_grouped"]:
        return ""
    n = x["n_set_aside"]
    which = "this one does" if n == 1 else "these do"
    text = (
        f"The texts come from {x['n_groups']:,} groups, and only those of other groups are "
        f"neighbours. The nearest of all is one of the same group for {n or 'none'} of "
        f"{len(measured.groups):,} texts"
        + (f"; {which} not count." if n else ".")
    )
    if measured.agreement and n:
        y = measured.agreement.numbers
        text += (
            f" In the last layer {percent(y['agreement'])} of neighbours have the same label; "
            f"had those of the same group counted, it would be {percent(y['with_own_group'])}."
        )
    return f"<p>{text}</p>"


def agreement_tables(agreement: Agreement, folder: str) -> str:
    """Set agreement by layer and by label."""
    shares = {name: percent for name in ["agreement", "chance", "chance_95"]}
    options = agreement.table.rename(columns={"chance_95": "chance, top 5%"})
    shares["chance, top 5%"] = percent
    labels = agreement.by_label.rename(columns={"n_texts": "texts"})
    return table_html(
        options, "By layer. " + file_link(f"{folder}tables/agreement.csv", "CSV"), shares
    ) + table_html(
        labels.head(30), "By label, in the last layer. "
        + file_link(f"{folder}tables/labels.csv", "CSV"), shares,
    )  # fmt: skip


def words_part(section: Section) -> str:
    """Set the tokens that move most and least."""
    words, numbers = section.measured.words, section.measured.numbers["words"]
    if words.empty:
        return (
            f"<p>No token occurs {numbers['at_least']} times in these texts, so none can be "
            "said to move more than another.</p>"
        )
    write = {"moved": number, "n": lambda n: f"{n:,}"}
    everything = file_link(f"{section.folder}tables/words.csv", "CSV")
    if len(words) < 2 * N_WORDS:  # two tables would list some of them twice
        ends = table_html(words, "From the most to the least", write)
    else:
        ends = table_html(words.head(N_WORDS), "Most", write)
        ends += table_html(words.iloc[::-1].head(N_WORDS), "Least", write)
    return (
        f"<p>One minus the cosine of a token's vectors in layer 0 and in the last layer, on "
        f"average over its places, for tokens that occur at least "
        f"{count(numbers['at_least'], 'time')}. {everything}</p>"
        + f'<div class="beside">{ends}</div>'
    )


def texts_part(measured: Measured, table: pd.DataFrame) -> str:
    """Set the table that is searched; without scripts its files are linked."""
    label = '<th scope="col">label</th>' if table["label"].notna().any() else ""
    return f"""<p>The nearest are those of the last layer, by cosine. All of them:
{file_link('tables/nearest.csv')}, {file_link('tables/texts.csv')}.</p>
<div class="search" hidden><label for="texts-search">Search</label>
<input id="texts-search" type="search" placeholder="words, a title, a label">
<span id="texts-count" class="count" role="status"></span></div>
<div class="table" tabindex="0"><table id="texts-table"><thead><tr>
<th scope="col" class="n">row</th><th scope="col">title</th>{label}
<th scope="col">text</th><th scope="col">nearest</th></tr></thead>
<tbody></tbody></table></div>
<noscript><p>Searching needs JavaScript; the files above hold the same.</p></noscript>"""


def texts_data(measured: Measured, table: pd.DataFrame) -> str:
    """Write texts and neighbours as JSON that can stand inside a page."""
    near = measured.nearest[measured.nearest["rank"] <= N_NEAREST]
    by_row = {
        row: [[int(x.nearest_row), number(x.cosine)] for x in group.itertuples()]
        for row, group in near.groupby("row", sort=False)
    }
    texts = [
        {
            "row": int(x.row), "source": x.source, "title": x.title,
            "label": x.label if isinstance(x.label, str) else "",
            "text": x.text[:EXCERPT] + (" …" if len(x.text) > EXCERPT else ""),
            "nearest": by_row[x.row],
        }
        for x in table.itertuples()
    ]  # fmt: skip
    content = {"has_labels": bool(table["label"].notna().any()), "texts": texts}
    return json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")


def found_part(report: pd.DataFrame) -> str:
    """Set what was found in the file, and what was done."""
    if report.empty:
        return "<p>Nothing had to be left out or changed.</p>"
    shown = report.assign(rows=report["rows"].map(row_ranges))
    shown = shown.rename(columns={"n_rows": "rows in all"})
    return table_html(
        shown, "Rows are numbered as in a spreadsheet, the names of columns being row 1. All "
        "of them: " + file_link("tables/found.csv", "CSV"),
        {"rows in all": lambda n: f"{n:,}" if n else ""},
    )  # fmt: skip


def methods_part(methods: Sequence[str]) -> str:
    """Set the methods, and link what a paper needs."""
    paragraphs = "".join(f"<p>{escape(x)}</p>" for x in methods)
    return (
        f'<div class="methods">{paragraphs}</div><p>The same with sources: '
        f"{file_link('methods.md')}; every number: {file_link('numbers.json')}.</p>"
    )

"""The section of the page on what texts cost a model that writes."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from layerwise.display import count, number
from layerwise.figures.page import BEHIND_TEXT
from layerwise.report.cost_findings import three
from layerwise.report.costs import COUNTED, Costs
from layerwise.report.figures import Picture
from layerwise.report.html import escape, file_link, list_html, picture_html, table_html

N_LINES = 12  # that the page lists
FEWEST_SIGNS = 12  # of a line that is listed: of a shorter one a single word decides
EXCERPT = 1200  # characters of a text that is set token by token
MOST_ROWS = 30


class CostSection(NamedTuple):
    """The section on surprisal, and what of it stands elsewhere."""

    costs: Costs
    decoder: str
    model: dict
    claims: list[dict]
    limits: list[str]
    pictures: list[Picture]
    methods: str


def cost_part(section: CostSection) -> str:
    """Set claims, limits, figures, tables, and three texts token by token."""
    costs, facts = section.costs, section.costs.reading.chosen.facts
    pictures = "".join(picture_html(x, "figures") for x in section.pictures)
    return (
        f"<p>{count(facts['n_texts'], 'text')}, {facts['n_tokens']:,} tokens, read by "
        f"{escape(section.decoder)}, a model that writes. What a token costs is its surprisal: "
        "how improbable the model held it to be, after what stands before it. As printed, "
        f"a text costs {number(costs.bits['printed'].mean())} bits a character on average.</p>"
        + table_html(
            pd.DataFrame(section.claims)[["claim", "holds", "value", "control"]],
            "Each claim stands beside its control. It fails where the control shows as much. "
            "In bits a character, 95% intervals in brackets. "
            + file_link("tables/surprisal-findings.csv", "CSV"), marks=["holds"],
        )
        + "<h3>What this reading cannot say</h3>" + list_html(section.limits, "limits")
        + f'<div class="beside">{pictures}</div>'
        + tables_part(costs) + lines_part(costs) + by_heart_part(costs) + strips_part(costs)
    )  # fmt: skip


def tables_part(costs: Costs) -> str:
    """Set what is compared, and what labels and dates cost."""
    shown = costs.versions[costs.versions["n"] > 0]
    shown = shown.astype({"n": int, "above": int}).rename_axis("what").reset_index()
    shown = shown.rename(columns={"n": "texts", "above": "above 0"})
    bits = {name: three for name in ("mean", "low", "high")}
    text = (
        "<details><summary>Everything that was compared</summary>"
        + table_html(
            shown, "Bits a character; of last words, bits a word; of going on, tokens. "
            + file_link("tables/surprisal-versions.csv", "CSV"), bits,
        )
        + "</details>"
    )  # fmt: skip
    for name, table in [("labels", costs.labels), ("dates", costs.dates)]:
        if len(table):
            named = table.head(MOST_ROWS).rename(columns=lambda x: x.replace("_", " "))
            formats = {x: three_or_none for x in named if x not in ("label", "n texts")}
            formats |= dict.fromkeys(("first", "last"), whole)
            text += table_html(
                named, f"By {name[:-1]}; words in order are worth what shuffling them costs. "
                + file_link(f"tables/surprisal-{name}.csv", "CSV"), formats,
            )  # fmt: skip
    return text


def three_or_none(x: float) -> str:
    """Write bits a character; nothing where there are none."""
    return "" if np.isnan(x) else three(x)


def whole(x: float) -> str:
    """Write a year."""
    return f"{x:.0f}"


def lines_part(costs: Costs) -> str:
    """Set the lines that surprise most, with what they cost to count."""
    facts = costs.reading.chosen.facts
    lines = costs.lines[costs.lines["n_characters"] >= FEWEST_SIGNS]
    most = lines.sort_values("bits_a_character", ascending=False, kind="stable").head(N_LINES)
    shown = pd.DataFrame({
        "text": most["title"], facts["unit"]: most[facts["unit"]],
        "it reads": [cut(x) for x in most["text"]],
        "bits a character": most["bits_a_character"], COUNTED: most["counted"],
    })  # fmt: skip
    return (
        f"<h3>The {facts['unit']}s that surprise most</h3>"
        "<p>A place to begin to read, and no finding: of many lines some are always the "
        "highest, and a first one stands after nothing. Where counting is high as well, a "
        "spelling or a name is rare.</p>"
        + table_html(
            shown, "All of them: " + file_link("tables/surprisal-lines.csv") + ", "
            + file_link("tables/surprisal-tokens.csv"),
            {"bits a character": number, COUNTED: number},
        )
    )  # fmt: skip


def cut(text: str, most: int = 120) -> str:
    """Return the beginning of a text in one line."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[:most].rpartition(' ')[0] or text[:most]} …"


def by_heart_part(costs: Costs) -> str:
    """Set the texts that are gone on with, beside those that are widely known."""
    recited, known = costs.reading.recited, costs.reading.known
    titles = costs.reading.chosen.table.set_index("row")["title"]
    most = recited[recited["tokens"] > 0].sort_values("tokens", ascending=False).head(N_LINES)
    rows = [(titles[row], int(x.tokens), "" if pd.isna(x.shuffled) else str(int(x.shuffled)))
            for row, x in zip(most.index, most.itertuples(), strict=True)]  # fmt: skip
    ours = pd.DataFrame(rows, columns=["text", "tokens", "in another order"])
    theirs = pd.DataFrame(sorted(known.items(), key=lambda x: -x[1]),
                          columns=["widely known", "tokens"])  # fmt: skip
    unit = costs.reading.chosen.facts["unit"]
    said = (
        table_html(ours, "Of these texts, those gone on with longest. "
                   + file_link("tables/surprisal-by-heart.csv", "CSV"))
        if len(ours) else "<p>None of these texts is gone on with by a single token. "
        + file_link("tables/surprisal-by-heart.csv", "CSV") + "</p>"
    )  # fmt: skip
    return (
        "<h3>Has the model read them?</h3>"
        f"<p>After the first {unit} of a text, how many tokens in a row are those that the "
        "model holds to be the most probable? Left to write, it would write them.</p>"
        f'<div class="beside">{said}'
        + table_html(theirs, "The measure can find something: texts that are everywhere")
        + "</div>"
    )


def strips_part(costs: Costs) -> str:
    """Set three texts token by token: the one that costs least, the middle, the most."""
    printed = costs.bits["printed"].sort_values(kind="stable")
    chosen = dict.fromkeys([printed.index[i] for i in (0, len(printed) // 2, -1)])
    table = costs.reading.chosen.table.set_index("row")
    most = costs.reading.tokens["bits"].quantile(0.99)
    text = "<h3>Token by token</h3><p>More colour is more surprisal; the same in all three.</p>"
    for row in chosen:
        tokens = costs.reading.tokens[costs.reading.tokens["row"] == row]
        strip = strip_html(table.loc[row, "text"], tokens, most)
        text += (
            f"<details><summary>{escape(table.loc[row, 'title'])}: "
            f"{number(printed[row])} bits a character</summary>{strip}</details>"
        )
    return text


def strip_html(text: str, tokens: pd.DataFrame, most: float) -> str:
    """Set the beginning of a text, each token on its surprisal."""
    by_place = tokens.groupby("start")["bits"].sum()  # parts of one sign stand in one place
    by_place = by_place[by_place.index < EXCERPT]
    ends = [*by_place.index[1:], min(len(text), EXCERPT)]
    shade = (by_place / most).clip(upper=1) * BEHIND_TEXT * 100
    pieces = "".join(
        f'<span style="--bits: {x:.0f}%">{escape(text[start:end])}</span>'
        for start, end, x in zip(by_place.index, ends, shade, strict=True)
    )
    return f'<p class="strip">{pieces}{" …" if len(text) > EXCERPT else ""}</p>'

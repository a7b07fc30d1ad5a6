"""Figures of what texts cost a model that writes, each beside its control."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from layerwise.evaluation import bootstrap_interval
from layerwise.figures.page import COMPARISON_COLORS, INK, new_figure, short, style
from layerwise.figures.strips import gains_of_heading
from layerwise.report.cost_findings import three
from layerwise.report.costs import COUNTED, Costs
from layerwise.report.figures import Picture
from layerwise.report.reading import N_PARTS

MOST_LABELS = 12


def draw_costs(costs: Costs) -> list[Picture]:
    """Draw all figures of the section."""
    pictures = [versions_picture(costs), position_picture(costs)]
    if costs.versions.loc["saved by another's title", "n"]:
        pictures.append(titles_picture(costs))
    if len(costs.labels):
        pictures.append(labels_picture(costs))
    if len(costs.dates) > 1:
        pictures.append(dates_picture(costs))
    return pictures


def wording(costs: Costs, text: str) -> str:
    """Name lines and stanzas as what they are in these texts."""
    if costs.reading.chosen.is_verse:
        return text
    return text.replace("lines", "sentences").replace("stanzas", "paragraphs")


@style()
def versions_picture(costs: Costs) -> Picture:
    """Draw how much more each other order costs the model, and how much more counting."""
    names = [x for x in ("words shuffled", "lines shuffled", "stanzas shuffled")
             if costs.versions.loc[x, "n"]]  # fmt: skip
    figure, axes = new_figure(height=1.4 + 0.5 * max(1, len(names)))
    for shift, suffix, color, marker, label in [
        (-0.12, "", COMPARISON_COLORS[0], "o", "the model"),
        (0.12, f", {COUNTED}", COMPARISON_COLORS[1], "s", "counted runs of characters"),
    ]:
        rows = costs.versions.loc[[f"{name}{suffix}" for name in names]]
        places = np.arange(len(rows)) + shift
        mean = rows["mean"].to_numpy(float)
        ends = np.abs(rows[["low", "high"]].to_numpy(float).T - mean)
        axes.errorbar(mean, places, xerr=ends, color=color, marker=marker, linestyle="none",
                      markeredgecolor=INK, label=label)  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(names)), [wording(costs, name) for name in names])
    axes.set(xlabel="bits a character more than as printed", ylim=(len(names) - 0.5, -0.5))
    axes.grid(axis="x")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    said = "; ".join(
        f"{wording(costs, name)}, {three(costs.versions.loc[name, 'mean'])} and "
        f"{three(costs.versions.loc[f'{name}, {COUNTED}', 'mean'])}" for name in names
    )  # fmt: skip
    return Picture(
        "surprisal-orders", figure,
        "What another order costs more, in bits a character, by the model and by counting: "
        f"{said or 'nothing could be shuffled'}.",
        "What another order costs more, with 95% intervals. What counting shows as well is "
        "one of capitals, commas and spelling, and nothing of the model.",
    )  # fmt: skip


@style()
def position_picture(costs: Costs) -> Picture:
    """Draw what each tenth of a text costs, beside shuffled lines and counting."""
    parts = costs.reading.parts
    figure, axes = new_figure()
    x = np.arange(1, N_PARTS + 1)
    said = []
    for name, values, color, dash, marker in [
        ("as printed", parts["printed"], COMPARISON_COLORS[0], "-", "o"),
        ("lines shuffled", parts["lines shuffled"], COMPARISON_COLORS[2], "--", "D"),
        ("counted runs of characters", costs.counted_parts, COMPARISON_COLORS[1], ":", "s"),
    ]:
        known = np.isfinite(values).all(axis=1)
        if not known.any():
            continue
        groups = costs.groups[known]
        mean = values[known].mean(axis=0)
        axes.plot(x, mean, color=color, linestyle=dash, marker=marker, markeredgecolor=INK,
                  label=wording(costs, name))  # fmt: skip
        if name == "as printed":
            ends = [bootstrap_interval(values[known, i], groups=groups) for i in range(N_PARTS)]
            axes.fill_between(x, *np.array(ends).T, color=color, alpha=0.2, linewidth=0)
        said.append(f"{wording(costs, name)}, {three(mean[0])} and {three(mean[-1])}")
    axes.set(xlabel="tenth of the text", ylabel="bits a character", xticks=x)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return Picture(
        "surprisal-position", figure,
        "Bits a character by tenth of the text, in the first and in the last: "
        f"{'; '.join(said)}.",
        "What each tenth of a text costs, with the 95% interval of the texts as printed. A "
        "line that falls with shuffled order as well falls because more has been read.",
    )  # fmt: skip


def titles_picture(costs: Costs) -> Picture:
    """Draw what each text's own title saves against another's."""
    bits = costs.bits
    has_title = bits["another's title"].notna()
    own, another = (
        (bits["printed"] - bits[name])[has_title] for name in ("own title", "another's title")
    )
    begins = costs.title_kinds[has_title] == "title begins the text"
    mean = [(own - another)[x].mean() if x.any() else np.nan for x in (begins, ~begins)]
    figure = gains_of_heading(own, another, begins, noun="text")
    return Picture(
        "surprisal-titles", figure,
        f"A dot for each of {len(own)} texts, what its own title saves against another's. "
        f"Beyond another's, titles that begin the text save {three(mean[0])} bits a character "
        f"and those of other words {three(mean[1])}.",
        "Bits a character saved by a title. On the dashed line another text's title saves as "
        "much: only what lies above it can be the title's own.",
    )  # fmt: skip


def with_ends(rows: pd.DataFrame) -> np.ndarray:
    """Return how far intervals reach to both sides of means."""
    return np.abs(rows[["low", "high"]].to_numpy(float).T - rows["bits_a_character"].to_numpy())


@style()
def labels_picture(costs: Costs) -> Picture:
    """Draw what texts of each label cost, beside counting."""
    rows = costs.labels.head(MOST_LABELS).sort_values("bits_a_character")
    figure, axes = new_figure(height=1.4 + 0.32 * len(rows))
    places = np.arange(len(rows))
    axes.errorbar(
        rows["bits_a_character"], places, xerr=with_ends(rows), color=COMPARISON_COLORS[0],
        marker="o", linestyle="none", markeredgecolor=INK, label="the model",
    )  # fmt: skip
    axes.plot(
        rows["counted"], places, color=COMPARISON_COLORS[1], marker="s", linestyle="none",
        markeredgecolor=INK, label="counted runs of characters",
    )  # fmt: skip
    names = [f"{short(x.label)} ({x.n_texts})" for x in rows.itertuples()]
    axes.set_yticks(places, names)
    axes.set(xlabel="bits a character", ylim=(-0.5, len(rows) - 0.5))
    axes.grid(axis="x")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    said = ", ".join(f"{x.label} {three(x.bits_a_character)}" for x in rows.itertuples())
    more = f", the {MOST_LABELS} with most texts" if len(costs.labels) > MOST_LABELS else ""
    return Picture(
        "surprisal-labels", figure, f"Bits a character by label{more}: {said}.",
        f"What texts of each label cost{more}, with 95% intervals, and in brackets how many "
        "there are.",
    )  # fmt: skip


@style()
def dates_picture(costs: Costs) -> Picture:
    """Draw what texts cost by their dates, by periods, beside counting."""
    table = costs.reading.chosen.table
    figure, axes = new_figure()
    axes.scatter(
        table["date"], costs.bits["printed"], s=12, color="none", edgecolor=INK, linewidth=0.6,
        label="a text",
    )  # fmt: skip
    middle = (costs.dates["first"] + costs.dates["last"]) / 2
    axes.errorbar(
        middle, costs.dates["bits_a_character"], yerr=with_ends(costs.dates),
        color=COMPARISON_COLORS[0], marker="o", markeredgecolor=INK, label="a period",
    )  # fmt: skip
    axes.plot(
        middle, costs.dates["counted"], color=COMPARISON_COLORS[1], marker="s", linestyle=":",
        markeredgecolor=INK, label="counted runs of characters",
    )  # fmt: skip
    axes.set(xlabel="date", ylabel="bits a character")
    axes.xaxis.set_major_locator(plt.MaxNLocator(6, integer=True))
    axes.grid(axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    ends = costs.dates.iloc[[0, -1]]
    said = " and ".join(
        f"{three(x.bits_a_character)} from {x.first:.0f} to {x.last:.0f}"
        for x in ends.itertuples()
    )
    return Picture(
        "surprisal-dates", figure,
        f"Bits a character by date, in the first and in the last of {len(costs.dates)} "
        f"periods: {said}.",
        "What texts cost by their dates, and the mean of periods with as many texts, with 95% "
        "intervals.",
    )  # fmt: skip

"""The figures of a report, each with its words, as SVG and as PNG."""

import warnings
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from layerwise.display import number
from layerwise.figures.layers import compare_by_layer, violins_by_layer
from layerwise.figures.page import COMPARISON_COLORS, INK, new_figure, style
from layerwise.report.agreement import COUNTED, Agreement
from layerwise.report.measure import Measured
from layerwise.report.words import percent
from layerwise.tables import medians_by_layer

DOTS_PER_INCH = 200


class Picture(NamedTuple):
    """A figure and its words."""

    name: str  # of its files
    figure: Figure
    alt: str
    caption: str


def draw(measured: Measured) -> list[Picture]:
    """Draw all figures of one model."""
    drift = measured.drift
    same = drift[drift["comparison"] == "same text"]
    is_centred = drift["comparison"].str.contains("centred")
    pictures = [
        Picture(
            "drift", violins_by_layer(same, "cosine with static layer"),
            f"Violins of the cosine between each text in layer 0 and in each later layer. "
            f"Medians: {by_layer(measured.numbers['drift']['same text'])}.",
            "Each text with itself in layer 0, the static layer. Read it with the next figure "
            "only.",
        ),
        Picture(
            "baselines", *lines_and_alt(measured, ["same text", "other text", "random pair"]),
            "The drift beside its baselines. Other text: the other texts in layer 0. Random "
            "pair: two texts in the same layer.",
        ),
        *changes_picture(measured),
        Picture(
            "baselines-centred",
            *lines_and_alt(measured, list(drift.loc[is_centred, "comparison"].unique())),
            "The same once the mean of all texts is subtracted from each layer: what is left "
            "is each text's own.",
        ),
        Picture(
            "steps",
            violins_by_layer(measured.steps, "cosine with layer before", x="step"),
            "Violins of the cosine between each text in one layer and in the next. Medians: "
            + ", ".join(f"{x} {number(y)}" for x, y in measured.numbers["steps"].items()) + ".",
            "Each text with itself one layer before. Lower is a larger step.",
        ),
    ]  # fmt: skip
    if measured.agreement:
        pictures.append(agreement_picture(measured.agreement))
    return pictures


def by_layer(values: list[float]) -> str:
    """Write a value for each layer."""
    return ", ".join(f"layer {i}: {number(x)}" for i, x in enumerate(values, start=1))


def lines_and_alt(measured: Measured, names: list[str]) -> tuple[Figure, str]:
    """Draw comparisons as lines, and say their medians in the first and in the last layer."""
    table = measured.drift[measured.drift["comparison"].isin(names)]
    ends = "; ".join(
        f"{name}, {number(measured.numbers['drift'][name][0])} and "
        f"{number(measured.numbers['drift'][name][-1])}"
        for name in names
    )
    return (
        compare_by_layer(table, "cosine, median and middle half"),
        f"Lines by layer, medians in the first and the last: {ends}.",
    )


def changes_picture(measured: Measured) -> list[Picture]:
    """Draw what is left of the drift when layer 0 may be rotated, or shifted; if it was."""
    names = [
        f"{who} text, {how}" for how in ("rotated", "shifted") for who in ("same", "other")
    ]  # fmt: skip
    if names[0] not in measured.numbers["drift"]:
        return []
    return [Picture(
        "changes", *lines_and_alt(measured, ["same text", *names]),
        "The drift, and what is left of it when layer 0 may first be changed, all texts in the "
        "same way. Rotated: by a rotation that was fitted on other texts. Shifted: one vector, "
        "found on other texts, is added, and nothing is turned.",
    )]  # fmt: skip


@style()
def agreement_picture(agreement: Agreement) -> Picture:
    """Draw the share of neighbours with the same label in each layer, beside its controls."""
    table = agreement.table.set_index("option")
    layers = table.drop(index=COUNTED)
    x = range(len(layers))
    figure, axes = new_figure()
    axes.fill_between(
        x, layers["chance"], layers["chance_95"], color=COMPARISON_COLORS[4], alpha=0.3,
        linewidth=0, label="chance, mean to top 5%",
    )  # fmt: skip
    axes.plot(
        x, layers["agreement"], color=COMPARISON_COLORS[0], marker="o", markeredgecolor=INK,
        label="nearest in this layer",
    )  # fmt: skip
    axes.axhline(
        table.loc[COUNTED, "agreement"], color=COMPARISON_COLORS[1], linestyle="--",
        label=COUNTED,
    )  # fmt: skip
    axes.set(xlabel="layer", ylabel="share with the same label", xticks=x)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    values = ", ".join(f"layer {i}: {percent(y)}" for i, y in enumerate(layers["agreement"]))
    return Picture(
        "labels", figure,
        f"A line of the share of texts whose nearest neighbour has their label. {values}. "
        f"Counted words: {percent(table.loc[COUNTED, 'agreement'])}; chance: "
        f"{percent(layers['chance'].iloc[-1])}.",
        "How often a text's nearest neighbour has its label, by layer. The last layer was "
        "chosen beforehand as the one to be tested; the highest of several would need a "
        "stricter test.",
    )  # fmt: skip


@style()
def save(picture: Picture, folder: Path) -> None:
    """Write a figure as SVG and as PNG, on white, so that it can stand anywhere.

    The book's style names an SVG's parts: without it, each run names them anew.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for ending in ["svg", "png"]:
        metadata = {"Date": None} if ending == "svg" else None
        # letters as paths, where a font is missing, too
        with warnings.catch_warnings(), plt.rc_context({"svg.fonttype": "path"}):
            # labels in a script that matplotlib's font lacks
            warnings.filterwarnings("ignore", r"Glyph .* missing from")
            picture.figure.savefig(
                folder / f"{picture.name}.{ending}", facecolor="white", dpi=DOTS_PER_INCH,
                metadata=metadata,
            )  # fmt: skip
    plt.close(picture.figure)


def medians_table(drift: pd.DataFrame) -> pd.DataFrame:
    """Return the median cosine of each comparison by layer, a row for each comparison."""
    table = medians_by_layer(drift)
    table.columns = [f"layer {layer}" for layer in table.columns]
    return table.reset_index()

"""Figures that can be read by everyone, stand beside each other, and come out the same."""

import re
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from layerwise.figures.attention import attention_heatmap
from layerwise.figures.layers import (
    compare_by_layer,
    layer_colors,
    token_strip,
    violins_by_layer,
)
from layerwise.figures.page import INK, new_figure, show
from layerwise.similarity import COMPARISONS, drift_table

ALT = "Attention of one head: every token looks only at itself, with a share of 1."
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def figures_closed():
    with plt.rc_context():
        yield
    plt.close("all")


def table():
    layers = np.random.default_rng(0).normal(size=(4, 12, 5))
    return drift_table(layers, [f"poem {i}" for i in range(12)])


def violins():
    same = table()
    return violins_by_layer(same[same["comparison"] == "same poem"], "cosine with layer 0")


FIGURES = {
    "heat map": lambda: attention_heatmap(np.eye(3), ["[CLS]", "hope", "[SEP]"], "layer 1"),
    "violins": violins,
    "comparison": lambda: compare_by_layer(table(), "cosine"),
}
any_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)


def ids(page: str) -> set[str]:
    return {e.get("id") for e in ET.fromstring(page).iter() if e.get("id")}


def luminance(rgb) -> float:
    """Return the relative luminance of WCAG 2.1."""
    rgb = np.asarray(rgb[:3], dtype=float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@any_figure
def test_a_figure_is_one_well_formed_image_with_its_alt_text(draw):
    root = ET.fromstring(show(draw(), ALT, "A caption").data)
    (svg,) = root.findall(f"{SVG}svg")
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == ALT
    assert root.findtext("figcaption") == "A caption"


@any_figure
def test_ink_becomes_the_pages_text_colour(draw):
    page = show(draw(), ALT).data
    assert INK not in page
    assert "currentColor" in page


@any_figure
def test_a_figure_has_no_style_sheet_which_would_hold_for_the_whole_page(draw):
    page = show(draw(), ALT).data
    assert "<style" not in page
    (svg,) = ET.fromstring(page).findall(f"{SVG}svg")
    assert svg.get("style") == "stroke-linejoin: round; stroke-linecap: butt"


@any_figure
def test_the_same_figure_gives_the_same_bytes(draw):
    assert show(draw(), ALT).data == show(draw(), ALT).data


@any_figure
def test_every_reference_inside_a_figure_finds_its_target(draw):
    page = show(draw(), ALT).data
    references = set(re.findall(r'url\(#([^)]+)\)|xlink:href="#([^"]+)"', page))
    targets = {a or b for a, b in references}
    assert targets
    assert targets <= ids(page)


def test_two_figures_in_a_page_share_no_id():
    pages = [show(draw(), f"{name}: {ALT}").data for name, draw in FIGURES.items()]
    for i, page in enumerate(pages):
        for other in pages[:i]:
            assert ids(page)
            assert not ids(page) & ids(other)


def test_two_drawings_with_the_same_words_share_no_id():
    one = show(attention_heatmap(np.eye(2), ["a", "b"]), ALT).data
    other = show(attention_heatmap(np.eye(2)[::-1], ["a", "b"]), ALT).data
    assert not ids(one) & ids(other)


def test_tokens_that_mean_something_to_xml_are_drawn_as_they_are():
    tokens = ["--", "<b>", "&", '"', "]]>", "'"]
    root = ET.fromstring(show(attention_heatmap(np.eye(6), tokens), ALT).data)
    drawn = [text.text for text in root.iter(f"{SVG}text")]
    assert set(tokens) <= set(drawn)


def test_alt_text_and_caption_are_escaped():
    alt = 'The tokens "<b>" & "</figure>" get the largest share, namely .5.'
    root = ET.fromstring(show(new_figure()[0], alt, "<script>1</script>").data)
    assert root.find(f"{SVG}svg").get("aria-label") == alt
    assert root.findtext("figcaption") == "<script>1</script>"


def test_showing_closes_the_figure():
    show(new_figure()[0], ALT)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("alt", ["", "A heat map.", "one two three four five six seven"])
def test_alt_text_too_short_to_say_what_is_seen_is_refused(alt):
    with pytest.raises(ValueError, match=f"alt text '{alt}' is too short: say what"):
        show(new_figure()[0], alt)


@pytest.mark.parametrize("n_layers", [1, 6, 12])
def test_deeper_layers_are_darker(n_layers):
    colors = layer_colors(n_layers)
    assert len(colors) == n_layers + 1
    assert (np.diff([luminance(color) for color in colors]) < 0).all()


def test_a_heat_map_has_a_label_for_each_row_and_column():
    tokens = ["[CLS]", "hope", "[SEP]"]
    axes = attention_heatmap(np.eye(3), tokens).axes[0]
    for axis in (axes.xaxis, axes.yaxis):
        assert [label.get_text() for label in axis.get_ticklabels()] == tokens


@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (1, 3, 3)])
def test_a_heat_map_of_another_shape_than_its_tokens_is_refused(shape):
    with pytest.raises(ValueError, match=r"3 tokens need weights of shape \(3, 3\)") as error:
        attention_heatmap(np.ones(shape), list("abc"))
    assert str(shape) in str(error.value)


def test_a_comparison_draws_the_median_of_each_at_each_layer():
    data = table()
    lines = compare_by_layer(data, "cosine").axes[0].get_lines()
    assert [line.get_label() for line in lines] == COMPARISONS
    for line in lines:
        rows = data[data["comparison"] == line.get_label()]
        np.testing.assert_allclose(line.get_ydata(), rows.groupby("layer")["cosine"].median())
    assert len({(line.get_marker(), line.get_linestyle()) for line in lines}) == len(lines)


def test_violins_take_a_table_of_named_steps():
    steps = pd.DataFrame({"step": list("aabb"), "cosine": [0.1, 0.2, 0.3, 0.5]})
    axes = violins_by_layer(steps, "cosine", x="step").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]


def items(strip) -> list[tuple[str, str, str]]:
    """Return the style, token and value of each item of a strip."""
    root = ET.fromstring(strip.data)
    return [(li.get("style"), li.text, li.findtext("small")) for li in root.iter("li")]


def test_a_strip_names_each_token_and_its_value():
    strip = token_strip(["hope", "is"], [0.123, -2], "norm")
    assert [(token, value) for _, token, value in items(strip)] == [
        ("hope ", "0.12"),
        ("is ", "-2.00"),
    ]
    assert ET.fromstring(strip.data).findtext("figcaption") == "norm"


def test_a_strip_escapes_what_html_would_read():
    strip = token_strip(["<script>", "&amp;", '"'], [1, 2, 3], "a < b")
    assert [token for _, token, _ in items(strip)] == ["<script> ", "&amp; ", '" ']
    assert ET.fromstring(strip.data).findtext("figcaption") == "a < b"


def test_a_strip_of_equal_values_has_one_shade():
    assert len({style for style, _, _ in items(token_strip(list("abc"), [2, 2, 2], "x"))}) == 1


def test_every_token_of_a_strip_stands_out_from_its_shade():
    values = np.linspace(0, 1, 101)
    shades = []
    for style, _, _ in items(token_strip(["hope"] * 101, values, "share")):
        r, g, b = (int(c) / 255 for c in re.search(r"rgb\((\d+) (\d+) (\d+)\)", style).groups())
        shade, ink = luminance((r, g, b)), 1.0 if "color: #fff" in style else 0.0
        assert (max(shade, ink) + 0.05) / (min(shade, ink) + 0.05) >= 4.5
        shades.append(shade)
    assert (np.diff(shades) <= 1e-3).all()


def test_a_strip_without_a_value_for_each_token_is_refused():
    with pytest.raises(ValueError, match="2 tokens, but 1 values"):
        token_strip(["a", "b"], [1], "norm")

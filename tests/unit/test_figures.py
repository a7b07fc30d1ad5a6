"""Figures that can be read by everyone, stand beside each other, and come out the same."""

import base64
import io
import re
import warnings
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex, to_rgb
from PIL import Image

from layerwise.figures.attention import attention_grid, attention_heatmap, dots_by_layer
from layerwise.figures.interventions import patching_grid
from layerwise.figures.layers import (
    LOOKS,
    compare_by_layer,
    layer_picture,
    token_strip,
    violins_by_layer,
)
from layerwise.figures.page import (
    BEHIND_TEXT,
    COMPARISON_COLORS,
    INK,
    SHADE,
    SHADES,
    figure_to_svg,
    label_width,
    new_figure,
    shares,
    short,
    show,
    style,
)
from layerwise.similarity import COMPARISONS, drift_table

ALT = "Attention of one head: every token looks only at itself, with a share of 1."
SVG = "{http://www.w3.org/2000/svg}"
WEIGHTS = np.array([[0.5, 0.3, 0.2], [0.0, 0.9, 0.1], [0.25, 0.35, 0.4]])  # not symmetric
TOKENS = ["[CLS]", "hope", "[SEP]"]


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


def curve():
    """Draw as a chapter does, outside the book's style."""
    figure, axes = new_figure(height=2.6)
    axes.plot([-1, 0, 2], [0.5, -0.25, 1], label="GELU")
    axes.set(xlabel="goes in $x_1$")
    axes.legend()
    return figure


FIGURES = {
    "heat map": lambda: attention_heatmap(WEIGHTS, TOKENS, "layer 1"),
    "grid": lambda: attention_grid([np.stack([WEIGHTS, WEIGHTS[::-1]])] * 3),
    "dots": lambda: dots_by_layer([[0.1, 0.4], [-0.3, 0.2]], "share", reference=0.25),
    "picture": lambda: layer_picture(TOKENS, [[0, 0, 0], [0.1, 0.4, 0.2]]),
    "violins": violins,
    "comparison": lambda: compare_by_layer(table(), "cosine"),
    "patching": lambda: patching_grid(
        [[0.1, 1.0], [0.9, 0.0]], ["a", "b"], [0, 3], pd.DataFrame([[1.0, 0.5]], ["none"])
    ),
    "curve": curve,
}
any_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)


def ids(page: str) -> set[str]:
    return {e.get("id") for e in ET.fromstring(page).iter() if e.get("id")}


def texts(page: str) -> list[str]:
    """Return what is written in a figure."""
    return [text.text or "" for text in ET.fromstring(page).iter(f"{SVG}text")]


def labels(axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


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
    assert "fill: currentColor" in page
    for fixed in (INK, SHADE, "#000000", "#ffffff"):
        assert fixed not in page


@any_figure
def test_a_figure_has_no_style_sheet_which_would_hold_for_the_whole_page(draw):
    page = show(draw(), ALT).data
    assert "<style" not in page
    (svg,) = ET.fromstring(page).findall(f"{SVG}svg")
    assert "stroke-linejoin: round; stroke-linecap: butt" in svg.get("style")


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
    assert root.tag == "figure"
    assert set(tokens) <= set(texts(ET.tostring(root)))


def test_alt_text_and_caption_are_escaped():
    alt = 'The tokens "<b>" & "</figure>" get the largest share, namely .5.'
    root = ET.fromstring(show(new_figure()[0], alt, "<script>1</script>").data)
    assert root.find(f"{SVG}svg").get("aria-label") == alt
    assert root.findtext("figcaption") == "<script>1</script>"


def test_showing_closes_the_figure():
    show(new_figure()[0], ALT)
    assert plt.get_fignums() == []


def test_alt_text_of_eight_words_is_enough():
    assert show(new_figure()[0], "one two three four five six seven eight").data


@pytest.mark.parametrize("alt", ["", "A heat map.", "one two three four five six seven"])
def test_alt_text_too_short_to_say_what_is_seen_is_refused(alt):
    with pytest.raises(ValueError, match=f"alt text '{alt}' is too short: say what"):
        show(new_figure()[0], alt)


# --- The reader's settings ---------------------------------------------------------------

ODD = {
    "text.usetex": True,
    "text.parse_math": True,
    "font.size": 30,
    "font.family": "serif",
    "axes.unicode_minus": False,
    "axes.grid": True,
    "axes.prop_cycle": plt.cycler(color=["red"]),
    "figure.constrained_layout.use": False,
    "figure.dpi": 30,
    "image.cmap": "gray",
    "image.origin": "lower",
    "legend.frameon": True,
    "lines.linewidth": 9,
    "savefig.dpi": 300,
    "svg.fonttype": "path",
    "svg.hashsalt": "theirs",
    "xtick.bottom": False,
}


def test_a_dollar_sign_is_one_also_in_a_figure_that_a_reader_saves():
    with style():  # as every figure of the package is drawn
        figure, ax = plt.subplots()
        title = ax.set_title("from $5 to $9")
    width = title.get_window_extent(figure.canvas.get_renderer()).width
    title.set_text("from 5 to 9")  # as it would be set between two signs of mathematics
    assert title.get_window_extent().width < 0.95 * width


@any_figure
def test_a_readers_settings_are_left_as_they_were(draw):
    plt.rcParams.update(ODD)
    before = dict(plt.rcParams)
    figure = draw()
    assert dict(plt.rcParams) == before
    show(figure, ALT)
    assert dict(plt.rcParams) == before


@any_figure
def test_a_readers_settings_do_not_change_the_books_figures(draw):
    ours = show(draw(), ALT).data
    with plt.style.context(["dark_background", ODD]):
        theirs = show(draw(), ALT).data
    if draw is curve:  # what a chapter draws itself may differ in its line, not in its text
        assert "fill: #" not in "".join(re.findall("<text[^>]*>", theirs))
        assert texts(theirs) == texts(ours)
    else:
        assert theirs == ours


def test_a_legend_made_by_a_chapter_stands_on_the_page_itself():
    with plt.style.context("dark_background"):
        figure = curve()
        show(figure, ALT)
    legend = figure.axes[0].get_legend()
    assert not legend.get_frame_on()
    assert [text.get_color() for text in legend.get_texts()] == [INK]


def test_a_legend_beside_the_axes_does_so_too():
    with plt.style.context("dark_background"):
        figure = curve()
        figure.legend(["a curve"])
        show(figure, ALT)
    (legend,) = figure.legends
    assert not legend.get_frame_on()
    assert [text.get_color() for text in legend.get_texts()] == [INK]


@pytest.mark.parametrize("settings", [{}, ODD])
def test_what_a_chapter_writes_has_its_dollar_signs(settings):
    with plt.rc_context(settings):
        figure, axes = new_figure()
        axes.plot([1, 2], label="cost $5 and $6")
        axes.legend()
        axes.annotate("$5 to $6", (0, 1))
        axes.set_title("$7 to $8")
        figure.suptitle("$1 to $2")
        figure.legend(["all $3 of $4"])
        written = texts(show(figure, ALT).data)
    assert {"cost $5 and $6", "$5 to $6", "$7 to $8", "$1 to $2", "all $3 of $4"} <= {*written}


def test_the_name_of_a_figure_may_begin_with_a_number():
    named = ids(figure_to_svg(attention_heatmap(WEIGHTS, TOKENS), "01-model"))
    assert named
    assert all(name.startswith("01-model") for name in named)


def test_a_figure_has_the_size_it_was_given_and_no_frame():
    assert tuple(new_figure()[0].get_size_inches()) == (4.8, 3.2)
    figure, axes = new_figure(4, 2.5)
    assert tuple(figure.get_size_inches()) == (4, 2.5)
    assert not axes.spines["top"].get_visible()
    assert not axes.spines["right"].get_visible()
    assert 'style="max-width: 384px"' in show(figure, ALT).data


# --- Tokens of all kinds -----------------------------------------------------------------

FAR = ["床前明月光", "हिन्दी", "🦋", "שלום"]
OURS = ["#000000", INK, SHADE, 'id="x', "url(#a)", 'xlink:href="#a']  # like the page's own
AS_TYPED = [*FAR, *OURS, "$x^2$", "$", "a_b^c", "\\frac{1}{2}", "%", "#{}", ""]
SIGNS = {"line\nend": "line↵end", "\r": "␍", "a\tb": "a␉b", "\x00": "␀", "\x7f": "␡",
         "\ud800": "\ufffd", "a\u2002b": "a b"}  # fmt: skip


def test_every_token_is_drawn_as_it_was_typed_without_a_warning():
    tokens = [*AS_TYPED, *SIGNS]
    weights = np.full((len(tokens), len(tokens)), 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        map, picture = attention_heatmap(weights, tokens, "$ _"), layer_picture(tokens, weights)
        for figure in (map, picture):
            written = texts(show(figure, ALT).data)
            # an empty token draws nothing
            assert {*AS_TYPED, *SIGNS.values()} - {""} <= set(written)
        strip = ET.fromstring(token_strip(tokens, range(len(tokens)), "a $ \n b").data)
    assert [bdi.text or "" for bdi in strip.iter("bdi")] == [*AS_TYPED, *SIGNS.values()]
    assert strip.findtext("figcaption") == "a $ ↵ b"


def test_a_long_token_is_shortened_beside_a_figure_and_breaks_in_a_strip():
    long = "un" + "n" * 300 + "ed"
    assert short(long) == "unnnnnnnnn…nnned"
    assert short("antidisestablish") == "antidisestablish"
    for figure in (attention_heatmap([[1]], [long]), layer_picture([long], [[1]])):
        assert short(long) in texts(show(figure, ALT).data)
    assert "overflow-wrap: anywhere" in token_strip([long], [1], "x").data
    assert long in token_strip([long], [1], "x").data


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("tokens", [["hope"] * 4, ["a" * 400, "b", "c", "d"], list("床前明月")])
@pytest.mark.parametrize("draw", [attention_heatmap, lambda x, t: layer_picture(t, x)])
def test_labels_stay_inside_the_figure(draw, tokens):
    figure = draw(np.eye(4), tokens)
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
        for label in axis.get_ticklabels():
            box = label.get_window_extent()
            assert 0 <= box.x0 <= box.x1 <= width
            assert 0 <= box.y0 <= box.y1 <= height


@pytest.mark.filterwarnings("ignore:Glyph")
def test_wide_characters_get_the_room_a_browser_needs_for_them():
    figure = attention_heatmap(np.eye(2), ["明月光明月光", "a"])
    figure.draw_without_rendering()
    points = figure.axes[0].get_yticklabels()[0].get_window_extent().width * 72 / figure.dpi
    assert points >= 6 * 11


def test_tokens_stand_on_end_where_they_do_not_fit_beside_each_other():
    few, many = ["hope", "is"], ["perches"] * 12
    for tokens, rotation, end in [(few, 0, "center"), (many, 90, "right")]:
        axes = layer_picture(tokens, np.ones((2, len(tokens)))).axes[0]
        assert {text.get_ha() for text in axes.get_xticklabels()} == {end}
        assert {text.get_rotation() for text in axes.get_xticklabels()} == {rotation}
        assert labels(axes.xaxis) == tokens
    upright = attention_heatmap(np.eye(12), many).axes[0].get_yticklabels()
    assert {text.get_rotation() for text in upright} == {0}
    lying = attention_heatmap(np.eye(12), many).axes[0].get_xticklabels()
    assert {text.get_rotation() for text in lying} == {90}
    assert {text.get_rotation_mode() for text in lying} == {"anchor"}


@pytest.mark.parametrize("token", ["i", "hope", "perches", "antidisestablishmentarianism"])
def test_the_width_of_a_label_is_estimated_on_the_safe_side(token):
    figure, axes = new_figure()
    box = axes.text(0, 0, short(token), size=11).get_window_extent()
    assert 1 <= label_width(token) / (box.width / figure.dpi) < 6 / min(len(token), 4)
    assert label_width("明月") > label_width("an")


@pytest.mark.parametrize(("n", "labelled"), [(50, True), (58, False)])
def test_labels_are_left_out_where_they_could_not_be_read(n, labelled):
    figure = attention_heatmap(np.eye(n), ["a"] * n)
    assert bool(figure.axes[0].get_yticklabels()) == labelled


def test_labels_shrink_with_their_cells():
    sizes = {}
    for n in (3, 40):
        axes = attention_heatmap(np.eye(n), ["a"] * n).axes[0]
        sizes[n] = [text.get_size() for text in axes.get_yticklabels()]
    assert sizes[3] == [11] * 3
    cell = 4.2 * 72 / 40
    assert 5 <= sizes[40][0] <= cell


# --- One scale: 0 is paper ---------------------------------------------------------------


def alphas(page: str) -> list[np.ndarray]:
    """Return the images of a figure: how much of the page's colour is in each pixel."""
    found = []
    for data in re.findall("base64,([^\"]+)", page):
        image = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("LA"))
        assert (image[..., 0] == 255).all()  # a mask of white lets all through
        found.append(image[..., 1] / 255)
    return found


def test_zero_is_paper_and_the_largest_is_the_full_colour():
    np.testing.assert_allclose(shares([0, 1, 4]), [0, 0.25, 1])
    np.testing.assert_array_equal(shares([0.0, 0.0]), [0, 0])
    np.testing.assert_array_equal(shares([-1e-9, 2]), [0, 1])
    assert SHADES(0.0)[3] == 0
    assert SHADES(1.0)[3] == 1
    assert {to_hex(color) for color in SHADES(np.linspace(0, 1, 9))} == {SHADE}
    np.testing.assert_allclose(SHADES([0.25, 0.5])[:, 3], [0.25, 0.5], atol=0.01)


@pytest.mark.parametrize("wrong", [-0.5, -2e-6, np.nan, np.inf])
@pytest.mark.parametrize(
    "draw",
    [
        lambda v: attention_heatmap([[0.1, 0.2], [0.3, v]], ["a", "b"]),
        lambda v: attention_grid([[[[0.1, v], [0.3, 0.4]]]]),
        lambda v: layer_picture(["a", "b"], [[0.1, 0.2], [v, 0.3]]),
        lambda v: token_strip(["a", "b"], [v, 0.1], "x"),
    ],
)
def test_what_has_no_shade_is_refused(draw, wrong):
    with pytest.raises(ValueError, match=rf"^{wrong:g} has no shade, nor have 0 others"):
        draw(wrong)


def test_a_heat_map_has_a_row_for_each_that_looks():
    figure = attention_heatmap(WEIGHTS, TOKENS, "layer 2, head 3")
    axes, scale = figure.axes
    (image,) = axes.images
    np.testing.assert_array_equal(image.get_array(), WEIGHTS)
    assert image.get_extent() == [-0.5, 2.5, 2.5, -0.5]  # the first row on top
    assert image.get_clim() == (0, 0.9)
    assert image.get_cmap() is SHADES
    assert image.get_interpolation() == "none"
    for axis in (axes.xaxis, axes.yaxis):
        assert labels(axis) == TOKENS
        assert list(axis.get_majorticklocs()) == [0, 1, 2]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("looks", "is seen")
    assert axes.get_title() == "layer 2, head 3"
    assert scale.get_ylabel() == "share of attention"


def test_a_heat_map_in_the_page_is_a_mask_of_its_shares():
    page = show(attention_heatmap(WEIGHTS, TOKENS), ALT).data
    root = ET.fromstring(page)
    cells, scale = alphas(page)
    np.testing.assert_allclose(cells, WEIGHTS / 0.9, atol=0.005)
    middle = scale[:, scale.shape[1] // 2]
    assert np.isclose(middle.min(), 0, atol=0.02)
    assert np.isclose(middle.max(), 1, atol=0.02)
    masks = {mask.get("id"): mask.find(f"{SVG}image") for mask in root.iter(f"{SVG}mask")}
    shaded = [rect for rect in root.iter(f"{SVG}rect") if rect.get("mask")]
    assert len(masks) == len(shaded) == 2
    for rect in shaded:
        image = masks[rect.get("mask")[5:-1]]
        assert rect.get("style") == "fill: var(--lw-accent, currentColor)"
        assert rect.get("transform")
        assert image.get("transform") is None  # the rectangle's holds for its mask too
        for side in ("width", "height"):
            assert rect.get(side) == image.get(side)


def test_a_heat_map_begins_at_zero_also_where_no_share_is_so_small():
    (image,) = attention_heatmap([[0.4, 0.6], [0.3, 0.7]], ["a", "b"]).axes[0].images
    assert image.get_clim() == (0, 0.7)


def test_a_heat_map_takes_a_tensor_that_has_a_gradient():
    weights = torch.tensor(WEIGHTS, dtype=torch.bfloat16, requires_grad=True)
    (image,) = attention_heatmap(weights, TOKENS).axes[0].images
    np.testing.assert_allclose(image.get_array(), WEIGHTS, atol=0.002)


def test_a_heat_map_grows_with_its_tokens_up_to_a_page():
    widths = [
        attention_heatmap(np.eye(n), ["a"] * n).get_figwidth() for n in (2, 8, 12, 16, 60, 99)
    ]
    assert widths[:4] == sorted(set(widths[:4]))
    assert widths[4] == widths[5] < 6.4


@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (1, 3, 3)])
def test_a_heat_map_of_another_shape_than_its_tokens_is_refused(shape):
    with pytest.raises(ValueError, match=r"3 tokens need weights of shape \(3, 3\)") as error:
        attention_heatmap(np.ones(shape), list("abc"))
    assert str(shape) in str(error.value)


def test_a_heat_map_of_nothing_is_refused():
    with pytest.raises(ValueError, match="0 tokens need weights"):
        attention_heatmap(np.ones((0, 0)), [])


def test_a_grid_has_a_row_for_each_layer_and_a_column_for_each_head():
    rng = np.random.default_rng(0)
    attentions = rng.random((2, 3, 4, 4))  # layers, heads, tokens, tokens
    axes = attention_grid(attentions).axes[0]
    (image,) = axes.images
    mosaic = image.get_array()
    assert mosaic.shape == (2 * 5 - 1, 3 * 5 - 1)
    covered = np.zeros(mosaic.shape, bool)
    for layer, y in enumerate(axes.get_yticks()):
        for head, x in enumerate(axes.get_xticks()):
            rows = slice(round(y - 1.5), round(y + 2.5))
            columns = slice(round(x - 1.5), round(x + 2.5))
            np.testing.assert_array_equal(mosaic[rows, columns], attentions[layer, head])
            covered[rows, columns] = True
    assert (mosaic[~covered] == 0).all()
    assert (labels(axes.yaxis), labels(axes.xaxis)) == (["1", "2"], ["1", "2", "3"])
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("layer", "head")
    assert image.get_clim() == (0, 1)  # so that heads, and lines, can be compared
    assert image.get_extent()[2:] == [8.5, -0.5]


def test_lines_divide_a_grid_between_its_maps():
    axes = attention_grid(np.full((2, 3, 4, 4), 0.25)).axes[0]
    across, down = (lines.get_segments() for lines in axes.collections)
    assert [line[:, 1].tolist() for line in across] == [[4, 4]]
    assert [line[:, 0].tolist() for line in down] == [[4, 4], [9, 9]]
    for line, axis in [(across[0], 0), (down[0], 1)]:
        assert line[:, axis].tolist() == [-0.5, [13.5, 8.5][axis]]


@pytest.mark.parametrize(("n_layers", "n_heads"), [(6, 12), (24, 16), (30, 9), (1, 1)])
def test_a_grid_fits_a_page(n_layers, n_heads):
    figure = attention_grid(np.full((n_layers, n_heads, 2, 2), 0.5))
    width, height = figure.get_size_inches()
    assert 1.5 < width <= 6.7
    assert 1 < height <= 8.8
    # the maps are square
    assert np.isclose((width - 1.4) / n_heads, (height - 0.7) / n_layers)


def test_dots_stand_at_their_values_and_a_bar_at_their_mean():
    values = np.array([[0.1, 0.4, 0.7], [-0.3, 0.2, 0.4]])
    axes = dots_by_layer(values, "share on [CLS]", reference=0.25).axes[0]
    dots, bars = axes.collections[::2], axes.collections[1::2]
    assert len(dots) == len(bars) == 2
    for layer in (1, 2):
        x, y = dots[layer - 1].get_offsets().T
        np.testing.assert_array_equal(y, values[layer - 1])
        np.testing.assert_allclose(x - layer, [-1 / 6, 0, 1 / 6])
        ((left, height), (right, _)) = bars[layer - 1].get_segments()[0]
        np.testing.assert_allclose([left, right], [layer - 0.35, layer + 0.35])
        np.testing.assert_allclose(height, values[layer - 1].mean())
        (color,) = dots[layer - 1].get_facecolor()
        np.testing.assert_allclose(color, SHADES(layer / 2))
        np.testing.assert_allclose(dots[layer - 1].get_edgecolor()[0][:3], to_rgb(INK))
    (reference,) = axes.get_lines()
    assert set(reference.get_ydata()) == {0.25}
    assert reference.get_linestyle() == "--"
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("share on [CLS]", "layer")
    assert list(axes.get_xticks()) == [1, 2]


def test_dots_without_a_reference_have_no_line_and_one_head_stands_in_the_middle():
    axes = dots_by_layer(torch.tensor([[0.5]]), "share").axes[0]
    assert not axes.get_lines()
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), [[1, 0.5]])


@pytest.mark.parametrize(("n_layers", "n_ticks"), [(6, 6), (15, 15), (16, 8), (32, 11)])
def test_layers_are_named_as_far_as_there_is_room(n_layers, n_ticks):
    values = np.ones((n_layers, 2))
    assert len(dots_by_layer(values, "x").axes[0].get_xticks()) == n_ticks
    rows = [("a", layer, 0.1 * layer) for layer in range(1, n_layers + 1)]
    data = pd.DataFrame(rows, columns=["comparison", "layer", "cosine"])
    ticks = compare_by_layer(data, "x").axes[0].get_xticks()
    assert len(ticks) == n_ticks
    assert ticks[0] == 1


def test_a_picture_has_a_row_for_each_layer_from_below():
    moved = np.array([[0, 0], [0.1, 0.2], [0.8, 0.3]])  # layers, tokens
    axes = layer_picture(["hope", "is"], moved).axes[0]
    tiles = {(round(t.get_x() - 0.03), round(t.get_y() - 0.06)): t for t in axes.patches}
    assert len(tiles) == 6
    for (token, layer), tile in tiles.items():
        np.testing.assert_allclose(tile.get_facecolor(), SHADES(moved[layer, token] / 0.8))
        assert 0.8 < tile.get_width() < 1  # paper shows between them
        assert 0.8 < tile.get_height() < 1
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 2), (0, 3))
    assert list(axes.get_xticks()) == [0.5, 1.5]
    assert labels(axes.xaxis) == ["hope", "is"]
    assert list(axes.get_yticks()) == [0.5, 1.5, 2.5]
    assert labels(axes.yaxis) == ["0", "1", "2"]
    assert axes.get_ylabel() == "layer"
    assert not any(spine.get_visible() for spine in axes.spines.values())


def test_a_picture_of_many_layers_names_some_in_their_places():
    axes = layer_picture(["hope"], np.ones((13, 1))).axes[0]
    assert labels(axes.yaxis) == ["0", "2", "4", "6", "8", "10", "12"]
    assert list(axes.get_yticks()) == [0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.5]
    assert axes.figure.get_figheight() > layer_picture(["a"], [[1]]).get_figheight()


@pytest.mark.parametrize("shape", [(2, 3), (2,), (1, 2, 2)])
def test_a_picture_without_a_column_for_each_token_is_refused(shape):
    with pytest.raises(ValueError, match="2 tokens need distances of shape") as error:
        layer_picture(["a", "b"], np.ones(shape))
    assert str(error.value).endswith(f"got {shape}")


def test_a_picture_of_nothing_is_refused():
    with pytest.raises(ValueError, match="0 tokens need distances"):
        layer_picture([], np.ones((3, 0)))


def test_dots_and_grids_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(n_layers, n_heads\), got \(3,\)"):
        dots_by_layer([1, 2, 3], "x")
    with pytest.raises(ValueError, match=r"got \(2, 1, 3, 4, 4\): pick one text"):
        attention_grid(np.ones((2, 1, 3, 4, 4)))


# --- Comparisons and violins -------------------------------------------------------------

LOOK_IN_EVERY_FIGURE = {
    "same poem": ("#1f7fc0", "o"), "other poem": ("#c2602a", "s"),
    "random pair": ("#24896c", "D"), "same poem, centred": ("#b05c9a", "^"),
    "other poem, centred": ("#857428", "v"),
}  # fmt: skip


def test_a_comparison_draws_the_median_of_each_at_each_layer():
    data = table()
    figure = compare_by_layer(data, "cosine")
    axes = figure.axes[0]
    lines, bands = axes.get_lines(), axes.collections
    assert [line.get_label() for line in lines] == COMPARISONS
    for line, band in zip(lines, bands, strict=True):
        color, marker = LOOK_IN_EVERY_FIGURE[line.get_label()]
        assert line.get_marker() == marker
        rows = data[data["comparison"] == line.get_label()].groupby("layer")["cosine"]
        np.testing.assert_allclose(line.get_ydata(), rows.median())
        np.testing.assert_array_equal(line.get_xdata(), rows.median().index)
        outline = band.get_paths()[0].vertices
        for layer, low in rows.quantile(0.25).items():
            at_layer = outline[outline[:, 0] == layer, 1]
            np.testing.assert_allclose(at_layer.min(), low)
            np.testing.assert_allclose(at_layer.max(), rows.quantile(0.75)[layer])
        assert line.get_color() == color
        assert to_hex(band.get_facecolor()[0]) == color
        assert band.get_alpha() == 0.2
    assert len({(line.get_marker(), line.get_linestyle()) for line in lines}) == len(lines)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == COMPARISONS
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("layer", "cosine")
    assert list(axes.get_xticks()) == [1, 2, 3]


def test_the_legend_names_every_comparison_whatever_it_is_called():
    names = ["_own", "", "$5"]
    rows = [(name, layer, 0.5) for name in names for layer in (1, 2)]
    figure = compare_by_layer(pd.DataFrame(rows, columns=["comparison", "layer", "cosine"]), "")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == names
    markers = [line.get_marker() for line in legend.get_lines()]
    assert markers == [line.get_marker() for line in figure.axes[0].get_lines()]


def test_a_comparison_looks_the_same_beside_others_and_with_other_texts():
    data = table()
    data["comparison"] = data["comparison"].str.replace("poem", "text")
    of_two = data[data["comparison"].isin(["other text", "same text, centred"])]
    drawn = {}
    for part in (data, of_two):
        for line in compare_by_layer(part, "cosine").axes[0].get_lines():
            look = (line.get_color(), line.get_marker())
            assert drawn.setdefault(line.get_label(), look) == look
    assert drawn == {
        name.replace("poem", "text"): look for name, look in LOOK_IN_EVERY_FIGURE.items()
    }
    plt.close("all")


def test_no_two_comparisons_of_the_book_look_the_same():
    assert len({(color, marker) for color, marker, _ in LOOKS.values()}) == len(LOOKS)
    assert len({str(dash) for *_, dash in LOOKS.values()}) == len(LOOKS)


def test_as_many_comparisons_as_can_be_told_apart_are_drawn_and_no_more():
    rows = [(f"comparison {i}", layer, i / 9) for i in range(8) for layer in (1, 2)]
    data = pd.DataFrame(rows, columns=["comparison", "layer", "cosine"])
    seven = data[data["comparison"] != "comparison 7"]
    lines = compare_by_layer(seven, "x").axes[0].get_lines()
    assert len({line.get_marker() for line in lines}) == 7
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == 7
    assert len({line.get_color() for line in lines}) == 7
    with pytest.raises(ValueError, match=r"8 comparisons cannot be told apart .* at most 7"):
        compare_by_layer(data, "x")


def luminance(color) -> float:
    """Return the relative luminance of WCAG 2.1."""
    rgb = np.asarray(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other) -> float:
    lights = sorted([luminance(one), luminance(other)])
    return (lights[1] + 0.05) / (lights[0] + 0.05)


LIGHT = {"paper": "#fffdf8", "ink": "#211f1b", "accent": "#1b6379"}
DARK = {"paper": "#16181b", "ink": "#e7e2d6", "accent": "#7fc4d3"}
themes = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


@themes
def test_every_line_of_a_comparison_stands_out_from_the_paper(theme):
    assert len(set(COMPARISON_COLORS)) == 7
    for color in COMPARISON_COLORS:
        assert contrast(color, theme["paper"]) >= 3


@themes
def test_a_token_can_be_read_on_the_darkest_shade_of_a_strip(theme):
    paper, accent = np.array(to_rgb(theme["paper"])), np.array(to_rgb(theme["accent"]))
    darkest = paper + BEHIND_TEXT * (accent - paper)
    assert contrast(theme["ink"], darkest) >= 4.5
    assert contrast(darkest, theme["paper"]) > 1.5  # and the shade can be seen


def test_violins_stand_at_their_layers_with_their_quartiles():
    data = table()
    same = data[data["comparison"] == "same poem"]
    axes = violins_by_layer(same, "cosine with layer 0").axes[0]
    assert labels(axes.xaxis) == ["1", "2", "3"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("layer", "cosine with layer 0")
    lines = axes.get_lines()
    assert len(lines) == 9
    for layer, violin in enumerate(axes.collections, start=1):
        values = same.loc[same["layer"] == layer, "cosine"]
        outline = violin.get_paths()[0].vertices
        np.testing.assert_allclose(outline[:, 1].min(), values.min())
        np.testing.assert_allclose(outline[:, 1].max(), values.max())
        np.testing.assert_allclose(outline[:, 0].mean(), layer - 1, atol=0.05)
        np.testing.assert_allclose(np.ptp(outline[:, 0]), 0.8, atol=0.05)
        drawn = [line.get_ydata()[0] for line in lines[3 * layer - 3 : 3 * layer]]
        np.testing.assert_allclose(drawn, values.quantile([0.25, 0.5, 0.75]))
        (color,) = violin.get_facecolor()
        np.testing.assert_allclose(color, SHADES(layer / 3))


def test_violins_take_a_table_of_named_steps():
    steps = pd.DataFrame({"step": list("aabb"), "cosine": [0.1, 0.2, 0.3, 0.5]})
    axes = violins_by_layer(steps, "cosine", x="step").axes[0]
    assert labels(axes.xaxis) == ["a", "b"]
    assert axes.get_xlabel() == "step"


def test_a_violin_of_one_value_is_drawn():
    same = pd.DataFrame({"layer": [1, 1, 2, 2], "cosine": [0.5, 0.5, 0.1, 0.3]})
    assert len(texts(show(violins_by_layer(same, "cosine"), ALT).data)) > 4


def test_numbers_have_a_true_minus_sign():
    written = texts(show(dots_by_layer([[-0.4, 0.2]], "x"), ALT).data)
    assert any(text.startswith("−0.") for text in written)
    assert not any(text.startswith("-") for text in written)


# --- Strips ------------------------------------------------------------------------------


def items(strip) -> list[tuple[str, str, str]]:
    """Return the style, token and value of each item of a strip."""
    found = ET.fromstring(strip.data).iter("li")
    return [(li.get("style"), li.findtext("bdi"), li.findtext("small")) for li in found]


def test_a_strip_names_each_token_and_its_value():
    strip = token_strip(["hope", "is", "the"], [0.123, 2, -1e-9], "norm")
    assert [(token, value) for _, token, value in items(strip)] == [
        ("hope", "0.12"),
        ("is", "2.00"),
        ("the", "0.00"),
    ]
    assert ET.fromstring(strip.data).findtext("figcaption") == "norm"


def test_a_strip_escapes_what_html_would_read():
    strip = token_strip(["<script>", "&amp;", '"'], [1, 2, 3], "a < b")
    assert [token for _, token, _ in items(strip)] == ["<script>", "&amp;", '"']
    assert ET.fromstring(strip.data).findtext("figcaption") == "a < b"


def test_a_strip_is_shaded_from_paper_up_to_what_text_can_stand_on():
    strip = token_strip(list("abcd"), [0, 0.5, 2, 1], "x")
    percents = [re.search(r"\) (\d+)%, transparent", style)[1] for style, _, _ in items(strip)]
    assert percents == ["0", "10", "40", "20"]
    assert "color-mix(in srgb, var(--lw-accent, currentColor) 40%, transparent)" in strip.data


@pytest.mark.parametrize("values", [[1], [1, 2, 3]])
def test_a_strip_without_a_value_for_each_token_is_refused(values):
    with pytest.raises(ValueError, match=f"2 tokens, but {len(values)} values"):
        token_strip(["a", "b"], values, "norm")


def test_patching_grid_draws_shares_beside_a_table():
    restored = [[0.0, 1.4], [-0.2, 0.25], [0.5, 0.75]]
    table = pd.DataFrame([[1.0, 0.25], [0.5, 0.98]], index=["none", "both"], columns=["a", "b"])
    figure = patching_grid(restored, ["The", "bee"], [0, 3, 6], table)
    grid, cells = figure.axes
    drawn = grid.images[0].get_array()
    np.testing.assert_allclose(drawn, [[0, 1], [0, 0.25], [0.5, 0.75]])
    assert grid.images[0].origin == "lower"
    assert grid.images[0].get_clim() == (0, 1)
    assert [label.get_text() for label in grid.get_yticklabels()] == ["0", "3", "6"]
    assert [label.get_text() for label in grid.get_xticklabels()] == ["The", "bee"]
    assert {text.get_position(): text.get_text() for text in cells.texts} == {
        (0, 0): "1.00", (1, 0): "0.25", (0, 1): "0.50", (1, 1): "0.98",
    }  # fmt: skip
    shade = cells.images[0].get_array()
    assert shade.max() <= BEHIND_TEXT
    assert shade[0, 1] == pytest.approx(shade[0, 0] / 4)
    assert [label.get_text() for label in cells.get_yticklabels()] == ["none", "both"]


def test_patching_grid_refuses_another_number_of_layers():
    with pytest.raises(ValueError, match=r"2 layers and 1 tokens need shares of shape"):
        patching_grid([[0.5]], ["a"], [0, 1], pd.DataFrame([[1.0]]))

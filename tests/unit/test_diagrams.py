"""Diagrams say what the model is: boxes where they belong, words inside, numbers computed."""

import xml.etree.ElementTree as ET
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from layerwise.figures import diagrams
from layerwise.figures.drawing import BORDERS, WIDTH, arrow

SVG = "{http://www.w3.org/2000/svg}"
# Unlike the book's models in every number, so that none of theirs can be typed in.
CONFIG = SimpleNamespace(
    hidden_size=120, num_hidden_layers=7, num_attention_heads=5, intermediate_size=1310
)
VOCABULARY = ["wel", "##we", "##w", "##etter", "we", "w", "##ell"]
TOKENS = ["a", "fly", "buzzed", "."]
SHARES = [0.2, 0.1, 0.55, 0.15]
VECTORS = np.array([[1.0, -2.0], [2.5, 3.0], [-1.0, 0.5], [9.0, 9.0]])


def all_diagrams():
    return {
        "model": diagrams.model_diagram(CONFIG, "attention"),
        "tokenizer": diagrams.tokenizer_diagram("welwetter", VOCABULARY),
        "attention": diagrams.attention_diagram(TOKENS, SHARES, 1, 120, 24),
        "heads": diagrams.heads_diagram(120, 5),
        "pooling": diagrams.pooling_diagram(list("abcd"), VECTORS, [1, 1, 1, 0]),
    }


def parse(picture) -> ET.Element:
    return ET.fromstring(picture.data).find(f"{SVG}svg")


def words_of(picture) -> list[str]:
    return [element.text for element in parse(picture).iter(f"{SVG}text")]


def boxes(picture, border: str) -> list[tuple[float, float, float, float]]:
    return [
        tuple(float(r.get(side)) for side in ("x", "y", "width", "height"))
        for r in parse(picture).iter(f"{SVG}rect")
        if r.get("style") == BORDERS[border]
    ]


def words_in(picture, box) -> list[str]:
    x, y, width, height = box
    return [
        t.text
        for t in parse(picture).iter(f"{SVG}text")
        if x < float(t.get("x")) < x + width and y < float(t.get("y")) < y + height
    ]


@pytest.mark.parametrize("name", all_diagrams())
def test_a_diagram_is_one_image_that_says_what_it_shows_and_fits_its_frame(name):
    picture = all_diagrams()[name]
    svg = parse(picture)
    width, height = (float(side) for side in svg.get("viewBox").split()[2:])
    assert svg.get("role") == "img"
    assert len(svg.get("aria-label").split()) > 15
    assert ET.fromstring(picture.data).findtext("figcaption")
    assert width == WIDTH <= 360 - 2 * 8  # a small phone, less its margins
    for rect in svg.iter(f"{SVG}rect"):
        x, y, w, h = (float(rect.get(side)) for side in ("x", "y", "width", "height"))
        assert min(x, y) >= 0
        assert x + w <= width
        assert y + h <= height
    for word in svg.iter(f"{SVG}text"):
        # sans-serif letters are at most about this wide on average
        x, length = float(word.get("x")), 0.62 * float(word.get("font-size")) * len(word.text)
        before = {"start": 0, "middle": 0.5, "end": 1}[word.get("text-anchor")]
        assert x - before * length >= 0, word.text
        assert x + (1 - before) * length <= width, word.text
        assert 0 < float(word.get("y")) <= height


@pytest.mark.parametrize("name", all_diagrams())
def test_a_diagram_is_in_the_pages_colours(name):
    page = all_diagrams()[name].data
    for part in ("fill", "stroke"):
        values = {piece.split(";")[0].split('"')[0] for piece in page.split(f"{part}: ")[1:]}
        assert values <= {"none", "currentColor", "var(--lw-accent, #2484a5)"}


def test_borders_differ_without_colour():
    assert "stroke-width: 3" in BORDERS["now"]
    assert "stroke-dasharray" in BORDERS["later"]
    assert "stroke-dasharray" not in BORDERS["plain"] + BORDERS["now"]


@pytest.mark.parametrize(("now", "words"), [
    ("tokens", "tokenizer"), ("embeddings", "embeddings"), ("attention", "attention"),
    ("feed-forward", "feed-forward"), ("layers", "layers 2 to 7"), ("output", "output"),
])  # fmt: skip
def test_the_part_one_is_at_is_marked_and_the_later_ones_are_dashed(now, words):
    picture = diagrams.model_diagram(CONFIG, now)
    (marked,) = boxes(picture, "now")
    assert words_in(picture, marked)[0] == words
    n_later = len(diagrams.PARTS) - diagrams.PARTS.index(now) - 1
    assert len(boxes(picture, "later")) == n_later
    assert f"Marked: {now}." in parse(picture).get("aria-label")


def test_the_whole_model_has_nothing_marked_or_dashed():
    picture = diagrams.model_diagram(CONFIG)
    assert not boxes(picture, "now") + boxes(picture, "later")
    assert "to come" not in picture.data


def test_the_models_numbers_are_its_own():
    words = " ".join(words_of(diagrams.model_diagram(CONFIG)))
    for number in ["5 heads", "120 → 1,310 → 120", "layers 2 to 7", "hidden state 7"]:
        assert number in words


def test_the_parts_stand_below_each_other_in_the_order_of_the_data():
    picture = parse(diagrams.model_diagram(CONFIG))
    y = {t.text: float(t.get("y")) for t in picture.iter(f"{SVG}text")}
    order = ["tokenizer", "embeddings", "attention", "feed-forward", "layers 2 to 7", "output"]
    assert all(y[above] < y[below] for above, below in pairwise(order))


def test_two_lines_in_a_box_stand_as_in_every_other():
    picture = diagrams.model_diagram(CONFIG)
    texts = list(parse(picture).iter(f"{SVG}text"))
    lines = {t.text: float(t.get("y")) for t in texts if float(t.get("x")) == WIDTH / 2}
    two = [box for box in boxes(picture, "plain") if len(words_in(picture, box)) == 2]
    assert two.pop(3)[3] == 50  # the one that stands for several layers is taller
    assert len(two) == 4
    for box in two:
        first, second = (lines[words] - box[1] for words in words_in(picture, box))
        assert (first, second) == (18, 36), box


def test_the_parts_of_the_model_stand_in_one_column():
    parts = [box for box in boxes(diagrams.model_diagram(CONFIG), "plain") if box[2] > 90]
    assert len(parts) == 7
    assert {x + width / 2 for x, _, width, _ in parts} == {WIDTH / 2}
    lookups = {"word", "position", "token type", "+"}
    words = [t for t in parse(diagrams.model_diagram(CONFIG)).iter(f"{SVG}text")]
    middle = [t for t in words if t.get("text-anchor") == "middle" and t.text not in lookups]
    assert {float(t.get("x")) for t in middle} == {WIDTH / 2}
    at = {(t.text, float(t.get("x"))): t.get("y") for t in words if t.text in lookups}
    assert [text for text, x in sorted(at, key=lambda place: place[1])] == [
        "word", "+", "position", "+", "token type",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "n_from", "n_to"), [("model", 6, 5), ("heads", 5, 10), ("attention", 2, 2)]
)
def test_arrows_lead_from_box_to_box(name, n_from, n_to):
    """Some begin or end at words: so many begin at the lower edge of a box, or end at one."""
    picture = all_diagrams()[name]
    drawn = [box for border in BORDERS for box in boxes(picture, border)]
    lines = [line.get("points").split() for line in parse(picture).iter(f"{SVG}polyline")][::2]
    ends = [[tuple(map(float, point.split(","))) for point in line] for line in lines]

    def at_edge(point, lower):
        return any(
            x < point[0] < x + width and point[1] == y + lower * height
            for x, y, width, height in drawn
        )

    assert sum(at_edge(line[0], lower=True) for line in ends) == n_from
    assert sum(at_edge(line[-1], lower=False) for line in ends) == n_to


def test_what_comes_in_goes_around_each_part_of_a_layer():
    """From the middle line out to the right, down beside the part, and to the sum below it."""
    picture = diagrams.model_diagram(CONFIG)
    lines = [line.get("points") for line in parse(picture).iter(f"{SVG}polyline")]
    around = [line.split() for line in lines if len(line.split()) == 4]
    texts = [t for t in parse(picture).iter(f"{SVG}text") if t.text == "add, LayerNorm"]
    for points, part in zip(around, ["attention", "feed-forward"], strict=True):
        out, corner, down, end = (tuple(map(float, point.split(","))) for point in points)
        of_layer = [box for box in boxes(picture, "plain") if box[2] == 240]
        ((x, y, width, height),) = [b for b in of_layer if part in words_in(picture, b)]
        assert out[0] == WIDTH / 2
        assert corner[0] == down[0] > x + width
        assert out[1] == corner[1] < y < y + height < down[1] == end[1]
        assert WIDTH / 2 < end[0] < down[0]
        assert end[1] + 4 in {float(t.get("y")) for t in texts}


def test_columns_of_a_look_stand_below_their_names():
    """Each key, share and value in its row, in the column that is named above."""
    svg = parse(all_diagrams()["attention"])
    at = {t.text: (float(t.get("x")), float(t.get("y"))) for t in svg.iter(f"{SVG}text")}
    heads = [at[name] for name in ("token", "key", "share", "value")]
    assert len({y for _, y in heads}) == 1
    rows = boxes(all_diagrams()["attention"], "plain")
    small = [box for box in rows if box[2] == 44]
    keys, values = ([box for box in small if box[0] < x < box[0] + 44] for x in (118, 302))
    assert len(keys) == len(values) == len(TOKENS)
    assert {x + width / 2 for x, _, width, _ in keys} == {at["key"][0]}
    assert {x + width / 2 for x, _, width, _ in values} == {at["value"][0]}
    bars = [r for r in svg.iter(f"{SVG}rect") if r.get("rx") is None]
    assert {float(bar.get("x")) for bar in bars} == {at["share"][0]}
    numbers = [t for t in svg.iter(f"{SVG}text") if t.text.startswith("0.")]
    assert {t.get("font-size") for t in numbers} == {"12"}  # as their names above
    for token, share, key, bar in zip(TOKENS, SHARES, keys, bars, strict=True):
        assert at[token][1] == at[f"{share:.2f}"][1] == key[1] + 16
        assert float(bar.get("y")) + float(bar.get("height")) / 2 == key[1] + key[3] / 2


def test_a_long_token_is_cut_where_its_key_begins():
    picture = diagrams.attention_diagram(["a" * 11, "b" * 12], [0.25, 0.75], 0, 120, 24)
    assert {"a" * 11, "b" * 10 + "…"} <= set(words_of(picture))


def test_a_look_ends_to_the_right_where_its_parts_do():
    picture = all_diagrams()["attention"]
    (query, mixture), rows = boxes(picture, "now"), boxes(picture, "plain")
    assert query[0] + query[2] == rows[0][0] + rows[0][2]  # the token's numbers, above it
    assert mixture[0] + mixture[2] == rows[-1][0] + rows[-1][2]  # the values, above it


def test_columns_of_pooling_do_not_touch_and_have_their_names_above():
    picture = all_diagrams()["pooling"]
    drawn = boxes(picture, "plain") + boxes(picture, "later") + boxes(picture, "now")
    columns = sorted({(x, width) for x, _, width, _ in drawn})
    assert all(x + width + 3 <= other for (x, width), (other, _) in pairwise(columns))
    names = sorted(
        float(t.get("x")) for t in parse(picture).iter(f"{SVG}text") if t.get("y") == "20.0"
    )
    assert names == [x + width / 2 for x, width in columns]


def test_what_passes_is_named_beside_its_arrow():
    """Its name to the left, its shape to the right, on one line between two boxes."""
    texts = list(parse(diagrams.model_diagram(CONFIG)).iter(f"{SVG}text"))
    for label in ["hidden state 0", "hidden state 1", "hidden state 7"]:
        i = next(i for i, element in enumerate(texts) if element.text == label)
        name, shape = texts[i : i + 2]
        assert shape.text == "(tokens, 120)"
        assert (name.get("text-anchor"), shape.get("text-anchor")) == ("end", "start")
        assert [float(t.get("x")) - WIDTH / 2 for t in (name, shape)] == [-8, 8]
        assert name.get("y") == shape.get("y")


def test_heads_of_arrows_open_evenly_to_where_they_come_from():
    """Down, up, to the right, and askew."""
    ways = [((9, 2), (9, 30)), ((9, 30), (9, 2)), ((1, 5), (40, 5)), ((2, 3), (23, 31))]
    for start, end in ways:
        line, head = (
            np.array([point.split(",") for point in lines.get("points").split()], float)
            for lines in ET.fromstring(f"<g>{arrow(start, end)}</g>")
        )
        assert (line == [start, end]).all()
        left, tip, right = head
        assert tuple(tip) == end
        along = (np.array(end) - start) / np.hypot(*(np.array(end) - start))
        assert (tip - left) @ along == pytest.approx(6, abs=0.1)
        assert (tip - right) @ along == pytest.approx(6, abs=0.1)
        assert (left + right) / 2 == pytest.approx(tip - 6 * along, abs=0.1)
        assert np.hypot(*(left - right)) == pytest.approx(8, abs=0.1)


def test_an_unknown_part_is_named():
    with pytest.raises(ValueError, match="no part 'pooler': use one of"):
        diagrams.model_diagram(CONFIG, "pooler")


def test_the_tokenizer_tries_the_longest_first():
    assert diagrams.spelling_attempts("well", VOCABULARY) == [
        (0, 4, False), (0, 3, True), (3, 4, False),
    ]  # fmt: skip
    assert diagrams.spelling_attempts("weww", VOCABULARY) == [
        (0, 4, False), (0, 3, False), (0, 2, True), (2, 4, False), (2, 3, True), (3, 4, True),
    ]  # fmt: skip


def test_the_tokenizer_is_drawn_row_by_row_as_it_tries():
    picture = diagrams.tokenizer_diagram("weww", VOCABULARY)
    verdicts = [word for word in words_of(picture) if len(word) > 1]
    assert verdicts == ["no", "no", "✓ we", "no", "✓ ##w", "✓ ##w"]
    kept = boxes(picture, "now")  # two letters in the third row, one in the fifth and sixth
    assert [words_in(picture, box) for box in kept] == [["w"], ["e"], ["w"], ["w"]]
    assert kept[0][1] == kept[1][1] < kept[2][1] < kept[3][1]
    assert kept[3][0] > kept[2][0] > kept[1][0] > kept[0][0]  # each letter in its column
    assert kept[1][0] - kept[0][0] == kept[0][3] == 24  # on a square grid, where there is room


def test_a_word_that_cannot_be_spelled_says_so():
    page = diagrams.tokenizer_diagram("well", VOCABULARY).data
    assert "[UNK]" in page


@pytest.mark.parametrize("word", ["", "a" * 21])
def test_a_word_that_does_not_fit_is_refused(word):
    with pytest.raises(ValueError, match=f"has {len(word)} letters"):
        diagrams.tokenizer_diagram(word, VOCABULARY)


def test_the_models_tokenizer_makes_the_pieces_that_are_drawn(encoder):
    vocabulary = encoder.tokenizer.get_vocab()
    for word in ["bobolink", "alabaster", "light", "boanerges"]:
        caption = ET.fromstring(diagrams.tokenizer_diagram(word, vocabulary).data)[1].text
        assert caption.endswith(": " + " ".join(encoder.tokenizer.tokenize(word)) + ".")


def test_bars_are_as_long_as_their_shares():
    picture = parse(all_diagrams()["attention"])
    bars = [r for r in picture.iter(f"{SVG}rect") if r.get("rx") is None]
    lengths = np.array([float(bar.get("width")) for bar in bars])
    assert lengths / lengths.sum() == pytest.approx(SHARES, abs=0.01)
    tops = [float(bar.get("y")) for bar in bars]
    assert tops == sorted(tops)


def test_a_look_says_who_looks_and_what_it_sees_most():
    words = words_of(all_diagrams()["attention"])
    assert {"“fly”: 120 numbers", "its query: 24"} <= set(words)
    label = parse(all_diagrams()["attention"]).get("aria-label")
    assert "fly 0.10, buzzed 0.55" in label
    assert "Largest: buzzed" in label


def test_shares_without_their_tokens_are_refused():
    with pytest.raises(ValueError, match="3 tokens and 4 shares"):
        diagrams.attention_diagram(["a", "b", "c"], SHARES, 0, 120, 24)


def test_heads_are_numbered_from_left_to_right_and_as_wide_as_each_other():
    picture = diagrams.heads_diagram(120, 5)
    drawn = boxes(picture, "now")
    assert [words_in(picture, box) for box in sorted(drawn)] == [[str(n)] for n in range(1, 6)]
    assert len({box[2] for box in drawn}) == 1
    assert any("on 24" in word for word in words_of(picture))
    with pytest.raises(ValueError, match="120 dimensions cannot be cut into 7"):
        diagrams.heads_diagram(120, 7)


def test_pooling_leaves_padding_out():
    picture = all_diagrams()["pooling"]
    columns = {}
    for box in sorted(boxes(picture, "now")):
        columns.setdefault(box[0], []).extend(words_in(picture, box))
    assert list(columns.values()) == [["1.0", "−2.0"], ["0.8", "0.5"], ["2.5", "3.0"]]
    padding = boxes(picture, "later")
    assert [words_in(picture, box) for box in padding] == [["9.0"], ["9.0"]]


@pytest.mark.parametrize(("tokens", "vectors", "mask"), [
    (list("abc"), VECTORS, [1, 1, 1]),
    (list("abcd"), VECTORS, [0, 0, 0, 0]),
    (list("abcdef"), np.ones((6, 2)), [1] * 6),
    (list("abcd"), VECTORS[:, 0], [1] * 4),
])  # fmt: skip
def test_what_cannot_be_pooled_is_refused(tokens, vectors, mask):
    with pytest.raises(ValueError, match=f"{len(tokens)} tokens, vectors of shape"):
        diagrams.pooling_diagram(tokens, vectors, mask)

"""Poems are loaded as they were printed, and verse is set as verse."""

import xml.etree.ElementTree as ET

import pytest

from layerwise.texts.poems import load_poems, poem_html, show_poem, split_stanzas

TWO_STANZAS = "Wild nights!\nWere I with thee,\n\nFutile the winds"
SPLIT = [["Wild nights!", "Were I with thee,"], ["Futile the winds"]]


def parsed(page: str) -> ET.Element:
    return ET.fromstring(page.replace("<br>", "<br/>"))


def lines(page: str) -> list[list[str]]:
    """Return the lines of each stanza as a reader sees them."""
    return [[span.text for span in stanza.iter("span")] for stanza in parsed(page).iter("p")]


@pytest.mark.parametrize(
    "text",
    [
        TWO_STANZAS,
        TWO_STANZAS.replace("\n", "\r\n"),
        TWO_STANZAS.replace("\n", "\r"),
        TWO_STANZAS.replace("\n", "\u2028"),
        TWO_STANZAS.replace("\n\n", "\n \t\n"),
        TWO_STANZAS.replace("\n\n", "\n\n\n \n\n"),
        TWO_STANZAS.replace("\n\n", "\r\n\xa0\r\n"),
        TWO_STANZAS.replace("\n\n", "\n\u200b\n"),
        TWO_STANZAS.replace("\n\n", "\n \u200b\xad \n\u2060\n"),
        TWO_STANZAS.replace("\n", "\u200b \ufeff\n\ufeff"),
        "\ufeff" + TWO_STANZAS,
        "\ufeff" + "\n".join("  " + line for line in TWO_STANZAS.split("\n")),
        "\ufeff" + "\n".join("\t" + line for line in TWO_STANZAS.split("\n")),
        f"\n\n  \n{TWO_STANZAS}\n\n \n",
        TWO_STANZAS.replace("\n", "  \t\n"),
        "\n".join("    " + line for line in TWO_STANZAS.split("\n")),
        "\n".join("\t" + line for line in TWO_STANZAS.split("\n")),
    ],
)
def test_stanzas_are_found_whatever_line_ends_and_blanks_a_text_has(text):
    assert split_stanzas(text) == SPLIT
    assert lines(poem_html(text)) == SPLIT


def test_a_line_keeps_what_it_is_indented_by_more_than_the_others():
    text = "  It sifts\n    from leaden\n\n\tsieves,\n  it powders"
    assert split_stanzas(text) == [["It sifts", "  from leaden"], ["  sieves,", "it powders"]]
    assert lines(poem_html(text)) == [
        ["It sifts", "\xa0\xa0from leaden"],
        ["\xa0\xa0sieves,", "it powders"],
    ]
    indented_first = poem_html("    Hope is\nthe thing")
    assert lines(indented_first) == [["\xa0\xa0\xa0\xa0Hope is", "the thing"]]


def test_verse_is_escaped():
    page = poem_html("a < b & c > d", "<i>", 'x & "y"', name='n"')
    root = parsed(page)
    assert root.find(".//span").text == "a < b & c > d"
    assert root.find(".//span").get("id") == 'n"-line-1'
    assert root.findtext("p[@class='poem-title']") == "<i>"
    assert root.findtext("figcaption") == 'x & "y"'


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("'Tis so", "’Tis so"),
        ("I'm nobody", "I’m nobody"),
        ('"Hope" is', "“Hope” is"),
        ('said "the thing"', "said “the thing”"),
        ('("with feathers")', "(“with feathers”)"),
        ('["with"]', "[“with”]"),
        ('he said—"come"', "he said—“come”"),
        ('"Two swimmers—"', "“Two swimmers—”"),
        ('feathers" ', "feathers”"),
        ("“done” ’tis", "“done” ’tis"),
    ],
)
def test_quotation_marks_and_apostrophes_are_those_of_print(typed, printed):
    assert lines(poem_html(typed)) == [[printed]]


def test_lines_are_numbered_through_stanzas_and_every_fifth_shows_it():
    text = "\n".join(f"line {i}" + "\n" * (i % 3 == 0) for i in range(1, 12))
    spans = list(parsed(poem_html(text, name="poem-7")).iter("span"))
    assert [span.get("id") for span in spans] == [f"poem-7-line-{i}" for i in range(1, 12)]
    assert {span.text: span.get("data-line") for span in spans if span.get("data-line")} == {
        "line 5": "5",
        "line 10": "10",
    }
    assert all(span.get("class") == "line" and span.find("br") is not None for span in spans)


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_poem_without_title_source_and_name_has_only_lines(blank):
    root = parsed(poem_html("Hope", blank, blank))
    assert root.get("class") == "poem"
    assert [child.get("class") for child in root] == ["stanza"]
    assert "id" not in root.find(".//span").attrib


@pytest.mark.parametrize("text", ["", " \n\t\n", "\ufeff\n\u200b"])
def test_a_poem_without_a_line_is_refused(text):
    with pytest.raises(ValueError, match="a poem without a line cannot be set"):
        poem_html(text)


def test_a_poem_of_the_collection_is_shown_with_its_source():
    poem = load_poems().iloc[7]
    root = parsed(show_poem(poem).data)
    assert root.findtext("p[@class='poem-title']") == poem["title"]
    source = f"Emily Dickinson, Poems, series {poem['series']} ({poem['year']})"
    assert root.findtext("figcaption") == source
    assert root.find(".//span").get("id") == "poem-8-line-1"
    shown = [span.text for span in root.iter("span")]
    assert len(shown) == len([line for line in poem["text"].split("\n") if line])


def test_every_poem_of_the_collection_is_set_line_by_line():
    for text in load_poems()["text"]:
        shown = lines(poem_html(text))
        printed = [stanza.split("\n") for stanza in text.split("\n\n")]
        assert [len(stanza) for stanza in shown] == [len(stanza) for stanza in printed]
        assert '"' not in str(shown[0][0])

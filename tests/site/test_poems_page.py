"""The page of all poems: every one, word for word, line by line, with its neighbours."""

import html
import re

import pytest
from site_checks import opened

from layerwise.texts.poems import load_poems

POEMS = load_poems()


@pytest.fixture(scope="module")
def page(site_folder) -> str:
    return (site_folder / "poems.html").read_text("utf-8")


def in_print(line: str) -> str:
    """Return a line as it is set: quotation marks curved."""
    return line.replace("'", "’").replace('"', "”")


def test_every_line_of_every_poem_has_its_address(page):
    shown = dict(
        re.findall(r'<span class="line" id="(poem-\d+-line-\d+)"[^>]*>(.*?)<br>', page)
    )
    lines = {
        f"poem-{poem.number}-line-{i}": in_print(line)
        for poem in POEMS.itertuples()
        for i, line in enumerate(filter(None, poem.text.split("\n")), start=1)
    }
    assert shown.keys() == lines.keys()
    assert {k: html.unescape(v).replace("“", "”") for k, v in shown.items()} == lines


def test_poems_stand_by_theme(page):
    order = [int(number) for number in re.findall(r'<section [^>]*id="poem-(\d+)"', page)]
    themes = POEMS.set_index("number")["theme"][order].tolist()
    assert len(order) == len(POEMS)
    assert sorted(themes) == themes


@pytest.mark.parametrize("column", ["theme", "year"])
def test_neighbours_lead_through_all_poems(page, column):
    """Following next from the first poem of an order passes every poem, and prev leads back."""
    turns = {}
    for number, body in re.findall(
        r'<section [^>]*id="poem-(\d+)".*?<nav class="poem-turn"(.*?)</nav>', page, re.DOTALL
    ):
        rows = re.findall(r"<p>(.*?)</p>", body)
        assert len({row.split("</span>")[1] for row in rows}) == len(rows)  # equal ones are one
        line = rows[{"theme": 0, "year": -1}[column]]
        turns[int(number)] = {
            rel: int(target)
            for rel, target in re.findall(r'rel="(\w+)" href="#poem-(\d+)"', line)
        }
    start = next(number for number, turn in turns.items() if "prev" not in turn)
    passed = [start]
    while (following := turns[passed[-1]].get("next")) is not None:
        assert turns[following]["prev"] == passed[-1]
        passed.append(following)
    assert sorted(passed) == sorted(POEMS["number"])
    values = POEMS.set_index("number")[column][passed].tolist()
    assert values == sorted(values)


def test_a_wide_screen_has_two_poems_beside_each_other(chromium, site):
    for width, n_columns in [(360, 1), (1280, 2)]:
        with opened(chromium, f"{site}poems.html", width, "light") as page:
            left = page.locator(".one-poem").evaluate_all(
                "poems => poems.map(poem => poem.getBoundingClientRect().left)"
            )
            assert len(set(left)) == n_columns
            years = page.locator("#by-year").bounding_box()
            assert years["y"] < page.locator(".one-poem").first.bounding_box()["y"]


@pytest.mark.parametrize("width", [360, 1280])
def test_a_link_arrives_at_its_line_and_marks_it(chromium, site, width):
    with opened(chromium, f"{site}poems.html#poem-17-line-3", width, "light") as page:
        line = page.locator("#poem-17-line-3")
        page.wait_for_function(
            "(e) => ((y) => 60 < y && y < 600)(e.getBoundingClientRect().y)",
            arg=line.element_handle(),
        )
        page.wait_for_timeout(300)  # and stays there
        assert 60 < line.bounding_box()["y"] < 600
        assert line.evaluate("e => getComputedStyle(e).backgroundColor") != "rgba(0, 0, 0, 0)"
        other = page.locator("#poem-17-line-4")
        assert other.evaluate("e => getComputedStyle(e).backgroundColor") == "rgba(0, 0, 0, 0)"

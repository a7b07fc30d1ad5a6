"""<senses-explorer>: what it shows as near is near, and all of it can be reached."""

import json
from collections import Counter
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from explorer_pages import open_page, opened, set_slider

from layerwise.occurrences import embed_places, nearest_elsewhere
from tools.explorers.senses import MOST

pytest_plugins = ("explorer_fixtures",)

ELEMENT = "senses-explorer"
CHAPTER = Path(__file__).parents[2] / "chapters" / "vectors.md"


senses = opened(ELEMENT)


@pytest.fixture(scope="module")
def made(explorer_assets):
    return json.loads((explorer_assets / "senses.json").read_text("utf-8"))


def shown(page):
    """Return the passage, and of each of the nearest its line, who said it, the verdict."""
    near = page.locator(f"{ELEMENT} .nearest button").evaluate_all(
        """(buttons) => buttons.map((button) => [
          button.querySelector("bdi").textContent,
          button.querySelector(".by").textContent.trim(),
          button.querySelector("b")?.textContent.trim() ?? "", button.className])"""
    )
    return page.locator(f"{ELEMENT} .passage bdi").text_content(), near


def line(place):
    return f"… {place['before']}{place['found']}{place['after']} …"


def test_it_holds_as_many_places_as_the_chapter_says(made):
    assert "forty places of each sense" in CHAPTER.read_text("utf-8")
    assert MOST == 40
    for each in made["words"]:  # of the first speeches, here
        one, other = Counter(place["found"] for place in each["places"]).values()
        assert one == other <= MOST, each["word"]


@pytest.mark.parametrize(("word", "number", "layer"), [("may", 3, 6), ("house", 11, 2)])
def test_what_is_near_is_what_the_model_says(senses, made, encoder, word, number, layer):
    senses.locator("#word").select_option(label=word)
    senses.locator("#place").select_option(str(number))
    set_slider(senses, "layer", layer)
    places = next(each["places"] for each in made["words"] if each["word"] == word)
    texts = [(p["before"] + p["found"] + p["after"]).lower() for p in places]
    starts = [(i, len(place["before"])) for i, place in enumerate(places)]
    vectors = embed_places(texts, starts, encoder)
    order = nearest_elsewhere(vectors[layer], [p["speaker"] for p in places])[number]
    passage, near = shown(senses)
    assert passage == line(places[number])
    assert [each[0] for each in near] == [line(places[i]) for i in order]
    assert [each[1].split(",")[0] for each in near] == [places[i]["speaker"] for i in order]
    same = [(places[i]["found"] == places[number]["found"]) for i in order]
    assert [each[2] for each in near] == [
        "same sense" if each else "other sense" for each in same
    ]
    status = senses.locator(f"{ELEMENT} .status").text_content()
    assert f"layer {layer}, by other speakers, {sum(same)} have" in status
    cells = senses.locator(f"{ELEMENT} tbody tr").nth(0).locator("td").all_text_contents()
    assert cells[layer] == str(sum(same))


def test_the_share_of_all_places_is_counted(senses, made):
    senses.locator("#word").select_option(label="march")
    each = next(each for each in made["words"] if each["word"] == "march")
    found = [place["found"] for place in each["places"]]
    cells = senses.locator(f"{ELEMENT} tbody tr").nth(1).locator("td").all_text_contents()
    for layer, cell in enumerate(cells):
        right = [found[i] == found[j] for i, near in enumerate(each["nearest"][layer])
                 for j in near]
        assert abs(float(cell.rstrip("%")) - 100 * sum(right) / len(right)) <= 0.5
    assert cells[0] != cells[-1]


def test_the_key_can_be_hidden(senses):
    senses.locator("#word").select_option(label="house")
    senses.locator("#hide").check()
    passage, near = shown(senses)
    assert passage == passage.lower()
    assert all(text == text.lower() for text, *_ in near)
    # neither a word nor the line at the side says which are right
    assert {(verdict, kind) for *_, verdict, kind in near} == {("", "")}
    assert set(senses.locator(f"{ELEMENT} tbody td").all_text_contents()) == {"?"}
    assert "Which have" in senses.locator(f"{ELEMENT} .status").text_content()


def test_one_goes_on_from_a_neighbour_and_a_link_leads_back(senses, context):
    _, near = shown(senses)
    senses.locator(f"{ELEMENT} .nearest button").nth(1).press("Enter")
    assert shown(senses)[0] == near[1][0]
    set_slider(senses, "layer", 0)
    address = senses.locator(f"{ELEMENT} .provenance a").evaluate("(link) => link.href")
    other = open_page(context, address, ELEMENT)
    assert shown(other) == shown(senses)
    assert other.locator("#layer").input_value() == "0"
    other.evaluate(f"location.hash = '#{ELEMENT}:word=none&place=999&layer=77'")
    other.wait_for_function(f"document.querySelector('{ELEMENT}').chosen === 0")
    assert other.problems == []


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (1280, "dark"), (360, "light")])
def test_it_is_accessible_and_nothing_moves(explorer_browser, pages, width, theme):
    context = explorer_browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme
    )
    page = open_page(context, pages[ELEMENT], ELEMENT)
    violations = Axe().run(page).response["violations"]
    assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []
    top = "document.getElementById('below').getBoundingClientRect().top + scrollY"
    before = page.evaluate(top)
    for word in ("march", "general", "union"):
        page.locator("#word").select_option(label=word)
        assert page.evaluate(top) == before
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    room, filled = page.evaluate(
        f"""() => [document.querySelector("{ELEMENT}"),
        document.querySelector("{ELEMENT}").shadowRoot.querySelector("section")]
        .map((part) => part.getBoundingClientRect().height)"""
    )
    assert room - filled < 40  # pixels: no more is kept than is needed
    context.close()

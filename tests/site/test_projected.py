"""A chapter shown to a class: by keyboard alone, what is asked before what comes out."""

import pytest

from tools.classroom.plans import named_section, read_steps
from tools.desk import ROOT

VISIBLE = """() => ({
  screens: [...document.querySelectorAll(
      "article section > :is(h1, h2, h3, h4), .exercise > .admonition-title")]
    .filter((heading) => heading.checkVisibility()).map((heading) => heading.textContent),
  inputs: [...document.querySelectorAll(".cell")].map((cell) => [
    cell.querySelector(":scope > .cell_input")?.checkVisibility() ?? false,
    cell.querySelector(":scope > .cell_output")?.checkVisibility() ?? false,
  ]),
  open: document.querySelectorAll("details[open]").length,
  place: document.querySelector(".projected-place").textContent,
  top: scrollY,
})"""


@pytest.fixture
def page(chromium):
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    yield page
    assert page.errors == []
    page.close()


def show(page, address: str, section: str = "") -> None:
    page.goto(f"{address.rstrip('/')}/chapters/tokens.html?project{section}")
    page.wait_for_selector(".projected-place")


def test_a_clicker_leads_through_the_chapter_and_every_answer_comes_after_its_question(
    page, site
):
    show(page, site)
    seen = page.evaluate(VISIBLE)
    asked, answered, places = set(), set(), [seen["place"]]
    for _ in range(1000):
        assert len(seen["screens"]) == 1
        assert seen["open"] == 0  # no solution opens by itself
        for number, (code, output) in enumerate(seen["inputs"]):
            if code and not output:
                asked.add(number)
            if code and output:
                assert number in asked
                answered.add(number)
        page.keyboard.press("PageDown")
        before, seen = seen, page.evaluate(VISIBLE)
        if seen == before and not seen["place"].endswith("…"):  # questions come one by one
            break
        places.append(seen["place"])
    n_screens = page.locator("article section:has(> :is(h1, h2, h3)), .exercise").count()
    total = int(places[0].split()[2])
    assert places[-1] == f"{total} / {total}"
    assert n_screens <= total < 1.5 * n_screens  # sections go on after an exercise
    assert len(seen["inputs"]) > len(asked) >= len(answered) > 20
    page.keyboard.press("Home")
    assert page.evaluate(VISIBLE)["place"] == places[0]


def test_it_needs_no_server(page, site_folder):
    show(page, site_folder.as_uri(), "#input-ids")
    first = page.evaluate(VISIBLE)
    assert len(first["screens"]) == 1
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    assert page.evaluate(VISIBLE)["inputs"] != first["inputs"]


def test_back_is_the_way_that_one_came(page, site):
    show(page, site, "#subword-tokenization")
    first = page.evaluate(VISIBLE)
    page.keyboard.press("End")
    assert page.evaluate(VISIBLE)["screens"] != first["screens"]
    show(page, site, "#subword-tokenization")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.evaluate(VISIBLE) != first
    for _ in range(9):
        page.keyboard.press("ArrowLeft")
        if page.evaluate(VISIBLE)["inputs"] == first["inputs"]:
            break
    assert page.evaluate(VISIBLE)["screens"] == first["screens"]


def test_a_key_opens_the_answers_of_a_screen(page, site):
    show(page, site, "#test-yourself")
    shown = page.locator("#test-yourself details:visible")
    assert shown.count() == 0
    page.keyboard.press("PageDown")  # the first question
    n_answers = shown.count()
    assert page.locator("#test-yourself details").count() > n_answers > 2
    assert page.evaluate(VISIBLE)["open"] == 0
    page.keyboard.press("a")
    assert page.evaluate(VISIBLE)["open"] == n_answers
    page.keyboard.press("a")
    assert page.evaluate(VISIBLE)["open"] == 0


def test_an_explorer_is_live_and_keeps_its_keys(page, site):
    show(page, site)
    section = page.evaluate(
        "document.querySelector('token-explorer').closest('section').id"
    )
    show(page, site, f"#{section}")
    for _ in range(40):
        if page.locator("token-explorer").is_visible():
            break
        page.keyboard.press("PageDown")
    field = page.locator("token-explorer input, token-explorer textarea").first
    field.fill("A bobolink at noon")
    before = page.evaluate(VISIBLE)["place"]
    for key in ("ArrowRight", "a", "n", " "):
        page.keyboard.press(key)
    assert page.evaluate(VISIBLE)["place"] == before
    page.wait_for_function(
        "document.querySelector('token-explorer').shadowRoot?.textContent.includes('bo') ||"
        "document.querySelector('token-explorer').textContent.includes('##')"
    )


def test_the_notes_are_the_plans(page, site):
    steps = read_steps((ROOT / "teaching" / "plans" / "tokens.md").read_text("utf-8"))
    step = next(step for step in steps if named_section(step) == "Padding and truncation")
    show(page, site, "#padding-and-truncation")
    with page.expect_popup() as opened:
        page.keyboard.press("n")
    notes = opened.value
    text = notes.locator("body").inner_text()
    assert text.startswith("Padding and truncation")
    assert f"{step.minutes} min · {step.kind}" in text
    assert step.how in text
    for _ in range(30):  # a key pressed in the window of the notes turns the pages too
        notes.keyboard.press("PageDown")
        if "Padding and truncation" != notes.locator("h1").inner_text():
            break
    assert notes.locator("h1").inner_text() != "Padding and truncation"
    notes.close()


def test_nothing_leaves_the_projector(page, site):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    show(page, site)
    for _ in range(20):
        page.keyboard.press("PageDown")
    assert any("/project.js" in url for url in asked)
    assert {url.split("/chapters/")[0].split("/_static/")[0] for url in asked
            if url.startswith("http")} == {site.rstrip("/")}  # fmt: skip


def test_an_ordinary_page_fetches_none_of_it(page, site):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site}chapters/tokens.html")
    page.wait_for_selector("html.ready")
    assert not [url for url in asked if "project" in url]


def test_escape_leads_back_to_the_section(page, site):
    show(page, site, "#padding-and-truncation")
    page.keyboard.press("Escape")
    page.wait_for_url("**/tokens.html#padding-and-truncation")
    assert page.locator(".projected-place").count() == 0

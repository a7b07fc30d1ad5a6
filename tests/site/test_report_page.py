"""The page that `layerwise report` writes, opened from its folder as by a double click."""

import io
import subprocess
import sys

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from layerwise.report.html import list_html

TRICKY = '<img src=x onerror="document.title=1"> </script> “quoted” & 𝔘nicode'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A report on verses of the poems, one of which would like to be a program."""
    from layerwise.texts.poems import load_poems

    folder = tmp_path_factory.mktemp("report")
    poems = load_poems().head(24)
    texts = poems["text"].str.split("\n\n").str[0].tolist()
    # Prose has no lines: its first words make a title of any length.
    texts[8:16] = [text.replace("\n", " ") for text in texts[8:16]]
    texts[5] = TRICKY + " " + texts[5]
    table = pd.DataFrame({"text": texts, "theme": poems["series"].astype(str)})
    table.to_json(folder / "verses.json", orient="records")
    command = [sys.executable, "-m", "layerwise", "report", "verses.json", "--text", "text"]
    command += ["--label", "theme", "--device", "cpu", "--as-is"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return folder / "verses-report"


@pytest.fixture(params=[("light", 1200), ("dark", 390)], ids=["desktop", "phone"])
def page(request, folder, chromium):
    scheme, width = request.param
    page = chromium.new_page(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / "index.html").as_uri())
    yield page
    assert wrong == []
    assert [url for url in asked if not url.startswith("file:")] == []
    page.close()


def test_the_page_fits_and_is_accessible(page):
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == page.viewport_size["width"]
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.locator("figure svg[role=img]").count() == 7  # one of them the explorer's


def test_text_is_text_and_never_a_program(page):
    cell = page.locator("#texts-table td.text").nth(5)
    assert TRICKY in cell.inner_text()
    assert page.locator("#texts-table img").count() == 0
    assert page.title() == "verses.json, layer by layer"


def test_searching_and_following_a_neighbour(page, folder):
    rows = page.locator("#texts-table tbody tr")
    assert rows.count() == 24
    page.get_by_label("Search").fill("feathers soul")
    assert rows.count() == 1
    assert {mark.lower() for mark in page.locator("mark").all_inner_texts()} == {
        "feathers", "soul",
    }  # fmt: skip
    assert page.locator("#texts-count").inner_text() == "1 of 24 texts"
    neighbour = rows.first.locator("li a").first
    name = neighbour.inner_text()
    row = int(rows.first.locator("td").first.inner_text())
    nearest = pd.read_csv(folder / "tables" / "nearest.csv")
    first = nearest[(nearest["row"] == row) & (nearest["rank"] == 1)]
    assert first["nearest_title"].tolist() == [name]
    neighbour.click()
    assert rows.count() == 1
    assert rows.first.locator("td").nth(1).inner_text() == name
    page.get_by_label("Search").fill("no such word")
    assert rows.count() == 0


def test_the_explorer_shows_these_texts(page, folder):
    explorer = page.locator("drift-explorer[state=ready]")
    options = explorer.get_by_label("Text", exact=True).locator("option")
    texts = pd.read_csv(folder / "tables" / "texts.csv")
    assert options.all_text_contents() == texts["title"].tolist()
    drift = pd.read_csv(folder / "tables" / "drift.csv")
    drift = drift.set_index(["comparison", "layer", "title"])["cosine"]
    for name in ["same text", "other text, rotated", "same text, shifted"]:
        for poem in [3, 17]:
            shown = explorer.evaluate(
                "(e, [name, poem]) =>"
                " e.value(2, poem, e.comparisons.find((x) => x.name === name))",
                [name.replace("text", "poem"), poem],
            )
            assert shown == pytest.approx(drift[name, 2, texts["title"][poem]], abs=1e-4)
    explorer.get_by_label("Text", exact=True).select_option("5")
    assert TRICKY in explorer.locator(".poem:visible p").first.inner_text()
    assert explorer.locator("img").count() == 0
    nearest = pd.read_csv(folder / "tables" / "nearest.csv")
    row = texts["row"][5]
    assert explorer.locator(".nearest button").all_text_contents() == (
        nearest.loc[nearest["row"] == row, "nearest_title"].tolist()
    )
    assert explorer.locator("summary", has_text="Your own texts").count() == 0


@pytest.fixture
def narrow(folder, chromium):
    page = chromium.new_page(viewport={"width": 360, "height": 800}, reduced_motion="reduce")
    page.goto((folder / "index.html").as_uri())
    page.wait_for_selector("drift-explorer[state=ready]")
    yield page
    page.close()


def shade_at(page, box, x):
    """How dark the table's paper is there, from 0 to 255, in a strip without letters."""
    box.evaluate("(b) => b.querySelector('table').style.visibility = 'hidden'")
    pixels = Image.open(io.BytesIO(box.screenshot())).convert("L")
    box.evaluate("(b) => b.querySelector('table').style.visibility = ''")
    column = x if x >= 0 else pixels.width + x
    return pixels.getpixel((column, pixels.height // 2))


def test_a_table_shows_where_it_goes_on(narrow):
    box = narrow.locator("#drift > .table")
    assert box.evaluate("(b) => b.scrollWidth > b.clientWidth + 50")
    box.scroll_into_view_if_needed()
    assert shade_at(narrow, box, 1) - shade_at(narrow, box, -2) > 30
    box.evaluate("(b) => { b.scrollLeft = b.scrollWidth; }")
    assert shade_at(narrow, box, -2) - shade_at(narrow, box, 1) > 30


def test_captions_wrap_within_the_page(narrow):
    captions = narrow.locator("caption")
    assert captions.count() >= 4
    for caption in captions.all():
        place = caption.bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 360


def test_a_long_text_ends_in_an_ellipsis_until_it_is_read(narrow):
    whole = narrow.locator("#texts-table td.text > div").nth(5)
    assert whole.evaluate("(d) => d.scrollHeight > d.clientHeight")
    look = "(d) => { const s = getComputedStyle(d); return [s.overflowY, s.webkitLineClamp]; }"
    assert whole.evaluate(look) == ["hidden", "4"]
    height = whole.bounding_box()["height"]
    whole.focus()
    assert whole.evaluate(look)[0] == "auto"
    assert whole.bounding_box()["height"] == pytest.approx(height, abs=1)


def test_the_name_of_an_option_is_not_broken(narrow):
    sentence = "say more of letters than of words. Name one with --encoder."
    item = narrow.evaluate_handle(
        "(html) => { const list = document.createElement('div');"
        " list.innerHTML = html; document.body.append(list); return list; }",
        list_html([sentence], "limits"),
    )
    lines = item.evaluate(
        """(list) => {
          const option = list.querySelector(".option");
          const counts = new Set();
          for (let width = 60; width < 320; width += 7) {
            list.style.width = `${width}px`;
            counts.add(option.getClientRects().length);
          }
          return [option.textContent, [...counts]];
        }"""
    )
    assert lines == ["--encoder", [1]]


def test_the_nearest_in_the_explorer_run_over_nothing(narrow):
    bottom = "(e) => e.shadowRoot.querySelector('ol.nearest').getBoundingClientRect().bottom"
    top = "(e) => e.shadowRoot.querySelector('details').getBoundingClientRect().top"
    explorer = narrow.locator("drift-explorer")
    longer = "(e) => e.poems.forEach((poem) => { poem.first_line += ', and on, and on'; })"
    explorer.evaluate(longer)
    for text in ["0", "5", "11"]:
        explorer.get_by_label("Text", exact=True).select_option(text)
        assert explorer.evaluate(bottom) <= explorer.evaluate(top)

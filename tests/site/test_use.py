"""What a reader does: search, colours, menu, definitions, copying, opening the archive."""

import zipfile
from pathlib import Path

import pytest
import yaml
from site_checks import opened

from tools.site.archive import archive_site
from tools.site.serve import served

ROOT = Path(__file__).resolve().parents[2]
# What someone might type, and the page that should be among the first three
SEARCHES = {
    "tokenizer": "chapters/tokens.html",
    "tokeniser": "chapters/tokens.html",
    "padding": "chapters/tokens.html",
    "attention masks": "chapters/tokens.html",
    "softmax": "chapters/transformer.html",
    "self-attention": "chapters/transformer.html",
    "layer normalisation": "chapters/transformer.html",
    "cosine": "chapters/context.html",
    "pooling": "chapters/context.html",
    "inference_mode": "chapters/context.html",
    "hope is the thing with feathers": "poems.html",
    "sevres": "poems.html",
}


def search(page, address: str, words: str) -> list[str]:
    """Search for words; return the addresses of the places found, the best first."""
    page.goto(f"{address}search.html")
    page.get_by_role("searchbox").fill(words)
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a")
    links = page.eval_on_selector_all("#search-results li > a", "l => l.map(a => a.href)")
    return [link.removeprefix(address) for link in links]


def pages_of(links: list[str]) -> list[str]:
    """Return the pages of places, each once, in order."""
    return list(dict.fromkeys(link.split("#")[0].split("?")[0] for link in links))


@pytest.mark.parametrize("words", SEARCHES)
def test_search_finds(chromium, site, words):
    with opened(chromium, site + "search.html", 1280, "light") as page:
        assert SEARCHES[words] in pages_of(search(page, site, words))[:3]


def test_search_from_any_page_by_its_key(chromium, site):
    with opened(chromium, site + "glossary.html", 1280, "light") as page:
        page.keyboard.press("/")
        page.keyboard.type("padding/mask")  # the second / is one that is typed
        assert page.get_by_role("searchbox").input_value() == "padding/mask"
        page.keyboard.press("Enter")
        page.wait_for_selector("#search-results li a")
        assert not page.complaints


def test_the_key_opens_the_menu_of_a_phone(chromium, site):
    with opened(chromium, site + "glossary.html", 360, "light") as page:
        page.keyboard.press("/")
        assert page.get_by_role("searchbox").is_visible()
        page.keyboard.type("mask")
        assert page.get_by_role("searchbox").input_value() == "mask"


@pytest.mark.parametrize("spelling", ["tokeniser", "tokenizer"])
def test_search_arrives_at_the_place_and_marks_it(chromium, site, spelling):
    with opened(chromium, site + "search.html", 360, "light") as page:
        search(page, site, spelling)
        page.locator("#search-results li > a").first.click()
        page.wait_for_function("CSS.highlights.has('found')")
        page.wait_for_function(
            """Array.from(CSS.highlights.get("found"), (range) => range.getBoundingClientRect())
                 .some(({ top }) => top > 0 && top < innerHeight)"""
        )
        marked = page.evaluate(
            """Array.from(CSS.highlights.get("found"), (range) => {
                 const { top } = range.getBoundingClientRect();
                 return [range.toString().toLowerCase(), top > 0 && top < innerHeight];
               })"""
        )
        assert any(in_sight for _, in_sight in marked)
        assert all(word.startswith("tokeni") for word, _ in marked)


def test_search_finds_a_line_of_a_poem(chromium, site):
    with opened(chromium, site + "search.html", 360, "light") as page:
        first = search(page, site, "porcelain cup")
        assert any(link.startswith("poems.html") for link in first)
        assert "line-7" in search(page, site, "Our life, his porcelain")[0]


def test_search_says_when_it_finds_nothing(chromium, site):
    with opened(chromium, site + "search.html?q=zyxwvut", 360, "light") as page:
        page.wait_for_selector("text=No place in the book has “zyxwvut”")
    with opened(chromium, site + "search.html?q=attenshun+entrropy", 360, "light") as page:
        page.get_by_role("link", name="entropy").click()
        page.wait_for_selector("#search-results li a")


def test_search_takes_markup_as_text(chromium, site):
    address = site + "search.html?q=%3Cimg%20src=x%20onerror=alert(1)%3E"
    with opened(chromium, address, 360, "light") as page:
        page.wait_for_selector("#search-progress:not(:empty)")
        assert page.locator("article img").count() == 0
        assert not page.complaints


def test_theme_is_switched_and_kept(chromium, site):
    with opened(chromium, site + "index.html", 1280, "light") as page:
        colours = []
        for _ in range(3):
            page.locator(".theme-button").click()
            colours.append(page.evaluate("document.documentElement.dataset.theme"))
            page.wait_for_function(
                "document.querySelector('.theme-button').ariaLabel.length > 9"
            )
        assert colours == ["light", "dark", "light"]
        page.locator(".theme-button").click()
        page.locator(".theme-button").click()
        page.goto(site + "glossary.html")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_menu_on_a_phone(chromium, site):
    with opened(chromium, site + "index.html", 360, "dark") as page:
        link = page.get_by_role("link", name="Glossary", exact=True).first
        button = page.get_by_role("button", name="Contents")
        assert not link.is_visible()
        button.click()
        assert link.is_visible()
        page.keyboard.press("Escape")
        assert not link.is_visible()
        button.click()
        link.click()
        page.wait_for_url("**/glossary.html")


def test_definition_on_hover_and_focus(chromium, site):
    with opened(chromium, site + "chapters/tokens.html", 1280, "light") as page:
        term = page.locator("a.term").first
        described = page.locator(f"[id='{term.get_attribute('aria-describedby')}']")
        assert len(described.text_content().split()) > 4
        term.hover()
        assert page.locator(".definition").is_visible()
        page.keyboard.press("Escape")
        assert page.locator(".definition").count() == 0
        page.keyboard.press("Tab")  # from now on the focus is the keyboard's
        page.mouse.move(5, 5)
        term.focus()
        assert page.locator(".definition").is_visible()


def test_reference_on_hover(chromium, site):
    with opened(chromium, site + "chapters/tokens.html", 1280, "light") as page:
        cited = page.locator("article a[href*='bibliography.html#']").first
        cited.hover()
        box = page.locator(".definition")
        assert len(box.text_content().split()) > 10
        assert box.get_by_role("link", name="References").is_visible()
        assert cited.get_attribute("title") is None  # or the browser would show it once more


def test_solutions_are_unfolded_and_folded_together(chromium, site):
    with opened(chromium, site + "chapters/tokens.html", 1280, "light") as page:
        solutions = page.locator("details.solution")
        page.get_by_role("button", name="Unfold the solutions").click()
        assert all(solutions.evaluate_all("all => all.map(e => e.open)"))
        page.get_by_role("button", name="Fold the solutions").click()
        assert not any(solutions.evaluate_all("all => all.map(e => e.open)"))


@pytest.mark.parametrize("name", ["index.html", "chapters/tokens.html", "404.html"])
def test_every_page_says_how_to_cite_it_and_its_licences(chromium, site, name):
    with opened(chromium, site + name, 1280, "light") as page:
        colophon = page.locator(".colophon").text_content()
        cff = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
        year = cff["date-released"][:4]
        for part in [cff["title"], cff["version"], year, "CC BY 4.0", "MIT"]:
            assert part in colophon


def test_code_is_whole_on_a_desk_and_large_enough(chromium, site_folder, site):
    for path in sorted(site_folder.rglob("*.html")):
        name = path.relative_to(site_folder).as_posix()
        if 'class="highlight' not in path.read_text("utf-8"):
            continue
        with opened(chromium, site + name, 1280, "light") as page:
            hidden = page.evaluate(
                """() => Array.from(document.querySelectorAll("article .highlight > pre"))
                  .filter((e) => e.checkVisibility() && !e.closest(".output"))
                  .filter((e) => e.scrollWidth > e.clientWidth
                    || parseFloat(getComputedStyle(e).fontSize) < 15)
                  .map((e) => e.textContent.slice(0, 60))"""
            )
            assert hidden == [], name


def test_definition_on_tap(chromium, site):
    address = site + "chapters/tokens.html"
    with opened(chromium, address, 360, "light", has_touch=True) as page:
        term = page.locator("a.term").first
        term.tap()
        box = page.locator(".definition")
        assert box.is_visible()
        assert page.url == address
        place = box.bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 360
        box.get_by_role("link", name="Glossary").tap()
        page.wait_for_url("**/glossary.html#term-*")


@pytest.mark.parametrize("width", [360, 1280])
def test_a_link_into_a_chapter_arrives_and_stays_there(chromium, site, width):
    address = site + "chapters/context.html"
    with opened(chromium, address, width, "light") as page:
        sections = page.eval_on_selector_all("article section[id]", "all => all.map(e => e.id)")
    for section in sections[5::10]:
        with opened(chromium, f"{address}#{section}", width, "light") as page:
            page.wait_for_function("scrollY > 1000")
            page.wait_for_timeout(300)  # and stays there
            top = page.evaluate(
                "id => document.getElementById(id).getBoundingClientRect().top", section
            )
            assert -5 <= top <= 100, section


def test_code_is_copied(chromium, site):
    address = site + "chapters/tokens.html"
    permissions = ["clipboard-read", "clipboard-write"]
    with opened(chromium, address, 1280, "light", permissions=permissions) as page:
        code = page.locator(".cell_input pre").first
        code.hover()
        page.get_by_role("button", name="Copy").first.click()
        page.wait_for_selector("text=Copied")
        assert page.evaluate("navigator.clipboard.readText()") == code.text_content().strip()


def test_solutions_unfold_by_keyboard(chromium, site):
    with opened(chromium, site + "chapters/tokens.html", 360, "light") as page:
        solution = page.locator("details.solution").first
        assert not solution.evaluate("e => e.open")
        solution.locator("summary").focus()
        page.keyboard.press("Enter")
        assert solution.evaluate("e => e.open")


def test_page_that_is_not_there(chromium, site):
    with opened(chromium, site + "chapters/gone/99_gone.html", 360, "light") as page:
        assert "not in the book" in page.locator("h1").text_content()
        assert page.evaluate("getComputedStyle(document.body).fontFamily").startswith('"Source')
        page.get_by_role("button", name="Contents").click()
        page.get_by_role("link", name="Glossary", exact=True).click()
        page.wait_for_url(site + "glossary.html")


def test_reading_needs_no_script(chromium, site):
    with opened(
        chromium, site + "chapters/tokens.html", 360, "light", java_script_enabled=False
    ) as page:
        assert page.locator("article h1").is_visible()
        link = page.get_by_role("link", name="Glossary", exact=True).first
        assert not link.is_visible()
        page.get_by_role("button", name="Contents").click()
        assert link.is_visible()


@pytest.fixture(scope="session")
def unpacked(site_folder, tmp_path_factory):
    """Pack the site, unpack it, serve it as any static host would."""
    folder = tmp_path_factory.mktemp("archive")
    archive_site(site_folder, folder / "book.zip")
    with zipfile.ZipFile(folder / "book.zip") as archive:
        archive.extractall(folder)
    with served(folder / "layer-by-layer") as url:
        yield folder / "layer-by-layer", url


def test_archive_is_complete(unpacked):
    folder, _ = unpacked
    assert "http.server" in (folder / "HOW-TO-OPEN.txt").read_text("utf-8")
    assert list((folder / "notebooks" / "executed" / "chapters").glob("*.ipynb"))


def test_archive_works_with_every_other_host_blocked(chromium, unpacked):
    _, url = unpacked
    with opened(chromium, url + "chapters/transformer.html", 1280, "light") as page:
        equation = page.locator("math[display=block]").first
        assert equation.bounding_box()["height"] > 20
        page.wait_for_load_state("networkidle")  # leaving earlier would cut requests off
        assert "chapters/tokens.html" in pages_of(search(page, url, "padding"))[:3]
        assert not page.complaints


def test_archive_is_the_same_every_time(site_folder, unpacked, tmp_path):
    archive_site(site_folder, tmp_path / "again.zip")
    first = unpacked[0].parent / "book.zip"
    assert (tmp_path / "again.zip").read_bytes() == first.read_bytes()


def test_mathematics_has_a_font_of_the_books_own(chromium, site, site_folder):
    with opened(chromium, site + "chapters/transformer.html", 1280, "light") as page:
        status = """Array.from(document.fonts, ({ family, status }) => [family, status])
                      .find(([family]) => family.includes("STIX"))[1]"""
        page.wait_for_function(f"{status} === 'loaded'")
    (font,) = (site_folder / "_static" / "fonts").glob("stix*.woff2")
    assert font.stat().st_size < 80_000


RIGHT_TO_LEFT = (
    '<figure class="token-strip"><ol><li>אבג</li><li>12</li><li>abc</li></ol></figure>'
)


def test_right_to_left_text_keeps_to_itself(chromium, site):
    """Tokens stay in their order, whatever direction each of them has."""
    with opened(chromium, site + "glossary.html", 1280, "light") as page:
        page.evaluate(
            "html => document.querySelector('article').insertAdjacentHTML('beforeend', html)",
            RIGHT_TO_LEFT,
        )
        lefts = page.eval_on_selector_all(
            ".token-strip li", "all => all.map((e) => e.getBoundingClientRect().left)"
        )
        assert lefts == sorted(lefts)
        isolated = page.eval_on_selector_all(
            ".token-strip li, td, article code",
            "all => all.map((e) => getComputedStyle(e).unicodeBidi)",
        )
        assert set(isolated) == {"isolate"}


def test_executions_as_data_are_linked(chromium, site):
    with opened(chromium, site + "executions.html", 1280, "light") as page:
        link = page.locator("article").get_by_role("link", name="executions.json")
        answer = page.request.get(site + link.get_attribute("href")).json()
        assert answer["chapters"]
        shown = page.locator("article").inner_text()
        weights = {
            name: digest
            for model in answer["models"]
            for name, digest in model.items()
            if name.endswith((".safetensors", ".gguf"))
        }
        assert len(weights) == len(answer["models"]) == 2
        assert all(name in shown and digest in shown for name, digest in weights.items())

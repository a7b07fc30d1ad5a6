"""What a reader does: search, colours, menu, definitions, copying, opening the archive."""

import zipfile

import pytest
from site_checks import opened

from tools.site.archive import archive_site
from tools.site.serve import served

# What someone might type, and the page that should be among the first three
SEARCHES = {
    "tokenizer": "chapters/tokens.html",
    "padding": "chapters/tokens.html",
    "attention mask": "chapters/tokens.html",
    "softmax": "chapters/transformer.html",
    "self-attention": "chapters/transformer.html",
    "layer normalization": "chapters/transformer.html",
    "cosine": "chapters/context.html",
    "pooling": "chapters/context.html",
    "hope is the thing with feathers": "chapters/tokens.html",
}


def search(page, address: str, words: str) -> list[str]:
    """Search for words; return the pages found, the best first."""
    page.goto(f"{address}search.html")
    page.get_by_role("searchbox").fill(words)
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a")
    page.wait_for_function(
        "document.querySelector('.search-summary').textContent.includes('page')"
    )
    links = page.eval_on_selector_all("#search-results li > a", "l => l.map(a => a.href)")
    pages = [link.removeprefix(address).split("#")[0].split("?")[0] for link in links]
    return list(dict.fromkeys(pages))


@pytest.mark.parametrize("words", SEARCHES)
def test_search_finds(chromium, site, words):
    with opened(chromium, site + "search.html", 1280, "light") as page:
        assert SEARCHES[words] in search(page, site, words)[:3]


def test_search_from_any_page(chromium, site):
    with opened(chromium, site + "glossary.html", 1280, "light") as page:
        page.get_by_role("searchbox").fill("padding")
        page.keyboard.press("Enter")
        page.wait_for_selector("#search-results li a")
        assert not page.complaints


def test_search_says_when_it_finds_nothing(chromium, site):
    with opened(chromium, site + "search.html?q=zyxwvut", 360, "light") as page:
        page.wait_for_selector("text=did not match")


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
        assert button.get_attribute("aria-expanded") == "true"
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
            page.wait_for_function("document.documentElement.classList.contains('ready')")
            page.wait_for_timeout(300)
            assert page.evaluate("scrollY") > 1000
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
        assert page.get_by_role("link", name="Glossary", exact=True).first.is_visible()
        assert page.locator("article h1").is_visible()


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
        assert "chapters/tokens.html" in search(page, url, "padding")[:3]
        assert not page.complaints


def test_archive_is_the_same_every_time(site_folder, unpacked, tmp_path):
    archive_site(site_folder, tmp_path / "again.zip")
    first = unpacked[0].parent / "book.zip"
    assert (tmp_path / "again.zip").read_bytes() == first.read_bytes()

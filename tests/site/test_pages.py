"""Every page of the site, on a phone and on a desk, in light and in dark."""

from pathlib import Path

import pytest
from site_checks import (
    PAGES,
    check_alternatives,
    check_axe,
    check_headings,
    check_keyboard,
    check_quiet,
    check_whole,
    check_width,
    opened,
)

WIDTHS = [360, 1280]
THEMES = ["light", "dark"]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES or ["index.html"])
def test_page(chromium, site, name, width, theme):
    with opened(chromium, site + name, width, theme) as page:
        check_width(page)
        check_whole(page)
        check_alternatives(page)
        check_headings(page)
        if theme == "light":  # the order of stops does not hang on colours
            check_keyboard(page)
        check_axe(page, colours_alone=theme != "light")
        check_quiet(page)


def test_pages_were_found(site_folder: Path):
    assert {"index.html", "search.html", "404.html", "glossary.html"} <= set(PAGES)
    assert sum(name.startswith("chapters/") for name in PAGES) >= 3

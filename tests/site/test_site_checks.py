"""The checks themselves: a sound page passes each, and each finds what is broken."""

import re
import shutil
from collections.abc import Callable

import pytest
from site_checks import CHECKS, check_axe, opened

from tools.explorers.publish import link_or_copy
from tools.site.serve import served


def insert(html: str) -> Callable[[str], str]:
    """Return an edit that puts something at the end of a page's article."""
    return lambda page: page.replace("</article>", f"{html}</article>", 1)


def replace(old: str, new: str) -> Callable[[str], str]:
    """Return an edit that replaces every match of a pattern, of which there must be one."""

    def edit(page: str) -> str:
        edited, count = re.subn(old, new, page)
        assert count, f"nothing to break: {old!r} is not in the page"
        return edited

    return edit


FIGURE = (
    '<figure class="layerwise-figure"><svg role="img" viewBox="0 0 9 9" '
    'aria-label="A square of nine by nine, dark in the middle and light at its edges.">'
    '<rect width="9" height="9"/></svg><figcaption>A square</figcaption></figure>'
    '<p><img src="_static/favicon.svg" width="64" height="64" alt="The mark of this book"></p>'
)
BREAKS = {
    "figure without alt text": ("alternatives", replace(r' aria-label="A square[^"]*"', "")),
    "image without alt text": ("alternatives", replace(r' alt="The mark[^"]*"', "")),
    "empty words as alt text": ("alternatives", replace("The mark of this book", "image")),
    "alt text that axe misses": ("axe", replace(r' alt="The mark[^"]*"', "")),
    "grey on paper": ("axe", insert('<p style="color: #a09a90">Too faint to read.</p>')),
    "faint comments in code": (
        "axe",
        insert('<style>.c1 { color: #9a948a !important }</style><div class="highlight"><pre>'
               '<span class="c1"># a remark</span></pre></div>'),
    ),
    "script from a CDN": (
        "quiet", insert('<script src="https://cdn.jsdelivr.net/npm/mathjax@3/x.js"></script>')
    ),
    "font from another host": (
        "quiet",
        insert("<style>@font-face { font-family: F; src: url(https://fonts.example/f.woff2) }"
               '</style><p style="font-family: F">Abc</p>'),
    ),
    "image that is not there": ("quiet", insert('<img src="gone.png" alt="A thing now gone">')),
    "error in a script": ("quiet", insert("<script>nowhere()</script>")),
    "wide block": ("width", insert('<div style="width: 1400px">wide</div>')),
    "cell that waits for the reader": (
        "whole",
        insert('<div style="margin-top: 9000px; content-visibility: auto"><p>late</p></div>'),
    ),
    "skipped heading": ("headings", insert("<h4>Too deep</h4>")),
    "two titles": ("headings", insert("<h1>Another</h1>")),
    "link no key reaches": ("keyboard", insert('<a href="#x" tabindex="-1">out of reach</a>')),
    "focus that is not seen": (
        "keyboard", insert("<style>a:focus-visible { outline: none !important }</style>")
    ),
}  # fmt: skip


@pytest.fixture(scope="session")
def small_page(site_folder) -> str:
    """Return the HTML of the site's smallest page, with two images put into it."""
    page = (site_folder / "bibliography.html").read_text("utf-8")
    start, end = page.index("<article>"), page.index("</article>")
    body = "<h1>A page</h1><p>With a <a href='index.html'>link</a>.</p>"
    return page[: start + len("<article>")] + body + FIGURE + page[end:]


@pytest.fixture(scope="session")
def twins(site_folder, small_page, tmp_path_factory) -> str:
    """Serve the small page as it is and in every broken form, beside the site's own files."""
    folder = tmp_path_factory.mktemp("twins")
    # a server follows no link out of its folder
    shutil.copytree(site_folder, folder, copy_function=link_or_copy, dirs_exist_ok=True)
    (folder / "sound.html").write_text(small_page, "utf-8")
    for name, (_, edit) in BREAKS.items():
        (folder / f"{slug(name)}.html").write_text(edit(small_page), "utf-8")
    with served(folder) as url:
        yield url


def slug(name: str) -> str:
    """Return a name as it stands in an address."""
    return name.replace(" ", "-").lower()


@pytest.mark.parametrize("name", CHECKS)
def test_small_page_is_sound(chromium, twins, name):
    with opened(chromium, twins + "sound.html", 360, "light") as page:
        CHECKS[name](page)


@pytest.mark.parametrize("name", ["grey on paper", "faint comments in code"])
def test_faint_colours_are_found_by_the_rules_of_colours_alone(chromium, twins, name):
    with opened(chromium, f"{twins}{slug(name)}.html", 360, "light") as page:
        with pytest.raises(AssertionError):
            check_axe(page, colours_alone=True)


@pytest.mark.parametrize("name", BREAKS)
def test_checks_find(chromium, twins, name):
    check = CHECKS[BREAKS[name][0]]
    with opened(chromium, f"{twins}{slug(name)}.html", 360, "light") as page:
        with pytest.raises(AssertionError):
            check(page)

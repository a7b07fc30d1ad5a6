"""Addresses that the book once had lead to the page that has taken their place."""

import shutil
from types import SimpleNamespace

import html5lib
import pytest
from sphinx.errors import SphinxError

from _ext.moved import redirect_page, write_redirects
from tools.chapters import sphinx_settings
from tools.desk import ROOT
from tools.site.serve import served

MOVED = sphinx_settings(ROOT)["moved_pages"]


def test_the_first_chapters_are_in_the_table():
    assert [MOVED[f"chapters/0{i}_{name}"] for i, name in enumerate(
        ["tokens", "transformer", "context"], start=1
    )] == ["chapters/tokens", "chapters/transformer", "chapters/context"]  # fmt: skip


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("old", MOVED)
def test_an_old_address_leads_on(chromium, site, old, scripts):
    context = chromium.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.goto(f"{site}{old}.html", wait_until="commit")
    page.wait_for_url(f"{site}{MOVED[old]}.html")
    context.close()


@pytest.fixture(params=["host", "folder of a host", "file"])
def place(request, site_folder, tmp_path):
    """A site with one moved page, three ways to open it."""
    folder = tmp_path / ("book" if request.param == "folder of a host" else "")
    for name in ["chapters/tokens.html", "chapters/01_tokens.html"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(site_folder / name, folder / name)
    if request.param == "file":
        yield folder.as_uri()
    else:
        with served(tmp_path) as url:
            yield url + folder.relative_to(tmp_path).as_posix()


def test_a_place_within_the_page_is_kept(chromium, place):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{place}/chapters/01_tokens.html?a=b#subwords", wait_until="commit")
    page.wait_for_url("**/chapters/tokens.html?a=b#subwords", wait_until="commit")
    context.close()


def test_search_and_sitemap_do_not_know_them(site_folder):
    for name in ["searchindex.js", "index.html", "sitemap.xml"]:
        if (site_folder / name).is_file():
            content = (site_folder / name).read_text("utf-8")
            assert not [old for old in MOVED if old in content]


def test_the_canonical_address_is_full_where_the_book_has_one():
    here = redirect_page("a/old", "b/new", "")
    there = redirect_page("a/old", "b/new", "https://example.org/book/")
    assert '<link rel="canonical" href="../b/new.html">' in here
    assert '<link rel="canonical" href="https://example.org/book/b/new.html">' in there
    assert 'href="../b/new.html">../b/new.html</a>' in there
    html5lib.HTMLParser(strict=True).parse(there)


@pytest.mark.parametrize(("table", "what"), [
    ({"old": "gone"}, "gone, which is no page"), ({"new": "new"}, "new, which is still a page"),
])  # fmt: skip
def test_a_table_that_cannot_be_is_refused(table, what, tmp_path):
    app = SimpleNamespace(
        builder=SimpleNamespace(format="html"), env=SimpleNamespace(found_docs={"new"}),
        config=SimpleNamespace(moved_pages=table, html_baseurl=""), outdir=tmp_path,
    )  # fmt: skip
    with pytest.raises(SphinxError, match=what):
        write_redirects(app, None)
    assert list(tmp_path.iterdir()) == []

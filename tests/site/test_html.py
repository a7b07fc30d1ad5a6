"""The site's files: valid HTML, links that lead somewhere, nothing that names another host."""

import json
import re
from urllib.parse import unquote, urldefrag, urljoin

import html5lib
import pytest
from site_checks import PAGES

from tools.chapters import sphinx_settings
from tools.desk import ROOT

every_page = pytest.mark.parametrize("name", PAGES or ["index.html"])
# Elements that make the browser fetch something
LOADED = re.compile(r'<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc="([^"]*)"')
LINKED = re.compile(r'<link\b(?=[^>]*\brel="(?:stylesheet|preload|icon)")[^>]*\bhref="([^"]*)"')


def read(site_folder, name: str) -> str:
    return (site_folder / name).read_text("utf-8")


def without_drawings(page: str) -> str:
    """Leave out what is inside drawings: much, and an XML parser has read it before."""
    return re.sub(r"(<svg\b[^>]*>).*?(</svg>)", r"\1\2", page, flags=re.DOTALL)


@every_page
def test_page_is_valid(site_folder, name):
    parser = html5lib.HTMLParser(strict=True)
    parser.parse(without_drawings(read(site_folder, name)))


@every_page
def test_ids_are_unique(site_folder, name):
    ids = re.findall(r'\sid="([^"]*)"', read(site_folder, name))
    assert sorted(set(ids)) == sorted(ids), {i for i in ids if ids.count(i) > 1}


@every_page
def test_descriptions_are_there(site_folder, name):
    page = read(site_folder, name)
    for target in re.findall(r'aria-(?:describedby|labelledby|controls)="([^"]*)"', page):
        assert f'id="{target}"' in page, target


@every_page
def test_links_lead_somewhere(site_folder, name):
    broken = []
    for link in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', read(site_folder, name)):
        link = link.replace("&amp;", "&")
        if re.match(r"(https?|mailto):", link):
            continue
        path, fragment = urldefrag(urljoin(f"/{name}", link))
        target = site_folder / (unquote(path).lstrip("/") or "index.html")
        if not target.is_file():
            broken.append(link)
        elif fragment and target.suffix == ".html":
            if f'id="{unquote(fragment)}"' not in target.read_text("utf-8"):
                broken.append(link)
    assert not broken


@every_page
def test_nothing_comes_from_elsewhere(site_folder, name):
    page = read(site_folder, name)
    for address in LOADED.findall(page) + LINKED.findall(page):
        assert not re.match(r"(\w+:)?//", address), address


def test_style_sheets_load_nothing_from_elsewhere(site_folder):
    for sheet in site_folder.rglob("*.css"):
        for address in re.findall(r"url\(['\"]?([^)'\"]*)", sheet.read_text("utf-8")):
            assert not re.match(r"(https?:)?//", address), f"{sheet.name}: {address}"


@every_page
def test_one_search_box(site_folder, name):
    assert read(site_folder, name).count('type="search"') == 1


def test_unused_files_are_left_out(site_folder):
    names = {path.name for path in site_folder.rglob("*")}
    assert not {"fontawesome.js", "bootstrap.js", "pydata-sphinx-theme.css"} & names
    assert not [name for name in names if name.endswith(".map")]


CHAPTERS = [name for name in PAGES if name.startswith("chapters/")]
every_chapter = pytest.mark.parametrize("name", CHAPTERS or ["chapters/tokens.html"])


@every_chapter
def test_exercises_and_figures_can_be_linked_to(site_folder, name):
    page = read(site_folder, name)
    for box in re.findall(r'<div class="exercise[^>]*>.*?</p>', page, re.DOTALL):
        identity = re.search(r'id="([^"]*)"', box).group(1)
        assert f'href="#{identity}"' in box
    figures = re.findall(r'<figure class="(?:layerwise-figure|token-strip)"[^>]*>', page)
    captions = page.count("<figcaption>")
    assert len(
        re.findall(r'<figure class="(?:layerwise-figure|token-strip)" id="fig-', page)
    ) == (len(figures)), "figures without a caption have no address"
    assert captions >= len(figures)


@every_chapter
def test_reading_line(site_folder, name):
    line = re.search(r'<p class="reading">(.*?)</p>', read(site_folder, name)).group(1)
    assert re.search(r"\d+ min of prose, \d+ min of code", line)
    assert re.search(r"\d+ (s|min) to run", line)
    if not sphinx_settings(ROOT)["html_baseurl"]:
        wheel = re.search(r'<a href="\.\./(notebooks/[^"/]*\.whl)" download>', line).group(1)
        assert (site_folder / wheel).is_file()


@every_chapter
def test_notebooks_can_be_taken_along(site_folder, name):
    name = name.removesuffix(".html")
    clean = json.loads((site_folder / f"notebooks/{name}.ipynb").read_text("utf-8"))
    executed = json.loads((site_folder / f"notebooks/executed/{name}.ipynb").read_text("utf-8"))
    for notebook in [clean, executed]:
        assert notebook["nbformat"] == 4
        assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    code = {
        kind: ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
        for kind, notebook in [("clean", clean), ("executed", executed)]
    }
    # before them there may be a cell that installs the package, for notebooks opened elsewhere
    assert code["clean"][-len(code["executed"]) :] == code["executed"]
    assert not any(cell.get("outputs") for cell in clean["cells"])
    assert any(cell.get("outputs") for cell in executed["cells"])

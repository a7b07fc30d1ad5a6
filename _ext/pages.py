"""Sphinx extension: what the page templates need, and nothing that no page asks for.

The templates in ``_templates`` replace the theme's frame. The theme's own scripts, styles and
icon fonts are then asked for by no page, and are left out of the built site.
"""

import hashlib
import re
import shutil
from pathlib import Path
from urllib.parse import urlparse

from docutils import nodes
from sphinx.application import Sphinx

# What themes and extensions copy into the site and no page of ours asks for.
UNUSED = [
    "scripts", "styles", "vendor", "locales", "images", "mystnb.*.css", "sphinx-design.min.css",
    "design-tabs.js", "sphinx-thebe.*", "togglebutton.*", "copybutton*", "clipboard.min.js",
    "exercise.css", "*.png.map", "basic.css", "pygments.css", "*.svg.map", "check-solid.svg",
    "sphinx_highlight.js", "_sphinx_javascript_frameworks_compat.js", "sbt-webpack-macros.html",
    "webpack-macros.html", "file.png", "minus.png", "plus.png",
]  # fmt: skip


def configure(app: Sphinx, config) -> None:
    """Find the page templates; set up what depends on the address the site is published at."""
    config.templates_path.insert(0, str(Path(app.srcdir) / "_templates"))
    config.html_permalinks_icon = "#"
    # The 404 page is shown at any depth, so its links must begin at the site's root.
    config.notfound_urls_prefix = urlparse(config.html_baseurl).path.rstrip("/") + "/"
    config.notfound_context = {
        "title": "Page not found",
        "body": (
            "<h1>This page is not in the book</h1>\n<p>It may have moved. The contents list "
            "every chapter; the search field finds words in all of them.</p>"
        ),
    }
    if config.html_baseurl:
        config.html_baseurl = config.html_baseurl.rstrip("/") + "/"
        app.setup_extension("sphinx_sitemap")
        config.sitemap_url_scheme = "{link}"  # one language, one version
        config.sitemap_excludes = ["404.html", "search.html"]


def add_context(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Give the templates the contents of the book and the versions of our own files."""
    context["book_nav"] = book_contents(context)
    # A page that is re-opened after an update must not be styled by a cached older file.
    static = Path(app.srcdir) / "_static"
    context["style_version"] = short_digest(static / "style.css")
    context["script_version"] = short_digest(static / "site.js")
    context["html_baseurl"] = app.config.html_baseurl
    number = r'<span class="section-number">.*?</span>'  # no part of what a page is called
    context["plain_title"] = re.sub(number, "", context.get("title") or "")
    if doctree is not None:
        first = next(doctree.findall(nodes.paragraph), None)
        context["page_description"] = first.astext().replace("\n", " ")[:200] if first else ""
    # An explorer is a custom element: a page that has one gets its script
    context["explorers"] = [
        script.name
        for script in sorted((static / "explorer").glob("*-explorer.mjs"))
        if f"<{script.stem}" in context.get("body", "")
    ]


def book_contents(context: dict) -> str:
    """List the book's pages, and below the page that is open its sections."""
    contents = context["toctree"](maxdepth=1, includehidden=True, titles_only=True) or ""
    # The page's own list is its title, its sections below: <ul><li>...<ul>...</ul></li></ul>
    sections = re.search(
        r"(?<=.)<ul>.*</ul>(?=\s*</li>\s*</ul>\s*$)", context.get("toc") or "", re.DOTALL
    )
    if not sections:
        return contents
    return re.sub(
        r'<a class="current[^>]*>(?:(?!</a>).)*</a>',
        lambda link: link.group() + sections.group(),
        contents,
        count=1,
    )


def names_in_order(app: Sphinx) -> list[str]:
    """Return the names of all pages, in the order of the book."""
    first = app.config.root_doc
    return [first, *app.env.toctree_includes.get(first, [])]


def short_digest(file: Path) -> str:
    """Return a few characters that change with a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:8]


def remove_unused(app: Sphinx, exception: Exception | None) -> None:
    """Leave out of the site what no page asks for."""
    if exception is not None or app.builder.format != "html":
        return
    for pattern in UNUSED:
        for path in (Path(app.outdir) / "_static").glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.setup_extension("notfound.extension")
    app.connect("config-inited", configure, priority=400)
    app.connect("html-page-context", add_context, priority=900)
    app.connect("build-finished", remove_unused, priority=990)

"""Sphinx extension: what the page templates need, and HTML that is valid and can be linked to.

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
from sphinx.locale import admonitionlabels
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node

# What themes and extensions copy into the site and no page of ours asks for.
UNUSED = [
    "scripts", "styles", "vendor", "locales", "images", "mystnb.*.css", "sphinx-design.min.css",
    "design-tabs.js", "sphinx-thebe.*", "togglebutton.*", "copybutton*", "clipboard.min.js",
    "exercise.css", "*.png.map", "basic.css", "pygments.css", "*.svg.map", "check-solid.svg",
    "sphinx_highlight.js", "_sphinx_javascript_frameworks_compat.js", "sbt-webpack-macros.html",
    "webpack-macros.html", "file.png", "minus.png", "plus.png", "sphinx_highlight.js",
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
    if doctree is not None:
        first = next(doctree.findall(nodes.paragraph), None)
        context["page_description"] = first.astext().replace("\n", " ")[:200] if first else ""
        context["body"] = improve_html(context["body"])
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


def short_digest(file: Path) -> str:
    """Return a few characters that change with a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:8]


def improve_html(body: str) -> str:
    """Correct a page's HTML where libraries write it invalid, or give no way to link to it."""
    # pandas puts a style element in the middle of the page, and styles on every table
    body = re.sub(r"<style scoped>.*?</style>\s*", "", body, flags=re.DOTALL)
    body = body.replace('<table border="1" class="dataframe">', '<table class="dataframe">')
    body = body.replace('<tr style="text-align: right;">', "<tr>")
    # docutils gives references roles that are deprecated or do not fit what is in them
    body = body.replace(' role="doc-biblioentry"', "").replace(
        '<div role="list" class="cit', '<div class="cit'
    )
    # MyST-NB puts paragraphs into a summary, which takes none
    body = re.sub(
        r'<summary aria-label="Toggle hidden content">\s*<p class="collapsed admonition-title">'
        r'(.*?)</p>\s*<p class="expanded admonition-title">(.*?)</p>\s*</summary>',
        r'<summary><span class="collapsed">\1</span><span class="expanded">\2</span></summary>',
        body,
    ).replace('<details class="admonition hide', '<details class="hide')
    body = re.sub(
        r'(<table class="(?:docutils|table).*?</table>)',
        r'<div class="table-scroll">\1</div>',
        body,
        flags=re.DOTALL,
    )
    return add_figure_links(body)


def add_figure_links(body: str) -> str:
    """Give each figure an id made from its caption, and a link to itself after the caption."""
    taken = set(re.findall(r'\bid="([^"]*)"', body))

    def add_link(match: re.Match) -> str:
        start, figure, caption = match.groups()
        words = re.sub(r"[^a-z]+", "-", re.sub("<.*?>", "", caption).lower()).strip("-")
        name = base = f"fig-{words[:60].strip('-') or 'figure'}"
        number = 2
        while name in taken:
            name, number = f"{base}-{number}", number + 1
        taken.add(name)
        link = f'<a class="headerlink" href="#{name}" title="Link to this figure">#</a>'
        return f'{start} id="{name}"{figure}<figcaption>{caption}{link}</figcaption>'

    return re.sub(
        r'(<figure class="(?:layerwise-figure|token-strip)")((?:(?!</figure>).)*?)'
        r"<figcaption>(.*?)</figcaption>",
        add_link,
        body,
        flags=re.DOTALL,
    )


def visit_box(translator, node: nodes.Element, name: str = "") -> None:
    """Begin an admonition, exercise or solution; one with class dropdown can be unfolded."""
    node["start"] = len(translator.body)
    tag = "details" if "dropdown" in node["classes"] else "div"
    translator.body.append(translator.starttag(node, tag, CLASS=f"admonition {name}".strip()))
    if name:
        node.insert(0, nodes.title(name, admonitionlabels[name]))


def depart_box(translator, node: nodes.Element) -> None:
    """End it, with a title that can be clicked or linked to, and no id that stands twice."""
    box = "".join(translator.body[node["start"] :])
    del translator.body[node["start"] :]
    is_dropdown = "dropdown" in node["classes"]
    name = node["ids"][0] if node["ids"] else ""

    def write_title(match: re.Match) -> str:
        if is_dropdown:  # a summary is itself a control: no links within
            title = re.sub(r"</?a\b[^>]*>", "", match.group(1))
            return f'<summary class="admonition-title">{title}</summary>'
        link = (
            f'<a class="headerlink" href="#{name}" title="Link to this box">#</a>'
            if name
            else ""
        )
        return f'<p class="admonition-title">{match.group(1)}{link}</p>'

    box = re.sub(
        r'<p class="admonition-title">(.*?)</p>', write_title, box, count=1, flags=re.DOTALL
    )
    # sphinx-exercise gives this same id to every exercise of a page
    box = re.sub(r'<section id="(?:exercise|solution)-content">', "<section>", box)
    box = box.replace("<section>", "<div>").replace("</section>", "</div>")
    translator.body.append(box + ("</details>" if is_dropdown else "</div>") + "\n")


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


def setup(app: Sphinx) -> dict:
    """Connect to Sphinx."""
    app.setup_extension("notfound.extension")
    app.setup_extension("sphinx_exercise")
    app.connect("config-inited", configure, priority=400)
    app.connect("html-page-context", add_context, priority=900)
    app.connect("build-finished", remove_unused, priority=990)
    for kind in [nodes.admonition, exercise_node, exercise_enumerable_node, solution_node]:
        app.add_node(kind, override=True, html=(visit_box, depart_box))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

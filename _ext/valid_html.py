"""Sphinx extension: HTML that is valid, and in which figures and boxes can be linked to."""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.locale import admonitionlabels
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node


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


def improve_page(
    app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None
) -> None:
    """Correct a page before others add to it."""
    if doctree is not None:
        context["body"] = improve_html(context["body"])


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.setup_extension("sphinx_exercise")
    app.connect("html-page-context", improve_page, priority=900)
    for kind in [nodes.admonition, exercise_node, exercise_enumerable_node, solution_node]:
        app.add_node(kind, override=True, html=(visit_box, depart_box))

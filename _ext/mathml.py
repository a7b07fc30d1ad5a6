"""Sphinx extension: write equations as MathML, which browsers draw without any script.

Jupyter Book's default fetches MathJax from another host when the page is opened; a reader with
no network would see raw LaTeX.
"""

from html import escape

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util.math import get_node_equation_number


def latex_to_mathml(latex: str, display: str) -> str:
    """Convert an equation; its LaTeX stays with it as the text alternative."""
    try:
        mathml = convert(latex, display=display)
    except Exception as error:
        raise SphinxError(f"equation {latex!r} cannot become MathML: {error}") from error
    return mathml.replace("<math ", f'<math alttext="{escape(latex, quote=True)}" ', 1)


def visit_inline_math(translator, node: nodes.math) -> None:
    """Write an equation within a line."""
    translator.body.append(latex_to_mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_display_math(translator, node: nodes.math_block) -> None:
    """Write an equation on a line of its own, with its number and the link to it."""
    translator.body.append(translator.starttag(node, "div", CLASS="math-display"))
    translator.body.append(latex_to_mathml(node.astext(), "block"))
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append("</div>")
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register the renderer under the name ``mathml``; see ``html_math_renderer``."""
    app.add_html_math_renderer(
        "mathml", (visit_inline_math, None), (visit_display_math, None)
    )

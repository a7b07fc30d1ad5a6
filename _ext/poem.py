"""Sphinx extension: the ``poem`` directive, which sets verse as verse.

In a chapter::

    ```{poem} Hope
    :source: Poems, 1891

    Hope is the thing with feathers
    That perches in the soul,

    And sings the tune without the words,
    And never stops at all,
    ```

Lines and stanzas are kept as they stand, also where Jupyter shows the block as plain text.
"""

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from layerwise.texts.poems import poem_html


class Poem(SphinxDirective):
    """Verse, with an optional title, and where it was printed under ``:source:``."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = {"source": directives.unchanged, "name": directives.unchanged}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """Return the poem's HTML."""
        self.assert_has_content()
        html = poem_html(
            "\n".join(self.content),
            title=self.arguments[0] if self.arguments else "",
            source=self.options.get("source", ""),
            name=self.options.get("name", ""),
        )
        return [nodes.raw("", html, format="html")]


def setup(app: Sphinx) -> dict:
    """Register the directive."""
    app.add_directive("poem", Poem)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

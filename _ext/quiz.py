"""Sphinx extension: ``{quiz}``, a question whose answers each unfold to what is to be said.

No script and nothing kept: who opens an answer has chosen it.
"""

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tools.book.quiz import read_answers


class Quiz(SphinxDirective):
    """A question; see ``tools/book/quiz.py`` for its form."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Make a box of the question, and a folded one of each answer."""
        try:
            answers = read_answers("\n".join(self.content))
        except ValueError as error:
            raise self.error(str(error)) from error
        box = nodes.container("", self.text(self.arguments[0]), classes=["quiz"])
        for answer in answers:
            kind = "quiz-right" if answer.right else "quiz-wrong"
            title = nodes.title("", "", *self.text(answer.text).children)
            box += nodes.admonition(
                "", title, self.text(answer.feedback), classes=["dropdown", "quiz-answer", kind]
            )
        return [box]

    def text(self, source: str) -> nodes.paragraph:
        """Read a line of MyST."""
        parent = nodes.container()
        lines = StringList([source], source=self.get_source_info()[0])
        self.state.nested_parse(lines, self.content_offset, parent)
        paragraph = parent.children[0]
        assert isinstance(paragraph, nodes.paragraph), source
        return paragraph


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_directive("quiz", Quiz)

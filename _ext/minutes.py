"""How long a page, or a part of it, takes to read: prose, code, and what code returns.

Adults read English prose of this kind at 175 to 300 words a minute (Brysbaert 2019); who learns
from it reads slowly. For code there is no such measurement. Seven seconds a line is an
assumption, and so are ten seconds for a look at what is printed, thirty at a table or a figure.
"""

from typing import NamedTuple

from docutils import nodes

WORDS_PER_MINUTE = 200
SECONDS_PER_CODE_LINE = 7
SECONDS_PER_OUTPUT = 10
SECONDS_PER_FIGURE = 30  # or table


class Reading(NamedTuple):
    """What there is to read."""

    words: int = 0
    code_lines: int = 0
    outputs: int = 0
    figures: int = 0

    @property
    def prose_minutes(self) -> float:
        """How long the prose takes."""
        return self.words / WORDS_PER_MINUTE

    @property
    def code_minutes(self) -> float:
        """How long the code takes, with a look at what it returns."""
        seconds = self.code_lines * SECONDS_PER_CODE_LINE
        seconds += self.outputs * SECONDS_PER_OUTPUT + self.figures * SECONDS_PER_FIGURE
        return seconds / 60

    @property
    def minutes(self) -> float:
        """How long everything takes."""
        return self.prose_minutes + self.code_minutes

    def plus(self, other: "Reading") -> "Reading":
        """Add up."""
        return Reading(*(ours + theirs for ours, theirs in zip(self, other, strict=True)))


def count(element: nodes.Node) -> Reading:
    """Count what is to be read in an element, less what is folded away: code, solutions."""
    if isinstance(element, nodes.paragraph):
        return Reading(words=len(element.astext().split()))
    if isinstance(element, nodes.literal_block):
        return Reading(code_lines=element.astext().count("\n") + 1)
    classes = element.get("classes", []) if isinstance(element, nodes.Element) else []
    if "dropdown" in classes or ("cell_input" in classes and is_hidden(element)):
        return Reading()
    if "cell_output" in classes and "tag_remove-input" not in element.parent.get("classes", []):
        is_drawn = is_figure(element)
        return Reading(0, count_python(element), int(not is_drawn), int(is_drawn))
    total = Reading()
    for child in element.children:
        total = total.plus(count(child))
    return total


def is_figure(output: nodes.Element) -> bool:
    """Say whether a cell returns a table or a picture."""
    if next(iter(output.findall(nodes.table)), None) is not None:
        return True
    raw = "".join(node.astext() for node in output.findall(nodes.raw))
    return any(tag in raw for tag in ("<table", "<svg", "<figure", "<img"))


def count_python(output: nodes.Element) -> int:
    """Count the lines of code that a cell shows, as ``show_source`` does."""
    blocks = output.findall(nodes.literal_block)
    return sum(b.astext().count("\n") + 1 for b in blocks if b.get("language") == "python")


def is_hidden(cell_input: nodes.Element) -> bool:
    """Say whether a cell's code is folded away."""
    return any("hide-input" in name for name in cell_input.parent.get("classes", []))

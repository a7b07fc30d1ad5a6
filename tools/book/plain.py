"""Turn the text of a chapter into Markdown that Jupyter shows as it stands.

Links, citations, terms and numbers are resolved, boxes become headings and quotations, and
solutions are folded. Their code becomes text: it is read, and not run with Run All.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from tools.book.quiz import read_answers


class References(Protocol):
    """What a chapter's text refers to: Sphinx knows it, see ``_ext/notebooks.py``."""

    @property
    def heading_numbers(self) -> Sequence[str]:
        """One for each heading, empty where it has none."""

    def link(self, role: str, target: str, text: str) -> str:
        """Return the Markdown in place of a role."""

    def exercise(self, label: str) -> str:
        """Return what an exercise is called: ``Exercise 1.2``."""

    def equation(self, label: str) -> str:
        """Return the number of an equation: ``2.1``."""

    def page(self) -> str:
        """Return the address of the chapter on the website."""


class Block(NamedTuple):
    """A part of a text: a directive by its name, or ``text``, or ``code``."""

    name: str
    argument: str
    options: dict[str, str]
    body: str


FENCE = re.compile(r" *(?P<fence>:{3,}|`{3,}|~{3,})(\{(?P<name>[\w:-]+)\})?(?P<rest>.*)")
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
OPTION = re.compile(r":([\w-]+):\s*(.*)")
ROLE_OR_CODE = re.compile(r"\{([a-z:]+)\}`([^`]+)`|(`+)(?!`).*?(?<!`)\3(?!`)", re.DOTALL)
NOT_SHOWN = re.compile(r"^(\([\w:-]+\)=|\{[.#][^}\n]*\}|%.*)\n?", re.MULTILINE)
EQUATION = re.compile(r"\$\$(.+?)\$\$[ \t]*\(([\w-]+)\)", re.DOTALL)
EXPLORER = re.compile(r"<([a-z]+-explorer)\b[^>]*>(.*?</\1>)?|</[a-z]+-explorer>", re.DOTALL)
HEADING = re.compile(r"^(#{1,6}) +(.+)$", re.MULTILINE)
BOXES = "admonition attention caution danger hint important note seealso tip warning".split()


def plain_notebook(notebook: NotebookNode, references: References) -> None:
    """Rewrite the cells of a notebook in place; ValueError for a role that notebooks lack."""
    writer = Writer(references)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            writer.add_code(cell)
        else:
            for block in split_blocks(cell.source):
                writer.add_block(block)
            writer.end_cell()
    notebook.cells = writer.cells


def split_blocks(source: str) -> Iterator[Block]:
    """Split a text at its fences."""
    lines = source.splitlines()
    text: list[str] = []
    at = 0
    while at < len(lines):
        opened = FENCE.fullmatch(lines[at])
        end = find_end(lines, at, opened) if opened else 0
        if not opened or not end:
            text.append(lines[at])
            at += 1
            continue
        yield Block("text", "", {}, "\n".join(text))
        text = []
        if opened["name"]:
            yield read_directive(opened["name"], opened["rest"], lines[at + 1 : end])
        else:
            yield Block("code", "", {}, "\n".join(lines[at : end + 1]))
        at = end + 1
    yield Block("text", "", {}, "\n".join(text))


def find_end(lines: list[str], start: int, opened: re.Match) -> int:
    """Return the number of the line that closes a fence, or 0 if none does."""
    closing = re.compile(rf" *{re.escape(opened['fence'][0])}{{{len(opened['fence'])},}} *")
    ends = (at for at in range(start + 1, len(lines)) if closing.fullmatch(lines[at]))
    return next(ends, 0)


def read_directive(name: str, argument: str, lines: list[str]) -> Block:
    """Take the options off a directive's lines."""
    options = {}
    while lines and (option := OPTION.fullmatch(lines[0].strip())):
        options[option[1]] = option[2]
        lines = lines[1:]
    return Block(name, argument.strip(), options, "\n".join(lines).strip("\n"))


class Writer:
    """Collects cells; a solution, which may span many, becomes one."""

    def __init__(self, references: References):
        self.references = references
        self.cells: list[NotebookNode] = []
        self.parts: list[str] = []  # of the Markdown cell being written
        self.attachments: dict[str, dict[str, str]] = {}
        self.in_solution = False
        self.exercise = ""  # the label of the one that is open
        self.n_headings = 0

    def add_code(self, cell: NotebookNode) -> None:
        """Take over a cell of code: hidden as on the website, or as text in a solution."""
        if self.in_solution:
            if "mistakes" in cell.metadata.get("tags", []):
                self.parts.append("**Usual mistakes**, and what the check says of each:")
            self.parts.append(f"```python\n{cell.source.strip()}\n```")
            self.parts += [self.output_as_text(output) for output in cell.get("outputs", [])]
            return
        if self.exercise:
            cell.metadata["layerwise"] = {"exercise": self.exercise}
        tags = cell.metadata.get("tags", [])
        jupyter = {}
        if {"hide-input", "remove-input", "hide-cell"} & set(tags):
            jupyter["source_hidden"] = True
            cell.metadata["cellView"] = "form"  # the same, for Colab
        if {"hide-output", "remove-output", "hide-cell"} & set(tags):
            jupyter["outputs_hidden"] = True
        if jupyter:
            cell.metadata["jupyter"] = jupyter
        for output in cell.get("outputs", []):
            if html := output.get("data", {}).get("text/html"):
                output["data"]["text/html"] = SVG.sub(show_as_image, html)
        self.cells.append(cell)

    def output_as_text(self, output: NotebookNode) -> str:
        """Write what a cell of a solution gave as Markdown."""
        data = output.get("data", {})
        if "text/markdown" in data:
            return data["text/markdown"]
        html = data.get("text/html", "")
        if svg := SVG.search(html):
            name = f"figure-{len(self.attachments) + 1}.svg"
            alt, content = as_image(svg[0])
            self.attachments[name] = {"image/svg+xml": content}
            return f"![{alt}](attachment:{name})"
        if html:
            html = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
            return re.sub(r"\n\s*", "\n", html).strip()  # an empty line would end it
        text = output.get("text") or data.get("text/plain") or "\n".join(output["traceback"])
        return f"```text\n{text.rstrip()}\n```"

    def add_block(self, block: Block) -> None:
        """Write a block of a text, which may open or end a solution."""
        if block.name == "solution-start":
            self.end_cell()
            self.in_solution = True
            self.parts.append(self.open_solution(block))
        elif block.name == "solution-end":
            self.parts.append("</details>")
            self.in_solution = False
            self.end_cell()
            self.cells[-1].metadata["layerwise"] = {"solution": True}
        elif written := self.write(block):
            self.parts.append(written)

    def end_cell(self) -> None:
        """Close the Markdown cell, unless a solution goes on."""
        if self.parts and not self.in_solution:
            cell = new_markdown_cell("\n\n".join(self.parts))
            if self.attachments:
                cell["attachments"] = self.attachments
            self.cells.append(cell)
            self.parts, self.attachments = [], {}

    def open_solution(self, block: Block) -> str:
        """Return what a folded solution begins with."""
        name = self.references.exercise(block.argument)
        return f"<details>\n<summary>Solution to {name}</summary>"

    def write(self, block: Block) -> str:
        """Return a block as Markdown."""
        if block.name == "text":
            return self.write_text(block.body)
        if block.name == "code":
            return block.body
        if block.name in ("exercise", "exercise-start"):
            self.exercise = block.options["label"] if block.name == "exercise-start" else ""
            name = self.references.exercise(block.options["label"])
            title = f"{name} ({block.argument})" if block.argument else name
            return "\n\n".join(filter(None, [f"### {title}", self.write_all(block.body)]))
        if block.name == "exercise-end":
            self.exercise = ""
            return ""
        if block.name == "solution":
            return f"{self.open_solution(block)}\n\n{self.write_all(block.body)}\n\n</details>"
        if block.name == "poem":
            verse = "  \n".join(block.body.split("\n"))
            source = block.options.get("source", "")
            parts = [f"**{block.argument}**" if block.argument else "", verse, source]
            return quote("\n\n".join(filter(None, parts)))
        if block.name in BOXES:
            title = block.argument if block.name == "admonition" else block.name.capitalize()
            return quote(f"**{title}**\n\n{self.write_all(block.body)}")
        if block.name == "quiz":
            return self.write_quiz(block)
        if block.name == "math":
            label = block.options.get("label")
            tag = f"\\tag{{{self.references.equation(label)}}}" if label else ""
            return f"$$\n{block.body}{tag}\n$$"
        if block.name in ("code-block", "code"):
            return f"```{block.argument}\n{block.body}\n```"
        raise ValueError(
            f"no notebook can show the directive {{{block.name}}} yet: teach it to "
            "tools/book/plain.py"
        )

    def write_quiz(self, block: Block) -> str:
        """Return a question, and its answers, each folded above what is to be said to it."""
        parts = [f"**{self.write_text(block.argument)}**"]
        for answer in read_answers(block.body):
            text, feedback = self.write_text(answer.text), self.write_text(answer.feedback)
            text = re.sub("`([^`]+)`", r"<code>\1</code>", text)  # a summary is HTML
            opened = f'<details class="quiz"><summary>{text}</summary>'
            parts += [opened, feedback, "</details>"]
        return "\n\n".join(parts)

    def write_all(self, source: str) -> str:
        """Return the text in a box as Markdown."""
        return "\n\n".join(filter(None, map(self.write, split_blocks(source))))

    def write_text(self, text: str) -> str:
        """Return a text without fences as Markdown."""
        text = NOT_SHOWN.sub("", text)
        text = EQUATION.sub(
            lambda found: f"$${found[1].rstrip()} "
            f"\\tag{{{self.references.equation(found[2])}}}\n$$",
            text,
        )
        live = f"*[On the website]({self.references.page()}), there is something to try here.*"
        text = EXPLORER.sub(lambda found: "" if found[0].startswith("</") else live, text)
        text = ROLE_OR_CODE.sub(self.write_role, text)
        return HEADING.sub(self.write_heading, text).strip("\n")

    def write_role(self, found: re.Match) -> str:
        """Return what stands for a role; code stays as it is."""
        role, content = found[1], found[2]
        if not role:
            return found[0]
        titled = re.fullmatch(r"(.+?)\s*<([^>]+)>", content, re.DOTALL)
        text, target = titled.groups() if titled else ("", content)
        return self.references.link(role, " ".join(target.split()), " ".join(text.split()))

    def write_heading(self, found: re.Match) -> str:
        """Number a heading as on the website."""
        numbers = self.references.heading_numbers
        number = numbers[self.n_headings] if self.n_headings < len(numbers) else ""
        self.n_headings += 1
        return " ".join(filter(None, [found[1], number, found[2]]))


def as_image(svg: str) -> tuple[str, str]:
    """Return what a drawing shows, in words, and the drawing as a file, in base 64."""
    if "xmlns=" not in svg.partition(">")[0]:
        svg = svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    alt = re.search(r'aria-label="([^"]*)"', svg)
    return alt[1] if alt else "figure", base64.b64encode(svg.encode()).decode()


def show_as_image(svg: re.Match) -> str:
    """Return a drawing as an image: Jupyter shows no other in a notebook it does not trust."""
    alt, content = as_image(svg[0])
    source = f"data:image/svg+xml;base64,{content}"
    return f'<img alt="{alt}" src="{source}" style="background-color: white">'


def quote(text: str) -> str:
    """Set a text as a quotation."""
    return "\n".join(f"> {line}" for line in text.split("\n"))

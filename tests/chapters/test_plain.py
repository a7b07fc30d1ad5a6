"""The text of a notebook is Markdown that any Jupyter shows as it stands."""

import base64
import re
import subprocess
import sys
from urllib.parse import unquote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.book.plain import plain_notebook
from tools.desk import ROOT

SITE = ROOT / "_build" / "html"
NOTEBOOKS = sorted((SITE / "notebooks").rglob("*.ipynb"))
SYNTAX = re.compile(r"\{[a-z:]+\}`|^ *:{3,}|^ *`{3,}\{|^\([\w:-]+\)=$|-explorer\b", re.M)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?: \"[^\"]*\")?\)")
every_notebook = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=[path.relative_to(SITE).as_posix() for path in NOTEBOOKS]
)


class Stub:
    """References of a chapter that is not in any book."""

    heading_numbers = ("7", "7.1")

    def link(self, role, target, text):
        return f"<{role}|{target}|{text}>"

    def exercise(self, label):
        return f"Exercise 7.{len(label)}"

    def equation(self, label):
        return "7.3"

    def page(self):
        return "https://book.example/seven.html"


def plain(*cells):
    """Return the cells of a notebook, rewritten; strings are Markdown."""
    cells = [new_markdown_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    notebook = new_notebook(cells=cells)
    plain_notebook(notebook, Stub())
    nbformat.validate(notebook)
    return notebook.cells


def text_of(source: str) -> str:
    (cell,) = plain(source)
    return cell.source


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("A {term}`word`, {ref}`a title <there>`.", "A <term|word|>, <ref|there|a title>."),
        ("{cite:p}`a2019,\nb2020`", "<cite:p|a2019, b2020|>"),
        ("Not `{term}` nor ``{a}`b` ``.", "Not `{term}` nor ``{a}`b` ``."),
        ("(here)=\n# One\n\n{.wide}\nText\n% nobody sees this", "# 7 One\n\nText"),
        ("# One\n\n## Two\n\n### Three", "# 7 One\n\n## 7.1 Two\n\n### Three"),
        ("```sh\n# no {heading}`x`\n```", "```sh\n# no {heading}`x`\n```"),
        ("$$\na\n$$ (eq-a)", "$$\na \\tag{7.3}\n$$"),
        (":::{note}\nA {term}`b`.\n\nC\n:::", "> **Note**\n> \n> A <term|b|>.\n> \n> C"),
        (":::{admonition} Do *so*\n:class: tip\nA\n:::", "> **Do *so***\n> \n> A"),
        ("```{poem} Hope\n:source: 91\n\nA\nB\n```", "> **Hope**\n> \n> A  \n> B\n> \n> 91"),
        (":::{exercise} ★ Look\n:label: ex\nDo.\n:::", "### Exercise 7.2 (★ Look)\n\nDo."),
        ("::::{exercise-start} Look\n:label: ex\n::::\n\nDo.\n\n::::{exercise-end}\n::::",
         "### Exercise 7.2 (Look)\n\nDo."),
        ("::::{note}\n:::{tip}\nA\n:::\n::::", "> **Note**\n> \n> > **Tip**\n> > \n> > A"),
    ],
)  # fmt: skip
def test_a_text(source, expected):
    assert text_of(source) == expected


def test_an_explorer_says_where_it_is():
    sentence = "*[On the website](https://book.example/seven.html), there is something to try"
    made = text_of('<drift-explorer layer="6">\n<p>Here is none.</p>\n</drift-explorer>\n\nB')
    assert made.startswith(sentence)
    assert "none" not in made
    around = plain('<layers-explorer line="1">', new_code_cell("1"), "</layers-explorer>")
    assert [cell.cell_type for cell in around] == ["markdown", "code"]


@pytest.mark.parametrize(
    "source", [":::{mystery}\nA\n:::", ":::{note}\n```{mystery}\n```\n:::"]
)
def test_what_nobody_can_show_is_an_error(source):
    with pytest.raises(ValueError, match=r"\{mystery\}"):
        plain(source)


def test_a_solution_is_folded_and_does_not_run():
    shown = [
        new_output("stream", text="a\n"),
        new_output("display_data", {"text/html": '<p><svg aria-label="A b">\n\n</svg></p>'}),
        new_output("display_data", {"text/html": "<style>p {}</style><table>\n\n</table>"}),
        new_output("display_data", {"text/markdown": "*b*"}),
        new_output("error", ename="E", evalue="", traceback=["E: c"]),
    ]
    before, solution, after = plain(
        "Before.\n\n:::{solution-start} ex\n:class: dropdown\n:::",
        new_code_cell("x = 1", outputs=shown),
        "{term}`Why`.\n\n:::{solution-end}\n:::\n\nAfter.",
    )
    assert (before.source, after.source) == ("Before.", "After.")
    assert solution.cell_type == "markdown"
    parts = [
        "<details>\n<summary>Solution to Exercise 7.2</summary>",
        "```python\nx = 1\n```", "```text\na\n```", "![A b](attachment:figure-1.svg)",
        "<table>\n</table>", "*b*", "```text\nE: c\n```", "<term|Why|>.", "</details>",
    ]  # fmt: skip
    assert solution.source == "\n\n".join(parts)
    assert list(solution.attachments) == ["figure-1.svg"]


def test_code_that_the_website_hides_is_collapsed():
    hidden = new_code_cell("1", metadata={"tags": ["remove-input"]})
    unseen = new_code_cell("2", metadata={"tags": ["hide-output"]})
    hidden, unseen, shown = plain(hidden, unseen, new_code_cell("3"))
    assert hidden.metadata.jupyter == {"source_hidden": True}
    assert unseen.metadata.jupyter == {"outputs_hidden": True}
    assert "jupyter" not in shown.metadata


def test_a_drawing_is_an_image_which_an_untrusted_notebook_shows():
    drawing = '<figure><svg aria-label="A b">\n<path/></svg>c</figure>'
    output = new_output("display_data", {"text/html": drawing})
    (cell,) = plain(new_code_cell("draw()", outputs=[output]))
    html = cell.outputs[0].data["text/html"]
    address = re.compile(r'(.*)data:image/svg\+xml;base64,([^"]+)(.*)')
    before, source, after = address.fullmatch(html).groups()
    assert before == '<figure><img alt="A b" src="'
    assert after == '" style="background-color: white">c</figure>'
    svg = base64.b64decode(source).decode()
    assert svg == (
        '<svg xmlns="http://www.w3.org/2000/svg" aria-label="A b">\n<path/></svg>'
    )


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 6, "build the book first: python3 -m nox -s book"


@every_notebook
def test_a_made_notebook_has_none_of_the_books_syntax(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not SYNTAX.search(cell.source), cell.source


@every_notebook
def test_every_link_leads_somewhere(path):
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    headings = [line.replace(" ", "-") for line in re.findall("^#+ (.*)", text, re.M)]
    links = [link for link in LINK.findall(text) if not link.startswith(("http", "attachment"))]
    assert links
    for link in links:
        file, _, anchor = unquote(link).partition("#")
        if not file:
            assert anchor in headings, link
            continue
        target = (path.parent / file).resolve()
        assert target.is_file(), link
        assert not anchor or f'id="{anchor}"' in target.read_text("utf-8"), link


@every_notebook
def test_no_cell_needs_a_solution_which_is_not_run(path):
    cells = nbformat.read(path, as_version=4).cells
    install, *code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert "%pip" in install
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select=F821", "-"]
    ran = subprocess.run(ruff, input="\n".join(code), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("name", ["tokens", "transformer", "context"])
def test_exercises_and_citations_read_as_on_the_website(name):
    cells = nbformat.read(SITE / f"notebooks/chapters/{name}.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    page = re.sub("<[^>]*>", "", (SITE / f"chapters/{name}.html").read_text("utf-8"))
    exercises = re.findall(r"^### (Exercise [\d.]+) \(", text, re.MULTILINE)
    assert len(exercises) > 2
    assert set(exercises) == set(re.findall(r"(Exercise [\d.]+) \(", page))
    for cited in re.findall(r"\[([^]]+, \d{4})\]\([^)]*bibliography", text):
        assert cited in " ".join(page.split()), cited
    for heading in re.findall(r"^#+ (\d[\d.]* .*?)(?: ●)?$", text, re.MULTILINE):  # drawn there
        assert heading.replace("'", "’").replace("`", "") in page, heading



def test_the_parts_of_an_exercise_can_be_told_apart():
    check = new_code_cell('check("ex-try", 1)')
    mistakes = new_code_cell("check(2)", metadata={"tags": ["mistakes"]})
    mistakes.outputs = [new_output("stream", text="✗ two\n")]
    cells = plain(
        "::::{exercise-start} ★ Try\n:label: ex-try\n::::\n\nCount.",
        new_code_cell("one = 0"), check,
        "::::{exercise-end}\n::::\n\n:::{solution-start} ex-try\n:::",
        new_code_cell("one = 1"), mistakes,
        ":::{solution-end}\n:::\n\nOn we go.",
        new_code_cell("two = 2"),
    )  # fmt: skip
    said = [cell.metadata.get("layerwise") for cell in cells]
    inside = {"exercise": "ex-try"}
    assert said == [None, inside, inside, {"solution": True}, None, None]
    solution = cells[3].source
    assert solution.index("one = 1") < solution.index("**Usual mistakes**")
    assert solution.index("**Usual mistakes**") < solution.index("✗ two")


def test_a_question_unfolds_answer_by_answer():
    text = text_of(
        ":::{quiz} What is `x`?\n- [ ] A `y`.\n  No: {term}`word`,\n  or so.\n"
        "- [x] Itself.\n  Yes.\n:::"
    )
    assert text == (
        '**What is `x`?**\n\n<details class="quiz"><summary>A <code>y</code>.</summary>\n\n'
        "No: <term|word|>, or so.\n\n</details>\n\n"
        '<details class="quiz"><summary>Itself.</summary>\n\nYes.\n\n</details>'
    )

"""The core's chapters on a reader's texts: where they say what they work on, it is changed."""

import ast
import re
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[2]
# Prose, with numbers, code and unknown characters; no stanzas, no titles, no poet.
TEXTS = [
    paragraph.replace("\n", " ")
    for name in ["README.md", "CONTRIBUTING.md", "data/README.md"]
    for paragraph in re.split(r"\n\n+", (ROOT / name).read_text("utf-8"))
    if 12 < len(paragraph.split()) < 100
][:20]
LINE = "A sentence made clearer is as welcome as code"
THEIRS = {
    "texts": TEXTS,
    "line": LINE,
    "lines": [LINE, "A short one.", "And this one is neither of these, it goes on"],
    "word": "fingerprinting",
}


def run(code: str, names: dict) -> None:
    """Run a cell, and show its last expression as a notebook would."""
    tree = ast.parse(code)
    shown = isinstance(tree.body[-1], ast.Expr) and ast.Expression(tree.body.pop().value)
    exec(compile(tree, code[:40], "exec"), names)
    if shown:
        repr(eval(compile(shown, code[:40], "eval"), names))


@pytest.fixture(autouse=True)
def figures_closed():
    with plt.rc_context():
        yield
    plt.close("all")


@pytest.mark.parametrize("chapter", ["tokens", "transformer"])
@pytest.mark.filterwarnings("default")
def test_the_chapter_runs_on_other_texts_and_every_check_holds(chapter, capsys):
    notebook = jupytext.read(ROOT / "chapters" / f"{chapter}.md")
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    names, changed = {"__name__": "__main__"}, set()
    for code in cells:
        run(code, names)  # an exception, or a check that comes out wrong, ends the test
        set_here = {line.split(" =")[0] for line in code.splitlines()} & set(THEIRS)
        if "texts" in set_here and not changed:
            changed = set_here
            names.update({name: THEIRS[name] for name in changed})
    assert {"texts", "line", "word"} <= changed
    assert len(TEXTS) == 20
    printed = capsys.readouterr().out
    for call, mark in [("\ncheck_equal(", "\n✓ "), ("\ncheck_differs(", "\n✗ ")]:
        written = sum(("\n" + code).count(call) for code in cells)
        assert printed.count(mark) >= written > 5
    if chapter == "tokens":
        assert len(names["text_ids"]) == len(TEXTS)
    else:
        assert len(names["pairs"]) == 8

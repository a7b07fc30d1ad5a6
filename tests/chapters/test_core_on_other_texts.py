"""The core's chapters on a reader's texts: where they say what they work on, it is changed."""

import ast
import re
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from layerwise.texts.names import name_texts

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
    for call, mark in [("\ncheck_equal(", "\n✓ "), ("\ncheck_differs(", "\n≠ ")]:
        written = sum(("\n" + code).count(call) for code in cells)
        assert printed.count(mark) >= written > 5
    if chapter == "tokens":
        assert len(names["text_ids"]) == len(TEXTS)
    else:
        assert len(names["pairs"]) == 8


@pytest.mark.filterwarnings("default")
def test_the_chapter_on_context_runs_on_texts_without_titles_and_themes(capsys):
    notebook = jupytext.read(ROOT / "chapters" / "context.md")
    first, *cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    poems = pd.DataFrame({"text": TEXTS})
    names = {"__name__": "__main__"}
    run(first, names)
    assert {"poems", "example", "word", "second_word", "line", "other_line"} <= set(names)
    names.update(
        poems=poems, example=name_texts(poems)[3], word="the", second_word="and",
        line=LINE, other_line="And this one is neither of these, it goes on",
    )  # fmt: skip
    for code in cells:
        run(code, names)
    printed = capsys.readouterr().out
    for call, mark in [("\ncheck_equal(", "\n✓ "), ("\ncheck_differs(", "\n≠ ")]:
        assert printed.count(mark) >= sum(("\n" + code).count(call) for code in cells) > 5
    assert len(names["runs"]) == len(TEXTS)


def test_a_name_that_no_text_has_ends_in_one_sentence():
    notebook = jupytext.read(ROOT / "chapters" / "context.md")
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    names = {"__name__": "__main__"}
    for code in cells[:2]:
        run(code, names)
    names["example"] = "Hopes"
    with pytest.raises(ValueError, match=r"no text is named 'Hopes': choose .* 'Hope'"):
        run(cells[2], names)

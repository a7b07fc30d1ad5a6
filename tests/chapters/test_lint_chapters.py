"""The chapters pass the lint, and each of its rules finds what it is there for."""

import pytest

from tools.book.lint import HEADER, HIDDEN, ROOT, lint, main
from tools.chapters import read_book, read_pages

CHAPTER = f"""{HEADER}layerwise:
  models: []
---

(one)=
# 59 poems, or 99.5% of 1,000

The poems of 1890 {{cite:t}}`dickinson`, "section 3.2", have a {{term}}`word <token>` or two,
or `1.5`, or $x^{{2.5}}$, or [a page](https://example.org/3.14), or {{term}}`Layers`.

```{{code-cell}} ipython3
:tags: [remove-input]

check_equal("a claim", 1, 1)
```

```{{code-cell}} ipython3
check_differs("its twin", 1, 2)
show(
    figure,
    alt=f"Bars for {{n}} poems.",
)
```

$$
y = 0.5 x
$$

::::{{exercise-start}} Try 1.5
:label: ex-try
::::

Count.

```{{code-cell}} ipython3
guess = 0
```

```{{code-cell}} ipython3
check("ex-try", guess)
```

::::{{exercise-end}}
::::

:::{{solution-start}} ex-try
:class: dropdown
:::

```{{code-cell}} ipython3
%matplotlib inline
print(12345.678)
```

```{{code-cell}} ipython3
check("ex-try", 1)
```

```{{code-cell}} ipython3
:tags: [mistakes]

check("ex-try", 2)
check("ex-try", 3)
```

:::{{solution-end}}
:::

:::{{quiz}} Why 1.5?
- [ ] So.
  Not so.
- [x] Because.
  Yes.
:::

% a note to authors: 99.9%
"""
FILES = {
    "_config.yml": "parse:\n  myst_enable_extensions: [colon_fence, dollarmath]\n",
    "_toc.yml": "format: jb-book\nroot: index\nchapters:\n"
    "- file: chapters/01_one\n- file: glossary\n",
    "chapters/01_one.md": CHAPTER,
    "index.md": "# A book\n\nSee {cite:p}`dickinson,other`.\n",
    "glossary.md": "# Words\n\n:::{glossary}\ntoken\n  A piece.\n\nlayers\n  Many.\n:::\n",
    "references.bib": "@book{dickinson,\n  year = {1890},\n}\n@misc{other,\n}\n",
}


@pytest.fixture
def book(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path


def test_the_chapters_pass():
    assert [str(finding) for finding in lint(ROOT)] == []


def test_it_reads_the_cells_that_are_executed():
    pages = {page.name: page for page in read_pages(ROOT)}
    for chapter in read_book(ROOT).chapters:
        page = pages[f"{chapter.name}.md"]
        lines = page.text.splitlines()
        for cell, (_, executed) in zip(page.cells, chapter.code_cells, strict=True):
            assert "\n".join(cell.code) == executed.source.strip("\n")
            assert cell.tags == set(executed.metadata.get("tags", []))
            assert lines[cell.line - 1 : cell.line - 1 + len(cell.code)] == cell.code


def test_a_cell_where_none_can_be_executed_is_read_too(book):
    text = CHAPTER.replace("Count.", "- Count:\n\n  ```{code-cell}\n  !pip install x\n  ```")
    (book / "chapters/01_one.md").write_text(text, "utf-8")
    (found,) = lint(book)
    assert str(found).startswith("chapters/01_one.md:45: code that installs packages")


def test_findings_are_shown_and_decide_on_the_exit_status(monkeypatch, capsys, book):
    monkeypatch.setattr("tools.book.lint.ROOT", book)
    assert main() == 0
    (book / "index.md").write_text(FILES["index.md"] + "It is 99.5%.\n", "utf-8")
    assert main() == 1
    shown = capsys.readouterr().out
    assert shown.startswith("chapters: nothing found\nindex.md:4: the number 99.5% is typed: ")
    assert shown.endswith("chapters: 1 findings\n")


def test_a_book_without_faults_has_no_findings(book):
    assert lint(book) == []


def test_a_label_is_of_one_exercise_in_the_whole_book(book):
    """Else Sphinx takes one for the other, and stops at the end of an exercise."""
    again = ":::{exercise} Again\n:label: ex-try\n:::\n\n:::{solution} ex-try\n:::\n"
    (book / "index.md").write_text(FILES["index.md"] + again, "utf-8")
    found = "\n".join(str(finding) for finding in lint(book))
    assert "the label 'ex-try' is taken by " in found


LONG = "x = 1  # " + "x" * 80
# What is done to a file, and the finding it makes.
TWINS = {
    "nothing named": ("layerwise:\n  models: []\n", "", "one.md:1: the models and data are"),
    "no header": ("language: python\n", "", "01_one.md:1: another header"),
    "a header of its own": ("Python 3 (ipykernel)", "Python", "01_one.md:1: another header"),
    "pip": ("%matplotlib inline", "!pip install x", ":60: code that installs packages"),
    "pip, the magic": ("%matplotlib inline", "%pip install x", "code that installs packages"),
    "a folder": ("print(12345.678)", "os.chdir('/')", "code that changes the working folder"),
    "a path": ("print(12345.678)", "sys.path.append('..')", "changes where Python looks"),
    "a long line": ("print(12345.678)", LONG, ":61: 89 characters of code: break the line, 88"),
    "a long cell": ("print(12345.678)", "x = 1\n" * 22, ":60: a cell of 23 lines: split it"),
    "a decimal": ("Count.", "About .41 of them.", ":42: the number .41 is typed"),
    "a decimal with a zero": ("Count.", "It is 0.41.", "the number 0.41 is typed"),
    "a percentage": ("Count.", "It is 41 % here.", "the number 41 % is typed"),
    "a share in words": ("Count.", "41 percent", "the number 41 percent is typed"),
    "thousands": ("Count.", "Of 30,522 entries", "the number 30,522 is typed"),
    "a large number": ("Count.", "Of 30522 entries", "the number 30522 is typed"),
    "no year": ("Count.", "Of 1512 entries", "the number 1512 is typed"),
    "simply": ("Count.", "Simply count.", ":42: 'Simply': leave it out"),
    "as you can see": ("Count.", "It is, as you can see, so.", "'as you can see': leave"),
    "no alt text": ('    alt=f"Bars for {n} poems.",\n', "", ":28: a figure without alt text"),
    "a fixed alt text": ("{n} poems", "some poems", ":28: an alt text without a computed"),
    "no twin": ("check_differs(", "print(", ":23: a check without a broken twin"),
    "no label": (":label: ex-try\n", "", ":38: an exercise without a label"),
    "no solution": ("-start} ex-try", "-start} ex-other", ":38: an exercise without a"),
    "no start": ("guess = 0", 'check("ex-try", 0)', ":38: the exercise ex-try has no cell to"),
    "two checks": ("guess = 0", 'check("ex-try", 0)', "has 2 cells with a check"),
    "no check of the solution": ('check("ex-try", 1)', "pass", "has a solution that is not"),
    "one mistake": ('check("ex-try", 3)', "pass", "ex-try has no 2 usual mistakes"),
    "mistakes untagged": (":tags: [mistakes]", "", "ex-try has no 2 usual mistakes"),
    "no cells": ("{exercise-start}", "{exercise}", ":38: an exercise without cells"),
    "no quiz": ("{quiz}", "{note}", ":1: a chapter without a quiz"),
    "two right": ("- [ ] So", "- [x] So", ":78: a quiz: a question has two answers or more"),
    "no feedback": ("  Yes.\n", "", ":78: a quiz: the answer 'Because.' has no feedback"),
    "not an answer": ("- [ ] So.", "- So.", ":78: a quiz: '- So.' is neither"),
    "no such source": ("`dickinson`", "`dickenson`", ":17: 'dickenson' is not in"),
    "no such term": ("<token>", "<tokens>", "the term 'tokens' is not in glossary.md"),
}  # fmt: skip


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_a_fault_is_found(book, twin):
    old, new, finding = twin
    assert old in CHAPTER
    (book / "chapters/01_one.md").write_text(CHAPTER.replace(old, new, 1), "utf-8")
    assert finding in "\n".join(str(found) for found in lint(book))


@pytest.mark.parametrize(
    ("name", "addition", "finding"),
    [
        ("references.bib", "@misc{idle,\n}\n", "references.bib:6: 'idle' is cited nowhere"),
        ("glossary.md", ":::{glossary}\nidle\n  Not.\n:::\n", "'idle' is a {term} nowhere"),
    ],
)
def test_what_nobody_refers_to_is_found(book, name, addition, finding):
    (book / name).write_text(FILES[name] + addition, "utf-8")
    (found,) = lint(book)
    assert finding in str(found)


def test_a_check_that_can_have_no_twin_says_so(book):
    text = CHAPTER.replace('check_equal("a', '# no twin: a reason\ncheck_equal("a')
    text = text.replace("check_differs(", "print(")
    (book / "chapters/01_one.md").write_text(text, "utf-8")
    assert lint(book) == []


@pytest.mark.parametrize("tag", sorted(HIDDEN))
def test_code_that_the_page_folds_away_may_have_longer_lines(book, tag):
    text = CHAPTER.replace("[remove-input]\n", f"[{tag}]\n\n{LONG}")
    (book / "chapters/01_one.md").write_text(text, "utf-8")
    assert lint(book) == []
    (book / "chapters/01_one.md").write_text(text.replace(LONG, LONG + "x" * 30), "utf-8")
    assert "119 characters of code: break the line, 110" in str(lint(book)[0])

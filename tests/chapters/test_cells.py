"""The code in chapters passes the checks of all other code, which find what they are for."""

import pytest
from test_lint_chapters import CHAPTER, FILES

from tools.book.cells import as_module, check_cells
from tools.chapters import read_pages
from tools.desk import ROOT


def test_each_line_of_code_keeps_its_place():
    for page in read_pages(ROOT):
        module, source = as_module(page).split("\n"), page.text.split("\n")
        for cell in page.cells:
            for number, line in enumerate(cell.code, start=cell.line):
                assert source[number - 1] == line
                assert module[number - 1].endswith(line)


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """What is found in a page with three mistakes and a magic."""
    book = tmp_path_factory.mktemp("cells")
    code = "count: int = 'one'\nfrom json import load\nprint(lines)"
    for name, text in FILES.items():
        (book / name).parent.mkdir(exist_ok=True)
        (book / name).write_text(text.replace("print(12345.678)", code), "utf-8")
    assert "%matplotlib inline\n" in CHAPTER
    return check_cells(book)


@pytest.mark.parametrize("finding", [
    "chapters/01_one.md:61: error: Incompatible types in assignment",
    "chapters/01_one.md:62:18: unused-import",
    "chapters/01_one.md:63:7: undefined-name: Undefined name `lines`",
])  # fmt: skip
def test_a_mistake_is_found_where_it_stands(findings, finding):
    assert [line for line in findings if line.startswith(finding)]


def test_a_magic_is_no_mistake(findings):
    assert not [line for line in findings if ".md:60" in line]

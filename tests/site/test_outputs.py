"""Tables and matrices as they are set, the citation, the places of the search, the PDF."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader

from _ext.citation import citation
from _ext.outputs import improve_tables, keep_names_whole, mark_shapes
from _ext.valid_html import improve_html
from tools.desk import BuildError
from tools.site.browser import CHROMIUM
from tools.site.pdf import make_pdf, one_document

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def numbers_as_pandas_has_them():
    """Keep out the number format of a chapter whose cells another test has run."""
    with pd.option_context("display.float_format", None):
        yield


def mended(frame: pd.DataFrame) -> str:
    return improve_tables(improve_html(frame.to_html()))


def cells(table: str, row: int) -> list[str]:
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return re.findall(r"<t[hd][^>]*>.*?</t[hd]>", rows[row], re.DOTALL)


def test_numbers_stand_right_and_words_left():
    table = mended(
        pd.DataFrame({"word": ["rose", "noon"], "n": [30522, -4], "share": [-0.5, 0.25]})
    )
    head, first, second = (cells(table, row) for row in range(3))
    assert (
        head[0] == '<td class="number"></td>'
    )  # the index has no name: there is nothing to head
    assert head[1] == '<th scope="col">word</th>'
    assert head[2] == '<th scope="col" class="number">n</th>'
    assert first[1:] == [
        "<td>rose</td>", '<td class="number">30,522</td>', '<td class="number">−0.50</td>'
    ]  # fmt: skip
    assert second[2] == '<td class="number">−4</td>'


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("year", 18900, "18900"), ("input_id", 30522, "30522"), ("input_ids", 30522, "30522"),
        ("n_tokens", 1890, "1890"), ("width", 30522, "30,522"), ("n", 10000.5, "10,000.5"),
    ],
)  # fmt: skip
def test_only_amounts_get_separators(name, value, shown):
    assert f">{shown}</td>" in mended(pd.DataFrame({name: [value]}))


def test_a_column_with_one_word_in_it_is_not_of_numbers():
    assert "number" not in mended(pd.DataFrame({"what": ["1", "two"]}, index=["a", "b"]))


def test_what_is_missing_keeps_its_column_right():
    table = mended(pd.DataFrame({"x": [np.nan, 1.5]}, index=["a", "b"]))
    assert table.count('class="number"') == 3


def test_the_name_of_an_index_gets_no_row_of_its_own():
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index([0, 1], name="layer"))
    frame.columns.name = "comparison"
    table = mended(frame)
    assert table.count("<tr>") == 3
    assert ">layer</th>" in table
    assert "comparison" not in table


def test_a_heading_that_spans_rows_belongs_to_each():
    index = pd.MultiIndex.from_tuples(
        [(24, -2), (24, 1), (6, -4), (12, -4)], names=["layer", "dose"]
    )
    table = mended(pd.DataFrame({"odds": [-4.5, 0.25, 12345.5, 1.0]}, index=index))
    rows = [re.findall(r'class="number">([^<]*)<', row) for row in table.split("<tr>")[2:]]
    assert rows == [
        ["24", "−2", "−4.50"], ["1", "0.25"], ["6", "−4", "12,345.50"], ["12", "−4", "1.00"]
    ]  # fmt: skip
    assert table.count('rowspan="2"') == 1


def test_short_names_in_a_line_are_whole_at_their_hyphens_and_long_ones_are_not():
    name = '<code><span class="pre">{}</span></code>'
    whole = keep_names_whole(name.format("bert-base-uncased"))
    assert whole == '<code><span class="pre whole">bert-base-uncased</span></code>'
    for other in ("sentence-transformers/all-MiniLM-L6-v2", "hidden_states"):
        assert keep_names_whole(name.format(other)) == name.format(other)


def test_names_of_columns_in_two_rows_keep_both():
    columns = pd.MultiIndex.from_product([["trained", "untrained"], ["same", "other"]])
    table = mended(
        pd.DataFrame([[1, 2, 3, 4]], columns=columns, index=pd.Index([7], name="layer"))
    )
    head = table.split("</thead>")[0]
    assert head.count("<tr>") == 2
    assert all(
        f">{name}<" in head for name in ["trained", "untrained", "same", "other", "layer"]
    )
    assert "halign" not in head


def test_cells_with_markup_of_their_own_stay():
    html = '<table class="dataframe"><tbody><tr><td>a<br>b</td></tr></tbody></table>'
    assert improve_tables(html) == html


def test_named_characters_are_no_obstacle():
    cell = "<td>a&nbsp;&amp; &lt;b&gt;</td>"
    html = f'<table class="dataframe"><tbody><tr>{cell}</tr></tbody></table>'
    assert "<td>a\xa0&amp; &lt;b&gt;</td>" in improve_tables(html)


def test_a_matrix_keeps_its_shape_and_prose_does_not():
    output = '<div class="output text_plain x"><div><pre>{}</pre></div></div>'
    assert "shaped" in mark_shapes(output.format("tensor([[1, 0],\n        [0, 1]])"))
    assert "shaped" not in mark_shapes(output.format("one long line\nand another"))
    two = output.format("one") + output.format("[[1],\n   [2]]")
    assert mark_shapes(two).count("shaped") == 1


def test_citation_is_the_files(tmp_path):
    (tmp_path / "CITATION.cff").write_text(
        "title: A book\nversion: 2.5\ndate-released: 2031-04-05\n"
        "authors:\n- {given-names: Ada, family-names: Moor}\n- {name: The Others}\n"
        "license: [MIT]\n",
        "utf-8",
    )
    found = citation(tmp_path)
    assert found["text"] == "Ada Moor, The Others (2031). A book. Version 2.5."
    assert "author = {{Ada Moor} and {The Others}}" in found["bibtex"]
    assert [name for _, name, _ in found["licences"]] == ["MIT"]


def test_every_place_of_the_search_is_there(site_folder):
    script = (site_folder / "_static" / "places.js").read_text("utf-8")
    pages = json.loads(script.removeprefix("var bookPages = ").removesuffix(";\n"))
    texts = {}
    for page in pages:
        assert page["places"]
        for place in page["places"]:
            path, _, anchor = place["at"].partition("#")
            texts.setdefault(path, (site_folder / path).read_text("utf-8"))
            assert not anchor or f'id="{anchor}"' in texts[path], place["at"]
    assert {"index.html", "poems.html", "glossary.html", "chapters/tokens.html"} <= texts.keys()
    assert "executions.html" not in texts  # its seconds would make every build another


def test_one_document_leads_within_itself(site_folder):
    document = one_document(site_folder, "open")
    ids = re.findall(r'\bid="([^"]*)"', document)
    assert sorted(set(ids)) == sorted(ids)
    links = set(re.findall(r'(?<![:\w])href="#([^"]*)"', document))
    assert len(links) > 50
    assert links <= set(ids), sorted(links - set(ids))[:5]
    assert "<details open" in document
    assert "<details open" not in one_document(site_folder, "left-out")


@pytest.fixture(scope="module")
def printed(site_folder, tmp_path_factory) -> PdfReader:
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"THE PDF IS NOT TESTED: there is no {CHROMIUM}")
    target = tmp_path_factory.mktemp("pdf") / "book.pdf"
    # In a process of its own: one has one Playwright, and here it is the browser fixture's.
    command = [sys.executable, "-m", "tools.site.pdf", "--site", str(site_folder)]
    command += ["--to", str(target), "--solutions", "left-out"]
    subprocess.run(command, cwd=ROOT, check=True)
    return PdfReader(target)


def test_no_page_of_the_pdf_is_empty(printed):
    texts = [page.extract_text() for page in printed.pages]
    assert len(texts) > 30
    sparse = [i for i, text in enumerate(texts, start=1) if len(text.split()) < 10]
    assert not sparse, f"pages with hardly a word: {sparse}"


def test_the_pdf_has_an_outline_and_every_poem_but_no_solution(printed):
    text = " ".join(page.extract_text() for page in printed.pages)
    assert len(printed.outline) > 5
    assert "Solution to Exercise" not in text
    assert "On the website, readers can try this" in text
    assert "The sexton keeps the key to" in text


def test_a_pdf_needs_a_site(tmp_path):
    with pytest.raises(BuildError, match="build it first"):
        make_pdf(tmp_path, tmp_path / "book.pdf")

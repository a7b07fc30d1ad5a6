"""The poems are those of the first editions, and the dataset is those poems."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tools.data import poems as builder
from tools.data import source

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
SUCCESS = "01-success-is-counted-sweetest.txt"


POEMS = source.read_poems(DATA / "poems")
DIGESTS = source.read_digests(DATA / "digests.json")


@pytest.fixture
def data(tmp_path):
    """Give a copy of the data folder that a test may spoil."""
    return shutil.copytree(DATA, tmp_path / "data")


def edit(data, old, new, name=SUCCESS):
    """Replace the one place in a poem's file that reads ``old``."""
    path = data / "poems" / name
    content = path.read_text(encoding="utf-8")
    assert content.count(old) == 1
    path.write_text(content.replace(old, new), encoding="utf-8")


def complaint(capsys, data):
    """Run ``--check`` on spoiled data and give what it says."""
    assert builder.main(["--check", "--data", str(data)]) == 1
    complaint, traceback = capsys.readouterr()
    assert traceback == ""
    return complaint


# --- What is true of the data as it stands -----------------------------------------------


@pytest.mark.parametrize("poem", POEMS, ids=lambda poem: poem.path.stem)
def test_every_line_is_the_printed_one(poem):
    digests = [[source.line_digest(line) for line in stanza] for stanza in poem.stanzas]
    assert digests == DIGESTS[poem.number]


def test_there_are_59_poems_and_each_theme_is_well_represented():
    assert [poem.number for poem in POEMS] == list(range(1, 60))
    themes = pd.Series([poem.theme for poem in POEMS]).value_counts()
    assert sorted(themes.index) == ["Life", "Love", "Nature", "Time and Eternity"]
    assert themes.min() >= 14


def test_a_title_does_not_end_as_a_line_may():
    assert [poem.title for poem in POEMS if poem.title[-1] in ",;:.—"] == []


def test_parquet_is_byte_for_byte_what_a_rebuild_gives(data):
    committed = builder.parquet_path(DATA).read_bytes()
    builder.parquet_path(data).unlink()
    assert builder.main(["--data", str(data)]) == 0
    assert builder.parquet_path(data).read_bytes() == committed


def test_check_passes_and_changes_nothing(data, capsys):
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert builder.main(["--check", "--data", str(data)]) == 0
    assert "59 poems" in capsys.readouterr().out
    assert before == {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}


def test_parquet_loads_with_the_promised_columns():
    frame = pd.read_parquet(builder.parquet_path(DATA))
    assert frame.dtypes.astype(str).to_dict() == {
        "title": "str",
        "first_line": "str",
        "text": "str",
        "theme": "str",
        "series": "int64",
        "year": "int64",
        "number": "int64",
    }
    assert frame["text"].tolist() == [poem.text for poem in POEMS]
    assert frame["number"].tolist() == list(range(1, 60))
    assert frame.notna().all(axis=None)


@pytest.mark.parametrize(("word", "n_poems"), [("still", 4), ("light", 7)])
def test_words_the_book_follows_are_in_several_poems(word, n_poems):
    found = [poem for poem in POEMS if re.search(rf"\b{word}\b", poem.text, re.IGNORECASE)]
    assert len(found) == n_poems


def test_datasheet_counts_are_those_of_the_data():
    frame = pd.read_parquet(builder.parquet_path(DATA))
    counts = pd.crosstab(frame["theme"], frame["year"], margins=True, margins_name="All")
    datasheet = (DATA / "README.md").read_text(encoding="utf-8")
    for theme, row in counts.iterrows():
        assert f"| {theme} | {' | '.join(map(str, row))} |" in datasheet


# --- Failing twins: each spoils one thing, and the check must name it --------------------


def test_a_changed_letter_fails(data, capsys):
    edit(data, "Requires sorest need.", "Requires sorest deed.")
    message = complaint(capsys, data)
    assert f"{SUCCESS}, stanza 1, line 4: 'Requires sorest deed.'" in message
    assert len(message.splitlines()) == 1


def test_changed_punctuation_passes_the_digests_and_fails_the_parquet(data, capsys):
    edit(data, "Requires sorest need.", "Requires sorest need!")
    message = complaint(capsys, data)
    assert f"differs from {(data / 'poems' / SUCCESS).as_posix()}." in message


def test_swapped_lines_fail(data, capsys):
    edit(
        data,
        "Can tell the definition,\nSo clear, of victory,",
        "So clear, of victory,\nCan tell the definition,",
    )
    message = complaint(capsys, data)
    assert f"{SUCCESS}, stanza 2, line 3" in message
    assert f"{SUCCESS}, stanza 2, line 4" in message


def test_a_lost_stanza_break_fails(data, capsys):
    edit(data, "need.\n\nNot", "need.\nNot")
    assert f"{SUCCESS}: lines per stanza [8, 4], in the edition [4, 4, 4]" in complaint(
        capsys, data
    )


@pytest.mark.parametrize("key", source.HEADER_KEYS)
def test_a_missing_header_fails(data, capsys, key):
    line = next(
        line
        for line in (data / "poems" / SUCCESS).read_text(encoding="utf-8").splitlines()
        if line.startswith(f"{key}: ")
    )
    edit(data, f"{line}\n", "")
    assert f"{SUCCESS}: no {key!r} in the header" in complaint(capsys, data)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("theme: Life", "theme: Live", "unknown theme 'Live'"),
        ("series: 1", "series: 4", "series 4"),
        ("year: 1890", "year: 1891", "year 1891, but series 1 appeared in 1890"),
        ("number: 1\n", "number: one\n", "number 'one'"),
        ("number: 1\n", "number: 0\n", "number '0'"),
        ("number: 1\n", "number: 60\n", "number 60"),
        ("number: 1\n", "number: 2\n", "number 2 with this first line belongs in 02-success"),
        ("title: Success", "heading: Success", "'heading: Success' is no header line"),
        ("theme: Life", "theme: Life\ntheme: Love", "a second 'theme'"),
        ("number: 1\n\n", "number: 1\n", "is no header line"),
        ("number: 1\n\n", "number: 1\n\n\n", "line 8: a stray blank line"),
        ("need.\n\n", "need.\n\n\n", "line 13: a stray blank line"),
        ("and clear!\n", "and clear!\n\n", "a stray blank line there"),
        ("and clear!\n", "and clear!", "no newline at the end"),
        ("To comprehend", " To comprehend", "line 10: ' To comprehend a nectar' has spaces"),
        ("ne'er", "ne’er", "line 9: the character '’'"),
        ("So clear, of", "So clear -- of", "line 16: 'So clear -- of victory,'. Write a dash"),
        ("first_line: Success is", "first_line: Success was", "first_line is 'Success was"),
    ],
)
def test_a_file_in_another_form_fails(data, capsys, old, new, expected):
    edit(data, old, new)
    message = complaint(capsys, data)
    assert SUCCESS in message
    assert expected in message


def test_a_header_without_a_poem_fails(data, capsys):
    path = data / "poems" / SUCCESS
    header, _ = path.read_text(encoding="utf-8").split("\n\n", maxsplit=1)
    path.write_text(header + "\n", encoding="utf-8")
    assert f"{SUCCESS}: no empty line" in complaint(capsys, data)


def test_a_file_that_is_not_utf8_fails(data, capsys):
    path = data / "poems" / SUCCESS
    path.write_bytes(path.read_bytes().replace(b"ne'er", b"ne\xb4er"))
    assert f"{SUCCESS}: not UTF-8" in complaint(capsys, data)


def test_a_duplicate_fails(data, capsys):
    poem = source.read_poem(data / "poems" / SUCCESS)
    copy = data / "poems" / SUCCESS.replace("01-", "02-")
    shutil.copy(poem.path, copy)
    edit(data, "number: 1\n", "number: 2\n", copy.name)
    message = complaint(capsys, data)
    assert SUCCESS in message
    assert copy.name in message


def test_a_lost_poem_fails(data, capsys):
    (data / "poems" / SUCCESS).unlink()
    assert "58 poems where 59 belong; without a file: 1." in complaint(capsys, data)


def test_lost_digests_fail(data, capsys):
    (data / "digests.json").write_text('{"poems": []}', encoding="utf-8")
    assert "digests.json: digests of 0 poems where 59 belong" in complaint(capsys, data)


def test_a_spoiled_poem_is_not_built(data):
    before = builder.parquet_path(data).read_bytes()
    edit(data, "Requires sorest need.", "Requires sorest deed.")
    assert builder.main(["--data", str(data)]) == 1
    assert builder.parquet_path(data).read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda table: table.slice(1), "has 58 rows for 59 poems"),
        (lambda table: table.select(["text"]), "has the columns text string"),
        (lambda table: table.sort_by([("number", "descending")]), "differs from"),
    ],
    ids=["a row short", "other columns", "another order"],
)
def test_other_rows_in_the_parquet_fail(data, capsys, spoil, expected):
    path = builder.parquet_path(data)
    path.write_bytes(builder.to_parquet(spoil(builder.to_table(POEMS))))
    assert f"dickinson_poems.parquet: {expected}" in complaint(capsys, data)


def test_a_lost_parquet_fails(data, capsys):
    builder.parquet_path(data).unlink()
    assert "dickinson_poems.parquet: no such file" in complaint(capsys, data)


def test_a_parquet_cut_short_fails(data, capsys):
    path = builder.parquet_path(data)
    path.write_bytes(path.read_bytes()[:-9])
    assert "dickinson_poems.parquet: not a parquet file" in complaint(capsys, data)


def test_the_right_rows_in_other_bytes_fail(data, capsys):
    path = builder.parquet_path(data)
    table = builder.to_table(POEMS)
    builder.pq.write_table(table, path, compression="gzip")
    assert "the right rows in other bytes" in complaint(capsys, data)

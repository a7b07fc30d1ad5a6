"""A learner's copies of the notebooks are theirs."""

import pytest

from tools.book.lab import lay_out
from tools.desk import BuildError


@pytest.fixture
def site(tmp_path):
    site = tmp_path / "site"
    for name in ["notebooks/chapters/one.ipynb", "notebooks/executed/chapters/one.ipynb"]:
        (site / name).parent.mkdir(parents=True)
        (site / name).write_text("first")
    (site / "glossary.html").write_text("page")
    return site


@pytest.fixture
def learner(site, tmp_path):
    """Lay out the site for a learner; return what was said and what is there."""

    def lay_out_again(newer: str = ""):
        if newer:
            (site / "notebooks/chapters/one.ipynb").write_text(newer)
        said = []
        lay_out(site, tmp_path / "lab", said.append)
        there = (tmp_path / "lab" / "notebooks").rglob("*.ipynb")
        return said, {path.name: path.read_text() for path in there}

    return lay_out_again


def test_a_copy_that_was_not_changed_is_kept_up_to_date(learner, tmp_path):
    assert learner() == ([], {"one.ipynb": "first"})
    assert (tmp_path / "lab" / "glossary.html").is_file()  # where the notebook's links lead
    assert learner("second") == ([], {"one.ipynb": "second"})


def test_a_copy_that_was_changed_stays_and_the_newer_is_beside_it(learner, tmp_path):
    learner()
    (tmp_path / "lab/notebooks/chapters/one.ipynb").write_text("mine")
    assert learner() == ([], {"one.ipynb": "mine"})
    (said,), there = learner("second")
    beside = "one-16367aac.ipynb"
    assert said == f"you have changed one.ipynb: it stays, and the newer one is {beside}"
    assert there == {"one.ipynb": "mine", beside: "second"}
    (tmp_path / "lab/notebooks/chapters" / beside).write_text("mine, too")
    assert learner() == ([], {"one.ipynb": "mine", beside: "mine, too"})
    said, there = learner("third")
    assert there.items() >= {"one.ipynb": "mine", beside: "mine, too"}.items()
    assert "third" in there.values()


@pytest.mark.parametrize("record", [b'{"a":', b"[1]", b"\xff\xfe"])
def test_of_a_record_that_is_damaged_nothing_is_lost(learner, tmp_path, record):
    learner()
    (tmp_path / "lab/notebooks/chapters/one.ipynb").write_text("mine")
    (tmp_path / "lab/.given.json").write_bytes(record)
    _, there = learner("second")
    assert there == {"one.ipynb": "mine", "one-16367aac.ipynb": "second"}
    assert learner() == ([], there)


def test_a_copy_that_was_deleted_comes_again(learner, tmp_path):
    learner()
    (tmp_path / "lab/notebooks/chapters/one.ipynb").unlink()
    assert learner() == ([], {"one.ipynb": "first"})


def test_without_a_site_one_sentence_says_what_to_do(tmp_path):
    with pytest.raises(BuildError, match="build the book"):
        lay_out(tmp_path, tmp_path / "lab", print)

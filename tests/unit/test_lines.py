"""Lines and their shuffled words."""

import pytest

from layerwise.texts.lines import lines_and_shuffles
from layerwise.texts.poems import load_poems


def test_a_line_has_the_words_of_its_shuffle_and_another_order():
    lines = lines_and_shuffles(load_poems()["text"])
    for line in lines.itertuples():
        assert sorted(line.true.split()) == sorted(line.shuffled.split())
        assert line.true != line.shuffled
        assert len(line.true.split()) >= 3
    assert lines["text"].nunique() == 59
    assert lines.equals(lines_and_shuffles(load_poems()["text"]))
    assert not lines.equals(lines_and_shuffles(load_poems()["text"], seed=1))


def test_lines_are_numbered_as_words_stand_in_them():
    text = "A bird came – down!\n\nNow, now, now\nHe bit\n  “an Angle-worm in halves,”"
    lines = lines_and_shuffles(["too short", text])
    assert lines[["text", "line"]].values.tolist() == [[1, 1], [1, 4]]
    assert lines["true"].tolist() == ["a bird came down", "an angle worm in halves"]


def test_texts_without_a_line_that_could_be_shuffled_are_refused():
    with pytest.raises(ValueError, match="none of the texts has a line of 3 words or more"):
        lines_and_shuffles(["two words", "no no no"])

"""Every text has a name, and no two have the same."""

import pandas as pd
import pytest

from layerwise.texts.names import find_text, name_texts
from layerwise.texts.poems import load_poems


def test_poems_are_named_by_title_and_the_two_called_a_book_told_apart():
    poems = load_poems()
    names = name_texts(poems)
    assert len(set(names)) == len(poems)
    assert names[7] == "Hope"
    assert [name for name in names if name.startswith("A Book")] == [
        "A Book (He ate and drank the precious words)",
        "A Book (There is no frigate like a book)",
    ]


def test_without_titles_the_first_line_serves_and_equal_ones_are_counted():
    long = "nine more " * 9
    texts = ["\nOne line,\nand another", "x" * 90, "One  line;\nagain", "One line.", long]
    assert name_texts(pd.DataFrame({"text": texts})) == [
        "One line, 1", "x" * 60 + " …", "One line, 2", "One line.", "nine more " * 6 + "…",
    ]  # fmt: skip


def test_a_missing_or_empty_title_is_replaced_by_the_first_line():
    table = pd.DataFrame({"text": ["a", "b", "c", "d"], "title": ["Same", None, " ", "Same"]})
    assert name_texts(table) == ["Same (a)", "b", "c", "Same (d)"]


def test_a_text_is_found_by_its_name_or_others_are_suggested():
    assert find_text("Love", ["Hope", "Love"]) == 1
    with pytest.raises(ValueError, match=r"no text is named 'hope': choose .* such as 'Hope'"):
        find_text("hope", ["Love", "Hope"])
    with pytest.raises(ValueError, match=r"such as 'a', 'b', 'c'$"):
        find_text("?", list("abcdefg"))

"""Who stands on both sides of a split is found, by name."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, KFold

from layerwise.splits import NEARLY_SAME, check_split, families, find_leaks, joined_groups
from layerwise.texts.poems import load_poems

MOOR = "I never saw a moor, I never saw the sea; yet know I how the heather looks"


def test_texts_with_the_same_words_are_a_family_whatever_stands_between_them():
    texts = ["Wild nights!", "A bird", "WILD — nights", "wild night", "a bird", "wild\nnights"]
    assert families(texts).tolist() == [0, 1, 0, 2, 1, 0]


def test_texts_that_share_most_runs_of_words_are_a_family():
    changed = MOOR.replace("moor", "MOUNTAIN").replace("heather looks", "heather feels")
    inside = f"He wrote of it once: {MOOR}. And that was all he had to say of it that day."
    assert families([MOOR, "I never saw a moor", changed, "A bird came down"]).tolist() == [
        0, 1, 0, 2,
    ]  # fmt: skip
    assert families(["A bird came down the walk", MOOR, inside]).tolist() == [0, 1, 1]
    half = "yet know I how the heather looks " * 1 + "and " + "what a wave must be like " * 3
    assert len(set(families([MOOR, half]))) == 2  # less than half of the shorter


def test_one_between_two_others_makes_a_family_of_three():
    words = [f"word{i}" for i in range(30)]
    first, second, third = (" ".join(words[i : i + 16]) for i in (0, 7, 14))
    assert len(set(families([first, third]))) == 2
    assert len(set(families([first, second, third]))) == 1


def test_signs_without_words_and_scripts_without_spaces():
    assert families(["🙂", "🙁", "🙂"]).tolist() == [0, 1, 0]
    text = "床前明月光疑是地上霜舉頭望明月低頭思故鄉"
    assert families([text, text[:-2] + "他家", "春眠不覺曉"]).tolist() == [0, 0, 1]


def test_the_poems_are_59_families():
    texts = load_poems()["text"].tolist()
    assert len(set(families(texts))) == 59
    copies = [text.upper().replace(",", "") for text in texts[5:8]]
    assert families([*texts, *copies]).tolist()[59:] == families(texts).tolist()[5:8]


def test_groups_are_joined_through_each_other():
    assert joined_groups(list("abacd"), [0, 1, 2, 3, 3]).tolist() == [0, 1, 0, 2, 2]
    assert joined_groups(["x", "y", "z"], [1, 2, 2], [5, 5, 6]).tolist() == [0, 0, 0]
    assert joined_groups(["x", "y"]).tolist() == [0, 1]


@pytest.fixture
def own():
    return pd.DataFrame({
        "text": [MOOR, "A bird", MOOR.upper(), "the bustle in a house", "a BIRD!"],
        "speaker": ["Ann", "Ben", "Ann", None, "Cid"],
        "year": [1890, 1891, 1892, 1891, 1896],
    }, index=[7, 3, 5, 9, 1])  # fmt: skip


def test_every_leak_is_named_with_its_rows_on_both_sides(own):
    leaks = find_leaks(own, [2, 3, 4], by=["speaker", "year"])
    assert leaks.values.tolist() == [
        ["speaker", "Ann", [0], [2]],
        ["year", 1891, [1], [3]],
        [NEARLY_SAME, MOOR.upper()[:40], [0], [2]],
        [NEARLY_SAME, "a BIRD!", [1], [4]],
    ]
    assert find_leaks(own, [0, 2], by=["speaker"]).empty
    assert find_leaks(own, [3]).empty  # a missing value belongs to no group


def test_a_split_that_leaks_is_refused_by_name(own):
    check_split(own, [0, 2], by=["speaker"])
    with pytest.raises(ValueError, match=r"speaker 'Ann' \(trained: rows \[0\], tested: \[2\]"):
        check_split(own, [2], by=["speaker"])
    many = pd.DataFrame({"text": [f"a{i // 2}" for i in range(20)]})
    with pytest.raises(ValueError, match=r"and 5 more\. Keep each group whole"):
        check_split(many, range(0, 20, 2))


def test_a_split_that_is_none_and_a_column_that_is_not_there(own):
    for tested in ([], range(5)):
        with pytest.raises(ValueError, match="of 5 texts are tested: a split has two sides"):
            find_leaks(own, tested)
    with pytest.raises(ValueError, match=r"no column \['poem'\]: it has \['text', 'speaker'"):
        find_leaks(own, [0], by=["poem"])


def test_folds_by_group_are_clean_and_folds_by_line_are_not():
    poems = load_poems()
    table = poems.assign(text=poems["text"].str.split("\n")).explode("text")
    table = table[table["text"] != ""].reset_index(drop=True)
    groups = joined_groups(table["number"], families(table["text"]))
    for _, tested in GroupKFold(5, shuffle=True, random_state=1).split(table, groups=groups):
        assert find_leaks(table, tested, by=["number"]).empty
    for _, tested in KFold(5, shuffle=True, random_state=1).split(table):
        leaks = find_leaks(table, tested, by=["number"])
        both = set(table["number"].iloc[tested]) & set(table["number"].drop(index=tested))
        assert set(leaks.loc[leaks["what"] == "number", "name"]) == both
        assert np.size(leaks) > 0

"""Reading with a decoder: costs by other code, versions that keep what they say, the table."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_checkpoints import save_tiny_decoder

from layerwise.decoders import load_decoder
from layerwise.second_lines import (
    cost_after,
    load_second_lines,
    replace_longest,
    second_lines,
)
from layerwise.surprisal import (
    load_readings,
    normal,
    read_text,
    read_versions,
    shuffle_lines,
    shuffle_stanzas,
    shuffle_words,
    swap_ends,
    versions,
)
from layerwise.texts.poems import load_poems

VERSE = """The rat is the concisest tenant.
He pays no rent,—
Repudiates the obligation,
On schemes intent.

Balking our wits
To sound or circumvent,
Hate cannot harm
A foe so reticent."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return load_decoder(save_tiny_decoder(tmp_path_factory.mktemp("read") / "tiny"), "cpu")


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("before", ["", "The Rat\n\n"])
def test_what_a_token_costs_is_what_is_left_of_its_probability(tmp_path, kind, before):
    folder = save_tiny_decoder(tmp_path / kind, kind)
    tokenizer, model, _ = decoder = load_decoder(folder, "cpu")
    text = "the inn in 1862 🦋"
    read = read_text(text, decoder, before)
    ids = [tokenizer.bos_token_id, *tokenizer(before + text).input_ids]
    n_before = len(ids) - len(read)
    assert tokenizer.decode(ids[n_before:]) == text
    assert read["token"].tolist() == ids[n_before:]
    for i, row in enumerate(read.itertuples(), start=n_before):
        with torch.inference_mode():  # one token after the other
            shares = model(torch.tensor([ids[:i]])).logits[0, -1].double().softmax(-1).numpy()
        assert row.bits == pytest.approx(-np.log2(shares[ids[i]]), abs=1e-4)
        assert row.rank == (shares > shares[ids[i]]).sum()
        assert row.alternatives == [tokenizer.decode(i) for i in np.argsort(-shares)[:3]]


def test_where_tokens_begin_in_the_text(decoder):
    text = "He pays no rent,\nRepudiates"
    for before in ("", "The Rat\n\n", "<|im_start|>user\nWrite a poem.<|im_end|>\n"):
        starts = read_text(text, decoder, before)["start"].tolist()
        pieces = [text[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]
        assert "".join(pieces) == text
        assert pieces[:5] == ["He", " pays", " no", " rent", ","]


def test_a_text_that_is_too_long_is_refused(tiny):
    with pytest.raises(ValueError, match="4101 tokens, but the model reads 4096 at once"):
        read_text("b" * 4100, tiny)


def test_versions_keep_what_they_say(rng):
    words = shuffle_words(VERSE, rng)
    assert words != VERSE
    for ours, theirs in zip(words.split("\n"), VERSE.split("\n"), strict=True):
        assert sorted(ours.split(" ")) == sorted(theirs.split(" "))
    lines = shuffle_lines(VERSE, rng)
    assert sorted(lines.split("\n")) == sorted(VERSE.split("\n"))
    assert lines != VERSE
    assert [len(s.split("\n")) for s in lines.split("\n\n")] == [4, 4]
    first, second = VERSE.split("\n\n")
    assert shuffle_stanzas(VERSE, rng) == f"{second}\n\n{first}"
    assert shuffle_stanzas(first, rng) == first


def test_ends_are_exchanged_as_far_with_and_without_the_rhyme():
    def ends(text):
        return [re.sub(r"\W", "", line.split(" ")[-1]) for line in text.split("\n") if line]

    assert ends(VERSE)[1::2] == ["rent", "intent", "circumvent", "reticent"]
    assert ends(swap_ends(VERSE, broken=False))[1::2] == [
        "intent", "rent", "circumvent", "reticent",
    ]  # fmt: skip
    assert ends(swap_ends(VERSE, broken=True))[1::2] == [
        "rent", "circumvent", "intent", "reticent",
    ]  # fmt: skip
    assert "He pays no intent,—" in swap_ends(VERSE, broken=False)
    assert ends(swap_ends(VERSE, broken=True))[::2] == ends(VERSE)[::2]
    assert swap_ends("One\nline\n\nor two", broken=True) == "One\nline\n\nor two"


@pytest.mark.parametrize("end", ["\r\n", "\r", "\x85", "\u2028"])
def test_words_stay_in_their_line_whatever_ends_it(end):
    one, other = (np.random.default_rng(1) for _ in range(2))
    assert shuffle_words(VERSE.replace("\n", end), one) == shuffle_words(VERSE, other)


FIVE_LINES = "a b c\nd e f\n\ng h i\nj k l\nm n o"


@pytest.mark.parametrize(
    "text",
    [
        FIVE_LINES.replace("\n\n", "\n\n\n"),
        FIVE_LINES.replace("\n\n", "\n \n"),
        FIVE_LINES.replace("\n\n", "\n\u200b\n"),
        FIVE_LINES.replace("\n", "\r\n"),
        f"\ufeff\n{FIVE_LINES} \n",
    ],
)
def test_versions_differ_in_what_they_say_and_not_in_blanks(tiny, text):
    def of(text):
        return versions(pd.DataFrame({"number": [1], "title": "", "text": [text]}), tiny)

    rows = of(text)
    assert [*rows["condition"]] == ["printed", "words shuffled", "lines shuffled",
                                    "stanzas shuffled"]  # fmt: skip
    pd.testing.assert_frame_equal(rows, of(FIVE_LINES))


def test_a_text_is_read_as_its_versions_are_written():
    for text in load_poems()["text"]:
        assert normal(text) == text
    assert normal("a\r\n\r\n\r\n b", is_verse=False) == "a\n\n\n b"


def test_every_poem_has_its_title_and_anothers(tiny):
    poems = load_poems()
    rows = versions(poems, tiny).set_index(["condition", "number"])
    titles = poems.set_index("number")["title"]
    for number, title in titles.items():
        assert rows.loc[("own title", number), "before"] == f"{title}\n\n"
        assert rows.loc[("another's title", number), "text"] == rows.loc[
            ("printed", number), "text"
        ]
    others = rows.loc["another's title", "before"].str.strip()
    assert sorted(others) == sorted(titles)  # each once
    assert (others != titles).all()
    text = poems.set_index("number")["text"]
    for name, broken in {"ends exchanged": False, "rhymes broken": True}.items():
        for number, changed in rows.loc[name, "text"].items():
            assert changed == swap_ends(text[number], broken=broken)
    assert "asked in a chat" not in rows.index  # this tokenizer has no form for it


def test_the_kept_readings_are_those_of_the_books_decoder(decoder):
    poems = load_poems()
    kept = load_readings(poems, decoder)
    n_tokens = kept[kept["condition"] == "printed"].groupby("number").size()
    assert set(n_tokens.index) == set(poems["number"])
    shortest = n_tokens.nsmallest(2).index
    rows = versions(poems, decoder)
    now = read_versions(rows[rows["number"].isin(shortest)], decoder)
    same = kept[kept["number"].isin(shortest)]
    by = ["condition", "number", "start"]
    both = now.merge(same, on=by, suffixes=("", "_kept"))
    assert len(both) == len(now) == len(same)
    np.testing.assert_allclose(both["bits"], both["bits_kept"], atol=5e-3)
    shown = both[both["condition"] == "printed"]
    agree = [list(a) == list(b) for a, b in zip(
        shown["alternatives"], shown["alternatives_kept"], strict=True)]  # fmt: skip
    assert np.mean(agree) > 0.9  # two that are as probable may change places


def test_another_decoder_reads_the_shortest_poems_now(tiny):
    poems = load_poems()
    readings = load_readings(poems, tiny)
    lengths = poems.set_index("number")["text"].str.len()
    read = readings["number"].unique()
    assert lengths[read].max() <= lengths.drop(read).min()
    assert isinstance(readings, pd.DataFrame)
    assert readings["bits"].mean() > 5  # random weights


# The next line among others


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_line_costs_the_same_beside_longer_ones(tmp_path, kind):
    reader = load_decoder(save_tiny_decoder(tmp_path / kind, kind), "cpu")
    lines = ["the thin inn", "no", "and then the thing in the inn — 1862"]
    alone = [read_text(line, reader, "The rat\n")["bits"].sum() / len(line) for line in lines]
    np.testing.assert_allclose(cost_after("The rat", lines, reader), alone, atol=1e-4)
    assert np.ptp(alone) > 0.1


def test_a_line_gets_the_longest_word_of_another():
    assert replace_longest("I died for beauty, but", "Hope is the thing") == (
        "I died for thing, but"
    )
    assert replace_longest("He's here, there", "And o'erwhelm'd—so") == "He's here, o'erwhelm'd"


def test_second_lines_stand_among_others_once_each(tiny):
    poems = load_poems()
    few = poems.loc[poems["text"].str.len().nsmallest(24).index]
    read = second_lines(few, tiny)
    pd.testing.assert_frame_equal(read, second_lines(few, tiny))
    assert not (second_lines(few, tiny, seed=1)["line_of"] == read["line_of"]).all()
    begun = few.set_index("number")["text"].str.split("\n")
    for number, rows in read.groupby("number"):
        assert len(rows) == rows["line_of"].nunique() == 20
        assert rows["line_of"].iloc[0] == number
        for _, each in rows[:2].iterrows():
            first, second = begun[number][0], begun[each["line_of"]][1]
            assert cost_after(first, [second], tiny)[0] == pytest.approx(each["own"], abs=1e-4)
    assert (read["own"] != read["a word replaced"]).mean() > 0.9
    assert (read["own"] != read["another's"]).mean() > 0.9
    own = load_second_lines(poems, tiny)
    assert own.groupby("number").size().tolist() == [11] * 12  # of twelve poems, one is asked

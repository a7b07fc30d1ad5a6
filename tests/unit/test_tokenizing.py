"""What a caller passes is a series of texts, or is refused with all that is wrong with it."""

import copy
import warnings

import claims
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from layerwise.embedding import embed_layers
from layerwise.report.explorer import offsets_of
from layerwise.tokenizing import check_texts, tokenize

TWO = ["wild nights!", "hope"]
SERIES = {
    "a tuple": tuple(TWO),
    "a generator": (text for text in TWO),
    "the values of a dict": {"a": TWO[0], "b": TWO[1]}.values(),
    "a NumPy array": np.array(TWO),
    "a NumPy array of objects": np.array(TWO, dtype=object),
    "a NumPy array of its own strings": np.array(TWO, dtype=np.dtypes.StringDType()),
    "a column": pd.Series(TWO, index=[7, 3]),
    "a column of objects": pd.Series(TWO, dtype=object),
    "a column of categories": pd.Series(TWO, dtype="category"),
    "a column of Arrow's strings": pd.Series(TWO, dtype=pd.ArrowDtype(pa.string())),
    "an index": pd.Index(TWO),
    "an array of Arrow": pa.array(TWO),
    "a column of Arrow": pa.table({"text": TWO})["text"],
    "a list of NumPy strings": list(np.array(TWO)),
}


@pytest.mark.parametrize("texts", SERIES.values(), ids=SERIES)
def test_any_series_of_strings_will_do(texts):
    checked = check_texts(texts)
    assert checked == TWO
    assert {type(text) for text in checked} == {str}


def test_a_column_is_embedded_in_its_order(tiny_encoder, lines):
    column = pd.Series(lines, index=range(100, 100 + len(lines)))
    np.testing.assert_array_equal(
        embed_layers(column, tiny_encoder, progress=False),
        embed_layers(lines, tiny_encoder, progress=False),
    )


TABLE = pd.DataFrame({"title": ["a", "b"], "text": TWO})
NO_SERIES = {
    "one string": ("hope", TypeError, r"one string, 'hope': put it in a list, \[text\]"),
    "one NumPy string": (np.str_("hope"), TypeError, "one string"),
    "bytes": (b"hope", TypeError, r"texts is bytes: decode it, .*\[text.decode\(\)\]"),
    "None": (None, TypeError, "texts is None, of type NoneType: pass a list of strings"),
    "a number": (7, TypeError, "texts is 7, of type int: pass a list of strings"),
    "a table": (
        TABLE, TypeError,
        r"a table \(DataFrame\) with the columns \['title', 'text'\]: .*table\['text'\]",
    ),
    "a table of one column": (TABLE[["title"]], TypeError, r"such as table\['title'\]"),
    "a table without columns": (pd.DataFrame(), TypeError, r"with the columns \[\]"),
    "a table of Arrow": (pa.table({"poem": TWO}), TypeError, r"table\['poem'\]"),
    "a dict": ({"a": "hope"}, TypeError, r"a dict: pass its values, list\(texts.values\(\)\)"),
    "a set": ({"hope", "soul"}, TypeError, r"a set, which has no order: pass sorted\(texts\)"),
    "a frozenset": (frozenset(TWO), TypeError, "a frozenset, which has no order"),
    "a table of NumPy": (np.array([TWO]), TypeError, r"of shape \(1, 2\): pass one column"),
    "no dimension": (np.array("hope"), TypeError, r"ndarray of shape \(\): pass one column"),
    "numbers": (np.arange(12.0), TypeError, r"12 of 12 texts: text 0 is .*0.0.*; and 2 more"),
    "a tensor": (torch.zeros(2), TypeError, r"2 of 2 texts: text 0 is tensor\(0.\), of type"),
    "no texts": ([], ValueError, "texts is empty: pass at least one"),
    "an empty column": (pd.Series([], dtype=str), ValueError, "texts is empty"),
}  # fmt: skip


@pytest.mark.parametrize(("texts", "error", "message"), NO_SERIES.values(), ids=NO_SERIES)
def test_what_is_no_series_of_texts_is_refused_by_name(texts, error, message, tiny_encoder):
    with pytest.raises(error, match=message) as refused:
        embed_layers(texts, tiny_encoder)
    assert "\n" not in str(refused.value)


BAD_TEXTS = {
    "an empty text": (["hope", ""], ValueError, r"^text 1 is empty \(''\): leave it out"),
    "a blank text": (["hope", " \n\t"], ValueError, r"^text 1 is empty \(' \\n\\t'\)"),
    "None": (["hope", None], TypeError, "^text 1 is None, of type NoneType, not a .*: leave"),
    "a number": ([3, "hope"], TypeError, "^text 0 is 3, of type int, not a string: leave"),
    "a missing value": (["hope", np.nan], TypeError, "^text 1 is nan, of type float.*leave"),
    "a missing value of a column": (
        pd.Series(["hope", None, "soul", pd.NA]), TypeError,
        "^2 of 4 texts: text 1 is nan, of type float, .*; text 3 is nan, .*: leave",
    ),
    "bytes": ([b"hope"], TypeError, "^text 0 is b'hope', of type bytes"),
    "a column": ([pd.Series(TWO)], TypeError, "^text 0 is 0 wild nights! 1 hope dtype"),
    "a table": ([TABLE], TypeError, "^text 0 is title text 0 a wild nights! 1 b hope, of"),
    "an array of rows": (
        [np.eye(3)], TypeError, r"^text 0 is array\(\[\[1., 0., 0.\], \[0., 1., 0.\], .*, of",
    ),
    "tokens": ([["wild", "nights"]], TypeError, r"^text 0 is \['wild', 'nights'\], of type l"),
    "half a character": (
        ["hope", b"caf\xe9".decode("utf-8", "surrogateescape"), "a \ud83d b"], ValueError,
        r"^2 of 3 texts: text 1 \('caf\\udce9'\) has half a character, '\\udce9', .*; "
        r"text 2 .*'\\ud83d'.*: read its file in the encoding .*latin-1",
    ),
    "nothing to see": (["hope", "\u200b"], ValueError, r"^text 1 \('\\u200b'\) has no token"),
    "nothing known": (["\u2603", "hope"], ValueError, "^text 0 .* no token but special ones"),
    "special tokens": (
        ["[SEP] [PAD]", "hope", "[MASK]"], ValueError,
        r"^2 of 3 texts: text 0 \('\[SEP\] \[PAD\]'\) has no token .*; text 2 .*: leave it out",
    ),
    "too long": (
        ["hope " * 511, "hope", "soul " * 600, "hope " * 510], ValueError,
        r"^2 of 4 texts: text 0 \('hope .*'\) has 513 tokens, the model reads at most 512; "
        r"text 2 .* has 602 tokens, .*: cut it into chunks, or pass truncate=True",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("texts", "error", "message"), BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_texts_that_are_none_are_refused(tiny_encoder, texts, error, message):
    with pytest.raises(error, match=message) as refused:
        embed_layers(texts, tiny_encoder)
    assert "\n" not in str(refused.value)


def test_the_first_ten_are_named_and_the_others_counted():
    with pytest.raises(ValueError, match=r"^13 of 14 texts: ") as refused:
        check_texts([""] * 3 + ["hope"] + [""] * 10)
    named = [i for i in range(14) if f"text {i} is" in str(refused.value)]
    assert named == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert "; and 3 more: leave it out" in str(refused.value)
    with pytest.raises(ValueError, match=r"^10 of 10 texts: ") as refused:
        check_texts([""] * 10)
    assert "more" not in str(refused.value)


def test_a_long_text_is_quoted_in_part(tiny_encoder):
    with pytest.raises(TypeError) as refused:
        check_texts(["hope", ["soul"] * 1000])
    assert len(str(refused.value)) < 200


def test_a_text_that_is_mostly_unknown_is_warned_about_by_number_and_share(tiny_encoder):
    texts = ["\u2603 \u2603 \u2603 hope", "hope \u2603", "\u2603 \u2603 soul", "hope"]
    message = (
        r"^2 of 4 texts: text 0 .* is unknown to 75%; text 2 .* is unknown to 67%: the "
        r"tokenizer .* reads \[UNK\]"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        embed_layers(texts, tiny_encoder, progress=False)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_a_text_that_is_half_known_is_not_warned_about(tiny_encoder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embed_layers(["hope \u2603", "\u2603 soul [MASK]"], tiny_encoder, progress=False)


def test_a_tokenizer_of_another_model_is_refused(tiny_encoder):
    model = tiny_encoder.model
    table = model.get_input_embeddings()
    hope = tiny_encoder.tokenizer.convert_tokens_to_ids("hope")
    try:
        model.set_input_embeddings(torch.nn.Embedding(hope, 16).eval())
        with pytest.raises(ValueError, match=f"text 0 .* the token {hope}, .* knows {hope}, "):
            embed_layers(["hope"], tiny_encoder)
        model.set_input_embeddings(torch.nn.Embedding(hope + 1, 16).eval())
        embed_layers(["hope"], tiny_encoder, progress=False)
    finally:
        model.set_input_embeddings(table)


def test_a_text_as_long_as_the_context_window_is_read(tiny_encoder):
    assert embed_layers(["feathers " * 510], tiny_encoder, progress=False).shape == (3, 1, 16)


def test_truncating_drops_the_end_and_only_the_end(tiny_encoder):
    long, fits = "feathers " * 600, "feathers " * 510
    embeddings = embed_layers([long, "hope"], tiny_encoder, truncate=True, progress=False)
    expected = embed_layers([fits, "hope"], tiny_encoder, progress=False)
    np.testing.assert_allclose(embeddings, expected, **claims.TOLERANCE)


def test_the_end_is_dropped_also_by_a_tokenizer_that_would_drop_the_beginning(tiny_encoder):
    tokenizer = copy.deepcopy(tiny_encoder.tokenizer)
    tokenizer.truncation_side = "left"
    left = tiny_encoder._replace(tokenizer=tokenizer)
    text = "hope " * 300 + "feathers " * 300
    (ours,), (theirs,) = (tokenize([text], own, True) for own in (left, tiny_encoder))
    assert ours["input_ids"].tolist() == theirs["input_ids"].tolist()
    cut = tokenizer(text, truncation=True, max_length=9)["input_ids"]  # as before, for others
    assert tokenizer.decode(cut[1:-1]) == " ".join(["feathers"] * 7)
    assert len(offsets_of(text, 512, left)) == 512
    assert offsets_of(text, 512, left)[1] == (0, 4)


def test_input_ids_are_those_of_the_tokenizer(tiny_encoder, lines):
    for text, line in zip(tokenize(lines, tiny_encoder, False), lines, strict=True):
        alone = tiny_encoder.tokenizer(line)
        assert {name: ids.tolist() for name, ids in text.items()} == dict(alone)

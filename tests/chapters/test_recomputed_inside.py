"""The numbers of the chapters on tokens and on the Transformer, computed again.

In plain Python and NumPy, from the vocabulary and the weights: no code of ``layerwise`` that
tokenizes or measures, no tokenizer's library, no PyTorch.
"""

import re
import unicodedata

import numpy as np
import pytest
from executed_context import HALF, column, text_shown

from layerwise.texts.poems import load_poems

pytest_plugins = ("by_numpy",)
LINE = "Hope is the thing with feathers"


def numbers_after(shown, start):
    """Return the numbers in the line that begins so; thousands may have commas."""
    found = re.search(rf"^{re.escape(start)}(.*)$", shown, re.MULTILINE)
    assert found, f"no line {start!r}"
    return [float(x.replace(",", "")) for x in re.findall(r"-?\d[\d,]*\.?\d*", found[1])]


def same(ours, theirs, tolerance=HALF):
    np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=0)


# ---------------------------------------------------------------- tokens


@pytest.fixture(scope="module")
def cut(vocabulary):
    """Return a function that cuts a word, by looking for ever shorter beginnings."""

    def pieces(word, mark=""):
        for end in range(len(word), 0, -1):
            if mark + word[:end] in vocabulary:
                rest = pieces(word[end:], "##") if word[end:] else []
                return rest and rest if rest == ["[UNK]"] else [mark + word[:end], *rest]
        return ["[UNK]"]

    return pieces


@pytest.fixture(scope="module")
def count_tokens(cut):
    """Return a function from a text to its number of tokens, [CLS] and [SEP] among them."""

    def count(text):
        plain = unicodedata.normalize("NFD", text.lower())
        plain = "".join(c for c in plain if unicodedata.category(c) != "Mn")
        return 2 + sum(len(cut(word)) for word in re.findall(r"\w+|[^\w\s]", plain))

    return count


@pytest.fixture(scope="module")
def texts():
    return load_poems()["text"].tolist()


@pytest.fixture(scope="module")
def of_tokens():
    return text_shown("tokens")


@pytest.fixture(scope="module")
def words(texts):
    running = re.findall("[a-z]{2,}", " ".join(texts).lower())
    return running, sorted(set(running))


def test_words_texts_and_what_the_vocabulary_lacks(of_tokens, texts, words, vocabulary):
    lengths = [len(text.split()) for text in texts]
    assert f"shortest has {min(lengths)} words, the longest {max(lengths)}." in of_tokens
    running, different = words
    missing = [word for word in different if word not in vocabulary]
    in_text = sum(word not in vocabulary for word in running)
    assert f"The vocabulary has {len(vocabulary):,} entries." in of_tokens
    assert f"Of the {len(different):,} different runs" in of_tokens
    assert f"texts, {len(missing) / len(different):.0%} are not among them." in of_tokens
    assert f"as it runs, they are {in_text / len(running):.0%}." in of_tokens


def test_the_words_with_the_most_pieces(of_tokens, words, cut):
    n_pieces = {word: len(cut(word)) for word in words[1]}
    most = [word for word, n in n_pieces.items() if n == max(n_pieces.values())]
    assert "as many pieces: " + " ".join(most) in of_tokens
    assert 3 < max(n_pieces.values()) < max(map(len, words[1]))


def test_tokens_by_poem_and_what_padding_costs(of_tokens, texts, count_tokens):
    n = np.array([count_tokens(text) for text in texts])
    quartiles = np.quantile(n, [0.25, 0.5, 0.75])
    described = [n.mean(), n.std(ddof=1), n.min(), *quartiles, n.max()]
    names = ["mean", "std", "min", "25%", "50%", "75%", "max"]
    for name, number in zip(names, described, strict=True):
        same(numbers_after(of_tokens, f"{name} ")[0], number, tolerance=0.051)
    ratios = n / [len(text.split()) for text in texts]
    halves = re.findall(r"^50% +(\d+\.\d\d)$", of_tokens, re.MULTILINE)
    assert f"{np.median(ratios):.2f}" in halves
    in_order = np.sort(n)
    batches = sum(max(in_order[i : i + 8]) * len(in_order[i : i + 8]) for i in range(0, 59, 8))
    for way, tokens in [
        ("all padded to 512", 512 * 59),
        ("all padded to the longest", 59 * n.max()),
        ("sorted by length, in batches of 8", batches),
    ]:
        same(numbers_after(of_tokens, way)[0], tokens / n.sum())


# ---------------------------------------------------------------- the Transformer


@pytest.fixture(scope="module")
def of_transformer():
    return text_shown("transformer")


def test_the_toy_words(of_transformer):
    toy = np.array([[3.0, 0], [2, 1], [0, 2]])
    a, b = toy[0], toy[1]
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    same(numbers_after(of_transformer, "rose and tulip:")[0], cosine)
    looks = np.exp(toy @ [[0, 1], [0, 1]] @ toy.T / 2**0.5)
    looks /= looks.sum(axis=1, keepdims=True)
    assert f"with {looks[0, 2]:.2f} of its attention" in of_transformer
    assert f"hardly looks back, with {looks[2, 0]:.2f}" in of_transformer


def test_parameters_by_part(of_transformer, arrays):
    def count(start):
        return sum(x.size for name, x in arrays.items()
                   if name.startswith(start) and not name.endswith("position_ids"))  # fmt: skip

    whole = count("")
    parts = {
        "embeddings": "embeddings", "– of these: words": "embeddings.word_embeddings",
        "encoder": "encoder", "– one layer": "encoder.layer.0.",
        "– – its attention": "encoder.layer.0.attention", "pooler": "pooler", "whole model": "",
    }  # fmt: skip
    for name, start in parts.items():
        same(numbers_after(of_transformer, f"{name} "),
             [count(start), round(count(start) / whole, 3)], tolerance=1e-9)  # fmt: skip
    share = count("embeddings.word_embeddings") / whole
    assert f"the word embeddings hold {share:.0%} of all parameters" in of_transformer


def test_neighbours_of_static_words(of_transformer, arrays, vocabulary):
    rows = arrays["embeddings.word_embeddings.weight"].astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    for word, others in [("still", ("yet", "quiet")), ("light", ("dark", "heavy"))]:
        similar = rows @ rows[vocabulary[word]]
        ranks = [int((similar > similar[vocabulary[other]]).sum()) for other in others]
        said = [rf"\*{other}\*( is| is neighbour|) number {rank:,}\b"
                for other, rank in zip(others, ranks, strict=True)]  # fmt: skip
        assert re.search(rf"\*{word}\*, {said[0]} and {said[1]}", of_transformer)


def test_shares_without_projections_and_in_the_first_head(of_transformer, read_by_numpy):
    hidden_states, attentions = read_by_numpy(LINE)
    x = hidden_states[0]
    shares = np.exp(x @ x.T / x.shape[1] ** 0.5)
    shares /= shares.sum(axis=1, keepdims=True)
    same(numbers_after(of_transformer, "[CLS] "), shares.diagonal())
    head = attentions[0, 0]
    tokens = ["[CLS]", *LINE.lower().split(), "[SEP]"]
    looks, seen = np.unravel_index(head.argmax(), head.shape)
    assert (
        f"the row of `{tokens[looks]}` and the column of `{tokens[seen]}`: {head.max():.2f} of"
        in of_transformer
    )


def test_where_attention_rests_and_the_head_that_looks_back(
    of_transformer, read_by_numpy, texts
):
    attentions = [read_by_numpy(text).attentions for text in texts]
    rests = []
    for place in (0, -1):
        of_words = [a[:, :, 1:-1, place].mean(axis=2) for a in attentions]
        rests.append(np.mean(of_words, axis=0))  # (n_layers, n_heads)
        of_layer = column(of_transformer, "on [CLS] on [SEP]", -place)
        same(of_layer, rests[-1].mean(axis=1))
    on_cls, on_sep = rests
    even = np.mean([1 / a.shape[-1] for a in attentions])
    assert f"{on_cls.mean():.0%} of the attention of words" in of_transformer
    assert f"on `[CLS]` and {on_sep.mean():.0%} on `[SEP]`" in of_transformer
    assert f"an even spread would put {even:.0%} on each" in of_transformer
    assert f"most puts {(on_cls + on_sep).max():.0%} on the two" in of_transformer
    back = [a.diagonal(-1, axis1=2, axis2=3).mean(axis=-1) for a in attentions]
    back = np.mean(back, axis=0)
    layer, head = np.unravel_index(back.argmax(), back.shape)
    same(numbers_after(of_transformer, f"layer {layer + 1}, head {head + 1}:")[0], back.max())
    same(numbers_after(of_transformer, "the next best head:")[0], np.sort(back.ravel())[-2])

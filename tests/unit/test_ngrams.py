"""Models of counts: sums of one, agreement with nltk and with plain code, and writing."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.lm import MLE, KneserNeyInterpolated, Lidstone
from nltk.util import everygrams

from layerwise.by_hand.ngrams import (
    LINE_END,
    UNKNOWN,
    add_k,
    contexts_of,
    count_kinds,
    count_ngrams,
    estimate_discounts,
    find_vocabulary,
    hide_unknown,
    interpolate,
    join_words,
    kneser_ney,
    kneser_ney_tables,
    maximum_likelihood,
    pick,
    spell,
    spelling_model,
    split_words,
    surprisal,
    write,
)
from layerwise.texts.poems import load_poems

POEMS = [split_words(text) for text in load_poems()["text"]]
TOKENS = st.lists(st.sampled_from(["a", "b", "c", "d", LINE_END]), min_size=1, max_size=40)
DISCOUNT = 0.75


def suffixes(texts, n):
    """Return for each text the n-grams of all lengths that end at its tokens, for nltk."""
    return [
        [(*context[len(context) - k :], token) for k in range(n)]
        for tokens in texts
        for context, token in zip(contexts_of(tokens, n), tokens, strict=True)
    ]


# ---------------------------------------------------------------- tokens


def test_words_of_verse():
    text = "  I’m nobody!\r\n\r\n\tWho 's — déjà_vu? 'Tis 1862.\n—!—\nÜber"
    assert split_words(text) == [
        "i'm", "nobody", "\n", "who", "s", "déjà_vu", "tis", "1862", "\n", "über", "\n",
    ]  # fmt: skip
    assert split_words("") == split_words("—\n—") == []


@pytest.mark.parametrize("tokens", POEMS[:5])
def test_words_survive_being_joined(tokens):
    text = join_words(tokens)
    assert split_words(text) == tokens
    assert "  " not in text
    assert " \n" not in text


def test_an_empty_line_is_kept_by_join():
    assert join_words(["a", "b", "\n", "\n", "c"]) == "a b\n\nc"


def test_vocabulary_and_unknown():
    texts = [["a", "b", "a"], ["c", "b", "\n"]]
    assert find_vocabulary(texts) == [UNKNOWN, "\n", "a", "b", "c"]
    assert find_vocabulary(texts, least=2) == [UNKNOWN, "a", "b"]
    assert hide_unknown(["a", "c", "x"], find_vocabulary(texts, 2)) == ["a", UNKNOWN, UNKNOWN]


# ---------------------------------------------------------------- counts


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_counts_are_those_of_plain_slices(n):
    padded = [[LINE_END] * (n - 1) + tokens for tokens in POEMS]
    runs = Counter(tuple(p[i : i + n]) for p in padded for i in range(len(p) - n + 1))
    counts = count_ngrams(POEMS, n)
    ours = {(*context, token): k for context, after in counts.items()
            for token, k in after.items()}  # fmt: skip
    assert ours == runs
    assert sum(runs.values()) == sum(map(len, POEMS))


def test_kinds_count_contexts_and_not_occurrences():
    counts = count_ngrams([["a", "b", "a", "b", "c", "b"]], 2)
    assert count_kinds(counts) == {(): Counter({"b": 2, "a": 2, "c": 1})}


# ---------------------------------------------------------------- models


def models_of(texts, n, n_tokens):
    tables = [count_ngrams(texts, k) for k in range(1, n + 1)]
    yield add_k(tables[-1], n_tokens, 0.3)
    yield interpolate(tables, n_tokens, [0.9, 0.4, 0.7][:n])
    yield kneser_ney(kneser_ney_tables(texts, n), n_tokens)
    yield kneser_ney(kneser_ney_tables(texts, n), n_tokens, [(0.2, 0.9, 1.7)] * n)


@given(st.lists(TOKENS, min_size=1, max_size=4), st.integers(1, 3), TOKENS)
def test_probabilities_sum_to_one_after_any_context(texts, n, context):
    vocabulary = ["a", "b", "c", "d", LINE_END, UNKNOWN]
    context = ("never", *context)[-(n - 1) :] if n > 1 else ()
    context = context if len(context) == n - 1 else ("never",) * (n - 1)
    for model in models_of(texts, n, len(vocabulary)):
        shares = [model(token, context) for token in vocabulary]
        assert sum(shares) == pytest.approx(1, abs=1e-12)
        assert min(shares) >= 0


def test_maximum_likelihood_is_nltk_s():
    theirs = MLE(2)
    theirs.fit(suffixes(POEMS, 2), find_vocabulary(POEMS))
    ours = maximum_likelihood(count_ngrams(POEMS, 2))
    for before in ["the", LINE_END, "hope"]:
        for token in ["the", LINE_END, "is", "feathers"]:
            assert ours(token, (before,)) == pytest.approx(theirs.score(token, [before]), 1e-12)
    assert ours("hope", ("never",)) == 0


def test_add_k_is_nltk_s_lidstone():
    theirs = Lidstone(0.25, 2)
    theirs.fit(suffixes(POEMS, 2), find_vocabulary(POEMS)[1:])  # nltk adds its own unknown
    ours = add_k(count_ngrams(POEMS, 2), len(find_vocabulary(POEMS)), 0.25)
    for before, token in [("the", "sea"), ("the", "the"), (LINE_END, "and"), ("sea", "hope")]:
        assert ours(token, (before,)) == pytest.approx(theirs.score(token, [before]), 1e-12)


@pytest.mark.parametrize("n", [2, 3])
def test_kneser_ney_is_nltk_s_where_no_start_is_counted(n):
    """One discount, none for the shortest context: nltk mixes nothing into it."""
    theirs = KneserNeyInterpolated(n, discount=DISCOUNT)
    theirs.fit(suffixes(POEMS[:12], n), find_vocabulary(POEMS[:12])[1:])
    discounts = [(0.0,) * 3] + [(DISCOUNT,) * 3] * (n - 1)
    ours = kneser_ney(kneser_ney_tables(POEMS[:12], n), 999, discounts)
    for context in [*contexts_of(POEMS[7], n)[:4], ("never", "the")[-(n - 1) :]]:
        for token in ["the", LINE_END, "feathers", "is"]:
            assert ours(token, context) == pytest.approx(theirs.score(token, context), 1e-12)


def test_nltk_counts_the_starts_it_pads_with():
    """At n = 3 its own n-grams hold runs that end inside the padding: it is off by a little."""
    padded = [[LINE_END, LINE_END, *tokens] for tokens in POEMS[:12]]
    theirs = KneserNeyInterpolated(3, discount=DISCOUNT)
    theirs.fit([everygrams(tokens, max_len=3) for tokens in padded],
               find_vocabulary(POEMS[:12])[1:])  # fmt: skip
    discounts = [(0.0,) * 3] + [(DISCOUNT,) * 3] * 2
    ours = kneser_ney(kneser_ney_tables(POEMS[:12], 3), 999, discounts)
    places = zip(contexts_of(POEMS[7], 3), POEMS[7], strict=True)
    gaps = [abs(ours(token, c) - theirs.score(token, c)) for c, token in places]
    assert 1e-5 < max(gaps) < 2e-2


def test_interpolation_by_hand():
    texts = [["a", "b", "a", "a"]]
    model = interpolate([count_ngrams(texts, n) for n in (1, 2)], 5, [0.8, 0.3])
    shortest = 0.8 * 3 / 4 + 0.2 / 5
    assert model("a", ("a",)) == pytest.approx(0.3 * 1 / 2 + 0.7 * shortest)
    assert model("a", ("c",)) == pytest.approx(shortest)


def test_discounts_are_chen_and_goodman_s():
    counts = {(): Counter(dict(zip("abcdefghijk", [1] * 5 + [2] * 3 + [3, 4, 9], strict=True)))}
    share = 5 / (5 + 2 * 3)
    assert estimate_discounts(counts) == pytest.approx(
        (1 - 2 * share * 3 / 5, 2 - 3 * share * 1 / 3, 3 - 4 * share * 1 / 1)
    )
    assert estimate_discounts({(): Counter("aab")}) == (0.5, 1.0, 1.5)
    odd = Counter("abcd" + 2 * "e" + 3 * "fghij" + 4 * "k")  # few twice, many three times
    assert estimate_discounts({(): odd})[1] == 1.0
    assert estimate_discounts({(): odd})[2] > 0


def test_nothing_is_impossible_where_an_estimate_is_not_above_zero():
    """Many tokens came four times and few three times: an estimate comes out below 0."""
    often = Counter("ab" + 2 * "c" + 3 * "d" + 4 * "efgh")
    tables = [{(): Counter("xy")}, {("o",): often, ("rare",): Counter({"x": 4})}]
    assert min(estimate_discounts(tables[1])) > 0
    model = kneser_ney(tables, 12)
    assert 0 < model("y", ("rare",)) < model("x", ("rare",)) < 1


def test_each_count_gets_its_own_discount():
    tables = [{(): Counter({"a": 1, "b": 2, "c": 7})}]
    model = kneser_ney(tables, 4, [(0.1, 0.4, 2.5)])
    shares = [model(token, ()) for token in "abcd"]
    assert shares == pytest.approx([(left + 3 / 4) / 10 for left in (0.9, 1.6, 4.5, 0)])


def test_spelling_gives_every_word_a_price_and_ends_it():
    speller = spelling_model(["gossamer", "gossip", "hammer"])
    cost = {word: surprisal(speller, spell(word), 4).sum() for word in ["gossip", "xylem"]}
    assert 0 < cost["gossip"] < cost["xylem"] < math.inf
    assert surprisal(speller, spell("gossi"), 4).sum() > cost["gossip"]
    umlauts = [surprisal(speller, spell(f"g{sign}ssip"), 4) for sign in "äé"]
    np.testing.assert_array_equal(*umlauts)
    with pytest.raises(ValueError, match="no words to learn spelling from"):
        spelling_model([])


# ---------------------------------------------------------------- use


def test_surprisal_is_minus_the_logarithm():
    model = maximum_likelihood(count_ngrams([["a", "b", "a", "c"]], 2))
    np.testing.assert_allclose(surprisal(model, ["a", "b", "a"], 2), [0, 1, 0])
    assert surprisal(model, ["b"], 2)[0] == math.inf


def test_what_is_drawn_is_as_frequent_as_its_weight():
    rng = np.random.default_rng(0)
    weights = {"a": 1, "b": 3, "never": 0}
    drawn = Counter(pick({"a": 1, "b": 3}, rng) for _ in range(4000))
    assert drawn["b"] / 4000 == pytest.approx(0.75, abs=0.03)
    hot = Counter(pick({"a": 1, "b": 3}, rng, temperature=0.5) for _ in range(4000))
    assert hot["b"] / 4000 == pytest.approx(9 / 10, abs=0.03)
    assert {pick(weights, rng) for _ in range(300)} == {"a", "b"}
    assert {pick({"b": 2, "a": 2, "c": 1}, rng, most=1) for _ in range(20)} == {"a"}


def test_writing_follows_what_was_counted():
    counts = count_ngrams([["a", "b", "c", "a"]], 3)
    after = {("b", "c"): {"a": 1}, ("c", "a"): {"b": 1}, ("a", "b"): {"c": 1}}
    counts.update({context: Counter(token) for context, token in after.items()})
    out = write(lambda context: counts[context], 3, 7, np.random.default_rng(0))
    assert out == ["a", "b", "c", "a", "b", "c", "a"]


def test_after_a_context_that_never_came_nothing_is_likely():
    model = maximum_likelihood(count_ngrams([["a", "b", "a", "c"]], 2))
    assert model("a", ("z",)) == model("b", ("c",)) == 0
    assert model("b", ("a",)) == 0.5

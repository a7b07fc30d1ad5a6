"""Cosines, the baselines that give them meaning, and neighbours."""

import claims
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics.pairwise import cosine_similarity

from layerwise.embedding import embed_layers
from layerwise.similarity import (
    COMPARISONS,
    across_texts,
    center,
    cosine,
    drift_table,
    layer_to_layer,
    nearest,
    shared_part,
    static_to_layer,
    with_others,
)
from layerwise.tables import medians_by_layer
from layerwise.texts.poems import load_poems

NUMBERS = st.floats(-100, 100)
VECTORS = arrays.arrays("f8", (4, 3), elements=NUMBERS)
ROWS = [[3, -4], [1, 2]]  # whole numbers, one negative


def random_layers(n_layers=3, n_texts=6, n_dims=5):
    return np.random.default_rng(0).normal(size=(n_layers + 1, n_texts, n_dims))


@pytest.fixture(scope="module")
def poem_layers(encoder):
    """Return the first 20 poems, pooled as [CLS] and as the mean."""
    texts = load_poems()["text"].tolist()[:20]
    return {
        pooling: embed_layers(texts, encoder, pooling=pooling, progress=False)
        for pooling in ["cls", "mean"]
    }


# ---------------------------------------------------------------- cosine


@given(VECTORS, VECTORS, st.floats(0.01, 100))
def test_cosine_is_sklearns_symmetric_and_blind_to_length(a, b, factor):
    assume((np.linalg.norm([a, b], axis=-1) > 1e-3).all())
    ours = cosine(a, b)
    np.testing.assert_allclose(ours, np.diag(cosine_similarity(a, b)), atol=1e-9)
    np.testing.assert_allclose(cosine(b, a), ours, atol=1e-9)
    np.testing.assert_allclose(cosine(factor * a, b), ours, atol=1e-9)
    np.testing.assert_allclose(cosine(a, a), 1, atol=1e-9)
    np.testing.assert_allclose(cosine(a, -a), -1, atol=1e-9)


def test_no_cosine_of_a_poem_is_beyond_one(poem_layers):
    layers = poem_layers["mean"]
    assert np.arccos(cosine(layers, layers)).max() < 1e-6
    assert np.arccos(cosine(layers, -layers)).min() > np.pi - 1e-6
    rows = np.random.default_rng(0).normal(size=(2000, 7))
    for same in (rows, rows.astype("f4"), rows.astype("f2")):
        assert cosine(same, 3 * same).max() <= 1
        assert cosine(same, -same).min() >= -1


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        tuple(map(tuple, ROWS)),
        *(np.array(ROWS, dtype) for dtype in ["i1", "i8", "f2", "f4", "f8", "O"]),
        *(torch.tensor(ROWS, dtype=d) for d in [torch.int64, torch.float16, torch.bfloat16]),
        torch.tensor(ROWS, dtype=torch.float32, requires_grad=True),
        pd.DataFrame(ROWS, index=["x", "y"]),
        pd.DataFrame(ROWS, dtype="Int64"),
        pd.DataFrame({"whole": [3, 1], "decimal": [-4.0, 2.0]}),
    ],
    ids=lambda rows: f"{type(rows).__name__} {getattr(rows, 'dtype', '')}",
)
def test_numbers_of_any_kind_have_the_same_cosine(rows):
    expected = [(3 - 4) / (5 * 2**0.5), 3 / 10**0.5]
    np.testing.assert_allclose(cosine(rows, [1, 1]), expected, rtol=1e-12)
    np.testing.assert_array_equal(nearest(rows), [[1], [0]])
    assert center(rows).dtype == np.float64
    np.testing.assert_array_equal(center(rows), [[1, -3], [-1, 3]])


def test_small_and_large_numbers_do_not_overflow():
    tiny, huge = np.array([3e-200, -4e-200]), np.array([3e200, -4e200])
    assert cosine(tiny, huge) == pytest.approx(1)
    half = np.full((2, 4096), 60.0, dtype=np.float16)  # the sum of squares is no float16
    np.testing.assert_allclose(cosine(half, half), 1)
    whole = np.array([[120, -120], [120, 120]], dtype=np.int8)  # nor is the product an int8
    np.testing.assert_allclose(cosine(whole, [1, 0]), [0.5**0.5] * 2)


@pytest.mark.parametrize(
    "bad", [np.nan, np.inf, -np.inf, float("nan")], ids=["nan", "inf", "-inf", "nan again"]
)
def test_a_nan_is_called_a_nan_and_its_vector_named(bad):
    rows = np.array([[1.0, 2], [3, bad], [5, 6], [bad, bad]])
    for call in (lambda: nearest(rows), lambda: center(rows)):
        with pytest.raises(ValueError, match=r"vector 1, 3 has a nan or an infinite"):
            call()
    with pytest.raises(ValueError, match=r"second vectors: vector 1, 3 has a nan"):
        cosine([1, 2], rows)
    with pytest.raises(ValueError, match=r"first vectors: the vector has a nan"):
        cosine([bad, 1], [1, 1])
    with pytest.raises(ValueError, match=r"layer embeddings: vector \(0, 1\), \(0, 3\) has"):
        drift_table(np.stack([rows, np.ones_like(rows)]), list("abcd"))


def test_all_vectors_of_zeros_are_named_and_many_are_counted():
    with pytest.raises(ValueError, match="first vectors: vector 1, 2 is zero: it has no dir"):
        cosine(np.array([[1.0, 0], [0, 0], [0, -0.0]]), np.ones(2))
    with pytest.raises(ValueError, match="vector 0, 1, 2, 3, 4 and 7 more is zero"):
        nearest(np.zeros((12, 3)))
    with pytest.raises(ValueError, match=r"vector \(2, 1\) is zero"):
        with_others(np.ones((3, 2, 2)) - [[[0], [0]], [[0], [0]], [[0], [1]]], np.ones((2, 2)))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["a", "b"], "could not convert|type"),
        ([[1, 2], [3]], "inhomogeneous"),
        (np.array([[1 + 2j, 1]]), "complex"),
        (pd.DataFrame({"text": ["a"], "x": [1.0]}), "could not convert"),
        (np.array(["2026-11-25"], dtype="M8[D]"), "datetime"),
    ],
)
def test_what_holds_no_numbers_is_refused_in_a_sentence(rows, says):
    with pytest.raises(TypeError, match=rf"vectors should be rows of numbers.*({says})"):
        cosine(rows, [1.0, 2.0])


@pytest.mark.parametrize("nothing", [3.0, None, [], np.ones((2, 0))])
def test_what_holds_no_vector_is_refused(nothing):
    with pytest.raises(ValueError, match="hold no vector"):
        cosine(nothing, nothing)


def test_vectors_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="3 and 4 dimensions"):
        cosine(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(4, 3\) cannot be paired"):
        cosine(np.ones((2, 3)), np.ones((4, 3)))


# ---------------------------------------------------------------- drift


def test_drift_is_measured_at_the_layer_it_names(tiny_encoder, lines):
    claims.drift_is_measured_at_the_layer_it_names(tiny_encoder, lines)


def test_each_step_starts_where_the_last_one_ended(tiny_encoder, lines):
    claims.each_step_starts_where_the_last_one_ended(tiny_encoder, lines)


def test_the_first_step_is_the_first_drift():
    layers = random_layers()
    np.testing.assert_array_equal(layer_to_layer(layers)[0], static_to_layer(layers)[0])


def test_a_text_with_others_is_the_mean_over_all_but_itself():
    a, b = random_layers(2, 5), random_layers(2, 5)[::-1]
    expected = np.empty((3, 5))
    for layer, i in np.ndindex(3, 5):
        others = [j for j in range(5) if j != i]
        expected[layer, i] = np.mean([cosine(a[layer, i], b[layer, j]) for j in others])
    np.testing.assert_allclose(with_others(a, b), expected, atol=1e-12)
    np.testing.assert_allclose(with_others(a, b[:1]), with_others(a, b[[0, 0, 0]]), atol=1e-12)


def test_tokens_across_texts_are_all_pairs_but_those_within_a_text():
    rng = np.random.default_rng(6)
    texts = [rng.normal(size=(n, 4)) + 0.5 for n in (1, 3, 2)]
    pairs = [
        cosine(a, b)
        for i, first in enumerate(texts) for j, second in enumerate(texts) if i != j
        for a in first for b in second
    ]  # fmt: skip
    assert across_texts(texts) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize(("a", "b"), [((1, 3), (1, 3)), ((3,), (3,)), ((4, 3), (5, 3)),
                                      ((4, 3), (1, 3))])  # fmt: skip
def test_a_text_alone_or_in_other_company_has_no_others(a, b):
    with pytest.raises(ValueError, match="not those of the same two or more texts"):
        with_others(np.ones(a), np.ones(b))


def test_every_baseline_compares_what_it_says():
    layers, titles = random_layers(), list("abcdef")
    table = drift_table(layers, titles)
    assert list(table.columns) == ["comparison", "layer", "title", "cosine"]
    assert list(table["comparison"].unique()) == COMPARISONS
    assert len(table) == len(COMPARISONS) * 3 * 6
    table = table.set_index(["comparison", "layer", "title"])["cosine"]
    centred = layers - layers.mean(axis=1, keepdims=True)
    for layer in (1, 2, 3):
        for i, title in enumerate(titles):
            others = [j for j in range(6) if j != i]

            def mean(vectors, start, layer=layer, i=i, others=others):
                return np.mean([cosine(vectors[start, j], vectors[layer, i]) for j in others])

            expected = {
                "same poem": cosine(layers[0, i], layers[layer, i]),
                "other poem": mean(layers, 0),
                "same poem, centred": cosine(centred[0, i], centred[layer, i]),
                "other poem, centred": mean(centred, 0),
                "random pair": mean(layers, layer),
            }
            for comparison, value in expected.items():
                assert table[comparison, layer, title] == pytest.approx(value, abs=1e-12)


def test_the_shared_part_is_of_squared_length_and_by_layer():
    # mean (2, -1): 5 of (25 + 5) / 2 in layer 0; nothing shared in layer 1; all in layer 2
    layers = np.array([[[3, -4], [1, 2]], [[3, -4], [-3, 4]], [[-2, 5], [-2, 5]]])
    np.testing.assert_allclose(shared_part(layers), [1 / 3, 0, 1])


def test_medians_are_over_the_texts_and_keep_the_order_of_comparisons():
    table = drift_table(random_layers(n_texts=5), list("abcde"))
    found = medians_by_layer(table)
    assert list(found.index) == COMPARISONS
    assert list(found.columns) == [1, 2, 3]
    of_one = table[(table["comparison"] == "other poem") & (table["layer"] == 3)]
    assert found.loc["other poem", 3] == sorted(of_one["cosine"])[2]


@pytest.mark.parametrize("shape", [(4, 3), (1, 4, 3), (4, 1, 3)])
@pytest.mark.parametrize("measure", [static_to_layer, layer_to_layer])
def test_arrays_that_are_not_layers_of_texts_are_refused(measure, shape):
    with pytest.raises(ValueError, match=r"\(n_layers \+ 1, n_texts, n_dims\)") as error:
        measure(np.ones(shape))
    assert str(shape) in str(error.value)


def test_titles_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="6 texts, but 2 titles"):
        drift_table(random_layers(), ["a", "b"])


# ---------------------------------------------------------------- centring


def test_centred_texts_have_mean_zero_in_every_layer():
    np.testing.assert_allclose(center(random_layers()).mean(axis=1), 0, atol=1e-12)


def test_the_drift_of_static_cls_is_refused_not_made_of_rounding(poem_layers):
    with pytest.raises(ValueError, match=r"in layer 0, 20 of 20 texts equal the mean"):
        drift_table(poem_layers["cls"], list(range(20)))
    # [CLS] has little of its own in the other layers, but what it has is no rounding
    assert center(poem_layers["cls"])[1:].any(axis=-1).all()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_what_rounding_leaves_of_equal_texts_is_zero_in_any_precision(dtype):
    rng = np.random.default_rng(0)
    layers = np.repeat(rng.normal(size=(1, 1, 50)), 9, axis=1)
    noisy = (layers * (1 + np.finfo(dtype).eps * rng.integers(-1, 2, (1, 9, 50)))).astype(dtype)
    assert np.ptp(noisy, axis=1).any()
    assert not center(noisy).any()
    own = layers + 0.03 * rng.normal(size=(1, 9, 50))
    assert center(own.astype(dtype)).any(axis=-1).all()


def test_a_text_that_equals_the_mean_is_refused_by_its_number():
    layers = random_layers(1, 5)
    layers[1, 4] = layers[1, :4].mean(axis=0)
    with pytest.raises(ValueError, match="in layer 1, 1 of 5 texts equal"):
        drift_table(layers, list("abcde"))


# ---------------------------------------------------------------- neighbours


@given(arrays.arrays("f8", (5, 3), elements=NUMBERS))
def test_neighbours_are_the_others_from_the_nearest_to_the_farthest(vectors):
    assume((np.linalg.norm(vectors, axis=1) > 1e-3).all())
    neighbours = nearest(vectors)
    similarities = cosine_similarity(vectors)
    for i, row in enumerate(neighbours):
        assert sorted([i, *row]) == list(range(5))
        assert (np.diff(similarities[i, row]) <= 1e-9).all()


def test_rounding_decides_no_neighbour():
    """Vectors that are equal differ in their last digits on another device."""
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(3, 20)).astype("float32")[[0, 1, 2, 0, 1, 2, 0, 1, 2]]
    expected = nearest(kinds)
    assert expected[:, :2].tolist() == [[3, 6], [4, 7], [5, 8], [0, 6], [1, 7], [2, 8],
                                        [0, 3], [1, 4], [2, 5]]  # fmt: skip
    for _ in range(20):
        noisy = kinds * (1 + rng.uniform(-2e-7, 2e-7, kinds.shape)).astype("float32")
        assert (nearest(noisy) == expected).all()
    # What is more than rounding decides, also among vectors that are all but the same.
    alike = np.ones(20) + 1e-4 * rng.normal(size=(9, 20))
    unit = alike / np.linalg.norm(alike, axis=1, keepdims=True)
    apart = np.linalg.norm(unit[:, None] - unit, axis=-1) + 10 * np.eye(9)
    assert (nearest(alike.astype("float32"))[:, 0] == apart.argmin(axis=1)).all()


@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 2, 3)])
def test_neighbours_of_what_is_not_two_rows_are_refused(shape):
    with pytest.raises(ValueError, match="two vectors or more, in rows") as error:
        nearest(np.ones(shape))
    assert str(shape) in str(error.value)


def test_opposite_vectors_are_at_minus_one_and_never_beyond():
    vectors = np.random.default_rng(1).normal(size=(3000, 7)).astype("float32")
    assert cosine(vectors, -vectors).min() == -1
    assert cosine(vectors, vectors).max() == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_lists_of_tensors_are_read_as_the_tensor_they_make(dtype):
    rows = torch.tensor([[[3, 4], [-1, 2]], [[1, 0], [5, -6]]], dtype=dtype)
    rows.requires_grad_(dtype.is_floating_point)
    for some in ([rows[0], rows[1]], [list(rows[0]), list(rows[1])], tuple(rows)):
        np.testing.assert_array_equal(cosine(some, rows[:, :1]), cosine(rows, rows[:, :1]))
        np.testing.assert_array_equal(center(some), center(rows))


def test_what_rounding_leaves_is_as_large_in_a_list_of_tensors():
    row = torch.tensor([0.1, 0.7, -0.3])
    nearly = torch.stack([row, row * (1 + 1e-7), row])
    assert (center(nearly) == 0).all()
    assert (center(list(nearly)) == 0).all()
    assert (center(nearly.double()) != 0).any()

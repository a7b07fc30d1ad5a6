"""Cosines, the baselines that give them meaning, and neighbours."""

import claims
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics.pairwise import cosine_similarity

from layerwise.similarity import (
    COMPARISONS,
    center,
    cosine,
    drift_table,
    layer_to_layer,
    nearest,
    neighbour_agreement,
    other_texts,
    shuffled_agreement,
    static_to_layer,
)

NUMBERS = st.floats(-100, 100)
VECTORS = arrays.arrays("f8", (4, 3), elements=NUMBERS)


def random_layers(n_layers=3, n_texts=6, n_dims=5):
    return np.random.default_rng(0).normal(size=(n_layers + 1, n_texts, n_dims))


@given(VECTORS, VECTORS, st.floats(0.01, 100))
def test_cosine_is_sklearns_symmetric_and_blind_to_length(a, b, factor):
    assume((np.linalg.norm([a, b], axis=-1) > 1e-3).all())
    ours = cosine(a, b)
    np.testing.assert_allclose(ours, np.diag(cosine_similarity(a, b)), atol=1e-9)
    np.testing.assert_allclose(cosine(b, a), ours, atol=1e-9)
    np.testing.assert_allclose(cosine(factor * a, b), ours, atol=1e-9)
    np.testing.assert_allclose(cosine(a, a), 1, atol=1e-9)
    np.testing.assert_allclose(cosine(a, -a), -1, atol=1e-9)


def test_drift_is_measured_at_the_layer_it_names(tiny_encoder, lines):
    claims.drift_is_measured_at_the_layer_it_names(tiny_encoder, lines)


def test_each_step_starts_where_the_last_one_ended(tiny_encoder, lines):
    claims.each_step_starts_where_the_last_one_ended(tiny_encoder, lines)


def test_the_first_step_is_the_first_drift():
    layers = random_layers()
    np.testing.assert_array_equal(layer_to_layer(layers)[0], static_to_layer(layers)[0])


def test_centred_texts_have_mean_zero_in_every_layer():
    np.testing.assert_allclose(center(random_layers()).mean(axis=1), 0, atol=1e-12)


@given(st.integers(2, 80), st.integers(0, 1000))
def test_every_text_is_paired_with_another_and_each_once(n_texts, seed):
    others = other_texts(n_texts, seed)
    assert sorted(others) == list(range(n_texts))
    assert (others != np.arange(n_texts)).all()
    assert (others == other_texts(n_texts, seed)).all()


def test_a_drift_table_has_a_row_for_each_comparison_layer_and_text():
    titles = list("abcdef")
    table = drift_table(random_layers(), titles)
    assert list(table.columns) == ["comparison", "layer", "title", "cosine"]
    assert len(table) == len(COMPARISONS) * 3 * 6
    assert not table.duplicated(["comparison", "layer", "title"]).any()
    assert list(table["comparison"].unique()) == COMPARISONS
    assert sorted(table["layer"].unique()) == [1, 2, 3]
    assert table["cosine"].between(-1, 1).all()


def test_every_baseline_compares_what_it_says():
    layers, titles = random_layers(), list("abcdef")
    table = drift_table(layers, titles, seed=3).set_index(["comparison", "layer", "title"])
    others = other_texts(6, seed=3)
    centred = layers - layers.mean(axis=1, keepdims=True)
    for layer in (1, 2, 3):
        for i, title in enumerate(titles):
            j = others[i]
            expected = {
                "same poem": cosine(layers[0, i], layers[layer, i]),
                "other poem": cosine(layers[0, j], layers[layer, i]),
                "same poem, centred": cosine(centred[0, i], centred[layer, i]),
                "other poem, centred": cosine(centred[0, j], centred[layer, i]),
                "random pair": cosine(layers[layer, j], layers[layer, i]),
            }
            for comparison, value in expected.items():
                assert table.loc[(comparison, layer, title), "cosine"] == pytest.approx(value)


@given(arrays.arrays("f8", (5, 3), elements=NUMBERS))
def test_neighbours_are_the_others_from_the_nearest_to_the_farthest(vectors):
    assume((np.linalg.norm(vectors, axis=1) > 1e-3).all())
    neighbours = nearest(vectors)
    similarities = cosine_similarity(vectors)
    for i, row in enumerate(neighbours):
        assert sorted([i, *row]) == list(range(5))
        assert (np.diff(similarities[i, row]) <= 1e-9).all()


def test_agreement_is_the_share_of_nearest_neighbours_with_the_same_label():
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
    assert neighbour_agreement(nearest(vectors), ["Life", "Life", "Love", "Love"]) == 1
    assert neighbour_agreement(nearest(vectors), ["Life", "Love", "Life", "Love"]) == 0
    assert neighbour_agreement(nearest(vectors), ["Life", "Life", "Life", "Love"]) == 0.5


def test_shuffled_labels_agree_as_often_as_chance_has_it():
    neighbours = nearest(np.random.default_rng(0).normal(size=(40, 8)))
    labels = ["Life"] * 20 + ["Love"] * 20
    agreement = shuffled_agreement(neighbours, labels, n_shuffles=500)
    assert agreement.shape == (500,)
    assert agreement.mean() == pytest.approx(19 / 39, abs=0.02)
    np.testing.assert_array_equal(agreement, shuffled_agreement(neighbours, labels, 500))


def test_vectors_of_different_length_are_refused():
    with pytest.raises(ValueError, match="3 and 4 dimensions"):
        cosine(np.ones((2, 3)), np.ones((2, 4)))


def test_a_vector_without_a_direction_is_refused():
    with pytest.raises(ValueError, match="zeros has no direction"):
        cosine(np.array([[1.0, 0], [0, 0]]), np.ones(2))


@pytest.mark.parametrize("shape", [(4, 3), (1, 4, 3), (4, 1, 3)])
@pytest.mark.parametrize("measure", [static_to_layer, layer_to_layer])
def test_arrays_that_are_not_layers_of_texts_are_refused(measure, shape):
    with pytest.raises(ValueError, match=r"\(n_layers \+ 1, n_texts, n_dims\)") as error:
        measure(np.ones(shape))
    assert str(shape) in str(error.value)


def test_titles_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="6 texts, but 2 titles"):
        drift_table(random_layers(), ["a", "b"])


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="3 texts, but 2 labels"):
        neighbour_agreement(nearest(np.eye(3) + 1), ["Life", "Love"])


def test_a_vector_without_a_direction_has_no_neighbours():
    with pytest.raises(ValueError, match="zeros has no direction, so no neighbours"):
        nearest(np.array([[1.0, 0], [0, 0]]))


def test_a_text_alone_has_no_other():
    with pytest.raises(ValueError, match="needs another text to be paired with; got 1"):
        other_texts(1)

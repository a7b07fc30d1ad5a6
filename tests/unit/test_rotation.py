"""One rotation for all texts: found where there is one, and only there."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ortho_group

from layerwise.rotation import fit_rotation, rotation_baseline, step_baseline
from layerwise.similarity import COMPARISONS, drift_table

TITLES = list("abcdefg")


def texts_turned_by(rotation, own=0.0, n_dims=12):
    """Make seven texts of 40 tokens: layer 1 is layer 0 turned, plus the text's own noise."""
    rng = np.random.default_rng(1)
    tokens = rng.normal(size=(7, 40, n_dims)) + 2 * rng.normal(size=(7, 1, n_dims)) + 1
    later = tokens @ rotation + own * rng.normal(size=(7, 1, n_dims))
    return list(np.stack([tokens, later], axis=1))


def medians(table):
    return table.groupby("comparison")["cosine"].median()


def test_a_rotation_is_found_and_is_orthogonal():
    rotation = ortho_group.rvs(5, random_state=2)
    a = np.random.default_rng(0).normal(size=(40, 5))
    found = fit_rotation(a, a @ rotation)
    np.testing.assert_allclose(found, rotation, atol=1e-9)
    np.testing.assert_allclose(fit_rotation(a, 2 * a + 1).T @ fit_rotation(a, 2 * a + 1),
                               np.eye(5), atol=1e-9)  # fmt: skip


def test_texts_that_were_only_turned_are_at_cosine_one_when_turned_back():
    texts = texts_turned_by(ortho_group.rvs(12, random_state=3))
    table = rotation_baseline(texts, TITLES)
    assert list(table.columns) == ["comparison", "layer", "title", "cosine"]
    names = [f"{name}, rotated" for name in COMPARISONS[:4]]
    names += [f"{name}, shifted" for name in COMPARISONS[:2]]
    assert list(table["comparison"].unique()) == names
    assert len(table) == 6 * 1 * 7
    same = medians(table)[["same poem, rotated", "same poem, centred, rotated"]]
    np.testing.assert_allclose(same, 1, atol=1e-9)
    assert (medians(table)[["other poem, rotated", "other poem, centred, rotated"]] < 0.7).all()
    pooled = np.stack([text.mean(axis=1) for text in texts], axis=1)
    assert abs(medians(drift_table(pooled, TITLES))["same poem, centred"]) < 0.6


def test_texts_that_were_only_shifted_are_at_cosine_one_when_shifted_back():
    rng = np.random.default_rng(6)
    tokens = rng.normal(size=(8, 40, 12)) + 2 * rng.normal(size=(8, 1, 12)) - 3
    tokens[::2] += 5  # one half is elsewhere
    shift = 9 * rng.normal(size=12)
    texts = list(np.stack([tokens, tokens + shift], axis=1))
    table = medians(rotation_baseline(texts, "abcdefgh"))
    assert table["same poem, shifted"] == pytest.approx(1, abs=1e-9)
    assert table["same poem, shifted"] > table["other poem, shifted"] + 0.01
    turned = texts_turned_by(ortho_group.rvs(12, random_state=3))
    assert medians(rotation_baseline(turned, TITLES))["same poem, shifted"] < 0.9


def test_no_text_is_shifted_by_a_mean_it_had_a_part_in():
    """One text alone has moved: those tested with it must not be shifted by its move."""
    texts = [np.stack([x[0], x[0]]) for x in texts_turned_by(np.eye(12))]
    texts[3][1] += 50
    table = rotation_baseline(texts, TITLES)
    same = table[table["comparison"] == "same poem, shifted"].set_index("title")["cosine"]
    np.testing.assert_allclose(same[["b", "f"]], 1, atol=1e-9)  # of d's own half
    assert same[["a", "c", "e", "g"]].max() < 0.95


def test_what_each_text_moves_by_itself_no_rotation_brings_back():
    eye = np.eye(12)
    table = medians(rotation_baseline(texts_turned_by(eye, own=10.0), TITLES))
    assert table["same poem, centred, rotated"] < 0.6


def test_no_text_is_tested_on_a_rotation_it_had_a_part_in():
    """With fewer tokens than dimensions, a rotation fits those it has seen all too well."""
    rng = np.random.default_rng(4)
    texts = list(rng.normal(size=(8, 2, 4, 60)))  # nothing in common between the layers
    table = rotation_baseline(texts, range(8))
    assert medians(table)["same poem, rotated"] < 0.2
    tokens = np.concatenate(texts, axis=1)
    fitted = tokens[0] @ fit_rotation(tokens[0], tokens[1])
    both = np.linalg.norm(fitted, axis=1) * np.linalg.norm(tokens[1], axis=1)
    assert np.median((fitted * tokens[1]).sum(axis=1) / both) > 0.5


def test_every_text_has_its_own_cosine_at_its_own_place():
    """Text 3 alone goes its own way: it alone must be far, in layer 2 alone."""
    texts = [np.concatenate([x, x[:1]]) for x in texts_turned_by(np.eye(12))]
    texts[3][2] = -texts[3][2]
    table = rotation_baseline(texts, TITLES)
    same = table[table["comparison"] == "same poem, rotated"]
    same = same.pivot(index="layer", columns="title", values="cosine")
    assert same.loc[2, "d"] == pytest.approx(same.loc[2].min())
    assert same.loc[2, "d"] < 0 < same.loc[2].drop("d").min()
    np.testing.assert_allclose(same.loc[1], 1, atol=1e-9)


def test_too_few_texts_to_fit_and_to_test_are_refused():
    with pytest.raises(ValueError, match="four texts or more; got 3"):
        rotation_baseline(texts_turned_by(np.eye(12))[:3], list("abc"))


def test_tokens_that_are_the_same_in_every_text_are_refused():
    with pytest.raises(ValueError, match="in layer 0, 5 of 5 texts equal the mean"):
        rotation_baseline([np.ones((2, 3, 4))] * 5, range(5))


def test_each_step_is_compared_with_the_layer_before_it_and_not_with_layer_0():
    """Turned at the first step, shifted at the second: each is undone where it was done."""
    first, second = (ortho_group.rvs(12, random_state=seed) for seed in (3, 5))
    texts = [np.concatenate([x, x[1:] @ second, x[1:] @ second - 7])
             for x in texts_turned_by(first, own=3.0)]  # fmt: skip
    steps = step_baseline(texts, TITLES)
    same = steps[steps["comparison"] == "same poem, rotated"].groupby("layer")["cosine"].min()
    assert same[1] < 0.9  # each text's own part
    assert same[2] == pytest.approx(1, abs=1e-9)
    shifted = steps[steps["comparison"] == "same poem, shifted"].groupby("layer")["cosine"]
    assert shifted.min()[3] == pytest.approx(1, abs=1e-9)
    assert shifted.max()[2] < 0.9
    static = rotation_baseline(texts, TITLES)
    pd.testing.assert_frame_equal(static[static["layer"] == 1], steps[steps["layer"] == 1])
    of_two = static[(static["layer"] == 2) & (static["comparison"] == "same poem, rotated")]
    assert of_two["cosine"].max() < 0.99

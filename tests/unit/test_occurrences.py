"""Every place of a word: which are found, what their vectors are, who is near."""

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_checkpoints import BERT, save_tiny

from layerwise.models import load_encoder
from layerwise.occurrences import (
    draw_balanced,
    embed_places,
    find_occurrences,
    nearest_elsewhere,
    passages_of,
)

SPEECHES = pd.DataFrame([
    ("A", 1800, "May it please you. In May, we may march; in MAY we\nmay not. (May) Last May."),
    ("B", 1900, "They may, and \"may\" is no month; mayhem, May's and may's. Dismay\n"
                "In the may-day."),
], columns=["speaker", "year", "text"])  # fmt: skip


def test_places_that_begin_no_sentence_are_found():
    found = find_occurrences(SPEECHES, "may")
    first = found[found["speaker"] == "A"]
    assert first["found"].tolist() == ["May", "may", "May"]
    assert first["capital"].tolist() == [True, False, True]
    assert first["before"].tolist() == [
        "May it please you. In ", "May it please you. In May, we ", "may not. (May) Last ",
    ]  # fmt: skip
    assert first["after"].iloc[0] == ", we may march; in MAY we"
    second = found[found["speaker"] == "B"]
    assert second["found"].tolist() == ["may", "May", "may", "may"]
    assert second["after"].tolist()[1:] == ["'s and may's. Dismay", "'s. Dismay", "-day."]
    short = find_occurrences(SPEECHES, "may", n_around=1)
    assert (short["before"].iloc[1], short["after"].iloc[1]) == ("we ", " march;")


def test_as_many_with_a_capital_as_without_are_drawn():
    rows = [(i < 7, i) for i in range(30)]
    occurrences = pd.DataFrame(rows, columns=["capital", "number"])
    drawn = draw_balanced(occurrences, 5, np.random.default_rng(0))
    assert drawn["capital"].sum() == 5
    assert len(drawn) == 10
    assert drawn["number"].is_unique
    assert drawn["number"].is_monotonic_increasing
    assert drawn.index.tolist() == list(range(10))
    drawn = draw_balanced(occurrences[::-1].reset_index(drop=True), 5, np.random.default_rng(0))
    assert drawn["number"].is_monotonic_decreasing  # those with a capital last, as they stand
    everything = draw_balanced(occurrences, 50, np.random.default_rng(0))
    assert everything["capital"].sum() == 7  # all there are
    assert len(everything) == 14


def test_the_vector_is_that_of_the_token_at_the_place(encoder):
    found = find_occurrences(SPEECHES, "may")
    texts, places = passages_of(found)
    assert texts[0] == "may it please you. in may, we may march; in may we"
    vectors = embed_places(texts, places, encoder)
    assert vectors.shape == (7, len(found), 384)
    for i in (0, 3):
        batch = encoder.tokenizer(texts[i], return_tensors="pt")
        with torch.inference_mode():
            layers = encoder.model(**batch, output_hidden_states=True).hidden_states
        token = batch.char_to_token(0, places[i][1])
        assert encoder.tokenizer.decode(batch["input_ids"][0, token]) == "may"
        for layer in (0, 3, 6):
            expected = layers[layer][0, token].numpy()
            np.testing.assert_allclose(vectors[layer, i], expected, atol=1e-5)


def test_several_places_of_a_text_stay_in_their_order(encoder):
    texts = ["we may go", "a longer text in which we may or may not stand"]
    places = [(1, 26), (0, 3), (1, 33), (1, 0)]
    together = embed_places(texts, places, encoder)
    for i, place in enumerate(places):
        alone = embed_places([texts[place[0]]], [(0, place[1])], encoder)
        np.testing.assert_allclose(together[:, i], alone[:, 0], atol=1e-5)
    assert np.abs(together[6, 0] - together[6, 2]).max() > 0.1  # two places of one word
    with pytest.raises(ValueError, match=r"text 1 \('a longer.*has no token at 1$"):
        embed_places(texts, [(0, 0), (1, 1)], encoder)


OTHERS = {
    "convbert": {**BERT, "embedding_size": 16, "conv_kernel_size": 3},
    "fnet": BERT,
    "mobilebert": {**BERT, "embedding_size": 16, "intra_bottleneck_size": 16},
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_vector_does_not_depend_on_the_texts_beside_it(kind, tmp_path):
    encoder = load_encoder(save_tiny(tmp_path, kind, "bert", **OTHERS[kind]), device="cpu")
    texts = ["hope is", "hope", "the thing with feathers that perches in the soul", "soul"]
    places = [(2, 4), (1, 0), (0, 0), (3, 0), (0, 5)]
    together = embed_places(texts, places, encoder)
    for i, (text, character) in enumerate(places):
        alone = embed_places([texts[text]], [(0, character)], encoder)
        np.testing.assert_allclose(together[:, i], alone[:, 0], atol=1e-5)


def test_the_nearest_are_of_other_groups():
    angles = np.radians([0, 10, 25, 60, 180])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[3], [1], [9], [2], [1]]
    groups = ["a", "a", "b", "c", "b"]
    assert nearest_elsewhere(vectors, groups, 2).tolist() == [
        [2, 3], [2, 3], [1, 0], [2, 1], [3, 1],
    ]  # fmt: skip
    with pytest.raises(ValueError, match="fewer than 4 vectors are of another group"):
        nearest_elsewhere(vectors, groups, 4)

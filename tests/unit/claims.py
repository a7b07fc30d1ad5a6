"""What the package claims, each as one check.

A test calls a check on the package as it is; ``test_breakages.py`` calls the same check on a
package with one thing broken, where it must fail. The package's functions are looked up in
their modules when the check runs, so that what is replaced there is what is checked.
"""

import numpy as np
import torch
from torch.nn import functional
from torch.testing import assert_close

from layerwise import embedding, similarity
from layerwise.by_hand import attention, bert

TOLERANCE = {"atol": 1e-5, "rtol": 0}


def padded_batch(encoder, lines):
    return encoder.tokenizer(lines, padding=True, return_tensors="pt")


def outputs_of_the_model(encoder, batch):
    with torch.inference_mode():
        return encoder.model(**batch, output_hidden_states=True, output_attentions=True)


def textbook_mean(encoder, lines):
    """One line at a time, so without padding: every hidden state, averaged over all tokens."""
    embeddings = []
    for line in lines:
        batch = encoder.tokenizer(line, return_tensors="pt")
        hidden_states = outputs_of_the_model(encoder, batch).hidden_states
        embeddings.append(torch.stack([hidden[0].mean(dim=0) for hidden in hidden_states]))
    return torch.stack(embeddings, dim=1).numpy()  # (n_layers + 1, n_texts, n_dims)


def hidden_states_by_hand_equal_the_models(encoder, lines):
    batch = padded_batch(encoder, lines)
    expected = outputs_of_the_model(encoder, batch).hidden_states
    with torch.inference_mode():
        hidden_states, _ = bert.encode(batch, encoder.model)
    tokens = batch["attention_mask"].bool()
    assert not tokens.all()
    assert len(hidden_states) == len(expected) == encoder.model.config.num_hidden_layers + 1
    for ours, theirs in zip(hidden_states, expected, strict=True):
        assert_close(ours[tokens], theirs[tokens], **TOLERANCE)


def attentions_by_hand_equal_the_models(encoder, lines):
    batch = padded_batch(encoder, lines)
    expected = outputs_of_the_model(encoder, batch).attentions
    with torch.inference_mode():
        _, attentions = bert.encode(batch, encoder.model)
    tokens = batch["attention_mask"].bool()
    assert len(attentions) == len(expected) == encoder.model.config.num_hidden_layers
    for ours, theirs in zip(attentions, expected, strict=True):
        assert ours.shape == theirs.shape
        rows = ours.transpose(1, 2)[tokens], theirs.transpose(1, 2)[tokens]
        assert_close(*rows, **TOLERANCE)


def padding_gets_no_attention(encoder, lines):
    batch = padded_batch(encoder, lines)
    with torch.inference_mode():
        _, attentions = bert.encode(batch, encoder.model)
    padding = batch["attention_mask"] == 0
    assert padding.any()
    for weights in attentions:
        assert (weights.permute(0, 3, 1, 2)[padding] == 0).all()


def attention_equals_torchs(encoder, lines):
    query, key, value = torch.randn(3, 2, 4, 7, 5, generator=torch.Generator().manual_seed(1))
    ours, _ = attention.scaled_dot_product_attention(query, key, value)
    theirs = functional.scaled_dot_product_attention(query, key, value)
    assert_close(ours, theirs, **TOLERANCE)


def later_tokens_move_no_earlier_row(encoder, lines):
    x = torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(2))
    mask = attention.causal_mask(6)
    before, _ = attention.scaled_dot_product_attention(x, x, x, mask)
    for changed in range(6):
        y = x.clone()
        y[:, changed] += 1
        after, _ = attention.scaled_dot_product_attention(y, y, y, mask)
        assert torch.equal(after[:, :changed], before[:, :changed])
        assert not torch.isclose(after[:, changed:], before[:, changed:]).all(dim=-1).any()


def a_head_is_a_slice_of_consecutive_dimensions(encoder, lines):
    x = torch.arange(2 * 3 * 12.0).view(2, 3, 12)
    heads = attention.split_heads(x, 4)
    for head in range(4):
        assert torch.equal(heads[:, head], x[:, :, 3 * head : 3 * head + 3])


def embeddings_equal_the_textbooks(encoder, lines):
    ours = embedding.embed_layers(lines, encoder, progress=False)
    theirs = textbook_mean(encoder, lines)
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, **TOLERANCE)


def company_moves_no_text(encoder, lines):
    together = embedding.embed_layers(lines, encoder, progress=False)
    for i, line in enumerate(lines):
        alone = embedding.embed_layers([line], encoder, progress=False)
        np.testing.assert_allclose(alone[:, 0], together[:, i], **TOLERANCE)


def drift_is_measured_at_the_layer_it_names(encoder, lines):
    layers = embedding.embed_layers(lines, encoder, progress=False)
    n_layers = encoder.model.config.num_hidden_layers
    table = similarity.drift_table(layers, lines)
    same = table[table["comparison"] == "same poem"].set_index(["layer", "title"])["cosine"]
    assert sorted(same.index.unique("layer")) == list(range(1, n_layers + 1))
    for layer in range(1, n_layers + 1):
        for i, line in enumerate(lines):
            a, b = layers[0, i], layers[layer, i]
            expected = a @ b / np.sqrt((a @ a) * (b @ b))
            np.testing.assert_allclose(same[layer, line], expected, atol=1e-6)


def each_step_starts_where_the_last_one_ended(encoder, lines):
    layers = embedding.embed_layers(lines, encoder, progress=False)
    steps = similarity.layer_to_layer(layers)
    assert steps.shape == (encoder.model.config.num_hidden_layers, len(lines))
    for step in range(len(steps)):
        for i in range(len(lines)):
            a, b = layers[step, i], layers[step + 1, i]
            expected = a @ b / np.sqrt((a @ a) * (b @ b))
            np.testing.assert_allclose(steps[step, i], expected, atol=1e-6)

"""One plain loop: what it changes, what it leaves, and that it learns."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from tiny_checkpoints import BERT, save_tiny

from layerwise.fine_tuning import (
    fine_tune,
    lora_classifier,
    new_classifier,
    predict,
    shuffled_batches,
    trained_parameters,
    without_pretraining,
)
from layerwise.models import load_encoder

TEXTS = ["a bird came down the walk", "walk the down came bird a", "wild nights",
         "the soul selects her own society", "nights wild wild", "I saw a moor"]  # fmt: skip
LABELS = [1, 0, 1, 1, 0, 1]


def weights_of(encoder):
    return {name: w.detach().clone() for name, w in encoder.model.named_parameters()}


def test_lora_changes_nothing_before_it_is_trained(encoder):
    plain, lora = new_classifier(encoder, 3, seed=4), lora_classifier(encoder, 3, seed=4)
    np.testing.assert_allclose(predict(lora, TEXTS), predict(plain, TEXTS), atol=1e-6)
    other = predict(new_classifier(encoder, 3, seed=5), TEXTS)
    assert np.abs(other - predict(plain, TEXTS)).max() > 1e-2


def test_lora_is_two_thin_matrices_at_queries_and_values(encoder):
    classifier = lora_classifier(encoder, 2, rank=3)
    n_layers, n = len(encoder.model.encoder.layer), encoder.model.config.hidden_size
    shapes = [tuple(w.shape) for w in trained_parameters(classifier)]
    assert sorted(shapes) == sorted([(3, n), (n, 3)] * 2 * n_layers + [(2, n), (2,)])
    query = classifier.encoder.model.encoder.layer[1].attention.self.query
    with torch.no_grad():
        query.lora_up.normal_()
    x = torch.randn(5, n)
    whole = query.weight + 2 * query.lora_up @ query.lora_down
    torch.testing.assert_close(query(x), x @ whole.T + query.bias, atol=1e-4, rtol=1e-4)


def test_only_what_may_be_trained_is_and_the_encoder_given_stays(encoder):
    before = weights_of(encoder)
    lora, whole = lora_classifier(encoder, 2), new_classifier(encoder, 2)
    for classifier in (lora, whole):
        assert classifier.encoder.model is not encoder.model
        fine_tune(classifier, TEXTS, LABELS, n_epochs=1, learning_rate=1e-2)
    for name, weight in before.items():
        torch.testing.assert_close(dict(encoder.model.named_parameters())[name], weight)
        ours = dict(lora.encoder.model.named_parameters())[name]
        assert torch.equal(ours, weight)
        assert ours.grad is None
    now = weights_of(whole.encoder)
    changed = [name for name in before if not torch.equal(now[name], before[name])]
    assert len(changed) >= len(before) - 2  # the pooler is not used
    assert not whole.encoder.model.training


def test_it_learns_and_says_how(encoder):
    classifier = lora_classifier(encoder, 2)
    epochs = fine_tune(classifier, TEXTS, LABELS, n_epochs=12, learning_rate=1e-2, size=3,
                       held_out=(TEXTS[:2], [0, 0]))  # fmt: skip
    assert epochs.index.tolist() == list(range(1, 13))
    assert epochs["loss"].iloc[-1] < 0.3 < epochs["loss"].iloc[0]
    assert epochs["right"].iloc[-1] == 1
    logits = predict(classifier, TEXTS)
    assert logits.argmax(axis=1).tolist() == LABELS
    log_shares = torch.from_numpy(logits[:2]).log_softmax(dim=1)
    assert epochs["held-out loss"].iloc[-1] == pytest.approx(-log_shares[:, 0].mean().item())
    assert epochs["held-out right"].iloc[-1] == 0.5


def test_the_same_seed_gives_the_same_and_another_another(encoder):
    said = []
    for seed in (3, 3, 4):
        classifier = lora_classifier(encoder, 2, seed=seed)
        fine_tune(classifier, TEXTS, LABELS, 1, 1e-2, size=2, seed=seed)
        said.append(predict(classifier, TEXTS))
    np.testing.assert_array_equal(said[0], said[1])
    assert np.abs(said[0] - said[2]).max() > 1e-2


def test_a_text_is_predicted_the_same_in_any_company(encoder):
    classifier = new_classifier(encoder, 2)
    together = predict(classifier, TEXTS)
    by_one = np.concatenate([predict(classifier, [text]) for text in TEXTS])
    np.testing.assert_allclose(together, by_one, atol=1e-5)


def test_batches_hold_every_text_once_and_are_of_like_length():
    lengths = [9, 3, 3, 7, 3, 9, 8, 3, 5, 4, 2]
    batches = shuffled_batches(lengths, 3, np.random.default_rng(0))
    assert sorted(np.concatenate(batches)) == list(range(11))
    assert sorted(map(len, batches)) == [2, 3, 3, 3]
    spans = sorted((min(ls), max(ls)) for ls in ([lengths[i] for i in b] for b in batches))
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    others = {tuple(map(tuple, shuffled_batches(lengths, 3, np.random.default_rng(i))))
              for i in range(5)}  # fmt: skip
    assert len(others) == 5


def test_without_pretraining_the_shape_stays_and_the_weights_do_not(encoder):
    bare, again = without_pretraining(encoder, 1), without_pretraining(encoder, 1)
    for name, weight in weights_of(encoder).items():
        ours = dict(bare.model.named_parameters())[name]
        assert ours.shape == weight.shape
        assert torch.equal(ours, dict(again.model.named_parameters())[name])
    table = bare.model.embeddings.word_embeddings.weight
    assert not torch.allclose(table, encoder.model.embeddings.word_embeddings.weight, atol=1e-2)
    assert bare.model.config._attn_implementation == "eager"


def test_a_prediction_does_not_depend_on_the_texts_beside_it(tmp_path):
    encoder = load_encoder(save_tiny(tmp_path, "fnet", "bert", **BERT), device="cpu")
    classifier = new_classifier(encoder, 3)
    texts = ["hope is", "hope", "the thing with feathers that perches in the soul", "soul"]
    alone = np.concatenate([predict(classifier, [text]) for text in texts])
    np.testing.assert_allclose(predict(classifier, texts), alone, atol=1e-5)

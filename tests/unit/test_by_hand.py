"""The encoder by hand is the model, layer by layer."""

import claims
import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from layerwise.by_hand import bert
from layerwise.models import Encoder


@pytest.fixture(params=["encoder", "tiny_encoder"])
def any_encoder(request) -> Encoder:
    return request.getfixturevalue(request.param)


def test_every_hidden_state_of_a_padded_batch_is_transformers_own(any_encoder, lines):
    claims.hidden_states_by_hand_equal_the_models(any_encoder, lines)


def test_every_attention_of_a_padded_batch_is_transformers_own(any_encoder, lines):
    claims.attentions_by_hand_equal_the_models(any_encoder, lines)


def test_padding_gets_no_attention(any_encoder, lines):
    claims.padding_gets_no_attention(any_encoder, lines)


def test_a_pair_of_texts_is_read_with_its_token_types(any_encoder):
    batch = any_encoder.tokenizer("I'm nobody!", "Who are you?", return_tensors="pt")
    assert batch["token_type_ids"].unique().tolist() == [0, 1]
    expected = claims.outputs_of_the_model(any_encoder, batch).hidden_states
    with torch.inference_mode():
        hidden_states, _ = bert.encode(batch, any_encoder.model)
        one_segment = {**batch, "token_type_ids": torch.zeros_like(batch["token_type_ids"])}
        without_types, _ = bert.encode(one_segment, any_encoder.model)
    assert_close(hidden_states[-1], expected[-1], **claims.TOLERANCE)
    assert not torch.allclose(without_types[-1], expected[-1], **claims.TOLERANCE)


def test_hidden_state_0_is_not_the_word_embeddings(encoder):
    batch = encoder.tokenizer("Wild nights!", return_tensors="pt")
    words = encoder.model.embeddings.word_embeddings(batch["input_ids"])
    hidden = bert.embed_tokens(batch["input_ids"], batch["token_type_ids"], encoder.model)
    assert hidden.shape == words.shape
    assert not torch.isclose(hidden, words, atol=1e-2).all(dim=-1).any()


def test_gelu_is_torchs():
    x = torch.linspace(-6, 6, 241)
    assert_close(bert.gelu(x), functional.gelu(x), atol=1e-6, rtol=0)


def test_layer_norm_is_torchs(tiny_encoder):
    norm = tiny_encoder.model.embeddings.LayerNorm
    x = torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(3))
    assert_close(bert.layer_norm(x, norm), norm(x), **claims.TOLERANCE)


def test_as_many_tokens_as_positions_are_read(tiny_encoder):
    ids = torch.full((1, 512), 2054)
    hidden = bert.embed_tokens(ids, torch.zeros_like(ids), tiny_encoder.model)
    assert hidden.shape == (1, 512, 16)


def test_more_tokens_than_positions_are_refused(tiny_encoder):
    ids = torch.full((1, 513), 2054)
    with pytest.raises(ValueError, match=r"513 tokens.* 512 positions.*truncate"):
        bert.embed_tokens(ids, torch.zeros_like(ids), tiny_encoder.model)


def test_a_text_of_nothing_but_padding_is_refused(tiny_encoder, lines):
    batch = claims.padded_batch(tiny_encoder, lines[:3])
    batch["attention_mask"][1] = 0
    with pytest.raises(ValueError, match=r"all zeros for text\(s\) \[1\]"):
        bert.encode(batch, tiny_encoder.model)


def test_a_model_that_is_no_bert_is_refused(tiny_encoder, lines, monkeypatch):
    monkeypatch.setattr(type(tiny_encoder.model.config), "model_type", "gpt2")
    with pytest.raises(TypeError, match="not a 'gpt2' model"):
        bert.encode(claims.padded_batch(tiny_encoder, lines), tiny_encoder.model)

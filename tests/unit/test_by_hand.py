"""The encoder by hand is the model, layer by layer."""

import copy

import claims
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close
from transformers import BertConfig, BertForMaskedLM, BertModel

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
    with pytest.raises(TypeError, match="not a BertModel of type 'gpt2'"):
        bert.encode(claims.padded_batch(tiny_encoder, lines), tiny_encoder.model)


def test_a_bert_with_a_head_is_refused(tiny_encoder, lines):
    whole = BertForMaskedLM(tiny_encoder.model.config).eval()
    with pytest.raises(TypeError, match=r"a BERT \(BertModel\), not a BertForMaskedLM"):
        bert.encode(claims.padded_batch(tiny_encoder, lines), whole)


SMALL = {
    "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16,
}  # fmt: skip
OTHER_BERTS = {
    "hidden_act": ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new', not 'gelu'"),
    "relu": ({"hidden_act": "relu"}, "hidden_act is 'relu', not 'gelu'"),
    "decoder": ({"is_decoder": True}, "is_decoder is True, not False"),
    "cross": (
        {"is_decoder": True, "add_cross_attention": True},
        "is_decoder is True, not False; add_cross_attention is True, .*BertCrossAttention",
    ),
    "positions": (
        {"position_embedding_type": "relative_key"},
        "position_embedding_type is 'relative_key', not 'absolute'",
    ),
}


@pytest.mark.parametrize(("settings", "message"), OTHER_BERTS.values(), ids=OTHER_BERTS)
def test_a_bert_that_computes_something_else_is_refused(
    tiny_encoder, lines, settings, message
):
    other = BertModel(BertConfig(**SMALL, **settings)).eval()
    batch = claims.padded_batch(tiny_encoder, lines)
    with pytest.raises(TypeError, match=f"not the one rebuilt here: .*{message}"):
        bert.encode(batch, other)
    bert.encode(batch, BertModel(BertConfig(**SMALL)).eval())


def test_a_part_put_in_by_hand_is_refused(tiny_encoder, lines):
    class Adapter(nn.Linear):
        pass

    model = BertModel(BertConfig(**SMALL)).eval()
    model.encoder.layer[1].output.dense = Adapter(16, 8)
    with pytest.raises(TypeError, match="has parts of another kind: Adapter"):
        bert.encode(claims.padded_batch(tiny_encoder, lines), model)


def other_activation(model):
    model.encoder.layer[1].intermediate.intermediate_act_fn = nn.Tanh()


def without_bias(model):
    model.encoder.layer[1].attention.self.key = nn.Linear(8, 8, bias=False)


def norm_without_weights(model):
    model.encoder.layer[0].output.LayerNorm = nn.LayerNorm(8, elementwise_affine=False)


def hook(model):
    model.register_forward_hook(lambda module, inputs, output: None)


def hook_before(model):
    model.encoder.layer[1].register_forward_pre_hook(lambda module, inputs: None)


def other_forward(model):
    model.encoder.layer[1].output.forward = lambda hidden, residual: hidden


CHANGES = {
    other_activation: "parts of another kind: Tanh as intermediate_act_fn",
    without_bias: "; encoder.layer.1.attention.self.key has no bias|: encoder.*key has no bias",
    norm_without_weights: "encoder.layer.0.output.LayerNorm has no bias",
    hook: "it has a hook or a forward of its own",
    hook_before: "encoder.layer.1 has a hook",
    other_forward: "encoder.layer.1.output has a hook or a forward of its own",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_bert_that_was_changed_is_refused(tiny_encoder, lines, change):
    model = BertModel(BertConfig(**SMALL)).eval()
    batch = claims.padded_batch(tiny_encoder, lines)
    model(**batch, output_hidden_states=True, output_attentions=True)  # keeps hooks of its own
    bert.encode(batch, model)
    change(model)
    with pytest.raises(TypeError, match=f"not the one rebuilt here: .*{CHANGES[change]}"):
        bert.encode(batch, model)


def test_training_mode_is_refused(tiny_encoder, lines):
    model = BertModel(BertConfig(**SMALL)).eval()
    model.encoder.layer[0].train()  # a part of it is enough
    with pytest.raises(TypeError, match=r"training mode: call model.eval\(\)"):
        bert.encode(claims.padded_batch(tiny_encoder, lines), model)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_refused(tiny_encoder, lines, dtype):
    model = BertModel(BertConfig(**SMALL)).eval().to(dtype)
    with pytest.raises(TypeError, match=rf"computes in {dtype}: call model.float\(\)"):
        bert.encode(claims.padded_batch(tiny_encoder, lines), model)


def test_two_precisions_in_one_model_are_refused(tiny_encoder, lines):
    model = BertModel(BertConfig(**SMALL)).eval()
    model.pooler.double()
    with pytest.raises(TypeError, match=r"computes in torch\.float32, torch\.float64"):
        bert.encode(claims.padded_batch(tiny_encoder, lines), model)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("dtype", "to"), [(torch.float32, 1e-5), (torch.float64, 1e-12)], ids=str
)
def test_it_holds_in_the_precision_it_says_for_padding_on_either_side(
    tiny_encoder, lines, dtype, to, side
):
    model = copy.deepcopy(tiny_encoder.model).to(dtype)
    batch = tiny_encoder.tokenizer(
        lines, padding=True, padding_side=side, return_tensors="pt"
    )
    tokens = batch["attention_mask"].bool()
    with torch.inference_mode():
        expected = model(**batch, output_hidden_states=True).hidden_states
        ours, _ = bert.encode(batch, model)
    for layer, (our, their) in enumerate(zip(ours, expected, strict=True)):
        assert our.dtype == dtype
        difference = (our - their)[tokens].abs().max()
        assert difference < to, (layer, difference)


def test_a_batch_that_is_none_is_refused(tiny_encoder, lines):
    batch = claims.padded_batch(tiny_encoder, lines)
    del batch["token_type_ids"]
    with pytest.raises(TypeError, match=r"no tensor for token_type_ids: call tokenizer\("):
        bert.encode(batch, tiny_encoder.model)
    batch = claims.padded_batch(tiny_encoder, lines)
    places = torch.arange(batch["input_ids"].shape[1])[None]
    for more in ({"position_ids": places.flip(1)}, {"inputs_embeds": torch.ones(1, 2, 16)}):
        with pytest.raises(TypeError, match=f"the batch has {next(iter(more))}, .*leave"):
            bert.encode({**batch, **more}, tiny_encoder.model)
    bert.encode({**batch, "position_ids": None, "special": places}, tiny_encoder.model)
    of_lists = tiny_encoder.tokenizer(lines)
    with pytest.raises(TypeError, match="for input_ids, token_type_ids, attention_mask:"):
        bert.encode(of_lists, tiny_encoder.model)

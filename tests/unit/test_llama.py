"""The model that writes, rebuilt: transformers' logits on anything, and no twin's."""

import random
from copy import deepcopy
from unittest.mock import patch

import pytest
import torch
from tiny_checkpoints import save_tiny_decoder
from transformers.models.llama import modeling_llama

from layerwise.by_hand import llama
from layerwise.by_hand.llama import next_probabilities, read, write
from layerwise.decoders import load_decoder
from layerwise.texts.poems import load_poems

CLOSE = 1e-3
TEXT = "the thin wind in 1862 — naïve,\n\nthe other thing"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return load_decoder(save_tiny_decoder(tmp_path_factory.mktemp("llama") / "tiny"), "cpu")


def ids_of(text, decoder):
    return torch.tensor([[decoder.tokenizer.bos_token_id, *decoder.tokenizer(text).input_ids]])


def odd_strings():
    rng = random.Random(0)
    signs = "aé🦋漢\n\t  .,;—'\"0123\u200b\u0301ßΩ<|>"
    made = ["".join(rng.choices(signs, k=rng.randint(1, 40))) for _ in range(196)]
    return ["", "🦋", "\n\n\n", "<|im_end|><|endoftext|>", *made]


@torch.inference_mode()
def difference(ids, decoder):
    return (read(ids, decoder.model) - decoder.model(ids).logits).abs().max().item()


# The same as transformers


def test_logits_on_tiny_models_of_other_shapes(tmp_path):
    shapes = [{}, {"num_key_value_heads": 6}, {"num_key_value_heads": 1},
              {"tie_word_embeddings": True}, {"head_dim": 8}, {"rms_norm_eps": 0.1},
              {"rope_parameters": {"rope_type": "default", "rope_theta": 50.0}}]  # fmt: skip
    for i, shape in enumerate(shapes):
        other = load_decoder(save_tiny_decoder(tmp_path / f"tiny-{i}", **shape), "cpu")
        assert difference(ids_of(TEXT, other), other) < 1e-4, shape


def test_logits_of_two_thousand_tokens_and_of_several_texts(tiny):
    long = torch.arange(2000)[None] * 37 % 250
    assert difference(long, tiny) < CLOSE
    assert difference(long[:, :60].reshape(3, 20), tiny) < CLOSE


def test_logits_on_odd_strings(tiny):
    for text in odd_strings():
        assert difference(ids_of(text, tiny), tiny) < CLOSE, text


@pytest.mark.parametrize("number", range(0, 59, 12))
def test_logits_of_the_books_own_on_poems(decoder, number):
    ids = ids_of(load_poems()["text"][number], decoder)
    assert difference(ids, decoder) < CLOSE


def test_logits_of_the_books_own_on_odd_strings(decoder):
    strings = odd_strings()
    # and those on which a root that divides, or x * sigmoid(x), rounds to the most else
    for text in [*strings[:8], *(strings[i] for i in (23, 68, 103, 128, 174))]:
        assert difference(ids_of(text, decoder), decoder) < CLOSE, text


class Double:
    """Torch, for a module that computes some parts in float32 whatever it is given."""

    float32 = float = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


@pytest.fixture
def double(decoder, monkeypatch):
    """Return the book's own with all of transformers' arithmetic in float64."""
    monkeypatch.setattr(modeling_llama, "torch", Double())
    model = deepcopy(decoder.model).double()
    exponents = torch.arange(0, 64, 2, dtype=torch.float64) / 64
    model.model.rotary_emb.inv_freq = model.config.rope_parameters["rope_theta"] ** -exponents
    torch.set_default_dtype(torch.float64)
    yield decoder._replace(model=model)
    torch.set_default_dtype(torch.float32)


def test_without_rounding_the_logits_are_the_same_on_odd_strings(double):
    for text in (odd_strings()[i] for i in (3, 23, 128, 174)):
        assert difference(ids_of(text, double), double) < 1e-9, text
    with patch.object(llama, "silu", lambda x: x * torch.sigmoid(1.000001 * x)):
        assert difference(ids_of(TEXT, double), double) > 1e-9


@torch.inference_mode()
def test_with_a_cache_it_is_the_same(tiny):
    ids = ids_of(TEXT, tiny)
    whole = read(ids, tiny.model)
    for sizes in ([1] * ids.shape[1], [5, 1, ids.shape[1] - 6]):
        cache, parts = {}, []
        for part in ids.split(sizes, dim=1):
            parts.append(read(part, tiny.model, cache))
        assert llama.n_read(cache) == ids.shape[1]
        torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-4, rtol=0)
    assert cache[0][0].shape[1] == tiny.model.config.num_key_value_heads


# Broken twins


def neighbours_turned(x, angles):
    first, second = x[..., ::2], x[..., 1::2]
    cos, sin = angles.cos(), angles.sin()
    turned = torch.stack([first * cos - second * sin, second * cos + first * sin], -1)
    return turned.flatten(-2)


def undivided(query, key, value, mask):
    scores = (query @ key.transpose(-2, -1)).masked_fill(~mask, -torch.inf)
    return scores.softmax(-1) @ value, None


def swapped(x, mlp):
    up = llama.silu(llama.project(x, mlp.up_proj)) * llama.project(x, mlp.gate_proj)
    return llama.project(up, mlp.down_proj)


TWINS = {
    "pairs of neighbours": ("rotate", neighbours_turned),
    "no rotary positions": ("rotate", lambda x, angles: x),
    "not divided": ("scaled_dot_product_attention", undivided),
    "heads tiled": ("share_heads", lambda x, n: x.repeat(1, n // x.shape[1], 1, 1)),
    "gate and up swapped": ("feed_forward", swapped),
    "mask one ahead": ("causal_mask", lambda n: torch.ones(n, n).tril(1).bool()),
    "no norm's weight": ("rms_norm", lambda x, norm: torch.nn.functional.rms_norm(
        x, x.shape[-1:], eps=norm.variance_epsilon)),
}  # fmt: skip


@pytest.mark.parametrize("twin", TWINS)
@torch.inference_mode()
def test_a_broken_twin_is_found(tiny, twin):
    ids = ids_of(TEXT, tiny)
    name, broken = TWINS[twin]
    with patch.object(llama, name, broken):
        assert difference(ids, tiny) > 100 * CLOSE


@torch.inference_mode()
def test_positions_from_one_change_nothing_since_only_distances_count(tiny):
    ids, angles = ids_of(TEXT, tiny), llama.rotary_angles
    with patch.object(llama, "rotary_angles", lambda p, d, base: angles(p + 1, d, base)):
        assert difference(ids, tiny) < CLOSE
    with patch.object(llama, "rotary_angles", lambda p, d, base: angles(2 * p, d, base)):
        assert difference(ids, tiny) > 100 * CLOSE


def test_tokens_may_be_on_another_device_than_the_model(tiny):
    """The device "meta" stands for a GPU: it computes nothing, but refuses other devices."""
    elsewhere = deepcopy(tiny.model).to("meta")

    def attend(*args):
        return torch.nn.functional.scaled_dot_product_attention(*args), None

    cache = {}
    with patch.object(llama, "scaled_dot_product_attention", attend):  # ours looks at values
        for ids in torch.tensor([[1, 2, 3, 4]]).split([3, 1], dim=1):
            logits = read(ids, elsewhere, cache)
            assert logits.device.type == "meta"
            assert logits.shape[:2] == ids.shape
    assert llama.n_read(cache) == 4
    assert write(ids, tiny.model, 2).device.type == "cpu"


# Refused


@pytest.mark.parametrize("kind", ["gpt2", "mistral"])
def test_another_model_is_refused_in_one_sentence(tmp_path, kind):
    other = load_decoder(save_tiny_decoder(tmp_path / kind, kind), "cpu")
    with pytest.raises(TypeError, match=r"this rebuilds a Llama .* choose such a checkpoint"):
        read(torch.tensor([[1, 2]]), other.model)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
     ({"attention_bias": True}, "attention_bias is True"),
     ({"mlp_bias": True}, "mlp_bias is True"),
     ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}},
      "rope_type is 'linear'")],
)  # fmt: skip
def test_a_llama_with_other_parts_is_refused(tmp_path, settings, said):
    other = load_decoder(save_tiny_decoder(tmp_path / "other", **settings), "cpu")
    with pytest.raises(TypeError, match=f"not the one rebuilt here: .*{said}"):
        read(torch.tensor([[1, 2]]), other.model)


CHANGES = {
    "training mode": (lambda model: model.train(), "it is in training mode: call model.eval"),
    "bfloat16": (lambda model: model.bfloat16(), "it computes in torch.bfloat16: call model."),
    "float16": (lambda model: model.half(), "it computes in torch.float16"),
    "a bias": (
        lambda model: setattr(model, "lm_head", torch.nn.Linear(24, 9)), "lm_head has a bias"
    ),
    "a hook": (
        lambda model: model.model.layers[1].mlp.register_forward_hook(lambda *_: None),
        "model.layers.1.mlp has a hook",
    ),
    "another activation": (
        lambda model: setattr(model.model.layers[2].mlp, "act_fn", torch.nn.Tanh()),
        "parts of another kind: Tanh as act_fn",
    ),
}


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=CHANGES)
def test_a_llama_that_was_changed_is_refused(tmp_path, change, said):
    other = load_decoder(save_tiny_decoder(tmp_path / "other", attention_dropout=0.5), "cpu")
    other.model(torch.tensor([[1, 2]]), output_hidden_states=True)  # keeps hooks of its own
    read(torch.tensor([[1, 2]]), other.model)
    change(other.model)
    with pytest.raises(TypeError, match=f"not the one rebuilt here: .*{said}"):
        read(torch.tensor([[1, 2]]), other.model)


def test_in_double_precision_it_is_the_same_to_the_rounding_of_single(tiny):
    other = tiny._replace(model=deepcopy(tiny.model).double())
    ids = ids_of(TEXT, other)
    with torch.inference_mode():
        assert read(ids, other.model).dtype == torch.float64
    assert difference(ids, other) < 1e-4


def test_nothing_and_too_much_to_read_are_refused(tiny):
    with pytest.raises(ValueError, match="nothing to read"):
        read(torch.zeros(1, 0, dtype=torch.long), tiny.model)
    with pytest.raises(ValueError, match="4097 tokens, but the model has 4096 positions"):
        read(torch.zeros(1, 4097, dtype=torch.long), tiny.model)


# Writing

LOGITS = torch.log(torch.tensor([[0.1, 0.4, 0.2, 0.3], [0.7, 0.1, 0.1, 0.1]])) - 5


@pytest.mark.parametrize(
    ("how", "wanted"),
    [({}, [0.1, 0.4, 0.2, 0.3]), ({"temperature": 0}, [0, 1, 0, 0]),
     ({"top_k": 2}, [0, 4 / 7, 0, 3 / 7]), ({"top_k": 1}, [0, 1, 0, 0]),
     ({"top_p": 0.39}, [0, 1, 0, 0]), ({"top_p": 0.41}, [0, 4 / 7, 0, 3 / 7]),
     ({"top_p": 0.95}, [0.1, 0.4, 0.2, 0.3]),
     ({"top_k": 3, "top_p": 0.65}, [0, 4 / 7, 0, 3 / 7]),
     ({"temperature": 0.5}, [1 / 30, 16 / 30, 4 / 30, 9 / 30])],
)  # fmt: skip
def test_probabilities_to_draw_from(how, wanted):
    found = next_probabilities(LOGITS, **how)
    wanted = torch.tensor(wanted, dtype=torch.float32)
    torch.testing.assert_close(found[0], wanted, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.sum(-1), torch.ones(2))


@pytest.mark.parametrize("how", [{"temperature": -1}, {"top_k": 0}, {"top_p": 0}])
def test_settings_that_leave_nothing_are_refused(how):
    with pytest.raises(ValueError, match="the others leave at least one token"):
        next_probabilities(LOGITS, **how)


@torch.inference_mode()
def test_greedy_writing_takes_the_likeliest_each_time(tiny):
    ids = ids_of("the wind", tiny)
    ours = write(ids, tiny.model, 20, temperature=0)
    for token in ours[0]:
        best = tiny.model(ids).logits[0, -1].argmax()  # transformers', without a cache
        assert token == best
        ids = torch.cat([ids, best[None, None]], dim=1)
    assert len(set(ours[0].tolist())) > 3


@torch.inference_mode()
def test_drawn_tokens_follow_the_probabilities_and_the_seed(tiny):
    ids = ids_of("the", tiny).repeat(4000, 1)
    drawn = write(ids, tiny.model, 1, seed=3, temperature=0.2)[:, 0]
    assert torch.equal(drawn, write(ids, tiny.model, 1, seed=3, temperature=0.2)[:, 0])
    shares = drawn.bincount(minlength=len(tiny.tokenizer)) / len(drawn)
    wanted = next_probabilities(read(ids[:1], tiny.model)[:, -1], temperature=0.2)[0]
    assert wanted.max() > 0.05  # so that even draws would be far off
    assert (shares - wanted).abs().max() < 0.03

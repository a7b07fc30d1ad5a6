"""Loading an encoder: the published weights, on a device that is there, or a clear no."""

import builtins
import inspect
import io
import math
import runpy
import warnings
from importlib import import_module
from pathlib import Path

import matplotlib
import pytest
import torch

import layerwise
from layerwise.checkpoints import DEFAULT_CHECKPOINT
from layerwise.embedding import embed_layers
from layerwise.models import (
    Encoder,
    context_window,
    load_encoder,
    pick_device,
)

BERT = "google-bert/bert-base-uncased"
PACKAGE = Path(layerwise.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("[a-z]*.py")
)
for module in MODULES:  # now, or what they import would open its own files within a test
    import_module(f"layerwise.{module}")


@pytest.fixture(autouse=True)
def no_choice_from_outside(monkeypatch):
    for name in ("LAYERWISE_ENCODER", "LAYERWISE_DEVICE"):
        monkeypatch.delenv(name, raising=False)


def test_an_encoder_is_ready_to_use(encoder):
    assert isinstance(encoder, Encoder)
    assert encoder.tokenizer.is_fast
    assert not encoder.model.training
    assert encoder.model.device == encoder.device == torch.device("cpu")
    assert encoder.model.dtype == torch.float32
    assert encoder.model.config._attn_implementation == "eager"


def test_an_encoder_carries_the_checkpoints_name_and_no_folder(encoder):
    assert encoder.tokenizer.name_or_path == encoder.model.name_or_path == DEFAULT_CHECKPOINT


def test_the_context_window_is_the_smaller_of_the_tokenizers_and_the_models(
    encoder, monkeypatch
):
    assert context_window(encoder) == 512
    monkeypatch.setattr(encoder.tokenizer, "model_max_length", int(1e30))
    assert context_window(encoder) == 512
    monkeypatch.setattr(encoder.tokenizer, "model_max_length", 128)
    assert context_window(encoder) == 128
    monkeypatch.setattr(encoder.model.config, "max_position_embeddings", 127)
    assert context_window(encoder) == 127


@pytest.mark.parametrize("absurd", [-1, 0, 10**9, int(1e30)])
def test_a_limit_that_is_none_does_not_count(encoder, monkeypatch, absurd):
    monkeypatch.setattr(encoder.model.config, "max_position_embeddings", absurd)
    assert context_window(encoder) == 512
    monkeypatch.setattr(encoder.tokenizer, "model_max_length", absurd)
    assert context_window(encoder) == math.inf


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
    monkeypatch.setenv("LAYERWISE_ENCODER", "no such model")
    with pytest.raises(ValueError, match="unknown checkpoint 'no such model'"):
        load_encoder()
    monkeypatch.delenv("LAYERWISE_ENCODER")
    monkeypatch.setenv("LAYERWISE_DEVICE", "gpu")
    named = "'gpu', from the environment variable LAYERWISE_DEVICE,"
    with pytest.raises(ValueError, match=f"unknown device {named}: use"):
        load_encoder()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("LAYERWISE_DEVICE", "cuda")
    named = "'cuda', from the environment variable LAYERWISE_DEVICE,"
    with pytest.raises(RuntimeError, match=f"device {named} was asked for, but"):
        load_encoder()


def test_an_unknown_device_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'tpu': use 'auto', 'cpu', 'cuda' or 'mps'"):
        load_encoder(device="tpu")


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_an_absent_device_is_refused_with_what_to_use_instead(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match=f"'{device}' was asked for.*use 'cpu'"):
        load_encoder(device=device)


def test_one_of_several_devices_can_be_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    assert pick_device("cuda") == torch.device("cuda")
    with pytest.raises(RuntimeError, match="'cuda:2' was asked for"):
        pick_device("cuda:2")
    for name in ("cuda:", "cuda:x", "cpu:x"):
        with pytest.raises(ValueError, match=f"unknown device '{name}'"):
            pick_device(name)
    with pytest.raises(RuntimeError, match="'cpu:1' was asked for"):
        pick_device("cpu:1")


def test_torchs_own_devices_and_dtypes_will_do():
    other = load_encoder(device=torch.device("cpu"), dtype=torch.bfloat16)
    assert other.device == torch.device("cpu")
    assert other.model.dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", ["float16", torch.float64])
def test_an_unknown_dtype_is_refused_with_the_known_ones(dtype):
    with pytest.raises(ValueError, match=f"dtype {dtype!r}: use 'float32' or 'bfloat16'"):
        load_encoder(dtype=dtype)


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
    runpy.run_path(PACKAGE / f"{module.replace('.', '/')}.py")
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


def test_loading_and_embedding_warn_of_nothing(lines):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        embed_layers(lines, load_encoder(device="cpu"))
    assert [str(warning.message) for warning in caught] == []

"""What every test may ask for: the real encoder, a tiny random one, and lines to read."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch
from filelock import FileLock
from hypothesis import settings
from transformers import BertConfig, BertModel

from layerwise.decoders import Decoder, load_decoder
from layerwise.models import Encoder, load_encoder
from layerwise.texts.poems import load_poems

# Examples are the same in every run, and no example fails for being slow.
settings.register_profile(
    "layerwise", deadline=None, derandomize=True, database=None, max_examples=50
)
settings.load_profile("layerwise")

# A shell ignores Ctrl+C for what it runs in the background, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The tensors here are small: a second thread would wait more than it works.
torch.set_num_threads(1)

# What takes minutes, the longest first: begun last, it would keep one process at work alone.
LONG = [
    "test_downloads", "test_pages", "test_explorer_elements", "test_engines", "test_changes",
    "test_explorer_states", "test_explorer_model", "test_failures", "test_course",
    "test_report_surprisal", "test_report", "test_wires_chapter", "test_vectors_chapter",
    "test_classroom", "test_use",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; within each, the order is as it is written."""
    place = {name: i for i, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))


LINES = [
    "Because I could not stop for Death, He kindly stopped for me;",
    "I'm nobody! Who are you?",
    "Hope is the thing with feathers That perches in the soul, "
    "And sings the tune without the words, And never stops at all,",
    "Success is counted sweetest By those who ne'er succeed.",
    "I never saw a moor,",
    "A bird came down the walk: He did not know I saw; "
    "He bit an angle-worm in halves And ate the fellow, raw.",
    "There's a certain slant of light, On winter afternoons,",
    "The bustle in a house The morning after death "
    "Is solemnest of industries Enacted upon earth,",
    "I heard a fly buzz when I died;",
    "Wild nights! Wild nights!",
    "The soul selects her own society,",
]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Return a function that makes a folder once for all processes of a run; only to be read.

    Called with its name and with what makes it, it returns the folder: whichever process asks
    first makes it, and others that ask wait.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # what a failure has left
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def lines() -> list[str]:
    """Return lines of different lengths, in no order of length."""
    return LINES


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """Return the book's default model."""
    return load_encoder("sentence-transformers/all-MiniLM-L6-v2", device="cpu")


@pytest.fixture(scope="session")
def decoder() -> Decoder:
    """Return the book's model that writes."""
    return load_decoder("SmolLM2-135M-Instruct.Q4_1", device="cpu")


@pytest.fixture(scope="session")
def tiny_encoder(encoder) -> Encoder:
    """Return a BERT of 2 layers with 4 heads, in which no weight and no bias is trivial."""
    config = BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
    )
    config._attn_implementation = "eager"
    model = BertModel(config).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data.normal_(std=0.4, generator=generator)
    return Encoder(encoder.tokenizer, model, torch.device("cpu"))


@pytest.fixture(scope="session")
def small_model(tiny_encoder, tmp_path_factory):
    """A folder with a model of two layers: what is tested is the way through it."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_encoder.model.save_pretrained(folder)
    tiny_encoder.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def poems_report(made_once) -> Path:
    """The report on the 59 poems by the book's own model, made as a reader makes it.

    Beside it lie ``output.txt`` and ``errors.txt``: what the command said.
    """

    def make(folder: Path) -> None:
        folder.mkdir()
        load_poems().to_csv(folder / "poems.csv", index=False)
        command = [sys.executable, "-m", "layerwise", "report", "poems.csv", "--text", "text"]
        command += ["--label", "theme", "--title", "first_line", "--device", "cpu"]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        (folder / "output.txt").write_text(ran.stdout, "utf-8")
        (folder / "errors.txt").write_text(ran.stderr, "utf-8")

    return made_once("report-on-poems", make) / "poems-report"


@pytest.fixture
def connections(monkeypatch, tmp_path) -> list:
    """Give this test an empty cache, and refuse and count its connections."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    asked = []

    def refuse(address, *args, **kwargs):
        asked.append(address)
        raise ConnectionRefusedError("no network in a test")

    monkeypatch.setattr(socket, "create_connection", refuse)
    return asked

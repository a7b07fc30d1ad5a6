"""Load an encoder: the one function that loads one of the known checkpoints.

Chapter: *Large Language Models: An Introduction*, "Where models come from".
"""

import hashlib
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub
import torch
import transformers
from huggingface_hub.errors import LocalEntryNotFoundError
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from layerwise.checkpoints import CHECKPOINTS, DEFAULT_CHECKPOINT, Checkpoint

MODEL_FILES = ["config.json", "model.safetensors", "tokenizer*.json", "vocab.txt"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Encoder(NamedTuple):
    """A tokenizer and the model it belongs to, on one device.

    Build one yourself to use :func:`layerwise.embedding.embed_layers` with a model that is
    not in the book: ``Encoder(tokenizer, model.eval(), torch.device("cpu"))``.
    """

    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel
    device: torch.device


def find_checkpoint(name: str | None = None) -> Checkpoint:
    """Look a checkpoint up in the list of known ones.

    Parameters
    ----------
    name : str, optional
        A name in ``CHECKPOINTS``. Left out, it is the value of the environment variable
        ``LAYERWISE_CHECKPOINT`` (set by ``nox -s book -- --model NAME``), or else
        ``DEFAULT_CHECKPOINT``.

    Raises
    ------
    ValueError
        If the name is not in the list.
    """
    name = name or os.environ.get("LAYERWISE_CHECKPOINT") or DEFAULT_CHECKPOINT
    if name not in CHECKPOINTS:
        known = ", ".join(repr(known_name) for known_name in CHECKPOINTS)
        raise ValueError(
            f"unknown checkpoint {name!r}: this book knows {known}. For any other model, load "
            "it with transformers and pass Encoder(tokenizer, model, device) to embed_layers."
        )
    return CHECKPOINTS[name]


def pick_device(name: str = "auto") -> torch.device:
    """Turn a device's name into a device that is there.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}
        "auto" is the value of the environment variable ``LAYERWISE_DEVICE`` if it is set,
        or else the first of CUDA, MPS and CPU that this machine has.

    Raises
    ------
    ValueError
        If the name is none of these.
    RuntimeError
        If this machine has no such device.
    """
    asked = repr(name)
    if name == "auto" and os.environ.get("LAYERWISE_DEVICE"):
        name = os.environ["LAYERWISE_DEVICE"]
        asked = f"{name!r}, from the environment variable LAYERWISE_DEVICE,"
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, is_there in available.items() if is_there)
    if name not in available:
        raise ValueError(f"unknown device {asked}: use 'auto', 'cpu', 'cuda' or 'mps'")
    if not available[name]:
        raise RuntimeError(
            f"device {asked} was asked for, but torch {torch.__version__} finds none on this "
            "machine; use 'cpu', or 'auto' for the best there is"
        )
    return torch.device(name)


def fetch_checkpoint(checkpoint: Checkpoint) -> Path:
    """Return the folder that holds a checkpoint's files, downloading them if need be.

    Raises
    ------
    OSError
        If the files are not on this machine and the hub cannot be reached.
    """
    if checkpoint.folder is not None:
        return checkpoint.folder
    pinned: dict[str, Any] = {"repo_id": checkpoint.name, "revision": checkpoint.revision}
    try:
        # Where the hub cannot be reached this fails at once; a download retries for long.
        huggingface_hub.model_info(**pinned, timeout=10)
        return Path(huggingface_hub.snapshot_download(**pinned, allow_patterns=MODEL_FILES))
    except Exception as error:  # whatever keeps the hub from answering: many types, no base
        hub_error = error
    try:
        return Path(huggingface_hub.snapshot_download(**pinned, local_files_only=True))
    except LocalEntryNotFoundError:
        raise OSError(
            f"checkpoint {checkpoint.name!r} is not on this machine and the Hugging Face hub "
            f"cannot be reached ({type(hub_error).__name__}). Connect once to download it, or "
            f"use the default {DEFAULT_CHECKPOINT!r}, which needs no network."
        ) from hub_error


def sha256_of_file(path: Path) -> str:
    """Return a file's SHA-256 as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_weights(checkpoint: Checkpoint, folder: Path) -> None:
    """Check that the weights in a folder are the published ones, bit for bit.

    Raises
    ------
    ValueError
        If the weights are missing, damaged or another version's.
    """
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ValueError(f"{weights} is missing: install the package or checkpoint again")
    digest = sha256_of_file(weights)
    if digest != checkpoint.weights_sha256:
        raise ValueError(
            f"{weights} is not the published weights of {checkpoint.name!r}: its SHA-256 is "
            f"{digest}, not {checkpoint.weights_sha256}. Install the package or checkpoint "
            "again."
        )


def load_encoder(
    checkpoint: str | None = None, device: str = "auto", dtype: str = "float32"
) -> Encoder:
    """Load a tokenizer and its model, ready to use.

    The weights are verified, and the model is on its device and in evaluation mode. Attention
    is computed the plain way ("eager"), so that the model can return its weights.

    Parameters
    ----------
    checkpoint : str, optional
        One of ``CHECKPOINTS``; the book's default is inside a pip package.
    device : {"auto", "cpu", "cuda", "mps"}
        See :func:`pick_device`.
    dtype : {"float32", "bfloat16"}
        The numbers the model computes with. bfloat16 is faster on processors made for
        it (1.9 times where there is AVX-512 BF16 but no AMX), and keeps two to three
        significant digits: cosines between poems change by up to 0.004.

    Returns
    -------
    Encoder
        ``tokenizer, model, device``.

    Raises
    ------
    ValueError
        If the checkpoint, device or dtype is unknown, or the weights are damaged.
    RuntimeError
        If this machine has no such device.
    OSError
        If the checkpoint must be downloaded and the hub cannot be reached.
    """
    if dtype not in DTYPES:
        raise ValueError(f"unknown dtype {dtype!r}: use 'float32' or 'bfloat16'")
    chosen = find_checkpoint(checkpoint)
    torch_device = pick_device(device)
    folder = fetch_checkpoint(chosen)
    verify_weights(chosen, folder)
    transformers.utils.logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(
        folder, dtype=DTYPES[dtype], attn_implementation="eager", use_safetensors=True
    )
    # A folder of this machine means nothing to a reader.
    tokenizer.name_or_path = model.name_or_path = chosen.name
    return Encoder(tokenizer, model.to(torch_device).eval(), torch_device)


def context_window(encoder: Encoder) -> int:
    """Return how many tokens the model can read at once, special tokens included.

    A tokenizer may say an absurdly large number, and a model is trained on a number of
    positions, unless it has none: the smaller of the two holds.
    """
    trained_on = getattr(encoder.model.config, "max_position_embeddings", math.inf)
    return min(encoder.tokenizer.model_max_length, trained_on)

"""What it takes to have the same numbers again: versions, digests of files and models."""

import hashlib
import math
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import torch

from layerwise.checkpoints import digests, fetch_checkpoint, find_checkpoint, sha256_of_file
from layerwise.models import Encoder, context_window


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of libraries that decide on a number."""
    return {"Python": platform.python_version(), **{name: version(name) for name in libraries}}


def digest_of_path(path: Path) -> str:
    """Return the SHA-256 of a file; of a folder, that of its files' names and digests."""
    if path.is_file():
        return sha256_of_file(path)
    digest = hashlib.sha256()
    for file in sorted(x for x in path.rglob("*") if x.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()} {sha256_of_file(file)}\n".encode())
    return digest.hexdigest()


def describe_model(name: str | None, encoder: Encoder, n_layers: int, n_dims: int) -> dict:
    """Return what a reader must know of a model to use the same one.

    Parameters
    ----------
    name : str, optional
        What :func:`layerwise.models.load_encoder` was given.
    """
    checkpoint = find_checkpoint(name)
    window = context_window(encoder)
    return {
        "type": encoder.model.config.model_type,
        "n_layers": n_layers,
        "n_dims": n_dims,
        "window": int(window) if window < math.inf else None,
        "device": torch.device(encoder.device).type,
        "dtype": str(encoder.model.dtype).removeprefix("torch."),
        "revision": checkpoint.revision,
        "is_pinned": bool(checkpoint.files),
        "sha256": digests(fetch_checkpoint(checkpoint)),
    }

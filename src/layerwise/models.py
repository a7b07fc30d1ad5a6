"""Load an encoder: one of the book's own, or any other, by name or from a folder.

Chapter: ``chapters/tokens.md``, "Where models come from".
"""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from torch import Tensor
from transformers import (
    MODEL_FOR_TEXT_ENCODING_MAPPING,
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from layerwise.checkpoints import (
    Checkpoint,
    fetch_checkpoint,
    find_checkpoint,
    missing_parts,
    verify,
)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Encoder(NamedTuple):
    """A tokenizer and the model it belongs to, on one device.

    Build one yourself to use :func:`layerwise.embedding.embed_layers` with a model that you
    have loaded or changed: ``Encoder(tokenizer, model.eval(), "cpu")``.
    """

    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel
    device: torch.device | str


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """Turn a device's name into a device that is there.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}, or one of several such as "cuda:1"
        "auto" is the value of the environment variable ``LAYERWISE_DEVICE`` if it is set,
        or else the first of CUDA, MPS and CPU that this machine has.

    Raises
    ------
    ValueError
        If the name is none of these.
    RuntimeError
        If this machine has no such device.
    """
    name = str(name)
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
    kind, colon, number = name.partition(":")
    if kind not in available or (colon and not number.isdecimal()):
        raise ValueError(f"unknown device {asked}: use 'auto', 'cpu', 'cuda' or 'mps'")
    how_many = torch.cuda.device_count() if kind == "cuda" and number else 1
    if not available[kind] or int(number or 0) >= how_many:
        raise RuntimeError(
            f"device {asked} was asked for, but torch {torch.__version__} finds none on this "
            "machine; use 'cpu', or 'auto' for the best there is"
        )
    return torch.device(name)


def check_folder(name: str, folder: Path) -> None:
    """Check that a folder holds a whole checkpoint that is only numbers, no program.

    Raises
    ------
    ValueError
        If a part is missing, its weights could run a program, or it needs one of its own.
    """
    missing = missing_parts(folder)
    if "model.safetensors" in missing and any(folder.glob("*.bin")):
        raise ValueError(
            f"checkpoint {name!r} has its weights in a .bin file, which can run a program when "
            "it is loaded: save it as safetensors, with model.save_pretrained(folder)"
        )
    if missing:
        raise ValueError(
            f"checkpoint {name!r} is not whole: {folder} lacks {', '.join(missing)}; save both "
            "model and tokenizer there, with save_pretrained(folder)"
        )
    for file in [folder / "config.json", folder / "tokenizer_config.json"]:
        try:
            settings = json.loads(file.read_text("utf-8")) if file.is_file() else {}
            brings_code = "auto_map" in settings
        except (ValueError, TypeError):
            raise ValueError(f"{file} is damaged: fetch the checkpoint again") from None
        if brings_code:
            raise ValueError(
                f"checkpoint {name!r} brings a program of its own ({file.name} has an "
                "auto_map), which this book does not run: use one of a kind that transformers "
                "knows"
            )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from reporting: what matters is checked here."""
    level = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.utils.logging.set_verbosity(level)


def read_folder(folder: Path, dtype: torch.dtype) -> tuple:
    """Make the tokenizer and the model that a folder describes.

    Returns
    -------
    tokenizer, model

    Raises
    ------
    ValueError
        If files and model do not have the same weights: some would be random, or not used.
    """
    config = AutoConfig.from_pretrained(folder)
    options = {"attn_implementation": "eager", "use_safetensors": True, "dtype": dtype}
    if hasattr(config, "attention_type"):
        # BigBird's sparse attention depends on a batch's length, and on the batches before it.
        options["attention_type"] = "original_full"
    # The encoder of a T5 is published alone, too.
    alone: Any = MODEL_FOR_TEXT_ENCODING_MAPPING.get(type(config), AutoModel)
    kind = alone if config.architectures == [alone.__name__] else AutoModel
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, info = kind.from_pretrained(folder, output_loading_info=True, **options)
    # A pooler comes after the last layer, as does a head, which AutoModel leaves behind.
    missing = [name for name in info["missing_keys"] if "pooler" not in name]
    inner = {f"{prefix}{name}" for name, _ in model.named_modules() if name
             for prefix in ("", f"{model.base_model_prefix}.")}  # fmt: skip
    left = [name for name in info["unexpected_keys"]
            if name.endswith(".weight") and name.rsplit(".", 2)[0] in inner]  # fmt: skip
    if missing or left:
        raise ValueError(
            f"its weights are those of another kind of model than {type(model).__name__}: "
            + (f"{len(missing)} are missing, such as {missing[0]}" if missing else "")
            + (", and " if missing and left else "")
            + (f"{len(left)} have no place in it, such as {left[0]}" if left else "")
        )
    return tokenizer, model.eval()


def read_named(name: str, folder: Path, read: Callable[[Path], tuple]) -> tuple:
    """Make a checkpoint's tokenizer and model by ``read``, or say in a line why that fails."""
    with quiet():
        try:
            tokenizer, model = read(folder)
        except Exception as error:  # each part of transformers raises its own
            reason = str(error).strip().splitlines()[0]
            raise ValueError(
                f"checkpoint {name!r} cannot be loaded from {folder}: {reason}"
            ) from error
    # A folder of this machine means nothing to a reader.
    tokenizer.name_or_path = model.name_or_path = name
    return tokenizer, model


def has_decoder(model: PreTrainedModel) -> bool:
    """Tell whether a model has a decoder behind its encoder, which needs a text of its own."""
    parts = (name.rpartition(".")[2] for name, _ in model.named_modules())
    return model.config.is_encoder_decoder and "decoder" in parts


def run_every_layer(batch: Mapping[str, Tensor], encoder: Encoder) -> tuple[Tensor, ...]:
    """Run the model on one batch, keeping every layer.

    Returns
    -------
    tuple of n_layers + 1 Tensors of shape (n_texts, n_tokens, n_dims)

    Raises
    ------
    TypeError
        If the model has not one vector for each token in each layer.
    """
    model = encoder.model
    with torch.inference_mode():
        hidden_states = model(**batch, output_hidden_states=True).hidden_states
    shapes = {tuple(layer.shape) for layer in hidden_states or [torch.empty(0)]}
    if len(shapes) != 1 or min(shapes)[:2] != batch["input_ids"].shape:
        raise TypeError(
            f"{type(model).__name__} does not keep one vector for each token in each layer "
            f"(its layers have the shapes {sorted(shapes)} for {batch['input_ids'].shape[1]} "
            "tokens), so its layers cannot be compared"
        )
    return hidden_states


def check_is_encoder(name: str, encoder: Encoder) -> None:
    """Check by trying that a model reads tokens, and that its first ones know of its last.

    Raises
    ------
    ValueError
        If the model also has a decoder, is one, or reads something else than tokens.
    """
    kind = type(encoder.model).__name__
    if has_decoder(encoder.model):
        raise ValueError(
            f"checkpoint {name!r} ({kind}) has an encoder and a decoder: this loads an encoder "
            "alone"
        )
    n_tokens = int(min(number_of_tokens(encoder.model), 1000))
    ids = torch.arange(n_tokens - 8, n_tokens, device=encoder.device)[None]  # (1, 8)
    other_end = ids.clone()
    other_end[0, -1] = n_tokens - 9
    try:
        first, second = (
            run_every_layer({"input_ids": x, "attention_mask": torch.ones_like(x)}, encoder)[-1]
            for x in (ids, other_end)
        )
    except Exception as error:  # whatever a model of images or sounds raises
        raise ValueError(
            f"checkpoint {name!r} ({kind}) does not read a text alone: {error}"
        ) from error
    if torch.equal(first[:, :-1], second[:, :-1]):
        raise ValueError(
            f"checkpoint {name!r} ({kind}) is no encoder: as in a decoder, no token sees what "
            "comes after it"
        )


def load_encoder(
    checkpoint: str | Path | None = None,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "float32",
) -> Encoder:
    """Load a tokenizer and its model, ready to use.

    What is pinned is verified, and what is not is said to be unverified. The model is on its
    device and in evaluation mode. Attention is computed the plain way ("eager"), so that the
    model can return its weights.

    Parameters
    ----------
    checkpoint : str or Path, optional
        One of ``CHECKPOINTS``, any name on the Hugging Face hub, or a folder; the book's
        default is inside a pip package.
    device : {"auto", "cpu", "cuda", "mps"}
        See :func:`pick_device`.
    dtype : {"float32", "bfloat16"}
        The numbers the model computes with. bfloat16 is faster on processors made for it, and
        keeps two to three significant digits.

    Returns
    -------
    Encoder
        ``tokenizer, model, device``.

    Raises
    ------
    ValueError
        If the checkpoint, device or dtype is unknown, a pinned file is another one, or the
        checkpoint is not whole, not safe, or no encoder.
    RuntimeError
        If this machine has no such device.
    OSError
        If the checkpoint must be downloaded and the hub does not give it.
    """
    dtype_name = str(dtype).removeprefix("torch.")
    if dtype_name not in DTYPES:
        raise ValueError(f"unknown dtype {dtype!r}: use 'float32' or 'bfloat16'")
    chosen = find_checkpoint(checkpoint)
    if chosen.role == "decoder":
        raise ValueError(f"checkpoint {chosen.name!r} is a decoder: load_decoder loads it")
    torch_device = pick_device(device)
    folder = fetch_checkpoint(chosen)
    unverified = verify(chosen, folder)
    check_folder(chosen.name, folder)
    read = partial(read_folder, dtype=DTYPES[dtype_name])
    tokenizer, model = read_named(chosen.name, folder, read)
    encoder = Encoder(tokenizer, model.to(torch_device), torch_device)
    with quiet():
        check_is_encoder(chosen.name, encoder)
    if unverified:
        print(unverified_note(chosen, unverified))
    return encoder


def unverified_note(checkpoint: Checkpoint, names: list[str]) -> str:
    """Say in one line which files of a checkpoint nobody has vouched for."""
    if checkpoint.files:
        return f"{checkpoint.name}: not pinned, so not verified: {', '.join(names)}"
    return f"{checkpoint.name}: not on this book's list, so not verified"


def context_window(encoder: Encoder) -> float:
    """Return how many tokens the model can read at once, special tokens included.

    The smaller of what the tokenizer and the model say holds; a number that is no limit, such
    as -1 or 10^30, does not count. Infinity if there is none.
    """
    limits = [encoder.tokenizer.model_max_length, number_of_positions(encoder.model)]
    return min((limit for limit in limits if limit and 0 < limit < 10**9), default=math.inf)


def number_of_tokens(model: PreTrainedModel) -> float:
    """Return how many tokens a model has a vector for; infinity if it has no table of them."""
    try:
        table: Any = model.get_input_embeddings()
        return len(table.weight)
    except (NotImplementedError, AttributeError):
        return math.inf


def number_of_positions(model: PreTrainedModel) -> int | None:
    """Return how many positions a model has for tokens, or what its configuration says.

    A RoBERTa and its kin count positions from the one after that of padding.
    """
    for name, table in model.named_modules():
        first_unused = getattr(table, "padding_idx", None)
        if name.endswith("position_embeddings") and first_unused is not None:
            return table.weight.shape[0] - first_unused - 1
    return getattr(model.config, "max_position_embeddings", None)

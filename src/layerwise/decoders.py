"""Load a decoder, a model that writes: the book's own, or another, by name or from a folder.

Chapter: ``chapters/writing.md``, "Where its weights come from".
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from layerwise.checkpoints import fetch_checkpoint, find_checkpoint, verify
from layerwise.gguf_files import find_gguf, unpack_once
from layerwise.models import check_folder, pick_device, read_named, unverified_note

# Models built as a Llama is, or as a GPT-2: a vector for each token, layers of attention and a
# feed-forward network around it, each added to its input.
KINDS = ("llama", "mistral", "qwen2", "gpt2")


class Decoder(NamedTuple):
    """A tokenizer and the model that writes with it, on one device.

    ``model`` returns logits, the next token's scores, of shape (n_texts, n_tokens, n_pieces).
    """

    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel
    device: torch.device | str


def load_decoder(
    checkpoint: str | Path | None = None, device: str | torch.device = "auto"
) -> Decoder:
    """Load a tokenizer and a model that writes, in float32 and ready to use.

    What is pinned is verified, and what is not is said to be unverified. Attention is computed
    the plain way ("eager"), so that the model can return its weights.

    Parameters
    ----------
    checkpoint : str or Path, optional
        One of ``CHECKPOINTS``, any name on the Hugging Face hub, or a folder. Left out, it is
        the value of ``LAYERWISE_DECODER``, or else the book's, which is inside a pip package
        and is read once into a cache folder; ``LAYERWISE_CACHE`` moves that.
    device : {"auto", "cpu", "cuda", "mps"}
        See :func:`layerwise.models.pick_device`.

    Raises
    ------
    ValueError
        If the checkpoint or device is unknown, a pinned file is another one, or the checkpoint
        is not whole, not safe, or built neither as a Llama nor as a GPT-2.
    RuntimeError
        If this machine has no such device.
    OSError
        If the checkpoint is not on this machine and cannot be had, or the cache folder cannot
        be written.
    """
    chosen = find_checkpoint(checkpoint, role="decoder")
    torch_device = pick_device(device)
    folder = fetch_checkpoint(chosen)
    unverified = verify(chosen, folder)
    if packed := find_gguf(folder):
        folder = unpack_once(packed)
    check_folder(chosen.name, folder)
    check_kind(chosen.name, folder)
    tokenizer, model = read_named(chosen.name, folder, read_decoder)
    if unverified:
        print(unverified_note(chosen, unverified))
    return Decoder(tokenizer, model.to(torch_device), torch_device)


def check_kind(name: str, folder: Path) -> None:
    """Check that a checkpoint is one of the kinds of decoder that the book can take apart."""
    kind = json.loads((folder / "config.json").read_text("utf-8")).get("model_type")
    if kind not in KINDS:
        raise ValueError(
            f"checkpoint {name!r} is of the type {kind!r}: a decoder of this book is built as "
            f"a Llama or a GPT-2 ({', '.join(KINDS)})"
        )


def read_decoder(folder: Path) -> tuple:
    """Make the tokenizer and the model that a folder describes.

    Returns
    -------
    tokenizer, model

    Raises
    ------
    ValueError
        If files and model do not have the same weights: some would be random, or not used.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    kind: Any = AutoModelForCausalLM  # whose types promise a model alone
    model, info = kind.from_pretrained(
        folder, attn_implementation="eager", use_safetensors=True, dtype=torch.float32,
        output_loading_info=True,
    )  # fmt: skip
    wrong = {
        "missing": info["missing_keys"],
        "of another shape": info["mismatched_keys"],
        "without a place in it": info["unexpected_keys"],
    }
    said = [f"{len(keys)} {what}, such as {min(map(str, keys))}"
            for what, keys in wrong.items() if keys]  # fmt: skip
    if said:
        raise ValueError(
            f"its weights are not those of a {type(model).__name__}: {'; '.join(said)}"
        )
    return tokenizer, model.eval()

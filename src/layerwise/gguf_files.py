"""Read a Llama from a GGUF file, once, into the files that transformers loads.

A GGUF keeps weights rounded to a few bits, and the rows of queries and keys in another order.
Here both are undone; what rounding has lost stays lost.

Chapter: ``chapters/writing.md``, "Where its weights come from".
Source: the GGUF specification, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from layerwise.checkpoints import sha256_of_file

FORMAT = 1  # raise it when the same file is read in another way: it is read again
DIGESTS = "digests.json"
OUTSIDE = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
IN_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
NORMAL, CONTROL = 1, 3  # kinds of token


def cache_folder() -> Path:
    """Return where large files made once are kept: ``LAYERWISE_CACHE``, or the user's cache."""
    if moved := os.environ.get("LAYERWISE_CACHE"):
        return Path(moved).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("layerwise", appauthor=False))


def find_gguf(folder: Path) -> Path | None:
    """Return the GGUF file of a folder; None if it has other weights, or none.

    Raises
    ------
    ValueError
        If it has several.
    """
    if any(folder.glob("*.safetensors")):
        return None
    found = sorted(folder.glob("*.gguf"))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ValueError(f"{folder} has {len(found)} GGUF files ({names}): leave one there")
    return found[0] if found else None


def unpack_once(file: Path) -> Path:
    """Return a folder with the weights of a GGUF in float32, its settings and its tokenizer.

    It is made when it is asked for first, whole or not at all, and verified by its digests
    whenever it is asked for again; one that is damaged is made again.

    Raises
    ------
    ValueError
        If the file cannot be read here.
    OSError
        If the folder cannot be written.
    """
    digest = sha256_of_file(file)
    place = cache_folder()
    folder = place / f"{file.stem}-{digest[:16]}-{FORMAT}"
    if is_whole(folder):  # first, since a cache that others made may be only readable
        return folder
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / f"{folder.name}.lock"):
            if not is_whole(folder):
                with tempfile.TemporaryDirectory(dir=place, prefix=".making-") as making:
                    unpack(file, Path(making, "model"))
                    shutil.rmtree(folder, ignore_errors=True)
                    Path(making, "model").rename(folder)
    except OSError as error:
        raise OSError(
            f"{place}: the weights of {file.name} are read into this folder once, and it "
            f"cannot be written ({error.strerror or error}): set "
            "LAYERWISE_CACHE to one that can"
        ) from error
    return folder


def is_whole(folder: Path) -> bool:
    """Tell whether a folder was finished, and every file in it is as it was then."""
    try:
        digests = json.loads((folder / DIGESTS).read_text("utf-8"))
        found = {name: sha256_of_file(folder / name) for name in digests}
        return "model.safetensors" in found and found == digests
    except (OSError, ValueError, TypeError):
        return False


def unpack(file: Path, folder: Path) -> None:
    """Write what a GGUF file holds as transformers would save it, and the files' digests."""
    from safetensors.numpy import save_file

    reader, settings = open_gguf(file)
    check_settings(file, settings)
    weights = dict(read_weights(reader, settings))
    folder.mkdir()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    make_config(settings, tied="lm_head.weight" not in weights).save_pretrained(folder)
    make_tokenizer(settings).save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # as the others: a class may share them
    digests = {path.name: sha256_of_file(path) for path in sorted(folder.iterdir())}
    (folder / DIGESTS).write_text(json.dumps(digests, indent=1), "utf-8")


def open_gguf(file: Path) -> tuple[Any, dict[str, Any]]:
    """Return a GGUF's reader, and what it says of itself, by key.

    Raises
    ------
    ImportError
        If the package gguf is not installed.
    ValueError
        If the file is no GGUF, or is damaged.
    """
    try:
        import gguf
    except ImportError as error:
        raise ImportError(
            "a GGUF file is read with the package gguf: pip install 'layerwise[decoder]'"
        ) from error
    try:
        reader = gguf.GGUFReader(file)
        return reader, {name: field.contents() for name, field in reader.fields.items()}
    except Exception as error:  # of many types: whatever the damage leads to
        raise ValueError(f"{file} is no GGUF file, or is damaged: {error}") from error


def check_settings(file: Path, settings: Mapping[str, Any]) -> None:
    """Check that a GGUF holds a model and a tokenizer of the one kind that is read here.

    Raises
    ------
    ValueError
        If not; names all that is of another kind.
    """
    wanted = {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "gpt2",  # byte pairs
        "tokenizer.ggml.pre": "smollm",
    }
    other = [
        f"its {name} is {settings.get(name)!r}, not {ours!r}"
        for name, ours in wanted.items()
        if settings.get(name) != ours
    ]
    if other:
        raise ValueError(
            f"{file.name} cannot be read here: {'; '.join(other)}; save the model as "
            "safetensors, with model.save_pretrained(folder)"
        )


def read_weights(
    reader: Any, settings: Mapping[str, Any]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Give each weight under the name that transformers has for it, as float32."""
    import gguf

    n_heads = {
        "attn_q": settings["llama.attention.head_count"],
        "attn_k": settings["llama.attention.head_count_kv"],
    }
    for tensor in reader.tensors:
        weight = gguf.dequantize(tensor.data, tensor.tensor_type)  # (n_out, n_in) or (n_dims,)
        part, kind = tensor.name.rsplit(".", 1)
        if part in OUTSIDE:
            name = OUTSIDE[part]
        else:
            _, number, part = part.split(".")  # blk.0.attn_q
            name = f"model.layers.{number}.{IN_LAYER[part]}"
        if part in n_heads:
            weight = undo_permutation(weight, n_heads[part])
        yield f"{name}.{kind}", np.ascontiguousarray(weight, dtype=np.float32)


def undo_permutation(weight: np.ndarray, n_heads: int) -> np.ndarray:
    """Put the rows of queries or keys back: first halves of all pairs, then second halves.

    In a GGUF the two numbers of a pair that is rotated together stand beside each other.

    Parameters
    ----------
    weight : array of shape (n_heads * head_dim, n_dims)
    n_heads : int
    """
    n_rows, n_dims = weight.shape
    pairs = weight.reshape(n_heads, n_rows // n_heads // 2, 2, n_dims)
    return pairs.swapaxes(1, 2).reshape(n_rows, n_dims)


def make_config(settings: Mapping[str, Any], tied: bool) -> Any:
    """Return transformers' settings of the model.

    Parameters
    ----------
    settings : mapping
        What the GGUF says of itself.
    tied : bool
        Whether the table of tokens is also what predicts them.
    """
    from transformers import LlamaConfig

    of = {name.removeprefix("llama."): value for name, value in settings.items()}
    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=len(settings["tokenizer.ggml.tokens"]),
        hidden_size=of["embedding_length"],
        intermediate_size=of["feed_forward_length"],
        num_hidden_layers=of["block_count"],
        num_attention_heads=of["attention.head_count"],
        num_key_value_heads=of["attention.head_count_kv"],
        max_position_embeddings=of["context_length"],
        rms_norm_eps=of["attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": of["rope.freq_base"]},
        tie_word_embeddings=tied,
        bos_token_id=settings["tokenizer.ggml.bos_token_id"],
        eos_token_id=settings["tokenizer.ggml.eos_token_id"],
        pad_token_id=settings["tokenizer.ggml.padding_token_id"],
    )


def make_tokenizer(settings: Mapping[str, Any]) -> Any:
    """Return the tokenizer of byte pairs that a GGUF describes, digits each on its own."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens = settings["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in settings["tokenizer.ggml.merges"]]
    backend = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    kinds = settings["tokenizer.ggml.token_type"]
    backend.add_special_tokens(
        [AddedToken(token, special=True, normalized=False)
         for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL]
    )  # fmt: skip
    names = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}
    special = {
        f"{ours}_token": tokens[settings[f"tokenizer.ggml.{theirs}_token_id"]]
        for theirs, ours in names.items()
    }
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        chat_template=settings.get("tokenizer.chat_template"),
        model_max_length=settings["llama.context_length"],
        clean_up_tokenization_spaces=False,
        **special,
    )

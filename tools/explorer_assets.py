"""Make what the in-page explorers read: weights, vocabulary, example lines, drift of the poems.

    python tools/explorer_assets.py --out DIR [--model CHECKPOINT] [--poems FILE] [--lines FILE]

Writes to DIR

- ``manifest.json``: what was made from which weights, with digests and the measured error;
- ``weights.bin``: the matrices as whole numbers of 10 bits (an int8 and two bits), in blocks of
  32 with one fp16 scale a block; vectors and small tables as float32 (left out, and said so, if
  it would be too large for a page);
- ``vocab.txt``: the vocabulary, one piece a line, line n is id n;
- ``examples.json``: some lines with the attention of every layer and head, in full precision;
- ``drift.json``: how far the poems move from layer to layer (left out without poems).

Nothing here is committed: the build makes it again from the installed model.
"""

import argparse
import base64
import copy
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from layerwise.models import find_checkpoint, load_encoder
from tools.explorers.scripts import compile_kernel

FORMAT = 2
BLOCK = 32  # weights that share a scale
# With 8 bits the errors add up: in a text that fills the window, a weight of attention may be
# off by .06. Two bits more cost a fifth of the size and take it to .02.
BITS = 10
LIMIT = 2 ** (BITS - 1) - 1
MAX_WEIGHTS_BYTES = 40_000_000  # more is too much for a phone to fetch for one page
# Public domain: from Poems by Emily Dickinson, Boston 1890, 1891, 1896.
LINES = [
    "Because I could not stop for Death,",
    "Hope is the thing with feathers",
    "I'm nobody! Who are you?",
    "The soul selects her own society,",
    "There's a certain slant of light,",
]
# The error is measured on these and on the first line of every poem there is.
LINES_TO_MEASURE = [
    *LINES,
    "A narrow fellow in the grass",
    "I taste a liquor never brewed,",
    "Success is counted sweetest",
    "Much madness is divinest sense",
    "The heart asks pleasure first,",
    "A wounded deer leaps highest,",
    "The bustle in a house",
]


# ---------------------------------------------------------------- weights


def quantize(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write a matrix as whole numbers, each run of 32 in a row with a scale of its own.

    Parameters
    ----------
    weight : float32 array of shape (n_rows, n_columns)
        n_columns is a multiple of 32.

    Returns
    -------
    values : int16 array of shape (n_rows, n_columns / 32, 32)
        From -511 to 511.
    scales : float16 array of shape (n_rows, n_columns / 32)
        weight is about values * scales.
    """
    blocks = weight.reshape(weight.shape[0], -1, BLOCK)
    scales = (np.abs(blocks).max(axis=2) / LIMIT).astype(np.float16)
    divisors = np.where(scales == 0, 1, scales.astype(np.float32))[..., None]
    values = np.clip(np.rint(blocks / divisors), -LIMIT, LIMIT)
    return values.astype(np.int16), scales


def dequantize(values: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Turn the output of :func:`quantize` back into a float32 matrix."""
    weight = values.astype(np.float32) * scales.astype(np.float32)[..., None]
    return weight.reshape(len(weight), -1)


def parameters_of(model) -> dict[str, np.ndarray]:
    """Take from a model the parameters that hidden states depend on: all but the pooler."""
    return {
        name: parameter.detach().cpu().numpy()
        for name, parameter in model.named_parameters()
        if not name.startswith("pooler.")
    }


def is_rounded(name: str, parameter: np.ndarray) -> bool:
    """Say whether a parameter is written as whole numbers.

    Vectors are not, nor are the small tables of positions and token types, which every token is
    built on.
    """
    small = ("embeddings.position_embeddings", "embeddings.token_type_embeddings")
    return parameter.ndim == 2 and not name.startswith(small)


def weights_size(parameters: dict[str, np.ndarray]) -> int:
    """Return how many bytes :func:`pack_weights` will make, alignment aside."""
    return sum(
        p.size * BITS // 8 + p.size // BLOCK * 2 if is_rounded(name, p) else p.size * 4
        for name, p in parameters.items()
    )


def quantize_all(parameters: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Quantize the parameters that are written as whole numbers."""
    return {name: quantize(p) for name, p in parameters.items() if is_rounded(name, p)}


def lowest_two_bits(values: np.ndarray) -> np.ndarray:
    """Put the lowest two bits of each number into bytes, four numbers a byte, lowest first."""
    low = (values & 3).astype(np.uint8).reshape(-1, 4)
    return low[:, 0] | low[:, 1] << 2 | low[:, 2] << 4 | low[:, 3] << 6


def pack_weights(
    parameters: dict[str, np.ndarray], quantized: dict
) -> tuple[bytes, list[dict]]:
    """Put all parameters in one run of bytes, and say where each one lies.

    Returns
    -------
    data : bytes
    tensors : list of dict
        name, shape, dtype ("float32" or "int10") and offset, in bytes; with int10 also
        scales_offset and low_offset: a number is 4 times the int8 at offset plus the two bits
        at low_offset.
    """
    data, tensors = bytearray(), []

    def append(array: np.ndarray) -> int:
        data.extend(bytes(-len(data) % 4))  # typed arrays must start at a multiple of 4
        offset = len(data)
        data.extend(array.astype(array.dtype.newbyteorder("<")).tobytes())
        return offset

    for name, parameter in parameters.items():
        tensor = {"name": name, "shape": list(parameter.shape)}
        if name in quantized:
            values, scales = quantized[name]
            tensor |= {
                "dtype": "int10",
                "scales_offset": append(scales),
                "low_offset": append(lowest_two_bits(values)),
                "offset": append((values >> 2).astype(np.int8)),
            }
        else:
            tensor |= {"dtype": "float32", "offset": append(parameter)}
        tensors.append(tensor)
    return bytes(data), tensors


def quantized_copy(model, quantized: dict):
    """Return a copy of a model whose matrices were rounded as in ``weights.bin``."""
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for name, parameter in copied.named_parameters():
            if name in quantized:
                parameter.copy_(torch.from_numpy(dequantize(*quantized[name])))
    return copied


# ---------------------------------------------------------------- running the model


def run(line: str, encoder) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Run one line through the encoder.

    Returns
    -------
    input_ids : list of int
    hidden_states : array of shape (n_layers + 1, n_tokens, n_dims)
    attentions : array of shape (n_layers, n_heads, n_tokens, n_tokens)
    """
    window = encoder.model.config.max_position_embeddings
    batch = encoder.tokenizer(
        line, padding=False, truncation=True, max_length=window, return_tensors="pt"
    ).to(encoder.device)
    with torch.inference_mode():
        outputs = encoder.model(**batch, output_hidden_states=True, output_attentions=True)
    return (
        batch["input_ids"][0].tolist(),
        torch.cat(outputs.hidden_states).float().cpu().numpy(),
        torch.cat(outputs.attentions).float().cpu().numpy(),
    )


def measure_error(lines: list[str], encoder, quantized: dict) -> dict:
    """Compare the rounded weights with the model's own, on some lines."""
    rounded = encoder._replace(model=quantized_copy(encoder.model, quantized))
    differences, cosines, same_top = [], [], []
    for line in lines:
        _, hidden, attention = run(line, encoder)
        _, hidden_rounded, attention_rounded = run(line, rounded)
        differences.append(np.abs(attention - attention_rounded).ravel())
        same_top.append((attention.argmax(-1) == attention_rounded.argmax(-1)).ravel())
        a, b = hidden[-1].mean(0), hidden_rounded[-1].mean(0)
        cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    differences = np.concatenate(differences)
    return {
        "n_texts": len(lines),
        "attention_max": round(float(differences.max()), 5),
        "attention_mean": round(float(differences.mean()), 6),
        "pooled_cosine_min": round(float(min(cosines)), 6),
        "same_top_token": round(float(np.concatenate(same_top).mean()), 4),
    }


# ---------------------------------------------------------------- assets


def packed(array: np.ndarray, dtype: str, low: float = 0.0, high: float = 1.0) -> str:
    """Write numbers between low and high as unsigned integers, in base64."""
    limit = np.iinfo(dtype).max
    scaled = np.rint((np.clip(array, low, high) - low) / (high - low) * limit)
    little_endian = np.dtype(dtype).newbyteorder("<")
    return base64.b64encode(scaled.astype(little_endian).tobytes()).decode("ascii")


def make_example(line: str, encoder) -> dict:
    """Describe one line: its pieces, and the attention of every layer and head.

    ``attentions`` has shape (n_layers, n_heads, n_tokens, n_tokens), 65535 is 1.
    """
    input_ids, _, attentions = run(line, encoder)
    return {
        "text": line,
        "input_ids": input_ids,
        "tokens": encoder.tokenizer.convert_ids_to_tokens(input_ids),
        "attentions": packed(attentions, "uint16"),
    }


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of each pair of vectors, along the last axis."""
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def make_drift(poems: pd.DataFrame, encoder) -> dict:
    """Describe how far each poem, and each token in it, moves from layer to layer.

    Arrays are packed as uint16 (cosines, -1 to 1) or uint8 (token movement, 0 to 1):

    - ``comparisons``: what a poem's pooled layer is compared with, each with its values
      (n_layers, n_poems) and with what the explorer says of it: see :func:`comparison`.
    - ``pairs``: (n_layers + 1, n_poems, n_poems), the cosine of two poems in one layer.
    - ``moved``: for each poem (n_layers, n_tokens), 1 - cosine of a token with itself one layer
      earlier.
    """
    pooled, described = [], []
    for poem in poems.itertuples():
        input_ids, hidden, _ = run(poem.text, encoder)
        pooled.append(hidden.mean(axis=1))
        pieces = encoder.tokenizer(
            poem.text, padding=False, truncation=True,
            max_length=encoder.model.config.max_position_embeddings,
            return_offsets_mapping=True,
        )
        described.append(
            {
                "first_line": poem.first_line,
                "title": poem.title if isinstance(poem.title, str) else "",
                "theme": poem.theme,
                "year": int(poem.year),
                "text": poem.text,
                "offsets": [x for span in pieces["offset_mapping"] for x in span],
                "tokens": encoder.tokenizer.convert_ids_to_tokens(input_ids),
                "moved": packed(1 - cosines(hidden[1:], hidden[:-1]), "uint8"),
            }
        )
    pooled = np.stack(pooled, axis=1)  # (n_layers + 1, n_poems, n_dims)
    centred = pooled - pooled.mean(axis=1, keepdims=True)
    # (n_layers, n_poems of the layer, n_poems of layer 0)
    to_static = cosines(pooled[1:, :, None], pooled[0][None, None])
    to_static_centred = cosines(centred[1:, :, None], centred[0][None, None])
    return {
        "n_layers": len(pooled) - 1,
        "poems": described,
        "comparisons": [
            comparison("same", diagonal(to_static)),
            comparison("other", mean_of_others(to_static)),
            comparison("centred", diagonal(to_static_centred)),
            comparison("other_centred", mean_of_others(to_static_centred)),
        ],
        "pairs": packed(cosines(pooled[:, :, None], pooled[:, None]), "uint16", -1),
    }


# name: label, explanation, group (drawn together), dash of its line
COMPARISONS = {
    "same": (
        "the poem itself",
        "Cosine of a poem in this layer with the same poem in layer 0. Read it beside “the other "
        "poems”: most of the fall is common to all.",
        "as they are", "solid",
    ),
    "other": (
        "the other poems (mean)",
        "Cosine of a poem in this layer with the other poems in layer 0, on average: what any "
        "text of this kind would show.",
        "as they are", "dashed",
    ),
    "centred": (
        "the poem itself, centred",
        "The same after subtracting from each layer what all poems share in it: what is left "
        "belongs to this poem.",
        "centred", "solid",
    ),
    "other_centred": (
        "the other poems (mean), centred",
        "The baseline of the centred measure: near zero, since nothing is shared any more.",
        "centred", "dashed",
    ),
}  # fmt: skip


def comparison(name: str, values: np.ndarray) -> dict:
    """Describe one comparison of the poems' layers with layer 0 for the explorer.

    Parameters
    ----------
    name : str
        One of :data:`COMPARISONS`.
    values : array of shape (n_layers, n_poems)
        Cosines.
    """
    label, explained, group, dash = COMPARISONS[name]
    return {
        "name": name,
        "label": label,
        "explained": explained,
        "group": group,
        "dash": dash,
        "values": packed(values, "uint16", -1),
    }


def diagonal(table: np.ndarray) -> np.ndarray:
    """Take table[layer, i, i] for every layer and i."""
    return np.diagonal(table, axis1=1, axis2=2)


def mean_of_others(table: np.ndarray) -> np.ndarray:
    """Average table[layer, i, j] over every j but i."""
    return (table.sum(axis=2) - diagonal(table)) / (table.shape[2] - 1)


def load_poems(path: str | None) -> pd.DataFrame | None:
    """Read the poems: a parquet or JSON file, the book's own, or None if there are none yet."""
    if path is not None:
        return pd.read_parquet(path) if path.endswith(".parquet") else pd.read_json(path)
    try:
        from layerwise.texts.poems import load_poems as load_book_poems

        return load_book_poems()
    except (ImportError, FileNotFoundError):
        return None


def vocabulary(tokenizer) -> str:
    """Write a tokenizer's vocabulary as text: one piece a line, line n is id n."""
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    assert [number for _, number in pieces] == list(range(len(pieces)))
    return "".join(piece + "\n" for piece, _ in pieces)


class Folder:
    """Where the assets go: each file is written whole or not at all."""

    def __init__(self, path: str) -> None:
        """Make the folder if it is not there."""
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, data: bytes) -> dict:
        """Write one file and describe it: its name, size and digest."""
        partial = self.path / (name + ".partial")
        partial.write_bytes(data)
        partial.replace(self.path / name)
        return {"file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def write_json(self, name: str, content: dict) -> dict:
        """Write one JSON file and describe it."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return self.write(name, text.encode())

    def remove(self, name: str) -> None:
        """Remove a file that an earlier build left and this one does not make."""
        (self.path / name).unlink(missing_ok=True)


def add_weights(manifest: dict, lines: list[str], encoder, folder: Folder, limit: int) -> None:
    """Write the weights and the error they make, or why there are none."""
    parameters = parameters_of(encoder.model)
    size = weights_size(parameters)
    if size > limit:
        folder.remove("weights.bin")
        manifest["weights"] = None
        manifest["weights_left_out"] = (
            f"{manifest['checkpoint']} is {size / 1e6:.0f} MB even in {BITS} bits a number, "
            "too large for a page"
        )
        return
    quantized = quantize_all(parameters)
    data, tensors = pack_weights(parameters, quantized)
    manifest["weights"] = folder.write("weights.bin", data) | {"block": BLOCK, "bits": BITS}
    manifest["tensors"] = tensors
    manifest["error"] = measure_error(lines, encoder, quantized)


def build(
    out: str,
    model: str | None = None,
    poems_file: str | None = None,
    lines_file: str | None = None,
    limit: int = MAX_WEIGHTS_BYTES,
) -> dict:
    """Make all assets in a folder and return the manifest."""
    checkpoint, encoder = find_checkpoint(model), load_encoder(model, "cpu")
    folder = Folder(out)
    config, tokenizer = encoder.model.config, encoder.tokenizer
    lines = Path(lines_file).read_text("utf-8").splitlines() if lines_file else LINES
    poems = load_poems(poems_file)
    measured = list(dict.fromkeys(LINES_TO_MEASURE + lines))
    if poems is not None:
        measured = list(dict.fromkeys(measured + poems["first_line"].tolist()))
    manifest = {
        "format": FORMAT,
        "checkpoint": checkpoint.name,
        "revision": checkpoint.revision,
        "source_sha256": checkpoint.weights_sha256,
        "config": {
            "n_layers": config.num_hidden_layers,
            "n_heads": config.num_attention_heads,
            "n_dims": config.hidden_size,
            "n_positions": config.max_position_embeddings,
            "layer_norm_eps": config.layer_norm_eps,
        },
        "kernel": compile_kernel(),
        "vocab": folder.write("vocab.txt", vocabulary(tokenizer).encode()),
        "examples": folder.write_json(
            "examples.json",
            {
                "n_layers": config.num_hidden_layers,
                "n_heads": config.num_attention_heads,
                "examples": [make_example(line, encoder) for line in lines],
            },
        ),
    }
    add_weights(manifest, measured, encoder, folder, limit)
    if poems is None:
        folder.remove("drift.json")
        manifest["drift"] = None
    else:
        manifest["drift"] = folder.write_json("drift.json", make_drift(poems, encoder))
    folder.write_json("manifest.json", manifest)
    return manifest


def main() -> None:
    """Read the command line, make the assets, say what was made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="the folder to write to")
    parser.add_argument("--model", help="a checkpoint the book knows; default: the book's own")
    parser.add_argument("--poems", help="a parquet or JSON file in place of the book's poems")
    parser.add_argument("--lines", help="a text file of example lines, one a line")
    arguments = parser.parse_args()
    manifest = build(arguments.out, arguments.model, arguments.poems, arguments.lines)
    for part in ["weights", "vocab", "examples", "drift"]:
        made = manifest[part]
        size = f"{made['file']}, {made['bytes'] / 1e6:.2f} MB" if made else "none"
        print(f"{part}: {size}")
    print(manifest.get("weights_left_out") or f"error of rounding: {manifest['error']}")


if __name__ == "__main__":
    main()

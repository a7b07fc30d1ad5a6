"""The encoder, once more: NumPy and the weights, no PyTorch, no code of ``layerwise``."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy.special import erf
from tokenizers import Tokenizer

from layerwise.checkpoints import CHECKPOINTS

FOLDER = Path(CHECKPOINTS["sentence-transformers/all-MiniLM-L6-v2"].folder)


class Read(NamedTuple):
    """What became of a text."""

    hidden_states: np.ndarray  # (n_layers + 1, n_tokens, n_dims)
    attentions: np.ndarray  # (n_layers, n_heads, n_tokens, n_tokens)


@pytest.fixture(scope="session")
def arrays():
    weights = load_file(FOLDER / "model.safetensors")
    return {name.removeprefix("bert."): array for name, array in weights.items()}


@pytest.fixture(scope="session")
def vocabulary():
    return json.loads((FOLDER / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]


@pytest.fixture(scope="session")
def read_by_numpy(arrays):
    """Return a function that reads a text, if wished with every token alone."""
    config = json.loads((FOLDER / "config.json").read_text())
    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    n_heads = config["num_attention_heads"]

    def linear(x, name):
        return x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]

    def norm(x, name):
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        x = (x - mean) / np.sqrt(variance + config["layer_norm_eps"])
        return x * arrays[f"{name}.weight"] + arrays[f"{name}.bias"]

    def attend(x, name, alone):
        parts = (f"{name}.self.{part}" for part in ("query", "key", "value"))
        queries, keys, values = (linear(x, part) for part in parts)
        mixed, shares_of = [], []
        for columns in np.split(np.arange(x.shape[1]), n_heads):
            q, k, v = queries[:, columns], keys[:, columns], values[:, columns]
            shares = np.exp(q @ k.T / np.sqrt(len(columns)))
            shares = np.eye(len(x)) if alone else shares / shares.sum(-1, keepdims=True)
            shares_of.append(shares)
            mixed.append(shares.astype(x.dtype) @ v)
        mixed = linear(np.concatenate(mixed, axis=1), f"{name}.output.dense")
        return mixed, np.stack(shares_of)

    def read(text, alone=False):
        ids = tokenizer.encode(text).ids
        rows = {"word": ids, "position": range(len(ids)), "token_type": [0] * len(ids)}
        x = sum(arrays[f"embeddings.{name}_embeddings.weight"][r] for name, r in rows.items())
        x = norm(x, "embeddings.LayerNorm")
        layers, attentions = [x], []
        for i in range(config["num_hidden_layers"]):
            layer = f"encoder.layer.{i}"
            attended, shares = attend(x, f"{layer}.attention", alone)
            x = norm(x + attended, f"{layer}.attention.output.LayerNorm")
            wide = linear(x, f"{layer}.intermediate.dense")
            wide = wide * (1 + erf(wide / np.sqrt(np.float32(2)))) / 2
            x = norm(x + linear(wide, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
            layers.append(x)
            attentions.append(shares)
        return Read(np.stack(layers), np.stack(attentions))

    return read

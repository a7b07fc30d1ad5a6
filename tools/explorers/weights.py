"""Write a model's weights as whole numbers of 10 bits, and measure the error that makes."""

import copy
from typing import Any

import numpy as np
import torch

from tools.explorers.examples import run

BLOCK = 32  # weights that share a scale
# With 8 bits the errors add up to what can be seen, in a text that fills the window. What is
# left with 10 is measured: see measure_error.
BITS = 10
LIMIT = 2 ** (BITS - 1) - 1


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
        tensor: dict[str, Any] = {"name": name, "shape": list(parameter.shape)}
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


def measure_error(lines: list[str], encoder, quantized: dict) -> dict:
    """Compare the rounded weights with the model's own, on some lines."""
    rounded = encoder._replace(model=quantized_copy(encoder.model, quantized))
    differences, cosines, same_top = [], [], []
    for line in lines:
        _, _, hidden, attention = run(line, encoder)
        _, _, hidden_rounded, attention_rounded = run(line, rounded)
        differences.append(np.abs(attention - attention_rounded).ravel())
        same_top.append((attention.argmax(-1) == attention_rounded.argmax(-1)).ravel())
        a, b = hidden[-1].mean(0), hidden_rounded[-1].mean(0)
        cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    every_difference = np.concatenate(differences)
    return {
        "n_texts": len(lines),
        "attention_max": round(float(every_difference.max()), 5),
        "attention_mean": round(float(every_difference.mean()), 6),
        "pooled_cosine_min": round(float(min(cosines)), 6),
        "same_top_token": round(float(np.concatenate(same_top).mean()), 4),
    }

"""Numbers of any kind as NumPy takes them, or a sentence that says why it cannot."""

import numpy as np
import torch

NUMBERS = int | float | str | np.number | np.bool_


def plain(x, name: str = "numbers"):
    """Return numbers off their device, without gradients, and none of them masked.

    Parameters
    ----------
    x : array, Tensor, column, table, or nested list of these or of numbers
    name : str
        What an error calls them.

    Raises
    ------
    TypeError
        If some are masked: NumPy would take whatever lies behind the mask.
    """
    if isinstance(x, NUMBERS):
        return x
    if isinstance(x, list | tuple):
        is_plain = all(issubclass(kind, NUMBERS) for kind in set(map(type, x)))
        return x if is_plain else [plain(item, name) for item in x]
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        raise TypeError(
            f"{np.ma.count_masked(x)} of {x.size} {name} are masked: leave them out, or fill "
            "them in, with x.filled(value)"
        )
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu()
        return (x.double() if x.is_floating_point() else x).numpy()
    return x


def precision(x) -> float:
    """Return the distance from 1 to the next number in the precision that x came in."""
    while isinstance(x, list | tuple):
        x = x[0]
    if isinstance(x, torch.Tensor):
        return torch.finfo(x.dtype).eps if x.is_floating_point() else np.finfo(float).eps
    dtype = np.asarray(x).dtype
    return float(np.finfo(dtype).eps if dtype.kind == "f" else np.finfo(float).eps)


def one_line(x, longest: int = 40) -> str:
    """Return the beginning of what Python writes for anything, on one line."""
    return " ".join(repr(x).split())[:longest]

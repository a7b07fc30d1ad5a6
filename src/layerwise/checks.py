"""Checks that can fail: each stands in a chapter beside a broken twin that does.

Comparing two tensors with ``a.all() == b.all()`` compares two booleans, and passes for almost
anything. These look at every number.

Chapter: *Large Language Models: An Introduction*, from "Input IDs" on.
"""

import math

import numpy as np
import torch

TOLERANCE = 1e-5


def largest_difference(ours, theirs) -> float:
    """Return the largest absolute difference between two things that should be the same.

    Parameters
    ----------
    ours, theirs : Tensor, array, number, or list or str
        Two lists or strings differ by 0 when they are equal, or else by infinity.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ, there are no numbers, or one is not a number: nothing is shown by
        comparing them.
    """
    if isinstance(ours, list | str) and isinstance(theirs, list | str):
        return 0.0 if ours == theirs else math.inf
    ours, theirs = (_to_array(x) for x in (ours, theirs))
    if ours.shape != theirs.shape:
        raise ValueError(f"shapes {ours.shape} and {theirs.shape} cannot be compared")
    if ours.size == 0:
        raise ValueError("there are no numbers to compare")
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        difference = float(np.where(ours == theirs, 0, np.abs(ours - theirs)).max())
    if math.isnan(difference):
        raise ValueError("there is a nan in one of them: nothing can be said")
    return difference


def _to_array(x) -> np.ndarray:
    return np.asarray(x.detach().cpu().double() if isinstance(x, torch.Tensor) else x, float)


def check_equal(claim: str, ours, theirs, tolerance: float = TOLERANCE) -> None:
    """Check a claim that two things are the same, everywhere; print ✓ and the claim.

    Parameters
    ----------
    claim : str
        What is being checked, in words.
    ours, theirs
        See :func:`largest_difference`.
    tolerance : float
        How much any number may differ.

    Raises
    ------
    AssertionError
        If they differ by more.
    """
    difference = largest_difference(ours, theirs)
    if difference > tolerance:
        raise AssertionError(f"✗ {claim}: differs by {difference:.2g}, more than {tolerance:g}")
    print(f"✓ {claim}: the same" + (f", to {tolerance:g}" if difference else ""))


def check_differs(claim: str, broken, theirs, tolerance: float = TOLERANCE) -> None:
    """Check that a broken twin fails, so that the check beside it means something; print ✗.

    It must fail clearly: by more than a hundred times the tolerance.

    Raises
    ------
    AssertionError
        If the broken twin passes, or fails by so little that the check could miss it.
    """
    difference = largest_difference(broken, theirs)
    if difference <= 100 * tolerance:
        raise AssertionError(
            f"{claim}: the broken twin differs by {difference:.2g} only, so the check it "
            "belongs to proves nothing"
        )
    size = f", by up to {difference:.2g}" if math.isfinite(difference) else ""
    print(f"✗ {claim}: differs{size}")

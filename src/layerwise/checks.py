"""Checks that can fail: each stands in a chapter beside a broken twin that does.

Comparing two tensors with ``a.all() == b.all()`` compares two booleans, and passes for almost
anything. These look at every number.

Chapter: ``chapters/tokens.md``, from "Subword tokenization" on.
"""

import math

import numpy as np

from layerwise.arrays import one_line, plain

TOLERANCE = 1e-5


def to_array(x) -> np.ndarray:
    """Return numbers of any kind (tensor, array, list, number) as an array of float64."""
    return np.asarray(plain(x), dtype=float)


def largest_difference(ours, theirs) -> float:
    """Return the largest absolute difference between two things that should be the same.

    Parameters
    ----------
    ours, theirs : Tensor, array, number, str, or lists of these
        Strings differ by 0 when they are equal, or else by infinity; so do lists of different
        lengths. An array may be compared with a list of numbers.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes or kinds differ, there is nothing to compare, or a number is nan: nothing
        is shown by comparing them.
    """
    for x in (ours, theirs):
        if not hasattr(x, "shape") and x in ("", [], (), {}, set()):
            raise ValueError(f"there is nothing to compare in {x!r}")
    return _difference(ours, theirs)


def _difference(ours, theirs) -> float:
    ours, theirs = _plain(ours), _plain(theirs)
    are_lists = [isinstance(x, list | tuple) for x in (ours, theirs)]
    are_arrays = [isinstance(x, np.ndarray) for x in (ours, theirs)]
    if all(are_lists):
        if len(ours) != len(theirs):
            return math.inf
        return max(map(_difference, ours, theirs), default=0.0)
    if any(are_lists) and any(are_arrays):
        try:
            return _difference_of_arrays(to_array(ours), to_array(theirs))
        except (TypeError, ValueError) as error:
            raise ValueError(f"a list and an array cannot be compared: {error}") from error
    if ours is None or theirs is None:
        raise ValueError("None cannot be compared: does a function lack its return?")
    if type(ours) is not type(theirs):
        kinds = " and ".join(type(x).__name__ for x in (ours, theirs))
        raise ValueError(f"{kinds} cannot be compared: {one_line(ours)} and {one_line(theirs)}")
    if all(are_arrays):
        return _difference_of_arrays(ours, theirs)
    return 0.0 if ours == theirs else math.inf


def _plain(x):
    """Return numbers as an array; other things, arrays of them as lists, as they are."""
    if hasattr(x, "detach") or isinstance(x, bool | int | float):
        return to_array(x)
    if not hasattr(x, "__array__"):
        return x
    x = np.asarray(plain(x))
    return to_array(x) if x.dtype.kind in "biuf" else x.tolist()


def _difference_of_arrays(ours: np.ndarray, theirs: np.ndarray) -> float:
    if 0 in ours.shape + theirs.shape:
        raise ValueError(f"there is nothing to compare in shapes {ours.shape}, {theirs.shape}")
    if ours.shape != theirs.shape:
        raise ValueError(f"shapes {ours.shape} and {theirs.shape} cannot be compared")
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        difference = float(np.where(ours == theirs, 0, np.abs(ours - theirs)).max())
    if math.isnan(difference):
        raise ValueError("there is a nan in one of them: nothing can be said")
    return difference


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
    if not difference <= tolerance:
        raise AssertionError(
            f"✗ {claim}: differs{_size(difference)}, where {tolerance:g} is allowed"
        )
    print(f"✓ {claim}: the same" + (f", to {tolerance:g}" if difference else ""))


def check_differs(claim: str, broken, theirs, tolerance: float = TOLERANCE) -> None:
    """Check that a broken twin is found, so that the check beside it means something; print ≠.

    It must differ clearly: by more than a hundred times the tolerance.

    Raises
    ------
    AssertionError
        If the twin passes, or differs by so little that the check could miss it.
    """
    difference = largest_difference(broken, theirs)
    if not difference > 100 * tolerance:
        raise AssertionError(
            f"✗ {claim}: the broken twin differs by {difference:.2g} only, so the check it "
            "belongs to proves nothing"
        )
    print(f"≠ {claim}: differs, as it should{_size(difference)}")


def _size(difference: float) -> str:
    return f", by up to {_two_digits(difference)}" if math.isfinite(difference) else ""


def _two_digits(value: float) -> str:
    """Write 204 as 200 and 51.3 as 51, where ``.2g`` would write 2e+02."""
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if 100 <= rounded < 1e9 else f"{rounded:g}"

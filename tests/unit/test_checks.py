"""A check passes for what is equal, fails for what is not, and refuses to guess."""

import math

import numpy as np
import pytest
import torch

from layerwise.checks import TOLERANCE, check_differs, check_equal, largest_difference

ROWS = [[1.0, -2.0], [0.5, 4.0]]
KINDS = {
    "tensors": torch.tensor,
    "arrays": np.array,
    "arrays of float32": lambda rows: np.array(rows, dtype="f4"),
    "a tensor of bfloat16": lambda rows: torch.tensor(rows, dtype=torch.bfloat16),
    "a tensor with a gradient": lambda rows: torch.tensor(rows, requires_grad=True),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_is_equal_passes_and_its_twin_fails(kind, capsys):
    check_equal("the claim", kind(ROWS), np.array(ROWS))
    check_differs("a twin", kind(ROWS), np.array(ROWS)[::-1])
    passed, failed = capsys.readouterr().out.splitlines()
    assert passed == "✓ the claim: the same"
    assert failed == "✗ a twin: differs, by up to 6"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_one_number_that_differs_is_seen(kind):
    ours = np.array(ROWS)
    ours[1, 0] += 0.25
    with pytest.raises(AssertionError, match=r"✗ a claim: differs by 0\.25, more than 1e-05"):
        check_equal("a claim", kind(ours.tolist()), np.array(ROWS))


def test_a_difference_within_the_tolerance_passes_and_the_tolerance_is_shown(capsys):
    check_equal("near", np.array([1.0]), np.array([1 + TOLERANCE / 2]))
    check_equal("nearer", 1.0, 1.1, tolerance=0.2)
    assert capsys.readouterr().out == "✓ near: the same, to 1e-05\n✓ nearer: the same, to 0.2\n"


@pytest.mark.parametrize(
    ("ours", "same", "other"),
    [
        ([1, 2], [1, 2], [1, 3]),
        ([["a"], ["b", "c"]], [["a"], ["b", "c"]], [["a"], ["b"]]),
        ("hope", "hope", "hops"),
    ],
)
def test_lists_and_strings_are_equal_or_not(ours, same, other, capsys):
    assert largest_difference(ours, same) == 0
    assert largest_difference(ours, other) == math.inf
    check_differs("a twin", other, ours)
    assert capsys.readouterr().out == "✗ a twin: differs\n"
    with pytest.raises(AssertionError, match="differs by inf"):
        check_equal("a claim", other, ours)


@pytest.mark.parametrize("difference", [0, TOLERANCE, 99 * TOLERANCE])
def test_a_twin_that_passes_or_nearly_does_proves_nothing(difference):
    with pytest.raises(AssertionError, match=r"the broken twin differs by .* proves nothing"):
        check_differs("a twin", np.array([1 + difference]), np.array([1.0]))


@pytest.mark.parametrize("check", [check_equal, check_differs])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(np.ones((2, 3)), np.ones((3, 2))), (np.ones(3), np.ones((1, 3))), (1.0, np.ones(3))],
)
def test_shapes_that_differ_cannot_be_compared(check, ours, theirs):
    with pytest.raises(ValueError, match=r"shapes \(.*\) and \(.*\) cannot be compared"):
        check("a claim", ours, theirs)


@pytest.mark.parametrize("check", [check_equal, check_differs])
def test_what_is_not_a_number_is_neither_equal_nor_different(check):
    damaged = np.array([1.0, np.nan])
    for ours, theirs in [(damaged, np.ones(2)), (np.ones(2), damaged), (damaged, damaged)]:
        with pytest.raises(ValueError, match="there is a nan in one of them"):
            check("a claim", ours, theirs)


def test_nothing_cannot_be_compared():
    with pytest.raises(ValueError, match="no numbers"):
        check_equal("a claim", np.ones(0), np.ones(0))


def test_infinity_equals_itself():
    check_equal("minus infinity", np.array([-np.inf, 1]), np.array([-np.inf, 1]))
    check_differs("plus infinity", np.array([np.inf, 1]), np.array([-np.inf, 1]))

"""A check passes for what is equal, fails for what is not, and refuses to guess."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from layerwise.checks import (
    TOLERANCE,
    check_differs,
    check_equal,
    largest_difference,
    to_array,
)

ROWS = [[1.0, -2.0], [0.5, 4.0]]
KINDS = {
    "lists": list,
    "tables": pd.DataFrame,
    "lists of tensors": lambda rows: [torch.tensor(row) for row in rows],
    "tuples of arrays": lambda rows: tuple(np.array(row) for row in rows),
    "tensors": torch.tensor,
    "arrays": np.array,
    "arrays of float32": lambda rows: np.array(rows, dtype="f4"),
    "a tensor of bfloat16": lambda rows: torch.tensor(rows, dtype=torch.bfloat16),
    "a tensor with a gradient": lambda rows: torch.tensor(rows, requires_grad=True),
}


any_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@any_kind
def test_what_is_equal_passes_and_its_twin_is_found(kind, capsys):
    check_equal("the claim", kind(ROWS), np.array(ROWS))
    check_differs("a twin", kind(ROWS), np.array(ROWS)[::-1])
    passed, found = capsys.readouterr().out.splitlines()
    assert passed == "✓ the claim: the same"
    assert found == "≠ a twin: differs, as it should, by up to 6"


@any_kind
@pytest.mark.parametrize("by", [0.25, -0.25])
def test_one_number_that_differs_is_seen_on_either_side(kind, by):
    other = np.array(ROWS)
    other[1, 0] += by
    message = r"^✗ a claim: differs, by up to 0\.25, where 1e-05 is allowed$"
    with pytest.raises(AssertionError, match=message):
        check_equal("a claim", kind(other.tolist()), np.array(ROWS))
    with pytest.raises(AssertionError, match=message):
        check_equal("a claim", np.array(ROWS), kind(other.tolist()))
    check_differs("a twin", kind(other.tolist()), np.array(ROWS))


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([[1, -5], [2, 3]], [[1, 2], [2, 3]], 7),
        (-3.5, 1, 4.5),
        (True, False, 1),
        (np.array([True, False]), [True, True], 1),
        (np.array([1, 2], dtype="u1"), np.array([3, 1], dtype="u1"), 2),
        (torch.tensor([3, -4]), np.array([3, 4.0]), 8),
        (np.float32(0.5), 0.5, 0),
        ([torch.ones(2), torch.ones(3)], [torch.ones(2), torch.zeros(3)], 1),
        ([[1, 2], [3]], [(1, 2), (3,)], 0),
    ],
)
def test_the_largest_difference_is_absolute(ours, theirs, expected):
    assert largest_difference(ours, theirs) == expected
    assert largest_difference(theirs, ours) == expected


def test_a_difference_within_the_tolerance_passes_and_the_tolerance_is_shown(capsys):
    check_equal("near", np.array([1.0]), np.array([1 + TOLERANCE / 2]))
    check_equal("nearer", 1.0, 1.1, tolerance=0.2)
    check_equal("just", 1.5, 1.0, tolerance=0.5)
    assert capsys.readouterr().out.splitlines() == [
        "✓ near: the same, to 1e-05",
        "✓ nearer: the same, to 0.2",
        "✓ just: the same, to 0.5",
    ]
    with pytest.raises(AssertionError, match=r"by up to 2e-05, where 1e-05"):
        check_equal("far", 1.0, 1 + 2e-5)
    with pytest.raises(AssertionError, match=r"where nan is allowed"):
        check_equal("no tolerance", 1.0, 1.0, tolerance=math.nan)


@pytest.mark.parametrize(
    ("ours", "same", "other"),
    [
        ([["a"], ["b", "c"]], [["a"], ["b", "c"]], [["a"], ["b"]]),
        ([["a"], ["b"]], (("a",), ("b",)), [["b"], ["a"]]),
        ("hope", "hope", "hops"),
        ([1, 2], [1, 2], [1, 2, 3]),
        (np.array(["a", "b"]), ["a", "b"], ["b", "a"]),
        (pd.Series(["a", "b"]), np.array(["a", "b"]), pd.Series(["a", "c"])),
        ({"a": 1}, {"a": 1}, {"a": 2}),
    ],
)
def test_lists_and_strings_are_equal_or_not(ours, same, other, capsys):
    assert largest_difference(ours, same) == 0
    assert largest_difference(ours, other) == math.inf
    check_equal("a claim", ours, same)
    check_differs("a twin", other, ours)
    assert capsys.readouterr().out == "✓ a claim: the same\n≠ a twin: differs, as it should\n"
    with pytest.raises(AssertionError, match=r"^✗ a claim: differs, where 1e-05 is allowed$"):
        check_equal("a claim", other, ours)


@pytest.mark.parametrize("difference", [0, TOLERANCE, -99 * TOLERANCE, 99 * TOLERANCE])
def test_a_twin_that_passes_or_nearly_does_proves_nothing(difference):
    message = r"^✗ a twin: the broken twin differs by .* only, so .* proves nothing$"
    with pytest.raises(AssertionError, match=message):
        check_differs("a twin", np.array([1 + difference]), np.array([1.0]))


def test_a_twin_must_differ_by_more_than_a_hundred_times_the_tolerance(capsys):
    check_differs("a twin", 1 + 101 * TOLERANCE, 1.0)
    check_differs("a twin", -51.0, 0, tolerance=0.5)
    assert capsys.readouterr().out.splitlines() == [
        "≠ a twin: differs, as it should, by up to 0.001",
        "≠ a twin: differs, as it should, by up to 51",
    ]
    check_differs("a twin", -204.0, 1234.0)
    assert capsys.readouterr().out.endswith("by up to 1,400\n")
    with pytest.raises(AssertionError, match="differs by 50 only"):
        check_differs("a twin", 50.0, 0, tolerance=0.5)


@pytest.mark.parametrize("check", [check_equal, check_differs])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(np.ones((2, 3)), np.ones((3, 2))), (np.ones(3), np.ones((1, 3))), (1.0, np.ones(3)),
     ([1, 2], np.ones(3)), ([torch.ones(2)], [torch.ones(3)])],
)  # fmt: skip
def test_shapes_that_differ_cannot_be_compared(check, ours, theirs):
    with pytest.raises(ValueError, match=r"shapes \(.*\) and \(.*\) cannot be compared"):
        check("a claim", ours, theirs)


@pytest.mark.parametrize("check", [check_equal, check_differs])
@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        ("1", 1, r"str and ndarray cannot be compared: '1' and array\(1\.\)"),
        ({"a": 1}, "a", "dict and str cannot be compared: {'a': 1} and 'a'"),
        (["a"], np.ones(1), "a list and an array cannot be compared: could not convert"),
        ([[1, 2], [3]], np.ones((2, 2)), "a list and an array cannot be compared"),
        (None, 1, r"None cannot be compared: does a function lack its return\?"),
        (["a"], [None], "None cannot be compared"),
        (None, None, "None cannot be compared"),
    ],
)
def test_kinds_that_differ_cannot_be_compared(check, ours, theirs, message):
    with pytest.raises(ValueError, match=message):
        check("a claim", ours, theirs)
    with pytest.raises(ValueError, match="cannot be compared"):
        check("a claim", theirs, ours)


@pytest.mark.parametrize("check", [check_equal, check_differs])
def test_what_is_not_a_number_is_neither_equal_nor_different(check):
    damaged = np.array([1.0, np.nan])
    pairs = [(damaged, np.ones(2)), (np.ones(2), damaged), (damaged, damaged)]
    for ours, theirs in [*pairs, *[(list(a), list(b)) for a, b in pairs], (math.nan, 1.0)]:
        with pytest.raises(ValueError, match="there is a nan in one of them"):
            check("a claim", ours, theirs)


@pytest.mark.parametrize("empty", [np.ones(0), torch.ones(2, 0), [], "", ()])
def test_nothing_cannot_be_compared(empty):
    for ours, theirs in [(empty, empty), (np.ones(1), empty), (empty, np.ones(1))]:
        with pytest.raises(ValueError, match="there is nothing to compare in"):
            check_equal("a claim", ours, theirs)


def test_an_empty_list_inside_others_is_a_thing_to_compare():
    assert largest_difference([["a"], []], [["a"], []]) == 0
    assert largest_difference([["a"], []], [["a"], ["b"]]) == math.inf


def test_infinity_equals_itself():
    check_equal("minus infinity", np.array([-np.inf, 1]), np.array([-np.inf, 1]))
    check_differs("plus infinity", np.array([np.inf, 1]), np.array([-np.inf, 1]))


def test_numbers_of_any_kind_become_an_array():
    rows = torch.tensor(ROWS, dtype=torch.float16, requires_grad=True)
    for x in (rows, ROWS, [*rows], tuple(ROWS), pd.DataFrame(ROWS)):
        array = to_array(x)
        assert array.dtype == np.float64
        np.testing.assert_array_equal(array, ROWS)

"""A chapter shows the code that the package runs, without what the chapter says itself."""

import ast
import inspect
from functools import cache

import numpy as np
import pytest

from layerwise import pooling
from layerwise.by_hand import attention, bert
from layerwise.display import how_many, number, show_source, source_without_docstring


def documented(x):
    """Say what it does.

    In more than one line.
    """
    y = x + 1  # a comment stays

    return "y" * y


def bare(x):
    return x


def said_only(x):
    """Say what it would do."""


@cache
def kept(x):
    """Say what is kept."""
    # why
    return x


class Holder:
    def method(self):
        """Say what it does."""
        return self


FUNCTIONS = [attention.scaled_dot_product_attention, bert.encoder_layer, pooling.mean_pool]


def test_the_docstring_is_left_out_and_all_else_stays():
    assert source_without_docstring(documented) == (
        'def documented(x):\n    y = x + 1  # a comment stays\n\n    return "y" * y'
    )


def test_without_a_docstring_everything_stays():
    assert source_without_docstring(bare) == "def bare(x):\n    return x"


def test_a_docstring_that_is_all_there_is_stays():
    assert source_without_docstring(said_only).endswith('"""Say what it would do."""')
    ast.parse(source_without_docstring(said_only))


def test_a_decorator_and_a_comment_stay_and_a_methods_indent_goes():
    assert source_without_docstring(kept) == "@cache\ndef kept(x):\n    # why\n    return x"
    assert source_without_docstring(Holder.method) == "def method(self):\n    return self"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_what_is_shown_is_the_code_that_runs(function):
    (shown,) = ast.parse(source_without_docstring(function)).body
    (runs,) = ast.parse(inspect.getsource(function)).body
    assert ast.get_docstring(runs) is not None
    del runs.body[0]
    assert ast.dump(shown) == ast.dump(runs)


def test_functions_stand_in_one_block_in_the_order_given():
    shown = show_source(bare, documented).data
    assert shown.startswith("```python\ndef bare(x):\n    return x\n\n\ndef documented(x):\n")
    assert shown.endswith("\n```")
    assert shown.count("```") == 2


typed = eval("lambda x: x")
HIDDEN = {"nameless": lambda x: x, "builtin": len, "class": Holder, "typed": typed, "number": 3}


@pytest.mark.parametrize("thing", HIDDEN.values(), ids=HIDDEN)
def test_what_is_not_defined_with_def_is_refused(thing):
    with pytest.raises(TypeError, match="is not defined with def: its source cannot be shown"):
        show_source(thing)


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [(-0.024, 2, "\N{MINUS SIGN}0.02"), (0.166, 2, "0.17"), (-0.001, 2, "0.00"),
     (0.0083, 3, "0.008"), (-12.5, 0, "\N{MINUS SIGN}12")],
)  # fmt: skip
def test_a_number_is_written_with_a_minus_sign_and_no_negative_zero(value, digits, expected):
    assert number(value, digits) == expected


@pytest.mark.parametrize(
    ("n_true", "n", "expected"),
    [(10, 10, "all ten"), (0, 10, "none of ten"), (9, 10, "9 of ten"), (6, 6, "all six"),
     (1, 13, "1 of 13")],
)  # fmt: skip
def test_how_many_are_true_is_said_in_words_at_both_ends(n_true, n, expected):
    assert how_many(np.arange(n) < n_true) == expected

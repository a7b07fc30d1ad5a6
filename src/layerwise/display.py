"""Show in a chapter what is not a figure: a function's code, a number."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence

from IPython.display import Markdown


def source_without_docstring(function: Callable) -> str:
    """Return a function's code as it stands in the package, without its docstring.

    Raises
    ------
    TypeError
        If it is not a function that was defined with ``def`` in a file.
    """
    try:
        source = textwrap.dedent(inspect.getsource(function))
        definition = ast.parse(source).body[0]
    except (OSError, SyntaxError, TypeError):  # a builtin, a part of an expression
        definition = None
    if not isinstance(definition, ast.FunctionDef):
        raise TypeError(f"{function!r} is not defined with def: its source cannot be shown")
    lines = source.splitlines()
    if ast.get_docstring(definition) is not None and len(definition.body) > 1:
        docstring = definition.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines)


def show_source(*functions: Callable) -> Markdown:
    """Show the code that the package runs, so that a chapter need not repeat it.

    Parameters
    ----------
    *functions : callable
        Functions of this package.
    """
    code = "\n\n\n".join(source_without_docstring(function) for function in functions)
    return Markdown(f"```python\n{code}\n```")


def number(value: float, digits: int = 2) -> str:
    """Write a number as the book does: a minus is no hyphen, and no zero has one."""
    return f"{value:z.{digits}f}".replace("-", "\N{MINUS SIGN}")


NUMERALS = {5: "five", 6: "six", 10: "ten", 20: "twenty"}


def count(n: int, one: str) -> str:
    """Write how many there are of something: 1 text, 1,200 texts."""
    return f"{n:,} {one if n == 1 else one + 's'}"


def how_many(flags: Sequence[bool]) -> str:
    """Write how many of some are true: ``all ten``, ``none of ten``, ``9 of ten``."""
    n_true, n = sum(map(bool, flags)), len(flags)
    of = NUMERALS.get(n, str(n))
    return f"all {of}" if n_true == n else f"{n_true or 'none'} of {of}"

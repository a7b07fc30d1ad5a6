"""Which modules of the package a chapter's code rests on, as its imports say.

What Python imports is followed from module to module, functions and branches included. Where
code can import what cannot be read in it (``importlib``, ``exec``, a magic that runs a file, a
string that names the package), it counts as resting on every module.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache

PACKAGE = "layerwise"
DATA = f"{PACKAGE}.datasets"  # holds no code: what a chapter reads of it, its header names
RUN_TEXT = {"exec", "eval", "compile"}  # as functions: model.eval() and re.compile() run none
IMPORT_BY_NAME = {"__import__", "import_module", "run_module", "run_path", "run_cell"}
MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)


def modules_used(cells: Iterable[str], modules: dict[str, str]) -> set[str]:
    """Return the names of all modules that cells of code rest on.

    Parameters
    ----------
    cells : iterable of str
        The code of a chapter.
    modules : dict of str to str
        The source of each module of the package, by its name.
    """
    found: set[str] = set()
    waiting: list[str] = []
    for cell in cells:
        names = imported_by_cell(cell, modules)
        if names is None:
            return set(modules)
        waiting += names
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        tree = parse(modules[name])
        if imports_are_hidden(tree):
            return set(modules)
        waiting += imported(tree, modules, of_module=name)
    return found


@cache
def parse(source: str) -> ast.Module:
    """Parse the source of a module, once for all the chapters that import it."""
    return ast.parse(source)


def imported_by_cell(cell: str, modules: dict[str, str]) -> list[str] | None:
    """Return the modules that a cell names; None if it may import others, unseen."""
    magics = "".join(MAGIC.findall(cell))
    try:
        tree = ast.parse(MAGIC.sub("pass", cell) if magics else cell)
    except SyntaxError:
        return None
    texts = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant))
    named_in_text = any(
        isinstance(text, str) and PACKAGE in text and text != DATA for text in texts
    )
    if named_in_text or PACKAGE in magics or "%run" in magics or imports_are_hidden(tree):
        return None
    return list(imported(tree, modules))


def imports_are_hidden(tree: ast.AST) -> bool:
    """Tell whether code can import what does not stand in an import statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name) and function.id in RUN_TEXT | IMPORT_BY_NAME:
                return True
            if isinstance(function, ast.Attribute) and function.attr in IMPORT_BY_NAME:
                return True
    return False


def imported(tree: ast.AST, modules: dict[str, str], of_module: str = "") -> Iterator[str]:
    """Name the package's modules that code imports, and the packages they are in."""
    is_package = any(name.startswith(f"{of_module}.") for name in modules)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = of_module.split(".")
                parents = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parents, *base.split(".")]).rstrip(".")
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                if (module := ".".join(parts[:end])) in modules:
                    yield module

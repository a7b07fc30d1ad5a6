"""Which modules a chapter rests on, as its imports say."""

import pytest

from tools.executions.imports import modules_used

MODULES = {
    "layerwise": "",
    "layerwise.alone": "import math",
    "layerwise.base": "",
    "layerwise.middle": "from layerwise.base import x",
    "layerwise.top": "def late():\n    import layerwise.middle",
    "layerwise.figures": "",
    "layerwise.figures.page": "from layerwise import base",
    "layerwise.figures.layers": "from .page import show\nfrom .. import alone",
    "layerwise.figures.one": "from . import page",
    "layerwise.hidden": "from importlib import import_module\nimport_module(name)",
    "layerwise.circle": "import layerwise.round",
    "layerwise.round": "import layerwise.circle",
}
EVERY = set(MODULES)


def used(*cells):
    return {name.removeprefix("layerwise").lstrip(".") for name in modules_used(cells, MODULES)}


SEEN = {
    "import layerwise.alone": {"", "alone"},
    "from layerwise import alone, base": {"", "alone", "base"},
    "from layerwise.alone import f as g": {"", "alone"},
    "from layerwise.alone import *": {"", "alone"},
    "import layerwise.middle as m": {"", "middle", "base"},
    "if True:\n    def f():\n        from layerwise import top": {"", "top", "middle", "base"},
    "from layerwise.figures import layers":
        {"", "figures", "figures.layers", "figures.page", "base", "alone"},
    "from layerwise.figures import one": {"", "figures", "figures.one", "figures.page", "base"},
    "import layerwise.circle": {"", "circle", "round"},
    "import numpy as np\nnp.eye(2)": set(),
    "%matplotlib inline\nimport layerwise.alone\n!ls": {"", "alone"},
    "model.eval()\nre.compile('x')": set(),
    "import numpy": set(),
    "files('layerwise.datasets') / 'a.csv'": set(),  # what is read there, the header names
}  # fmt: skip


@pytest.mark.parametrize("cell", SEEN)
def test_imports_are_followed(cell):
    assert used("x = 1", cell) == SEEN[cell]


@pytest.mark.parametrize(
    "cell",
    [
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module\nimport_module('layerwise.alone')",
        "__import__(name)",
        "exec(code)",
        "eval(code)",
        "import runpy\nrunpy.run_path(path)",
        "%run other.py",
        "!python -m layerwise.alone",
        "name = 'layerwise.datasets.more'",
        "import subprocess\nsubprocess.run(['python', '-c', 'import layerwise.alone'])",
        "this is no Python",
        "import layerwise.hidden",
    ],
)
def test_an_import_that_cannot_be_seen_is_an_import_of_everything(cell):
    assert modules_used([cell], MODULES) == EVERY

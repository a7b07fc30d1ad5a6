"""Which tests reach which function of a copy of the package, and how long each test takes.

Two plugins of pytest for ``mutants.py``: one records this in the run without a fault, the other
lets a run begin with the tests that reach the fault. What runs in another process is not seen.
"""

import ast
import inspect
import json
import math
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import pytest

from tools.executions.imports import parse
from tools.faults import first_line

QUICK = 0.1  # seconds: what takes less is not told apart


class Record(NamedTuple):
    """What a run has reached; a test, a fixture and a file that is read are called by an id."""

    seconds: dict[str, float]  # of a test or a fixture, without the fixtures that it uses
    uses: dict[str, list[str]]  # of a test: its file and its fixtures
    reached: dict[str, dict[str, list[int]]]  # of each id and module: lines of functions


class Recorder:
    """Note which functions of a package are called, for whom."""

    def __init__(self, package: Path, file: Path):
        self.package, self.file = f"{package}{os.sep}", file
        self.record = Record(defaultdict(float), {}, {})
        self.called: dict[str, set[tuple[str, int]]] = defaultdict(set)
        self.now = self.called["nobody"]
        self.fixtures: set[tuple[str, str]] = set()  # where each is made, and its name

    def note(self, frame: FrameType, event: str, _: object) -> None:
        """Note a function that is called; not a module or a class, which run when imported."""
        code = frame.f_code
        if (event == "call" and code.co_filename.startswith(self.package)
                and code.co_flags & inspect.CO_OPTIMIZED):  # fmt: skip
            self.now.add((code.co_filename, code.co_firstlineno))

    def noting(self, key: str) -> Iterator[None]:
        """Note what is called until this goes on, and for how long."""
        before, self.now = self.now, self.called[key]
        began = time.monotonic()
        try:
            return (yield)
        finally:
            self.now = before
            seconds = self.record.seconds
            seconds[key] = max(seconds[key], time.monotonic() - began)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Begin."""
        threading.setprofile(self.note)
        sys.setprofile(self.note)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector):
        """Note what is called while a file of tests is read."""
        return (yield from self.noting(collector.nodeid))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        """Note what a fixture calls, for each test that uses it."""
        self.fixtures.add((fixturedef.baseid, fixturedef.argname))
        return (yield from self.noting(f"{fixturedef.baseid}::{fixturedef.argname}"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        """Note what a test calls."""
        fixtures = [f"{base}::{name}" for base, name in self.fixtures
                    if name in item.fixturenames and item.nodeid.startswith(base)]  # fmt: skip
        self.record.uses[item.nodeid] = [item.nodeid.partition("::")[0], *fixtures]
        return (yield from self.noting(item.nodeid))

    def pytest_sessionfinish(self) -> None:
        """End, and write what was noted."""
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        for key, called in self.called.items():
            modules = self.record.reached[key] = defaultdict(list)
            for path, line in sorted(called):
                modules[Path(path).relative_to(self.package).as_posix()].append(line)
        self.file.write_text(json.dumps(self.record), "utf-8")


class ReachedFirst:
    """Let a run begin with some tests; the rest follow as they would without."""

    def __init__(self, first: list[str]):
        self.place = {test: i for i, test in enumerate(first)}

    @pytest.hookimpl(trylast=True)  # after conftest.py
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort the tests."""
        items.sort(key=lambda item: self.place.get(item.nodeid, len(self.place)))


def tests_that_reach(record: Record, module: str, source: str, line: int) -> list[str]:
    """Return the tests that reach the function a line stands in, the quickest first.

    A test reaches what its fixtures reach, and what is called while its file is read. A line
    outside of all functions is reached with any function of its module. Of tests that take
    about as long, those go first that reach it themselves, and files stay together: what a
    file's tests share is made once.
    """
    wanted = function_at(source, line)
    reaching = {
        key for key, modules in record.reached.items()
        if any(wanted in (0, function_at(source, x)) for x in modules.get(module, []))
    }  # fmt: skip
    order = {}
    for test, (file, *fixtures) in record.uses.items():
        if reaching & {test, file, *fixtures}:
            seconds = max(QUICK, sum(record.seconds[key] for key in [test, *fixtures]))
            order[test] = math.ceil(math.log2(seconds)), test not in reaching, file, seconds
    return sorted(order, key=order.__getitem__)


@cache
def function_at(source: str, line: int) -> int:
    """Return the first line of the innermost function that a line stands in; 0 for none."""
    functions = (node for node in ast.walk(parse(source)) if isinstance(node, ast.FunctionDef))
    return max(
        (first_line(f) for f in functions if first_line(f) <= line <= (f.end_lineno or 0)),
        default=0,
    )

"""Faults put into the package are faults: each changes one thing, and can be run."""

import ast
import json
import os
import subprocess
import sys

import pytest

from tools import faults, mutants, reached
from tools.desk import ROOT

PACKAGE = faults.PACKAGE
MODULES = [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")]


def bodies(tmp_path, monkeypatch, code: str) -> set[str]:
    """Return what each fault of a function's body turns it into."""
    (tmp_path / "m.py").write_text(f"def f(a, b):\n    {code}\n", encoding="utf-8")
    monkeypatch.setattr(faults, "PACKAGE", tmp_path)
    return {fault.text.decode().split("\n")[1].strip() for fault in faults.faults_of("m.py")}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("return a < b", {"return a <= b"}),
        ("return a not in b", {"return a in b"}),
        ("return f(a, a)", set()),
        ("return (a + b) * b", {"return (a - b) * b", "return (a + b) / b"}),
        ("return a @ b", {"return ((b) @ (a))"}),
        ("return not a", {"return (a)"}),
        ("return -a", {"return (a)"}),
        ("return a and b", {"return a or b"}),
        ("return a if a else b", {"return (b) if (a) else (a)"}),
        ("return a.T", {"return a"}),
        ("return f(a, b, dim=a)", {"return f(b, a, dim=a)"}),
        ("return max(a, b)", set()),
        ("return a[0]", {"return a[1]"}),
        ("return True, 0.5", {"return False, 0.5", "return True, 1.0"}),
        ("return 0.0", {"return 1.0"}),
        ("return '—', a + b", {"return '—', a - b"}),  # columns are counted in bytes
        ("raise ValueError(a + b)", set()),
        ("'''Say 3 + 4.'''", set()),
        ("x: tuple[3] = a", set()),
        ("return f(linewidth=2)", set()),
    ],
)
def test_a_fault_changes_one_thing(code, expected, tmp_path, monkeypatch):
    assert bodies(tmp_path, monkeypatch, code) == expected


@pytest.mark.parametrize("module", MODULES)
def test_every_fault_of_the_package_can_be_compiled_and_is_one(module):
    source = (PACKAGE / module).read_bytes()
    right = source.splitlines(keepends=True)
    firsts = [faults.first_line(statement) - 1 for statement in ast.parse(source).body]
    for fault in faults.faults_of(module):
        wrong = fault.text.splitlines(keepends=True)
        # the statement that it stands in; to read every module anew would take a minute
        first = max(line for line in firsts if line < fault.line)
        last = min((line for line in firsts if line >= fault.line), default=len(right))
        end = last + len(wrong) - len(right)
        assert wrong[:first] + wrong[end:] == right[:first] + right[last:], fault
        found, wanted = (ast.dump(ast.parse(b"".join(lines)))
                         for lines in (wrong[first:end], right[first:last]))  # fmt: skip
        assert found != wanted, fault


def test_there_are_enough_faults_and_each_of_those_by_hand_has_its_place():
    made = [fault for module in MODULES for fault in faults.faults_of(module)]
    assert len(faults.sample(made, mutants.NUMBER)) == mutants.NUMBER >= 100
    assert len(list(faults.written_by_hand())) >= 30
    assert set(mutants.EQUIVALENT) <= {fault.key for fault in made}


def test_a_module_is_tried_with_the_tests_that_import_it_the_nearest_first():
    of_report = mutants.tests_of("report/methods.py")  # imported by its name, in cli.py
    assert "/test_report" in of_report[0]
    names = [path.rsplit("/", 1)[-1] for path in mutants.tests_of("by_hand/attention.py")]
    assert names[:2] == ["test_attention.py", "test_by_hand.py"]
    assert "test_packaging.py" not in names
    assert "test_breakages.py" in names  # through claims.py


MODULE = """\
from functools import cache

LIMIT = 3

@cache
def same(x):
    return x

def twice(x):
    return list(map(lambda y: 2 * y, [x]))[0]
"""
TESTS = {
    "conftest": """
import pytest
from pack.m import same

@pytest.fixture(scope="session")
def four():
    return same(4)
""",
    "test_a": """
import subprocess, sys, time
from pack.m import same, twice

def test_unseen():
    subprocess.run([sys.executable, "-c", "from pack.m import twice; assert twice(1) == 2"],
                   check=True)

def test_slow():
    time.sleep(0.3)
    assert isinstance(twice(1), int)

def test_made(four):
    assert four > 3
""",
    "test_b": """
import threading
import pytest
from pack.m import same, twice

@pytest.mark.parametrize("word", ["a b", "[ü", "::"])
def test_word(word):
    assert same(word) == word

def test_quick():
    thread = threading.Thread(target=twice, args=[1])
    thread.start()
    thread.join()
""",
}


@pytest.fixture
def pack(tmp_path):
    """Return a function that runs the tests of a small package, with a plugin."""
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "m.py").write_text(MODULE, "utf-8")
    for name, text in TESTS.items():
        (tmp_path / f"{name}.py").write_text(text, "utf-8")

    def run(plugin: str) -> tuple[int, list[str]]:
        code = ("from pathlib import Path; import pytest; from tools.reached import *; raise "
                f"SystemExit(pytest.main(['-vx', '-p', 'no:cacheprovider'], [{plugin}]))")
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
        ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment,
                             capture_output=True, text=True, encoding="utf-8")  # fmt: skip
        tests = [line.split("::", 1)[1] for line in ran.stdout.splitlines() if "%]" in line]
        return ran.returncode, [test.partition(" PASSED")[0] for test in tests]

    return run


def test_the_tests_that_reach_a_function_go_first_and_the_rest_follows(pack, tmp_path):
    recorder = f"Recorder(Path({str(tmp_path / 'pack')!r}), Path('reached.json'))"
    code, as_written = pack(recorder)
    assert (code, len(as_written)) == (0, 7)
    record = reached.Record(*json.loads((tmp_path / "reached.json").read_text("utf-8")))

    def first(line: int) -> list[str]:
        return reached.tests_that_reach(record, "m.py", MODULE, line)

    # in a thread; a lambda's caller; what another process does is not seen
    assert first(10) == ["test_b.py::test_quick", "test_a.py::test_slow"]
    words = [test for test in first(7) if "test_word" in test]
    assert first(7) == first(5) == [*words, "test_a.py::test_made"]  # through its fixture
    assert len(words) == 3
    assert set(first(3)) == {*first(7), *first(10)}  # outside of functions
    assert reached.tests_that_reach(record, "another.py", MODULE, 10) == []

    code, tests = pack(f"ReachedFirst({first(10)})")
    assert tests == ["test_quick", "test_slow", *(x for x in as_written if x not in
                     ("test_quick", "test_slow"))]  # fmt: skip
    broken = MODULE.replace("2 * y", "3 * y")
    (tmp_path / "pack" / "m.py").write_text(broken, "utf-8")
    code, tests = pack(f"ReachedFirst({first(10)})")
    assert code == 1  # those that reach it pass; another notices
    assert tests[:2] == ["test_quick", "test_slow"]
    assert tests[2].startswith("test_unseen FAILED")


def test_a_fault_is_tried_with_its_tests_and_what_they_print_is_kept(monkeypatch, tmp_path):
    started = []

    def start(fault, tests, plugin, folder):
        started.append((fault, tests, list(plugin.place)))
        (folder / "output").write_text(f"of {fault}")
        if pid := os.fork():
            return pid
        os._exit(fault)

    monkeypatch.setattr(mutants, "start", start)
    jobs = [(1, ["a.py"], ["a.py::x"]), (0, ["b.py"], [])]
    assert sorted(mutants.run_all(jobs)) == [(0, 0, "of 0"), (1, 1, "of 1")]
    assert started == jobs


@pytest.mark.parametrize("code", [0, 1])
def test_where_nothing_is_wrong_nothing_may_be_noticed(code, monkeypatch, capsys):
    some = list(faults.faults_of("shapley.py"))[:9]
    tried = []

    def run_all(jobs):
        for fault, tests, first in jobs:
            tried.append(fault)
            assert (tests, first) == (["test_shapley.py"], ["first"])
            yield fault, code, "the output"

    monkeypatch.setattr(mutants, "run_all", run_all)
    monkeypatch.setattr(mutants, "reaching", lambda record, fault: ["first"])
    tests = {"shapley.py": ["test_shapley.py"]}
    assert mutants.unchanged_is_unnoticed(some, tests, None) == (code == 0)
    assert len(tried) >= mutants.CONTROLS
    source = (PACKAGE / "shapley.py").read_bytes()
    assert {fault.text for fault in tried} == {source}
    assert all(fault.text != source for fault in some)
    said = capsys.readouterr().out
    assert ("nothing was wrong: shapley.py" in said and "the output" in said) == (code == 1)

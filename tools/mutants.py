"""Put small faults into the package, one at a time, and see whether ``tests/unit`` notices.

    python3 -m nox -s mutants                  a fixed sample, over the whole package
    python3 -m nox -s mutants -- figures       only modules whose path has "figures" in it

A fault is made from the syntax tree (a comparison flipped, a sign dropped, a number off by one,
two arguments swapped), or written by hand, for what is drawn (``mutants_by_hand.py``). Each is
tried in a process of its own, on a copy of the package, with the tests that import the module,
the nearest first, up to the first that fails. It fails if fewer than 95 in 100 are noticed.

Needs ``os.fork``: Linux or macOS. Why not a known tool: mutmut 3 rewrites functions, so that
``show_source`` shows another; cosmic-ray loads torch anew for each; neither takes any by hand.
"""

import argparse
import ast
import contextlib
import hashlib
import math
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools.desk import ROOT, run_command
from tools.executions.imports import imported, parse
from tools.mutants_by_hand import BY_HAND, DIAGRAMS, EQUIVALENT, TASTE

PACKAGE = ROOT / "src" / "layerwise"
TESTS = ROOT / "tests" / "unit"
NUMBER = 150  # how many faults are made from the syntax tree
WANTED = 0.95
# A test run that does not end in this many times the time of all tests has noticed the fault.
PATIENCE = 2
PROCESSES = 2
NOT_TRIED = 99


class Fault(NamedTuple):
    """One thing that is wrong: where, what it says instead, and the module's whole text."""

    module: str  # by_hand/attention.py
    place: str  # the function
    line: int
    old: str
    new: str
    text: bytes

    def __str__(self) -> str:
        """Return what is wrong where, in one line."""
        return f"{self.module}:{self.line} {self.place}: {self.old}  →  {self.new}"

    @property
    def key(self) -> str:
        """What it is called, also after a change elsewhere in the module."""
        return f"{self.module} {self.place}: {self.old} → {self.new}"


# The same with two arguments swapped.
SYMMETRIC = {"cosine", "cosine_similarity", "max", "min", "transpose"}
SWAPS = {
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"),
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"), ast.Mod: ("%", "*"), ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"), ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}  # fmt: skip


def faults_of(module: str) -> Iterator[Fault]:
    """Make every fault that the syntax tree of a module offers."""
    source = (PACKAGE / module).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def span(node: ast.expr | ast.keyword) -> slice:
        return slice(
            starts[node.lineno - 1] + node.col_offset,
            starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0),
        )

    def text(node: ast.expr | ast.keyword) -> str:
        return source[span(node)].decode()

    def other(node: ast.expr, left: ast.expr, right: ast.expr, op: ast.AST) -> str:
        """Return an expression with another operator between two of its parts."""
        start, end = span(left).stop, span(right).start  # with the brackets of both
        old, new = (word.encode() for word in SWAPS[type(op)])
        between = source[start:end].replace(old, new, 1)
        before, after = source[span(node).start : start], source[end : span(node).stop]
        return (before + between + after).decode()

    for statement in ast.parse(source).body:  # each by itself: a whole module takes long
        part = slice(starts[first_line(statement) - 1], starts[statement.end_lineno or 0])
        right = ast.dump(ast.parse(source[part]))
        for place, node in expressions(statement, "module"):
            if module in DIAGRAMS and isinstance(node, ast.Constant | ast.Call):
                continue
            before, after = source[part.start : span(node).start], source[span(node).stop :]
            for new in instead(node, text, other):
                changed = before + new.encode() + after[: part.stop - span(node).stop]
                with contextlib.suppress(SyntaxError):
                    if ast.dump(ast.parse(changed)) == right:
                        continue  # two equal arguments swapped
                    whole = source[: part.start] + changed + source[part.stop :]
                    old, new = (" ".join(piece.split())[:70] for piece in (text(node), new))
                    yield Fault(module, place, node.lineno, old, new, whole)


def first_line(statement: ast.stmt) -> int:
    """Return the number of the line that a statement begins on, with what decorates it."""
    return min(x.lineno for x in [statement, *getattr(statement, "decorator_list", [])])


def expressions(node: ast.AST, place: str) -> Iterator[tuple[str, ast.expr]]:
    """Walk through what is computed: no annotation, docstring, message or matter of taste."""
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.keyword) and node.arg in TASTE:
        return
    if isinstance(node, ast.AnnAssign | ast.Assign):
        targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
        if any(isinstance(name, ast.Name) and name.id in TASTE for name in targets):
            return
    if isinstance(node, ast.expr):
        yield place, node
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        place = node.name
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from expressions(child, place)


def instead(node: ast.expr, text, other) -> Iterator[str]:
    """Yield what could stand by mistake in place of an expression."""
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in SWAPS:
            yield other(node, left, right, op)
        case ast.BinOp(left=left, op=ast.MatMult(), right=right):
            yield f"(({text(right)}) @ ({text(left)}))"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SWAPS:
            yield other(node, left, right, op)
        case ast.BoolOp(op=op, values=[left, right]):
            yield other(node, left, right, op)
        case ast.UnaryOp(op=ast.USub() | ast.Not() | ast.Invert()):
            yield f"({text(node.operand)})"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield f"({text(orelse)}) if ({text(test)}) else ({text(body)})"
        case ast.Constant(value=bool()):
            yield str(not node.value)
        case ast.Constant(value=int(number)):
            yield str(number + 1)
        case ast.Constant(value=float(number)):
            yield repr(number * 2 or 1.0)
        case ast.Attribute(attr="T"):
            yield text(node.value)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in SYMMETRIC:
            pass
        case ast.Call(args=[first, second, *rest], keywords=named):
            others = [text(argument) for argument in [second, first, *rest]]
            others += [text(k) for k in named]  # with its name
            yield f"{text(node.func)}({', '.join(others)})"


def written_by_hand() -> Iterator[Fault]:
    """Read BY_HAND; a fault whose place is gone has to be written anew."""
    for module, old, new in [(m, *pair) for m, pairs in BY_HAND.items() for pair in pairs]:
        source = (PACKAGE / module).read_text(encoding="utf-8")
        if source.count(old) != 1:
            raise SystemExit(f"mend BY_HAND: {old!r} does not stand once in {module}")
        line = source[: source.index(old)].count("\n") + 1
        yield Fault(module, "by hand", line, old, new, source.replace(old, new).encode())


def sample(faults: list[Fault], number: int) -> list[Fault]:
    """Draw faults so that one that is drawn stays drawn while the rest of the code changes."""
    # Of several with one key, as the ones in a matrix of ones, the last stands for all.
    known = {fault.key: fault for fault in faults if fault.key not in EQUIVALENT}
    drawn = sorted(known.values(), key=lambda f: hashlib.sha256(f.key.encode()).digest())
    return drawn[:number]


def sources() -> dict[str, str]:
    """Read the package and its tests: the text of each module, by the name that imports it."""
    files = {path.stem: path for path in TESTS.glob("*.py")}
    for path in PACKAGE.rglob("*.py"):
        files[dotted(path.relative_to(PACKAGE).as_posix())] = path
    return {name: path.read_text("utf-8") for name, path in files.items()}


def dotted(module: str) -> str:
    """Return the name that imports a module: by_hand/bert.py is layerwise.by_hand.bert."""
    name = f"layerwise/{module}".removesuffix(".py").removesuffix("/__init__")
    return name.replace("/", ".")


def tests_of(module: str) -> list[str]:
    """Return the test files that import a module, the nearest first."""
    texts, distances = sources(), {}
    for test in sorted(TESTS.glob("test_*.py")):
        seen, level, distance = set(), {test.stem}, 0
        while level and dotted(module) not in level:
            seen |= level
            level = {x for name in level for x in imported(parse(texts[name]), texts, name)} | {
                x for name in level for x in texts if f'"{x}"' in texts[name]  # import_module
            }
            level -= seen
            distance += 1
        if level:
            distances[str(test)] = distance
    parts = module.removesuffix(".py").split("/")

    def far(test: str) -> tuple:
        named = any(part in Path(test).stem for part in parts)
        return not named, distances[test], Path(test).stat().st_size

    return sorted(distances, key=far)


def start(fault: Fault | None, tests: list[str], folder: Path) -> int:
    """Run tests on a copy of the package, with a fault in it, in a process of its own."""
    shutil.copytree(PACKAGE, folder / "layerwise", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "data" / "datasets", folder / "layerwise" / "datasets")
    if fault:
        (folder / "layerwise" / fault.module).write_bytes(fault.text)
    pid = os.fork()
    if pid:
        return pid
    os.setsid()  # so that what the tests start ends with them
    output = os.open(folder / "output", os.O_CREAT | os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ["PYTHONPATH"] = str(folder)
    sys.path.insert(0, str(folder))
    code = NOT_TRIED
    try:
        import pytest

        import layerwise

        if Path(str(layerwise.__file__)).is_relative_to(folder):  # not the working tree's
            options = ["-x", "-q", "-p", "no:cacheprovider"]
            options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis
            # Without a file named, pytest would run every test there is.
            code = int(pytest.main([*options, *tests])) if tests else NOT_TRIED
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run_all(jobs: list, seconds: float = math.inf) -> Iterator[tuple]:
    """Run each fault with its tests, a few side by side; yield fault, exit code and output.

    What does not end in so many seconds is killed.
    """
    waiting, running = jobs[::-1], {}  # type: ignore[var-annotated]
    with tempfile.TemporaryDirectory() as scratch:
        while waiting or running:
            while waiting and len(running) < PROCESSES:
                fault, tests = waiting.pop()
                folder = Path(tempfile.mkdtemp(dir=scratch))
                running[start(fault, tests, folder)] = fault, folder, time.monotonic()
            for pid, (fault, folder, since) in list(running.items()):
                done, status = os.waitpid(pid, os.WNOHANG)
                if not done and time.monotonic() - since > seconds:
                    os.killpg(pid, signal.SIGKILL)
                    done, status = os.waitpid(pid, 0)
                if done:
                    output = (folder / "output").read_text(errors="replace")
                    yield fault, os.waitstatus_to_exitcode(status), output
                    shutil.rmtree(folder)
                    del running[pid]
            time.sleep(0.05)


def load_libraries() -> None:
    """Import once what every test run needs; each then starts as a copy of this process."""
    import hypothesis  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import seaborn  # noqa: F401
    import sentence_transformers  # noqa: F401
    import torch
    import transformers.models.bert.modeling_bert  # noqa: F401

    torch.set_num_threads(1)
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.chdir(ROOT)


def main() -> int:
    """Try the faults; say which were not noticed."""
    parser = argparse.ArgumentParser(description="Put faults into the package, one by one.")
    parser.add_argument("modules", nargs="*", help="parts of paths, as figures or checks.py")
    parser.add_argument("--number", type=int, default=NUMBER, help="faults not made by hand")
    wanted = parser.parse_args()
    return run_command(lambda: try_faults(wanted))


def try_faults(wanted: argparse.Namespace) -> int:
    """Try the faults in the modules wanted; return the exit status."""
    modules = [
        str(path.relative_to(PACKAGE).as_posix())
        for path in sorted(PACKAGE.rglob("*.py"))
        if not wanted.modules or any(part in path.as_posix() for part in wanted.modules)
    ]
    faults = sample([f for module in modules for f in faults_of(module)], wanted.number)
    faults += [fault for fault in written_by_hand() if fault.module in modules]
    load_libraries()
    began = time.monotonic()
    tests = {module: tests_of(module) for module in modules}
    whole = sorted({test for found in tests.values() for test in found})
    for _, code, output in run_all([(None, whole)]):
        if code:
            print(output, "The tests fail without any fault: mend that first.", sep="\n")
            return 1
    seconds = time.monotonic() - began
    print(f"{len(faults)} faults; without one, the tests pass ({seconds:.0f} s)", flush=True)
    missed = []
    jobs = [(fault, tests[fault.module]) for fault in faults]
    for fault, code, output in run_all(jobs, PATIENCE * seconds):
        if code in (0, 5, NOT_TRIED):  # all passed, or there were none
            missed.append(fault)
            print("not noticed:", fault, flush=True)
        elif code not in (1, 2, -signal.SIGKILL):  # a failure, an import that fails, no end
            print(f"ended with {code}: {fault}", output[-500:], sep="\n", flush=True)
    share = 1 - len(missed) / max(len(faults), 1)
    print(
        f"{len(faults) - len(missed)} of {len(faults)} faults noticed, {share:.1%}, in "
        f"{(time.monotonic() - began) / 60:.0f} min; {len(EQUIVALENT)} left out as equivalent"
    )
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())

"""Put small faults into the package, one at a time, and see whether ``tests/unit`` notices.

    python3 -m nox -s mutants                  a fixed sample, over the whole package
    python3 -m nox -s mutants -- figures       only modules whose path has "figures" in it

A fault is made from the syntax tree (a comparison flipped, a sign dropped, a number off by one,
two arguments swapped), or written by hand, for what is drawn (``mutants_by_hand.py``). Each is
tried in a process of its own, on a copy of the package, up to the first test that fails: first
with the tests that reach its function, the quickest first (``reached.py``), then with all
others in the files that import its module, the nearest first. It fails if fewer than 95 in 100
are noticed.

Needs ``os.fork``: Linux or macOS. Why not a known tool: mutmut 3 rewrites functions, so that
``show_source`` shows another; cosmic-ray loads torch anew for each; neither takes any by hand.
"""

import argparse
import json
import math
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tools.desk import ROOT, run_command
from tools.executions.imports import imported, parse
from tools.faults import PACKAGE, Fault, faults_of, sample, written_by_hand
from tools.mutants_by_hand import EQUIVALENT
from tools.reached import ReachedFirst, Record, Recorder, tests_that_reach

TESTS = ROOT / "tests" / "unit"
NUMBER = 150  # how many faults are made from the syntax tree
WANTED = 0.95
# A test run that does not end in this many times the time of all tests has noticed the fault.
PATIENCE = 2
PROCESSES = 2
NOT_TRIED = 99
UNNOTICED = (0, 5, NOT_TRIED)  # all tests passed, or there were none
CONTROLS = 4  # faults that are none, tried in the places of some that are


def sources() -> dict[str, str]:
    """Read the package and its tests: the text of each module, by the name that imports it."""
    files = {path.stem: path for path in TESTS.glob("*.py")}
    for path in PACKAGE.rglob("*.py"):
        files[dotted(path.relative_to(PACKAGE).as_posix())] = path
    return {name: path.read_text("utf-8") for name, path in files.items()}


@cache
def links() -> dict[str, set[str]]:
    """Return what each module of the package and its tests imports."""
    texts = sources()
    return {
        name: {*imported(parse(text), texts, name)}
        | {x for x in texts if f'"{x}"' in text}  # import_module
        for name, text in texts.items()
    }


def dotted(module: str) -> str:
    """Return the name that imports a module: by_hand/bert.py is layerwise.by_hand.bert."""
    name = f"layerwise/{module}".removesuffix(".py").removesuffix("/__init__")
    return name.replace("/", ".")


def tests_of(module: str) -> list[str]:
    """Return the test files that import a module, the nearest first."""
    distances = {}
    for test in sorted(TESTS.glob("test_*.py")):
        seen, level, distance = set(), {test.stem}, 0
        while level and dotted(module) not in level:
            seen |= level
            level = {x for name in level for x in links()[name]} - seen
            distance += 1
        if level:
            distances[str(test)] = distance
    parts = module.removesuffix(".py").split("/")

    def far(test: str) -> tuple:
        named = any(part in Path(test).stem for part in parts)
        return not named, distances[test], Path(test).stat().st_size

    return sorted(distances, key=far)


def start(fault: Fault | None, tests: list[str], plugin, folder: Path) -> int:
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
            code = int(pytest.main([*options, *tests], [plugin])) if tests else NOT_TRIED
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run_all(jobs: list, seconds: float = math.inf) -> Iterator[tuple]:
    """Run each fault with its tests, a few side by side; yield fault, exit code and output.

    A job is a fault, the files with its tests, and the tests that begin.

    What does not end in so many seconds is killed.
    """
    waiting, running = jobs[::-1], {}  # type: ignore[var-annotated]
    with tempfile.TemporaryDirectory() as scratch:
        while waiting or running:
            while waiting and len(running) < PROCESSES:
                fault, tests, first = waiting.pop()
                folder = Path(tempfile.mkdtemp(dir=scratch))
                pid = start(fault, tests, ReachedFirst(first), folder)
                running[pid] = fault, folder, time.monotonic()
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


def run_without_fault(tests: list[str]) -> Record | None:
    """Run tests and return what each reaches; None if one fails, and then say so."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        record = folder / "reached.json"
        pid = start(None, tests, Recorder(folder / "layerwise", record), folder)
        if os.waitpid(pid, 0)[1]:
            print((folder / "output").read_text(errors="replace"))
            print("The tests fail without any fault: mend that first.")
            return None
        return Record(*json.loads(record.read_text("utf-8")))


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


def reaching(record: Record, fault: Fault) -> list[str]:
    """Return the tests that reach the function of a fault, the quickest first."""
    source = (PACKAGE / fault.module).read_text("utf-8")
    return tests_that_reach(record, fault.module, source, fault.line)


def job(fault: Fault, tests: dict[str, list[str]], record: Record) -> tuple:
    """Return a fault, the files with its tests, and the tests that begin."""
    return fault, tests[fault.module], reaching(record, fault)


def unchanged_is_unnoticed(faults: list[Fault], tests: dict, record: Record) -> bool:
    """Try some places without a fault, and say so if a test fails there in another order.

    A test that depends on those before it would notice every fault.
    """
    places = faults[:: max(1, len(faults) // CONTROLS)]
    right = [f._replace(new=f.old, text=(PACKAGE / f.module).read_bytes()) for f in places]
    jobs = [job(fault, tests, record) for fault in right]
    upset = [(f, output) for f, code, output in run_all(jobs) if code not in UNNOTICED]
    for fault, output in upset:
        print(f"noticed, and nothing was wrong: {fault}", output[-1500:], sep="\n")
    return not upset


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
    record = run_without_fault(whole)
    if record is None:
        return 1
    seconds = time.monotonic() - began
    print(f"{len(faults)} faults; without one, the tests pass ({seconds:.0f} s)", flush=True)
    if not unchanged_is_unnoticed(faults, tests, record):
        return 1
    missed: list[Fault] = []
    jobs = [job(fault, tests, record) for fault in faults]
    for tried, (fault, code, output) in enumerate(run_all(jobs, PATIENCE * seconds), 1):
        if code in UNNOTICED:
            missed.append(fault)
            print("not noticed:", fault, flush=True)
        elif code not in (1, 2, -signal.SIGKILL):  # a failure, an import that fails, no end
            print(f"ended with {code}: {fault}", output[-500:], sep="\n", flush=True)
        if tried % 10 == 0:
            noticed, minutes = tried - len(missed), (time.monotonic() - began) / 60
            print(f"{tried} tried, {noticed} noticed, {minutes:.0f} min", flush=True)
    share = 1 - len(missed) / max(len(faults), 1)
    print(
        f"{len(faults) - len(missed)} of {len(faults)} faults noticed, {share:.1%}, in "
        f"{(time.monotonic() - began) / 60:.0f} min; {len(EQUIVALENT)} left out as equivalent"
    )
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())

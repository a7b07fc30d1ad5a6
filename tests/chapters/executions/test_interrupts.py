"""A command that is stopped, at any moment, stops in one sentence and leaves no process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from small_book import ROOT

SENTENCE = "interrupted; nothing is half-written, and the same command goes on from here\n"
MARK = "STARTED_BY_THIS_TEST"
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
# Waits in the first cell, with a process of its own.
WAIT = "import subprocess\nsubprocess.run(['sleep', '600'])\n"


def start(book, *command, **options):
    """Start a build, in a group of its own, as a terminal would; find it again by a mark."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(book.folder.parent), MARK: str(book.folder),
        "HF_HOME": str(book.folder / "models"), "PYTHONPATH": str(book.folder / "installed"),
    }  # fmt: skip
    return subprocess.Popen(
        command or [sys.executable, "-m", "tools.book.build", "--book", str(book.folder)],
        cwd=ROOT, env=environment, text=True, process_group=0, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in SIGNALS],
        **options,
    )  # fmt: skip


def left(book):
    """Return what runs of what a build has started: a kernel loses the mark, not its folder."""
    found = []
    for process in psutil.process_iter():
        try:
            environment, command = process.environ(), process.cmdline()
        except psutil.Error:
            continue
        marks = (environment.get(MARK), environment.get("HF_HOME"))
        if str(book.folder) in marks or str(book.folder / "models") in marks:
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(command))
    return found


def wait_for(condition, seconds=120):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.05)


def sleeps(book):
    return any(command == "sleep 600" for command in left(book))


def goes_on(book, undisturbed):
    """Check that the next build ends as one that was never disturbed."""
    run = book.build()
    assert run.status == 0, run.output
    assert book.built() == undisturbed.built()


@pytest.mark.parametrize("which", ["book", "built_book"])
def test_interrupted_before_it_begins(request, undisturbed, which):
    """While Python imports what it needs, for seconds."""
    book = request.getfixturevalue(which)
    process = start(book)
    wait_for(lambda: process.poll() is not None or signal_is_taken(process.pid))
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == SENTENCE
    assert process.returncode == 130
    assert book.built() == (undisturbed.built() if which == "built_book" else {})


def signal_is_taken(pid):
    """Tell whether a process handles SIGTERM itself."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line for line in lines if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1))


@pytest.mark.parametrize(
    ("which", "number"), [("built_book", signal.SIGINT), *(("book", n) for n in SIGNALS)]
)
def test_interrupted_while_executing(request, undisturbed, which, number):
    book = request.getfixturevalue(which)
    book.edit("chapters/one.md", "print(CONSTANT", WAIT + "print(CONSTANT")
    process = start(book)
    wait_for(lambda: sleeps(book))
    process.send_signal(number)
    output = process.communicate(timeout=60)[0]
    assert output.endswith(SENTENCE)
    assert output.count("interrupted") == 1
    assert "Traceback" not in output
    assert process.returncode == 130
    wait_for(lambda: not left(book))
    if number == signal.SIGINT:
        book.edit("chapters/one.md", WAIT, "")
        goes_on(book, undisturbed)


def test_interrupted_twice_by_all_signals_at_once(book):
    """As nox does, which does not wait for long: it ends at once, and once."""
    book.edit("chapters/one.md", "print(CONSTANT", WAIT + "print(CONSTANT")
    process = start(book)
    wait_for(lambda: sleeps(book))
    for number in SIGNALS * 2:
        process.send_signal(number)
        time.sleep(0.01)
    output = process.communicate(timeout=60)[0]
    assert "Traceback" not in output
    assert SENTENCE in output
    assert process.returncode == 130
    wait_for(lambda: not left(book))


@pytest.mark.parametrize("which", ["book", "built_book"])
def test_killed_without_a_word_no_kernel_is_left(request, which):
    book = request.getfixturevalue(which)
    before = book.built()
    wait = "import time\ntime.sleep(600)\n"
    book.edit("chapters/one.md", "print(CONSTANT", wait + "print(CONSTANT")
    process = start(book)
    wait_for(lambda: any("ipykernel" in command for command in left(book)))
    process.kill()
    wait_for(lambda: not left(book), seconds=20)
    process.communicate()
    assert book.built() == before


# Sleeps where Sphinx begins.
SLEEPING_EXTENSION = """
import time


def setup(app):
    open("BOOK/in-sphinx", "w").close()
    time.sleep(600)
"""


@pytest.mark.parametrize("which", ["book", "built_book"])
def test_interrupted_in_sphinx(request, undisturbed, which):
    book = request.getfixturevalue(which)
    before, settings = book.built(), (book.folder / "_config.yml").read_text()
    book.write("_ext/sleepy.py", SLEEPING_EXTENSION.replace("BOOK", str(book.folder)))
    book.edit("_config.yml", "local_extensions:", "local_extensions:\n    sleepy: _ext")
    process = start(book)
    wait_for((book.folder / "in-sphinx").exists)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert output.endswith(SENTENCE)
    assert "Traceback" not in output
    assert "Exception" not in output
    assert process.returncode == 130
    assert left(book) == []
    assert book.built() == before
    book.write("_config.yml", settings)
    goes_on(book, undisturbed)


MAKE_ASSETS = """
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, "")
from tools.desk import run_command
from tools.explorers import publish

publish.sys = SimpleNamespace(executable=sys.argv[1])
model = SimpleNamespace(asked_for="some/first")
basis = SimpleNamespace(models={"encoder": model, "decoder": model})
place = Path(sys.argv[1]).parent / "explorer" / "assets"
sys.exit(run_command(lambda: publish.make_assets(basis, place)))
"""


def test_interrupted_while_assets_are_made(built_book):
    """They are made by a process of their own."""
    maker = built_book.folder / "maker"
    maker.write_text("#!/bin/sh\nsleep 600\n")
    maker.chmod(0o755)
    process = start(built_book, sys.executable, "-c", MAKE_ASSETS, str(maker))
    wait_for(lambda: sleeps(built_book))
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60)[0] == SENTENCE
    assert process.returncode == 130
    wait_for(lambda: not left(built_book), seconds=10)
    assert not list(built_book.folder.glob("explorer/assets"))


@pytest.mark.parametrize("which", ["book", "built_book"])
def test_a_reader_who_goes_ends_the_build(request, undisturbed, which):
    """As in ``| head -1``: no traceback, and no half-written site."""
    book = request.getfixturevalue(which)
    build = f"'{sys.executable}' -m tools.book.build --book '{book.folder}'"
    process = start(book, "bash", "-c", f"{build} 2>'{book.log}' | head -1")
    assert "some/first" in process.communicate(timeout=300)[0]
    assert "Traceback" not in book.log.read_text()
    assert "BrokenPipe" not in book.log.read_text()
    assert left(book) == []
    html = book.folder / "_build/html"
    assert not html.exists() or book.built() == undisturbed.built()
    goes_on(book, undisturbed)

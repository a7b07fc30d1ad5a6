"""Every tool ends in one sentence where something is wrong, and in 130 where it is stopped."""

import importlib
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tools import desk
from tools.desk import BuildError, run_command

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("module", "arguments", "told"),
    [
        ("tools.site.archive", ["--site", "{}/nowhere"], "no site in {}/nowhere: build"),
        ("tools.site.archive", ["--site", "{}/site", "--to", "{}/site"], "a folder"),
        ("tools.site.pdf", ["--site", "{}/nowhere"], "no site in {}/nowhere: build it first"),
        ("tools.data.poems", ["--data", "{}/nowhere"], "nowhere"),
        ("tools.data.poems", ["--check", "--data", "{}/site/index.html"], "index.html"),
        ("tools.explorers.make", ["--out", "{}/out", "--model", "no/such"], "no/such"),
        ("tools.explorers.make", ["--out", "{}/site/index.html"], "it is a file where"),
        ("tools.executions.command", ["status", "--book", "{}"], "{} is no book: it has no"),
        ("tools.book.build", ["--book", "{}/nowhere"], "nowhere is no book: it has no"),
        ("tools.book.build", ["--device", "abacus"], "unknown device 'abacus': use --device"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(tmp_path, capsys, module, arguments, told):
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text("page", "utf-8")
    main = importlib.import_module(module).main
    assert main([argument.format(tmp_path) for argument in arguments]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("error: ")
    assert told.format(tmp_path) in last


def test_the_picture_needs_a_site(tmp_path, capsys, monkeypatch):
    from tools.site import picture

    monkeypatch.setattr(picture, "SITE", tmp_path)
    monkeypatch.setattr(picture, "PICTURE", tmp_path / "picture.png")
    assert picture.main() == 1
    assert capsys.readouterr().out.startswith(f"error: no site in {tmp_path}: build it first")


@pytest.mark.parametrize("module", ["tools.book.lint", "tools.book.cells"])
def test_lint_of_a_book_that_cannot_be_read(tmp_path, capsys, monkeypatch, module):
    lint = importlib.import_module(module)
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    assert lint.main() == 1
    assert capsys.readouterr().out.startswith(f"error: {tmp_path}/_config.yml: it is not there")


def is_main(path):
    return '__name__ == "__main__"' in path.read_text("utf-8")


@pytest.mark.parametrize(
    "path",
    [path for path in sorted((ROOT / "tools").rglob("*.py")) if is_main(path)],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_every_tool_is_run_through_the_desk(path):
    """But those that run where the libraries of the book are not installed yet."""
    alone = path.name in ("install.py", "lock.py") or path.parent.name == "stick"
    main = path.read_text("utf-8").partition("\ndef main(")[2]
    assert alone or "run_command(" in main


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_stopped(capsys, monkeypatch, number):
    ended = []
    monkeypatch.setattr(desk, "end_children", lambda: ended.append("children"))
    before = signal.getsignal(number)
    assert run_command(lambda: os.kill(os.getpid(), number)) == 130
    assert capsys.readouterr().out.startswith("interrupted; nothing is half-written")
    assert signal.getsignal(number) is before
    assert ended == ["children"]


# A child that has a child, in a session of its own; then this process gets a second signal
# when it has halted, or killed, the first of the two.
TWICE = """
import os, signal, subprocess, sys, time
import psutil
from tools.desk import run_command

def halting(method):
    def halt(process):
        method(process)
        os.kill(os.getpid(), signal.SIGTERM)
    return halt

setattr(psutil.Process, sys.argv[1], halting(getattr(psutil.Process, sys.argv[1])))
CHILD = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"

def wait():
    command = [sys.executable, "-c", CHILD + "; input()"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    print(child.pid, flush=True)
    time.sleep(600)

sys.exit(run_command(wait))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are of POSIX")
@pytest.mark.parametrize("method", ["suspend", "kill"])
def test_stopped_again_while_it_ends_what_it_has_started(method):
    """No grandchild is left that nobody knows any more."""
    command = [sys.executable, "-c", TWICE, method]
    run = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
    pids = [int(run.stdout.readline()) for _ in range(2)]
    started = [psutil.Process(pid) for pid in pids]
    try:
        run.send_signal(signal.SIGTERM)
        said = run.communicate(timeout=120)[0]
        assert said.startswith("interrupted; nothing is half-written")
        assert run.returncode == 130
        _, alive = psutil.wait_procs(started, timeout=60)
        assert alive == []
    finally:
        for process in [run, *started]:
            with suppress(psutil.Error):
                process.kill()


def test_a_signal_that_is_ignored_stays_ignored():
    """As for ``nohup``."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run_command(lambda: os.kill(os.getpid(), signal.SIGHUP) or 3) == 3
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_is_no_fault_of_the_reader_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BuildError("too few poems"), "error: too few poems"),
        (OSError(28, "x", "/page"), "error: /page: the disk is full: free some space"),
        (OSError(28, "x"), "error: the disk is full"),
        (PermissionError(13, "x", "/page"), "error: /page: it may not be read or written"),
        (OSError(30, "x", "/page"), "error: /page: it can only be read"),
        (IsADirectoryError(21, "x", "/page"), "error: /page: it is a folder, and a file"),
        (FileExistsError(17, "x", "/page"), "error: /page: it is a file where a folder"),
        (FileNotFoundError(2, "x", "/page"), "error: /page: it is not there"),
        (OSError(36, "File name too long", "/page"), "error: /page: File name too long"),
        (OSError("some reason"), "error: some reason"),
    ],
    ids=str,
)
def test_what_the_machine_refuses_is_told(capsys, error, told):
    def refuse():
        raise error

    assert run_command(refuse) == 1
    assert capsys.readouterr().out.startswith(told)


def test_names_that_a_terminal_cannot_show():
    say = "say('caf\\udce9 \\U0001f642')"
    program = f"from tools.desk import *; run_command(lambda: {say} or 0)"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False,
        env={"PYTHONIOENCODING": "ascii", "PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert run.stdout == b"caf\\udce9 \\U0001f642\n"
    assert run.stderr == b""

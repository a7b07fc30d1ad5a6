"""Install what the notebooks need from this stick, without a network.

    python3 install.py [FOLDER]      default: layer-by-layer, in your own folder
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

STICK = Path(__file__).resolve().parent
SYSTEMS = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}
MACHINES = {"linux": "x86_64", "windows": "AMD64", "macos": "arm64"}
ON_WINDOWS = os.name == "nt"


def check_machine() -> None:
    """End with a sentence where the stick has nothing for this machine."""
    made_for = json.loads((STICK / "made_for.json").read_text("utf-8"))
    system = SYSTEMS.get(platform.system(), platform.system())
    versions = [f"{major}.{minor}" for name, (major, minor) in made_for if name == system]
    if not versions:
        systems = sorted({name for name, _ in made_for})
        sys.exit(f"this stick is for {', '.join(systems)}; this machine runs {system}")
    if platform.machine() != MACHINES[system]:
        sys.exit(f"this stick is for processors of the kind {MACHINES[system]}; this one is "
                 f"{platform.machine()}")  # fmt: skip
    ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if ours not in versions:
        sys.exit(f"this is Python {ours}, and the stick is for {', '.join(versions)}: start "
                 f"this script with one, as python{versions[-1]} install.py")  # fmt: skip


def make_environment(folder: Path) -> Path:
    """Make an empty environment; return its Python."""
    python = folder / ".venv" / ("Scripts/python.exe" if ON_WINDOWS else "bin/python")
    try:
        venv.create(folder / ".venv", with_pip=True, clear=True)
    except subprocess.CalledProcessError:
        sys.exit("this Python has no ensurepip: on Debian and Ubuntu, install python3-venv")
    return python


def install(folder: Path) -> None:
    """Install everything, and put the notebooks beside it, but none that is there already."""
    python = make_environment(folder)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--isolated", "install",
           "--quiet", "--require-virtualenv", "--no-index", "--no-deps"]  # fmt: skip
    links = ["--find-links", str(STICK / "wheels")]
    package = next((STICK / "notebooks").glob("*.whl"))
    for what in ([*links, "--require-hashes", "-r", str(STICK / "requirements.txt")],
                 [str(package)]):  # fmt: skip
        if subprocess.run([*pip, *what], check=False).returncode:
            sys.exit("not installed: see above. Is the disk full, or the stick damaged?")
    for source in (STICK / "notebooks").iterdir():
        if not (folder / source.name).exists():  # a student's own work stays
            shutil.copy(source, folder)
    if ON_WINDOWS:
        start = folder / "start.bat"
        start.write_text('@cd /d "%~dp0"\n@.venv\\Scripts\\python -m jupyterlab\n', "utf-8")
    else:
        start = folder / "start.sh"
        start.write_text('#!/bin/sh\ncd "$(dirname "$0")" && .venv/bin/python -m jupyterlab\n',
                         "utf-8")  # fmt: skip
        start.chmod(0o755)
    check = subprocess.list2cmdline([sys.executable, str(STICK / "check.py"), str(folder)])
    print(f"installed. To check it: {check}\nTo begin: {start}")


if __name__ == "__main__":
    check_machine()
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path.home() / "layer-by-layer")
    target.mkdir(parents=True, exist_ok=True)
    install(target.resolve())

"""Install what the notebooks need from this stick, without a network.

    python3 install.py [FOLDER]      default: layer-by-layer, in your own folder

Started again, it installs anew; what was there stays until the new one is whole.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import venv
from contextlib import contextmanager
from pathlib import Path

STICK = Path(__file__).resolve().parent
NEEDED = ["requirements.txt", "check.py", "wheels/*.whl", "notebooks/[!.]*.whl",
          "notebooks/[!.]*.ipynb"]  # fmt: skip
SYSTEMS = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}
MACHINES = {"linux": "x86_64", "windows": "AMD64", "macos": "arm64"}
ON_WINDOWS = os.name == "nt"


def read_made_for() -> list:
    """Return the systems and versions that the stick is for; none if it does not say it."""
    try:
        made_for = json.loads((STICK / "made_for.json").read_text("utf-8"))
        return [(system, f"{major}.{minor}") for system, (major, minor) in made_for]
    except (OSError, ValueError, TypeError):
        return []


def wrong_with_stick() -> list:
    """Say what the stick lacks, if it was not made or copied to its end."""
    lacking = [name.replace("[!.]", "") for name in NEEDED if not any(STICK.glob(name))]
    if not read_made_for():
        lacking.append("made_for.json that can be read")  # it is written last
    if not lacking:
        return []
    return [f"this stick is not whole: {STICK} has no {', no '.join(lacking)}; have it made "
            "or copied again"]  # fmt: skip


def wrong_with_machine() -> list:
    """Say why the stick has nothing for this machine, if so."""
    made_for = read_made_for()
    system = SYSTEMS.get(platform.system(), platform.system())
    versions = [version for name, version in made_for if name == system]
    if not made_for:
        return []
    if not versions:
        systems = sorted({str(name) for name, _ in made_for})
        return [f"this stick is for {', '.join(systems)}; this machine runs {system}"]
    wrong = []
    if platform.machine() != MACHINES.get(system):
        wrong.append(f"this stick is for processors of the kind {MACHINES.get(system)}; this "
                     f"one is {platform.machine()}")  # fmt: skip
    ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if ours not in versions:
        wrong.append(f"this is Python {ours}, and the stick is for {', '.join(versions)}: start"
                     f" this script with one, as python{versions[-1]} install.py")  # fmt: skip
    return wrong


def wrong_with_folder(folder: Path) -> list:
    """Say why nothing can be installed into a folder, if so."""
    wrong = []
    if os.pathsep in str(folder):  # which Python takes for the end of a folder's name
        wrong.append(f"{folder}: its name holds {os.pathsep!r}: name another folder")
    there = next((path for path in [folder, *folder.parents] if os.path.exists(path)), folder)
    if not there.is_dir():
        wrong.append(f"{there} is no folder: name another")
    elif not os.access(there, os.W_OK | os.X_OK):
        wrong.append(f"{there} may not be written: name another folder")
    return wrong


@contextmanager
def new_environment(folder: Path):
    """Lend the Python of a new environment; the one from before is back if this one fails."""
    place, before, gone = (folder / f".venv{end}" for end in ("", ".before", ".gone"))
    shutil.rmtree(gone, ignore_errors=True)
    if before.exists():  # the last time was cut off
        shutil.rmtree(place, ignore_errors=True)
        before.rename(place)
    if place.exists():
        place.rename(before)
    try:
        venv.create(place, with_pip=True)
        yield place / ("Scripts/python.exe" if ON_WINDOWS else "bin/python")
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        if before.exists():
            before.rename(place)
        raise
    if before.exists():
        before.rename(gone)  # at once; taking it away may be cut off
        shutil.rmtree(gone, ignore_errors=True)


def install(folder: Path) -> None:
    """Install everything, and put the notebooks beside it, but none that is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    links = ["--find-links", str(STICK / "wheels")]
    package = next((STICK / "notebooks").glob("[!.]*.whl"))
    with new_environment(folder) as python:
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--isolated", "install",
               "--quiet", "--require-virtualenv", "--no-index", "--no-deps"]  # fmt: skip
        for what in ([*links, "--require-hashes", "-r", str(STICK / "requirements.txt")],
                     [str(package)]):  # fmt: skip
            if subprocess.run([*pip, *what], check=False).returncode:
                sys.exit("not installed: see above. Is the disk full, or the stick damaged? "
                         "What was there before is as it was")  # fmt: skip
    for source in (STICK / "notebooks").glob("[!.]*"):
        if source.is_file() and not (folder / source.name).exists():  # a student's own stays
            draft = folder / f".{source.name}.draft"
            shutil.copy(source, draft)
            os.replace(draft, folder / source.name)
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


def main() -> None:
    """Install, or end with what is wrong, all of it at once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="default: %(default)s",
                        default=os.path.expanduser("~/layer-by-layer"))  # fmt: skip
    folder = Path(os.path.realpath(parser.parse_args().folder))
    wrong = [*wrong_with_stick(), *wrong_with_machine(), *wrong_with_folder(folder)]
    if wrong:
        sys.exit("\n".join(wrong))
    try:
        install(folder)
    except KeyboardInterrupt:
        sys.exit("interrupted: start install.py again to install all; what was there before "
                 "is as it was")  # fmt: skip
    except subprocess.CalledProcessError:
        sys.exit("this Python has no ensurepip: on Debian and Ubuntu, install python3-venv")
    except OSError as error:
        sys.exit(f"not installed: {error.filename or folder}: {error.strerror or error}. Put "
                 "that right, or name another folder, and start install.py again")  # fmt: skip


if __name__ == "__main__":
    main()

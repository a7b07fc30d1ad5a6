"""The one way to build, test, run, serve and measure the book.

    python3 -m nox -s book            build and execute the book into _build/html
    python3 -m nox -s tests           run all tests

All sessions share one environment, .venv, installed once for each requirements.txt: after
that, no session needs the network.
"""

import hashlib
import os
import shutil
import venv
from pathlib import Path

import nox

ROOT = Path(__file__).parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
# Written last, when everything is installed: an install that was cut off is begun again.
STAMP = ENVIRONMENT / "installed.sha256"

nox.options.sessions = ["book"]
nox.options.default_venv_backend = "none"


def python(session: nox.Session, *arguments: str, **options) -> None:
    """Run the shared environment's Python, installing the environment first if need be."""
    install(session)
    session.run(str(PYTHON), *arguments, external=True, **options)


def install(session: nox.Session) -> None:
    """Install every pinned package into .venv, unless they are there already."""
    requirements = [ROOT / "requirements.txt", ROOT / "pyproject.toml"]
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in requirements)).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return
    session.log("installing the environment; this is the only step that needs the network")
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    venv.create(ENVIRONMENT, with_pip=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    session.run(*pip, "--requirement", str(requirements[0]), external=True)
    session.run(*pip, "--no-deps", "--no-build-isolation", "--editable", ".", external=True)
    STAMP.write_text(wanted)


@nox.session
def book(session: nox.Session) -> None:
    """Build the book into _build/html, executing what changed: --model NAME, --device NAME."""
    python(session, "-m", "tools.build_book", *session.posargs)


@nox.session
def cache(session: nox.Session) -> None:
    """Look after executions: status, pack FILE, unpack FILE, fingerprint."""
    python(session, "-m", "tools.cache", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests."""
    python(session, "-m", "pytest", *session.posargs)

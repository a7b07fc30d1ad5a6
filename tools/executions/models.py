"""The models that chapters run on: which stands for each role, what decides on its results."""

import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from tools.desk import BuildError, say
from tools.executions.environment import Workplace, kernel_variables

FETCH = "from layerwise.checkpoints import *; fetch_checkpoint(find_checkpoint({name!r}))"


class Model(NamedTuple):
    """The checkpoint that stands for a role.

    Attributes
    ----------
    asked_for : str
        A name on the hub, or a folder: what the package's loader is given.
    name : str
        What a reader is told.
    known : bool
        Whether it is on the book's list, and so verified when it is loaded.
    here : bool
        Whether its files are on this machine.
    part : dict of str to str
        What its executions rest on: name, revision, and the digest of each file that decides on
        a result. They are those of the files on this machine, so that one that was changed is
        seen; where they are not here, the published ones, so that executions carried here from
        a machine that has them can be used.
    """

    asked_for: str
    name: str
    known: bool
    here: bool
    part: dict[str, str]


def read_checkpoints(packages: Path) -> SimpleNamespace:
    """Import the list of known checkpoints, and nothing else of the package."""
    path = packages / "layerwise" / "checkpoints.py"
    return SimpleNamespace(**runpy.run_path(str(path), run_name="layerwise.checkpoints"))


def find_models(packages: Path, asked: Mapping[str, str | None]) -> dict[str, Model]:
    """Find the checkpoint for each role: the one asked for, or the default."""
    module = read_checkpoints(packages)
    return {
        role: find_model(module, role, asked.get(role) or module.default_checkpoint(role))
        for role in module.DEFAULTS
    }


def find_model(module: SimpleNamespace, role: str, asked_for: str) -> Model:
    """Find one checkpoint and what its results rest on."""
    try:
        checkpoint = module.find_checkpoint(asked_for)
        folder = module.local_folder(checkpoint)
        files = module.digests(folder) if folder else checkpoint.files
    except (ValueError, OSError) as error:
        raise BuildError(f"--{role} {asked_for}: {error}") from error
    if checkpoint.folder is not None and checkpoint.name not in module.CHECKPOINTS:
        asked_for = str(Path(checkpoint.folder).resolve())
    part = {"checkpoint": checkpoint.name, "revision": checkpoint.revision or "", **files}
    known = checkpoint.name in module.CHECKPOINTS
    return Model(asked_for, checkpoint.name, known, folder is not None, part)


def roles_of(named: tuple[str, ...] | None, models: dict[str, Model]) -> list[str]:
    """Return the roles that a header names, or all where it does not say."""
    if unknown := [role for role in named or () if role not in models]:
        raise BuildError(
            f"the header of a chapter names the model {unknown[0]!r}: the roles are "
            f"{', '.join(models)}"
        )
    return list(models) if named is None else list(named)


def fetch_models(models: dict[str, Model], workplace: Workplace) -> None:
    """Get models onto this machine, once, before every chapter asks for them."""
    for role, model in models.items():
        if model.here:
            continue
        say(f"fetching {model.name}")
        run = subprocess.run(
            [sys.executable, "-c", FETCH.format(name=model.asked_for)],
            env=kernel_variables(workplace, workplace.packages, list(models)),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if run.returncode != 0:
            reason = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise BuildError(
                f"chapters have to be executed, and their {role} cannot be had: {reason} "
                "Executions made where it is can be used here: nox -s cache -- unpack FILE"
            )

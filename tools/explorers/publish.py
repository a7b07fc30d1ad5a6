"""Put what the in-page explorers read beside the pages: weights, vocabulary, examples, drift.

It is made from the installed model by ``tools/explorers/make.py``, once for each fingerprint,
and kept in ``_build/explorer``. Nothing of it is committed.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.desk import ROOT, BuildError, say, sha256_of_text
from tools.executions.fingerprint import Basis, fingerprint_of_code
from tools.explorers.scripts import SOURCE, write_script_for_files

ASSETS = Path("_static/explorer/assets")


def add_in_page_model(root: Path, basis: Basis, html: Path) -> None:
    """Add the explorers' assets to pages that have just been written.

    A book without explorers needs none. On a machine without torch or the model, where pages
    are built from unpacked executions, the explorers show what stands in their place, and the
    build says so.
    """
    if not (root / "_static" / "explorer").is_dir():
        return
    made = root / "_build" / "explorer" / assets_key(basis)
    if not made.is_dir():
        if importlib.util.find_spec("torch") is None:
            say("torch is not installed: the pages are built without the in-page model")
            return
        if not basis.models["encoder"].here:
            say("the model is not here: the pages are built without the in-page model")
            return
        say("making the in-page model")
        make_assets(basis, made)
    shutil.copytree(made, html / ASSETS, copy_function=link_or_copy)
    write_script_for_files((html / ASSETS).parent)


def assets_key(basis: Basis) -> str:
    """Name assets after all they are made from: these programs, and what they use."""
    programs = [path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]
    kernel = (SOURCE / "kernel.wat").read_text("utf-8")
    digests = [
        path.read_text("utf-8")
        for path in sorted((ROOT / "data").glob("digests_of_order_*.json"))
    ]
    key = sha256_of_text("".join([*programs, kernel, *digests]))
    return fingerprint_of_code(programs, key, ("encoder", "decoder"), None, basis).digest


def make_assets(basis: Basis, place: Path) -> None:
    """Make the assets in a draft folder, then put them in place and drop those made before."""
    draft = place.with_name("draft")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(place.parent, ignore_errors=True)
    command = [sys.executable, "-m", "tools.explorers.make", "--out", str(draft)]
    options = {"--model": "encoder", "--decoder": "decoder"}
    for option, role in options.items():
        command += [option, basis.models[role].asked_for]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # sums in one order, on every machine
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise BuildError(f"the in-page model cannot be made:\n{run.stdout}{run.stderr}")
    os.replace(draft, place)


def link_or_copy(source: str, target: str) -> None:
    """Link a file, so that large ones are on the disk once; copy it where links do not work."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)

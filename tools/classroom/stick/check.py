"""Run notebooks as installed, and say what is ready or what is missing.

    python3 check.py [FOLDER] [NOTEBOOK ...]    default: all notebooks, in layer-by-layer

The notebooks are run as copies: nothing in the folder changes.
"""

import argparse
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

STICK = Path(__file__).resolve().parent


def read_arguments() -> tuple:
    """Return the folder and the names of notebooks; the first may be either."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="default: %(default)s",
                        default=os.path.expanduser("~/layer-by-layer"))  # fmt: skip
    parser.add_argument("names", nargs="*", metavar="NOTEBOOK", help="as tokens; default: all")
    given = parser.parse_args()
    if not os.path.dirname(given.folder) and not os.path.isdir(given.folder):
        given.names.insert(0, given.folder)
        given.folder = parser.get_default("folder")
    return Path(os.path.realpath(given.folder)), given.names


def in_its_environment(folder: Path, names: list) -> None:
    """Go on in the Python that was installed, if this is another."""
    python = folder / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        sys.exit(f"nothing is installed in {folder}: start install.py first")
    if Path(sys.prefix).resolve() != (folder / ".venv").resolve():
        again = subprocess.Popen([str(python), __file__, str(folder), *names])
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the other
        sys.exit(again.wait())
    try:
        for name in ("nbclient", "nbformat", "packaging"):
            import_module(name)
    except ImportError as error:
        sys.exit(f"{folder} is not wholly installed ({error}): start install.py again")


def missing_packages() -> list:
    """Return the pins that are not installed as they stand in requirements.txt."""
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import Requirement

    missing = []
    for line in (STICK / "requirements.txt").read_text("utf-8").splitlines():
        if "==" not in line or line.startswith((" ", "#")):
            continue
        wanted = Requirement(line.partition("--hash")[0].strip(" \\"))
        if wanted.marker and not wanted.marker.evaluate():
            continue
        try:
            if (found := version(wanted.name)) not in wanted.specifier:
                missing.append(f"{wanted.name} is {found}, not {wanted.specifier}")
        except PackageNotFoundError:
            missing.append(f"{wanted.name}{wanted.specifier} is missing")
    return missing


def run_notebook(path: Path) -> tuple:
    """Run a notebook; return how many of its cells ran, of how many, and what went wrong."""
    import nbformat
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # of many kinds, as a file may be broken in many ways
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return 0, 0, [f"is no whole notebook ({reason}): move it away, and copy it anew from "
                      f"{STICK / 'notebooks'}"]  # fmt: skip
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source]
    here = {"metadata": {"path": str(path.parent)}}
    ran = []

    def note(cell, cell_index, execute_reply):
        if execute_reply["content"]["status"] == "ok":
            ran.append(cell_index)

    client = NotebookClient(notebook, allow_errors=True, timeout=600, kernel_name="python3",
                            resources=here, on_cell_executed=note)  # fmt: skip
    wrong = []
    try:
        client.execute()
    except AssertionError:  # what nbclient makes of Ctrl+C
        raise KeyboardInterrupt from None
    except (CellTimeoutError, DeadKernelError, NoSuchKernel, RuntimeError) as error:
        wrong.append(str(error).strip().splitlines()[0])
    for number, cell in enumerate(cells, start=1):
        errors = [out for out in cell.outputs if out.output_type == "error"]
        wrong += [f"cell {number}: {out.ename}: {out.evalue}" for out in errors]
    return len(ran), len(cells), wrong


def main(folder: Path, names: list) -> int:
    """Check everything; return 0 if it is ready."""
    in_its_environment(folder, names)
    for line in (missing := missing_packages()):
        print(line)
    there = sorted(folder.glob("[!.]*.ipynb"))
    paths = [folder / f"{name.removesuffix('.ipynb')}.ipynb" for name in names] or there
    if not paths:
        sys.exit(f"{folder} has no notebooks: start install.py again")
    if gone := [path.name for path in paths if not path.is_file()]:
        sys.exit(f"{folder} has no {', '.join(gone)}")
    n_ran = n_cells = 0
    ready = not missing
    for path in paths:
        ran, cells, wrong = run_notebook(path)
        print(f"{path.name}: {ran} of {cells} cells", *wrong, sep="\n  ", flush=True)
        n_ran, n_cells, ready = n_ran + ran, n_cells + cells, ready and not wrong
    ready = ready and n_ran == n_cells
    print(f"{'ready' if ready else 'not ready'}: {n_ran} of {n_cells} cells")
    return 0 if ready else 1


if __name__ == "__main__":
    try:
        sys.exit(main(*read_arguments()))
    except KeyboardInterrupt:
        sys.exit("interrupted: nothing in the folder has changed")
    except OSError as error:
        sys.exit(f"not checked: {error.filename or error}: {error.strerror}")

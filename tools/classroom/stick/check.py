"""Run notebooks as installed, and say what is ready or what is missing.

    python3 check.py [FOLDER] [NOTEBOOK ...]    default: all notebooks, in layer-by-layer

The notebooks are run as copies: nothing in the folder changes.
"""

import os
import subprocess
import sys
from pathlib import Path

STICK = Path(__file__).resolve().parent


def in_its_environment(folder: Path) -> None:
    """Go on in the Python that was installed, if this is another."""
    python = folder / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        sys.exit(f"nothing is installed in {folder}: start install.py first")
    if Path(sys.prefix).resolve() != (folder / ".venv").resolve():
        again = [str(python), __file__, str(folder), *sys.argv[2:]]
        sys.exit(subprocess.run(again, check=False).returncode)


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
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    notebook = nbformat.read(path, as_version=4)
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
    except (CellTimeoutError, DeadKernelError, RuntimeError) as error:  # or it never began
        wrong.append(str(error).strip().splitlines()[0])
    for number, cell in enumerate(cells, start=1):
        errors = [out for out in cell.outputs if out.output_type == "error"]
        wrong += [f"cell {number}: {out.ename}: {out.evalue}" for out in errors]
    return len(ran), len(cells), wrong


def main(folder: Path, names: list) -> int:
    """Check everything; return 0 if it is ready."""
    in_its_environment(folder)
    for line in (missing := missing_packages()):
        print(line)
    paths = [folder / f"{name}.ipynb" for name in names] or sorted(folder.glob("*.ipynb"))
    if gone := [path.name for path in paths if not path.is_file()]:
        sys.exit(f"{folder} has no {', '.join(gone)}")
    n_ran = n_cells = 0
    for path in paths:
        ran, cells, wrong = run_notebook(path)
        print(f"{path.name}: {ran} of {cells} cells", *wrong, sep="\n  ", flush=True)
        n_ran, n_cells = n_ran + ran, n_cells + cells
    ready = n_ran == n_cells and not missing
    print(f"{'ready' if ready else 'not ready'}: {n_ran} of {n_cells} cells")
    return 0 if ready else 1


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else Path.home() / "layer-by-layer")
    sys.exit(main(where.resolve(), sys.argv[2:]))

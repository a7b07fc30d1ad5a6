"""Settings of the graded course; nbgrader reads this file for every command."""

import atexit
import re
import sys
from pathlib import Path

from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode, read
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader import preprocessors

COURSE = Path(__file__).parent

LOOKED_FOR = re.compile(r"find_spec\(module\) is None for module in (\[.*?\])")
TRIAL = """\
from importlib.util import find_spec

missing = [module for module in {modules} if find_spec(module) is None]
if missing:
    raise ModuleNotFoundError(f"there is no {{', '.join(missing)}}")
import layerwise.exercises.{assignment}"""


def stop_where_points_would_be_wrong(assignment: str, **_) -> None:
    """Stop before anybody is graded, where somebody would get 0 for no fault of the answers."""
    if assignment in found_to_work:
        return
    try_package(assignment)
    told = []
    for folder in sorted((COURSE / "submitted").glob("[!.]*")):
        if wrong := wrong_with(folder, assignment):
            told.append(f"{folder.name}: {wrong}")
    if told:
        first = "nobody is graded, as these would get 0 or be left out:"
        last = "Put each right in submitted/, or move it away, and give the same command again."
        sys.exit("\n".join([first, *told, last]))  # nbgrader goes on after any other exception
    found_to_work.add(assignment)


def try_package(assignment: str) -> None:
    """Stop if no test could pass: without what the notebook needs.

    The kernel is that of the notebooks, which need not be nbgrader's own Python.
    """
    source = COURSE / "source" / assignment / f"{assignment}.ipynb"
    first = next(cell for cell in read(source, 4).cells if cell.cell_type == "code")
    looked_for = LOOKED_FOR.search(first.source)
    code = TRIAL.format(assignment=assignment, modules=looked_for[1] if looked_for else "[]")
    notebook = new_notebook(cells=[new_code_cell(code)])
    client = NotebookClient(notebook, kernel_name="python3", timeout=120)
    try:
        client.execute()
    except CellExecutionError as error:
        sys.exit(
            f"nobody is graded: the notebooks' Python says {error.ename}: {error.evalue}. "
            f"Every test would fail. Run the first cell of {source} in the kernel python3: it "
            "installs what is missing"
        )
    except (NoSuchKernel, RuntimeError, TimeoutError, OSError) as error:
        atexit.unregister(client._cleanup_kernel)  # it fails where no kernel has started
        sys.exit(
            f"nobody is graded: the kernel python3 does not start: {error}. See which one "
            "is meant, jupyter kernelspec list, and whether its Python is still there"
        )


def wrong_with(folder: Path, assignment: str) -> str | None:
    """Say why what a student has submitted cannot be graded, if it cannot."""
    name = f"{assignment}.ipynb"
    if not folder.is_dir():
        return "it is a file where a student's folder is needed"
    if not (folder / assignment).exists() and not (folder / name).exists():
        return None  # nothing has been submitted
    notebook = folder / assignment / name
    if not notebook.is_file():
        there = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*"))
                 if path.is_file() and path.name != "timestamp.txt"]  # fmt: skip
        what = f"{', '.join(there)} is there instead" if there else "nothing else is there"
        return f"{folder.name}/{assignment}/{name} is not there: {what}"
    try:
        cells = read(notebook, 4).cells
    except Exception as error:  # whatever a damaged file makes of itself
        return f"{name} is no notebook ({' '.join(str(error).split())[:60]}): ask for it again"
    if not any(map(grade_id, cells)):
        return f"{name} was not made from the copy in release/: its answers have no marks"
    return None


def grade_id(cell: NotebookNode) -> str | None:
    """Return the name by which nbgrader knows a cell."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


class PutBack(preprocessors.NbGraderPreprocessor):
    """Puts cells that a student has deleted back to where they were, and unmarks copies.

    nbgrader puts back a test alone, and not where its answer has gone too.
    """

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Mend a submission."""
        about = resources["nbgrader"]
        released = COURSE / "release" / about["assignment"] / f"{about['notebook']}.ipynb"
        names = [grade_id(cell) for cell in nb.cells]
        for number, cell in enumerate(nb.cells):
            if grade_id(cell) in names[number + 1 :]:  # the last one counts
                cell.metadata.pop("nbgrader", None)
        place = -1
        for cell in filter(grade_id, read(released, 4).cells if released.is_file() else []):
            names = [grade_id(there) for there in nb.cells]
            if grade_id(cell) in names:
                place = names.index(grade_id(cell))
            else:
                place += 1
                nb.cells.insert(place, cell)
        return nb, resources


found_to_work: set[str] = set()

c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.CourseDirectory.course_id = "layer-by-layer"
c.ClearSolutions.code_stub = {"python": "# change the lines above"}
c.Autograde.pre_convert_hook = stop_where_points_would_be_wrong
c.Autograde.sanitize_preprocessors = [
    PutBack, preprocessors.ClearOutput, preprocessors.DeduplicateIds,
    preprocessors.OverwriteKernelspec, preprocessors.OverwriteCells,
    preprocessors.CheckCellMetadata,
]  # fmt: skip
c.Execute.timeout = 120  # seconds for a cell; one that takes longer is stopped
c.Execute.iopub_timeout = 120  # a busy machine may be silent for longer than four seconds
c.OverwriteCells.add_missing_cells = True

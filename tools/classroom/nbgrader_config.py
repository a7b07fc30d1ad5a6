"""Settings of the graded course; nbgrader reads this file for every command."""

import sys

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook


def stop_without_package(assignment: str, **_) -> None:
    """Stop before anybody is graded if no test could pass: without the book's package.

    Every test would fail, and everybody would get 0 without complaint. The kernel is that of
    the notebooks, which need not be nbgrader's own Python.
    """
    if assignment in found_to_work:
        return
    cell = new_code_cell(f"import layerwise.exercises.{assignment}")
    try:
        NotebookClient(new_notebook(cells=[cell]), kernel_name="python3", timeout=120).execute()
    except CellExecutionError as error:
        sys.exit(  # nbgrader goes on after any other exception
            f"nobody is graded: the notebooks' Python says {error.ename}: {error.evalue}. "
            "Every test would fail. Install the book's package into the Python of the kernel "
            f"python3: python3 -m pip install source/{assignment}/*.whl"
        )
    found_to_work.add(assignment)


found_to_work: set[str] = set()

c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.CourseDirectory.course_id = "layer-by-layer"
c.ClearSolutions.code_stub = {"python": "# change the lines above"}
c.Autograde.pre_convert_hook = stop_without_package
c.Execute.timeout = 120  # seconds for a cell; one that takes longer is stopped
c.Execute.iopub_timeout = 120  # a busy machine may be silent for longer than four seconds
c.OverwriteCells.add_missing_cells = True

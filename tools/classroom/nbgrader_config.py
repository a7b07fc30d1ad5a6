"""Settings of the graded course; nbgrader reads this file for every command."""

import re
import sys
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import read
from nbformat.v4 import new_code_cell, new_notebook

LOOKED_FOR = re.compile(r"find_spec\(module\) is None for module in (\[.*?\])")
TRIAL = """\
from importlib.util import find_spec

missing = [module for module in {modules} if find_spec(module) is None]
if missing:
    raise ModuleNotFoundError(f"there is no {{', '.join(missing)}}")
import layerwise.exercises.{assignment}"""


def stop_without_package(assignment: str, **_) -> None:
    """Stop before anybody is graded if no test could pass: without what the notebook needs.

    Every test would fail, and everybody would get 0 without complaint. The kernel is that of
    the notebooks, which need not be nbgrader's own Python.
    """
    if assignment in found_to_work:
        return
    source = Path(__file__).parent / "source" / assignment / f"{assignment}.ipynb"
    first = next(cell for cell in read(source, 4).cells if cell.cell_type == "code")
    looked_for = LOOKED_FOR.search(first.source)
    code = TRIAL.format(assignment=assignment, modules=looked_for[1] if looked_for else "[]")
    notebook = new_notebook(cells=[new_code_cell(code)])
    try:
        NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    except CellExecutionError as error:
        sys.exit(  # nbgrader goes on after any other exception
            f"nobody is graded: the notebooks' Python says {error.ename}: {error.evalue}. "
            f"Every test would fail. Run the first cell of {source} in the kernel python3: it "
            "installs what is missing"
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

"""Execute chapters, in parallel, each in a kernel of its own that depends on nothing else."""

import copy
import os
import platform
import re
import sysconfig
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from tqdm import tqdm

from tools.chapters import Chapter, Failure, code_cells
from tools.executions.environment import Workplace, kernel_environment

TRACEBACK_BEGINS = "An error occurred while executing the following cell:"
WIDGET = "application/vnd.jupyter.widget-view+json"
# A kernel picks free ports, and another program may take one of them before it does.
KERNEL_STARTS = 3
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")


def execute_chapters(
    chapters: list[Chapter],
    workplace: Workplace,
    n_parallel: int,
    keep: Callable[[Chapter, NotebookNode, dict], None],
    report: Callable[[str], None] = print,
) -> list[Failure]:
    """Execute chapters side by side, keeping each as soon as it is done.

    Parameters
    ----------
    chapters : list of Chapter
    workplace : Workplace
    n_parallel : int
        How many at a time.
    keep : callable
        Given each chapter that succeeded, its executed notebook, and the record of its
        execution. Called from this thread only.
    report : callable
        Given each line of progress; on a terminal a bar of cells runs beside it.

    Returns
    -------
    list of Failure
        The chapters that failed, in the order of ``chapters``. The others are not held up.
    """
    failures = {}
    n_cells = sum(len(chapter.code_cells) for chapter in chapters)
    with (
        kernel_environment(workplace),
        tqdm(total=n_cells, unit="cell", disable=None, leave=False) as bar,
        ThreadPoolExecutor(max(1, n_parallel)) as pool,
    ):
        futures = {pool.submit(execute, c, workplace, bar.update): c for c in chapters}
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                chapter = futures[future]
                result = future.result()
                if isinstance(result, Failure):
                    failures[chapter.name] = result
                    outcome = f"FAILED at {result.where}" if result.where else "FAILED"
                else:
                    keep(chapter, *result)
                    outcome = f"executed in {result[1]['seconds']:.1f} s"
                bar.clear()
                report(f"[{done}/{len(chapters)}] {chapter.name}: {outcome}")
        except KeyboardInterrupt:
            report("interrupted; chapters that were done stay in the cache")
            # Threads would go on to the end of their cells. Kernels end with this process, and
            # what is half-done is nowhere to be found, as after any other kill.
            os._exit(130)
    return [failures[chapter.name] for chapter in chapters if chapter.name in failures]


def execute(
    chapter: Chapter, workplace: Workplace, advance: Callable[[], object] = lambda: None
) -> tuple[NotebookNode, dict] | Failure:
    """Execute one chapter in an empty folder, calling ``advance`` after each code cell.

    A chapter that reads a file by a relative path fails here: that file would not be part of
    the fingerprint.
    """
    started = time.perf_counter()
    when = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(KERNEL_STARTS):
            notebook = copy.deepcopy(chapter.notebook)
            failure, cell_started = run_cells(chapter, notebook, folder, advance)
            if not failure or cell_started:
                break
        if failure:
            return failure
        make_repeatable(notebook, workplace, folder)
    if failure := find_address(chapter, notebook):
        return failure
    record = {
        "executed": when,
        "seconds": round(time.perf_counter() - started, 1),
        "device": workplace.device_name,
        "python": platform.python_version(),
    }
    return notebook, record


def run_cells(
    chapter: Chapter, notebook: NotebookNode, folder: str, advance: Callable[[], object]
) -> tuple[Failure | None, bool]:
    """Run a notebook's cells in a new kernel, filling in their outputs.

    Returns
    -------
    failure : Failure or None
    cell_started : bool
        False if the kernel did not come as far as the first cell.
    """
    current = {"cell": None}
    with tempfile.TemporaryFile() as kernel_messages:
        client = NotebookClient(
            notebook,
            timeout=chapter.time_limit,
            allow_errors=False,
            coalesce_streams=True,
            # On a busy machine outputs come late: then wait, or fail; never go on without.
            iopub_timeout=60,
            raise_on_iopub_timeout=True,
            record_timing=False,
            shutdown_kernel="immediate",
            resources={"metadata": {"path": folder}},
            on_cell_start=lambda cell, cell_index: current.update(cell=cell_index + 1),
            on_cell_executed=lambda **_: advance(),
        )
        try:
            if chapter.code_cells:
                client.execute(stderr=kernel_messages)
        except Exception as error:  # each is told with its cell and traceback
            kernel_messages.seek(0)
            messages = kernel_messages.read().decode(errors="replace").strip()
            failure = describe_failure(chapter, notebook, current["cell"], error, messages)
            return failure, current["cell"] is not None
    return None, True


def find_address(chapter: Chapter, notebook: NotebookNode) -> Failure | None:
    """Return a failure if an output shows a memory address: another one at each execution."""
    for number, cell in code_cells(notebook):
        for output in cell.outputs:
            shown = [output.get("text", ""), *output.get("traceback", [])]
            shown += [text for text in output.get("data", {}).values() if isinstance(text, str)]
            if match := ADDRESS.search("\n".join(shown)):
                return Failure(
                    chapter.name,
                    chapter.place(number),
                    f"the output shows a memory address, {match.group()!r}, which is another "
                    "one at each execution",
                    cell.source,
                )
    return None


def describe_failure(
    chapter: Chapter,
    notebook: NotebookNode,
    cell_number: int | None,
    error: Exception,
    kernel_messages: str,
) -> Failure:
    """Say which cell failed, why, and where in the source it stands."""
    if isinstance(error, CellExecutionError):
        what, traceback = f"{error.ename}: {error.evalue}", error.traceback.strip()
        traceback = traceback.removeprefix(TRACEBACK_BEGINS).strip()
    elif isinstance(error, CellTimeoutError):
        what = f"TimeoutError: the cell ran longer than {chapter.time_limit} s"
        traceback = str(error)
    elif isinstance(error, DeadKernelError):
        what = "DeadKernelError: the kernel died while this cell ran"
        traceback = kernel_messages
    else:
        what, traceback = f"{type(error).__name__}: {error}", kernel_messages
    if cell_number is None:
        return Failure(chapter.name, "", what, traceback)
    if not isinstance(error, CellExecutionError):  # its traceback begins with the cell
        traceback = f"{notebook.cells[cell_number - 1].source}\n{'-' * 40}\n{traceback}"
    return Failure(chapter.name, chapter.place(cell_number), what, traceback)


def make_repeatable(notebook: NotebookNode, workplace: Workplace, folder: str) -> None:
    """Take out of an executed notebook what would differ at the next execution of the same.

    Ids of cells are random; widgets carry random ids, show progress that is over, and need
    scripts from another host; paths and process numbers belong to this machine.
    """
    notebook.metadata.pop("widgets", None)
    for number, cell in enumerate(notebook.cells, start=1):
        cell["id"] = f"cell-{number}"
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        cell.outputs = [out for out in cell.outputs if WIDGET not in out.get("data", {})]
        for output in cell.outputs:
            hide_machine(output, workplace, folder)


def machine_paths(workplace: Workplace, folder: str) -> list[tuple[re.Pattern, str]]:
    """Return the paths of this machine that outputs may show, and what to write instead."""
    paths = [
        (str(workplace.packages), "src"),
        (sysconfig.get_path("purelib"), "site-packages"),
        (sysconfig.get_path("platlib"), "site-packages"),
        (sysconfig.get_path("stdlib"), "python"),
        (folder, "."),
    ]
    home = str(Path.home())
    paths += [
        (path.replace(home, "~", 1), short) for path, short in paths if path.startswith(home)
    ]
    found = [(re.compile(re.escape(path)), short) for path, short in paths]
    temporary = re.escape(tempfile.gettempdir())
    return [(re.compile(rf"{temporary}/ipykernel_\d+/\d+\.py"), "cell.py"), *found]


def hide_machine(output: NotebookNode, workplace: Workplace, folder: str) -> None:
    """Shorten the paths in what a cell printed or raised."""
    for pattern, short in machine_paths(workplace, folder):
        if output.output_type == "stream":
            output.text = pattern.sub(short, output.text)
        elif output.output_type == "error":
            output.traceback = [pattern.sub(short, line) for line in output.traceback]
            output.evalue = pattern.sub(short, output.evalue)
        elif "text/plain" in output.get("data", {}):
            output.data["text/plain"] = pattern.sub(short, output.data["text/plain"])

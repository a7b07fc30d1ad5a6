"""Execute chapters, in parallel, each in a kernel of its own that depends on nothing else."""

import atexit
import copy
import os
import platform
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import zmq
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from tqdm import tqdm
from traitlets import default

from tools.chapters import Chapter, Failure
from tools.desk import end_all_below, give_up
from tools.executions.devices import instruction_set
from tools.executions.environment import Workplace, kernel_variables
from tools.executions.outputs import LARGEST_OUTPUT, find_fault, make_repeatable

TRACEBACK_BEGINS = "An error occurred while executing the following cell:"
# A kernel picks free ports, and another program may take one of them before it does.
KERNEL_STARTS = 3
SECONDS_TO_SEND = 10
# Run by every kernel before its first cell.
STARTUP = Path(__file__).with_name("startup.py")
RUNNING: set["Client"] = set()
STOPPED = threading.Event()


class Task(NamedTuple):
    """A chapter to execute, what it can import, and the models that it can load."""

    chapter: Chapter
    packages: Path
    roles: list[str]


class OwnKernel(AsyncKernelManager):
    """Starts kernels of this very Python, whatever kernels a person has set up."""

    @default("kernel_spec_manager")
    def _no_folders(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])

    def client(self, **options):
        """Make a client that gives up where no kernel can be: by itself it sends for ever.

        So it is where another program has taken the port that speaks the same language.
        """
        client = super().client(**options)
        client.context.setsockopt(zmq.SNDTIMEO, SECONDS_TO_SEND * 1_000)
        return client


class Client(NotebookClient):
    """Runs the cells of a notebook; stops a cell that shows too much."""

    shown = 0

    def process_message(self, msg: dict, cell: NotebookNode, cell_index: int):
        """Count what a cell shows, and end the kernel where that is too much."""
        if self.shown > LARGEST_OUTPUT:
            return None
        self.shown += len(str(msg["content"]))
        if self.shown > LARGEST_OUTPUT:
            cell.outputs = []
            end_kernel(self)
            return None
        return super().process_message(msg, cell, cell_index)


def execute_chapters(
    tasks: list[Task],
    workplace: Workplace,
    n_parallel: int,
    keep: Callable[[Chapter, NotebookNode, dict], None],
    report: Callable[[str], None] = print,
) -> list[Failure]:
    """Execute chapters side by side, keeping each as soon as it is done.

    Parameters
    ----------
    tasks : list of Task
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
        The chapters that failed, in the order of ``tasks``. The others are not held up.
    """
    failures = {}
    STOPPED.clear()
    n_cells = sum(len(task.chapter.code_cells) for task in tasks)
    with (
        tqdm(total=n_cells, unit="cell", disable=None, leave=False) as bar,
        ThreadPoolExecutor(max(1, n_parallel)) as pool,
    ):
        futures = {pool.submit(execute, t, workplace, bar.update): t.chapter for t in tasks}
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
                report(f"[{done}/{len(tasks)}] {chapter.name}: {outcome}")
        except BaseException as error:  # or nobody reads what is reported, or nothing is kept
            STOPPED.set()
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                # Threads would go on to the end of their cells. What is half-done is nowhere
                # to be found, as after any other kill.
                give_up()
            end_kernels()
            raise
    names = [task.chapter.name for task in tasks]
    return [failures[name] for name in names if name in failures]


def end_kernels() -> None:
    """Kill every kernel that runs, and what it has started."""
    for client in list(RUNNING):
        end_kernel(client)


def end_kernel(client: "Client") -> None:
    """Kill a kernel and what it has started."""
    process = getattr(getattr(client.km, "provisioner", None), "process", None)
    if process is not None:
        end_all_below(process.pid)  # also what has left the kernel's group
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()


def execute(
    task: Task, workplace: Workplace, advance: Callable[[], object] = lambda: None
) -> tuple[NotebookNode, dict] | Failure:
    """Execute one chapter in an empty folder, calling ``advance`` after each code cell.

    A chapter that reads a file by a relative path fails here: that file would not be part of
    the fingerprint.
    """
    chapter = task.chapter
    started = time.perf_counter()
    when = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(KERNEL_STARTS):
            notebook = copy.deepcopy(chapter.notebook)
            failure, cell_started = run_cells(task, workplace, notebook, folder, advance)
            if not failure or cell_started or STOPPED.is_set():
                break
        if failure:
            return failure
        folders = [Path(name) for name in workplace.models.values() if Path(name).is_absolute()]
        hidden = {str(model): model.name for model in folders}
        make_repeatable(notebook, hidden | {str(task.packages): "src", folder: "."})
    if failure := find_fault(chapter, notebook):
        return failure
    record = {
        "executed": when,
        "seconds": round(time.perf_counter() - started, 1),
        "device": workplace.device_name,
        "instructions": instruction_set(),
        "python": platform.python_version(),
    }
    return notebook, record


@contextmanager
def ipython_folder() -> Iterator[str]:
    """Make a folder of settings for IPython, with our start-up file and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "profile_default" / "startup" / STARTUP.name
        place.parent.mkdir(parents=True)
        place.write_bytes(STARTUP.read_bytes())
        yield folder


def run_cells(
    task: Task,
    workplace: Workplace,
    notebook: NotebookNode,
    folder: str,
    advance: Callable[[], object],
) -> tuple[Failure | None, bool]:
    """Run a notebook's cells in a new kernel, filling in their outputs.

    Returns
    -------
    failure : Failure or None
    cell_started : bool
        False if the kernel did not come as far as the first cell.
    """
    chapter, current = task.chapter, {"cell": None}
    if not chapter.code_cells:
        return None, True

    def start(cell, cell_index):
        current["cell"], client.shown = cell_index + 1, 0

    client = Client(
        notebook,
        kernel_manager_class=OwnKernel,
        timeout=chapter.time_limit,
        allow_errors=False,
        # On a busy machine outputs come late: then wait, or fail; never go on without.
        iopub_timeout=60,
        raise_on_iopub_timeout=True,
        record_timing=False,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": folder}},
        on_cell_start=start,
        on_cell_executed=lambda **_: advance(),
    )
    with tempfile.TemporaryFile() as kernel_messages, ipython_folder() as settings:
        variables = kernel_variables(workplace, task.packages, task.roles)
        RUNNING.add(client)
        try:
            client.execute(stderr=kernel_messages, env=variables | {"IPYTHONDIR": settings})
        except Exception as error:  # each is told with its cell and traceback
            kernel_messages.seek(0)
            messages = kernel_messages.read().decode(errors="replace").strip()
            too_much = ValueError(f"the cell shows more than {LARGEST_OUTPUT / 1e6:.0f} MB")
            why = too_much if client.shown > LARGEST_OUTPUT else error
            failure = describe_failure(chapter, notebook, current["cell"], why, messages)
            return failure, current["cell"] is not None
        finally:
            RUNNING.discard(client)
            atexit.unregister(client._cleanup_kernel)  # nbclient's own, left by a failed start
    return None, True


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

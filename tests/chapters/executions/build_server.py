"""Run the tools for tests, each time in a fresh process that need not import anything again.

Reads one request a line from standard input, as JSON: ``module`` and ``arguments`` to run,
``environment`` to add, ``output`` file to write to, ``kill_at``: the change to the file system,
counted from 1, at which a signal is sent (None: never), and ``by``, the signal's name: SIGKILL
to the whole process group, another one to the process. Answers one line: the exit status,
negative for a signal.
"""

import importlib
import json
import os
import signal
import sys
import traceback

import tools.book.build
import tools.executions.command  # noqa: F401

# What a build imports, and takes seconds over.
for module in (
    "jupyter_book.sphinx", "nbclient", "myst_nb.sphinx_ext", "sphinx_togglebutton",
    "sphinx_copybutton", "sphinx_thebe", "sphinx_comments", "sphinx_design",
    "sphinx_book_theme", "sphinx_jupyterbook_latex", "sphinx_multitoc_numbering",
    "sphinxcontrib.bibtex", "sphinx.ext.intersphinx", "sphinx.builders.html", "alabaster",
    "myst_nb.core.execute.cache",
):  # fmt: skip
    importlib.import_module(module)

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "sqlite3.connect"}
WRITING = os.O_WRONLY | os.O_RDWR


class KillSwitch:
    """Count a process's changes to files below a folder; kill its group at one of them.

    Or interrupt the process there, which goes on to its own end.
    """

    def __init__(self, folder: str, kill_at: int | None, by: str, count_file: str):
        self.folder, self.kill_at, self.count_file = folder, kill_at, count_file
        self.number = signal.Signals[by]
        self.count = 0
        self.busy = False

    def __call__(self, event: str, arguments: tuple) -> None:
        """See one event of the interpreter (an audit hook)."""
        if self.busy or (event not in CHANGES and event != "open"):
            return
        path = arguments[0]
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, (str, os.PathLike)) or self.folder not in os.fspath(path):
            return
        if event == "open" and not (arguments[2] or 0) & WRITING:
            return
        self.busy = True
        self.count += 1
        with open(self.count_file, "w") as file:
            file.write(str(self.count))
        if self.count == self.kill_at and self.number == signal.SIGKILL:
            if event == "open" and self.count % 2:
                with open(path, "wb") as file:  # as if killed in the midst of writing
                    file.write(b"<!DOCTYPE ht")
            os.killpg(0, signal.SIGKILL)
        self.busy = False
        if self.count == self.kill_at:
            os.kill(os.getpid(), self.number)


def run(request: dict) -> None:
    """Run one request in this process, a child; never returns."""
    status = 70
    try:
        os.setsid()
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.update(request["environment"])
        sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)  # as at the start of Python
        asked = (request[name] for name in ("folder", "kill_at", "by"))
        sys.addaudithook(KillSwitch(*asked, request["output"] + ".count"))
        if "SMALL_BOOK_LOSE_INDEX" in os.environ:
            lay_out = tools.book.pages.lay_out_for_sphinx
            tools.book.pages.lay_out_for_sphinx = lambda _, folder: lay_out([], folder)
        status = importlib.import_module(request["module"]).main(request["arguments"])
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            run(request)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()

"""Run by every kernel before its first cell: what would go wrong without a word is an error.

That is: a module that is not in the chapter's copy of the package, a command after ``!`` that
fails, and ``quit()``, which ends the kernel and all that it holds.
"""

import subprocess
import sys

from IPython import get_ipython
from IPython.utils.text import SList


def checked_system(command: str) -> None:
    """Run ``!command``; raise if it fails.

    What it shows is passed on in pieces, not kept to its end: some commands never stop.
    """
    with subprocess.Popen(
        shell.var_expand(command, depth=1), shell=True, text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as running:  # fmt: skip
        try:
            while piece := running.stdout.read(8192):  # type: ignore[union-attr]
                print(piece, end="")
        except BaseException:
            running.kill()
            raise
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, running.args)


def checked_output(command: str, split: bool = True, depth: int = 0):
    """Run ``lines = !command``; raise if it fails."""
    output = subprocess.check_output(
        shell.var_expand(command, depth=depth + 1), shell=True, text=True
    )
    return SList(output.splitlines()) if split else output


def refuse_to_quit(*_) -> None:
    """Stand in for quit() and exit()."""
    raise RuntimeError("quit() and exit() end the kernel: leave them out of a chapter")


# What is installed as editable leads to the sources, past the copy that the chapter runs on.
sys.meta_path[:] = [
    finder
    for finder in sys.meta_path
    if "__editable__" not in getattr(finder, "__module__", "")
]
shell = get_ipython()
shell.system, shell.getoutput = checked_system, checked_output
shell.user_ns.update(quit=refuse_to_quit, exit=refuse_to_quit)

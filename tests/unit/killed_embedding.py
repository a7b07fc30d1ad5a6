"""Run a command to its end, and again, killed ten times on the way: see test_embed.py.

    python killed_embedding.py embed TABLE … --out

Each run is a fork of this process, so that torch is imported once. Of ten runs into one folder
each gets a little further before it kills itself, with SIGKILL, at a moment of its own: while a
part is computed, when its draft is half written, when it is whole but has not its name, when it
has.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from layerwise import cli
from layerwise.embed import folder, run

MOMENTS = [
    "half a draft", "draft", "name", "computing", "half a draft", "draft", "name", "computing",
    "half a draft", "draft",
]  # fmt: skip


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(moment: str, nth: int) -> None:
    """Arrange for this process to be killed at the nth of such moments."""
    calls = 0

    def counted(function: Callable, before: bool, matters: Callable) -> Callable:
        def wrapped(*arguments):
            nonlocal calls
            calls += matters(*arguments)
            if calls == nth and before:
                if moment == "half a draft":
                    os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
                die()
            result = function(*arguments)
            if calls == nth:
                die()
            return result

        return wrapped

    if moment == "computing":
        run.make_file = counted(run.make_file, True, lambda *_: True)
    elif moment == "name":
        Path.replace = counted(Path.replace, False, lambda *_: True)
    else:  # of the two that are brought to the disk, the file; then comes its folder
        os.fsync = counted(os.fsync, True, lambda place: os.fstat(place).st_size > 0 and
                           not os.path.isdir(f"/dev/fd/{place}"))  # fmt: skip


def run_in_a_fork(arguments: list[str], moment: str = "", nth: int = 0) -> int:
    """Run the command in a fork; return how it ended, as the system says."""
    child = os.fork()
    if child == 0:
        if moment:
            die_at(moment, nth)
        os._exit(cli.main(arguments))
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    torch.set_num_threads(1)
    run.ROWS_PER_PART = 2
    command = sys.argv[1:]
    assert run_in_a_fork([*command, "calm"]) == 0
    for i, moment in enumerate(MOMENTS):
        # The first are killed at run.json, the others get one part further, or two.
        ended = run_in_a_fork([*command, "disturbed"], moment, 1 if i < 4 else 2)
        assert os.WIFSIGNALED(ended), (moment, ended)
        assert os.WTERMSIG(ended) == signal.SIGKILL
        print("killed", moment.replace(" ", "-"), len(os.listdir("disturbed")))
    assert run_in_a_fork([*command, "disturbed"]) == 0
    assert folder.RUN in os.listdir("disturbed")

"""The command `layerwise`: one table of subcommands, each a module with a parser of its own."""

import difflib
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from threading import Event
from typing import NamedTuple


class Command(NamedTuple):
    """A subcommand: its module has ``build_parser()`` and ``run(options)``."""

    module: str
    summary: str


# A module is imported when its command is called: `layerwise --help` answers at once.
COMMANDS = {
    "report": Command(
        "layerwise.report.command",
        "a folder with figures, numbers, controls and a page, for your own texts",
    ),
    "embed": Command(
        "layerwise.embed.command",
        "every layer of every text of a table, as parquet files",
    ),
}
HELP = """\
layerwise looks at what each layer of a language model does to texts.

usage: layerwise COMMAND [options]

{commands}

layerwise COMMAND --help says what a command takes; layerwise --version says which this is.
An example, with a table that has a column of texts and one of labels:

    layerwise report texts.csv --text text --label theme
"""
STOPPED = 130  # the exit status of what was stopped by Ctrl+C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and end with a status: 0 done, 1 impossible, 2 asked wrongly.

    Whatever goes wrong is said in one sentence, on standard error. With the environment
    variable LAYERWISE_TRACEBACK set, Python's traceback is shown instead.
    """
    is_program = arguments is None
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console that knows few characters
    try:
        status = dispatch(arguments)
        sys.stdout.flush()
        if is_program:  # all is done: what Python still closes is not worth a traceback
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        return status
    except KeyboardInterrupt as stopped:
        said = str(stopped) or "stopped; nothing was written"  # or what a command says of it
        print(f"\nlayerwise: {said}", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # Whoever read has gone; Python would complain once more when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # the last place where a traceback can become a sentence
        if os.environ.get("LAYERWISE_TRACEBACK"):
            raise
        print(f"layerwise: {in_one_sentence(error)}", file=sys.stderr)
        return 1


def dispatch(arguments: list[str]) -> int:
    """Find the command, read its options and run it."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        width = max(map(len, COMMANDS))
        lines = [f"    {name:{width}}  {command.summary}" for name, command in COMMANDS.items()]
        print(HELP.format(commands="\n".join(lines)), end="")
        return 0
    if arguments[0] in {"-V", "--version"}:
        print(f"layerwise {version('layerwise')}")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(COMMANDS)}"
        print(f"layerwise: unknown command {name!r}: {hint}", file=sys.stderr)
        return 2
    module = importlib.import_module(COMMANDS[name].module)
    try:
        options = module.build_parser().parse_args(rest)
    except SystemExit as ended:  # after --help, or with an option that is wrong
        return int(ended.code or 0)
    options.arguments = rest  # for a command that says how it was called
    with hear_stops() as options.stopped:
        module.run(options)
    return 0


@contextmanager
def hear_stops() -> Iterator[Event]:
    """Raise KeyboardInterrupt when we are asked to stop, and remember it.

    A scheduler's or a shell's "please stop" is heard as Ctrl+C is. Python drops an exception
    that is raised in a destructor or a callback: before anything is put in its place, a command
    asks once more.
    """
    asked = Event()

    def stop(*_: object) -> None:
        asked.set()
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as in a shell's background
        numbers.append(signal.SIGINT)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_one_sentence(error: Exception) -> str:
    """Say what went wrong: our own errors as they are, others with what they are."""
    text = " ".join(str(error).split())
    if isinstance(error, ValueError | TypeError | RuntimeError | FileNotFoundError) and text:
        return text
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}"
    if isinstance(error, OSError | ImportError) and text:
        return text
    if isinstance(error, MemoryError):
        return "there is not enough memory for this: try fewer or shorter texts"
    return (
        f"something unforeseen ({type(error).__name__}: {text}); with the environment variable "
        "LAYERWISE_TRACEBACK=1 the same command says where"
    )

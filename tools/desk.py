"""What all tools share: where the book is, its lock, options, digests, JSON, the one error.

``install.py`` is of them: what pip brings is imported where it is needed.
"""

import argparse
import errno
import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parent.parent
INTERRUPTED = "interrupted; nothing is half-written, and the same command goes on from here"
# Set while a command runs that a signal has not interrupted yet.
UNWINDS = threading.Event()
# Set while what was started is ended. By halves it would be worse than not at all: a process
# whose parent is gone is nobody's, and lives on.
ENDING = threading.Event()


class BuildError(Exception):
    """Something is wrong that the reader of the message can put right; no traceback helps.

    Any tool may raise it, and ``run_command`` shows it as one sentence.
    """


def say(line: str) -> None:
    """Show a line at once, also when the output goes to a file."""
    print(line, flush=True)


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which executions are meant."""
    parser.add_argument(
        "--encoder",
        metavar="NAME|FOLDER",
        help="the model that reads: a name on the Hugging Face hub, or a folder",
    )
    parser.add_argument(
        "--decoder", metavar="NAME|FOLDER", help="the model that writes, in the same way"
    )
    parser.add_argument(
        "--device",
        default=os.environ.get("LAYERWISE_DEVICE") or "auto",
        metavar="cpu|cuda|mps|auto",
        help="where chapters are executed; default: auto",
    )
    parser.add_argument(
        "--book", type=Path, default=ROOT, metavar="FOLDER", help="default: this one"
    )


def models_asked_for(options: argparse.Namespace) -> dict[str, str | None]:
    """Return, for each role, the checkpoint that the options name."""
    return {"encoder": options.encoder, "decoder": options.decoder}


def run_command(action: Callable[[], int | None]) -> int:
    """Run a command to its end; what goes wrong outside of it ends in one sentence."""
    before = handle_signals()
    for stream in (sys.stdout, sys.stderr):  # a name may hold what a terminal cannot show
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with suppress(BrokenPipeError):  # who read the output has gone: nobody is left to tell
            return finish(action)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return 1
    finally:
        UNWINDS.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def asked_to_check(description: str, arguments: list[str] | None) -> bool:
    """Say whether a command that makes data is only to say whether it would be the same."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if it differs")
    return parser.parse_args(arguments).check


def write_made(made: Mapping[Path, bytes | dict], check: bool = False) -> int:
    """Write files of the book, or say whether they are as made; return the exit status.

    A dict is written as JSON, in the order of its keys.
    """
    status = 0
    for path, content in made.items():
        if isinstance(content, dict):
            content = (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
        if check:
            same = (ROOT / path).read_bytes() == content
            status |= not same
            say(f"{path}: {'as' if same else 'not as'} it is made")
        else:
            (ROOT / path).write_bytes(content)
            say(f"{path}: {len(content):,} bytes")
    return status


def finish(action: Callable[[], int | None]) -> int:
    """Run an action and say in one sentence what has stopped it."""
    try:
        UNWINDS.set()
        return action() or 0
    except BuildError as error:
        say(f"error: {error}")
    except KeyboardInterrupt:
        say(INTERRUPTED)
        return 130
    except BrokenPipeError:
        raise
    except OSError as error:
        say(f"error: {sentence_of(error)}")
    return 1


def handle_signals() -> dict:
    """Take the signals to end as Ctrl+C, but those that are ignored; return what was set."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    numbers = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    set_now = {number: signal.getsignal(number) for number in numbers if number is not None}
    before = {number: was for number, was in set_now.items() if was is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, interrupt)
    return before


def interrupt(*_) -> None:
    """Stop the command; the second time, or where there is none yet, end at once."""
    if ENDING.is_set():
        return
    if not UNWINDS.is_set():
        give_up()
    UNWINDS.clear()
    end_children()  # while it is known whose children are whose
    raise KeyboardInterrupt


def give_up() -> NoReturn:
    """End this process and all that it has started, without waiting for a thread."""
    with suppress(Exception):
        end_children()
    with suppress(OSError):
        os.write(1, f"{INTERRUPTED}\n".encode())
    os._exit(130)


def end_children() -> None:
    """Kill every process that this one has started, and what those have started."""
    ENDING.set()
    try:
        end_all_below(os.getpid())
    finally:
        ENDING.clear()


def end_all_below(pid: int) -> None:
    """Kill what a process has started; all is halted first, so that nothing more begins."""
    import psutil  # here, as it takes its time and is seldom needed

    halted: set[psutil.Process] = set()
    with suppress(psutil.Error):
        while new := set(psutil.Process(pid).children(recursive=True)) - halted:
            halted |= new
            for process in new:
                with suppress(psutil.Error):
                    process.suspend()
    for process in halted:
        with suppress(psutil.Error):
            process.kill()


def sentence_of(error: OSError) -> str:
    """Say what the machine refused, and what to do."""
    remedies = {
        errno.ENOSPC: "the disk is full: free some space and run the same command again",
        errno.EDQUOT: "your share of the disk is full: free some, and run the command again",
        errno.EACCES: "it may not be read or written: change its rights, or use another folder",
        errno.EPERM: "it may not be read or written: change its rights, or use another folder",
        errno.EROFS: "it can only be read: use another folder",
        errno.EISDIR: "it is a folder, and a file is needed",
        errno.ENOTDIR: "it is a file where a folder is needed: move it away",
        errno.EEXIST: "it is a file where a folder is needed: move it away",
        errno.EFBIG: "a file may not be as large as is needed: ask for more space",
        errno.ENOENT: "it is not there",
    }
    remedy = remedies.get(error.errno or 0, error.strerror or str(error))
    return f"{error.filename}: {remedy}" if error.filename else remedy


def read_source(path: Path) -> str:
    """Read a file that somebody has written."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BuildError(
            f"{path} is not UTF-8 (byte {error.start}): save it in that encoding"
        ) from None
    if text.startswith("\ufeff"):
        raise BuildError(f"{path} begins with a byte order mark: save it as UTF-8 without one")
    return text


def read_record(path: Path) -> dict:
    """Read what a command noted of its own work; a note that is damaged is as none."""
    try:
        record = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """Lend a file to write into, which takes its place at ``path`` whole, or goes again."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        yield draft
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextmanager
def exclusive(build_folder: Path) -> Iterator[None]:
    """Keep two builds of one book apart. The lock ends with its process, however that ends."""
    from filelock import FileLock, Timeout

    root = build_folder.parent
    if not (root / "_config.yml").is_file():  # and nothing is made where no book is
        raise BuildError(f"{root} is no book: it has no _config.yml")
    if os.pathsep in str(root):  # which Python takes for the end of a folder's name
        raise BuildError(f"{root}: its name holds {os.pathsep!r}: call it something else")
    if not str(root).isprintable():  # a surrogate stands for what is no character
        raise BuildError(f"{root}: its name is not UTF-8, or not on one line: change it")
    build_folder.mkdir(exist_ok=True)
    lock = FileLock(build_folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("another build or cache command is at work on this book; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def sha256_of_text(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return a file's SHA-256 as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_json(value) -> str:
    """Return JSON text that is the same for the same value."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

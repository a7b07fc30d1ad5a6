"""A build or pack that is killed or interrupted leaves nothing that the next one trips over.

Kills are placed at changes to the file system, counted, so that they hit the same moments on
every machine. At an odd count the file that was about to be written is left half-written.
"""

import signal

import pytest
from small_book import SmallBook

from tools.desk import INTERRUPTED

KILLED = -signal.SIGKILL
# Shares of a run's changes to files, from the first to the last.
MOMENTS = [0.0, 0.1, 0.18, 0.22, 0.26, 0.3, 0.4, 0.6, 0.8, 0.9, 0.97, 1.0]


def stopped_at(killed: list[float], interrupted: list[float]):
    """Try a test by either signal, at these moments."""
    tried = [("SIGKILL", moment) for moment in killed]
    tried += [("SIGINT", moment) for moment in interrupted]
    return pytest.mark.parametrize(("by", "moment"), tried)


def check_stopped(run, by: str) -> None:
    """Check that a run was killed, or ended itself in one sentence."""
    assert run.status == (KILLED if by == "SIGKILL" else 130), run.output
    if by == "SIGINT":
        assert run.output.endswith(f"{INTERRUPTED}\n")
        assert run.output.count(INTERRUPTED) == 1
        assert "Traceback" not in run.output


@pytest.fixture(scope="session")
def changes(tmp_path_factory, undisturbed):
    """How many changes a run makes, first, again, and when packing and unpacking.

    Again: in a copy, as in the tests, of which Sphinx reads every page anew.
    """
    folder = tmp_path_factory.mktemp("counted")
    book, empty = (SmallBook.make(folder / name, undisturbed.server) for name in "ab")
    built_book = undisturbed.copy(folder / "c")
    file = str(built_book.folder / "pack")
    return {
        "first build": book.build().changes,
        "next build": built_book.build().changes,
        "pack": built_book.cache("pack", file).changes,
        "unpack into built_book": built_book.cache("unpack", file).changes,
        "unpack into book": empty.cache("unpack", file).changes,
    }


def at(moment: float, count: int) -> int:
    """Turn a share of the changes into the number of one."""
    return 1 + round(moment * (count - 1))


@stopped_at(MOMENTS, [0.26, 0.6, 1.0])
def test_first_build_killed(book, changes, undisturbed, by, moment):
    check_stopped(book.build(kill_at=at(moment, changes["first build"]), by=by), by)
    run = book.build()
    assert run.status == 0, run.output
    assert book.built() == undisturbed.built()


@stopped_at([0.2, 0.4, 0.6, 0.85, 0.936, 1.0], [0.2, 0.936, 1.0])
def test_next_build_killed(built_book, changes, undisturbed, by, moment):
    """With a page that changed, and back: nothing of the killed build may be left.

    At 0.936 the old pages are out of their place, and the new ones not in it yet.
    """
    built_book.edit("chapters/one.md", "Prose.", "Other prose.")
    check_stopped(built_book.build(kill_at=at(moment, changes["next build"]), by=by), by)
    if by == "SIGINT":  # the pages of one build or of the other
        assert built_book.built().keys() == undisturbed.built().keys()
    built_book.edit("chapters/one.md", "Other prose.", "Prose.")
    run = built_book.build()
    assert (run.status, run.executed) == (0, set()), run.output
    assert built_book.built() == undisturbed.built()


def test_killed_while_executing(book, undisturbed):
    """By a cell, so that one chapter is in its midst; the other may be done."""
    book.write("models/kill", "")
    for _ in range(2):
        assert book.build().status == KILLED
    (book.folder / "models/kill").unlink()
    run = book.build()
    assert run.status == 0, run.output
    assert book.built() == undisturbed.built()


@stopped_at([0.5, 0.95, 1.0], [1.0])
def test_pack_killed(built_book, changes, by, moment):
    file = built_book.folder / "pack"
    kill_at = at(moment, changes["pack"])
    check_stopped(built_book.cache("pack", str(file), kill_at=kill_at, by=by), by)
    assert not file.exists()
    if by == "SIGINT":
        assert not (built_book.folder / ".pack.draft").exists()
    assert built_book.cache("pack", str(file)).status == 0
    assert built_book.cache("unpack", str(file)).status == 0
    assert built_book.build().executed == set()


@stopped_at([0.5, 0.8, 1.0], [1.0])
@pytest.mark.parametrize("which", ["book", "built_book"])
def test_unpack_killed(request, changes, undisturbed, which, by, moment, tmp_path):
    built, target = undisturbed.copy(tmp_path / "other"), request.getfixturevalue(which)
    file = str(target.folder / "pack")
    assert built.cache("pack", file).status == 0
    kill_at = at(moment, changes[f"unpack into {which}"])
    check_stopped(target.cache("unpack", file, kill_at=kill_at, by=by), by)
    assert target.cache("unpack", file).status == 0
    run = target.build()
    assert (run.status, run.executed) == (0, set()), run.output
    assert target.built() == undisturbed.built()

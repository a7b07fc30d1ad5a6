"""A build or pack that is killed leaves nothing that the next one trips over.

Kills are placed at changes to the file system, counted, so that they hit the same moments on
every machine. At an odd count the file that was about to be written is left half-written.
"""

import signal

import pytest

KILLED = -signal.SIGKILL
# Shares of a run's changes to files, from the first to the last.
MOMENTS = [0.0, 0.1, 0.14, 0.18, 0.22, 0.26, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0]


@pytest.fixture(scope="session")
def changes(tmp_path_factory, undisturbed):
    """How many changes a run makes, first, again, and when packing and unpacking."""
    from small_book import SmallBook

    folder = tmp_path_factory.mktemp("counted")
    first = SmallBook.make(folder / "book", undisturbed.server)
    counts = {"first build": first.build().changes, "next build": first.build().changes}
    file = str(folder / "book" / "pack")
    counts["pack"] = first.cache("pack", file).changes
    counts["unpack"] = first.cache("unpack", file).changes
    return counts


def at(moment: float, count: int) -> int:
    """Turn a share of the changes into the number of one."""
    return 1 + round(moment * (count - 1))


@pytest.mark.parametrize("moment", MOMENTS)
def test_first_build_killed(book, changes, undisturbed, moment):
    killed = book.build(kill_at=at(moment, changes["first build"]))
    assert killed.status == KILLED
    run = book.build()
    assert run.status == 0, run.output
    assert book.built() == undisturbed.built()


@pytest.mark.parametrize("moment", [0.2, 0.4, 0.6, 0.7, 0.85, 1.0])
def test_next_build_killed(built_book, changes, undisturbed, moment):
    """With a page that changed, and back: nothing of the killed build may be left."""
    built_book.edit("chapters/one.md", "Prose.", "Other prose.")
    killed = built_book.build(kill_at=at(moment, changes["next build"]))
    assert killed.status == KILLED
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


@pytest.mark.parametrize("moment", [0.5, 0.9, 1.0])
def test_pack_killed(built_book, changes, moment):
    file = built_book.folder / "pack"
    killed = built_book.cache("pack", str(file), kill_at=at(moment, changes["pack"]))
    assert killed.status == KILLED
    assert not file.exists()
    assert built_book.cache("pack", str(file)).status == 0
    assert built_book.cache("unpack", str(file)).status == 0
    assert built_book.build().executed == set()


@pytest.mark.parametrize("moment", [0.5, 0.8, 1.0])
@pytest.mark.parametrize("target", ["book", "built_book"])
def test_unpack_killed(request, changes, undisturbed, target, moment, tmp_path):
    built, target = undisturbed.copy(tmp_path / "other"), request.getfixturevalue(target)
    file = str(target.folder / "pack")
    assert built.cache("pack", file).status == 0
    killed = target.cache("unpack", file, kill_at=at(moment, changes["unpack"]))
    assert killed.status == KILLED
    assert target.cache("unpack", file).status == 0
    run = target.build()
    assert (run.status, run.executed) == (0, set()), run.output
    assert target.built() == undisturbed.built()

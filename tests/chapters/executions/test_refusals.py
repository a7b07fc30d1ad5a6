"""What the machine refuses, and what stands in the way, is told in one sentence."""

import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest
from small_book import FILES, SmallBook

from tools.chapters import read_book
from tools.desk import BuildError


def one_sentence(run, *words):
    """Check that a run ended with one sentence that holds some words."""
    last = run.output.strip().splitlines()[-1]
    assert run.status == 1, run.output
    assert last.startswith("error: "), run.output
    assert "Traceback" not in run.output
    assert "Exception occurred" not in run.output
    for word in words:
        assert word in last


@contextmanager
def small_disk(folder, size, *options):
    """Mount a disk of some size, with what a folder holds."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if os.name != "posix" or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("NOT TESTED: a disk that is full, as only root can mount one of any size")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


CODE = "print(CONSTANT"


def test_a_full_disk(undisturbed, tmp_path):
    """Full while a chapter is kept, or pages are written; with more, the build goes on.

    The first time, and when a chapter has changed since a build that succeeded.
    """
    folder = tmp_path / "disk"
    with small_disk(folder, "100m"):
        book = SmallBook(folder / "book", undisturbed.server)
        book.log = tmp_path / "log"
        for name, text in FILES.items():
            book.write(name, text)
        block = folder / "block"
        for code in (CODE, f"1 + 1\n{CODE}"):
            before = book.built()
            book.edit("chapters/one.md", CODE, code)
            for left in (40_000, 150_000):  # bytes: too few for a record, or for the pages
                block.unlink(missing_ok=True)
                free = shutil.disk_usage(folder).free
                block.write_bytes(b"x" * (free - left))
                for _ in range(2):
                    one_sentence(book.build(), "the disk")
                    assert book.built() == before
            block.unlink()
            book.edit("chapters/one.md", code, CODE)
            run = book.build()
            assert run.status == 0, run.output
            assert book.built() == undisturbed.built()
        free = shutil.disk_usage(folder).free
        block.write_bytes(b"x" * (free - 2_000))
        one_sentence(book.cache("pack", str(folder / "pack")), "the disk is full")
        assert not (folder / "pack").exists()


def test_a_disk_that_can_only_be_read(undisturbed, tmp_path):
    folder = tmp_path / "disk"
    with small_disk(folder, "100m"):
        shutil.copytree(undisturbed.folder, folder / "book")
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        book = SmallBook(folder / "book", undisturbed.server)
        book.log = tmp_path / "log"
        before = book.built()
        for _ in range(2):
            one_sentence(book.build(), "it can only be read: use another folder")
        one_sentence(book.cache("pack", str(folder / "pack")), "it can only be read")
        assert book.built() == before


@pytest.mark.parametrize("which", ["book", "built_book"])
def test_a_cache_that_can_only_be_read(request, undisturbed, which):
    """Empty, or with executions, of which one more is to be kept."""
    book, cache = request.getfixturevalue(which), ".jupyter_cache"
    before = book.built()
    book.edit("chapters/one.md", CODE, f"1 + 1\n{CODE}")
    with small_disk(book.folder / cache, "10m"):
        if which == "built_book":
            kept = undisturbed.folder / cache
            shutil.copytree(kept, book.folder / cache, dirs_exist_ok=True)
        subprocess.run(["mount", "-o", "remount,ro", str(book.folder / cache)], check=True)
        for _ in range(2):
            one_sentence(book.build(), cache, "it can only be read: use another folder")
            assert book.built() == before
    book.edit("chapters/one.md", f"1 + 1\n{CODE}", CODE)
    run = book.build()
    assert run.status == 0, run.output
    assert book.built() == undisturbed.built()


@pytest.mark.parametrize(
    ("which", "name"),
    [
        ("book", "_build"), ("book", ".jupyter_cache"), ("built_book", "_build"),
        ("built_book", ".jupyter_cache"), ("built_book", "_build/html"),
        ("built_book", "_build/.sphinx"),
    ],
)  # fmt: skip
def test_a_file_in_place_of_a_folder(request, undisturbed, which, name):
    """Neither overwritten nor removed; when it is moved away the build goes on."""
    book = request.getfixturevalue(which)
    place = book.folder / name
    shutil.rmtree(place, ignore_errors=which == "book")
    place.write_text("somebody's notes")
    for _ in range(2):
        one_sentence(book.build(), name.rpartition("/")[2], "move it away")
        assert place.read_text() == "somebody's notes"
    place.unlink()
    run = book.build()
    assert run.status == 0, run.output
    assert book.built() == undisturbed.built()


def test_a_folder_in_place_of_a_pack(built_book):
    (built_book.folder / "pack").mkdir()
    file = str(built_book.folder / "pack")
    one_sentence(built_book.cache("pack", file), f"{file} is a folder: name the file")
    one_sentence(built_book.cache("unpack", file), file)
    nowhere = str(built_book.folder / "nowhere/pack")
    one_sentence(built_book.cache("pack", nowhere), "nowhere is no folder: name the file")


@pytest.mark.parametrize("which", ["book", "built_book"])
def test_a_folder_in_place_of_a_file(request, which):
    book = request.getfixturevalue(which)
    before, page = book.built(), book.folder / "chapters/one.md"
    page.unlink()
    page.mkdir()
    for _ in range(2):
        run = book.build()
        assert run.status == 1
        assert "FAILED chapters/one" in run.output
        assert "Traceback" not in run.output
    shutil.rmtree(page)
    (book.folder / "requirements.txt").unlink()
    (book.folder / "requirements.txt").mkdir()
    for _ in range(2):
        one_sentence(book.build(), "is no book: it has no requirements.txt")
    assert book.built() == before


def test_a_folder_that_is_no_book(book, tmp_path):
    """Nothing is made there."""
    for folder in (tmp_path / "nowhere", tmp_path / "empty", tmp_path / "file"):
        wrong = SmallBook(folder, book.server)
        if folder.name == "empty":
            folder.mkdir()
        elif folder.name == "file":
            folder.write_text("")
        for run in (wrong.build(), wrong.build(), wrong.cache("status")):
            one_sentence(run, f"{folder} is no book: it has no _config.yml")
    assert not (tmp_path / "nowhere").exists()
    assert list((tmp_path / "empty").iterdir()) == []


ODD = "-ä b#c%20d'e\"f$HOME?g&h;i[j]{k}*l~🙂"


def test_odd_characters_in_the_path(undisturbed, tmp_path):
    book = SmallBook.make(tmp_path / ODD, undisturbed.server)
    for _ in range(2):
        run = book.build()
        assert run.status == 0, run.output
        assert book.built() == undisturbed.built()
    pack = str(tmp_path / f"{ODD}.pack")
    assert book.cache("pack", pack).status == 0
    assert book.cache("unpack", pack).status == 0


def test_a_path_that_python_cannot_import_from(undisturbed, tmp_path):
    book = SmallBook.make(tmp_path / "a:b", undisturbed.server)
    for _ in range(2):
        one_sentence(book.build(), "a:b: its name holds ':': call it something else")
    book = SmallBook.make(tmp_path / os.fsdecode(b"caf\xe9"), undisturbed.server)
    for _ in range(2):
        one_sentence(book.build(), "caf\\udce9: its name is not UTF-8")


BOOK = "format: jb-book\nroot: index\n"
BROKEN = {
    "_config.yml": [
        "", "[1, 2]", "3", "null", "'text'", "sphinx: 3", "sphinx: [1]", "sphinx: {config: 3}",
        "sphinx: {extra_extensions: 3}", "sphinx: {local_extensions: [a]}", "execute: 3",
        "execute: {timeout: soon}", "html: []", "parse: 3", "title: [1]", "exclude_patterns: 3",
        "bibtex_bibfiles: 3", "sphinx: {config: {3: x}}", "sphinx: [", "a: b: c", "\t- x",
    ],
    "_toc.yml": [
        "", "[]", "3", "null", "format: x", "format: jb-book", "format: jb-book\nroot: 3",
        BOOK + "chapters: 3", BOOK + "chapters: [3]", BOOK + "chapters: [file: [a]]",
        BOOK + "chapters: [file: null]", BOOK + "chapters: [file: index]",
        BOOK + "chapters: [file: chapters/one, file: chapters/one]",
        BOOK + "chapters: [{file: chapters/one}, {file: chapters/one}]",
        BOOK + "chapters: [{file: chapters/one}, {file: chapters/one.md}]", "root: [",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, ts in BROKEN.items() for t in ts])
def test_broken_settings(book, capsys, name, text):
    book.write(name, text)
    with pytest.raises(BuildError, match=rf"^{name} (cannot be read|lists)") as told:
        read_book(book.folder)
    assert "Error" not in str(told.value)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "settings",
    [
        "    html_theme: nothing", "    extensions: 3", "    html_static_path: [nowhere]",
        "    html_theme: 3", "    bibtex_reference_style: nothing",
    ],
)  # fmt: skip
def test_settings_that_only_sphinx_understands(built_book, settings):
    before = built_book.built()
    config = (built_book.folder / "_config.yml").read_text("utf-8")
    old = next(line for line in config.splitlines() if "html_theme: alabaster" in line)
    name = settings.split(":")[0].strip()
    if name == "bibtex_reference_style":
        old = "    bibtex_reference_style: author_year"
    keep = "" if name in old else old + "\n"
    built_book.edit("_config.yml", old, keep + settings)
    for _ in range(2):
        run = built_book.build()
        assert run.status == 1
        assert run.output.strip().splitlines()[-1].startswith("error: ")
        assert "Traceback" not in run.output
    assert built_book.built() == before

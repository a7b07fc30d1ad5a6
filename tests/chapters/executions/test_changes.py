"""What makes chapters execute again, and what does not."""

import os

import pytest

BOTH = {"chapters/one", "chapters/two"}


def edit_constant(book):
    book.edit("src/layerwise/helper.py", "CONSTANT = 1", "CONSTANT = 2")


def edit_poem(book):
    book.edit("data/datasets/poems.txt", "Success", "Failure")


def edit_pin(book):
    book.edit("requirements.txt", "fakelib==1.0", "fakelib==2.0")
    book.edit("installed/fakelib-1.0.dist-info/METADATA", "Version: 1.0", "Version: 2.0")


def edit_weights(book):
    book.write("models/some/first/model.safetensors", "first weights, one bit changed")


SEEN = [
    (edit_constant, [], "package: src/layerwise/helper.py differs", "2 Success"),
    (edit_poem, [], "data: data/datasets/poems.txt differs", "1 Failure"),
    (edit_pin, [], "libraries: fakelib 2.0, 7.0", "1 Success"),
    (edit_weights, [], "encoder: model.safetensors differs", "1 Success"),
]


@pytest.mark.parametrize(
    ("change", "arguments", "reason", "shown"), SEEN, ids=[case[0].__name__ for case in SEEN]
)
def test_a_change_is_seen(built_book, change, arguments, reason, shown):
    assert built_book.build().executed == set()
    change(built_book)
    status = built_book.cache("status")
    assert status.output.count(f"stale       {reason}\n") == 2
    run = built_book.build(*arguments)
    assert run.status == 0, run.output
    assert run.executed == BOTH
    assert shown in built_book.page("chapters/one")
    assert built_book.build().executed == set()


def test_going_back_executes_nothing(built_book):
    edit_constant(built_book)
    assert built_book.build().executed == BOTH
    built_book.edit("src/layerwise/helper.py", "CONSTANT = 2", "CONSTANT = 1")
    run = built_book.build()
    assert (run.status, run.executed) == (0, set())
    assert "1 Success" in built_book.page("chapters/one")


def test_checkpoints_lie_side_by_side(built_book):
    run = built_book.build("--model", "some/other")
    assert (run.status, run.executed) == (0, BOTH)
    assert "some/other cpu" in built_book.page("chapters/two")
    run = built_book.build()
    assert (run.status, run.executed) == (0, set())
    assert "some/first cpu" in built_book.page("chapters/two")


def test_devices_lie_side_by_side(built_book):
    run = built_book.build("--device", "cuda", SMALL_BOOK_DEVICE="cuda")
    assert (run.status, run.executed) == (0, BOTH)
    assert "some/first cuda" in built_book.page("chapters/two")
    assert "A GPU made for tests" in built_book.page("executions")
    run = built_book.build("--device", "cpu")
    assert (run.status, run.executed) == (0, set())
    assert "some/first cpu" in built_book.page("chapters/two")


def test_model_and_device_may_come_from_the_environment(built_book):
    run = built_book.build(LAYERWISE_CHECKPOINT="some/other", LAYERWISE_DEVICE="cpu")
    assert (run.status, run.executed) == (0, BOTH)


def test_a_device_that_is_not_there_is_an_error(built_book):
    before = built_book.built()
    for _ in range(2):
        run = built_book.build("--device", "cuda")
        assert run.status == 1
        assert "device 'cuda' was asked for, but torch finds none" in run.output
        assert "nox -s cache -- unpack" in run.output
    assert built_book.built() == before


@pytest.mark.parametrize("argument", ["--model", "--device"])
def test_an_unknown_name_is_an_error(book, argument):
    run = book.build(argument, "nonsense")
    assert run.status == 1
    assert "'nonsense'" in run.output
    assert f"use {argument} with one of" in run.output


def edit_prose(book):
    book.edit("chapters/one.md", "Prose.", "Better prose, of one's own.")


def edit_caption(book):
    book.edit("chapters/one.md", "Prose.", ":::{figure} picture.svg\nBetter prose\n:::")
    book.write("chapters/picture.svg", '<svg xmlns="http://www.w3.org/2000/svg"></svg>')


def edit_style(book):
    book.edit("_static/book.css", "black", "blue")


UNSEEN = [
    (edit_prose, "Better prose, of one’s own."),
    (edit_caption, "Better prose"),
    (edit_style, "1 Success"),
]


@pytest.mark.parametrize(
    ("change", "shown"), UNSEEN, ids=[case[0].__name__ for case in UNSEEN]
)
def test_what_no_output_rests_on_executes_nothing(built_book, change, shown):
    change(built_book)
    run = built_book.build()
    assert (run.status, run.executed) == (0, set()), run.output
    assert shown in built_book.page("chapters/one")


def test_the_style_sheet_reaches_the_site(built_book):
    edit_style(built_book)
    assert built_book.build().status == 0
    assert "blue" in (built_book.folder / "_build/html/_static/book.css").read_text()


def test_a_comment_in_the_requirements_executes_nothing(built_book):
    built_book.edit("requirements.txt", "# via nobody", "# via somebody")
    assert built_book.build().executed == set()


def test_code_of_one_chapter_executes_that_chapter_alone(built_book):
    built_book.edit("chapters/one.md", "print(CONSTANT", "print(10 * CONSTANT")
    status = built_book.cache("status").output
    assert "chapters/one                 stale       chapter: its code changed" in status
    assert "chapters/two                 fresh" in status
    run = built_book.build()
    assert (run.status, run.executed) == (0, {"chapters/one"})
    assert "10 Success" in built_book.page("chapters/one")


def test_a_new_title_reaches_the_navigation_of_every_page(built_book):
    built_book.edit("chapters/two.md", "# Two", "# Quite another title")
    assert built_book.build().status == 0
    assert "Quite another title" in built_book.page("chapters/one")


def test_executions_made_again_reach_their_pages(built_book, tmp_path):
    """Same source, same fingerprint, another output: here made by hand."""
    (record,) = [
        path
        for path in built_book.folder.glob(".jupyter_cache/*/*/base.ipynb")
        if "Success" in path.read_text()
    ]
    for path in record.parent.iterdir():
        path.unlink()
    built_book.edit("chapters/two.md", "See", "Do see")
    assert built_book.build().executed == {"chapters/one"}


def test_pages_are_dropped_with_their_chapter(built_book):
    built_book.edit("_toc.yml", "  - file: chapters/one\n", "")
    built_book.edit("chapters/two.md", "See {ref}`one`, and", "See")
    assert built_book.build().status == 0
    assert not any("one" in name for name in built_book.built())


def test_chapters_run_on_the_packages_of_this_book(built_book):
    """And on nothing beside it: a file next to the chapter is out of reach."""
    built_book.write("chapters/beside.txt", "not part of the fingerprint")
    built_book.edit("chapters/one.md", "print(CONSTANT", 'open("beside.txt")\nprint(CONSTANT')
    run = built_book.build()
    assert run.status == 1
    assert "FileNotFoundError" in run.output


def test_the_environment_must_be_the_pinned_one(built_book):
    built_book.edit("requirements.txt", "fakelib==1.0", "fakelib==3.0")
    run = built_book.build()
    assert run.status == 1
    assert "fakelib is 1.0, requirements.txt pins 3.0" in run.output


def test_a_model_that_cannot_be_had_is_an_error(book):
    (book.folder / "models/some/first/model.safetensors").unlink()
    book.write("src/layerwise/models.py", """
find_checkpoint = lambda: None


def fetch_checkpoint(checkpoint):
    raise OSError("the hub cannot be reached.")
""")
    run = book.build()
    assert run.status == 1
    assert "their model cannot be had: OSError: the hub cannot be reached." in run.output
    assert "nox -s cache -- unpack" in run.output


def test_executions_of_earlier_fingerprints_stay_but_not_all(built_book):
    family = built_book.folder / ".jupyter_cache/some--first-cpu"
    parts = next(family.glob("*/fingerprint.json")).read_text()
    folders = []
    for constant in range(2, 9):
        built_book.edit("src/layerwise/helper.py", f"T = {constant - 1}", f"T = {constant}")
        store = built_book.cache("fingerprint").output.strip()
        folder = family / store
        folders.append(folder)
        folder.mkdir()
        (folder / "fingerprint.json").write_text(parts)
        os.utime(folder / "fingerprint.json", (constant, constant))
    built_book.edit("src/layerwise/helper.py", "T = 8", "T = 1")
    assert built_book.build().executed == set()
    assert [folder.exists() for folder in folders] == [False] * 2 + [True] * 5


def test_a_kernel_that_does_not_start_is_started_again(built_book):
    """As when another program takes the port that the kernel was going to listen on."""
    built_book.write("installed/sitecustomize.py", """
import os
import sys
from pathlib import Path

marks = Path(os.environ["HF_HOME"])
if "ipykernel_launcher" in sys.orig_argv and not (marks / "started").exists():
    (marks / "started").touch()
    os._exit(1)
""")
    edit_constant(built_book)
    run = built_book.build()
    assert (run.status, run.executed) == (0, BOTH), run.output
    assert (built_book.folder / "models/started").exists()


def test_chapters_may_be_notebooks(built_book):
    import nbformat

    kernel = {"name": "python3", "display_name": "Python 3"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    notebook.cells = [
        nbformat.v4.new_markdown_cell("# Three"), nbformat.v4.new_code_cell("print(6 * 7)"),
    ]  # fmt: skip
    nbformat.write(notebook, built_book.folder / "chapters/three.ipynb")
    two = "  - file: chapters/two\n"
    built_book.edit("_toc.yml", two, two + "  - file: chapters/three.ipynb\n")
    run = built_book.build()
    assert (run.status, run.executed) == (0, {"chapters/three"}), run.output
    assert "42" in built_book.page("chapters/three")
    assert built_book.build().executed == set()

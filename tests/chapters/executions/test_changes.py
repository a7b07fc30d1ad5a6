"""What makes chapters execute again, and what does not."""

import os
import re
import shutil

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


ONE = {"chapters/one"}  # it alone imports the package
SEEN = [
    (edit_constant, ONE, "package: src/layerwise/helper.py differs", "2 Success"),
    (edit_poem, BOTH, "data: data/datasets/poems.txt differs", "1 Failure"),
    (edit_pin, BOTH, "libraries: fakelib 2.0, 7.0 ; sys_platform == 'amiga' (before 1", "1 S"),
    (edit_weights, BOTH, "encoder: model.safetensors differs", "1 Success"),
]


@pytest.mark.parametrize(
    ("change", "stale", "reason", "shown"), SEEN, ids=[case[0].__name__ for case in SEEN]
)
def test_a_change_is_seen(built_book, change, stale, reason, shown):
    assert built_book.build().executed == set()
    change(built_book)
    status = built_book.cache("status")
    assert status.output.count(f"stale       {reason}") == len(stale)
    run = built_book.build()
    assert run.status == 0, run.output
    assert run.executed == stale
    assert shown in built_book.page("chapters/one")
    assert built_book.build().executed == set()


def name_needs(book, needs):
    book.edit("chapters/two.md", "kernelspec:", f"layerwise: {needs}\nkernelspec:")


def test_a_chapter_does_not_run_for_what_its_header_does_not_name(built_book):
    name_needs(built_book, "{models: [encoder], data: []}")
    assert built_book.build().executed == {"chapters/two"}
    edit_poem(built_book)
    assert built_book.build().executed == ONE
    built_book.write("models/some/writer/model.safetensors", "another writer's weights")
    assert built_book.build().executed == ONE
    edit_weights(built_book)
    assert built_book.build().executed == BOTH


def test_what_the_header_does_not_name_is_not_there(built_book):
    """So that an output never rests on what the fingerprint does not hold."""
    reads = "from layerwise.helper import first_line\nfirst_line()\nimport os\n"
    built_book.edit("chapters/two.md", "import os\n", reads)
    assert built_book.build().status == 0
    name_needs(built_book, "{models: [], data: []}")
    run = built_book.build()
    assert run.status == 1
    assert "FileNotFoundError" in run.output
    built_book.edit("chapters/two.md", reads, "import os\n")
    assert built_book.build().status == 0
    page = built_book.page("chapters/two")
    assert "header does not say layerwise: {models: [encoder]}" in page


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        ("{models: [painter]}", "names the model 'painter': the roles are encoder, decoder"),
        ("{data: [novels]}", "names the data set 'novels': there is none among poems"),
        ("{modls: [encoder]}", "its header has layerwise: {'modls': ['encoder']}: write"),
        ("{models: encoder}", "its header has models: 'encoder', which is no list: write"),
        ("[encoder]", "its header has layerwise: ['encoder']: write layerwise: {models:"),
    ],
)
def test_a_header_that_names_what_is_not_there_is_an_error(built_book, needs, told):
    name_needs(built_book, needs)
    run = built_book.build()
    assert run.status == 1
    assert told in run.output
    assert "Traceback" not in run.output


@pytest.mark.parametrize("role", ["--encoder", "--decoder"])
def test_models_may_be_any_folder_and_are_said_to_be_unverified(built_book, role):
    built_book.write("mine/model.safetensors", "my own weights")
    folder = built_book.folder / "mine"
    run = built_book.build(role, str(folder))
    assert (run.status, run.executed) == (0, BOTH), run.output
    assert "mine (not on the book's list: unverified)" in run.output
    assert "unverified" in built_book.page("executions")
    assert str(folder) not in built_book.page("chapters/two")
    assert built_book.build(role, str(folder)).executed == set()
    built_book.write("mine/config.json", "{}")
    assert built_book.build(role, str(folder)).executed == BOTH


def test_going_back_executes_nothing(built_book):
    edit_constant(built_book)
    assert built_book.build().executed == ONE
    built_book.edit("src/layerwise/helper.py", "CONSTANT = 2", "CONSTANT = 1")
    run = built_book.build()
    assert (run.status, run.executed) == (0, set())
    assert "1 Success" in built_book.page("chapters/one")


def test_checkpoints_lie_side_by_side(built_book):
    run = built_book.build("--encoder", "some/other")
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
    run = built_book.build(LAYERWISE_ENCODER="some/other", LAYERWISE_DEVICE="cpu")
    assert (run.status, run.executed) == (0, BOTH)


def test_a_device_that_is_not_there_is_an_error(built_book):
    before = built_book.built()
    for _ in range(2):
        run = built_book.build("--device", "cuda")
        assert run.status == 1
        assert "device 'cuda' was asked for, but torch finds none" in run.output
        assert "nox -s cache -- unpack" in run.output
    assert built_book.built() == before


@pytest.mark.parametrize("argument", ["--encoder", "--device"])
def test_an_unknown_name_is_an_error(book, argument):
    run = book.build(argument, "nonsense")
    assert run.status == 1
    assert "'nonsense'" in run.output
    assert run.output.startswith("error: ")
    assert "use " in run.output


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


RESTLESS = "```{code-cell}\nimport time\nprint('ran at', time.time_ns())\n```\n"


def shown_and_kept(book):
    """What a page shows and what the executed notebook holds."""
    page = re.findall(r"ran at (\d+)", book.page("chapters/two"))
    notebook = (book.folder / "_build/executed/chapters/two.ipynb").read_text()
    return page, re.findall(r"ran at (\d+)", notebook)


@pytest.mark.parametrize("what", ["cache deleted", "execution damaged", "page edited"])
def test_a_page_shows_what_its_notebook_holds(book, what):
    """Same source, same fingerprint, another output: made again."""
    two = (book.folder / "chapters/two.md").read_text()
    book.write("chapters/two.md", two + RESTLESS)
    assert book.build().status == 0
    first = shown_and_kept(book)
    assert first[0] == first[1] != []
    if what == "cache deleted":
        shutil.rmtree(book.folder / ".jupyter_cache")
    else:
        for path in book.folder.glob(".jupyter_cache/*/*/base.ipynb"):
            path.write_text(path.read_text() + " ")
    if what == "page edited":
        book.edit("chapters/two.md", "See", "Do see")
    run = book.build()
    assert (run.status, run.executed) == (0, BOTH), run.output
    page, notebook = shown_and_kept(book)
    assert page == notebook != first[0]
    assert book.build().executed == set()
    assert shown_and_kept(book) == (page, notebook)


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


@pytest.mark.parametrize("which", ["book", "built_book"])
def test_the_environment_must_be_the_pinned_one(request, which):
    book = request.getfixturevalue(which)
    before = book.built()
    book.edit("requirements.txt", "fakelib==1.0", "fakelib==3.0")
    for _ in range(2):
        run = book.build()
        assert run.status == 1
        assert "fakelib is 1.0, requirements.txt pins 3.0" in run.output
        assert "Remove .venv and run nox again" in run.output
    assert book.built() == before


def test_a_model_that_cannot_be_had_is_an_error(book):
    (book.folder / "models/some/first/model.safetensors").unlink()
    run = book.build()
    assert run.status == 1
    assert "their encoder cannot be had: OSError: the hub cannot be reached." in run.output
    assert "nox -s cache -- unpack" in run.output


def test_executions_of_earlier_fingerprints_stay_but_not_all(built_book):
    family = built_book.folder / ".jupyter_cache/chapters--one"
    (first,) = family.iterdir()
    for constant in range(2, 9):
        built_book.edit("src/layerwise/helper.py", f"T = {constant - 1}", f"T = {constant}")
        assert built_book.build().executed == ONE
        latest = max(family.iterdir(), key=lambda folder: folder.stat().st_mtime)
        assert first.exists() == (constant <= 6)
        os.utime(latest, (constant, constant))
        os.utime(first, (0, 0)) if first.exists() else None
    assert len(list(family.iterdir())) == 6
    built_book.edit("src/layerwise/helper.py", "T = 8", "T = 4")
    assert built_book.build().executed == set()


def test_a_kernel_that_does_not_start_is_started_again(built_book):
    """As when another program takes the port that the kernel was going to listen on."""
    start = 'sitecustomize = "src/start"\n'
    built_book.edit("pyproject.toml", "layerwise = ", f"{start}layerwise = ")
    built_book.write("src/start/__init__.py", """
import os
import sys
from pathlib import Path

marks = Path(os.environ["HF_HOME"])
if "ipykernel_launcher" in sys.orig_argv and not (marks / "started").exists():
    (marks / "started").touch()
    os._exit(1)
""")
    built_book.edit("chapters/one.md", "print(CONSTANT", "import sitecustomize\nprint(CONSTANT")
    run = built_book.build()
    assert (run.status, run.executed) == (0, ONE), run.output
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

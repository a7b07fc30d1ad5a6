"""Everything that can be wrong with a chapter ends the build, the first time and the next."""

import pytest

LIMIT = "file_format: mystnb\nmystnb:\n  execution_timeout: 1"
ONE = "  - file: chapters/one\n"
CELL = "print(CONSTANT"

# name: (file, old, new, what the terminal says)
FAILURES = {
    "raises": (
        "chapters/one.md", CELL, 'raise KeyError("a lost key")\n' + CELL,
        ["FAILED chapters/one, cell 2 (line 13)", "KeyError: 'a lost key'", "In[1], line 3"],
    ),
    "raises in the package": (
        "src/layerwise/helper.py", "return files", 'raise OSError("no poem")\n    return files',
        ["FAILED chapters/one, cell 2", "OSError: no poem", "helper.py:8", "in first_line()"],
    ),
    "time limit": (
        "chapters/one.md", "file_format: mystnb", LIMIT,
        ["FAILED chapters/one, cell 2", "TimeoutError: the cell ran longer than 1 s", "sleep"],
    ),
    "kernel ends": (
        "chapters/one.md", CELL, "import os\nos._exit(3)\n" + CELL,
        ["FAILED chapters/one, cell 2", "DeadKernelError", "os._exit(3)"],
    ),
    "kernel is killed": (
        "chapters/one.md", CELL, "import os\nos.kill(os.getpid(), 9)\n" + CELL,
        ["FAILED chapters/one, cell 2", "DeadKernelError", "os.kill(os.getpid(), 9)"],
    ),
    "unknown kernel": (
        "chapters/one.md", "name: python3", "name: python2",
        ["FAILED chapters/one", "NoSuchKernel", "python2"],
    ),
    "memory address": (
        "chapters/one.md", CELL, "print(object())\n" + CELL,
        ["FAILED chapters/one, cell 2", "the output shows a memory address, 'at 0x"],
    ),
    "cross-reference": (
        "chapters/one.md", "Prose.", "Prose.\n\nSee {ref}`nowhere`.",
        ["chapters/one.md:12: WARNING: undefined label: 'nowhere'"],
    ),
    "link": (
        "chapters/one.md", "Prose.", "Prose.\n\nSee [it](nowhere.md).",
        ["chapters/one.md:12: WARNING:", "nowhere.md"],
    ),
    "citation": (
        "chapters/one.md", "Prose.", "Prose.\n\nSee {cite:t}`nobody`.",
        ["chapters/one.md:12: WARNING: could not find bibtex key \"nobody\""],
    ),
    "header": (
        "chapters/one.md", "kernelspec:", "kernelspec: [\n  broken:",
        ["FAILED chapters/one", "its header is not YAML: line "],
    ),
    "header without end": (
        "chapters/one.md", "  name: python3\n---", "  name: python3",
        ["FAILED chapters/one", "its header begins with --- and never ends"],
    ),
    "cell": (
        "chapters/one.md", ":tags: [raises-exception]", ":tags: [raises-exception",
        ["FAILED chapters/one", "at line 18 could not be read"],
    ),
    "notebook": (
        "_toc.yml", ONE, ONE + "  - file: broken.ipynb\n",
        ["FAILED broken.ipynb", "cannot be read"],
    ),
    "no such chapter": (
        "_toc.yml", ONE, ONE + "  - file: chapters/x\n",
        ["FAILED chapters/x", "there is no chapters/x.md"],
    ),
    "table of contents": ("_toc.yml", "root: index", "root: [", ["_toc.yml cannot be read"]),
    "settings": ("_config.yml", "sphinx:", "sphinx: [", ["_config.yml cannot be read"]),
}  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_ends_every_build(built_book, failure):
    file, old, new, told = FAILURES[failure]
    built_book.write("broken.ipynb", '{"cells": [')
    if failure == "time limit":
        built_book.edit("chapters/one.md", CELL, "import time\ntime.sleep(60)\n" + CELL)
    before = built_book.built()
    built_book.edit(file, old, new)
    for _ in range(2):
        run = built_book.build()
        assert run.status == 1, run.output
        for words in told:
            assert words in run.output
    assert run.executed == set(), "the other chapter stays in the cache"
    assert built_book.built() == before, "what is wrong is not published"
    built_book.edit(file, new, old)
    if failure == "time limit":
        built_book.edit("chapters/one.md", "import time\ntime.sleep(60)\n" + CELL, CELL)
    run = built_book.build()
    assert (run.status, run.executed) == (0, set()), run.output
    assert built_book.built() == before


def test_all_failures_are_told_and_the_rest_is_kept(book):
    book.edit("chapters/one.md", CELL, "1 / 0\n" + CELL)
    book.write("chapters/three.md", "---\nbroken: [\n---\n# Three\n")
    two = "  - file: chapters/two\n"
    book.edit("_toc.yml", two, two + "  - file: chapters/three\n")
    first, second = book.build(), book.build()
    for run in (first, second):
        assert run.status == 1
        assert "FAILED chapters/one, cell 2 (line 13)" in run.output
        assert "ZeroDivisionError: division by zero" in run.output
        assert "FAILED chapters/three" in run.output
    assert first.executed == {"chapters/two"}
    assert second.executed == set()
    assert not (book.folder / "_build/html").exists()


def test_a_traceback_may_be_shown_on_purpose(undisturbed):
    page = undisturbed.page("chapters/one")
    assert "ZeroDivisionError" in page
    assert str(undisturbed.folder) not in page


def test_no_header_can_make_errors_pass(built_book):
    """Settings of a page that MyST-NB and jupyter-cache would obey."""
    for setting in (
        "mystnb:\n  execution_allow_errors: true\n",
        "execution:\n  allow_errors: true\n",
        "mystnb:\n  execution_mode: 'off'\n",
    ):
        book = built_book
        book.edit("chapters/one.md", "kernelspec:", setting + "kernelspec:")
        book.edit("chapters/one.md", CELL, "1 / 0\n" + CELL)
        assert book.build().status == 1, setting
        book.edit("chapters/one.md", "1 / 0\n" + CELL, CELL)
        book.edit("chapters/one.md", setting + "kernelspec:", "kernelspec:")

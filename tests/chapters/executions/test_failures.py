"""Everything that can be wrong with a chapter ends the build, the first time and the next."""


import pytest
from small_book import HEADER

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
    "traceback shown": (
        "chapters/one.md", CELL,
        "try:\n    1 / 0\nexcept ArithmeticError:\n    get_ipython().showtraceback()\n" + CELL,
        ["FAILED chapters/one, cell 2", "an output shows a traceback", "ZeroDivisionError"],
    ),
    "traceback printed": (
        "chapters/one.md", CELL,
        "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n"
        "    traceback.print_exc()\n" + CELL,
        ["FAILED chapters/one, cell 2", "an output shows a traceback", "ZeroDivisionError"],
    ),
    "repr raises": (
        "chapters/one.md", CELL,
        "class Broken:\n    def __repr__(self):\n        1 / 0\ndisplay(Broken())\n" + CELL,
        ["FAILED chapters/one, cell 2", "ZeroDivisionError"],
    ),
    "thread raises": (
        "chapters/one.md", CELL,
        "import threading\nthread = threading.Thread(target=lambda: 1 / 0)\nthread.start()\n"
        "thread.join()\n" + CELL,
        ["FAILED chapters/one, cell 2", "an output shows a traceback", "ZeroDivisionError"],
    ),
    "command fails": (
        "chapters/one.md", CELL, "!echo said before; exit 3\n" + CELL,
        ["FAILED chapters/one, cell 2", "returned non-zero exit status 3"],
    ),
    "command for its output fails": (
        "chapters/one.md", CELL, "lines = !exit 4\n" + CELL,
        ["FAILED chapters/one, cell 2", "returned non-zero exit status 4"],
    ),
    "quits": (
        "chapters/one.md", CELL, "quit()\n" + CELL,
        ["FAILED chapters/one, cell 2", "RuntimeError: quit() and exit() end the kernel"],
    ),
    "leaves": (
        "chapters/one.md", CELL, "import sys\nsys.exit()\n" + CELL,
        ["FAILED chapters/one, cell 2", "SystemExit"],
    ),
    "shows too much": (
        "chapters/one.md", CELL, "while True:\n    print('x' * 100_000)\n" + CELL,
        ["FAILED chapters/one, cell 2", "the cell shows more than 20 MB"],
    ),
    "command shows too much": (
        "chapters/one.md", CELL, "!yes\n" + CELL,
        ["FAILED chapters/one, cell 2", "the cell shows more than 20 MB"],
    ),
    "shows too much on one line": (
        "chapters/one.md", CELL, "print('x\\r' * 25_000_000)\n" + CELL,
        ["FAILED chapters/one, cell 2", "the cell shows more than 20 MB"],
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


# Tracebacks that no exception of the cell itself has made.
SHOWN = {
    "logged": "import logging\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n"
              "    logging.exception('told')",
    "of a group": "import traceback\ntry:\n    raise ExceptionGroup('both', [ValueError(1)])\n"
                  "except ExceptionGroup:\n    traceback.print_exc()",
    "of a task": "import asyncio, gc\nasync def fail():\n    1 / 0\n"
                 "task = asyncio.create_task(fail())\nawait asyncio.sleep(.1)\n"
                 "del task\ngc.collect()",
    "of a process": "import subprocess, sys\n"
                    "subprocess.run([sys.executable, '-c', '1 / 0'])",
    "when it goes": "class Broken:\n    def __del__(self):\n        1 / 0\n"
                    "broken = Broken()\ndel broken",
    "of syntax": "done = get_ipython().run_cell('no python')",
    "as HTML": "from IPython.display import HTML\nimport traceback\ntry:\n    1 / 0\n"
               "except ZeroDivisionError:\n"
               "    shown = HTML(f'<pre>{traceback.format_exc()}</pre>')\nshown",
    "after the cell": "class Fail(str):\n    def __call__(self):\n        1 / 0\n"
                      "get_ipython().events.register('post_execute', Fail('fail'))",
}  # fmt: skip
# Those above that only a book with a build behind it has seen.
AT_FIRST = [
    "traceback shown", "traceback printed", "repr raises", "thread raises", "command fails",
    "quits", "shows too much", "command shows too much",
]  # fmt: skip
# name: (header, cell, what the terminal says)
WAYS = {way: (HEADER, cell, ["an output shows a traceback"]) for way, cell in SHOWN.items()}
WAYS |= {
    way: (HEADER, new.removesuffix(CELL), told[1:])
    for way in AT_FIRST
    for _, _, new, told in [FAILURES[way]]
}
WAYS["time limit while printing"] = (
    HEADER.replace("file_format: mystnb", LIMIT),
    "import time\nwhile True:\n    print('.')\n    time.sleep(0.05)",
    ["TimeoutError: the cell ran longer than 1 s"],
)


def test_a_failure_is_seen_however_it_got_there(book):
    """One chapter for each way, all told by both builds."""
    contents = "format: jb-book\nroot: index\nchapters:\n"
    chapters = {f"chapters/{way.replace(' ', '-')}": what for way, what in WAYS.items()}
    for name, (header, cell, _) in chapters.items():
        book.write(f"{name}.md", f"{header}\n# A way\n\n```{{code-cell}}\n{cell}\n```\n")
        contents += f"  - file: {name}\n"
    book.write("_toc.yml", contents)
    for _ in range(2):
        run = book.build()
        assert run.status == 1
        assert run.executed == set()
        assert book.built() == {}
        for name, (_, _, told) in chapters.items():
            failure = run.output.partition(f"FAILED {name}, cell 2")[2].partition("=" * 72)[0]
            assert [words for words in told if words not in failure] == [], name


def test_a_tag_that_is_taken_away_takes_its_leave_with_it(built_book):
    """What was kept with a traceback on purpose is none any more."""
    built_book.edit("chapters/one.md", ":tags: [raises-exception]\n\n", "")
    for _ in range(2):
        run = built_book.build()
        assert run.status == 1
        assert "FAILED chapters/one, cell 3" in run.output
        assert "ZeroDivisionError" in run.output


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


def write_bytes(book, name, change):
    path = book.folder / name
    path.write_bytes(change(path.read_bytes()))


SOURCES = [
    "chapters/one.md", "_config.yml", "_toc.yml", "pyproject.toml", "requirements.txt",
    "references.bib", "src/layerwise/helper.py",
]  # fmt: skip
ENCODINGS = {
    "latin-1": (lambda content: content + "# é".encode("latin-1"), "is not UTF-8 (byte "),
    "byte order mark": (lambda content: b"\xef\xbb\xbf" + content, "a byte order mark: save"),
    "utf-16": (lambda content: content.decode().encode("utf-16"), "is not UTF-8 (byte "),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(
    ("which", "encoding"),
    [("book", "latin-1"), *(("built_book", encoding) for encoding in ENCODINGS)],
)
def test_sources_in_another_encoding(request, which, encoding, name):
    book, (change, words) = request.getfixturevalue(which), ENCODINGS[encoding]
    before = book.built()
    write_bytes(book, name, change)
    for _ in range(2):
        run = book.build()
        assert run.status == 1
        (told,) = [line for line in run.output.splitlines() if words in line]
        assert name in told
        assert "Traceback" not in run.output
    assert book.built() == before


def test_a_long_line_with_carriage_returns_is_shown_as_a_terminal_would(book):
    """In time that grows with its length: 15 MB of progress on one line."""
    cell = "print('working\\r' * 1_500_000 + 'done')\nprint('ab\\b\\bcd', 'e\\r\\nf')\n"
    book.edit("chapters/one.md", CELL, cell + CELL)
    run = book.build()
    assert run.status == 0, run.output
    page = book.page("chapters/one")
    assert "done\ncd e\nf\n" in page
    assert "working" not in page.partition("1_500_000")[2]

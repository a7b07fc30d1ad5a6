"""Building twice gives the same bytes."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import nbformat
import pytest
from filelock import FileLock
from small_book import EXCEPTIONS, SmallBook

from _ext.notebooks import executed_notebook
from tools.desk import INTERRUPTED
from tools.executions.devices import instruction_set

# A cell for each thing that differs from one execution to the next.
RESTLESS = """
```{code-cell}
import sys
import warnings

from ipywidgets import IntProgress

warnings.warn("a file name with a process number", stacklevel=1)
print({"a", "b", "c"}, file=sys.stderr)
print({"a", "b", "c"}, __import__("layerwise").__file__)
IntProgress()
```

```{code-cell}
:tags: [raises-exception]

from layerwise.helper import first_line
import json

json.loads("{")
```
"""


@pytest.fixture
def restless(book):
    """A book whose cells would show something else at each execution."""
    book.write("chapters/two.md", (book.folder / "chapters/two.md").read_text() + RESTLESS)
    return book


def test_two_cold_builds_are_the_same_byte_for_byte(restless, tmp_path, server):
    first = restless.build()
    assert first.status == 0, first.output
    other = SmallBook.make(tmp_path / "elsewhere", server)
    other.write("chapters/two.md", (restless.folder / "chapters/two.md").read_text())
    second = other.build()
    assert second.status == 0, second.output
    assert restless.built() == other.built()
    assert EXCEPTIONS <= {path.name for path in (other.folder / "_build/html").iterdir()}


def test_no_path_of_this_machine_is_in_the_site(restless):
    run = restless.build()
    assert run.status == 0, run.output
    for name, content in restless.built().items():
        assert str(restless.folder.parent).encode() not in content, name
        assert b"ipykernel_" not in content, name
    page = restless.page("chapters/two")
    assert "src/layerwise/__init__.py" in page
    assert "cell.py:" in page


def test_executed_notebooks_are_whole(undisturbed):
    path = undisturbed.folder / "_build/executed/chapters/one.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    markdown, code, raising = notebook.cells
    assert "# One" in markdown.source
    assert code.outputs[0].text == "1 Success is counted sweetest\n"
    assert raising.outputs[0].ename == "ZeroDivisionError"


def test_the_executions_page_and_its_data_agree(undisturbed):
    record = json.loads((undisturbed.folder / "_build/html/executions.json").read_text())
    page = undisturbed.page("executions")
    encoder, decoder = record["models"]
    assert (encoder["role"], decoder["role"]) == ("encoder", "decoder")
    for model in (encoder, decoder):
        assert model["checkpoint"] in page
        assert model["model.safetensors"] in page
    names = [chapter["name"] for chapter in record["chapters"]]
    assert names == ["chapters/one", "chapters/two"]
    for chapter in record["chapters"]:
        assert f'href="{chapter["name"]}.html"' in page
        assert f">{chapter['seconds']:.1f}<" in page
        assert chapter["fingerprint"] in page
        assert chapter["instructions"] == instruction_set()
        assert chapter["instructions"] in page
        assert chapter["rests_on"]["device"] == {"type": "cpu"}
        assert f"{chapter['executed'][:10]} {chapter['executed'][11:16]} UTC" in page
    assert record["chapters"][0]["cells"] == 2
    assert record["device"] == "cpu"
    assert record["versions"]["fakelib"] == "1.0, 7.0 ; sys_platform == 'amiga'"
    search = (undisturbed.folder / "_build/html/searchindex.js").read_text()
    assert record["chapters"][0]["fingerprint"] not in search


def test_sphinx_executes_nothing(built_book):
    """Even if an execution gets lost between the first step of a build and the second."""
    run = built_book.build(SMALL_BOOK_LOSE_INDEX="1")
    assert run.status == 1
    assert "this page's execution is not in the cache" in run.output
    assert built_book.build().status == 0


def test_status_of_a_book_never_built(book):
    run = book.cache("status")
    assert run.status == 0
    assert run.output.count("missing     never executed with this model on this device") == 2


def test_two_builds_at_once_wait_for_each_other(built_book):
    lock = FileLock(built_book.folder / "_build/.lock")
    with lock, ThreadPoolExecutor() as pool:
        waiting = pool.submit(built_book.build)
        while not built_book.log.exists() or "waiting for it" not in built_book.log.read_text():
            assert not waiting.done()
            time.sleep(0.05)
        lock.release()
        assert waiting.result().status == 0


@pytest.mark.parametrize("which", ["book", "built_book"])
def test_a_build_that_waits_for_another_is_interrupted(request, which):
    """At a change to files that it comes to only by looking at the lock again and again."""
    book = request.getfixturevalue(which)
    before = book.built()
    (book.folder / "_build").mkdir(exist_ok=True)
    with FileLock(book.folder / "_build/.lock"):
        run = book.build(kill_at=6, by="SIGINT")
    assert run.status == 130
    first, last = run.output.splitlines()
    assert first.endswith("waiting for it")
    assert last == INTERRUPTED
    assert book.built() == before


def test_the_site_offers_the_executed_notebook_of_this_build(tmp_path):
    """Not the one that the build before has left in its place."""
    last, new = tmp_path / "_build/executed", tmp_path / "_build/.sphinx/executed"
    for folder in (last, new):
        (folder / "chapters").mkdir(parents=True)
        (folder / "chapters/one.ipynb").touch()
    app = SimpleNamespace(srcdir=tmp_path, outdir=tmp_path / "_build/.sphinx/html")
    assert executed_notebook(app, "chapters/one") == new / "chapters/one.ipynb"

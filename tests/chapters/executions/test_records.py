"""Records of executions that are damaged, whatever they hold, count as missing."""

import json
from hashlib import sha256

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.chapters import Chapter, hashed_notebook
from tools.executions.fingerprint import Fingerprint
from tools.executions.store import NOTEBOOK, RECORD, Store, check_execution

PNG = "iVBORw0KGgo="
TOLD = {
    "executed": "2026-11-25T10:00:00+00:00", "seconds": 1.5, "device": "A processor",
    "instructions": "x86_64, AVX2", "python": "3.11.7",
}  # fmt: skip


def make_notebook(source="1 + 1", picture=PNG):
    output = nbformat.v4.new_output("display_data", {"image/png": picture})
    cells = [nbformat.v4.new_code_cell(source, id="cell-1", outputs=[output])]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    return notebook


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """A store that holds the execution of one chapter; its fingerprint; its two texts."""
    store = Store(tmp_path_factory.mktemp("records"))
    notebook = make_notebook()
    chapter = Chapter("chapters/one", notebook, hashed_notebook(notebook)[1], 60)
    parts = {
        "code": {"cells": chapter.key}, "device": {"type": "cpu"},
        "package": {"a.py": "0" * 64}, "encoder": {"checkpoint": "some/first"},
    }  # fmt: skip
    fingerprint = Fingerprint(parts)
    store.keep(chapter, fingerprint, notebook, TOLD)
    place = store.place(chapter.name, fingerprint)
    texts = [(place / name).read_text("utf-8") for name in (NOTEBOOK, RECORD)]
    return store, fingerprint, *texts


def test_what_was_kept_is_found(kept):
    store, fingerprint, notebook, record = kept
    assert store.find("chapters/one", fingerprint).record["seconds"] == 1.5
    assert check_execution(fingerprint.digest, notebook, record) is not None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.just(10**400) | st.just("\ud800"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)  # fmt: skip


@given(value=VALUES)
def test_any_json_is_no_execution(kept, value):
    _, fingerprint, notebook, _ = kept
    assert check_execution(fingerprint.digest, notebook, json.dumps(value)) is None


@given(name=st.sampled_from(sorted([*TOLD, "chapter", "sha256", "fingerprint"])), value=VALUES)
def test_any_value_makes_an_execution_that_can_be_shown_or_none(kept, name, value):
    _, fingerprint, notebook, record = kept
    told = json.loads(record) | {name: value}
    execution = check_execution(fingerprint.digest, notebook, json.dumps(told))
    if execution is not None:
        assert f"{execution.record['seconds']:.1f}".encode()
        assert execution.fingerprint.differences(fingerprint) == []
        json.dumps(execution.record, ensure_ascii=False, allow_nan=False).encode()


@given(parts=st.dictionaries(st.text(), VALUES) | VALUES)
def test_any_fingerprint_with_its_right_digest_can_be_compared_or_is_none(kept, parts):
    """As in a pack that somebody has made up."""
    _, fingerprint, notebook, record = kept
    told = json.loads(record)
    told["fingerprint"] = told["fingerprint"] | parts if isinstance(parts, dict) else parts
    digest = Fingerprint(told["fingerprint"]).digest
    execution = check_execution(digest, notebook, json.dumps(told))
    if execution is not None:
        assert all("differs" or part for part in execution.fingerprint.differences(fingerprint))


def changed(**values):
    return lambda record: json.dumps(json.loads(record) | values)


def without(name):
    return lambda record: json.dumps({k: v for k, v in json.loads(record).items() if k != name})


RECORDS = {
    "empty": lambda _: "",
    "null": lambda _: "null",
    "a list": lambda _: "[]",
    "a number": lambda _: "7",
    "a text": lambda _: '"chapter"',
    "nested deep": lambda _: "[" * 10_000 + "]" * 10_000,
    "a table nested deep": lambda _: '{"chapter":' * 10_000 + "1" + "}" * 10_000,
    "cut": lambda record: record[:-20],
    "a number with many digits": lambda record: record.replace("1.5", "1" * 5_000),
    "seconds that are no number": changed(seconds=float("nan")),
    "seconds without end": changed(seconds=float("inf")),
    "seconds before the beginning": changed(seconds=-1.0),
    "seconds in words": changed(seconds="1.5"),
    "seconds true": changed(seconds=True),
    "no seconds": without("seconds"),
    "no instructions": without("instructions"),
    "one value more": changed(more=1),
    "another chapter's name": changed(chapter="chapters/two"),
    "no date": changed(executed="yesterday"),
    "a date without a zone": changed(executed="2026-11-25T10:00:00"),
    "half a character": changed(device="\ud800"),
    "another fingerprint": changed(fingerprint={}),
    "a fingerprint that is a list": changed(fingerprint=[]),
}


@pytest.mark.parametrize("damage", RECORDS)
def test_a_damaged_record_is_not_found(kept, damage, tmp_path):
    _, fingerprint, notebook, record = kept
    store = Store(tmp_path)
    store.put(store.place("chapters/one", fingerprint), notebook, RECORDS[damage](record))
    assert store.find("chapters/one", fingerprint) is None
    assert store.earlier("chapters/one") == []


NOTEBOOKS = {
    "other cells": make_notebook("1 + 2"),
    "a picture that is none": make_notebook(picture="no base64!"),
    "half a character": make_notebook(picture=PNG) | {"metadata": {"title": "\ud800"}},
    "outputs that are no list": make_notebook() | {"cells": [
        {"cell_type": "code", "source": "1 + 1", "outputs": 3, "metadata": {}, "id": "a"}
    ]},
    "no cells": {"nbformat": 4, "nbformat_minor": 5, "metadata": {}},
    "a list": [],
}  # fmt: skip


@pytest.mark.parametrize("damage", NOTEBOOKS)
def test_a_damaged_notebook_with_its_right_digest_is_not_found(kept, damage):
    _, fingerprint, _, record = kept
    notebook = json.dumps(NOTEBOOKS[damage])
    record = changed(sha256=sha256(notebook.encode()).hexdigest())(record)
    assert check_execution(fingerprint.digest, notebook, record) is None
    whole = json.dumps(make_notebook())
    record = changed(sha256=sha256(whole.encode()).hexdigest())(record)
    assert check_execution(fingerprint.digest, whole, record) is not None


def test_damaged_records_are_made_again(built_book, undisturbed):
    """The first build executes their chapters again, the next one nothing."""
    one, two = sorted(built_book.folder.glob(".jupyter_cache/*/*"))
    (one / RECORD).write_text("[" * 10_000)
    record = json.loads((two / RECORD).read_text("utf-8"))
    (two / RECORD).write_text(json.dumps(record | {"seconds": float("nan")}))
    for executed in ({"chapters/one", "chapters/two"}, set()):
        run = built_book.build()
        assert (run.status, run.executed) == (0, executed), run.output
        assert built_book.built() == undisturbed.built()

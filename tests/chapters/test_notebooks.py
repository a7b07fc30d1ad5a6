"""Chapters are notebooks: they come back from Jupyter as they were, and run anywhere."""

import copy
import json
import re
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

import jupytext
import nbformat
import pytest
import zmq
from jupyter_client.provisioning.local_provisioner import LocalPortCache
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from jupytext.config import load_jupytext_config
from jupytext.sync_contentsmanager import build_sync_jupytext_contents_manager_class
from nbformat.v4 import new_code_cell, new_notebook, new_output
from sphinx_external_toc.parsing import parse_toc_yaml

from tools.chapters import Chapter
from tools.desk import ROOT
from tools.executions import kernels
from tools.executions.environment import Workplace
from tools.executions.snapshot import take_snapshot

EXECUTED = ROOT / "_build" / "executed"
PAGES = {name: ROOT / f"{name}.md" for name in parse_toc_yaml(ROOT / "_toc.yml")}
CHAPTERS = [name for name, path in PAGES.items() if "{code-cell}" in path.read_text("utf-8")]
# The one warning that the book explains: of a text longer than the model can read.
EXPLAINED = re.compile(
    r"(\[transformers\] )?Token indices sequence length is longer than the specified maximum "
    r"sequence length for this model \(\d+ > \d+\)\. Running this sequence through the model "
    r"will result in indexing errors\n?"
)
every_chapter = pytest.mark.parametrize("name", CHAPTERS)


def read(path: Path):
    """Read a chapter as JupyterLab does, with the settings in jupytext.toml."""
    text, config = path.read_text("utf-8"), load_jupytext_config(str(path))
    return jupytext.reads(text, fmt="md:myst", config=config), text, config


@every_chapter
def test_a_chapter_saved_in_jupyterlab_is_as_it_was(name):
    notebook, text, config = read(PAGES[name])
    nbformat.validate(notebook)
    sent_and_returned = nbformat.from_dict(json.loads(json.dumps(notebook)))
    # What JupyterLab adds
    sent_and_returned.metadata.language_info = {"name": "python", "version": "3.99.0"}
    assert jupytext.writes(sent_and_returned, fmt="md:myst", config=config) == text


@every_chapter
def test_a_chapter_kept_in_an_ipynb_file_comes_back_as_it_was(name):
    notebook, text, config = read(PAGES[name])
    filed = nbformat.reads(nbformat.writes(notebook), as_version=4)
    again = jupytext.writes(filed, fmt="md:myst", config=config)
    # The file sorts metadata, and with it the lines of the header.
    header, again_header = (page.split("---\n")[1].splitlines() for page in (text, again))
    assert sorted(again_header) == sorted(header)
    assert again.split("---\n", 2)[2] == text.split("---\n", 2)[2]


def outputs(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [(cell, output) for cell in cells for output in cell.outputs]


def no_error_but_where_one_is_taught(notebook):
    for cell, output in outputs(notebook):
        taught = "raises-exception" in cell.metadata.get("tags", [])
        assert output.output_type != "error" or taught, output


def no_warning_but_the_one_explained(notebook):
    for _, output in outputs(notebook):
        if output.get("name") == "stderr":
            assert EXPLAINED.fullmatch(output.text), output.text


def no_path_of_this_machine(notebook):
    text = nbformat.writes(notebook)
    for folder in {ROOT, Path.home(), Path(sys.prefix), Path(tempfile.gettempdir())}:
        assert not re.search(rf"{re.escape(str(folder))}\b", text), folder


def no_widget(notebook):
    assert "widgets" not in notebook.metadata
    for _, output in outputs(notebook):
        assert not any("widget" in kind for kind in output.get("data", {})), output


def no_id_or_time_of_one_execution(notebook):
    assert [cell.id for cell in notebook.cells] == [
        f"cell-{number}" for number in range(1, len(notebook.cells) + 1)
    ]
    assert not any("execution" in cell.metadata for cell in notebook.cells)


def every_cell_was_run_in_order(notebook):
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


CHECKS = [
    no_error_but_where_one_is_taught,
    no_warning_but_the_one_explained,
    no_path_of_this_machine,
    no_widget,
    no_id_or_time_of_one_execution,
    every_cell_was_run_in_order,
]
every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


@cache
def executed(name: str):
    path = EXECUTED / f"{name}.ipynb"
    if not path.is_file():
        pytest.fail(f"there is no {path}: build the book first, python3 -m nox -s book")
    return nbformat.read(path, as_version=4)


@every_chapter
def test_what_was_executed_is_this_chapter(name):
    codes = [
        [cell.source.strip() for cell in notebook.cells if cell.cell_type == "code"]
        for notebook in (executed(name), read(PAGES[name])[0])
    ]
    assert codes[0] == codes[1], "build the book again: python3 -m nox -s book"


@every_chapter
@every_check
def test_an_executed_chapter(name, check):
    check(executed(name))


def sound_notebook():
    cell = new_code_cell("1 / 0", id="cell-1", execution_count=1)
    cell.metadata.tags = ["raises-exception"]
    warning = (
        "Token indices sequence length is longer than the specified maximum sequence length "
        "for this model (854 > 512). Running this sequence through the model will result in "
        "indexing errors\n"
    )
    cell.outputs = [
        new_output("error", ename="ZeroDivisionError", evalue="", traceback=[]),
        new_output("stream", name="stderr", text=warning),
    ]
    return new_notebook(cells=[cell])


def change(path: str, value):
    """Return a function that sets something in a notebook: ``cells.0.id``."""

    def apply(notebook):
        *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        for step in way:
            notebook = notebook[step]
        notebook[last] = value

    return apply


WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
TWINS = {
    "an error": (CHECKS[0], change("cells.0.metadata.tags", [])),
    "a warning": (CHECKS[1], change("cells.0.outputs.1.text", "FutureWarning: x\n")),
    "the repository": (CHECKS[2], change("cells.0.outputs.0.evalue", f"in {ROOT}/src")),
    "the home folder": (CHECKS[2], change("cells.0.outputs.0.evalue", f"{Path.home()}/.cache")),
    "the environment": (CHECKS[2], change("cells.0.source", f"open('{sys.prefix}')")),
    "a widget": (CHECKS[3], change("cells.0.outputs.0", new_output("display_data", WIDGET))),
    "state of widgets": (CHECKS[3], change("metadata.widgets", {})),
    "an id": (CHECKS[4], change("cells.0.id", "3f9a")),
    "a time": (CHECKS[4], change("cells.0.metadata.execution", {"shell.reply": "9:00"})),
    "another order": (CHECKS[5], change("cells.0.execution_count", 2)),
}


@every_check
def test_a_sound_notebook_passes(check):
    check(sound_notebook())


@pytest.mark.parametrize(("check", "damage"), TWINS.values(), ids=TWINS)
def test_a_damaged_notebook_fails(check, damage):
    notebook = sound_notebook()
    damage(notebook)
    with pytest.raises(AssertionError):
        check(copy.deepcopy(notebook))


def executed_alone(code, tmp_path):
    """Execute a chapter of one cell; return what it printed."""
    notebook = new_notebook(cells=[new_code_cell(code)])
    chapter = Chapter("chapters/far", notebook, "key", time_limit=60)
    snapshot = take_snapshot(ROOT, tmp_path / "packages")
    workplace = Workplace(snapshot.folder, {"encoder": "some/model"}, "cpu", "a CPU")
    done, _ = kernels.execute(kernels.Task(chapter, snapshot.folder, ["encoder"]), workplace)
    return done.cells[0].outputs[0].text


def test_chapters_are_executed_in_an_empty_folder_far_from_the_book(tmp_path):
    code = (
        "import os\nfrom layerwise.texts.poems import load_poems\n"
        "print(os.listdir(), os.path.exists('chapters'), len(load_poems()))"
    )
    assert executed_alone(code, tmp_path) == "[] False 59\n"


def test_a_port_that_another_program_took_is_left_to_it(tmp_path, monkeypatch):
    """One that answers in the language of kernels, and is none."""
    monkeypatch.setattr(kernels, "SECONDS_TO_SEND", 1)
    find = LocalPortCache.find_available_port
    with zmq.Context() as context, context.socket(zmq.PUB) as taken:
        ports = [taken.bind_to_random_port("tcp://127.0.0.1")]
        monkeypatch.setattr(
            LocalPortCache, "find_available_port",
            lambda cache, ip: ports.pop() if ports else find(cache, ip),
        )  # fmt: skip
        assert executed_alone("print(1)", tmp_path) == "1\n"


def test_jupyterlab_keeps_every_line_of_a_header(tmp_path, monkeypatch):
    """As it saves a chapter: through the contents manager of jupytext."""
    header = PAGES["chapters/tokens"].read_text("utf-8").split("---\n")[1]
    header += "mystnb:\n  execution_timeout: 900\nmyst:\n  substitutions:\n    a: b\n"
    header += "html_meta:\n  keywords: poems\nown: [1]\n"
    text = f"---\n{header}---\n\n# Own\n\n```{{code-cell}} ipython3\n1\n```\n"
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters/own.md").write_text(text)
    shutil.copy(ROOT / "jupytext.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    manager = build_sync_jupytext_contents_manager_class(LargeFileManager)()
    manager.root_dir = str(tmp_path)
    saved = []
    for _ in range(3):
        content = manager.get("chapters/own.md", type="notebook")["content"]
        content["metadata"]["language_info"] = {"name": "python", "version": "3.99.0"}
        model = {"type": "notebook", "format": "json", "content": content}
        manager.save(model, "chapters/own.md")
        saved.append((tmp_path / "chapters/own.md").read_text())
        assert sorted(saved[-1].splitlines()) == sorted(text.splitlines())
    # Some come in another order: the second time in that of the notebook it is kept with.
    assert saved[2] == saved[1]

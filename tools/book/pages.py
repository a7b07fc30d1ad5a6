"""Write the pages from the chapters and their executions, and put them in place.

Pages are written into a fresh folder that replaces ``_build/html`` when all of them are done
and nothing was wrong: what is in ``_build/html`` always comes from a build that succeeded.
"""

import shutil
from pathlib import Path

from tools.book.executed import write_executed_notebooks
from tools.chapters import Book
from tools.desk import ROOT, sha256_of_file, sha256_of_text, to_json
from tools.executions.fingerprint import Basis
from tools.executions.store import Execution, lay_out_for_sphinx
from tools.explorers.publish import add_in_page_model
from tools.install import PIN_FILES
from tools.made import put_in_place

# Folders of _build that are replaced as a whole.
PUBLISHED = ("html", "executed")
TOLD_BY_US = (OSError, KeyboardInterrupt)


def write_pages(book: Book, basis: Basis, executions: dict[str, Execution]) -> int:
    """Write pages and executed notebooks, and put them in place; return Sphinx's exit status.

    What Sphinx remembers of the last build is used only if that build came to its end and
    nothing that shapes a page without Sphinx's knowledge has changed since.
    """
    build_folder = book.root / "_build"
    workshop = build_folder / ".sphinx"
    finished = workshop / "finished"
    state = pages_state(book.root)
    if not finished.is_file() or finished.read_text("utf-8") != state:
        shutil.rmtree(workshop, ignore_errors=True)
    finished.unlink(missing_ok=True)
    for name in PUBLISHED:
        shutil.rmtree(workshop / name, ignore_errors=True)
        (workshop / name).mkdir(parents=True)
    # Beside the pages, where extensions find them.
    write_executed_notebooks(book, executions, workshop / "executed")
    record = workshop / "executions.json"
    record.write_text(to_json(summary(book, basis, executions)), "utf-8")
    lay_out_for_sphinx(list(executions.values()), workshop / "cache")
    status = run_sphinx(book, workshop / "cache", record, workshop)
    if status == 0:
        # Sphinx's note to its next build, which begins in an empty folder; it holds paths.
        (workshop / "html" / ".buildinfo").unlink(missing_ok=True)
        add_in_page_model(book.root, basis, workshop / "html")
        for name in PUBLISHED:
            put_in_place(workshop / name, build_folder / name)
        finished.write_text(state, "utf-8")
    return status


def pages_state(root: Path) -> str:
    """Return a digest of what shapes every page: settings, tools, libraries."""
    files = [*(ROOT / "_ext").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]
    digests = {str(path.relative_to(ROOT)): sha256_of_file(path) for path in files}
    for name in ("_config.yml", "_toc.yml", *PIN_FILES):
        digests[name] = sha256_of_file(root / name)
    return sha256_of_text(to_json(digests))


def run_sphinx(book: Book, cache: Path, record: Path, workshop: Path) -> int:
    """Run Sphinx as Jupyter Book does; every warning is an error, nothing is executed.

    All pages are written, also those whose text did not change: their navigation may have.
    """
    import jupyter_book.sphinx
    import myst_nb.core.execute.cache

    myst_nb.core.execute.cache.single_nb_execution = refuse_to_execute
    jupyter_book.sphinx.handle_exception = tell_exception
    result = jupyter_book.sphinx.build_sphinx(
        book.root,
        workshop / "html",
        noconfig=True,
        path_config=book.root / "_config.yml",
        confoverrides={
            "external_toc_path": str(book.root / "_toc.yml"),
            "latex_individualpages": False,
            "nb_execution_mode": "cache",
            "nb_execution_cache_path": str(cache),
            "nb_execution_excludepatterns": [],
            "executions_record": str(record),
        },
        doctreedir=workshop / "doctrees",
        force_all=True,
        warningiserror=True,
        keep_going=True,
        quiet=True,
    )
    if isinstance(result, TOLD_BY_US):
        raise result
    return 1 if isinstance(result, BaseException) else int(result)


def tell_exception(app, debug_arguments, error: BaseException, stream) -> None:
    """Show what stops Sphinx, as it would, but for what our own command says."""
    from sphinx.cmd.build import handle_exception

    if not isinstance(error, TOLD_BY_US):
        handle_exception(app, debug_arguments, error, stream)


def refuse_to_execute(*_, **__):
    """Stand in for MyST-NB's own executor: every execution was made and checked before."""
    raise RuntimeError("this page's execution is not in the cache: report this as a bug")


def summary(book: Book, basis: Basis, executions: dict[str, Execution]) -> dict:
    """Gather what the executions page and executions.json say."""
    return {
        "models": [
            {"role": role, "known": model.known, **model.part}
            for role, model in basis.models.items()
        ],
        "device": basis.device,
        "versions": basis.common["libraries"],
        "chapters": [
            {
                "name": chapter.name,
                "fingerprint": execution.fingerprint.digest,
                "rests_on": execution.fingerprint.parts,
                "sha256": execution.record["sha256"],
                "executed": execution.record["executed"],
                "seconds": execution.record["seconds"],
                "device": execution.record["device"],
                "instructions": execution.record["instructions"],
                "python": execution.record["python"],
                "cells": len(chapter.code_cells),
            }
            for chapter in book.chapters
            for execution in [executions[chapter.name]]
        ],
    }

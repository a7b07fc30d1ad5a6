"""Lay out ``_build/lab``: the chapters' notebooks, to change at will, and the pages they name.

It is laid out as the site is, so that the notebooks' links hold. What a learner has changed
is theirs: a newer notebook is put beside it.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from tools.desk import (
    ROOT,
    BuildError,
    draft_of,
    read_record,
    run_command,
    say,
    sha256_of_file,
    to_json,
)


def lay_out(site: Path, lab: Path, say: Callable[[str], None]) -> None:
    """Copy what a learner opens out of a built site."""
    if not (site / "notebooks").is_dir():
        raise BuildError(f"no notebooks in {site}: build the book, python3 -m nox -s book")
    # Pages without the explorers: Jupyter shows them without their scripts.
    leave_out = shutil.ignore_patterns("notebooks", "explorer", "*.json")
    shutil.copytree(site, lab, ignore=leave_out, dirs_exist_ok=True)
    record = lab / ".given.json"
    given = read_record(record)
    for notebook in sorted((site / "notebooks").rglob("*.ipynb")):
        name = notebook.relative_to(site).as_posix()
        if name.startswith("notebooks/executed/"):
            continue
        new = sha256_of_file(notebook)
        give(notebook, lab / name, new, given.get(name), say)
        given[name] = new
    with draft_of(record) as draft:
        draft.write_text(to_json(given), "utf-8")


def give(
    notebook: Path, copy: Path, new: str, before: str | None, say: Callable[[str], None]
) -> None:
    """Copy a notebook, or put it beside the copy if that was changed.

    ``new`` and ``before`` are the digests of the notebook, and of the one given before.
    """
    if copy.is_file() and sha256_of_file(copy) not in (new, before):
        if new == before:
            return
        copy, changed = copy.with_name(f"{copy.stem}-{new[:8]}.ipynb"), copy
        say(f"you have changed {changed.name}: it stays, and the newer one is {copy.name}")
        if copy.exists():
            return
    copy.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(copy) as draft:
        shutil.copyfile(notebook, draft)


def main() -> int:
    """Lay out ``_build/lab`` from ``_build/html``."""
    return run_command(lambda: lay_out(ROOT / "_build" / "html", ROOT / "_build" / "lab", say))


if __name__ == "__main__":
    raise SystemExit(main())

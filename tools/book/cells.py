"""Check the code in chapters as all other code is checked: with ruff and mypy.

    python -m tools.book.cells

The cells of a page are written into one file, each line where it stands in the page, so that
what a checker says of line 35 there holds for line 35 of the page.
"""

import re
import subprocess
import sys
from pathlib import Path

from tools.chapters import Page, read_pages
from tools.desk import ROOT, run_command

CHECKERS = (
    ("ruff", "check", "--quiet", "--output-format=concise", "--config"),
    ("mypy", "--no-error-summary", "--config-file"),
)


def as_module(page: Page) -> str:
    """Return a page's code as a module of the same length; a magic does nothing in it."""
    lines = [""] * len(page.text.splitlines())
    for cell in page.cells:
        code = [re.sub(r"^(\s*)(?=[%!])", r"\1pass  # ", line) for line in cell.code]
        lines[cell.line - 1 : cell.line - 1 + len(code)] = code
    return "\n".join(lines).rstrip("\n") + "\n"


def check_cells(root: Path) -> list[str]:
    """Return what the checkers find in the cells of a book, each with its line in the page."""
    folder = root / "_build" / "lint"
    files = []
    for page in read_pages(root):
        if page.cells:
            files.append((folder / page.name).with_suffix(".py"))
            files[-1].parent.mkdir(parents=True, exist_ok=True)
            files[-1].write_text(as_module(page), "utf-8")
    settings = ROOT / "pyproject.toml"
    findings = []
    for checker in CHECKERS:
        command = [sys.executable, "-m", *checker, settings]
        command += [file.relative_to(root) for file in files]
        run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        findings += (run.stdout + run.stderr).splitlines()
    return [re.sub(r"^_build/lint/(\S+)\.py:", r"\1.md:", finding) for finding in findings]


def main() -> int:
    """Show every finding; return the exit status."""
    return run_command(show_findings)


def show_findings() -> int:
    """Check the cells and show every finding; return the exit status."""
    findings = check_cells(ROOT)
    print("\n".join(findings) or "code of chapters: nothing found")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

"""A small book, made for each test, that builds in a few seconds with the real tools."""

import json
import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
HEADER = """---
file_format: mystnb
kernelspec:
  name: python3
---
"""
# Files that say when the book was built and how long it took: the only ones that may differ.
EXCEPTIONS = {"executions.html", "executions.json"}

FILES = {
    "_config.yml": f"""
title: A small book
only_build_toc_files: true
exclude_patterns: [.*, data, installed, models, src]
execute:
  execute_notebooks: cache
  timeout: 60
bibtex_bibfiles: [references.bib]
parse:
  myst_enable_extensions: [colon_fence, dollarmath]
html:
  use_repository_button: false
sphinx:
  local_extensions:
    _ext.executions: {ROOT}
  config:
    html_theme: alabaster  # the book's own takes seconds more, and is not what is tested
    html_theme_options: {{}}
    bibtex_reference_style: author_year
    nb_execution_raise_on_error: true
    nb_execution_show_tb: true
    nb_merge_streams: true
""",
    "_toc.yml": """
format: jb-book
root: index
chapters:
  - file: chapters/one
  - file: chapters/two
  - file: executions
""",
    "requirements.txt": (
        "pyyaml==6.0.3 \\\n    --hash=sha256:abc\n    # via nobody\n"
        "fakelib==1.0\nfakelib==7.0 ; sys_platform == 'amiga'\n"
    ),
    "requirements-torch.txt": "# torch: 5 MB\n",
    "pyproject.toml": """
[tool.setuptools.package-dir]
layerwise = "src/layerwise"
"layerwise.datasets" = "data/datasets"
""",
    "references.bib": """
@book{dickinson, author = {Emily Dickinson}, title = {Poems}, year = {1890}, publisher = {R}}
""",
    "index.md": "# A small book\n\nSee {cite:t}`dickinson`.\n\n```{bibliography}\n```\n",
    "executions.md": "# Executions\n\n:::{executions}\n:::\n",
    "_static/book.css": "p { color: black; }\n",
    "src/layerwise/__init__.py": "",
    "src/layerwise/helper.py": """
from importlib.resources import files

CONSTANT = 1


def first_line():
    return files("layerwise.datasets").joinpath("poems.txt").read_text().splitlines()[0]
""",
    "src/layerwise/checkpoints.py": f"""
import os
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple


class Checkpoint(NamedTuple):
    name: str
    revision: str | None
    files: dict[str, str]
    folder: Path | None


PUBLISHED = {{
    "some/first": "{sha256(b"first weights").hexdigest()}",
    "some/other": "{sha256(b"other weights").hexdigest()}",
    "some/writer": "{sha256(b"writer's weights").hexdigest()}",
}}
CHECKPOINTS = {{
    name: Checkpoint(name, "r1", {{"model.safetensors": digest}}, None)
    for name, digest in PUBLISHED.items()
}}
DEFAULTS = {{"encoder": "some/first", "decoder": "some/writer"}}


def default_checkpoint(role):
    return os.environ.get(f"LAYERWISE_{{role.upper()}}") or DEFAULTS[role]


def find_checkpoint(name):
    if name in CHECKPOINTS:
        return CHECKPOINTS[name]
    if Path(name).is_dir():
        return Checkpoint(Path(name).name, None, {{}}, Path(name))
    raise ValueError(f"unknown checkpoint {{name!r}}: use another one")


def local_folder(checkpoint):
    folder = checkpoint.folder or Path(os.environ["HF_HOME"]) / checkpoint.name
    return folder if (folder / "model.safetensors").is_file() else None


def fetch_checkpoint(checkpoint):
    raise OSError("the hub cannot be reached.")


def digests(folder):
    files = [folder / name for name in ("config.json", "model.safetensors")]
    return {{f.name: sha256(f.read_bytes()).hexdigest() for f in files if f.is_file()}}
""",
    "data/datasets/__init__.py": "",
    "data/datasets/poems.txt": "Success is counted sweetest\n",
    "models/some/first/model.safetensors": "first weights",
    "models/some/other/model.safetensors": "other weights",
    "models/some/writer/model.safetensors": "writer's weights",
    # A library that is installed nowhere else, so that its version can be changed.
    "installed/fakelib-1.0.dist-info/METADATA": "Name: fakelib\nVersion: 1.0\n",
    # Stands in for torch: a machine with the device that a variable names, or a broken torch.
    "installed/torch.py": """
import os
from types import SimpleNamespace

device = os.environ.get("SMALL_BOOK_DEVICE", "")
if device == "forbidden":
    raise ImportError("torch must not be used here")
cuda = SimpleNamespace(
    is_available=lambda: device == "cuda", get_device_name=lambda: "A GPU made for tests"
)
backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: device == "mps"))
""",
    "chapters/one.md": f"""{HEADER}
(one)=
# One

Prose.

```{{code-cell}}
from layerwise.helper import CONSTANT, first_line

print(CONSTANT, first_line())
```

```{{code-cell}}
:tags: [raises-exception]

1 / 0
```
""",
    "chapters/two.md": f"""{HEADER}
# Two

See {{ref}}`one`, and {{cite:t}}`dickinson`.

```{{code-cell}}
import os
import signal
from pathlib import Path

if Path(os.environ["HF_HOME"], "kill").exists():
    os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)
print(os.environ["LAYERWISE_ENCODER"], os.environ["LAYERWISE_DEVICE"])
```
""",
}


class Run(NamedTuple):
    """What a run of a tool left behind."""

    status: int
    output: str
    changes: int  # to the file system

    @property
    def executed(self) -> set[str]:
        """The chapters it executed."""
        return set(re.findall(r"\] (\S+): executed in", self.output))


class BuildServer:
    """See build_server.py."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("build_server.py"))],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        )

    def run(self, request: dict) -> int:
        """Run a tool to its end; return its exit status."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self) -> None:
        """End the server."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class SmallBook:
    """A book in a folder of its own."""

    def __init__(self, folder: Path, server: BuildServer):
        self.folder, self.server = folder, server
        self.log = folder.parent / f"{folder.name}.log"

    @classmethod
    def make(cls, folder: Path, server: BuildServer) -> "SmallBook":
        """Write the sources of a book into a folder."""
        book = cls(folder, server)
        for name, text in FILES.items():
            book.write(name, text)
        return book

    def copy(self, folder: Path) -> "SmallBook":
        """Copy the book, with what was built of it."""
        shutil.copytree(self.folder, folder)
        return SmallBook(folder, self.server)

    def write(self, name: str, text: str) -> None:
        """Write a source file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a source file."""
        text = (self.folder / name).read_text("utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def run(
        self, module: str, *arguments: str, kill_at: int | None = None,
        by: str = "SIGKILL", **environment: str,
    ) -> Run:  # fmt: skip
        """Run a tool on this book."""
        environment = {
            "HF_HOME": str(self.folder / "models"),
            "PYTHONPATH": str(self.folder / "installed"),
            **environment,
        }
        status = self.server.run(
            {
                "module": module,
                "arguments": [*arguments, "--book", str(self.folder)],
                "environment": environment,
                "output": str(self.log),
                "folder": str(self.folder),
                "kill_at": kill_at,
                "by": by,
            }
        )
        count = Path(f"{self.log}.count")
        changes = int(count.read_text() or 0) if count.exists() else 0
        return Run(status, self.log.read_text("utf-8", errors="replace"), changes)

    def build(self, *arguments: str, **options) -> Run:
        """Build the book."""
        return self.run("tools.book.build", *arguments, **options)

    def cache(self, *arguments: str, **options) -> Run:
        """Run a cache command."""
        return self.run("tools.executions.command", *arguments, **options)

    def page(self, name: str) -> str:
        """Return a built page."""
        return (self.folder / "_build/html" / f"{name}.html").read_text("utf-8")

    def built(self) -> dict[str, bytes]:
        """Return every file that was built, but those that tell dates and seconds."""
        build = self.folder / "_build"
        return {
            path.relative_to(build).as_posix(): path.read_bytes()
            for folder in (build / "html", build / "executed")
            for path in folder.rglob("*")
            if path.is_file() and path.name not in EXCEPTIONS
        }

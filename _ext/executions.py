"""Sphinx extension: the executions page, and executions.json beside the pages.

The build hands over a record of what was executed, when and on what; ``executions.md`` shows it
with the directive ``{executions}``.
"""

import json
import shutil
from datetime import datetime
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from _ext.tables import table, text

WEIGHTS = (".safetensors", ".gguf", ".bin")  # how their files end
# The libraries that outputs depend on most; executions.json has all.
SHOWN_LIBRARIES = (
    "torch", "transformers", "tokenizers", "numpy", "pandas", "scikit-learn", "matplotlib",
    "seaborn", "ipykernel", "jupyter-book", "myst-nb", "jupyter-cache",
)  # fmt: skip


def read_record(config: Config) -> dict:
    """Read what the build hands over."""
    return json.loads(Path(config.executions_record).read_text("utf-8"))


class Executions(SphinxDirective):
    """Show on what, when and for how long the chapters were executed."""

    def run(self) -> list[nodes.Node]:
        """Return the tables."""
        self.env.metadata[self.env.docname]["executions"] = "shown"
        # Dates and seconds would make every build's search index another one.
        self.env.metadata[self.env.docname]["nosearch"] = "true"
        record = read_record(self.config)
        self.env.note_dependency(self.config.executions_record)
        return [self.basis_table(record), self.chapters_table(record)]

    def basis_table(self, record: dict) -> nodes.table:
        """Say what all executions rest on."""
        devices = sorted({chapter["device"] for chapter in record["chapters"]})
        pythons = sorted({chapter["python"] for chapter in record["chapters"]})
        rows = []
        for model in record["models"]:
            known = "" if model["known"] else " (not on the book's list: unverified)"
            rows.append((f"The {model['role']}", text(model["checkpoint"] + known)))
            if model["revision"]:
                rows.append(("Revision", literal(model["revision"])))
            rows += [
                (f"{file} (SHA-256)", literal(digest))
                for file, digest in model.items()
                if file.endswith(WEIGHTS)
            ]
        rows += [
            ("Device", text(f"{record['device']}: {', '.join(devices)}")),
            ("Python", text(", ".join(pythons))),
        ]
        versions = record["versions"]
        rows += [(name, text(versions[name])) for name in SHOWN_LIBRARIES if name in versions]
        return table(["What", "Value"], [[text(name), value] for name, value in rows])

    def chapters_table(self, record: dict) -> nodes.table:
        """Say when each chapter was executed, and how long it took."""
        rows = [
            [
                self.link(chapter["name"]),
                text(f"{datetime.fromisoformat(chapter['executed']):%Y-%m-%d %H:%M} UTC"),
                text(str(chapter["cells"])),
                text(f"{chapter['seconds']:.1f}"),
                text(chapter["instructions"]),
                literal(chapter["fingerprint"]),
            ]
            for chapter in record["chapters"]
        ]
        total = sum(chapter["seconds"] for chapter in record["chapters"])
        cells = sum(chapter["cells"] for chapter in record["chapters"])
        rows.append([text("All"), text(""), text(str(cells)), text(f"{total:.1f}")])
        rows[-1] += [text(""), text("")]
        headings = ["Chapter", "Executed", "Cells", "Seconds", "Processor", "Fingerprint"]
        return table(headings, rows)

    def link(self, name: str) -> nodes.Node:
        """Return a link to a chapter, with the chapter's title as its text."""
        reference = addnodes.pending_xref(
            "", refdomain="std", reftype="doc", reftarget=f"/{name}", refexplicit=False,
            refdoc=self.env.docname, refwarn=True,
        )  # fmt: skip
        reference += nodes.inline(name, name)
        return reference


def literal(value: str) -> nodes.Node:
    """Return a value as it stands in a file."""
    return nodes.literal(value, value)


def outdated(app: Sphinx, env: BuildEnvironment, *_) -> list[str]:
    """Read again the pages that show executions, and chapters with another one than before.

    The source of a chapter may be as it was, and its outputs others: made again, or unpacked.
    """
    record = read_record(app.config)
    digests = {chapter["name"]: chapter["sha256"] for chapter in record["chapters"]}
    before = getattr(env, "execution_digests", {})
    env.execution_digests = digests  # type: ignore[attr-defined]  # kept with the environment
    others = {name for name, digest in digests.items() if before.get(name) != digest}
    showing = {name for name in env.found_docs if "executions" in env.metadata.get(name, {})}
    return sorted(showing | others & set(env.found_docs))


def write_json(app: Sphinx, exception: Exception | None) -> None:
    """Put the record beside the pages."""
    if exception is None and app.builder.format == "html":
        shutil.copyfile(app.config.executions_record, Path(app.outdir) / "executions.json")


def setup(app: Sphinx) -> None:
    """Register the directive and the setting ``executions_record``: the record's file."""
    app.add_config_value("executions_record", "", "")
    app.add_directive("executions", Executions)
    app.connect("env-get-outdated", outdated)
    app.connect("build-finished", write_json)

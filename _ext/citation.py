"""Sphinx extension: how to cite the book, and its licences, on every page: CITATION.cff."""

from pathlib import Path

import yaml
from sphinx.application import Sphinx

# What each licence of CITATION.cff holds for, what it is called, and where it can be read
LICENCES = {
    "MIT": ("Code", "MIT", "https://opensource.org/license/mit"),
    "CC-BY-4.0": (
        "Text and figures", "CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/",
    ),
}  # fmt: skip


def citation(root: Path) -> dict:
    """Read how the book wants to be cited.

    Returns
    -------
    dict
        ``text``, a sentence; ``bibtex``, an entry; ``licences``, tuples of what each holds for,
        its name and its address.
    """
    cff = yaml.safe_load((root / "CITATION.cff").read_text("utf-8"))
    names = [
        author.get("name") or f"{author['given-names']} {author['family-names']}"
        for author in cff["authors"]
    ]
    year = str(cff["date-released"])[:4]
    fields = {
        "author": " and ".join(f"{{{name}}}" for name in names),
        "title": f"{{{cff['title']}}}",
        "year": year,
        "note": f"Version {cff['version']}",
    }
    lines = "".join(f"  {key} = {{{value}}},\n" for key, value in fields.items())
    return {
        "text": f"{', '.join(names)} ({year}). {cff['title']}. Version {cff['version']}.",
        "bibtex": f"@misc{{layerbylayer{year},\n{lines}}}\n",
        "licences": [LICENCES[name] for name in reversed(cff["license"])],
    }


def add_citation(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Give the page's template the citation."""
    context["citation"] = citation(Path(app.srcdir))


def write_bibtex(app: Sphinx, exception: Exception | None) -> None:
    """Put the entry into the site."""
    if exception is None and app.builder.format == "html":
        target = Path(app.outdir) / "_static" / "layer-by-layer.bib"
        target.write_text(citation(Path(app.srcdir))["bibtex"], "utf-8")


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("html-page-context", add_citation)
    app.connect("build-finished", write_bibtex)

"""Sphinx extension: how long a chapter takes, what a glossary term means, what to take along.

Below each chapter's title stands how long it takes to read and to run, with its notebook to
download. Each glossary term on a page carries its definition, for screen readers and for
``site.mjs``, which shows it on hover, focus or tap.

What can be launched where is set in ``_config.yml``, with Jupyter Book's own keys
``repository`` and ``launch_buttons``; without a repository address there are no such links.
"""

import html
import json
import re
import shutil
from pathlib import Path
from urllib.parse import quote, urlencode, urlparse

import jupytext
import nbformat
from docutils import nodes
from minutes import count
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import SphinxError


def running_time(seconds: float) -> str:
    """Say how long a chapter ran, in a round number."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"


def seconds_to_run(app: Sphinx, pagename: str) -> float | None:
    """Look up how long a chapter's execution took."""
    if record := app.config.executions_record:
        chapters = json.loads(Path(record).read_text("utf-8"))["chapters"]
        return next((c["seconds"] for c in chapters if c["name"] == pagename), None)
    execution = app.env.nb_metadata.get(pagename, {}).get("exec_data") or {}
    return execution.get("runtime")


def is_notebook(env: BuildEnvironment, docname: str) -> bool:
    """Say whether a page has code that runs."""
    return "kernelspec" in env.metadata.get(docname, {})


def launch_links(options: dict, pagename: str) -> dict[str, str]:
    """Return the address of each service that can open a page's notebook, by its name.

    Parameters
    ----------
    options : dict
        The theme's options: ``repository_url``, ``repository_branch``, ``launch_buttons``.
    pagename : str
    """
    repository = (options.get("repository_url") or "").rstrip("/").removesuffix(".git")
    if not repository:
        return {}
    buttons = options.get("launch_buttons") or {}
    branch = options.get("repository_branch") or "main"
    # A branch that holds the built site, and so the notebooks: GitHub Pages makes one
    site_branch = buttons.get("site_branch") or "gh-pages"
    site, path = urlparse(repository).netloc, urlparse(repository).path.strip("/")
    notebook = f"notebooks/{pagename}.ipynb"
    links = {}
    if binder := (buttons.get("binderhub_url") or "").rstrip("/"):
        source = {"github.com": f"gh/{path}", "gitlab.com": f"gl/{quote(path, safe='')}"}.get(
            site, f"git/{quote(repository, safe='')}"
        )
        query = urlencode({"urlpath": f"lab/tree/{pagename}.ipynb"})
        links["Binder"] = f"{binder}/v2/{source}/{quote(branch, safe='')}?{query}"
    if (colab := (buttons.get("colab_url") or "").rstrip("/")) and site == "github.com":
        links["Colab"] = f"{colab}/github/{path}/blob/{site_branch}/{notebook}"
    if hub := (buttons.get("jupyterhub_url") or "").rstrip("/"):
        target = f"lab/tree/{path.rpartition('/')[2]}/{notebook}"
        query = urlencode({"repo": repository, "branch": site_branch, "urlpath": target})
        links["JupyterHub"] = f"{hub}/hub/user-redirect/git-pull?{query}"
    return links


def reading_line(app: Sphinx, pagename: str, context: dict, doctree: nodes.document) -> str:
    """Write the line below a chapter's title."""
    reading = count(doctree)
    parts = [
        f"<span>{max(1, round(reading.prose_minutes))} min of prose, "
        f"{round(reading.code_minutes)} min of code</span>"
    ]
    if seconds := seconds_to_run(app, pagename):
        parts.append(f"<span>{running_time(seconds)} to run</span>")
    pathto = context["pathto"]
    for text, folder in [
        ("Notebook", "notebooks"),
        ("Executed notebook", "notebooks/executed"),
    ]:
        address = pathto(f"{folder}/{pagename}.ipynb", True)
        parts.append(f'<a href="{html.escape(address)}" download>{text}</a>')
    for name, address in launch_links(app.config.layerwise_launch, pagename).items():
        parts.append(f'<a href="{html.escape(address)}">{name}</a>')
    return f'<p class="reading">{" ".join(parts)}</p>'


def add_reading_help(
    app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None
) -> None:
    """Add to a page its reading line and the definitions of its terms."""
    if doctree is None:
        return
    body = context["body"]
    if is_notebook(app.env, pagename) and pagename != app.config.root_doc:
        line = reading_line(app, pagename, context, doctree)
        body = body.replace("</h1>", "</h1>\n" + line, 1)
    context["body"] = add_definitions(body, glossary_definitions(app))


def glossary_definitions(app: Sphinx) -> dict[str, str]:
    """Return the HTML of each glossary definition, by the id of its term."""
    if not hasattr(app, "layerwise_definitions"):
        app.layerwise_definitions = {}
        if "glossary" in app.env.found_docs:
            glossary = app.env.get_and_resolve_doctree("glossary", app.builder)
            for link in list(glossary.findall(nodes.reference)):  # they hold in one place only
                link.replace_self(link.children)
            for item in glossary.findall(nodes.definition_list_item):
                definition = next(item.findall(nodes.definition))
                fragment = "".join(
                    app.builder.render_partial(child)["fragment"]
                    for child in definition.children
                )
                for term in item.findall(nodes.term):
                    app.layerwise_definitions.update(dict.fromkeys(term["ids"], fragment))
    return app.layerwise_definitions


def add_definitions(body: str, definitions: dict[str, str]) -> str:
    """Mark each link to a glossary term, and append the definitions it and its like need."""
    used = {}

    def mark(link: re.Match) -> str:
        term = link.group(2)
        if term not in definitions:
            return link.group()
        used[term] = definitions[term]
        target = f"{link.group(1)}#{term}"
        return f'<a class="term" aria-describedby="definition-{term}" href="{target}">'

    body = re.sub(
        r'<a class="reference internal" href="([^"#]*)#(term-[^"]*)"(?: title="[^"]*")?>',
        mark,
        body,
    )
    if not used:
        return body
    blocks = "\n".join(
        f'<div id="definition-{term}">{definition}</div>' for term, definition in used.items()
    )
    return f"{body}\n<div hidden>\n{blocks}\n</div>\n"


def write_notebooks(app: Sphinx, exception: Exception | None) -> None:
    """Put every chapter's notebook into the site, as it is and as it ran."""
    if exception is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "notebooks"
    shutil.rmtree(folder, ignore_errors=True)
    for docname in app.env.found_docs:
        if not is_notebook(app.env, docname):
            continue
        target = folder / f"{docname}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(clean_notebook(Path(app.env.doc2path(docname)), app), target)
        target = folder / "executed" / f"{docname}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(find_executed(app, docname), target)


def find_executed(app: Sphinx, docname: str) -> Path:
    """Find the notebook that this build made of a chapter's execution.

    Only beside the pages that are being written: ``_build/executed`` is the last build's until
    this one has succeeded.
    """
    candidates = [
        Path(app.outdir).parent / kind / f"{docname}.ipynb"
        for kind in ["executed", "jupyter_execute"]
    ]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise SphinxError(f"{docname} has no executed notebook: none of {candidates} is there")


def clean_notebook(source: Path, app: Sphinx) -> nbformat.NotebookNode:
    """Turn a chapter into a notebook without outputs, the same every time."""
    notebook = jupytext.read(source)
    repository = app.config.layerwise_launch.get("repository_url")
    if repository:  # a notebook opened far from its package must be able to get it
        notebook.cells.insert(
            0,
            nbformat.v4.new_code_cell(
                "# Where the book's package is not installed yet, as on Colab\n"
                "import importlib.util\n\n"
                'if importlib.util.find_spec("layerwise") is None:\n'
                f'    %pip install --quiet "layerwise @ git+{repository}"'
            ),
        )
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    return notebook


def take_options(app: Sphinx, config) -> None:
    """Take the launch settings from the theme, whose buttons fail without a repository."""
    options = config.html_theme_options
    config.layerwise_launch = {
        "launch_buttons": options.pop("launch_buttons", {}),
        "repository_url": options.get("repository_url", ""),
        "repository_branch": options.get("repository_branch", ""),
    }


def setup(app: Sphinx) -> dict:
    """Connect to Sphinx."""
    app.add_config_value("layerwise_launch", {}, "html")
    app.connect("config-inited", take_options)
    app.connect("html-page-context", add_reading_help, priority=950)
    app.connect("build-finished", write_notebooks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

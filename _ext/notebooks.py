"""Sphinx extension: every chapter's notebook is in the site, and opens where readers like.

What can be launched where is set in ``_config.yml``, with Jupyter Book's own keys
``repository`` and ``launch_buttons``; without a repository address there are no such links.
"""

import shutil
from pathlib import Path
from urllib.parse import quote, urlencode, urlparse

import jupytext
import nbformat
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import SphinxError


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
    app.connect("build-finished", write_notebooks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""Sphinx extension: every chapter's notebook is in the site, and opens where readers like.

What can be launched where is set in ``_config.yml``, with Jupyter Book's own keys
``repository`` and ``launch_buttons``; without a repository address there are no such links.
"""

import shutil
from pathlib import Path
from urllib.parse import quote, urlencode, urlparse

import nbformat
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import SphinxError

from _ext.references import NotebookReferences
from tools.book.install_cell import install_cells, needed
from tools.book.plain import plain_notebook
from tools.book.wheel import built_wheel
from tools.classroom.notebooks import write


def is_notebook(env: BuildEnvironment, docname: str) -> bool:
    """Say whether a page has code that runs."""
    return "kernelspec" in env.metadata.get(docname, {})


def launch_links(options: dict, pagename: str) -> dict[str, str]:
    """Return the address of each service that can open a page's notebook, by its name.

    They open the branch that the workflow makes of the site's folder ``notebooks``.

    Parameters
    ----------
    options : dict
        The theme's options: ``repository_url``, ``launch_buttons``; and ``site``, its address.
    pagename : str
    """
    repository = (options.get("repository_url") or "").rstrip("/").removesuffix(".git")
    if not repository:
        return {}
    buttons = options.get("launch_buttons") or {}
    branch = quote(buttons.get("notebooks_branch") or "notebooks", safe="")
    host, path = urlparse(repository).netloc, urlparse(repository).path.strip("/")
    notebook = f"{pagename}.ipynb"
    links = {}
    if binder := (buttons.get("binderhub_url") or "").rstrip("/"):
        source = {"github.com": f"gh/{path}", "gitlab.com": f"gl/{quote(path, safe='')}"}.get(
            host, f"git/{quote(repository, safe='')}"
        )
        query = urlencode({"urlpath": f"lab/tree/{notebook}"})
        links["Binder"] = f"{binder}/v2/{source}/{branch}?{query}"
    colab = (buttons.get("colab_url") or "").rstrip("/")
    # It copies the notebook alone, and that gets its package from the site
    if colab and host == "github.com" and options.get("site"):
        links["Colab"] = f"{colab}/github/{path}/blob/{branch}/{notebook}"
    if hub := (buttons.get("jupyterhub_url") or "").rstrip("/"):
        target = f"lab/tree/{path.rpartition('/')[2]}/{notebook}"
        query = urlencode({"repo": repository, "branch": branch, "urlpath": target})
        links["JupyterHub"] = f"{hub}/hub/user-redirect/git-pull?{query}"
    return links


def write_notebooks(app: Sphinx, exception: Exception | None) -> None:
    """Put every chapter's notebook into the site, as it is and as it ran, and the package."""
    if exception is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "notebooks"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    book = Path(app.srcdir)  # a course's has its texts in the package
    wheel = Path(shutil.copy(built_wheel(book), folder))
    for docname in app.env.found_docs:
        if not is_notebook(app.env, docname):
            continue
        executed = executed_notebook(app, docname)
        for place, with_outputs in [("notebooks", False), ("notebooks/executed", True)]:
            notebook = nbformat.read(executed, as_version=4)
            if not with_outputs:
                clear_outputs(notebook)
            try:
                plain_notebook(notebook, NotebookReferences(app, docname, place))
            except (KeyError, ValueError) as error:
                raise SphinxError(f"{docname}: {error}") from error
            names = needed(notebook.metadata)
            notebook.cells[:0] = install_cells(book, wheel, app.config.html_baseurl, names)
            write(notebook, Path(app.outdir) / place / f"{docname}.ipynb")


def clear_outputs(notebook: nbformat.NotebookNode) -> None:
    """Take away what an execution left."""
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def executed_notebook(app: Sphinx, docname: str) -> Path:
    """Return the notebook that this build made of a chapter's execution.

    It lies beside the pages that are being written: ``_build/executed`` is the last build's
    until this one has succeeded.
    """
    return Path(app.outdir).parent / "executed" / f"{docname}.ipynb"


def take_options(app: Sphinx, config) -> None:
    """Take the launch settings from the theme, whose buttons fail without a repository."""
    options = config.html_theme_options
    config.layerwise_launch = {
        "launch_buttons": options.pop("launch_buttons", {}),
        "repository_url": options.get("repository_url", ""),
        "site": config.html_baseurl,
    }


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_config_value("layerwise_launch", {}, "html")
    app.connect("config-inited", take_options)
    app.connect("build-finished", write_notebooks)

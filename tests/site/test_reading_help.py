"""Launch links and the Binder set-up: there for who publishes the book, else absent."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
import yaml
from docutils.utils import new_document

from _ext import reading_help
from _ext.definitions import add_definitions
from _ext.notebooks import launch_links
from _ext.reading_help import running_time
from _ext.valid_html import add_figure_links, improve_html
from tools.chapters import sphinx_settings

ROOT = Path(__file__).resolve().parents[2]

BUTTONS = {
    "binderhub_url": "https://mybinder.org",
    "colab_url": "https://colab.research.google.com",
    "jupyterhub_url": "https://hub.example.org/",
}
# What repo2docker reads in a binder folder
REPO2DOCKER_FILES = {
    "environment.yml", "Pipfile", "Pipfile.lock", "requirements.txt", "setup.py",
    "Project.toml",
    "install.R", "apt.txt", "DESCRIPTION", "postBuild", "start", "runtime.txt", "default.nix",
    "Dockerfile",
}  # fmt: skip


def links(repository: str, site: str = "https://a.github.io/b/") -> dict[str, str]:
    return launch_links(
        {"launch_buttons": BUTTONS, "repository_url": repository, "site": site},
        "chapters/tokens",
    )


def test_no_repository_no_links():
    assert links("") == {}


def test_no_service_no_links():
    assert launch_links({"repository_url": "https://github.com/a/b"}, "chapters/x") == {}


def test_no_site_no_colab():
    assert list(links("https://github.com/a/b", site="")) == ["Binder", "JupyterHub"]


def test_settings_reach_the_extension():
    options = sphinx_settings(ROOT)["html_theme_options"]
    assert {"repository_url", "launch_buttons"} <= set(options)
    assert {"binderhub_url", "notebooks_branch"} <= set(options["launch_buttons"])


def test_links_of_a_repository_on_github():
    assert links("https://github.com/a/b/") == {
        "Binder": "https://mybinder.org/v2/gh/a/b/notebooks?"
        "urlpath=lab%2Ftree%2Fchapters%2Ftokens.ipynb",
        "Colab": "https://colab.research.google.com/github/a/b/blob/notebooks/"
        "chapters/tokens.ipynb",
        "JupyterHub": "https://hub.example.org/hub/user-redirect/git-pull?"
        "repo=https%3A%2F%2Fgithub.com%2Fa%2Fb&branch=notebooks&"
        "urlpath=lab%2Ftree%2Fb%2Fchapters%2Ftokens.ipynb",
    }


@pytest.mark.parametrize(
    ("repository", "source"),
    [
        ("https://gitlab.com/a/b.git", "gl/a%2Fb"),
        ("https://git.example.org/a/b", "git/https%3A%2F%2Fgit.example.org%2Fa%2Fb"),
    ],
)
def test_binder_of_other_repositories(repository, source):
    found = links(repository)
    assert found["Binder"].startswith(f"https://mybinder.org/v2/{source}/notebooks?")
    assert "Colab" not in found  # it opens notebooks from GitHub only


def test_binder_folder_is_what_repo2docker_reads():
    folder = ROOT / "binder"
    assert {file.name for file in folder.iterdir()} <= REPO2DOCKER_FILES
    assert re.fullmatch(r"python-3\.\d+\n", (folder / "runtime.txt").read_text("utf-8"))
    for name in ("postBuild", "start"):
        assert (folder / name).read_text("utf-8").startswith("#!")
        assert (folder / name).stat().st_mode & 0o111
    lines = (folder / "requirements.txt").read_text("utf-8").splitlines()
    (pins,) = [line.removeprefix("-r ") for line in lines if line.startswith("-r ")]
    assert (folder / pins).resolve() == ROOT / "requirements-torch.txt"


def git(folder: Path, *arguments: str) -> str:
    quiet = ["-c", "init.defaultBranch=main", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    command = ["git", *quiet, *arguments]
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def test_what_the_workflow_pushes_is_what_the_links_open(tmp_path):
    """On a repository of its own: twice, with a change between."""
    origin, clone, notebooks = (tmp_path / name for name in ("origin", "clone", "notebooks"))
    origin.mkdir()
    git(origin, "init", "--quiet", "--bare")
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    for name in ("binder", ".github"):
        shutil.copytree(ROOT / name, clone / name)
    shutil.copy(ROOT / "requirements-torch.txt", clone)
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "All")
    git(clone, "push", "--quiet", "origin", "HEAD:main")
    workflow = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text("utf-8"))
    (push,) = (step["run"] for step in workflow["jobs"]["notebooks"]["steps"] if "run" in step)
    branch = sphinx_settings(ROOT)["html_theme_options"]["launch_buttons"]["notebooks_branch"]
    for content in ("first", "first", "second"):
        (notebooks / "chapters").mkdir(parents=True, exist_ok=True)
        (notebooks / "chapters" / "tokens.ipynb").write_text(content)
        (notebooks / "layerwise-0.1.0-py3-none-any.whl").write_text("wheel")
        shell = os.environ | {"RUNNER_TEMP": str(tmp_path)}
        subprocess.run(["bash", "-ec", push], cwd=clone, check=True, env=shell)
        assert git(origin, "show", f"{branch}:chapters/tokens.ipynb") == content
    assert git(origin, "rev-list", "--count", branch) == "2\n"  # no commit without a change
    assert git(clone, "status", "--porcelain") == ""
    pushed = git(origin, "ls-tree", "-r", "--name-only", branch).split()
    assert "binder/requirements.txt" in pushed
    assert "requirements-torch.txt" in pushed
    for address in links("https://github.com/a/b").values():
        assert unquote(address).endswith("chapters/tokens.ipynb")
        assert branch in address


def test_definitions_are_added_once():
    link = (
        '<a class="reference internal" href="../glossary.html#term-token" title="x">token</a>'
    )
    page = add_definitions(
        link + link, {"term-token": "<p>A piece.</p>", "term-b": "<p>B.</p>"}
    )
    assert page.count('aria-describedby="definition-term-token"') == 2
    assert page.count('id="definition-term-token"') == 1
    assert "B." not in page


def test_page_without_terms_stays_as_it_is():
    assert add_definitions("<p>No terms.</p>", {"term-token": "x"}) == "<p>No terms.</p>"


def test_figures_of_the_same_caption_get_different_addresses():
    figure = '<figure class="layerwise-figure"><figcaption>Drift, 3</figcaption></figure>'
    page = add_figure_links(figure + figure)
    assert re.findall('id="([^"]*)"', page) == ["fig-drift", "fig-drift-2"]
    assert page.count('class="headerlink"') == 2


def test_styles_of_tables_are_taken_out():
    frame = '<div><style scoped>td {}</style><table border="1" class="dataframe"></table></div>'
    assert improve_html(frame) == '<div><table class="dataframe"></table></div>'


def test_where_the_site_has_no_address_a_chapter_links_the_package(monkeypatch):
    wheel = ROOT / "layerwise-0.1.0-py3-none-any.whl"
    monkeypatch.setattr(reading_help, "built_wheel", lambda root: wheel)
    monkeypatch.setattr(reading_help, "seconds_to_run", lambda *_: None)
    link = f'<a href="../notebooks/{wheel.name}" download>Package (wheel)</a>'
    context = {"pathto": lambda name, _: f"../{name}"}
    for address, n_links in [("", 1), ("https://book.example/", 0)]:
        config = SimpleNamespace(html_baseurl=address, layerwise_launch={})
        app = SimpleNamespace(config=config, srcdir=ROOT)
        line = reading_help.reading_line(app, "chapters/tokens", context, new_document(""))
        assert line.count(link) == n_links


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (8.6, "9 s"), (89, "89 s"), (131, "2 min")]
)
def test_running_time(seconds, text):
    assert running_time(seconds) == text

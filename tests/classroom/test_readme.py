"""What teaching/README.md tells a teacher to do can be done, and what it names is there."""

import re
import shlex

import pytest
import yaml

from tools.book import build
from tools.book.course import KNOWN
from tools.classroom import make
from tools.classroom.bundle import STICK
from tools.desk import ROOT

PAGES = [ROOT / "teaching" / "README.md", ROOT / "teaching" / "hub" / "README.md"]
PINS = ["requirements.txt", "requirements-torch.txt", "requirements-grading.txt"]
NOX = re.compile(r"python3 -m nox -s (\w+)((?: -- [^`\n|]+)?)")
COMMANDS = [found for page in PAGES for found in NOX.findall(page.read_text("utf-8"))]
MODULES = {"classroom": make, "book": build}


@pytest.mark.parametrize(("session", "options"), COMMANDS, ids=" ".join)
def test_a_command_is_a_session_and_takes_its_options(session, options, monkeypatch):
    noxfile = (ROOT / "noxfile.py").read_text("utf-8")
    assert f"@nox.session\ndef {session}(" in noxfile
    if not options:
        return
    taken = []
    for name in ("make", "write_bundle", "hub_links", "build_course", "say"):
        monkeypatch.setattr(MODULES[session], name, lambda *a: taken.append(a) or 0,
                            raising=False)  # fmt: skip
    words = shlex.split(options.removeprefix(" -- "))
    assert MODULES[session].main(words) == 0  # argparse would end with 2
    assert taken


def test_grading_is_what_the_test_of_it_does():
    readme = PAGES[0].read_text("utf-8")
    told = re.findall(r"^nbgrader (\w+)", readme, re.MULTILINE)
    test = (ROOT / "tests" / "classroom" / "test_grading.py").read_text("utf-8")
    done = re.findall(r'nbgrader\(course, "(\w+)"', test)
    assert told == [*dict.fromkeys(done)]
    assert len(told) == 6


def test_the_example_of_a_course_is_one():
    readme = PAGES[0].read_text("utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    settings = yaml.safe_load(example)
    assert settings.keys() <= KNOWN
    for name, given in settings["chapters"].items():
        chapter = (ROOT / "chapters" / f"{name}.md").read_text("utf-8")
        for one in given:
            assert re.search(rf"^{one} = ", chapter, re.MULTILINE)


def test_every_file_and_folder_that_is_named_is_there_or_is_made():
    made = {"student", "teacher", "plan", "handout", "nbgrader", "answers.zip", "links.md"}
    n_found = 0
    for page in PAGES:
        for name in re.findall(r"`([\w./-]+(?:/|\.\w{2,4}))`", page.read_text("utf-8")):
            first = name.removeprefix("_build/classroom/").partition("/")[0]
            here = [ROOT / name, page.parent / name, STICK / name]
            if any(path.exists() for path in here) or first in made:
                n_found += 1
                continue
            made_later = ("chapters/", "_build", "submitted", "release", "feedback", "FOLDER")
            by_others = {"start.sh", "course.yml", "jupyterhub_config.py"}
            assert name in by_others or name.startswith(made_later), name
    assert n_found > 15


def test_versions_are_the_pinned_ones():
    pinned = "".join((ROOT / name).read_text("utf-8") for name in PINS)
    n_found = 0
    for page in [*PAGES, ROOT / "binder" / "postBuild"]:
        for pin in re.findall(r"[a-z][a-z\d-]+==[\d.]+\d", page.read_text("utf-8")):
            assert re.search(rf"^{re.escape(pin)}\b", pinned, re.MULTILINE), pin
            n_found += 1
    assert n_found >= 4

"""The workflows for GitHub Actions say what this project can do."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def load(path):
    """Read a workflow; YAML takes the key ``on`` for true."""
    workflow = yaml.safe_load(path.read_text("utf-8"))
    return {("on" if key is True else key): value for key, value in workflow.items()}


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_there_is_a_workflow():
    assert WORKFLOWS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
class TestWorkflow:
    def test_its_shape(self, path):
        workflow = load(path)
        assert {"name", "on", "permissions", "jobs"} <= workflow.keys()
        for name, job in workflow["jobs"].items():
            assert re.fullmatch(r"[a-z][a-z_-]*", name)
            assert job["runs-on"] != "ubuntu-latest", "pinned: the image changes under its name"
            assert set(job.get("needs", "").split()) <= workflow["jobs"].keys()
            for step in job["steps"]:
                assert ("uses" in step) != ("run" in step), step
                assert step.keys() <= {"name", "id", "if", "uses", "with", "run", "env"}

    def test_actions_are_github_s_own_and_pinned(self, path):
        for step in steps(load(path)):
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z/-]+@v\d+(\.\d+)*", step["uses"])

    def test_it_runs_sessions_that_exist(self, path):
        sessions = re.findall(
            r"@nox\.session.*\ndef (\w+)\(", (ROOT / "noxfile.py").read_text("utf-8")
        )
        called = [
            name
            for step in steps(load(path))
            for name in re.findall(r"nox -s (\w+)", step.get("run", ""))
        ]
        assert called
        assert set(called) <= set(sessions)

    def test_outputs_come_from_steps_before(self, path):
        for job in load(path)["jobs"].values():
            known = set()
            for step in job["steps"]:
                assert set(re.findall(r"steps\.(\w+)\.", str(step))) <= known
                known.add(step.get("id"))


def test_the_book_runs_what_ci_runs():
    workflow = load(ROOT / ".github/workflows/book.yml")
    theirs = " ".join(step.get("run", "") for step in workflow["jobs"]["build"]["steps"])
    ours = (ROOT / ".ci/run").read_text("utf-8")
    command = r"nox -s (?:book|lint|tests|cluster|grading)|\.github/install-\w+|pip install nox"
    assert len(set(re.findall(command, ours))) == 7
    assert sorted(set(re.findall(command, theirs))) == sorted(set(re.findall(command, ours)))


def test_the_book_is_built_tested_published_and_once_a_week_from_nothing():
    workflow = load(ROOT / ".github/workflows/book.yml")
    assert workflow["on"]["schedule"]
    commands = " ".join(str(step.get("run", step.get("uses"))) for step in steps(workflow))
    order = ["nox -s cache", "cache/restore", "nox -s book", "cache/save", "nox -s tests",
             "upload-pages-artifact", "deploy-pages"]  # fmt: skip
    assert [commands.index(command) for command in order] == sorted(
        commands.index(command) for command in order
    )
    restore = next(s for s in steps(workflow) if "cache/restore" in s.get("uses", ""))
    assert "fingerprint" in restore["with"]["key"]
    assert "schedule" in workflow["jobs"]["build"]["env"]["COLD"]
    assert restore["if"] == "env.COLD != 'true'"

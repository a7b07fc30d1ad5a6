"""What documents say of the code is so: each module has its line, each chapter its heading."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
ROOMS = {"src/layerwise": "Where the package is", "tools": "Where the tools are"}
CHAPTER = re.compile(r'Chapter: ``([^`]+)``, (?:from )?"([^"]+)"')


def modules(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.py")} - {"__init__.py"}


def section(title: str) -> list[str]:
    (text,) = re.findall(rf"^## {title}\n(.*?)^## ", CONTRIBUTING, re.MULTILINE | re.DOTALL)
    return text.splitlines()


def named(lines: list[str]) -> set[str]:
    """The modules that lines name, those with a path by its last part."""
    return set(re.findall(r"`(?:[\w/]+/)?(\w+\.py)`", "\n".join(lines)))


@pytest.mark.parametrize("house", ROOMS)
def test_each_module_is_named_in_the_line_of_its_room(house):
    lines = section(ROOMS[house])
    rooms = [p for p in (ROOT / house).iterdir() if p.is_dir() and modules(p)]
    beside = [line for line in lines if line.startswith("| `")]
    for room in rooms:
        name = room.name if house.startswith("src") else f"{house}/{room.name}"
        (line,) = [line for line in beside if line.startswith(f"| `{name}/`")]
        beside.remove(line)
        assert named([line]) == modules(room), name
    assert named(beside) == modules(ROOT / house)


def test_each_extension_is_named():
    lines = section(ROOMS["tools"])
    first = next(i for i, line in enumerate(lines) if line.startswith("In `_ext/`"))
    assert named(lines[first:]) == modules(ROOT / "_ext")


def test_each_chapter_that_a_docstring_names_has_that_heading():
    found = [
        (path, *place)
        for path in (ROOT / "src").rglob("*.py")
        for place in CHAPTER.findall(path.read_text("utf-8"))
    ]
    said = sum("Chapter:" in p.read_text("utf-8") for p in (ROOT / "src").rglob("*.py"))
    assert len(found) == said > 5  # one in another form would not be looked at
    for path, chapter, heading in found:
        text = (ROOT / chapter).read_text("utf-8")
        assert re.search(rf"^#+ {re.escape(heading)}( ●)?$", text, re.MULTILINE), path


def test_each_file_that_contributing_names_is_there():
    pattern = r"`((?:src|tools|tests|data|_\w+|\.jupyter)/[\w./-]*)`"
    for path in re.findall(pattern, CONTRIBUTING):
        assert path.startswith("_build/") or (ROOT / path).exists(), path


def test_no_module_is_longer_than_can_be_read_in_one_sitting():
    rooms = ["src", "tools", "_ext", "benchmarks"]
    paths = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    lengths = {p: len(p.read_text("utf-8").splitlines()) for p in [*paths, ROOT / "noxfile.py"]}
    assert len(lengths) > 100
    assert {path: length for path, length in lengths.items() if length > 350} == {}


def test_double_precision_is_asked_for_on_the_cpu_alone():
    """Apple's GPUs have none, and no machine of ours has such a GPU to find it on."""
    wrong = []
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "chapters").glob("*.md")]:
        lines = path.read_text("utf-8").splitlines()
        for before, line in pairwise(["", *lines]):
            if re.search(r"\.double\(|torch\.(float64|double)\)", line):
                wrong += [line] if ".cpu()" not in before + line else []
    assert not wrong

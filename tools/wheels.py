"""What is pinned; which file of a package a machine would take, and how large it is."""

import json
import re
import urllib.request
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

PACKAGES = "https://pypi.org/simple"


class Pin(NamedTuple):
    """A line of requirements.txt."""

    name: str
    version: str
    marker: str | None
    text: str  # as it stands there, with its digests
    via: frozenset[str]  # what wants it


def read_pins(text: str) -> list[Pin]:
    """Read the pins of a compiled file of requirements, and what each is there for."""
    pins = []
    for block in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE):
        if head := re.match(r"([\w.-]+)==([^\s;]+)(?: ; ([^\\\n]+?))?(?: \\)?\n", block):
            said = re.search(r"# via (.+)", block)
            via = frozenset(re.findall(r"[\w.-]+", said[1]) if said else ())
            pins.append(Pin(head[1], head[2], head[3], block.partition("    #")[0], via))
    return pins


class Target(NamedTuple):
    """A kind of machine: its system, its CPython, and the platforms of wheels it takes."""

    system: str  # linux, windows or macos
    python: tuple[int, int]
    platforms: Sequence[str]  # the best first

    @property
    def markers(self) -> dict[str, str]:
        """What the markers of requirements are compared with, but for the patch release."""
        return {"python_version": f"{self.python[0]}.{self.python[1]}", **MARKERS[self.system]}

    @property
    def ranks(self) -> dict[Tag, int]:
        """How much it likes a wheel with each tag: the less the better."""
        ours, platforms = self.python, list(self.platforms)
        tags = [*cpython_tags(ours, None, platforms), *compatible_tags(ours, None, platforms)]
        return {tag: place for place, tag in enumerate(tags)}

    def holds(self, marker: str | None, patch: int) -> bool:
        """Tell whether a requirement is one of this machine's, with Python X.Y.patch."""
        full = {"python_full_version": f"{self.markers['python_version']}.{patch}"}
        return marker is None or Marker(marker).evaluate(self.markers | full)


CPYTHON = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
MARKERS = {
    "linux": CPYTHON | {
        "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix",
        "platform_machine": "x86_64",
    },
    "windows": CPYTHON | {
        "sys_platform": "win32", "platform_system": "Windows", "os_name": "nt",
        "platform_machine": "AMD64",
    },
    "macos": CPYTHON | {
        "sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix",
        "platform_machine": "arm64",
    },
}  # fmt: skip


def linux_platforms(newest: int) -> list[str]:
    """List the platforms of a Linux whose C library is glibc 2.newest."""
    names = [f"manylinux_2_{minor}" for minor in range(newest, 4, -1)]
    return [f"{name}_x86_64" for name in [*names, "manylinux2014", "manylinux2010",
                                          "manylinux1"]]  # fmt: skip


@cache
def files_of(name: str) -> list[dict]:
    """Return what the index lists of a package: for each file, ``filename`` and ``size``."""
    request = urllib.request.Request(
        f"{PACKAGES}/{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["files"]


def best_file(files: list[dict], version: str, ranks: dict[Tag, int]) -> dict | None:
    """Return the file of a version that pip would take; a source comes after every wheel."""
    own = re.compile(rf"[\w.-]+?-{re.escape(version)}(-.*\.whl|\.tar\.gz)", re.IGNORECASE)
    ranked = [(rank(file["filename"], ranks), file) for file in files
              if own.fullmatch(file["filename"])]  # fmt: skip
    usable = [(place, file) for place, file in ranked if place <= len(ranks)]
    return min(usable, key=lambda pair: pair[0])[1] if usable else None


def rank(filename: str, ranks: dict[Tag, int]) -> int:
    """Say how much pip likes a file: the less the better."""
    if not filename.endswith(".whl"):
        return len(ranks)
    tags = parse_wheel_filename(filename)[3]
    return min((ranks[tag] for tag in tags if tag in ranks), default=len(ranks) + 1)

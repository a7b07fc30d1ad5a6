"""Pin every version again: ``nox -s lock``, after a change of dependencies.

    python -m tools.lock [--upgrade]

Writes requirements.txt; requirements-cluster.txt and -hub.txt, which have what these sessions
need more; and requirements-grading.txt, which is for itself: for every system and Python that
the package supports, each file with its digest. Notes in requirements-torch.txt how much an
installation downloads. The version of torch is a line of
that file, to be changed by hand. Runs where uv and packaging are.
"""

import re
import subprocess
import sys
import urllib.parse
import urllib.request

from tools.desk import ROOT
from tools.install import (
    CLUSTER,
    CPU_INDEX,
    GRADING,
    HUB,
    REQUIREMENTS,
    TORCH,
    pinned_torch,
    read_index,
    read_sizes,
)
from tools.wheels import Target, best_file, files_of, linux_platforms, read_pins

EXTRAS = ["book", "decoder", "excel", "glove", "lab", "speeches", "test"]
CLUSTER_EXTRAS = ["ray", "readers"]
# The machine whose downloads are counted: the one that most of the readers' servers are.
COUNTED = Target("linux", (3, 11), linux_platforms(34))
PATCH = 9

OPTIONS = [
    "--universal", "--generate-hashes", "--python-version=3.11", f"--constraint={TORCH}",
    "--annotation-style=line",
]  # fmt: skip


def compile_pins(*arguments: str) -> str:
    """Run uv's compiler and return what it prints."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header"]
    return subprocess.run(
        [*command, *arguments], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ).stdout


def lock(*arguments: str) -> None:
    """Compile requirements.txt, changing as little as it can unless told to upgrade.

    After it the files of further environments; those that stand beside the first one have
    what is not in it.
    """
    compile_pins(
        *OPTIONS, *extras(EXTRAS), "--no-emit-package=torch",
        f"--output-file={REQUIREMENTS}", *arguments, "pyproject.toml",
    )  # fmt: skip
    there = re.findall(r"^([\w.-]+)==", (ROOT / REQUIREMENTS).read_text("utf-8"), re.MULTILINE)
    beside = [f"--constraint={REQUIREMENTS}",
              *(f"--no-emit-package={name}" for name in ["torch", *there])]  # fmt: skip
    for wanted, pins in [
        ([*extras(CLUSTER_EXTRAS), *beside, "pyproject.toml"], CLUSTER),
        (["--group=hub", *beside], HUB),
        (["--group=grading"], GRADING),
    ]:
        compile_pins(*OPTIONS, f"--output-file={pins}", *arguments, *wanted)


def extras(names: list[str]) -> list[str]:
    """Return the options that name extras of the package."""
    return [f"--extra={name}" for name in names]


def pins_on_linux(text: str) -> dict[str, str]:
    """Return the name and version of each pin that holds on the machine that is counted."""
    return {pin.name: pin.version for pin in read_pins(text)
            if COUNTED.holds(pin.marker, PATCH)}  # fmt: skip


def size_of_cpu_build(version: str) -> int:
    """Return the bytes of torch's build without CUDA; 0 where its index does not answer."""
    page = read_index(CPU_INDEX) or ""
    links = re.findall(r'href="([^"]+)"', page)
    wanted = re.compile(rf"torch-{re.escape(version)}(%2B|\+)cpu-cp311-cp311-.*x86_64\.whl")
    link = next((link for link in links if wanted.search(link)), None)
    if link is None:
        return 0
    request = urllib.request.Request(urllib.parse.urljoin(CPU_INDEX, link), method="HEAD")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return int(answer.headers["Content-Length"])


def note_sizes() -> None:
    """Write into requirements-torch.txt how many MB are downloaded."""
    path = ROOT / TORCH
    torch = pinned_torch(ROOT)
    libraries = pins_on_linux((ROOT / REQUIREMENTS).read_text("utf-8"))
    # The override of torch's needs stands in pyproject.toml, which --no-config leaves out.
    of_torch = ["--no-config", "--python-platform=linux", "--python-version=3.11"]
    with_cuda = pins_on_linux(compile_pins(*of_torch, TORCH))
    sizes = read_sizes(path) | {
        "libraries": megabytes(libraries),
        "torch": megabytes({n: v for n, v in with_cuda.items() if n not in libraries}),
    }
    if cpu := size_of_cpu_build(torch):
        sizes["torch-cpu"] = round(cpu / 1e6)
    notes = [f"# {name}: {size} MB" for name, size in sorted(sizes.items())]
    head = "# Torch comes apart from the rest: see tools/install.py. Downloads on Linux:"
    path.write_text("\n".join([head, *notes, f"torch=={torch}"]) + "\n", "utf-8")


def megabytes(pins: dict[str, str]) -> int:
    """Return the size of all pins together."""
    ranks = COUNTED.ranks
    files = [best_file(files_of(name), version, ranks) for name, version in pins.items()]
    return round(sum(file["size"] for file in files if file) / 1e6)


if __name__ == "__main__":
    lock(*sys.argv[1:])
    note_sizes()

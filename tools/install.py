"""Put the one environment together, .venv, that every session of nox uses.

Everything but torch comes from requirements.txt, each file checked against its digest. Torch
comes apart: on Linux its ordinary build brings gigabytes of CUDA, which only an NVIDIA
driver can use. Where there is none, PyTorch's own index has a build without them.

Runs in the Python that runs nox: the standard library is all there is.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import tomllib
import urllib.parse
import urllib.request
import venv
from collections.abc import Callable
from pathlib import Path

from tools.desk import BuildError, read_source

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SECONDS_TO_ANSWER = 3
PIN_FILES = REQUIREMENTS, TORCH = "requirements.txt", "requirements-torch.txt"
CLUSTER, HUB = "requirements-cluster.txt", "requirements-hub.txt"
GRADING = "requirements-grading.txt"
SCRIPTS = "Scripts/python.exe" if os.name == "nt" else "bin/python"
# Of an NVIDIA driver; the last in Linux under Windows.
DRIVER_SIGNS = ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"]


def python_of(environment: Path) -> Path:
    """Return the Python of an environment."""
    return environment / SCRIPTS


def what_is_wanted(root: Path) -> str:
    """Return a digest of what decides on the environment.

    These are the pins, how the package is built, this Python, and where the clone lies: the
    scripts of an environment name its folder, and fail when it is moved. Settings of tools
    stand in pyproject.toml too; changing one installs nothing again.
    """
    pins = [read_lines(root / name) for name in (REQUIREMENTS, TORCH)]
    settings = root / "pyproject.toml"
    try:
        found = tomllib.loads(read_source(settings))
        package = [found["build-system"], found["project"], found["tool"]["setuptools"]]
    except tomllib.TOMLDecodeError as error:
        raise BuildError(f"{settings} is not TOML: {error}") from None
    except KeyError as error:
        raise BuildError(f"{settings} has no table {error}: put it back") from None
    place = [str(root), sys.executable, platform.python_version()]
    decides = json.dumps([pins, package, place], sort_keys=True)
    return hashlib.sha256(decides.encode()).hexdigest()


def read_lines(path: Path) -> list[str]:
    """Return the lines of a requirements file, without comments."""
    lines = (line.partition("#")[0].strip() for line in read_source(path).splitlines())
    return [line for line in lines if line]


def is_whole(environment: Path, wanted: str) -> bool:
    """Tell whether an environment is the one wanted, and its Python starts."""
    stamp = environment / "installed.sha256"
    if not stamp.is_file() or stamp.read_bytes() != wanted.encode():
        return False
    try:
        started = subprocess.run(
            [python_of(environment), "-c", ""], capture_output=True, check=False
        )
    except OSError:
        return False
    return started.returncode == 0


def install(root: Path, environment: Path, say: Callable[[str], None] = print) -> None:
    """Install everything into an environment, unless it is there already."""
    wanted = what_is_wanted(root)
    if is_whole(environment, wanted):
        return
    silent: list[str] = []
    cpu_index = find_cpu_index(pinned_torch(root), silent)
    say(what_will_be_downloaded(root, cpu_index, *silent))
    make_anew(environment)
    run_pip(environment, "--no-deps", "--require-hashes", "--requirement", root / REQUIREMENTS)
    install_torch(root, environment, cpu_index)
    run_pip(environment, "--no-deps", "--no-build-isolation", "--editable", root)
    # Written last: an installation that was cut off is begun again.
    (environment / "installed.sha256").write_text(wanted, "utf-8")


def install_more(root: Path, environment: Path, pins: str, beside: bool) -> Path:
    """Make a further environment, within another so that it goes with it.

    Parameters
    ----------
    root, environment : Path
    pins : str
        The file of its pins, after which it is called.
    beside : bool
        Whether it sees what the other environment has.

    Returns
    -------
    Path
        Where it is.
    """
    folder = environment / pins.removeprefix("requirements-").removesuffix(".txt")
    wanted = hashlib.sha256(read_source(root / pins).encode()).hexdigest()
    if is_whole(folder, wanted):
        return folder
    make_anew(folder)
    if beside:  # by addsitedir also what is installed there as editable is seen: the package
        seen = f"import site; site.addsitedir({str(packages_of(environment))!r})\n"
        (packages_of(folder) / "beside.pth").write_text(seen, "utf-8")
    run_pip(folder, "--no-deps", "--require-hashes", "--requirement", root / pins)
    (folder / "installed.sha256").write_text(wanted, "utf-8")
    return folder


def make_anew(environment: Path) -> None:
    """Make an environment with nothing but pip in it, in place of one that is there."""
    try:
        shutil.rmtree(environment, ignore_errors=True)
        venv.create(environment, with_pip=True)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise BuildError(
            f"{environment} cannot be made: {error}. Is the disk full, may it be written? "
            "Nothing is lost: run the same command again."
        ) from None


def packages_of(environment: Path) -> Path:
    """Return the folder in which an environment has its packages."""
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    command = [str(python_of(environment)), "-c", ask]
    return Path(subprocess.check_output(command, text=True).strip())


def install_torch(root: Path, environment: Path, cpu_index: str | None) -> None:
    """Install torch: from an index of builds without CUDA, or the ordinary build."""
    if cpu_index is not None:
        # Its other needs are in requirements.txt and installed already.
        alone = ["--no-deps", "--index-url", cpu_index, "--requirement", root / TORCH]
        try:
            run_pip(environment, *alone)
            return
        except BuildError:
            pass  # the build is listed, and does not fit this system or cannot be had
    run_pip(environment, "--requirement", root / TORCH)


def run_pip(environment: Path, *arguments) -> None:
    """Run pip in an environment."""
    pip = [python_of(environment), "-m", "pip", "--disable-pip-version-check", "install"]
    command = [str(part) for part in [*pip, "--quiet", *arguments]]
    ran = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if ran.returncode != 0:
        lines = [line for line in ran.stderr.splitlines() if line.startswith("ERROR")]
        reason = " ".join(lines[-2:]).replace("ERROR: ", "") or ran.stderr.strip()[-300:]
        raise BuildError(
            f"the environment cannot be installed: {reason} Is the network there, is the disk "
            "full? Nothing is lost: run the same command again."
        )


def pinned_torch(root: Path) -> str:
    """Return the version of torch that is pinned."""
    pins = [line for line in read_lines(root / TORCH) if line.startswith("torch==")]
    if len(pins) != 1:
        raise BuildError(f"{root / TORCH} must have one line torch==VERSION: put it back")
    return pins[0].removeprefix("torch==")


def find_cpu_index(version: str, silent: list[str] | None = None) -> str | None:
    """Return the index that has a version of torch without CUDA, or None for pip's own.

    It is the environment variable ``TORCH_CPU_INDEX``, or PyTorch's own; an empty one says
    that the ordinary build is wanted. One that does not answer is put on the list ``silent``.
    """
    index = os.environ.get("TORCH_CPU_INDEX", CPU_INDEX)
    if not index or sys.platform != "linux" or has_nvidia_driver():
        return None
    python = f"(cp{sys.version_info.major}{sys.version_info.minor}|py3)"
    machine = rf"[\w.]*({platform.machine()}|any)"
    wheel = rf"torch-{re.escape(version)}(\.0)*(\+cpu)?-{python}-\w+-{machine}\.whl"
    page = read_index(index)
    if page is None and silent is not None:
        silent.append(index)
    return index if re.search(wheel, urllib.parse.unquote(page or "")) else None


def has_nvidia_driver() -> bool:
    """Tell whether an NVIDIA driver is there, which CUDA builds need."""
    found = any(Path(sign).exists() for sign in DRIVER_SIGNS)
    return found or shutil.which("nvidia-smi") is not None


def read_index(index: str) -> str | None:
    """Return an index's page of torch, or None where it does not answer in time.

    A name that cannot be looked up may block for longer than any time-out of its own: the
    thread is left behind then.
    """
    page: list[str] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(f"{index}/torch/", timeout=SECONDS_TO_ANSWER) as answer:
                page.append(answer.read().decode("utf-8", "replace"))
        except (OSError, ValueError):
            pass

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS_TO_ANSWER)
    return page[0] if page else None


def what_will_be_downloaded(root: Path, cpu_index: str | None, silent: str = "") -> str:
    """Say how much the installation downloads, from the sizes that ``nox -s lock`` noted.

    Where an index without CUDA was asked and stayed silent, that is said as well.
    """
    sizes = read_sizes(root / TORCH)
    ordinary = "torch with CUDA" if sys.platform == "linux" else "torch"
    build, kind = ("torch-cpu", "torch without CUDA") if cpu_index else ("torch", ordinary)
    if silent:
        whose = "PyTorch's own index" if silent == CPU_INDEX else silent
        kind += f" ({whose} did not answer)"
    if not {"libraries", build} <= sizes.keys():
        return f"installing into .venv, with {kind}; the only step that needs the network"
    total = sizes["libraries"] + sizes[build]
    return (
        f"installing into .venv; the only step that needs the network. It downloads about "
        f"{total:,} MB: {sizes[build]:,} MB are {kind}, {sizes['libraries']:,} MB the rest; "
        "nothing that pip has kept from before."
    )


def read_sizes(path: Path) -> dict[str, int]:
    """Read the sizes in MB that the comments of requirements-torch.txt note."""
    found = re.findall(r"^# ([\w-]+): (\d+) MB$", read_source(path), flags=re.MULTILINE)
    return {name: int(size) for name, size in found}

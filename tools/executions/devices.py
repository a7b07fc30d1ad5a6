"""Find the device that chapters run on, asking torch only where there may be one."""

import os
import platform
import subprocess
import sys
from pathlib import Path

from tools.desk import BuildError
from tools.install import has_nvidia_driver

DEVICES = ("auto", "cpu", "cuda", "mps")
ASK_TORCH = {
    "cuda": "import torch; torch.cuda.is_available() and print(torch.cuda.get_device_name())",
    "mps": "import torch; torch.backends.mps.is_available() and print('Apple GPU')",
}


def resolve_device(name: str | None) -> str:
    """Turn "auto" into the type of device that this machine would use.

    torch takes seconds to import, and a prose edit should not wait for it: it is asked only
    where the machine could have a device besides its CPU.
    """
    name = name or "auto"
    if name not in DEVICES:
        raise BuildError(f"unknown device {name!r}: use --device with one of {DEVICES}")
    if name != "auto":
        return name
    if not may_have_accelerator():
        return "cpu"
    return "cuda" if ask_torch("cuda") else "mps" if ask_torch("mps") else "cpu"


def may_have_accelerator() -> bool:
    """Tell whether torch might find a GPU here, without asking torch."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return has_nvidia_driver() or Path("/dev/kfd").exists()  # the other is AMD's


def ask_torch(device: str) -> str:
    """Return the name of this machine's device of a type; empty if it has none."""
    answer = subprocess.run(
        [sys.executable, "-c", ASK_TORCH[device]], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() if answer.returncode == 0 else ""


def find_device(device: str) -> str:
    """Return the name of the device that executions will run on."""
    name = processor_name() if device == "cpu" else ask_torch(device)
    if not name:
        raise BuildError(
            f"device {device!r} was asked for, but torch finds none on this machine. Use "
            "--device cpu, or unpack executions that were made on such a device: "
            "nox -s cache -- unpack FILE"
        )
    return name


def processor_name() -> str:
    """Return the name of this machine's processor."""
    told = cpuinfo("model name")
    return told[0] if told else platform.processor() or platform.machine() or "CPU"


def instruction_set() -> str:
    """Return the widest vector instructions of this processor: sums follow their order."""
    flags = " ".join(cpuinfo("flags", "Features")).split()
    names = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX", "sve": "SVE", "asimd": "NEON"}
    found = [name for flag, name in names.items() if flag in flags]
    return f"{platform.machine()}, {found[0]}" if found else platform.machine() or "unknown"


def cpuinfo(*names: str) -> list[str]:
    """Return what Linux tells of each processor under these names; elsewhere nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return []
    return [line.partition(":")[2].strip() for line in lines if line.startswith(names)]


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

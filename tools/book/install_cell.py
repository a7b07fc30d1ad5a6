"""The first two cells of a notebook: how it gets the book's package where that is missing."""

from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from tools.install import CPU_INDEX, TORCH, read_sizes

MEGABITS_A_SECOND = 50  # the connection that the sentence reckons with

CODE = '''\
# The book's package: from a wheel beside this notebook, or from the site it came from
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

if find_spec("layerwise") is None:
    name, asked = "{name}", os.environ.get("LAYERWISE_SITE")
    near = [up for up in [".", "..", "../.."] if Path(up, name).is_file() and not asked]
    site = asked or "{site}"
    if not near and not site:
        sys.exit(f"put {{name}}, from the site's folder notebooks, beside this notebook")
    place = Path(near[0]).resolve() if near else f"{{site.rstrip('/')}}/notebooks"
    if sys.platform == "linux" and not (find_spec("torch") or which("nvidia-smi")):
        # without CUDA, if that can be had here; if not, the next line brings the other
        %pip install -qqq --retries 0 --timeout 5 --index-url {index} torch
    %pip install -q "{{place}}/{{name}}"
    if find_spec("layerwise") is None:
        sys.exit("layerwise is still missing: see above, or restart the kernel")'''


def install_cells(root: Path, wheel: Path, site: str) -> list[NotebookNode]:
    """Return the sentence and the cell.

    Parameters
    ----------
    root : Path
        The book: its pins say how large the libraries are.
    wheel : Path
        The package, as it stands in the site's folder ``notebooks``.
    site : str
        The site's address, or nothing.
    """
    sizes = read_sizes(root / TORCH)
    sentence = "This cell installs what the notebook needs, unless it is there already"
    if {"libraries", "torch", "torch-cpu"} <= sizes.keys():
        small = sizes["torch-cpu"] + sizes["libraries"]
        minutes = max(1, round(small * 8 / MEGABITS_A_SECOND / 60))
        sentence += (
            f": the book's package `layerwise` ({wheel.stat().st_size / 1e6:.1f} MB), PyTorch "
            f"({sizes['torch-cpu']:,} MB; {sizes['torch']:,} MB on Linux with an NVIDIA card), "
            f"and at most {sizes['libraries']:,} MB of other libraries, the model among them; "
            f"about {minutes} minutes for {small:,} MB at {MEGABITS_A_SECOND} Mbit/s"
        )
    code = CODE.format(name=wheel.name, site=site, index=CPU_INDEX)
    return [new_markdown_cell(f"{sentence}."), new_code_cell(code)]

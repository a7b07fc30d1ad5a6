"""What is made of the explorers' own source: the compiled kernel, and a script for file pages.

A page opened from a file may load no module and fetch nothing: for it all modules, and all data
but the weights, are put into one classic script.
"""

import base64
import json
from pathlib import Path

from wasmtime import wat2wasm

from layerwise.explorers.scripts import bundle
from tools.desk import ROOT

SOURCE = ROOT / "_static" / "explorer"
ASSETS = Path("assets")
FROM_FILE = "from-file.js"  # beside the assets; _static/explorer/start.js asks for it


def compile_kernel(source: Path = SOURCE / "kernel.wat") -> str:
    """Compile the kernel, WebAssembly text, and return its bytes in base64."""
    return base64.b64encode(wat2wasm(source.read_text("utf-8"))).decode("ascii")


def write_script_for_files(explorer: Path) -> None:
    """Write the script for pages that are opened from a file, if the assets are there.

    Parameters
    ----------
    explorer : Path
        ``_static/explorer`` of the finished site.
    """
    assets = explorer / ASSETS
    files = {file.name: file.read_text("utf-8") for file in sorted(assets.glob("*.json"))}
    files |= {file.name: file.read_text("utf-8") for file in sorted(assets.glob("*.txt"))}
    data = json.dumps(files, ensure_ascii=False, separators=(",", ":"))
    elements = sorted(path.name for path in explorer.glob("*-explorer.mjs"))
    script = f"globalThis.layerwiseFiles = {data};\n{bundle(explorer, elements)}"
    (assets / FROM_FILE).write_text(script, "utf-8")

"""What is made of the explorers' own source: the compiled kernel, and a script for file pages.

A page opened from a file may load no module and fetch nothing: for it all modules, and all data
but the weights, are put into one classic script.
"""

import base64
import json
import re
from pathlib import Path

from wasmtime import wat2wasm

from tools.desk import ROOT

SOURCE = ROOT / "_static" / "explorer"
ASSETS = Path("assets")
FROM_FILE = "from-file.js"  # beside the assets; _static/explorer/start.js asks for it
IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+\.mjs)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export ((?:async )?function\*?|class|const|let) (\w+)", re.MULTILINE)


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
    script = f"globalThis.layerwiseFiles = {data};\n{bundle(explorer)}"
    (assets / FROM_FILE).write_text(script, "utf-8")


def bundle(explorer: Path) -> str:
    """Turn the explorers' modules into one classic script, in an order in which it can run.

    Raises
    ------
    ValueError
        If a module imports or exports in a form that is not understood here.
    """
    done: dict[str, str] = {}

    def add(name: str) -> None:
        source = (explorer / name).read_text("utf-8")
        for _, imported in IMPORT.findall(source):
            if imported not in done:
                add(imported)
        done[name] = as_function(name, source)

    for path in sorted(explorer.glob("*-explorer.mjs")):
        add(path.name)
    return "(() => {\nconst modules = {};\n" + "".join(done.values()) + "})();\n"


def as_function(name: str, source: str) -> str:
    """Write a module as a function that is called at once and returns what it exports."""
    exported = ", ".join(found[1] for found in EXPORT.findall(source))
    source = IMPORT.sub(
        lambda found: f'const {{{found[1].replace(" as ", ": ")}}} = modules["{found[2]}"];\n',
        source,
    )
    source = EXPORT.sub(r"\1 \2", source).replace("import.meta.url", "document.baseURI")
    if left := re.search(r"^(?:import|export)\b.*", source, re.MULTILINE):
        raise ValueError(f"{name}: cannot put into a classic script: {left[0]}")
    return f'modules["{name}"] = (() => {{\n{source}return {{ {exported} }};\n}})();\n'

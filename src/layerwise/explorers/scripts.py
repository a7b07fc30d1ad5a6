"""Make one classic script of the explorers' modules, for pages that are opened from a file.

Such a page may load no module and fetch nothing.
"""

import re
from collections.abc import Sequence
from importlib.resources.abc import Traversable
from pathlib import Path

IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+\.mjs)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export ((?:async )?function\*?|class|const|let) (\w+)", re.MULTILINE)


def bundle(explorer: Traversable | Path, elements: Sequence[str]) -> str:
    """Turn the explorers' modules into one classic script, in an order in which it can run.

    Parameters
    ----------
    explorer : folder
        Of the modules.
    elements : sequence of str
        The modules that are wanted, such as "drift-explorer.mjs"; those they import come along.

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

    for name in elements:
        add(name)
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

"""What a person has set on a machine, and where the book lies, changes nothing in a page."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from small_book import HEADER, ROOT, SmallBook

from tools.executions.environment import Workplace, kernel_variables

# Shows all that somebody's settings can change.
PROBE = """
import importlib.util, locale, os, sys, time
import matplotlib, pandas as pd

told = {
    "optimize": sys.flags.optimize, "verbose": sys.flags.dev_mode, "zone": time.tzname[0],
    "encoding": locale.getpreferredencoding(False), "backend": matplotlib.rcParams["backend"],
    "line width": matplotlib.rcParams["lines.linewidth"], "rows": pd.options.display.max_rows,
    "intruder": importlib.util.find_spec("intruder") is not None,
    "site": hasattr(sys, "customized"),
    "startup": "of_startup" in globals(), "of IPython": "of_ipython" in globals(),
    "hash": hash("a") == hash("a") and os.environ.get("PYTHONHASHSEED"),
    "threads": os.environ.get("OMP_NUM_THREADS"),
    "instructions": os.environ.get("ATEN_CPU_CAPABILITY"),
    "width": os.environ.get("COLUMNS"), "own": os.environ.get("SOMEBODYS_OWN"),
}
"""
# Every kind of output with text, each showing the paths that there are.
PATHS = """
import json, os, sys, urllib.parse, warnings
from IPython.display import HTML, SVG, Latex, Markdown, display
import pandas as pd
import layerwise

paths = [os.getcwd(), layerwise.__file__, pd.__file__, os.__file__]
table = pd.DataFrame({"path": paths, "negative": [-1, -2, -3, -4]})
pd.options.display.max_colwidth = None
display(table, Markdown("* ".join(paths)))
display(Latex(table.to_latex(escape=True)), HTML(table.to_html()))
display(SVG(f"<svg xmlns='http://www.w3.org/2000/svg'><text>{paths[0]}</text></svg>"))
of_all_kinds = {
    "text/plain": json.dumps(paths), "text/html": urllib.parse.quote(paths[1]),
}
display(of_all_kinds, raw=True)
print(*paths, file=sys.stderr)
print(*paths)
warnings.warn(paths[0])
"""
RAISES = """
:tags: [raises-exception]

import os

raise OSError(f"no file in {os.getcwd()}")
"""


def cell(code):
    return f"\n```{{code-cell}}\n{code.strip()}\n```\n"


def make(folder, server):
    """Make a book whose pages show what is set, and where they were made."""
    book = SmallBook.make(folder, server)
    cells = [PROBE + "told", PATHS, RAISES]
    book.write("chapters/two.md", HEADER + "# Two\n" + "".join(map(cell, cells)))
    return book


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """Settings of somebody who has set all that can be set."""
    home = tmp_path_factory.mktemp("home of somebody")
    spec = json.dumps(
        {"argv": ["false"], "display_name": "Other", "language": "R", "env": {"TZ": "Zulu"}}
    )
    profile = ".ipython/profile_default"
    startup = "of_ipython = True\nimport pandas\npandas.options.display.max_rows = 7\n"
    for name, text in {
        ".local/share/jupyter/kernels/python3/kernel.json": spec,
        "jupyter/kernels/python3/kernel.json": spec,
        "data/kernels/python3/kernel.json": spec,
        ".config/matplotlib/matplotlibrc": "lines.linewidth: 9\nbackend: svg\n",
        ".matplotlib/matplotlibrc": "lines.linewidth: 9\n",
        f"{profile}/startup/00.py": startup,
        f"{profile}/ipython_kernel_config.py": "c.IPKernelApp.matplotlib = 'agg'\n",
        f"{profile}/ipython_config.py": "c.InteractiveShell.colors = 'nocolor'\n",
        ".jupyter/jupyter_config.py": "c.KernelManager.kernel_name = 'other'\n",
        "modules/intruder.py": "",
        "modules/sitecustomize.py": "import sys\nsys.customized = True\n",
        "startup.py": "of_startup = True\n",
    }.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {
        "HOME": str(home), "JUPYTER_PATH": str(home / "jupyter"),
        "JUPYTER_DATA_DIR": str(home / "data"), "JUPYTER_CONFIG_DIR": str(home / ".jupyter"),
        "IPYTHONDIR": str(home / ".ipython"), "MPLCONFIGDIR": str(home / ".config/matplotlib"),
        "MATPLOTLIBRC": str(home / ".config/matplotlib"), "MPLBACKEND": "pdf",
        "PYTHONPATH": str(home / "modules"), "PYTHONSTARTUP": str(home / "startup.py"),
        "PYTHONOPTIMIZE": "2", "PYTHONHASHSEED": "7", "PYTHONDEVMODE": "1",
        "PYTHONWARNINGS": "ignore", "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Tokyo", "LANG": "C", "LC_ALL": "C",
        "LANGUAGE": "de", "OMP_NUM_THREADS": "3", "ATEN_CPU_CAPABILITY": "default",
        "COLUMNS": "40", "LINES": "10", "NO_COLOR": "1", "SOMEBODYS_OWN": "1",
    }  # fmt: skip


def probed(environment):
    """Run the probe in IPython, as a kernel would, in an environment."""
    code = PROBE + "import json; print(json.dumps(told))"
    run = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "-c", code],
        env=environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return json.loads(run.stdout)


def test_the_probe_sees_what_somebody_has_set(hostile, tmp_path):
    """Or the next tests would prove nothing.

    PYTHONSTARTUP is run by kernels, but not where IPython is given code.
    """
    plain = probed({"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    theirs = probed({"PATH": os.environ["PATH"], **hostile})
    same = {name for name in plain if plain[name] == theirs[name]}
    assert same == {"startup"}


def test_nothing_that_somebody_has_set_reaches_a_kernel(hostile, monkeypatch, tmp_path):
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    workplace = Workplace(tmp_path, {}, "cpu", "a processor")
    ours = kernel_variables(workplace, tmp_path, [])
    theirs = {name for name, value in hostile.items() if ours.get(name) == value}
    assert theirs == {"HOME"}


def build(book, environment):
    """Build in a process of its own, whose Python starts in this environment; what it said."""
    path = os.pathsep.join([str(book.folder / "installed"), environment.pop("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-m", "tools.book.build", "--book", str(book.folder)],
        cwd=ROOT, capture_output=True, check=False,
        env={
            "PATH": os.environ["PATH"], "HF_HOME": str(book.folder / "models"),
            "PYTHONPATH": path, **environment,
        },
    )  # fmt: skip
    said = (run.stdout + run.stderr).decode(errors="replace")
    assert run.returncode == 0, said
    return said


def test_the_same_pages_with_whatever_somebody_has_set(hostile, server, tmp_path):
    """In other folders, too: no path is left in any output.

    Their names are of one length: a printed table keeps the width that a path had in it.
    """
    plain = make(tmp_path / "plainnnnnnnnnnnnnnnnnnnnnnnn", server)
    build(plain, {"HOME": str(tmp_path)})
    theirs = make(tmp_path / "somebody's own & long_folder", server)
    build(theirs, dict(hostile))
    assert plain.built() == theirs.built()
    for name, content in [*plain.built().items(), *theirs.built().items()]:
        for path in (tmp_path, sys.prefix, "/tmp/tmp", sys.base_prefix, hostile["HOME"]):
            assert str(path).encode() not in content, name
    notebook = json.loads((plain.folder / "_build/executed/chapters/two.ipynb").read_text())
    outputs = [output for c in notebook["cells"] for output in c.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert kinds >= {
        "text/html", "text/latex", "text/markdown", "text/plain", "image/svg+xml"
    }  # fmt: skip
    before = plain.built()
    assert "every chapter is executed already" in build(plain, dict(hostile))
    assert plain.built() == before
    shutil.rmtree(plain.folder / ".jupyter_cache")
    build(plain, dict(hostile))
    assert plain.built() == before


def test_a_path_that_a_table_has_cut_short_is_told(book):
    """What is left of it is another one each time."""
    code = "import os\nimport pandas as pd\npd.options.display.max_colwidth = 16\n"
    code += "print(pd.Series([os.getcwd() + '/' + 40 * 'x']))"
    book.edit("chapters/one.md", "print(CONSTANT", code + "\nprint(CONSTANT")
    for _ in range(2):
        run = book.build()
        assert run.status == 1
        assert "FAILED chapters/one, cell 2" in run.output
        assert "the output shows '/tmp/tmp" in run.output
        assert "another name each time" in run.output

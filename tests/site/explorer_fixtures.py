"""What the tests of the explorers share: the assets, a small server, a browser."""

import functools
import json
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
from explorer_pages import ELEMENTS, open_page, place

from layerwise.texts.speeches import load_speeches
from tools.explorers.make import build
from tools.explorers.scripts import SOURCE, write_script_for_files

ROOT = Path(__file__).resolve().parents[2]
# Full texts of a few poems (1890, 1891, 1896; public domain), in place of the data set.
POEMS = pd.DataFrame([
    (
        "The Chariot", "Because I could not stop for Death,", "Time and Eternity", 1890,
        "Because I could not stop for Death,\nHe kindly stopped for me;\n"
        "The carriage held but just ourselves\nAnd Immortality.",
    ),
    (
        None, "Hope is the thing with feathers", "Life", 1891,
        "Hope is the thing with feathers\nThat perches in the soul,\n"
        "And sings the tune without the words,\nAnd never stops at all,",
    ),
    (
        None, "I'm nobody! Who are you?", "Life", 1891,
        "I'm nobody! Who are you?\nAre you nobody, too?\n"
        "Then there 's a pair of us — don't tell!\nThey 'd banish us, you know.",
    ),
    (
        "Exclusion", "The soul selects her own society,", "Life", 1890,
        "The soul selects her own society,\nThen shuts the door;\n"
        "On her divine majority\nObtrude no more.",
    ),
    (
        None, "There's a certain slant of light,", "Nature", 1890,
        "There's a certain slant of light,\nOn winter afternoons,\n"
        "That oppresses, like the weight\nOf cathedral tunes.",
    ),
    (
        "Success", "Success is counted sweetest", "Life", 1890,
        "Success is counted sweetest\nBy those who ne'er succeed.\n"
        "To comprehend a nectar\nRequires sorest need.",
    ),
], columns=["title", "first_line", "theme", "year", "text"])  # fmt: skip
# A few of the sentences; heads are found on the first shape of each.
SENTENCES = {
    "capital": {"The capital of {} is": "France Italy, Spain Germany"},
    "is/are": {
        "The {} near the window": "key keys, dog dogs",
        "The {} near the windows": "book books, star stars",
        "The {} that he saw": "house houses, song songs",
    },
    "he/she": {
        "The {} said that": "king queen, man woman",
        "When the {} came,": "uncle aunt, husband wife",
        "They asked {} if": "John Mary, James Anna",
    },
}


@pytest.fixture(scope="session")
def explorer_poems():
    """The poems of the explorers under test."""
    return POEMS


class Handler(SimpleHTTPRequestHandler):
    """Serve a folder; keep what is posted; fail where a test asks for it."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript"
    }

    def log_message(self, *args):
        pass

    def do_POST(self):
        self.server.posted[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def do_GET(self):
        fault = self.server.faults.get(self.path.split("?")[0].rsplit("/", 1)[-1])
        self.server.asked.append(self.path)
        if fault is None:
            return super().do_GET()
        data = Path(self.translate_path(self.path)).read_bytes()
        if fault == "missing":
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if fault == "lost":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
        elif fault == "damaged":
            self.wfile.write(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
        elif fault == "slow":
            step = len(data) // 40 + 1
            try:
                for start in range(0, len(data), step):
                    self.wfile.write(data[start : start + step])
                    self.server.slow_gate.wait(0.05)
            except OSError:
                pass  # the reader cancelled
        return None


class Site:
    """A folder with the real modules and the real assets, on a port of this machine."""

    def __init__(self, root):
        self.root = root
        self.server = ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=root)
        )
        self.server.daemon_threads = True
        self.server.posted, self.server.faults, self.server.asked = {}, {}, []
        self.server.slow_gate = threading.Event()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def page(self, name, body):
        html = (
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
            "<meta name='viewport' content='width=device-width, initial-scale=1'>"
            "<link rel='stylesheet' href='explorer/explorer.css'>"
            f"<title>Explorers</title></head><body><main><h1>Explorers</h1>{body}</main></body></html>"
        )
        (self.root / name).write_text(html, "utf-8")
        return self.url + name

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="session")
def explorer_assets(made_once):
    """Build the assets once, from the installed model and a few poems."""
    return made_once("explorer-assets", lambda folder: build(
        folder, poems=POEMS, speeches=load_speeches()[::4], questions=SENTENCES
    ))  # fmt: skip


@pytest.fixture(scope="session")
def explorer_site(explorer_assets, tmp_path_factory):
    root = tmp_path_factory.mktemp("explorer_site")
    ours = shutil.ignore_patterns("assets")
    shutil.copytree(ROOT / "_static" / "explorer", root / "explorer", ignore=ours)
    shutil.copytree(explorer_assets, root / "explorer" / "assets")
    site = Site(root)
    site.page("empty.html", "")
    yield site
    site.close()


@pytest.fixture(scope="session")
def altered(explorer_site, explorer_assets):
    """Serve the assets again, with a change to one of the JSON files; return the address."""

    def alter(name, file, change):
        folder = explorer_site.root / name
        folder.mkdir(exist_ok=True)
        for path in explorer_assets.iterdir():
            shutil.copy(path, folder / path.name)
        content = json.loads((folder / file).read_text("utf-8"))
        change(content)
        (folder / file).write_text(json.dumps(content), "utf-8")
        return f"/{name}/"

    return alter


@pytest.fixture(scope="session")
def from_file(tmp_path_factory, explorer_assets):
    """A folder such as the unpacked archive of the site; returns the address of its page."""
    folder = tmp_path_factory.mktemp("from_file")
    ours = shutil.ignore_patterns("assets")
    explorer = folder / "explorer"
    shutil.copytree(SOURCE, explorer, ignore=ours)
    shutil.copytree(explorer_assets, explorer / "assets")
    write_script_for_files(explorer)
    elements = "".join(place(name, module="explorer") for name in ELEMENTS)
    (folder / "index.html").write_text(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Explorers</title>"
        "<link rel='stylesheet' href='explorer/explorer.css'>"
        f"<script defer src='explorer/start.js'></script></head><body>{elements}</body></html>",
        "utf-8",
    )
    return (folder / "index.html").as_uri()


@pytest.fixture(scope="session")
def explorer_browser(chromium):
    """Use the browser of all the site's tests: a process can drive only one."""
    return chromium


# ---------------------------------------------------------------- pages with explorers

@pytest.fixture(scope="session")
def pages(explorer_site):
    """Addresses of pages with one explorer each, and of one with missing data."""
    addresses = {name: explorer_site.page(f"{name}.html", place(name)) for name in ELEMENTS}
    addresses |= {
        f"{name} without data": explorer_site.page(
            f"{name}-alone.html", place(name, "assets='/nowhere/'")
        )
        for name in ELEMENTS
    }
    return addresses


@pytest.fixture
def context(explorer_browser, explorer_site):
    explorer_site.server.faults.clear()
    explorer_site.server.asked.clear()
    context = explorer_browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()
    explorer_site.server.faults.clear()


@pytest.fixture
def attention(context, pages):
    page = open_page(context, pages["attention-explorer"], "attention-explorer")
    yield page
    assert page.problems == []

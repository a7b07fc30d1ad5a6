"""How fast the in-page explorers are: in Chromium, on one thread, beside torch on one thread.

    python -m benchmarks.explorer [--out FILE] [--assets DIR] [--chromium PATH]

DIR is what tools/explorers/make.py made; left out, it is that of the built book. Prints, and
adds to FILE, a JSON object: seconds (medians), and each time as a ratio to torch's for the same
tokens. Measure on a quiet machine.
"""

import argparse
import functools
import json
import shutil
import statistics
import tempfile
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

from layerwise.models import load_encoder
from tools.measurements import merge_into
from tools.site.browser import BROWSER_OPTIONS, CHROMIUM

ROOT = Path(__file__).resolve().parents[1]
SECTION = "explorer"
ASSETS = ROOT / "_build" / "html" / "_static" / "explorer" / "assets"
N_TOKENS = [16, 64, 512]
REPEATS = 7
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Benchmark</title>
<link rel="stylesheet" href="explorer/explorer.css">
<attention-explorer></attention-explorer>
<script type="module" src="explorer/attention-explorer.mjs"></script></html>"""
TIME_MODEL = """
async ({ sizes, repeats }) => {
  const { model } = document.querySelector("attention-explorer");
  const start = performance.now();
  await model.load(() => {});
  const found = { load: (performance.now() - start) / 1000 };
  for (const n of sizes) {
    const batch = { input_ids: [], token_type_ids: [], attention_mask: [] };
    for (let i = 0; i < n; i++) {
      batch.input_ids.push(1996 + i);
      batch.token_type_ids.push(0);
      batch.attention_mask.push(1);
    }
    found[n] = [];
    for (let i = 0; i <= repeats; i++) {
      const start = performance.now();
      await model.run(batch);
      if (i > 0) found[n].push((performance.now() - start) / 1000);
    }
  }
  return found;
}
"""


class Handler(SimpleHTTPRequestHandler):
    """Serve a folder without a word."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript"
    }

    def log_message(self, *args):
        """Say nothing."""


def serve(assets: Path, folder: Path) -> ThreadingHTTPServer:
    """Serve a page with one explorer, the modules and the assets, from a folder."""
    ours = shutil.ignore_patterns("assets")
    shutil.copytree(ROOT / "_static" / "explorer", folder / "explorer", ignore=ours)
    shutil.copytree(assets, folder / "explorer" / "assets")
    (folder / "index.html").write_text(PAGE, "utf-8")
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def time_page(address: str, chromium: str) -> dict:
    """Time opening the page, loading the model, and running it, in a fresh browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_OPTIONS)
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("attention-explorer[state='ready']")
        opened = page.evaluate("performance.now()") / 1000
        found = page.evaluate(TIME_MODEL, {"sizes": N_TOKENS, "repeats": REPEATS})
        browser.close()
    seconds = {"open": opened, "load": found["load"]}
    return seconds | {f"{n} tokens": statistics.median(found[str(n)]) for n in N_TOKENS}


def time_torch() -> dict:
    """Time the full-precision model on one thread, on the same tokens."""
    model = load_encoder(device="cpu").model
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = {}
    for n in N_TOKENS:
        batch = {"input_ids": torch.arange(1996, 1996 + n)[None]}
        times = []
        for _ in range(REPEATS + 1):
            start = time.perf_counter()
            with torch.inference_mode():
                model(**batch, output_hidden_states=True, output_attentions=True)
            times.append(time.perf_counter() - start)
        seconds[f"{n} tokens"] = statistics.median(times[1:])
    torch.set_num_threads(threads)
    return seconds


def measure(assets: Path, chromium: str = CHROMIUM) -> dict:
    """Measure everything and return it as one object."""
    with tempfile.TemporaryDirectory() as folder:
        server = serve(assets, Path(folder))
        try:
            in_page = time_page(f"http://127.0.0.1:{server.server_port}/", chromium)
        finally:
            server.shutdown()
            server.server_close()
    in_torch = time_torch()
    ratios = {name: round(in_page[name] / in_torch[name], 2) for name in in_torch}
    return {
        "explorer_seconds": {name: round(value, 4) for name, value in in_page.items()},
        "torch_one_thread_seconds": {name: round(value, 4) for name, value in in_torch.items()},
        "explorer_to_torch": ratios,
    }


def main() -> None:
    """Read the command line, measure, say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, default=ASSETS)
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "bench.json")
    parser.add_argument("--chromium", default=CHROMIUM)
    arguments = parser.parse_args()
    results = measure(arguments.assets, arguments.chromium)
    print(json.dumps(results, indent=2))
    merge_into(arguments.out, SECTION, results)


if __name__ == "__main__":
    main()

"""How fast the in-page explorers are: in Chromium, on one thread, beside torch on one thread.

    python -m benchmarks.explorer [--out FILE] [--assets DIR] [--chromium PATH]

DIR is what the build made for the explorers; left out, it is that of the built book. The model
runs by its kernel, by its plain loops, and in torch, in turns; a ratio is the median of the
turns'. Prints, and adds to FILE, a JSON object. Measure on a quiet machine.
"""

import argparse
import functools
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

from benchmarks._results import merge_into
from layerwise.models import load_encoder
from tools.desk import ROOT
from tools.site.browser import BROWSER_OPTIONS, CHROMIUM
from tools.site.serve import served

SECTION = "explorer"
ASSETS = ROOT / "_build" / "html" / "_static" / "explorer" / "assets"
N_TOKENS = [16, 64, 512]
ROUNDS = 7
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Benchmark</title>
<link rel="stylesheet" href="explorer/explorer.css">
<attention-explorer assets="{assets}"></attention-explorer>
<script type="module" src="explorer/attention-explorer.mjs"></script></html>"""
LOAD = """
async () => {
  const { model } = document.querySelector("attention-explorer").own;
  const start = performance.now();
  await model.load(() => {});
  return (performance.now() - start) / 1000;
}
"""
RUN = """
async (input_ids) => {
  const { model } = document.querySelector("attention-explorer").own;
  const [zeros, ones] = [input_ids.map(() => 0), input_ids.map(() => 1)];
  const start = performance.now();
  await model.run({ input_ids, token_type_ids: zeros, attention_mask: ones });
  return (performance.now() - start) / 1000;
}
"""


def write_pages(assets: Path, folder: Path) -> None:
    """Write two pages with one explorer each, one with the kernel and one without."""
    ours = shutil.ignore_patterns("assets")
    shutil.copytree(ROOT / "_static" / "explorer", folder / "explorer", ignore=ours)
    manifest = json.loads((assets / "manifest.json").read_text("utf-8"))
    for way, kernel in [("kernel", manifest["kernel"]), ("loops", "")]:
        shutil.copytree(assets, folder / way)
        changed = json.dumps(manifest | {"kernel": kernel})  # without one, the loops run
        (folder / way / "manifest.json").write_text(changed, "utf-8")
        (folder / f"{way}.html").write_text(PAGE.format(assets=f"{way}/"), "utf-8")


def open_pages(browser, address: str) -> tuple[dict, dict]:
    """Open a page for each way to run the model; return the pages, and seconds of the first."""
    pages, seconds = {}, {}
    for way in ["kernel", "loops"]:
        pages[way] = browser.new_context().new_page()
        pages[way].goto(f"{address}{way}.html")
        pages[way].wait_for_selector("attention-explorer[state='ready']")
        seconds[way] = {"open": pages[way].evaluate("performance.now()") / 1000}
        seconds[way]["load"] = pages[way].evaluate(LOAD)
    return pages, seconds["kernel"]


def time_torch(model, input_ids: list[int]) -> float:
    """Time the full-precision model."""
    start = time.perf_counter()
    with torch.inference_mode():
        model(torch.tensor([input_ids]), output_hidden_states=True, output_attentions=True)
    return time.perf_counter() - start


def time_in_turns(pages: dict) -> dict:
    """Run the same tokens each way, in turns: seconds by number of tokens and way."""
    model = load_encoder(device="cpu").model
    ways = {way: functools.partial(page.evaluate, RUN) for way, page in pages.items()}
    ways["torch"] = functools.partial(time_torch, model)
    times: dict = {n: {way: [] for way in ways} for n in N_TOKENS}
    for n in N_TOKENS:
        for round_number in range(ROUNDS + 1):
            for way, run in ways.items():
                seconds = run(list(range(1996, 1996 + n)))
                if round_number > 0:  # the first warms up
                    times[n][way].append(seconds)
    return times


def ratio(times: dict, way: str, other: str) -> float:
    """Return how many times as long one way takes as another: the median of all turns."""
    pairs = zip(times[way], times[other], strict=True)
    return round(statistics.median(one / two for one, two in pairs), 2)


def measure(assets: Path, chromium: str = CHROMIUM) -> dict:
    """Measure everything and return it as one object."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_pages(assets, Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_OPTIONS)
        with browser, served(Path(folder)) as address:
            pages, seconds = open_pages(browser, address)
            times = time_in_turns(pages)
    return {
        "explorer_seconds": {name: round(value, 4) for name, value in seconds.items()},
        "tokens": {
            n: {way: round(statistics.median(found), 4) for way, found in times[n].items()}
            | {
                "loops_to_kernel": ratio(times[n], "loops", "kernel"),
                "kernel_to_torch": ratio(times[n], "kernel", "torch"),
                "loops_to_torch": ratio(times[n], "loops", "torch"),
            }
            for n in N_TOKENS
        },
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

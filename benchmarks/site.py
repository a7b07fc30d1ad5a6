"""How heavy a page is and how soon it can be read, beside Jupyter Book's default.

    python -m benchmarks.site --out _build/bench.json

The core chapter is opened as on a telephone with a middling connection (Lighthouse's mobile
profile): 1.6 Mbit/s, 150 ms for a round trip, a processor slowed four times. The same executed
notebook, built by Jupyter Book with the settings it comes with, is the comparison. That build
also asks other hosts for files; they are blocked here, so its figures are a lower bound.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlparse

from playwright.sync_api import Browser, sync_playwright

from benchmarks._results import merge_into
from tools.desk import ROOT
from tools.site.browser import BROWSER_OPTIONS, CHROMIUM
from tools.site.serve import served

SECTION = "site"
TELEPHONE = {"viewport": {"width": 412, "height": 823}, "device_scale_factor": 1.75}
NETWORK = {
    "offline": False, "latency": 150,
    "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8,
}  # fmt: skip
SLOWDOWN = 4
# What the goals are; see measure_page for the names
GOALS = {"kB": 600, "CLS": 0.05, "LCP s": 2.5}
OBSERVE = """
  window.seen = {lcp: 0, cls: 0, what: ''};
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) {
      seen.lcp = e.startTime;
      const {tagName, textContent} = e.element ?? {tagName: '', textContent: ''};
      seen.what = `${tagName} ${textContent.slice(0, 40)}`;
    }
  }).observe({type: 'largest-contentful-paint', buffered: true});
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) if (!e.hadRecentInput) seen.cls += e.value;
  }).observe({type: 'layout-shift', buffered: true});
"""


def build_default_book(notebook: Path, folder: Path) -> Path:
    """Build one executed notebook with Jupyter Book's own settings; return its folder."""
    book = folder / "book"
    book.mkdir()
    shutil.copyfile(notebook, book / "chapter.ipynb")
    (book / "index.md").write_text("# A book\n")
    shutil.copyfile(ROOT / "references.bib", book / "references.bib")
    (book / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n- file: chapter\n")
    (book / "_config.yml").write_text(
        "title: A book\nexecute:\n  execute_notebooks: 'off'\n"
        "bibtex_bibfiles: [references.bib]\n"
        "sphinx:\n  extra_extensions: [sphinx_exercise]\n"
    )
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    # References to other chapters lead nowhere in a book of one: warnings, no matter here
    subprocess.run([jupyter_book, "build", "-q", book], check=True, capture_output=True)
    return book / "_build" / "html"


def measure_page(browser: Browser, url: str, exclude: str) -> dict[str, float]:
    """Open a page once, as a new reader on a telephone, and scroll to its end.

    Returns
    -------
    dict
        ``kB``: what the first load takes over the wire, headers included; ``requests``;
        ``other hosts``: requests to them; ``LCP s``: when the largest thing in view was
        painted; ``CLS``: how far things moved by themselves.
    """
    context = browser.new_context(**TELEPHONE, is_mobile=True, has_touch=True)
    page = context.new_page()
    page.add_init_script(OBSERVE)
    host, elsewhere = urlparse(url).netloc, []

    def guard(route) -> None:
        elsewhere.append(route.request.url)
        route.abort()

    # Only other hosts are intercepted: interception takes time, and would be measured
    context.route(lambda target: urlparse(target).netloc not in ("", host), guard)
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", NETWORK)
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
    names, sizes = {}, {}
    devtools.on(
        "Network.requestWillBeSent",
        lambda e: names.update({e["requestId"]: e["request"]["url"]}),
    )
    devtools.on(
        "Network.loadingFinished",
        lambda e: sizes.update({names.get(e["requestId"], ""): e["encodedDataLength"]}),
    )
    page.goto(url, wait_until="load", timeout=120_000)
    page.wait_for_timeout(3000)
    first_load = {name: size for name, size in sizes.items() if exclude not in name}
    lcp, what = page.evaluate("[seen.lcp, seen.what]")  # final once the reader scrolls
    height = page.evaluate("document.documentElement.scrollHeight")
    for top in range(0, height, 700):
        page.evaluate(f"window.scrollTo({{top: {top}, behavior: 'instant'}})")
        page.wait_for_timeout(30)
    shift = page.evaluate("seen.cls")
    context.close()
    return {
        "kB": sum(first_load.values()) / 1000,
        "requests": len(first_load),
        "other hosts": len(elsewhere),
        "LCP s": lcp / 1000,
        "CLS": shift,
        "largest": what.strip(),
    }


def measure(folder: Path, path: str, rounds: int) -> dict[str, float]:
    """Open a page several times; return the median of each figure."""
    with sync_playwright() as playwright, served(folder, compress=True) as site:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_OPTIONS)
        found = [measure_page(browser, site + path, "explorer/assets") for _ in range(rounds)]
        browser.close()
    figures = {
        name: round(statistics.median(one[name] for one in found), 3)
        for name in found[0]
        if name != "largest"
    }
    return {**figures, "largest": found[0]["largest"]}


def main() -> None:
    """Measure both, write the figures, print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "bench.json")
    parser.add_argument("--chapter", default="chapters/context")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    build = ROOT / "_build"
    ours = measure(build / "html", f"{options.chapter}.html", options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        notebook = build / "executed" / f"{options.chapter}.ipynb"
        default = build_default_book(notebook, Path(folder))
        theirs = measure(default, "chapter.html", options.rounds)
    results = {
        "chapter": options.chapter,
        "profile": "1.6 Mbit/s, 150 ms, processor slowed 4 times, 412 by 823 px",
        "book": ours,
        "default Jupyter Book": theirs,
        "ratio": {
            name: round(ours[name] / theirs[name], 3) for name in ["kB", "requests", "LCP s"]
        },
        "goals": GOALS,
        "reached": all(ours[name] <= goal for name, goal in GOALS.items()),
    }
    merge_into(options.out, SECTION, results)
    print(json.dumps(results, indent=2))
    if not results["reached"]:
        sys.exit("a goal is not reached")


if __name__ == "__main__":
    main()

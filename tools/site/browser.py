"""The browser that prints and pictures the site, and that tests and benchmarks use too."""

import shutil

NAMES = ["chromium", "chromium-browser", "google-chrome"]  # as systems call it
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), NAMES[0])
BROWSER_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

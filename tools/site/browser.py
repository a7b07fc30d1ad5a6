"""The browser that tests, benchmarks and pictures of the site open its pages in."""

import shutil

NAMES = ["chromium", "chromium-browser", "google-chrome"]  # as systems call it
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), NAMES[0])
BROWSER_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

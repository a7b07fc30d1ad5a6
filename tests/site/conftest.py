"""The built site, a small server for it, and a browser: once for all tests of a worker."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tools.site.browser import BROWSER_OPTIONS, CHROMIUM
from tools.site.serve import SITE, served


def missing(what: str, remedy: str) -> None:
    """Skip for want of something, loudly; where all is meant to be there, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}: {remedy}")
    pytest.skip(f"THE SITE IS NOT TESTED: {what}. {remedy}")


@pytest.fixture(scope="session")
def site_folder() -> Path:
    if not (SITE / "index.html").is_file():
        missing("there is no built site", "Build it: python3 -m nox -s book")
    return SITE


@pytest.fixture(scope="session")
def site(site_folder) -> Iterator[str]:
    with served(site_folder) as url:
        yield url


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).is_file():
        missing(f"there is no {CHROMIUM}", "Install it: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_OPTIONS)
        yield browser
        browser.close()

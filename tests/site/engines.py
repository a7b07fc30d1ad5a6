"""Three browser engines behind three verbs: open an address, run a script, set the size.

Playwright drives Chromium; its Firefox and WebKit are builds of its own, which no reader has.
A distribution's Firefox speaks WebDriver BiDi over a socket without any driver, WebKitGTK comes
with a driver that speaks WebDriver over HTTP. Both are spoken here as far as it takes.
"""

import base64
import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import websocket
from playwright.sync_api import Browser

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox") or ""
WEBKIT_DRIVER = shutil.which("WebKitWebDriver") or ""
MINI_BROWSERS = "lib*/*/webkit2gtk-4.*/MiniBrowser", "libexec/webkit2gtk-4.*/MiniBrowser"
PATIENCE_S = 60
# No news, no updates, no question: what a test opens is all that it asks for.
FIREFOX_SETTINGS = {
    "app.update.auto": False, "browser.aboutwelcome.enabled": False,
    "browser.newtabpage.enabled": False, "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage": "about:blank", "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False, "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "remote.active-protocols": 1, "services.settings.server": "data:,#",
    "toolkit.telemetry.enabled": False, "browser.safebrowsing.update.enabled": False,
}  # fmt: skip


class Engine(NamedTuple):
    """A browser with one page: ``run`` takes the body of an async function, gives its value."""

    name: str
    open: Callable[[str], None]
    run: Callable[[str], object]
    resize: Callable[[int, int], None]
    picture: Callable[[Path], None]


@contextmanager
def chromium_engine(browser: Browser) -> Iterator[Engine]:
    """Open a page of a Chromium that Playwright has started."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield Engine(
        "Chromium",
        lambda url: page.goto(url, wait_until="load") and None,
        lambda script: page.evaluate(f"(async () => {{ {script} }})()"),
        lambda width, height: page.set_viewport_size({"width": width, "height": height}),
        lambda file: page.screenshot(path=file) and None,
    )
    page.close()


@contextmanager
def started(*command: str, **options) -> Iterator[subprocess.Popen]:
    """Start a program; end it in any case."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def patiently(attempt: Callable[[], object]) -> object:
    """Try until something answers, for as long as a slow machine may take."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return attempt()
        except (OSError, websocket.WebSocketException):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


@contextmanager
def firefox_engine() -> Iterator[Engine]:
    """Start Firefox without a window, and speak WebDriver BiDi with it."""
    with ExitStack() as stack:
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        lines = [
            f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in FIREFOX_SETTINGS.items()
        ]
        (Path(profile) / "user.js").write_text("\n".join(lines), "utf-8")
        port = free_port()
        address = f"ws://127.0.0.1:{port}/session"
        stack.enter_context(
            started(
                FIREFOX, "--headless", "--no-remote", "--profile", profile,
                "--remote-debugging-port", str(port), "about:blank",
                env={**os.environ, "HOME": profile, "MOZ_HEADLESS_WIDTH": "1600"},
            )
        )  # fmt: skip
        line = patiently(
            lambda: websocket.create_connection(address, PATIENCE_S, suppress_origin=True)
        )
        stack.callback(line.close)
        numbers = itertools.count(1)

        def say(method: str, **params) -> dict:
            number = next(numbers)
            line.send(json.dumps({"id": number, "method": method, "params": params}))
            while True:  # events come in between
                answer = json.loads(line.recv())
                if answer.get("id") == number:
                    assert answer["type"] == "success", f"{method}: {answer}"
                    return answer["result"]

        def run(script: str) -> object:
            # as JSON: BiDi's own form of values is a tree of types
            answer = say(
                "script.evaluate", target={"context": page}, awaitPromise=True,
                expression=f"(async () => {{ {script} }})()"
                ".then((value) => JSON.stringify(value ?? null))",
            )  # fmt: skip
            assert answer["type"] == "success", answer["exceptionDetails"]["text"]
            return json.loads(answer["result"]["value"])

        def take(file: Path) -> None:
            data = say("browsingContext.captureScreenshot", context=page)["data"]
            file.write_bytes(base64.b64decode(data))

        say("session.new", capabilities={})
        page = say("browsingContext.create", type="tab")["context"]
        yield Engine(
            "Firefox",
            lambda url: (
                say("browsingContext.navigate", context=page, url=url, wait="complete") and None
            ),
            run,
            lambda width, height: (
                say(
                    "browsingContext.setViewport",
                    context=page,
                    viewport={"width": width, "height": height},
                )
                and None
            ),
            take,
        )


def mini_browser() -> str:
    """Find the small browser that WebKitGTK brings for tests."""
    found = [path for pattern in MINI_BROWSERS for path in Path("/usr").glob(pattern)]
    return str(max(found, default=""))


@contextmanager
def webkit_engine() -> Iterator[Engine]:
    """Start WebKitGTK on a screen of its own, and speak WebDriver with it."""
    with ExitStack() as stack:
        screen = stack.enter_context(
            started(
                "Xvfb", "-displayfd", "1", "-screen", "0", "1400x1100x24", "-nolisten", "tcp"
            )
        )
        display = f":{screen.stdout.readline().decode().strip()}"
        home = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        port = free_port()
        environment = {
            **os.environ,
            "DISPLAY": display,
            "GDK_BACKEND": "x11",
            "XDG_DATA_HOME": home,
            "XDG_CACHE_HOME": home,
            "LIBGL_ALWAYS_SOFTWARE": "1",
        }
        stack.enter_context(started(WEBKIT_DRIVER, f"--port={port}", env=environment))

        def call(method: str, path: str, body: dict | None = None) -> object:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}{path}",
                method=method,
                data=None if body is None else json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return json.load(answer)["value"]

        patiently(lambda: call("GET", "/status"))
        options = {"binary": mini_browser(), "args": ["--automation"]}
        wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
        session = f"/session/{call('POST', '/session', {'capabilities': wanted})['sessionId']}"
        stack.callback(call, "DELETE", session)

        def run(script: str) -> object:
            wrapped = (
                "const done = arguments[0];"
                f"(async () => {{ {script} }})().then((value) => done([value ?? null]),"
                " (error) => done(String(error)))"
            )
            answer = call("POST", f"{session}/execute/async", {"script": wrapped, "args": []})
            assert isinstance(answer, list), answer
            return answer[0]

        def open_page(url: str) -> None:
            call("POST", f"{session}/url", {"url": url})
            # the driver does not wait for a page whose script fails
            run(
                "while (document.readyState !== 'complete')"
                " await new Promise((done) => setTimeout(done, 20));"
            )

        def resize(width: int, height: int) -> None:
            # The window has a bar of its own, and no window is narrower than about 450.
            call("POST", f"{session}/window/rect", {"width": width, "height": height})

        def take(file: Path) -> None:
            file.write_bytes(base64.b64decode(call("GET", f"{session}/screenshot")))

        yield Engine("WebKit", open_page, run, resize, take)

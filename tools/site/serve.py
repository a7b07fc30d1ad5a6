"""Serve the built site on this computer: ``nox -s serve``.

Explorers are ES modules, which browsers load over http only, not from files.
"""

import argparse
import gzip
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import BinaryIO

from tools.desk import ROOT

SITE = ROOT / "_build" / "html"


class SiteHandler(SimpleHTTPRequestHandler):
    """Serves as a static host does: with a page for what is not there, compressed on demand."""

    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".woff2": "font/woff2",
        ".ipynb": "application/x-ipynb+json",
    }

    def __init__(self, *arguments, compress: bool, quiet: bool, **options):
        self.compress = compress
        self.quiet = quiet
        super().__init__(*arguments, **options)

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Answer what is not there with the book's own page for it."""
        page = Path(self.directory) / "404.html"
        if code != HTTPStatus.NOT_FOUND or not page.is_file():
            super().send_error(code, message, explain)
            return
        body = page.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        """Send a file's headers, and compress what a static host would compress."""
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        kind = self.guess_type(path)
        text = kind.startswith("text/") or kind.endswith(("json", "xml"))
        accepted = "gzip" in self.headers.get("Accept-Encoding", "")
        if not (self.compress and text and accepted and path.is_file()):
            return super().send_head()
        body = gzip.compress(path.read_bytes(), 6)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)

    def log_message(self, *arguments) -> None:
        """Log requests, unless asked not to."""
        if not self.quiet:
            super().log_message(*arguments)


class SiteServer(ThreadingHTTPServer):
    """A thread for each request; a reader who leaves before a page is whole is no error."""

    def handle_error(self, request, client_address) -> None:
        """Report every error but a connection that the reader has closed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def make_server(
    folder: Path = SITE, port: int = 0, compress: bool = False, quiet: bool = True
) -> SiteServer:
    """Make a server of a folder on 127.0.0.1; port 0 takes one that is free."""
    handler = partial(SiteHandler, directory=str(folder), compress=compress, quiet=quiet)
    return SiteServer(("127.0.0.1", port), handler)


def address(server: SiteServer) -> str:
    """Return the address of a server, with the slash at the end."""
    return f"http://127.0.0.1:{server.server_address[1]}/"


@contextmanager
def served(folder: Path, compress: bool = False) -> Iterator[str]:
    """Serve a folder in the background; give its address."""
    with make_server(folder, compress=compress) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield address(server)
        finally:
            server.shutdown()
            thread.join()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=SITE)
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    if not (options.folder / "index.html").is_file():
        parser.error(f"no site in {options.folder}: build it first, python3 -m nox -s book")
    with make_server(options.folder, options.port, compress=True, quiet=False) as server:
        print(f"The book is at {address(server)}  (end with Ctrl+C)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()

"""Serve the built site on this computer: ``nox -s serve``.

Explorers are ES modules, which browsers load over http only, not from files.
"""

import argparse
import gzip
import io
import os
import re
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import BinaryIO

from tools.desk import ROOT, BuildError, run_command, say

NONE = (None, "0")
SITE = ROOT / "_build" / "html"


class SiteHandler(SimpleHTTPRequestHandler):
    """Serves as a static host does: with a page for what is not there, compressed on demand."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.1"  # of answers to what is no request
    timeout = 30  # seconds for a reader who says nothing
    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".woff2": "font/woff2",
        ".ipynb": "application/x-ipynb+json",
    }

    def parse_request(self) -> bool:
        """Read a request; answer at once what no page of a site is asked by."""
        if not super().parse_request():
            if not self.requestline.strip():
                self.send_error(HTTPStatus.BAD_REQUEST, "Nothing is asked for")
            return False
        self.path = self.requestline.split()[1]  # as it was sent, with all its slashes
        if self.command not in ("GET", "HEAD"):
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)
        elif self.headers["Transfer-Encoding"] or self.headers["Content-Length"] not in NONE:
            self.send_error(HTTPStatus.BAD_REQUEST, "A page is asked for without a body")
        else:
            return True
        return False

    def end_headers(self) -> None:
        """Name the methods that there are to whoever uses another one."""
        if self.command not in (None, "GET", "HEAD"):
            self.send_header("Allow", "GET, HEAD")
        super().end_headers()

    def __init__(self, *arguments, compress: bool, quiet: bool, **options):
        self.compress = compress
        self.quiet = quiet
        super().__init__(*arguments, **options)

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Answer what is not there with the book's own page for it."""
        # What follows a request that was not understood is no request.
        self.close_connection |= code != HTTPStatus.NOT_FOUND
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
        try:
            file = self.file_of(self.path)
        except ValueError:
            self.send_error(HTTPStatus.BAD_REQUEST, "No address of this site")
            return None
        if file is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        if file.is_dir():
            address, question, query = self.path.partition("?")
            self.send_response(HTTPStatus.MOVED_PERMANENTLY)
            self.send_header("Location", f"{address}/{question}{query}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        kind = self.guess_type(file)
        text = kind.startswith("text/") or kind.endswith(("json", "xml"))
        accepted = "gzip" in self.headers.get("Accept-Encoding", "")
        if not (self.compress and text and accepted):
            return super().send_head()
        body = gzip.compress(file.read_bytes(), 6)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)

    def file_of(self, target: str) -> Path | None:
        """Return the file of an address, or the folder where its slash is missing, or None.

        Each file has one address: no doubled slash, no dots, no other way to write a letter
        than its own or its percent form. What is no address at all is a ValueError.
        """
        address = target.partition("?")[0]
        if not address.startswith("/") or "#" in address or "\\" in address:
            raise ValueError(address)
        if re.search(r"%(?![0-9a-fA-F]{2})|[^!-~]", address):
            raise ValueError(address)
        names = [urllib.parse.unquote(n, errors="strict") for n in address[1:].split("/")]
        if any(ord(letter) < 32 or letter in "\\\x7f" for letter in "".join(names)):
            raise ValueError(address)
        last = names.pop()
        if {"", ".", ".."} & set(names) or last in (".", "..") or "/" in "".join(names) + last:
            return None
        # Names are looked up, not opened: a disk that ignores case would know two for one.
        folder = Path(self.directory)
        try:
            for name in names:
                if name not in os.listdir(folder):
                    return None
                folder /= name
            file = folder / (last or "index.html")
            if file.name not in os.listdir(folder):
                return None
            inside = file.resolve().is_relative_to(Path(self.directory).resolve())
        except OSError:  # not a folder, or may not be read
            return None
        there = file.is_file() or (file / "index.html").is_file()
        return file if inside and there and os.access(file, os.R_OK) else None

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


def check_site(folder: Path) -> None:
    """Check that a site was built in a folder."""
    if not (folder / "index.html").is_file():
        raise BuildError(f"no site in {folder}: build it first, python3 -m nox -s book")


def serve(folder: Path, port: str) -> int:
    """Serve a folder until interrupted; return the exit status."""
    check_site(folder)
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise BuildError(f"--port {port}: a port is a number from 0 to 65535; 0 takes any")
    try:
        server = make_server(folder, int(port), compress=True, quiet=False)
    except OSError as error:
        reason = "may not be used by you" if isinstance(error, PermissionError) else "is taken"
        raise BuildError(
            f"port {port} {reason} ({error.strerror}): name another one, as --port 8001, or "
            "--port 0 for any that is free"
        ) from None
    with server:
        say(f"The book is at {address(server)}  (end with Ctrl+C)")
        with suppress(KeyboardInterrupt):  # that is how it ends
            server.serve_forever()
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Serve a site; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=SITE)
    parser.add_argument("--port", default="8000", help="default: 8000")
    options = parser.parse_args(arguments)
    return run_command(lambda: serve(options.folder, options.port))


if __name__ == "__main__":
    sys.exit(main())

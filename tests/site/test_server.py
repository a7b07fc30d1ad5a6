"""The server of the built site: what it says, and what it keeps to itself."""

import socket
import struct

import pytest

from tools.site.serve import SiteHandler, served


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "index.html").write_text("page\n" * 4_000_000, "utf-8")
    return tmp_path


def ask_and_leave(url: str) -> None:
    """Ask for the page and hang up at once, as a browser does when its reader goes on."""
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port))) as connection:
        at_once = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        connection.sendall(b"GET /index.html HTTP/1.1\r\nHost: here\r\n\r\n")
        connection.recv(1000)


def test_a_reader_who_leaves_early_is_not_reported(folder, capfd):
    with served(folder) as url:
        ask_and_leave(url)
    assert capfd.readouterr().err == ""


def test_an_error_of_the_servers_own_is_reported(folder, capfd, monkeypatch):
    monkeypatch.setattr(SiteHandler, "send_head", lambda self: 1 / 0)
    with served(folder) as url:
        ask_and_leave(url)
    assert "ZeroDivisionError" in capfd.readouterr().err

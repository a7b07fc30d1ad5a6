"""The server of the built site: what it says, and what it keeps to itself."""

import re
import signal
import socket
import struct
import subprocess
import sys
from contextlib import closing
from http.client import HTTPResponse

import pytest

from tools.desk import ROOT
from tools.site import serve
from tools.site.serve import SiteHandler, served
from tools.site.serve import main as serve_main


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


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A small site, with something beside it that is not to be had."""
    folder = tmp_path_factory.mktemp("server") / "html"
    for name, text in {
        "index.html": "first", "404.html": "not here", "chapters/one.html": "one",
        "chapters/two/index.html": "two", "empty/only.txt": "text", "a b.txt": "blank",
        "é.txt": "accent", "../secret.txt": "secret", "page.html": "p" * 2_000,
    }.items():  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    return folder


@pytest.fixture(scope="module")
def url(site):
    with served(site, compress=True) as url:
        yield url


def ask(url: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; return the status, the headers and the body of the answer."""
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        method = request.split(b" ")[0].decode("latin-1")
        with closing(HTTPResponse(connection, method=method)) as answer:
            answer.begin()
            return answer.status, dict(answer.getheaders()), answer.read()


def request(target: str, method: str = "GET", headers: str = "") -> bytes:
    """Make the bytes of a request."""
    lines = f"{method} {target} HTTP/1.1\r\nHost: here\r\n{headers}\r\n"
    return lines.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/", b"first"), ("/?a=b", b"first"), ("/index.html", b"first"),
        ("/chapters/one.html?x=/../..", b"one"), ("/chapters/two/", b"two"),
        ("/a%20b.txt", b"blank"), ("/%C3%A9.txt", b"accent"), ("/%c3%a9.txt", b"accent"),
    ],
)  # fmt: skip
def test_what_is_there(url, target, body):
    assert ask(url, request(target))[::2] == (200, body)


ODD = {
    "/nowhere.html": 404, "/empty/": 404, "/chapters": 404, "/chapters/": 404,
    "//": 404, "//index.html": 404, "//chapters/two": 404,
    "/chapters//one.html": 404, "/chapters/./one.html": 404,
    "/chapters/../index.html": 404, "/../secret.txt": 404, "/%2e%2e/secret.txt": 404,
    "/..%2fsecret.txt": 404, "/%2E%2E%2Fsecret.txt": 404, "/chapters%2fone.html": 404,
    "/index.html/": 404, "/index.html/x": 404, "/INDEX.html": 404, "/link.txt": 404,
    "/%00": 400, "/index.html%00": 400, "/%0d%0aX:1": 400, "/\\index.html": 400,
    "/..\\secret.txt": 400, "/%5c..%5csecret.txt": 400, "/%": 400, "/%zz": 400, "/%e9": 400,
    "/%ff%fe": 400, "/\udce9": 400, "/é.txt": 400, "index.html": 400, "*": 400, "#": 400,
    "http://elsewhere/index.html": 400, "/index.html#part": 400, "/" + "a" * 5_000: 404,
    "/" + "a/" * 5_000: 404, "/" + "%2e" * 5_000: 404, "/" + "a" * 70_000: 414,
}  # fmt: skip
EVERY_METHOD = ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get", "X"]


@pytest.mark.parametrize("target", ODD, ids=lambda target: ascii(target)[:40])
def test_odd_addresses_get_an_answer(url, target):
    for _ in range(2):
        status, headers, body = ask(url, request(target))
        assert status == ODD[target]
        assert b"secret" not in body
        assert "Content-Length" in headers


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_other_methods_are_refused(url, method):
    status, headers, _ = ask(url, request("/index.html", method))
    assert status == 405
    assert headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),  # a browser that tries https
        (b"GET\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1 more\r\n\r\n", 400),
        (b"GET / HTTP/x.y\r\n\r\n", 400),
        (b"GET / HTTP/3.0\r\n\r\n", 505),
        (b"GET / FTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 7\r\n\r\nGET / H", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ],
)
def test_broken_requests_get_an_answer(url, sent, status):
    assert [ask(url, sent)[0] for _ in range(2)] == [status, status]


def test_a_folder_without_its_slash_leads_to_it_with_the_query(url):
    status, headers, _ = ask(url, request("/chapters/two?next=1&b=%20"))
    assert (status, headers["Location"]) == (301, "/chapters/two/?next=1&b=%20")


@pytest.mark.parametrize("accepts", ["", "Accept-Encoding: gzip\r\n"])
@pytest.mark.parametrize("target", ["/page.html", "/nowhere", "/chapters/two", "/a%20b.txt"])
def test_head_has_the_headers_of_get(url, target, accepts):
    of_get = ask(url, request(target, "GET", accepts))
    of_head = ask(url, request(target, "HEAD", accepts))
    for headers in (of_get[1], of_head[1]):
        headers.pop("Date")
    assert of_head[:2] == of_get[:2]
    assert of_head[2] == b""


@pytest.mark.parametrize(
    ("said", "answers"),
    [
        (b"", 0), (b"GET /ind", 0), (b"GET / HTTP/1.1\r\nHo", 0),
        (2 * request("/"), 2),  # the second one over a connection that was kept
    ],
)  # fmt: skip
def test_a_reader_who_says_nothing_more_is_let_go(site, monkeypatch, said, answers):
    assert 5 < SiteHandler.timeout < 120
    monkeypatch.setattr(SiteHandler, "timeout", 0.2)
    with served(site) as url:
        host, port = url.removeprefix("http://").rstrip("/").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(said)
            with connection.makefile("rb") as answer:
                assert answer.read().count(b"200 OK") == answers


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_ends_without_a_word_though_a_reader_stays(site, number):
    command = [sys.executable, "-m", "tools.site.serve", str(site), "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as server:
        (port,) = re.findall(r"http://127\.0\.0\.1:(\d+)/", server.stdout.readline())
        with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as connection:
            connection.sendall(request("/"))
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
            server.send_signal(number)
            output, errors = server.communicate(timeout=20)
    assert (server.returncode, output) == (0, "")
    assert errors.count("\n") == 1  # the request


SITE_NEEDED = "error: no site in {}: build it first, python3 -m nox -s book\n"


@pytest.mark.parametrize("port", ["99999", "-1", "abc", "", "80 80", "1e3", "٣"])
def test_an_impossible_port_is_told(site, capsys, port):
    told = f"error: --port {port}: a port is a number from 0 to 65535; 0 takes any\n"
    for _ in range(2):
        assert serve_main([str(site), f"--port={port}"]) == 1
        assert capsys.readouterr().out == told


def test_a_taken_port_is_told(site, url, capsys):
    port = url.rstrip("/").rpartition(":")[2]
    for _ in range(2):
        assert serve_main([str(site), "--port", port]) == 1
        assert capsys.readouterr().out.startswith(f"error: port {port} is taken (")


def test_a_port_that_one_may_not_use_is_told(site, capsys, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(serve, "make_server", refuse)
    assert serve_main([str(site), "--port", "80"]) == 1
    assert capsys.readouterr().out.startswith("error: port 80 may not be used by you (")


@pytest.mark.parametrize("name", ["", "nowhere", "file", "file/inside", "a\0b"])
def test_no_site_is_told(tmp_path, capsys, name):
    (tmp_path / "file").write_text("no folder", "utf-8")
    for _ in range(2):
        assert serve_main([str(tmp_path / name)]) == 1
        assert capsys.readouterr().out == SITE_NEEDED.format(tmp_path / name)

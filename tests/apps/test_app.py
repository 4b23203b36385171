# SPDX-License-Identifier: Apache-2.0
"""The test application itself: what the system tests rely on when they blame weir and not it."""

import os
import socket
import subprocess
import time

import pytest

BUILT = os.path.join(os.path.dirname(__file__), "../../build/weir-app")
WEIR_APP = os.environ.get("WEIR_APP", BUILT)


def pattern(n):
    return (bytes(range(251)) * (n // 251 + 1))[:n]


def fnv1a(data):
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 % 2**64
    return f"{value:016x}"


def read_all(conn):
    data = b""
    while block := conn.recv(65536):
        data += block
    return data


class App:
    def __init__(self, *options):
        self.process = subprocess.Popen([WEIR_APP, "a1", "0", *options], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])

    def talk(self, *parts):
        """Sends the parts one by one and returns everything up to the end of the stream."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as conn:
            for part in parts:
                conn.sendall(part if isinstance(part, bytes) else part.encode())
                if len(parts) > 1:
                    time.sleep(0.02)
            return read_all(conn)

    def get(self, path, method="GET", fields="", body=""):
        head, _, answer = self.talk(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                    f"{fields}\r\n{body}").partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode(), answer

    def stop(self):
        self.process.kill()
        _, errors = self.process.communicate()
        return errors


@pytest.fixture
def app():
    app = App()
    yield app
    errors = app.stop()
    assert "Sanitizer" not in errors and "runtime error" not in errors


def test_hello_names_itself(app):
    status, head, body = app.get("/any/path?x=1")
    assert (status, body) == (200, b"hello from a1\n")
    assert "X-App: a1" in head


def test_keep_alive_and_pipelining(app):
    request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    last = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert app.talk(request + request + last).count(b"hello from a1\n") == 3
    assert app.talk(request, request, last).count(b"hello from a1\n") == 3


def test_every_split_of_a_request(app):
    request = (b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
               b"Connection: close\r\n\r\nabc")
    for at in range(1, len(request), 7):
        assert fnv1a(b"abc").encode() in app.talk(request[:at], request[at:])


def test_head_has_no_body(app):
    for path in ("/", "/bytes/100", "/chunked/100", "/echo", "/status/404"):
        assert app.get(path, method="HEAD")[2] == b""


@pytest.mark.parametrize("n", [0, 1, 250, 251, 252, 65536, 1000003])
def test_bodies(app, n):
    status, head, body = app.get(f"/bytes/{n}")
    assert status == 200 and f"Content-Length: {n}" in head and body == pattern(n)
    assert app.get(f"/close/{n}")[2] == pattern(n)
    rest, joined = app.get(f"/chunked/{n}")[2], b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            break
        joined += rest[:int(size, 16)]
        assert rest[int(size, 16):][:2] == b"\r\n"
        rest = rest[int(size, 16) + 2:]
    assert rest == b"\r\n" and joined == pattern(n)


def test_echo_gives_back_head_and_body(app):
    request = ("POST /echo HTTP/1.1\r\nHost: x\r\nX-A:  b \r\nContent-Length: 5\r\n"
               "Connection: close\r\n\r\nhello")
    assert app.talk(request).endswith(b"\r\n\r\n" + request.encode())


def test_request_bodies_of_both_forms(app):
    data = pattern(300000)
    expected = f"{len(data)} {fnv1a(data)}\n".encode()
    head = b"POST /digest HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    assert app.talk(head + b"Content-Length: %d\r\n\r\n" % len(data) + data).endswith(expected)
    chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(data[i:i + 4099]), data[i:i + 4099])
                      for i in range(0, len(data), 4099))
    whole = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nT: v\r\n\r\n"
    assert app.talk(whole).endswith(expected)


def test_expect_is_answered_before_the_body(app):
    answer = app.get("/digest", "POST", "Expect: 100-continue\r\nContent-Length: 1\r\n", "x")[1]
    assert answer.startswith("HTTP/1.1 100 Continue")


def test_sick_and_well(app):
    assert app.get("/healthz")[0] == 200
    assert app.get("/sick", "POST")[0] == 503
    assert app.get("/healthz")[0] == 503
    assert app.get("/")[0] == 200
    assert app.get("/sick")[0] == 405
    assert app.get("/well", "POST")[0] == 200
    assert app.get("/healthz")[0] == 200


def test_statuses(app):
    statuses = [200, 204, 304, 404, 503, 599]
    assert [app.get(f"/status/{n}")[0] for n in statuses] == statuses
    assert app.get("/status/204")[2] == b""
    assert app.get("/status/700")[0] == 400


def test_late_answers():
    app = App("--delay", "200")
    begin = time.monotonic()
    app.get("/slow/200")
    assert time.monotonic() - begin >= 0.4
    app.stop()


def test_broken_answers(app):
    assert len(app.get("/cut/1000")[2]) == 500
    assert app.get("/hints")[1].startswith("HTTP/1.1 103 ")
    assert app.talk("GET /garbage HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"this is no")
    with pytest.raises(ConnectionResetError):
        app.talk("GET /reset HTTP/1.1\r\nHost: x\r\n\r\n")


def test_counts(app):
    app.talk("GET / HTTP/1.1\r\nHost: x\r\n\r\n"
             "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    # The first connection is closed by its own thread, a moment after its client saw the end.
    for n in range(3, 100):
        said = app.get("/stats")[2]
        if said.endswith(b"open 1\n"):
            break
        time.sleep(0.01)
    assert said == b"requests %d\nconnections %d\nopen 1\n" % (n, n - 1)


@pytest.mark.parametrize("request_text, complaint", [
    ("GET / HTTP/1.1\r\n\r\n", "no Host"),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "Host twice"),
    ("GET /\r\n\r\n", "three parts"),
    ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "origin form"),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", "version"),
    ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "version"),
    ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "method"),
    ("GET / HTTP/1.1\nHost: a\r\n\r\n", "LF without CR"),
    ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", "CR without LF"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", "NUL"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", "field name"),
    ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "field name"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", "no number"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", "no number"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", "twice"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
     "beside"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\nx", "not chunked"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n", "hexadecimal"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "longer|CR"),
])
def test_garbage_is_noticed(app, request_text, complaint):
    answer = app.talk(request_text)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert any(word in answer.decode() for word in complaint.split("|")), answer

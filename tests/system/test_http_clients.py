# SPDX-License-Identifier: Apache-2.0
"""Other people's clients, as a user would try them: curl, ab, wrk, Python's http.client, h11 and websockets. Each
must be content, and so must other people's servers behind weir."""

import asyncio
import hashlib
import http.client
import http.server
import json
import re
import socket
import subprocess
import threading

import h11
import pytest
import websockets
from conftest import until
from http_peers import PATIENCE_S
from http_serve import counters, listen_counter, serve  # noqa: F401

CURL_LIMIT_S = "20"


def curl(*args, data=None, check=True):
    """Its standard output and error; -w adds what it noticed."""
    done = subprocess.run(["curl", "-sS", "-m", CURL_LIMIT_S, *map(str, args)], input=data, capture_output=True,
                          check=False)
    assert not check or done.returncode == 0, (args, done)
    return done


def pattern(n):
    """What /bytes/N of weir-app sends: byte i is i % 251."""
    return (bytes(range(251)) * (n // 251 + 1))[:n]


def fnv(data):
    """What /digest says of a body."""
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return f"{len(data)} {value:016x}\n".encode()


# ---- curl ---------------------------------------------------------------------------------------------------


def test_curl_methods(serve, apps):
    url = f"http://127.0.0.1:{serve(apps('a'))}"
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
        for version in ("--http1.0", "--http1.1"):
            done = curl(version, "-X", method, "-w", "%{http_code}", f"{url}/echo")
            assert done.stdout.startswith(f"{method} /echo HTTP/1.1\r\n".encode()), done
            assert done.stdout.endswith(b"200")
    for method, status in (("TRACE", b"405"), ("CONNECT", b"400")):
        assert curl("-X", method, "-o", "/dev/null", "-w", "%{http_code}", f"{url}/echo").stdout == status
    head = curl("-I", f"{url}/bytes/12345").stdout
    assert b"Content-Length: 12345\r\n" in head and head.endswith(b"\r\n\r\n")
    whole_server = curl("--request-target", "*", "-X", "OPTIONS", "-o", "/dev/null", "-w", "%{http_code}", url)
    assert whole_server.stdout == b"200"


def test_curl_keeps_its_connection(serve, apps):
    port = serve(apps("a"))
    urls = [f"http://127.0.0.1:{port}/{path}" for path in
            ("bytes/100", "chunked/5000", "status/204", "status/404", "hints", "digest", "bytes/0")]
    done = curl(*[word for url in urls for word in ("-o", "/dev/null", url)], "-w", "%{http_code} %{num_connects}\n")
    assert done.stdout.split() == b"200 1 200 0 204 0 404 0 200 0 200 0 200 0".split()
    assert counters(serve.weir)[listen_counter("connections")] == 1


def test_curl_by_proxy_asks_by_absolute_form(serve, apps):
    port = serve(apps("a"))
    said = curl("-x", f"http://127.0.0.1:{port}", "http://shop.example.org/echo?a=b").stdout
    assert said.startswith(b"GET /echo?a=b HTTP/1.1\r\nHost: shop.example.org\r\n")
    assert b"Proxy-Connection" not in said


def test_curl_tries_http_2(serve, apps):
    """An offer of h2c is not taken and not passed on; prior knowledge meets a 400 that is HTTP/1."""
    url = f"http://127.0.0.1:{serve(apps('a'))}"
    done = curl("--http2", "-w", "%{http_version} %{http_code}", f"{url}/echo")
    assert done.stdout.endswith(b"1.1 200")
    assert b"h2c" not in done.stdout and b"HTTP2-Settings" not in done.stdout
    done = curl("--http2", "-d", "hello", "-w", " %{http_version}", f"{url}/digest")
    assert done.stdout == fnv(b"hello") + b" 1.1"
    assert curl("--http2-prior-knowledge", f"{url}/echo", check=False).returncode != 0


def test_curl_uploads(serve, apps):
    """Above a megabyte it asks by Expect whether it may; from a pipe it sends chunks."""
    url = f"http://127.0.0.1:{serve(apps('a'))}"
    body = pattern(3_000_000)
    want = hashlib.sha256(body).hexdigest()
    digest = curl(f"{url}/digest", "--data-binary", "@-", data=body).stdout
    assert digest.startswith(b"3000000 ")
    assert curl("-T", "-", f"{url}/digest", data=body).stdout == digest
    assert curl("-H", "Expect:", "--data-binary", "@-", f"{url}/digest", data=body).stdout == digest
    assert curl("--http1.0", "--data-binary", "@-", f"{url}/digest", data=body).stdout == digest
    assert curl("-F", "a=@-", "-w", "%{http_code}", "-o", "/dev/null", f"{url}/digest", data=body).stdout == b"200"
    for path in ("bytes", "chunked", "close"):
        for version in ("--http1.0", "--http1.1"):
            got = curl(version, f"{url}/{path}/3000000").stdout
            assert hashlib.sha256(got).hexdigest() == want, (path, version)


def test_curl_resumes(serve, member_of_ranges):
    url = f"http://127.0.0.1:{serve(member_of_ranges)}/file"
    whole = curl(url).stdout
    assert curl("-r", "100-199", url).stdout == whole[100:200]
    assert curl("-C", "5000", url).stdout == whole[5000:]
    assert curl("-r", "0-0", "-w", "%{http_code}", url).stdout == whole[:1] + b"206"
    assert curl("-z", "Fri, 01 Jan 2038 00:00:00 GMT", "-w", "%{http_code}", url).stdout == b"304"


def test_curl_sees_what_is_cut(serve, apps):
    url = f"http://127.0.0.1:{serve(apps('a'))}"
    assert curl(f"{url}/cut/100000", check=False).returncode in (18, 56)  # partial file, or reset
    assert curl("-w", "%{http_code}", "-o", "/dev/null", f"{url}/reset").stdout == b"502"
    assert curl("-w", "%{http_code}", "-o", "/dev/null", f"{url}/garbage").stdout == b"502"


# ---- load ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [["-k", "-c", "30"], ["-c", "20"], ["-k", "-c", "10", "-p", "body", "-T", "a/b"]])
def test_ab(serve, apps, tmp_path, options):
    """ApacheBench speaks HTTP/1.0, with keep-alive where it is told to."""
    (tmp_path / "body").write_bytes(b"x" * 3000)
    port = serve(apps("a"), apps("b"))
    path = "/digest" if "-p" in options else "/bytes/1000"
    done = subprocess.run(["ab", "-q", "-n", "2000", *options, f"http://127.0.0.1:{port}{path}"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=60, check=True)
    said = dict(re.findall(r"^([\w -]+):\s+(\d+)", done.stdout, re.M))
    assert said["Complete requests"] == "2000" and said["Failed requests"] == "0", done.stdout
    assert "Non-2xx" not in done.stdout
    assert ("Keep-Alive requests" in said) == ("-k" in options)
    if "-k" in options:  # 1000 a connection
        assert int(said["Keep-Alive requests"]) >= 1990


def test_wrk(serve, apps):
    port = serve(apps("a"), apps("b"))
    done = subprocess.run(["wrk", "-t", "2", "-c", "40", "-d", "2s", f"http://127.0.0.1:{port}/bytes/1000"],
                          capture_output=True, text=True, timeout=60, check=True)
    assert "Socket errors" not in done.stdout and "Non-2xx" not in done.stdout, done.stdout
    assert int(re.search(r"(\d+) requests in", done.stdout)[1]) > 100
    assert counters(serve.weir)['weir_listen_responses_total{listen="shop",class="5xx"}'] == 0


# ---- Python -------------------------------------------------------------------------------------------------


class RangeHandler(http.server.BaseHTTPRequestHandler):
    """A file that can be had in parts, by the server that comes with Python."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    whole = pattern(20_000)

    def do_GET(self):
        body, status = self.whole, 200
        if self.headers.get("If-Modified-Since"):
            body, status = b"", 304
        elif found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(found[1]), int(found[2] or len(body) - 1)
            body, status = body[first:last + 1], 206
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(self.whole)}")
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def member_of_ranges():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RangeHandler)
    server.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_python_on_both_sides(serve, member_of_ranges):
    port = serve(member_of_ranges)
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    for i in range(50):
        conn.request("GET", "/file", headers={"Range": f"bytes={i}-{i + 9}"})
        response = conn.getresponse()
        assert (response.status, response.read()) == (206, RangeHandler.whole[i:i + 10])
        conn.request("POST", "/", body=b"x" * i * 100)
        assert conn.getresponse().read() == b"x" * i * 100
    conn.close()
    assert counters(serve.weir)[listen_counter("connections")] == 1


# ---- h11, which refuses what is not the standard ---------------------------------------------------------------


class H11:
    """One end of a connection."""

    def __init__(self, sock, role):
        self.sock = sock
        self.sock.settimeout(PATIENCE_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.machine = h11.Connection(our_role=role)

    def send(self, *events):
        for event in events:
            self.sock.sendall(self.machine.send(event) or b"")

    def event(self):
        while (event := self.machine.next_event()) is h11.NEED_DATA:
            if self.machine.they_are_waiting_for_100_continue:
                self.send(h11.InformationalResponse(status_code=100, headers=[]))
            self.machine.receive_data(self.sock.recv(65536))
        return event

    def message(self):
        """The head, the body and the trailers; interim responses are passed over."""
        head = self.event()
        while isinstance(head, h11.InformationalResponse):
            head = self.event()
        if not isinstance(head, (h11.Request, h11.Response)):
            return head, b"", []
        body = b""
        while isinstance(event := self.event(), h11.Data):
            body += event.data
        assert isinstance(event, h11.EndOfMessage)
        return head, body, event.headers


class H11Server:
    """Answers each request with what it understood of it, in chunks, with a trailer."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.errors, self.n_served, self.lock = [], 0, threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        peer = H11(sock, h11.SERVER)
        try:
            while isinstance((message := peer.message())[0], h11.Request):
                head, body, trailers = message
                said = json.dumps([head.method.decode(), head.target.decode(), len(body), len(trailers)]).encode()
                is_head = head.method == b"HEAD"
                peer.send(h11.Response(status_code=200, headers=[("Transfer-Encoding", "chunked")]),
                          *([] if is_head else [h11.Data(data=said[:3]), h11.Data(data=said[3:])]),
                          h11.EndOfMessage(headers=[] if is_head else [("X-End", "here")]))
                with self.lock:
                    self.n_served += 1
                peer.machine.start_next_cycle()
        except OSError:
            pass
        except h11.ProtocolError as error:
            self.errors.append(error)
        sock.close()


@pytest.fixture
def h11_server():
    server = H11Server()
    yield server
    server.listener.close()
    assert server.errors == []


def test_h11_on_both_sides(serve, h11_server):
    port = serve(h11_server)
    peer = H11(socket.create_connection(("127.0.0.1", port)), h11.CLIENT)
    for i in range(30):
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            has_body = method in ("POST", "PUT", "PATCH")
            fields = [("Host", "example.org")]
            if has_body:
                fields.append(("Transfer-Encoding", "chunked") if i % 2 else ("Content-Length", str(i * 100)))
            if has_body and i % 3 == 0:
                fields.append(("Expect", "100-continue"))
            peer.send(h11.Request(method=method, target=f"/{i}?{method}", headers=fields))
            if has_body:
                peer.send(*([h11.Data(data=b"x" * 100)] * i))
            has_trailers = has_body and i % 2
            peer.send(h11.EndOfMessage(headers=[("X-Sum", "1")] if has_trailers else []))
            head, body, trailers = peer.message()
            assert head.status_code == 200
            if method != "HEAD":
                want = [method, f"/{i}?{method}", i * 100 if has_body else 0, 1 if has_trailers else 0]
                assert json.loads(body) == want
                assert trailers == [(b"x-end", b"here")]
            peer.machine.start_next_cycle()
    peer.sock.close()
    # It counts when it has answered, which may be after its client has gone.
    assert until(lambda: h11_server.n_served == 30 * 7), h11_server.n_served


# ---- WebSockets -----------------------------------------------------------------------------------------------


def test_websockets(serve):
    """Forty at once: text, a megabyte in fragments, pings, and a code at the end, each by its own tunnel."""
    async def echo(websocket):
        async for message in websocket:
            if message == "leave":
                await websocket.close(4001, "as you wish")
                return
            await websocket.send(message)

    async def client(uri, i):
        async with websockets.connect(uri, max_size=None) as websocket:
            for size in (0, 1, 125, 126, 65535, 65536):
                await websocket.send(f"{i}" * size)
                assert await websocket.recv() == f"{i}" * size
            await asyncio.wait_for(await websocket.ping(), PATIENCE_S)
            if i % 10 == 0:
                await websocket.send([bytes([i]) * 250_000] * 4)
                assert await websocket.recv() == bytes([i]) * 1_000_000
            await websocket.send("leave")
            with pytest.raises(websockets.ConnectionClosed):
                await websocket.recv()
            return websocket.close_code

    async def play():
        async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as server:
            port = serve(server.sockets[0].getsockname()[1])
            return await asyncio.gather(*[client(f"ws://127.0.0.1:{port}/", i) for i in range(40)])

    assert asyncio.run(asyncio.wait_for(play(), 60)) == [4001] * 40

# SPDX-License-Identifier: Apache-2.0
"""HTTP through weir as clients and members see it: spread, connections that are used again, bodies of every
framing and size, interim responses, what is changed in heads, and what happens when one side leaves."""

import collections
import socket
import subprocess
import threading
import time

import pytest
from conftest import until
from http_peers import Client, Ended, answer, chunks, request
from http_serve import member, serve  # noqa: F401

def held_kb(pid):
    """The resident size; 0 under a sanitizer, which keeps what was freed for a while."""
    with open(f"/proc/{pid}/statm") as f:
        size, resident = f.read().split()[:2]
    return 0 if int(size) * 4 > 1 << 30 else int(resident) * 4


def pattern(start, n):
    """What /bytes/N of weir-app sends: byte i is i % 251."""
    block = bytes(range(251))
    start %= 251
    return (block * (n // 251 + 2))[start:start + n]


# ---- spread ------------------------------------------------------------------------------------------


def test_even_spread(serve, apps):
    port = serve(apps("a"), apps("b"), apps("c"))
    counts = collections.Counter()
    with Client(port) as client:
        for _ in range(300):
            counts[client.ask().get("x-app")] += 1
    assert sorted(counts) == ["a", "b", "c"]
    assert all(99 <= n <= 101 for n in counts.values()), counts


def test_even_spread_over_loops(serve, apps):
    port = serve(apps("a"), apps("b"), apps("c"), loops=2)
    counts = collections.Counter()
    for _ in range(30):
        with Client(port) as client:
            for _ in range(10):
                counts[client.ask().get("x-app")] += 1
    assert all(98 <= n <= 102 for n in counts.values()), counts


def test_weights(serve, apps):
    a, b, c = apps("a"), apps("b"), apps("c")
    a.weight = 5
    port = serve(a, b, c)
    counts, last, longest, run = collections.Counter(), None, 0, 0
    with Client(port) as client:
        for _ in range(700):
            name = client.ask().get("x-app")
            counts[name] += 1
            run = run + 1 if name == last else 1
            last, longest = name, max(longest, run)
    assert abs(counts["a"] - 500) <= 2 and abs(counts["b"] - 100) <= 2, counts
    assert longest <= 4  # smooth: not five in a row


# ---- connections that are used again -------------------------------------------------------------------


def test_keep_alive_on_both_sides(serve, member):
    m = member()
    port = serve(m)
    with Client(port) as client:
        for i in range(500):
            assert client.ask(path=f"/{i}").body == f"/{i}".encode()
        assert client.is_quiet()
    assert m.targets() == [f"/{i}" for i in range(500)]
    assert len(m.conns) == 1


def test_member_connections_follow_concurrency(serve, member):
    m = member(lambda conn, message: time.sleep(0.02) or answer(200, "x"))
    port = serve(m)
    clients = [Client(port) for _ in range(20)]
    for _ in range(5):
        for client in clients:
            client.send(request())
        for client in clients:
            assert client.response().status == 200
    for client in clients:
        client.close()
    assert len(m.requests) == 100
    assert len(m.conns) <= 20


def test_pipelined_requests_are_answered_in_order(serve, member):
    def slow_at_first(_, message):
        time.sleep(0.05 if message.target in ("/0", "/1") else 0)
        return answer(200, message.target)

    m = member(slow_at_first)
    port = serve(m, extra='route path = /ping respond 200 "pong"\nroute path = /no respond 404')
    paths = [p for i in range(50) for p in (f"/{i}", "/ping", "/no")]
    with Client(port) as client:
        client.send(b"".join(request(path=p) for p in paths))
        for path in paths:
            response = client.response()
            want = {"/ping": b"pong", "/no": b"404 Not Found\n"}.get(path, path.encode())
            assert response.body == want
        assert client.is_quiet()


def test_pipelined_bodies(serve, member):
    m = member(lambda conn, message: answer(200, message.body))
    port = serve(m)
    with Client(port) as client:
        client.send(request("POST", "/a", body=b"x" * 1000)
                    + request("PUT", "/b", "Transfer-Encoding: chunked\r\n") + chunks(b"yy", b"z")
                    + request("GET", "/c") + request("POST", "/d", body=b"w"))
        assert [client.response().body for _ in range(4)] == [b"x" * 1000, b"yyz", b"", b"w"]


def test_requests_in_pieces(serve, member):
    """A byte at a time, and the rest of one request in a packet with the beginning of the next."""
    m = member(lambda conn, message: answer(200, message.target + message.body.decode()))
    port = serve(m)
    stream = b"".join(
        request("POST", f"/{i}", body=b"b%d" % i) if i % 2 else
        request("POST", f"/{i}", "Transfer-Encoding: chunked\r\n") + chunks(b"b", b"%d" % i)
        for i in range(12))
    for step in (1, 2, 7, 31, 100):
        with Client(port) as client:
            for at in range(0, len(stream), step):
                client.send(stream[at:at + step])
                if step < 8:
                    time.sleep(0.0002)
            assert [client.response().body for _ in range(12)] == [b"/%db%d" % (i, i) for i in range(12)]


def test_second_half_that_comes_with_the_answer_to_the_first(serve, member):
    """A request whose rest arrives at any moment while the one before is answered."""
    m = member(lambda conn, message: answer(200, message.target))
    port = serve(m)
    second = request("POST", "/b", body=b"x" * 50)
    with Client(port) as client:
        started = time.monotonic()
        for i in range(450):
            cut = i % len(second)
            client.send(request(path="/a") + second[:cut])
            time.sleep(i % 10 * 0.00005)
            client.send(second[cut:])
            assert [client.response().body for _ in range(2)] == [b"/a", b"/b"]
        assert time.monotonic() - started < 10


def test_member_that_closes_is_not_used_again(serve, member):
    """Without a word in its head: the end of the stream comes with the answer, or right behind it."""
    def close_behind(conn, message):
        conn.send(answer(200, message.target))
        return False

    m = member(close_behind)
    port = serve(m)
    with Client(port) as client:
        for i in range(30):
            assert client.ask(path=f"/{i}").body == f"/{i}".encode()
        assert client.ask("POST", "/last", body=b"x").status in (200, 502)
    assert m.targets().count("/last") <= 1


def test_member_that_says_close_is_not_used_again(serve, member):
    m = member(lambda conn, message: answer(200, "x", "Connection: close\r\n"))
    port = serve(m)
    with Client(port) as client:
        for _ in range(10):
            response = client.ask()
            assert response.get("connection") is None
    assert len(m.conns) == 10


def test_member_that_says_too_much(serve, member):
    """Bytes behind an answer belong to nobody: they must not answer the next request."""
    extra = answer(200, "poison")
    m = member(lambda conn, message: answer(200, "fine") + extra)
    port = serve(m)
    with Client(port) as client:
        for _ in range(10):
            assert client.ask().body == b"fine"
    assert len(m.conns) == 10


def test_member_that_says_too_much_at_the_end_of_a_read(serve, member):
    """The same where the answer fills exactly what one read takes, so that the poison is not seen with it."""
    size = 128 * 1024
    for trim in range(-2, 3):
        head = len(answer(200, b"x" * (size - 200))) - (size - 200)
        body = b"x" * (size - head + trim)
        m = member(lambda conn, message, b=body: answer(200, b) + answer(200, "poison"))
        port = serve(m)
        with Client(port) as client:
            for _ in range(5):
                assert client.ask().body == body


def test_many_clients(serve, apps):
    port = serve(apps("a"), apps("b"), loops=2)
    failures = []

    def run():
        try:
            with Client(port) as client:
                for i in range(50):
                    n = i * 97 % 3000
                    if client.ask(path=f"/bytes/{n}").body != pattern(0, n):
                        failures.append(n)
        except Exception as error:  # whatever it is, it is a failure of the test
            failures.append(repr(error))

    threads = [threading.Thread(target=run) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:5]


def test_curl(serve, apps):
    """Somebody else's client is content, too."""
    port = serve(apps("a"))
    for args, want in (
            (["-d", "hello"], b"5 a430d84680aabd0b\n"),
            (["-T", "-", "-H", "Transfer-Encoding: chunked"], b"5 a430d84680aabd0b\n"),
            (["-T", "-", "-H", "Expect: 100-continue"], b"5 a430d84680aabd0b\n"),
            (["-0", "-d", "hello"], b"5 a430d84680aabd0b\n")):
        done = subprocess.run(["curl", "-sS", "-m", "10", *args, f"http://127.0.0.1:{port}/digest"],
                              input=b"hello", capture_output=True, check=False)
        assert (done.stdout, done.stderr) == (want, b""), args


# ---- HEAD, versions, closing -----------------------------------------------------------------------------


def test_head(serve, apps):
    port = serve(apps("a"))
    with Client(port) as client:
        for path, length in (("/bytes/1000000", "1000000"), ("/chunked/1000", None), ("/", "13")):
            response = client.ask("HEAD", path)
            assert response.status == 200 and response.get("content-length") == length
        assert client.ask(path="/bytes/10").body == pattern(0, 10)


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_body(serve, apps, status):
    port = serve(apps("a"))
    with Client(port) as client:
        for _ in range(3):
            assert client.ask(path=f"/status/{status}").status == status
        assert client.ask(path="/bytes/10").body == pattern(0, 10)


def test_http_1_0(serve, member):
    m = member()
    port = serve(m)
    with Client(port) as client:
        assert client.ask(path="/a", minor=0).body == b"/a"
        assert client.is_closed()
    with Client(port) as client:
        for i in range(3):
            response = client.ask(path=f"/{i}", fields="Connection: keep-alive\r\n", minor=0)
            assert response.body == f"/{i}".encode()
            assert response.get("connection").lower() == "keep-alive"
        assert client.is_quiet()
    for message in m.requests:
        assert message.first.endswith(b"HTTP/1.1")
        assert message.get("via") == "1.0 weir"  # what was received: RFC 9110 section 7.6.3
    assert len(m.conns) == 1


def test_close_is_obeyed(serve, member):
    port = serve(member())
    with Client(port) as client:
        response = client.ask(fields="Connection: close\r\n")
        assert response.get("connection") == "close"
        assert client.is_closed()


def test_half_closed_client_gets_its_answer(serve, member):
    m = member(lambda conn, message: time.sleep(0.1) or answer(200, b"x" * 300000))
    port = serve(m)
    with Client(port) as client:
        client.send(request() + request(path="/2"))
        client.sock.shutdown(socket.SHUT_WR)
        assert len(client.response().body) == 300000
        assert len(client.response().body) == 300000
        assert client.is_closed()


# ---- bodies --------------------------------------------------------------------------------------------


def test_bodies_both_ways(serve, member):
    m = member(lambda conn, message: answer(200, message.body))
    port = serve(m)
    with Client(port) as client:
        for n in (0, 1, 1000, 16384, 131072, 131073, 1000000):
            body = pattern(n, n)
            assert client.ask("POST", body=body).body == body
            client.send(request("POST", fields="Transfer-Encoding: chunked\r\n"))
            client.send(chunks(*(body[at:at + 7777] for at in range(0, n, 7777))))
            assert client.response().body == body
    assert len(m.conns) == 1
    with Client(port) as client:  # one byte, and one chunk head, at a time
        client.send(request("POST", fields="Transfer-Encoding: chunked\r\n"))
        for byte in chunks(b"a", b"bc", b"def"):
            client.send(bytes([byte]))
            time.sleep(0.001)
        assert client.response().body == b"abcdef"


def test_large_body_on_a_used_connection(serve, member):
    """All of it is in the kernel before weir has read the first part: no further event will come."""
    m = member(lambda conn, message: answer(200, str(len(message.body))))
    port = serve(m)
    for fields, encode in (("", None), ("Transfer-Encoding: chunked\r\n", chunks)):
        with Client(port) as client:
            for n in (10, 200000, 2000000, 5000000):
                body = b"b" * n
                data = request("POST", "/", fields) + encode(body) if encode else \
                    request("POST", "/", body=body)
                started = time.monotonic()
                client.send(data)
                assert client.response().body == str(n).encode()
                assert time.monotonic() - started < 10
    with Client(port) as client:  # the same behind another request
        client.send(request() + request("POST", body=b"b" * 1000000) + request())
        assert [client.response().body for _ in range(3)] == [b"0", b"1000000", b"0"]


def test_chunks_to_the_client(serve, apps):
    port = serve(apps("a"))
    with Client(port) as client:
        for n in (0, 1, 100, 8191, 100000, 2000000):
            response = client.ask(path=f"/chunked/{n}")
            assert response.chunks is not None
            assert response.body == pattern(0, n)
    with Client(port) as client:
        response = client.ask(path="/chunked/100000", minor=0)
        assert response.get("transfer-encoding") is None and response.get("content-length") is None
        assert response.body == pattern(0, 100000)


def test_many_small_chunks(serve, member):
    """More chunks in one read than the relay has parts, both ways."""
    pieces = [b"%d" % i for i in range(3000)]
    m = member(lambda conn, message:
               b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(*pieces))
    port = serve(m)
    with Client(port) as client:
        for _ in range(3):
            client.send(request("POST", fields="Transfer-Encoding: chunked\r\n") + chunks(*pieces))
            response = client.response()
            assert response.body == b"".join(pieces)
            assert len(response.chunks) < 300  # joined
    assert all(message.body == b"".join(pieces) for message in m.requests)


def test_close_delimited_response(serve, apps):
    port = serve(apps("a"))
    for n in (0, 10, 1000000):
        path = f"/close/{n}" if n else "/close"
        with Client(port) as client:
            response = client.ask(path=path)
            assert response.get("transfer-encoding") == "chunked"
            assert response.body == pattern(0, n)
            assert client.ask(path="/bytes/5").body == pattern(0, 5)  # and goes on
        with Client(port) as client:
            response = client.ask(path=path, minor=0)
            assert response.get("transfer-encoding") is None
            assert response.body == pattern(0, n)


def test_slow_reader_costs_no_memory(serve, apps):
    """100 MB to a client that does not read: what weir holds stays small, and then all of it comes."""
    port, total = serve(apps("a")), 100_000_000
    edge = serve.weir.pid("edge")
    with Client(port, rcvbuf=65536) as warm:
        assert len(warm.ask(path="/bytes/3000000").body) == 3000000
    before = held_kb(edge)
    with Client(port, rcvbuf=65536) as client:
        client.send(request(path=f"/bytes/{total}"))
        message = client.head()
        assert message.get("content-length") == str(total)
        at = 0
        for _ in range(3):
            at += len(client.exactly(100000))
            time.sleep(0.3)
            assert held_kb(edge) - before < 2048
        at = 300000
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        assert bytes(client.held) == pattern(at, len(client.held))
        at += len(client.held)
        buf = bytearray(1 << 20)
        while at < total:
            n = client.sock.recv_into(buf)
            assert n > 0 and buf[:n] == pattern(at, n)
            at += n
            assert at % 64 or held_kb(edge) - before < 2048
    assert held_kb(edge) - before < 2048


@pytest.mark.parametrize("is_chunked", [False, True])
def test_slow_member_costs_no_memory(serve, member, is_chunked):
    """100 MB to a member that does not read."""
    total, go, seen = 100_000_000, threading.Event(), {}

    def on_head(conn, message):
        if message.target != "/large":
            return
        go.wait(30)
        if is_chunked:
            n = 0
            while (size := int(conn.until(b"\r\n"), 16)):
                n += size
                while size:
                    if not conn.held:
                        conn.fill()
                        conn.raw.clear()
                    took = min(size, len(conn.held))
                    del conn.held[:took]
                    size -= took
                assert conn.exactly(2) == b"\r\n"
            assert conn.until(b"\r\n") == b"\r\n"
        else:
            n = len(conn.held)
            conn.held.clear()
            while n < total:
                conn.fill()
                conn.raw.clear()
                n += len(conn.held)
                conn.held.clear()
        seen["n"] = n
        conn.send(answer(200, str(n)))
        raise OSError  # the connection is done with

    m = member(on_head=on_head, rcvbuf=65536)
    port = serve(m)
    edge = serve.weir.pid("edge")
    with Client(port) as client:
        client.ask("POST", body=b"x" * 3000000)
        before = held_kb(edge)
        fields = "Transfer-Encoding: chunked\r\n" if is_chunked else f"Content-Length: {total}\r\n"
        client.send(request("POST", "/large", fields))
        block = b"x" * 1_000_000
        out = b"%x\r\n%s\r\n" % (len(block), block) if is_chunked else block
        client.sock.settimeout(0.5)
        sent, whole = 0, total // len(block) * len(out)
        stuck = 0
        while sent < whole:
            try:
                sent += client.sock.send(out[sent % len(out):])
            except TimeoutError:
                stuck += 1
                assert stuck < 60
                assert held_kb(edge) - before < 2048
                go.set()
        assert stuck, "the member read nothing, and yet all was taken"
        client.sock.settimeout(20)
        if is_chunked:
            client.send(b"0\r\n\r\n")
        assert client.response().body == str(total).encode()
    assert seen["n"] == total
    assert held_kb(edge) - before < 2048


# ---- trailers, interim responses, expectations -----------------------------------------------------------


def test_trailers(serve, member):
    m = member(lambda conn, message:
               b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
               + chunks(b"abc", trailers="X-Sum: 1\r\nContent-Length: 5\r\nX-More: a b\r\n"))
    port = serve(m)
    with Client(port) as client:
        client.send(request("POST", fields="TE: trailers\r\nTransfer-Encoding: chunked\r\n")
                    + chunks(b"xy", trailers="X-Req: 7\r\nHost: evil\r\n"))
        response = client.response()
        assert response.trailers == [("x-sum", "1"), ("x-more", "a b")]
    assert m.requests[0].trailers == [("x-req", "7")]
    assert m.requests[0].get("te") == "trailers"
    with Client(port) as client:
        assert client.ask(minor=0).body == b"abc"


def test_early_hints(serve, member):
    hint = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"

    def two_hints(conn, _):
        conn.send(hint)
        time.sleep(0.02)
        return hint.replace("/a", "/b").encode() + answer(200, "done")

    port = serve(member(two_hints))
    with Client(port) as client:
        for _ in range(2):
            response = client.ask()
            assert [i.get("link") for i in response.interims] == ["</a.css>", "</b.css>"]
            assert response.body == b"done"
    with Client(port) as client:  # HTTP/1.0 knows no 1xx
        response = client.ask(minor=0)
        assert response.interims == [] and response.body == b"done"


def test_expect_continue(serve, member):
    def on_head(conn, message):
        if message.get("expect"):
            conn.send("HTTP/1.1 100 Continue\r\n\r\n")

    m = member(lambda conn, message: answer(200, message.body), on_head)
    port = serve(m)
    with Client(port) as client:
        for _ in range(2):
            client.send(request("POST", fields="Expect: 100-continue\r\nContent-Length: 5\r\n"))
            assert client.head().status == 100
            client.send(b"hello")
            assert client.response().body == b"hello"
    assert m.requests[0].get("expect") == "100-continue"


def test_expect_refused_by_the_member(serve, member):
    """The final status comes instead of the body: it is passed on, and the connection closes, because the
    client may or may not send what it announced."""
    def on_head(conn, message):
        if message.get("expect"):
            conn.send(answer(403, "no", "Connection: close\r\n"))
            raise OSError

    port = serve(member(on_head=on_head))
    with Client(port) as client:
        client.send(request("POST", fields="Expect: 100-continue\r\nContent-Length: 5\r\n"))
        response = client.response()
        assert (response.status, response.body, response.get("connection")) == (403, b"no", "close")
        assert client.is_closed()


def test_early_answer_while_the_body_comes(serve, member):
    """A member refuses an upload in the middle and closes: the client reads why, not a 502."""
    def on_head(conn, message):
        if message.target == "/upload":
            conn.exactly(200000)
            conn.send(answer(413, "too large", "Connection: close\r\n"))
            conn.close(is_reset=len(message.all("x-reset")) > 0)
            raise OSError

    port = serve(member(on_head=on_head, rcvbuf=65536))
    for _ in range(5):
        with Client(port) as client:
            client.send(request("POST", "/upload", "Content-Length: 50000000\r\n"))
            try:
                for _ in range(50):
                    client.send(b"x" * 1000000)
            except ConnectionError:
                pass
            response = client.response()
            assert (response.status, response.body) == (413, b"too large")


# ---- what is changed in heads ----------------------------------------------------------------------------


def test_hop_by_hop_request_fields(serve, member):
    m = member()
    port = serve(m)
    with Client(port) as client:
        client.ask(fields="Connection: keep-alive, X-Gone, Cookie, upgrade\r\nX-Gone: 1\r\n"
                   "Keep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\nUpgrade: h2c\r\n"
                   "HTTP2-Settings: x\r\nProxy: evil\r\nX-Stays: 2\r\nCookie: c=1\r\n")
    message = m.requests[0]
    for name in ("x-gone", "keep-alive", "proxy-connection", "te", "upgrade", "http2-settings", "proxy"):
        assert message.all(name) == [], name
    assert message.get("x-stays") == "2"
    assert message.get("cookie") == "c=1"  # Connection cannot take it away
    assert "x-gone" not in (message.get("connection") or "").lower()


def test_hop_by_hop_response_fields(serve, member):
    m = member(lambda conn, message: answer(
        200, "x", "Connection: keep-alive, X-Gone\r\nX-Gone: 1\r\nKeep-Alive: timeout=5\r\n"
        "Upgrade: h2c\r\nProxy-Connection: x\r\nX-Stays: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"))
    port = serve(m)
    with Client(port) as client:
        response = client.ask()
    for name in ("x-gone", "keep-alive", "upgrade", "proxy-connection", "connection"):
        assert response.all(name) == [], name
    assert response.all("set-cookie") == ["a=1", "b=2"]
    assert response.get("x-stays") == "2"
    assert response.first == b"HTTP/1.1 200 Whatever"


def test_who_asks_is_told_by_weir_alone(serve, member):
    m = member()
    port = serve(m)
    with Client(port) as client:
        client.ask(fields="X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 6.6.6.6\r\n"
                   "X-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\nX-Forwarded-Anything: x\r\n"
                   "Client-Cert: x\r\nVia: 1.0 fred\r\n")
    message = m.requests[0]
    assert message.all("x-forwarded-for") == ["127.0.0.1"]
    assert message.all("x-forwarded-proto") == ["http"]
    assert message.all("x-forwarded-host") == ["example.org"]
    assert message.all("x-forwarded-port") == [str(port)]
    assert ", ".join(message.all("via")) == "1.0 fred, 1.1 weir"
    for name in ("x-real-ip", "forwarded", "x-forwarded-anything", "client-cert", "x-request-id"):
        assert message.all(name) == [], name


def test_what_a_trusted_proxy_says_goes_on(serve, member):
    m = member()
    port = serve(m, extra="forwarded both\ntrusted 10.0.0.0/8\ntrusted 127.0.0.0/8\nrequest-id\nvia off")
    with Client(port) as client:
        client.ask(fields="X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 6.6.6.6\r\n"
                   "X-Forwarded-For: 7.7.7.7\r\nForwarded: for=6.6.6.6\r\nX-Request-Id: mine\r\n")
        client.ask()
        client.ask()
    first, second, third = m.requests
    assert first.all("x-forwarded-for") == ["6.6.6.6, 7.7.7.7, 127.0.0.1"]
    assert first.all("x-forwarded-proto") == ["https"]
    assert first.all("forwarded") == ['for=6.6.6.6, for=127.0.0.1;host="example.org";proto=http']
    assert first.all("x-real-ip") == ["6.6.6.6"]
    assert first.all("x-request-id") == ["mine"]
    ids = [message.get("x-request-id") for message in (second, third)]
    assert len(set(ids)) == 2 and all(len(i) == 32 for i in ids)
    assert second.all("x-forwarded-for") == ["127.0.0.1"]
    assert all(message.all("via") == [] for message in m.requests)


def test_target_forms(serve, member):
    m = member()
    port = serve(m)
    with Client(port) as client:
        client.ask(path="http://example.org/a?b")
        client.ask("OPTIONS", "*")
        client.ask("OPTIONS", "http://example.org")
        client.ask(path="/%00%2e/..//?#"[:-1])
        client.ask(path="http://example.org?q")
    assert m.targets() == ["/a?b", "*", "*", "/%00%2e/..//?", "/?q"]
    assert all(message.get("host") == "example.org" for message in m.requests)


def test_folded_response_field(serve, member):
    m = member(lambda conn, message:
               b"HTTP/1.1 200\r\nX-A: one\r\n  two\r\nContent-Length : 1\r\n\r\nx")
    port = serve(m)
    with Client(port) as client:
        response = client.ask()
    assert " ".join(response.get("x-a").split()) == "one two"
    assert response.get("content-length") == "1" and response.body == b"x"


# ---- one side leaves ---------------------------------------------------------------------------------------


def test_truncated_responses_are_visible(serve, member):
    heads = {
        "/length": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500,
        "/chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 500,
        "/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"x" * 500)[:-5],
        "/trailer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-A: b\r\n",
        "/bad": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    }

    def cut(conn, message):
        conn.send(heads[message.target])
        time.sleep(0.05)
        return False

    port = serve(member(cut))
    for path in heads:
        for minor in (0, 1):
            with Client(port) as client:
                client.send(request(path=path, minor=minor))
                with pytest.raises(Ended) as ended:
                    client.response()
                assert ended.value.is_reset  # not even HTTP/1.0 may take it for the whole


def test_client_that_leaves_in_its_body(serve, member):
    """The member must not take the part for the whole."""
    m = member()
    port = serve(m)
    for fields, part in (("Content-Length: 1000\r\n", b"x" * 500),
                         ("Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n")):
        for is_reset in (False, True):
            with Client(port) as client:
                client.send(request("POST", fields=fields) + part)
                time.sleep(0.1)
                client.close(is_reset)
    assert until(lambda: len(m.broken) == 4), m.broken
    assert m.requests == []


def test_client_that_leaves_during_its_answer(serve, apps):
    app = apps("a")
    port = serve(app)
    for _ in range(10):
        with Client(port) as client:
            client.send(request(path="/bytes/50000000"))
            client.exactly(100000)
            client.close(is_reset=True)
    with Client(app.port) as client:  # the member is not left writing
        assert until(lambda: b"open 1\n" in client.ask(path="/stats").body)


def test_killed_member_costs_no_client_anything(serve, apps):
    victim, other = apps("a"), apps("b")
    port = serve(victim, other, loops=2)
    counts, failures, lock, end = collections.Counter(), [], threading.Lock(), time.monotonic() + 2.5

    def run():
        try:
            with Client(port) as client:
                while time.monotonic() < end:
                    response = client.ask(path="/bytes/1024")
                    assert response.status == 200 and response.body == pattern(0, 1024)
                    with lock:
                        counts[response.get("x-app")] += 1
                    time.sleep(0.005)
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=run) for _ in range(50)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    victim.stop()
    for thread in threads:
        thread.join()
    assert not failures, (len(failures), failures[:3])
    assert counts["a"] > 50 and counts["b"] > counts["a"]


def test_stale_connection(serve, member):
    """A kept connection that dies with the second request: GET is repeated, POST never."""
    def once(conn, message):
        return answer(200, message.target) if conn.n_requests == 1 else False

    m = member(once)
    port = serve(m)
    with Client(port) as client:
        assert client.ask(path="/get0").status == 200
        assert client.ask(path="/get1").body == b"/get1"
        assert m.targets() == ["/get0", "/get1", "/get1"]
        for i in range(10):
            path = f"/post{i}"
            status = client.ask("POST", path, body=b"x").status
            assert m.targets().count(path) == 1
            assert status == (200 if m.conns[-1].n_requests == 1 else 502)
            if i % 2 == 0:
                client.ask(path="/get")


def test_connect_failure_is_retried_even_for_post(serve, member, free_port):
    m = member()
    port = serve(free_port(), m, free_port())
    with Client(port) as client:
        for i in range(20):
            assert client.ask("POST", f"/{i}", body=b"x" * i).status == 200
    assert m.targets() == [f"/{i}" for i in range(20)]


def test_reset_is_retried_for_get_alone(serve, member):
    """A new connection that dies before a byte of answer."""
    def reset(conn, message):
        conn.close(is_reset=True)
        return False

    bad, good = member(reset), member()
    port = serve(bad, good)
    for i in range(6):
        with Client(port) as client:
            assert client.ask(path=f"/{i}").status == 200
    assert good.targets() == [f"/{i}" for i in range(6)]
    time.sleep(2.1)  # until it is no suspect any more
    statuses = []
    with Client(port) as client:
        for i in range(2):
            statuses.append(client.ask("POST", f"/post{i}", body=b"x").status)
    assert sorted(statuses) == [200, 502]
    assert len([t for t in bad.targets() + good.targets() if t.startswith("/post")]) == 2


def test_no_second_try_behind_an_interim_response(serve, member):
    """Once the client has seen a byte of one member, no other may answer."""
    def hint_and_die(conn, _):
        conn.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        time.sleep(0.05)
        return False

    bad, good = member(hint_and_die), member()
    port = serve(bad, good)
    responses = []
    for _ in range(2):
        with Client(port) as client:
            responses.append(client.ask())
    assert sorted(r.status for r in responses) == [200, 502]
    assert [len(r.interims) for r in responses if r.status == 200] == [0]


def test_all_tries_fail(serve, member):
    members = [member(lambda conn, message: False) for _ in range(4)]
    port = serve(*members)
    with Client(port) as client:
        assert client.ask().status == 502
    assert sum(len(m.requests) for m in members) == 3  # limits tries

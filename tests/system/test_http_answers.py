# SPDX-License-Identifier: Apache-2.0
"""What weir answers by itself: each refusal with its status, what becomes of the connection, that no member saw
it, and its counter; time-outs; members that fail; respond, redirect, routes and limits."""

import socket
import time

import pytest
from conftest import until
from http_peers import Client, Ended, answer, chunks, request
from http_serve import counters, listen_counter, member, serve  # noqa: F401

HOST = b"Host: example.org\r\n"


def get(fields=b"", target=b"/", version=b"HTTP/1.1", host=HOST, method=b"GET"):
    return method + b" " + target + b" " + version + b"\r\n" + host + fields + b"\r\n"


def post(fields, body=b""):
    return get(fields, method=b"POST") + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"

# name: (bytes, status, the reason in bad_requests)
REFUSED = {
    "a method with a colon": (get(method=b"GE:T"), 400, "method"),
    "no method": (b" / HTTP/1.1\r\n" + HOST + b"\r\n", 400, "method"),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "method"),
    "a long method": (get(method=b"A" * 33), 501, "method_long"),
    "a control byte in the target": (get(target=b"/a\x01"), 400, "target"),
    "a byte above 0x7e in the target": (get(target=b"/\xc3\xa4"), 400, "target"),
    "a fragment": (get(target=b"/a#b"), 400, "target"),
    "a relative target": (get(target=b"a/b"), 400, "target_form"),
    "an asterisk with GET": (get(target=b"*"), 400, "target_form"),
    "another scheme": (get(target=b"ftp://example.org/"), 400, "target_form"),
    "a long target": (get(target=b"/" + b"a" * 8200), 414, "target_long"),
    "HTTP/0.9": (b"GET /\r\n", 400, "version"),
    "two spaces": (b"GET /  HTTP/1.1\r\n" + HOST + b"\r\n", 400, "version"),
    "HTTP/1.2": (get(version=b"HTTP/1.2"), 400, "version"),
    "http/1.1": (get(version=b"http/1.1"), 400, "version"),
    "HTTP/2.0": (get(version=b"HTTP/2.0"), 505, "version_major"),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "target_form"),
    "a bare LF behind the request line": (b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400, "line_end"),
    "a bare LF behind a field": (get(b"A: b\nC: d\r\n"), 400, "line_end"),
    "a bare CR in a value": (get(b"A: b\rC\r\n"), 400, "line_end"),
    "an empty name": (get(b": b\r\n"), 400, "field_name"),
    "a name with a space": (get(b"A B: c\r\n"), 400, "field_space"),
    "a name with a paren": (get(b"A(: c\r\n"), 400, "field_name"),
    "no colon": (get(b"ABC\r\n"), 400, "field_name"),
    "space before the colon": (get(b"A : b\r\n"), 400, "field_space"),
    "a folded field": (get(b"A: b\r\n c\r\n"), 400, "field_fold"),
    "space before the first field": (get(host=b" " + HOST), 400, "field_fold"),
    "NUL in a value": (get(b"A: b\x00c\r\n"), 400, "field_value"),
    "DEL in a value": (get(b"A: b\x7fc\r\n"), 400, "field_value"),
    "a long field": (get(b"A: " + b"b" * 8200 + b"\r\n"), 431, "field_long"),
    "many fields": (get(b"A: b\r\n" * 100), 431, "fields_many"),
    "a long head": (get(b"".join(b"A%d: " % i + b"b" * 4000 + b"\r\n" for i in range(9))), 431, "head_long"),
    "no Host": (get(host=b""), 400, "host_missing"),
    "two Hosts": (get(HOST), 400, "host_repeated"),
    "two Hosts in HTTP/1.0": (get(HOST, version=b"HTTP/1.0"), 400, "host_repeated"),
    "a Host with a space": (get(host=b"Host: a b\r\n"), 400, "host_invalid"),
    "a Host with a user": (get(host=b"Host: a@b\r\n"), 400, "host_invalid"),
    "an empty Host": (get(host=b"Host:\r\n"), 400, "host_invalid"),
    "a Host with a bad port": (get(host=b"Host: a:99999\r\n"), 400, "host_invalid"),
    "a Host with a path": (get(host=b"Host: a/b\r\n"), 400, "host_invalid"),
    "another Host than the target's": (get(target=b"http://other.org/"), 400, "host_differs"),
    "an empty length": (post(b"Content-Length:\r\n"), 400, "length_invalid"),
    "a length with a sign": (post(b"Content-Length: +5\r\n", b"hello"), 400, "length_invalid"),
    "a hexadecimal length": (post(b"Content-Length: 0x5\r\n", b"hello"), 400, "length_invalid"),
    "a list of lengths": (post(b"Content-Length: 5, 5\r\n", b"hello"), 400, "length_invalid"),
    "a huge length": (post(b"Content-Length: 99999999999999999999\r\n"), 400, "length_invalid"),
    "two equal lengths": (post(b"Content-Length: 5\r\n" * 2, b"hello"), 400, "length_repeated"),
    "a length and chunks": (post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n"), 400, "coding_length"),
    "chunks and a length": (post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n"), 400, "coding_length"),
    "chunks twice": (post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"), 400, "coding_invalid"),
    "an empty coding": (post(b"Transfer-Encoding:\r\n", b"0\r\n\r\n"), 400, "coding_invalid"),
    "an empty member": (post(b"Transfer-Encoding: ,chunked\r\n", b"0\r\n\r\n"), 400, "coding_invalid"),
    "gzip alone": (post(b"Transfer-Encoding: gzip\r\n"), None, None),
    "an unknown coding": (post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), 501, "coding_unknown"),
    "two codings": (post(CHUNKED + CHUNKED, b"0\r\n\r\n"), 400, "coding_repeated"),
    "chunks in HTTP/1.0": (get(CHUNKED, version=b"HTTP/1.0", method=b"POST") + b"0\r\n\r\n", 400,
                           "coding_version"),
    "many options": (get(b"Connection: " + b"a," * 40 + b"b\r\n"), 400, "connection_long"),
    "a bad chunk": (post(CHUNKED, b"x\r\n"), 400, "chunk_size"),
    "a chunk with a sign": (post(CHUNKED, b"+5\r\nhello\r\n0\r\n\r\n"), 400, "chunk_size"),
    "a chunk with a prefix": (post(CHUNKED, b"0x5\r\nhello\r\n0\r\n\r\n"), 400, "chunk_size"),
    "a huge chunk": (post(CHUNKED, b"fffffffffffffffff\r\n"), 400, "chunk_size"),
    "a bad extension": (post(CHUNKED, b"5;\x01\r\nhello\r\n"), 400, "chunk_ext"),
    "a long extension": (post(CHUNKED, b"5;a=" + b"b" * 1100 + b"\r\nhello\r\n"), 400, "chunk_ext_long"),
    "a bare LF behind a size": (post(CHUNKED, b"5\nhello\r\n0\r\n\r\n"), 400, "chunk_end"),
    "data longer than its chunk": (post(CHUNKED, b"5\r\nhello!\r\n0\r\n\r\n"), 400, "chunk_end"),
    "many trailers": (post(CHUNKED, b"0\r\n" + b"A: b\r\n" * 101 + b"\r\n"), 431, "trailers_many"),
    "long trailers": (post(CHUNKED, b"0\r\n" + (b"A: " + b"b" * 8000 + b"\r\n") * 5 + b"\r\n"), 431,
                      "trailers_long"),
    "CONNECT": (get(target=b"example.org:443", host=b"Host: example.org:443\r\n", method=b"CONNECT"), 405,
                "method_refused"),
    "TRACE": (get(method=b"TRACE"), 405, "method_refused"),
    "an expectation and a body that has not come": (post(b"Expect: 200-ok\r\nContent-Length: 5\r\n"), 417,
                                                    "expectation"),
}


def test_refused(serve, member):
    m = member()
    port = serve(m)
    wrong = []
    before = counters(serve.weir)
    n_refused = 0
    for name, (data, status, reason) in REFUSED.items():
        with Client(port) as client:
            client.send(data)
            response = client.response()
            if status is None:  # of two that are right
                assert response.status in (400, 501)
                continue
            n_refused += 1
            closed = response.get("connection") == "close" and client.is_closed()
            after = counters(serve.weir)
            key = listen_counter("bad_requests", reason)
            counted = after[key] - before[key]
            before = after
            if (response.status, closed, counted) != (status, True, 1):
                wrong.append((name, response.first, closed, counted))
    assert not wrong, "\n".join(map(str, wrong))
    assert m.requests == []
    assert n_refused == len(REFUSED) - 1


def test_refused_behind_a_good_one(serve, member):
    """The good one is answered first, whatever follows, in one packet or in two."""
    m = member(lambda conn, message: time.sleep(0.02) or answer(200, message.target))
    port = serve(m)
    for name, (data, status, _) in REFUSED.items():
        if name == "a TLS hello":
            continue
        with Client(port) as client:
            client.send(request(path="/good") + data)
            assert client.response().body == b"/good", name
            response = client.response()
            assert response.status == status or not status, name
            assert client.is_closed(), name
    assert set(m.targets()) == {"/good"}


def test_refused_in_pieces(serve, member):
    m = member()
    port = serve(m)
    for name in ("a bare LF behind a field", "two equal lengths", "a bad chunk", "NUL in a value"):
        data, status, _ = REFUSED[name]
        with Client(port) as client:
            for at in range(len(data)):
                try:
                    client.send(data[at:at + 1])
                except ConnectionError:
                    break  # it knew before the end
                time.sleep(0.0005)
            assert client.response().status == status, name
            assert client.is_closed()
    assert [message for message in m.requests if message.method != "POST"] == []


def test_refused_while_the_body_streams(serve, member):
    """A chunk that turns bad behind good ones: the member sees a broken body, the client a 400."""
    m = member()
    port = serve(m)
    with Client(port) as client:
        client.send(post(CHUNKED, b"5\r\nhello\r\n"))
        time.sleep(0.1)
        client.send(b"5\r\nhello!\r\n0\r\n\r\n")
        assert client.response().status == 400
        assert client.is_closed()
    assert until(lambda: len(m.broken) == 1)
    assert m.broken[0].is_reset and m.requests == []


def test_refusal_is_readable_while_much_still_comes(serve, member):
    """weir does not close on a client that is in the middle of sending: it would lose the answer."""
    port = serve(member(), extra='route path /no respond 403 "no"')
    for data in (get(b"A B: c\r\n"), request("POST", "/no", "Content-Length: 5000000\r\n")):
        with Client(port) as client:
            client.send(data + b"x" * 1000000)
            time.sleep(0.1)
            assert client.response().status in (400, 403)


# ---- time-outs -----------------------------------------------------------------------------------------


def test_late_head(serve, member):
    m = member()
    port = serve(m, extra="timeout headers 200ms")
    before = counters(serve.weir)
    for part in (b"G", b"GET / HTTP/1.1\r\n", request()[:-1]):
        with Client(port) as client:
            client.send(part)
            assert client.response().status == 408
            assert client.is_closed()
    with Client(port) as client:  # in total, however busily the bytes drip
        started = time.monotonic()
        try:
            for byte in request(fields="A: " + "b" * 1000 + "\r\n"):
                client.send(bytes([byte]))
                time.sleep(0.01)
        except ConnectionError:
            pass
        assert time.monotonic() - started < 5
        assert client.response().status == 408
    with Client(port) as client:  # nothing at all: closed without a word
        assert client.is_closed()
    key = listen_counter("answers", "head_late")
    assert counters(serve.weir)[key] - before[key] == 4
    assert m.requests == []


def test_late_second_head(serve, member):
    port = serve(member(), extra="timeout headers 200ms\ntimeout idle 5s")
    with Client(port) as client:
        assert client.ask().status == 200
        assert client.is_quiet(0.5)
        client.send(b"GET /")
        assert client.response().status == 408
        assert client.is_closed()


def test_late_body(serve, member):
    m = member()
    port = serve(m, extra="timeout body 200ms")
    for fields, part in (("Content-Length: 10\r\n", b""), ("Content-Length: 10\r\n", b"hello"),
                         ("Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n")):
        with Client(port) as client:
            client.send(request("POST", fields=fields) + part)
            response = client.response()
            assert response.status == 408
            assert client.is_closed()
    assert until(lambda: len(m.broken) == 3)
    assert m.requests == []
    assert counters(serve.weir)[listen_counter("answers", "body_late")] == 3


def test_body_that_drips_is_not_late(serve, member):
    m = member(lambda conn, message: answer(200, message.body))
    port = serve(m, extra="timeout body 300ms\nlimits body-rate 1/s")
    with Client(port) as client:
        client.send(request("POST", fields="Content-Length: 10\r\n"))
        for _ in range(10):
            time.sleep(0.1)
            client.send(b"x")
        assert client.response().body == b"x" * 10


def test_idle_connection_is_closed_silently(serve, member):
    port = serve(member(), extra="timeout idle 200ms")
    with Client(port) as client:
        assert client.ask().status == 200
        assert client.is_closed()


def test_late_member(serve, member):
    m = member(lambda conn, message: time.sleep(0.6))
    port = serve(m, extra="timeout response 200ms")
    for method, body in (("GET", b""), ("POST", b"x"), ("HEAD", b"")):
        with Client(port) as client:
            started = time.monotonic()
            response = client.ask(method, body=body)
            assert response.status == 504 and time.monotonic() - started < 5
            assert client.is_quiet()  # the next request is welcome
    assert counters(serve.weir)[listen_counter("answers", "late")] == 3


def test_late_member_in_the_middle(serve, member):
    def stall(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        time.sleep(1)
        return False

    port = serve(member(stall), extra="timeout stream 200ms")
    with Client(port) as client:
        client.send(request())
        with pytest.raises(Ended) as ended:
            client.response()
        assert ended.value.is_reset
    assert counters(serve.weir)[listen_counter("cut")] == 1


def test_member_that_does_not_accept(serve, member, free_port):
    """Its queue is full: connecting takes too long, another member takes the request."""
    full = socket.socket()
    full.bind(("127.0.0.1", free_port()))
    full.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
    m = member()
    port = serve(full.getsockname()[1], m, extra="timeout connect 200ms")
    with Client(port) as client:
        for i in range(4):
            assert client.ask("POST", f"/{i}", body=b"x").status == 200
    port = serve(full.getsockname()[1], extra="timeout connect 200ms")
    with Client(port) as client:
        assert client.ask().status == 502
    for sock in [full, *fillers]:
        sock.close()


# ---- members that fail ------------------------------------------------------------------------------------

NONSENSE = [
    b"this is no answer\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.1 099 No\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA B\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: \x00\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: " + b"b" * 9000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
]


def test_nonsense(serve, member):
    m = member(lambda conn, message: NONSENSE[int(message.target[1:])])
    port = serve(m)
    with Client(port) as client:
        for i, data in enumerate(NONSENSE):
            assert client.ask(path=f"/{i}").status == 502, data
            assert m.targets().count(f"/{i}") == 1  # an answer, if a bad one: not asked again
    assert counters(serve.weir)[listen_counter("answers", "nonsense")] == len(NONSENSE)
    assert len(m.conns) == len(NONSENSE)


def test_broken_and_unreachable(serve, member, free_port):
    port = serve(member(lambda conn, message: False))
    with Client(port) as client:
        assert client.ask().status == 502
        assert client.ask("POST", body=b"x").status == 502
    assert counters(serve.weir)[listen_counter("answers", "broken")] == 2
    port = serve(free_port())
    with Client(port) as client:
        assert client.ask().status == 502
        assert client.ask("HEAD").status == 502
        assert client.ask("POST", body=b"x").status == 502
        assert client.is_quiet()
    assert counters(serve.weir)[listen_counter("answers", "unreachable")] == 3


def test_nobody_is_up(weir, free_port):
    port = free_port()
    w = weir(f"""
        pool web {{ member a 127.0.0.1:{free_port()}; check tcp every 100ms timeout 100ms fall 1 }}
        listen shop http 127.0.0.1:{port} {{ route pool web }}""")
    w.wait_fact("member:web/a", "down")
    with Client(port) as client:
        for method in ("GET", "POST", "HEAD"):
            response = client.ask(method)
            assert response.status == 503 and int(response.get("retry-after")) >= 1
        assert client.is_quiet()
    assert counters(w)[listen_counter("answers", "no_member")] == 3


# ---- respond, redirect, routes ------------------------------------------------------------------------------


def test_respond(serve, member):
    m = member()
    port = serve(m, extra="""
        route path = /pong respond 200 "pong"
        route path = /gone respond 410
        route path = /none respond 204
        route path = /same respond 304
        route path = /empty respond 200 "" """)
    with Client(port) as client:
        for path, status, body in (("/pong", 200, b"pong"), ("/gone", 410, b"410 Gone\n"),
                                   ("/none", 204, b""), ("/same", 304, b"")):
            response = client.ask(path=path)
            assert (response.status, response.body) == (status, body)
            assert (response.get("content-length") is None) == (status in (204, 304))
            assert response.get("date")
            head = client.ask("HEAD", path)
            assert head.get("content-length") == response.get("content-length")
        assert client.ask("POST", "/pong", body=b"x" * 10000).body == b"pong"
        client.send(request("POST", "/pong", "Transfer-Encoding: chunked\r\n") + chunks(b"x", b"y")
                    + request(path="/gone"))
        assert [client.response().status for _ in range(2)] == [200, 410]
        assert client.is_quiet()
        assert client.ask(path="/pong", fields="Connection: close\r\n").get("connection") == "close"
        assert client.is_closed()
    with Client(port) as client:
        response = client.ask(path="/pong", fields="Connection: keep-alive\r\n", minor=0)
        assert response.get("connection").lower() == "keep-alive"
        assert client.ask(path="/pong", minor=0).body == b"pong"
        assert client.is_closed()
    assert m.requests == []


def test_redirects(serve, member):
    port = serve(member(), extra="""
        route path /old redirect 301 https://new.example.org/x?y
        route path /see redirect 303 /other
        route host plain.example.org redirect https""")
    with Client(port) as client:
        for path, status, location in (("/old/a?b", 301, "https://new.example.org/x?y"),
                                       ("/see", 303, "/other")):
            response = client.ask(path=path)
            assert (response.status, response.get("location")) == (status, location)
        for method, target, status, location in (
                ("GET", "/a/b?c=d", 301, "/a/b?c=d"), ("HEAD", "/", 301, "/"), ("POST", "/p", 308, "/p"),
                ("GET", "/?", 301, "/?"), ("GET", "http://plain.example.org", 301, "/"),
                ("GET", "http://plain.example.org?q", 301, "/?q"), ("OPTIONS", "*", 308, "/")):
            client.send(f"{method} {target} HTTP/1.1\r\nHost: plain.example.org:8080\r\n\r\n"
                        .replace(":8080", "" if target.startswith("http") else ":8080"))
            response = client.response(method)
            assert response.status == status, target
            assert response.get("location") == "https://plain.example.org" + location


def test_redirect_without_a_host(serve, member):
    port = serve(member(), extra="route path /r redirect https")
    with Client(port) as client:
        assert client.ask(path="/r", minor=0).status == 400
        assert client.is_closed()


def test_routes(weir, free_port, member):
    port = free_port()
    web, static, canary = member(), member(), member()
    weir(f"""
        pool web {{ member a 127.0.0.1:{web.port} }}
        pool static {{ member a 127.0.0.1:{static.port} }}
        pool canary {{ member a 127.0.0.1:{canary.port} }}
        listen shop http 127.0.0.1:{port} {{
            route not from 127.0.0.0/8 respond 403
            route path /admin not header X-Key secret respond 401
            route DELETE respond 405 "no"
            route host static.example.org pool static
            route host *.cdn.example.org pool static
            route path /images pool static
            route header X-Canary yes pool canary
            route POST path /never-mind respond 202
            route path /app pool web
            route path = / pool web
        }}""")
    with Client(port) as client:
        def ask(line, host="example.org", fields=""):
            client.send(f"{line} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")
            return client.response().status

        assert ask("GET /admin/x") == 401
        assert ask("GET /admin/x", fields="X-Key: secret\r\n") == 404
        assert ask("DELETE /app") == 405
        assert ask("GET /app") == 200 and ask("GET /") == 200 and ask("GET /app/x?y") == 200
        assert ask("GET /apple") == 404 and ask("POST /never-mind") == 202 and ask("GET /never-mind") == 404
        assert web.targets() == ["/app", "/", "/app/x?y"]
        assert ask("GET /1", "STATIC.example.org:80") == 200 and ask("GET /2", "a.b.cdn.example.org") == 200
        assert ask("GET /images/3") == 200 and ask("GET /4", "cdn.example.org") == 404
        assert static.targets() == ["/1", "/2", "/images/3"]
        assert ask("GET /5", fields="x-canary: yes\r\n") == 200 and canary.targets() == ["/5"]


def test_no_route_keeps_the_connection(weir, free_port, member):
    port = free_port()
    w = weir(f"""
        pool web {{ member a 127.0.0.1:{member().port} }}
        listen shop http 127.0.0.1:{port} {{ route path /a pool web }}""")
    with Client(port) as client:
        for _ in range(3):
            assert client.ask(path="/b").status == 404
            assert client.ask("POST", "/b", body=b"hello").status == 404
            assert client.ask(path="/a").status == 200
        assert client.is_quiet()
        client.send(request("POST", "/b", "Content-Length: 10\r\n"))  # its body is not here yet
        response = client.response()
        assert response.status == 404 and response.get("connection") == "close"
        client.send(b"GET /a HTT")  # is body, or nothing
        assert client.is_closed()
    assert counters(w)[listen_counter("answers", "no_route")] == 7


# ---- limits ---------------------------------------------------------------------------------------------------


def test_limit_of_connections(serve, member):
    port = serve(member(), extra="limits connections 3")
    clients = [Client(port) for _ in range(3)]
    for client in clients:
        assert client.ask().status == 200
    for early in (False, True):
        for _ in range(3):
            with Client(port) as late:
                if early:
                    late.send(request())
                response = late.response()
                assert response.status == 503 and int(response.get("retry-after")) >= 1
                assert response.get("connection") == "close"
    numbers = counters(serve.weir)
    assert numbers[listen_counter("connections_refused")] == 6
    assert numbers['weir_listen_connections_active{listen="shop"}'] == 3
    clients.pop().close()
    key = 'weir_listen_connections_active{listen="shop"}'
    assert until(lambda: counters(serve.weir)[key] == 2)
    with Client(port) as client:
        assert client.ask().status == 200
    for client in clients:
        assert client.ask().status == 200
        client.close()


def test_limit_of_requests(serve, member):
    m = member()
    port = serve(m, extra='limits requests 3\nroute path = /ping respond 200 "pong"')
    for path in ("/", "/ping"):
        with Client(port) as client:
            for i in range(3):
                response = client.ask(path=path)
                assert response.get("connection") == ("close" if i == 2 else None)
            assert client.is_closed()
        for _ in range(20):  # what follows is not answered, and does not harm the answers
            with Client(port) as client:
                client.send(request(path=path) * 200)
                for _ in range(3):
                    assert client.response().status == 200
                assert client.rest()[0] == b""


def test_limits_of_heads(serve, member):
    port = serve(member(), extra="limits head 2k\nlimits field 1k\nlimits target 512\nlimits fields 20")
    with Client(port) as client:
        assert client.ask(path="/" + "a" * 511).status == 200
        assert client.ask(fields="A: " + "b" * 900 + "\r\n").status == 200
        assert client.ask(fields="A: b\r\n" * 19).status == 200
    for data, status in ((request(path="/" + "a" * 512), 414),
                         (request(fields="A: " + "b" * 1024 + "\r\n"), 431),
                         (request(fields="A: b\r\n" * 20), 431),
                         (request(fields=("A: " + "b" * 900 + "\r\n") * 3), 431)):
        with Client(port) as client:
            client.send(data)
            assert client.response().status == status


# ---- counters ---------------------------------------------------------------------------------------------------


def test_counters(serve, member):
    def by_path(_, message):
        return answer(int(message.target[1:]), b"x" * 1000)

    m = member(by_path)
    port = serve(m)
    with Client(port) as client:
        for status in (200, 200, 201, 301, 404, 404, 500):
            client.ask(path=f"/{status}")
        client.ask("POST", "/200", body=b"y" * 5000)
    labels = '{pool="web",member="m0"}'
    # The client has its answer a moment before the edge has put the exchange away.
    assert until(lambda: counters(serve.weir)[f"weir_member_idle_connections{labels}"] == 1)
    numbers = counters(serve.weir)

    def listen(name):
        return numbers[f'weir_listen_{name}{{listen="shop"}}']

    def classes(table, labels):
        return [numbers[f'weir_{table}_responses_total{{{labels},class="{c}xx"}}'] for c in "2345"]

    assert listen("requests_total") == 8 and listen("connections_total") == 1
    assert classes("listen", 'listen="shop"') == [4, 1, 2, 1]
    assert classes("member", 'pool="web",member="m0"') == [4, 1, 2, 1]
    assert numbers[f"weir_member_requests_total{labels}"] == 8
    assert numbers[f"weir_member_connects_total{labels}"] == 1
    assert numbers[f"weir_member_in_flight{labels}"] == 0
    assert numbers[f"weir_member_idle_connections{labels}"] == 1
    assert 5000 < listen("received_bytes_total") < 6500
    assert 8000 < listen("sent_bytes_total") < 10000
    assert numbers['weir_listen_request_seconds_count{listen="shop"}'] == 8

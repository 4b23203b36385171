# SPDX-License-Identifier: Apache-2.0
"""Members that play games: answers that two clients would read in two ways, that hold a second answer for whoever
asks next, or that never come to their end. The client sees one answer that means one thing, or a 502, or that it
was cut; and nobody else ever sees a byte of it."""

import time

import pytest
from http_peers import Client, Ended, answer
from http_serve import counters, listen_counter, member, serve  # noqa: F401

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n"


def interim(status=103, fields=b""):
    return b"HTTP/1.1 %d Wait\r\n%s\r\n" % (status, fields)


# name: (what the member sends, the status and the body that the client gets)
GAMES = {
    "two lengths": (OK + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + POISON, 502, None),
    "two equal lengths": (OK + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + POISON, 502, None),
    "a list of lengths": (OK + b"Content-Length: 0, 0\r\n\r\n" + POISON, 502, None),
    "a length with a sign": (OK + b"Content-Length: +0\r\n\r\n" + POISON, 502, None),
    "an empty length": (OK + b"Content-Length:\r\n\r\n" + POISON, 502, None),
    "a length of 2^64": (OK + b"Content-Length: 18446744073709551616\r\n\r\n" + POISON, 502, None),
    "chunks and a length": (OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + POISON, 502,
                            None),
    "a length and chunks": (CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + POISON, 502, None),
    "chunks twice": (OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 502, None),
    "two codings": (OK + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502, None),
    "an unknown coding": (OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 502, None),
    "chunks in HTTP/1.0": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502, None),
    "a bare LF splits": (OK + b"A: b\nContent-Length: 0\n\n" + POISON, 502, None),
    "a bare CR splits": (OK + b"A: b\rSet-Cookie: c\r\nContent-Length: 0\r\n\r\n", 502, None),
    "NUL in a value": (OK + b"A: \x00\r\nContent-Length: 0\r\n\r\n", 502, None),
    "a bare CR in the reason": (b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n", 502, None),
    "a switch that nobody asked for": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n"
                                       b"Connection: Upgrade\r\n\r\n" + POISON, 502, None),
    "an interim that switches": (interim(101) + POISON, 502, None),
    "an answer behind the answer": (answer(200, b"good") + POISON, 200, b"good"),
    "half an answer behind it": (answer(200, b"good") + POISON[:20], 200, b"good"),
    "a CRLF behind it": (answer(200, b"good") + b"\r\n", 200, b"good"),
    "an interim behind it": (answer(200, b"good") + interim(100), 200, b"good"),
    "204 with a body": (b"HTTP/1.1 204 No\r\nContent-Length: 44\r\n\r\n" + POISON, 204, b""),
    "204 with chunks": (b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", 204, b""),
    "304 with a body": (b"HTTP/1.1 304 No\r\nContent-Length: 44\r\n\r\n" + POISON, 304, b""),
    "an interim with a length": (interim(100, b"Content-Length: 44\r\n") + answer(200, b"good"), 200, b"good"),
    "an interim with chunks": (interim(103, b"Transfer-Encoding: chunked\r\n") + answer(200, b"good"), 200, b"good"),
    "an interim that is unknown": (interim(199) + answer(200, b"good"), 200, b"good"),
    "interims": (interim(100) + interim(103, b"Link: </a>\r\n") * 3 + answer(200, b"good"), 200, b"good"),
    "trailers that would be fields": (CHUNKED + b"\r\n4\r\ngood\r\n0\r\nContent-Length: 3\r\n"
                                      b"Set-Cookie: a=b\r\nTransfer-Encoding: chunked\r\n\r\n", 200, b"good"),
    "chunks by their extensions": (CHUNKED + b'\r\n4;a="\\"";b\r\ngood\r\n0;c\r\n\r\n', 200, b"good"),
    "Connection takes the length away": (OK + b"Connection: Content-Length\r\nContent-Length: 4\r\n\r\ngood",
                                         200, b"good"),
    "a folded length": (OK + b"Content-Length:\r\n 4\r\n\r\ngood", 200, b"good"),
    "space before the colon": (OK + b"Content-Length : 4\r\n\r\ngood", 200, b"good"),
}
CUT = {
    "a chunk with a bare LF": CHUNKED + b"\r\n4\r\ngood\r\n0\n\n",
    "a chunk with a sign": CHUNKED + b"\r\n4\r\ngood\r\n-0\r\n\r\n",
    "a chunk that is too long": CHUNKED + b"\r\n4\r\ngood!\r\n0\r\n\r\n",
    "an extension with LF": CHUNKED + b"\r\n4\r\ngood\r\n0;\n\r\n\r\n",
    "a folded trailer": CHUNKED + b"\r\n4\r\ngood\r\n0\r\nA: b\r\n c\r\n\r\n",
}


def play(conn, message):
    """A game where the target names one; else the target is the answer."""
    name = message.target[1:].replace("_", " ")
    game = GAMES[name][0] if name in GAMES else CUT.get(name)
    return game or answer(200, message.target)


def path_of(name):
    return "/" + name.replace(" ", "_")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_games(serve, member, method):
    m = member(play)
    port = serve(m)
    body = b"x" if method == "POST" else b""
    for name, (_, status, want) in GAMES.items():
        with Client(port) as client, Client(port) as innocent:
            response = client.ask(method, path_of(name), body=body)
            assert response.status == status, name
            if method != "HEAD" and want is not None:
                assert response.body == want, name
            assert response.trailers == [] and response.get("upgrade") is None, name
            assert all(early.status in (100, 103, 199) for early in response.interims), name
            for one in (innocent, client):
                assert one.ask(path="/own").body == b"/own", name
                assert one.is_quiet(0.001), name


def test_cut(serve, member):
    m = member(play)
    port = serve(m)
    for name in CUT:
        with Client(port) as client, Client(port) as innocent:
            with pytest.raises(Ended):
                client.ask(path=path_of(name))
            assert innocent.ask(path="/own").body == b"/own", name
    assert counters(serve.weir)[listen_counter("cut")] == len(CUT)


def test_http_1_0_gets_no_interim(serve, member):
    port = serve(member(play))
    with Client(port) as client:
        response = client.ask(path=path_of("interims"), minor=0)
        assert (response.status, response.body, response.interims) == (200, b"good", [])


def test_interims_for_ever(serve, member):
    """They do not put off the time in which the answer must begin for ever."""
    def drip(conn, _):
        for _ in range(200):
            conn.send(interim())
            time.sleep(0.05)
        return False

    port = serve(member(drip), extra="timeout response 500ms")
    with Client(port) as client:
        started = time.monotonic()
        response = client.ask()
        assert response.status == 504 and len(response.interims) > 2
        assert time.monotonic() - started < 8


def test_interims_without_end(serve, member):
    """As fast as the member can send them: the other clients are served."""
    def flood(conn, message):
        if message.target != "/flood":
            return answer(200, message.target)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            conn.send(interim() * 1000)
        return False

    port = serve(member(flood), extra="timeout response 1500ms")
    with Client(port) as client, Client(port) as innocent:
        client.send(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(20):
            assert innocent.ask(path="/own").body == b"/own"
        assert client.response().status == 504


def test_late_poison(serve, member):
    """It comes when the connection is idle: whoever asks next gets an answer of a new connection."""
    def late(conn, message):
        conn.send(answer(200, message.target))
        time.sleep(0.05)
        if message.target == "/first":
            conn.send(POISON)

    m = member(late)
    port = serve(m)
    for _ in range(5):
        with Client(port) as client, Client(port) as innocent:
            assert client.ask(path="/first").body == b"/first"
            time.sleep(0.2)
            assert innocent.ask(path="/second").body == b"/second"
            assert innocent.ask(path="/third").body == b"/third"

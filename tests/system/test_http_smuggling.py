# SPDX-License-Identifier: Apache-2.0
"""Requests that two implementations are known to read in two ways. Each is sent with a second request hidden
where one of the readings would find it; whatever weir answers, the member must never see the hidden one, nor
anything that is not strictly HTTP. And what weir does forward must reach the member as one request with one
meaning: the member here reads as strictly as it can and keeps every byte."""

import pytest
from http_peers import Client, Ended, Malformed, request
from http_serve import member, serve  # noqa: F401

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: example.org\r\n\r\n"
CHUNKED_END = b"0\r\n\r\n"


def post(*lines, body=HIDDEN, version=b"HTTP/1.1", host=b"Host: example.org\r\n"):
    return b"POST /outer " + version + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def cl(n=None):
    return b"Content-Length: %d" % (len(HIDDEN) if n is None else n)


def te(value):
    """A Transfer-Encoding line that one side may take for chunked and the other not; by length the hidden request
    is body, by chunks it stands behind the end."""
    body = CHUNKED_END + HIDDEN
    return post(cl(len(body)), value, body=body)


def te_alone(value):
    return post(value, body=CHUNKED_END + HIDDEN)


CHUNKED = b"Transfer-Encoding: chunked"

# Framing that contradicts itself.
FRAMING = {
    "CL.TE": te(CHUNKED),
    "CL.TE, fields turned round": post(CHUNKED, cl(5 + len(HIDDEN)), body=CHUNKED_END + HIDDEN),
    "TE.CL": post(cl(4), CHUNKED, body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
    "CL.CL, the first is shorter": post(cl(0), cl()),
    "CL.CL, the second is shorter": post(cl(), cl(0)),
    "CL twice the same": post(cl(0), cl(0)),
    "CL list": post(b"Content-Length: 0, %d" % len(HIDDEN)),
    "CL list of equals": post(b"Content-Length: 0,0"),
    "CL with a plus": post(b"Content-Length: +0"),
    "CL negative": post(b"Content-Length: -1"),
    "CL hexadecimal": post(b"Content-Length: 0x0"),
    "CL octal": te(b"Content-Length: 010"),
    "CL with a space within": post(b"Content-Length: 0 0"),
    "CL with letters": post(b"Content-Length: 0a"),
    "CL empty": post(b"Content-Length:"),
    "CL with NUL": post(b"Content-Length: 0\x00"),
    "CL with a vertical tab": post(b"Content-Length: \x0b0"),
    "CL beyond 64 bits": post(b"Content-Length: 18446744073709551616"),
    "CL with an underscore": post(b"Content-Length: 0_0"),
    "CL quoted": post(b'Content-Length: "0"'),
    "CL with a decimal point": post(b"Content-Length: 0.0"),
    "TE.TE": te_alone(CHUNKED + b"\r\n" + CHUNKED),
    "TE.TE with identity": te_alone(CHUNKED + b"\r\nTransfer-Encoding: identity"),
    "TE.TE with nonsense": te_alone(b"Transfer-Encoding: cow\r\n" + CHUNKED),
    "TE in HTTP/1.0": post(CHUNKED, body=CHUNKED_END + HIDDEN, version=b"HTTP/1.0"),
    "TE and CL in HTTP/1.0": post(cl(5 + len(HIDDEN)), CHUNKED, body=CHUNKED_END + HIDDEN, version=b"HTTP/1.0"),
}

# Ways to write Transfer-Encoding that some take for chunked.
TE_VARIANTS = {
    "xchunked": b"Transfer-Encoding: xchunked",
    "chunkedx": b"Transfer-Encoding: chunkedx",
    "identity": b"Transfer-Encoding: identity",
    "chunked, identity": b"Transfer-Encoding: chunked, identity",
    "identity, chunked": b"Transfer-Encoding: identity, chunked",
    "gzip, chunked": b"Transfer-Encoding: gzip, chunked",
    "chunked, chunked": b"Transfer-Encoding: chunked, chunked",
    "comma first": b"Transfer-Encoding: ,chunked",
    "comma last": b"Transfer-Encoding: chunked,",
    "quoted": b'Transfer-Encoding: "chunked"',
    "with a parameter": b"Transfer-Encoding: chunked;q=1",
    "space before the colon": b"Transfer-Encoding : chunked",
    "tab before the colon": b"Transfer-Encoding\t: chunked",
    "space before the name": b" Transfer-Encoding: chunked",
    "folded": b"Transfer-Encoding:\r\n chunked",
    "folded away": b"X: y\r\n Transfer-Encoding: chunked",
    "folded by a tab": b"Transfer-Encoding:\r\n\tchunked",
    "vertical tab": b"Transfer-Encoding: \x0bchunked",
    "form feed": b"Transfer-Encoding: \x0cchunked",
    "NUL in front": b"Transfer-Encoding: \x00chunked",
    "NUL behind": b"Transfer-Encoding: chunked\x00",
    "0xff behind": b"Transfer-Encoding: chunked\xff",
    "no-break space": b"Transfer-Encoding: \xa0chunked",
    "bare CR in front": b"X: y\rTransfer-Encoding: chunked",
    "bare LF in front": b"X: y\nTransfer-Encoding: chunked",
    "bare CR behind": b"Transfer-Encoding: chunked\r",
    "CR CR LF": b"Transfer-Encoding: chunked\r\r\nX: y",
    "LF CR": b"X: y\n\rTransfer-Encoding: chunked",
    "underscore": b"Transfer_Encoding: chunked",
    "no colon": b"Transfer-Encoding chunked",
    "NUL in the name": b"Transfer-\x00Encoding: chunked",
    "8-bit byte in the name": b"Transfer-Encoding\xff: chunked",
    "case": b"tRANSFER-eNCODING: cHuNkEd",
    "Connection takes it away": b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
    "Connection takes the length away": b"Connection: Content-Length",
}


def chunk(body):
    return post(CHUNKED, body=body)


# Chunks that some read otherwise; by one of the readings the hidden request follows an end.
CHUNKS = {
    "bare LF behind the size": chunk(b"0\n\n" + HIDDEN),
    "bare LF behind the data": chunk(b"1\r\nx\n0\r\n\r\n" + HIDDEN),
    "bare CR behind the size": chunk(b"0\r\r\n" + HIDDEN),
    "LF in an extension": chunk(b"2;\nxx\r\n%x\r\n0\r\n\r\n%s\r\n0\r\n\r\n" % (5 + len(HIDDEN), HIDDEN)),
    "CR in an extension": chunk(b"0;\rx\r\n\r\n" + HIDDEN),
    "extension with a quote left open": chunk(b'0;a="\r\n\r\n' + HIDDEN),
    "a prefix": chunk(b"0x0\r\n\r\n" + HIDDEN),
    "a sign": chunk(b"-0\r\n\r\n" + HIDDEN),
    "an underscore": chunk(b"0_0\r\n\r\n" + HIDDEN),
    "space before the size": chunk(b" 0\r\n\r\n" + HIDDEN),
    "space behind the size": chunk(b"0 \r\n\r\n" + HIDDEN),
    "no size": chunk(b"\r\n\r\n" + HIDDEN),
    "2^64": chunk(b"10000000000000000\r\n\r\n" + HIDDEN),
    "2^32 and a bit": chunk(b"100000000\r\n" + HIDDEN),
    "data one byte too long": chunk(b"1\r\nxx0\r\n\r\n" + HIDDEN),
    "two bytes for CRLF": chunk(b"5\r\nhelloXX0\r\n\r\n" + HIDDEN),
    "a trailer with a bare LF": chunk(b"0\r\nA: b\n\n" + HIDDEN),
    "a folded trailer": chunk(b"0\r\nA: b\r\n c\r\n\r\n" + HIDDEN),
    "a trailer without a colon": chunk(b"0\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"),
    "trailers that would be framing": chunk(b"0\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n"
                                            b"Host: evil.org\r\n\r\n" % len(HIDDEN) + HIDDEN),
    "extensions": chunk(b'1;a=b;c="0\\"\r;"\r\nx\r\n0\r\n\r\n' + HIDDEN),
    "extensions with a quoted end": chunk(b'1;a=b;c="0;\\"" ;d\r\nx\r\n0;e\r\n\r\n'),
}

# Lines and heads that some end elsewhere.
HEADS = {
    "bare LF ends the head": b"POST /outer HTTP/1.1\nHost: example.org\nContent-Length: 0\n\n" + HIDDEN,
    "LF LF within": b"POST /outer HTTP/1.1\r\nHost: example.org\r\nX: y\n\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL ends a line": b"GET /outer\x00 HTTP/1.1\r\nHost: example.org\r\n\r\n" + HIDDEN,
    "a space in the target": b"GET /outer HTTP/1.1 /x HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "CR in the target": b"GET /outer\rGET /hidden HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "a tab in the request line": b"GET\t/hidden\tHTTP/1.1\r\nHost: example.org\r\n\r\n",
    "HTTP/0.9 in front": b"GET /outer\r\n\r\n" + HIDDEN,
    "two Hosts": b"GET /hidden HTTP/1.1\r\nHost: example.org\r\nHost: evil.org\r\n\r\n",
    "a Host with a comma": b"GET /hidden HTTP/1.1\r\nHost: example.org, evil.org\r\n\r\n",
    "absolute form with another host": b"GET http://evil.org/hidden HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "a version of many digits": b"GET /hidden HTTP/1.10\r\nHost: example.org\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "an empty name": b"GET /hidden HTTP/1.1\r\nHost: example.org\r\n: x\r\n\r\n",
    "h2c": b"GET /outer HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade, HTTP2-Settings\r\n"
           b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    "CONNECT": b"CONNECT example.org:80 HTTP/1.1\r\nHost: example.org:80\r\n\r\n" + HIDDEN,
    "h2c with a body": post(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk", cl()),
    "h2c and websocket": b"GET /outer HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\n"
                         b"Upgrade: h2c, websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "an upgrade with a body": post(b"Connection: Upgrade", b"Upgrade: websocket", cl()),
    "an upgrade in HTTP/1.0": b"GET /outer HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + HIDDEN,
    "an upgrade that Connection does not name": b"GET /outer HTTP/1.1\r\nHost: example.org\r\n"
                                                b"Upgrade: websocket\r\n\r\n",
    "Connection names what frames": post(b"Connection: Host, Content-Length, Cookie, close", b"Cookie: a", cl()),
    "GET with a body": b"GET /outer HTTP/1.1\r\nHost: example.org\r\n" + cl() + b"\r\n\r\n" + HIDDEN,
    "absolute form with a user": b"GET http://example.org@evil.org/hidden HTTP/1.1\r\nHost: evil.org\r\n\r\n",
    "absolute form with a backslash": b"GET http://example.org\\@evil.org/hidden HTTP/1.1\r\n"
                                      b"Host: example.org\r\n\r\n",
    "absolute form with a port of another": b"GET http://example.org:81/hidden HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "absolute form with an empty host": b"GET http:///hidden HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "absolute form of a file": b"GET file://example.org/hidden HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "absolute form that is the same": b"GET HTTP://EXAMPLE.org:80/outer HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "a Host with a zone": b"GET /hidden HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n",
}

PAYLOADS = {
    **{f"framing: {name}": data for name, data in FRAMING.items()},
    **{f"te: {name}": te(value) for name, value in TE_VARIANTS.items()},
    **{f"te alone: {name}": te_alone(value) for name, value in TE_VARIANTS.items()},
    **{f"chunks: {name}": data for name, data in CHUNKS.items()},
    **{f"heads: {name}": data for name, data in HEADS.items()},
}

# Those that have one meaning after all: with no Transfer-Encoding and a length that says nothing of a body the
# hidden request is a request of its own, and the client's to send; else it is body. What the member may see:
OUTER, BODY, BOTH = [("/outer", b"")], [("/outer", HIDDEN)], [("/outer", b""), ("/hidden", b"")]
SEEN = {
    "te: underscore": [("/outer", CHUNKED_END + HIDDEN)],
    "te: Connection takes the length away": [("/outer", CHUNKED_END + HIDDEN)],
    "te alone: case": BOTH,
    "te alone: Connection takes it away": BOTH,
    "te alone: underscore": OUTER,
    "te alone: Connection takes the length away": OUTER,
    "chunks: trailers that would be framing": BOTH,
    "chunks: extensions with a quoted end": [("/outer", b"x")],
    "heads: h2c": OUTER,
    "heads: h2c with a body": BODY,
    "heads: h2c and websocket": OUTER,
    "heads: an upgrade with a body": BODY,
    "heads: an upgrade in HTTP/1.0": OUTER,
    "heads: an upgrade that Connection does not name": OUTER,
    "heads: Connection names what frames": BODY,
    "heads: GET with a body": BODY,
    "heads: absolute form that is the same": OUTER,
}
WAITS = {"chunks: 2^32 and a bit"}  # for the rest of a chunk, which never comes


def send(port, data, cut=None):
    """The statuses that came back, until the connection ends or is quiet."""
    statuses = []
    with Client(port) as client:
        try:
            client.send(data[:cut] if cut else data)
            if cut:
                client.send(data[cut:])
            client.sock.settimeout(0.3)
            while True:
                statuses.append(client.response().status)
        except (Ended, ConnectionError, TimeoutError):
            pass
    return statuses


def expected(name):
    """The targets and bodies that the member may see."""
    return SEEN.get(name, [])


def forbidden(message):
    """What no request brings to a member, whatever its client says: trailers that would be fields, and upgrades to
    a protocol that weir does not read."""
    asked = message.get("connection"), message.get("upgrade")
    is_asked = asked[0] or asked[1]  # for a tunnel, in just these words, or for nothing
    is_odd = is_asked and [word.lower() for word in asked if word] != ["upgrade", "websocket"]
    return bool(message.trailers) or message.get("http2-settings") is not None or is_odd


def test_nothing_is_smuggled(serve, member):
    m = member()
    port = serve(m)
    wrong = []
    for name, data in PAYLOADS.items():
        with m.lock:
            m.requests.clear()
            m.malformed.clear()
        statuses = send(port, data)
        seen = [(message.target, message.body) for message in m.requests]
        want = expected(name)
        is_refused = name in WAITS or bool(statuses) and statuses[-1] in (400, 405, 501, 505)
        is_spoiled = m.malformed or any(map(forbidden, m.requests))
        if seen != want or is_spoiled or (not want and not is_refused):
            wrong.append((name, statuses, seen, m.malformed))
    assert not wrong, "\n".join(map(str, wrong))
    assert len(PAYLOADS) >= 100


@pytest.mark.parametrize("cut", [1, 30, -len(HIDDEN), -1])
def test_nothing_is_smuggled_in_pieces(serve, member, cut):
    """The same in two packets, behind a good request, so that the member connection is one that was used."""
    m = member()
    port = serve(m)
    wrong = []
    for name, data in PAYLOADS.items():
        with m.lock:
            m.requests.clear()
        good = request(path="/good")
        statuses = send(port, good + data, cut if cut < 0 else len(good) + cut)
        seen = [(message.target, message.body) for message in m.requests][1:]
        want = expected(name)
        if seen != want or m.malformed or statuses[:1] != [200]:
            wrong.append((name, statuses, seen, m.malformed))
            m.malformed.clear()
    assert not wrong, "\n".join(map(str, wrong))


def test_one_client_does_not_answer_another(serve, member):
    """After all of them, on the same member connections, everybody gets the answer to the own request."""
    m = member()
    port = serve(m)
    for name, data in PAYLOADS.items():
        with Client(port) as innocent:
            innocent.ask(path="/warm")
            with Client(port) as client:
                try:
                    client.send(data)
                except ConnectionError:
                    pass
                for i in range(3):
                    assert innocent.ask(path=f"/own{i}").body == b"/own%d" % i, name
    assert not m.malformed


def test_the_control(member):
    """The member and the payloads by themselves: read as a lenient server would, most hide a request. Here the
    strict member at least complains about those that weir must not pass on."""
    m = member()
    n_seen = 0
    for name, data in PAYLOADS.items():
        if expected(name):
            continue
        with m.lock:
            before = len(m.malformed) + len(m.requests)
        with Client(m.port) as client:
            try:
                client.send(data)
                client.sock.settimeout(0.05)
                client.rest()
            except (ConnectionError, TimeoutError, Malformed):
                pass
        n_seen += len(m.malformed) + len(m.requests) > before
    assert n_seen > 80
    m.malformed.clear()

# SPDX-License-Identifier: Apache-2.0
"""Time-outs of tries and of whole requests, the age of a connection, the size and the pace of bodies."""

import threading
import time

import pytest
from conftest import until
from http_peers import Client, Ended, answer, request
from http_serve import counters, listen_counter, member, serve  # noqa: F401


def answers(w, reason):
    return counters(w)[listen_counter("answers", reason)]


# ---- time -------------------------------------------------------------------------------------------


def test_a_try_has_a_time_of_its_own(serve, member):
    slow, good = member(lambda conn, message: time.sleep(5)), member()
    slow.weight = 100
    port = serve(slow, good, extra="timeout try 200ms")
    with Client(port) as client:
        started = time.monotonic()
        assert client.ask().status == 200
        assert time.monotonic() - started < 4  # far below timeout response
    assert len(slow.requests) == 1 and len(good.requests) == 1
    time.sleep(2.1)  # no suspect any more
    with Client(port) as client:  # which cannot be repeated
        assert client.ask("POST", body=b"x").status == 504
    assert len(good.requests) == 1


def test_the_whole_request_has_a_time(serve, member):
    slow = [member(lambda conn, message: time.sleep(5)) for _ in range(3)]
    port = serve(*slow, extra="timeout { try 200ms; total 500ms }")
    with Client(port) as client:
        started = time.monotonic()
        assert client.ask().status == 504
        assert 0.45 < time.monotonic() - started < 4
        assert client.is_quiet()
    assert answers(serve.weir, "overdue") == 1
    assert sum(len(m.conns) for m in slow) == 3


def test_an_answer_that_moves_ends_with_the_whole(serve, member):
    """A cut, since the client has a part: visible, counted."""
    def drip(conn, message):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            conn.send(b"x")
            time.sleep(0.05)
        return False

    port = serve(member(drip), extra="timeout total 500ms")
    with Client(port) as client:
        client.send(request())
        with pytest.raises(Ended) as ended:
            client.response()
        assert ended.value.is_reset
    assert counters(serve.weir)[listen_counter("cut")] == 1


def test_a_connection_grows_old(serve, member):
    port = serve(member(), extra="timeout age 500ms")
    with Client(port) as client:
        assert client.ask().get("connection") is None
        time.sleep(0.6)
        response = client.ask()
        assert response.status == 200 and response.get("connection") == "close"
        assert client.is_closed()


# ---- bodies -----------------------------------------------------------------------------------------


def test_a_large_body_is_refused_by_its_length(serve, member):
    """Before any member sees it, and before it comes."""
    m = member()
    port = serve(m, extra="limits body 1k")
    with Client(port) as client:
        assert client.ask("POST", body=b"x" * 1024).status == 200
    for fields in ("", "Expect: 100-continue\r\n"):
        with Client(port) as client:
            client.send(request("POST", fields=f"{fields}Content-Length: 1025\r\n"))
            response = client.response()
            assert response.status == 413 and response.get("connection") == "close"
            assert client.is_closed()
    assert len(m.requests) == 1 and len(m.conns) == 1
    assert answers(serve.weir, "body_large") == 2


def test_a_body_that_grows_too_large_is_cut(serve, member):
    m = member()
    port = serve(m, extra="limits body 100k")
    chunked = request("POST", fields="Transfer-Encoding: chunked\r\n")
    block = b"2710\r\n" + b"x" * 10000 + b"\r\n"
    with Client(port) as client:
        client.send(chunked + block * 10 + b"0\r\n\r\n")
        assert client.response().status == 200
    for n_at_once in (1, 11):  # growing, and all of it behind the head
        with Client(port) as client:
            client.send(chunked)
            for _ in range(0, 11, n_at_once):
                client.send(block * n_at_once)
                time.sleep(0.01)
            assert client.response().status == 413
            assert client.is_closed()
    assert answers(serve.weir, "body_large") == 2
    assert len(m.requests) == 1
    assert until(lambda: all(end.is_reset for end in m.broken))


def test_a_body_below_its_rate(serve, member):
    m = member()
    port = serve(m, extra="timeout body 500ms")
    with Client(port) as client:
        client.send(request("POST", fields="Content-Length: 1000\r\n"))
        try:
            for _ in range(100):
                client.send(b"x" * 2)  # 40 a second
                time.sleep(0.05)
        except ConnectionError:
            pass
        assert client.response().status == 408
        assert client.is_closed()
    assert answers(serve.weir, "body_slow") == 1
    assert until(lambda: len(m.broken) == 1) and m.broken[0].is_reset
    assert m.requests == []


def test_a_body_above_its_rate(serve, member):
    port = serve(member(lambda conn, message: answer(200, str(len(message.body)))),
                 extra="timeout body 500ms\nlimits body-rate 20/s")
    with Client(port) as client:
        client.send(request("POST", fields="Content-Length: 200\r\n"))
        for _ in range(20):
            client.send(b"x" * 10)
            time.sleep(0.08)
        assert client.response().body == b"200"


def test_the_rate_is_not_measured_while_the_member_blocks(serve, member):
    go = threading.Event()
    total = 20_000_000

    def on_head(conn, message):
        go.wait(20)
        n = len(conn.held)
        while n < total:
            conn.held.clear()
            conn.fill()
            conn.raw.clear()
            n += len(conn.held)
        conn.held.clear()
        conn.send(answer(200, str(n)))
        raise OSError

    port = serve(member(on_head=on_head, rcvbuf=65536), extra="timeout body 500ms\ntimeout response 20s")
    with Client(port) as client:
        client.send(request("POST", fields=f"Content-Length: {total}\r\n"))
        sender = threading.Thread(target=client.send, args=(b"x" * total,))
        sender.start()
        time.sleep(0.45)  # below timeout body, which bounds the member as well
        go.set()
        sender.join()
        assert client.response().body == str(total).encode()

# SPDX-License-Identifier: Apache-2.0
"""WebSocket tunnels: how a request becomes one, bytes both ways, ends of every kind, and what a reload, a
listen that goes and a stop mean for them."""

import os
import socket
import threading
import time

import pytest
from conftest import until
from http_peers import Client, answer, request
from http_serve import counters, member, serve  # noqa: F401
from test_http import held_kb

ASK = ("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


def echo(conn, message):
    """Switches where it is asked to, and says everything back until the client has ended; then goodbye."""
    if message.get("upgrade") != "websocket":
        return answer(200, message.target)
    conn.send(SWITCH + b"hello")
    conn.sock.settimeout(60)
    data = bytes(conn.held)
    conn.held.clear()
    while True:
        if data:
            conn.send(data)
        data = conn.sock.recv(65536)
        conn.raw.clear()
        if not data:
            break
    conn.send(b"goodbye")
    return False


def switch(client, path="/", more=b""):
    client.send(request(path=path, fields=ASK) + more)
    message = client.head()
    assert message.status == 101, message.head
    assert client.exactly(5) == b"hello"
    return message


def check(client, nonce=None):
    nonce = nonce or os.urandom(16)
    client.send(nonce)
    assert client.exactly(len(nonce)) == nonce


def gauge(w, name="tunnels_active"):
    return counters(w)[f'weir_listen_{name}{{listen="shop"}}']


def in_flight(w, name="m0"):
    return counters(w)[f'weir_member_in_flight{{pool="web",member="{name}"}}']


def test_bytes_both_ways(serve, member):
    m = member(echo)
    port = serve(m)
    with Client(port) as client:
        message = switch(client)
        assert message.get("upgrade") == "websocket" and message.get("connection") == "Upgrade"
        assert message.get("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert message.get("content-length") is None and message.get("transfer-encoding") is None
        for n in (1, 10, 1000, 100000):
            check(client, os.urandom(n))
        assert gauge(serve.weir) == 1 and in_flight(serve.weir) == 1
        numbers = counters(serve.weir)
        assert numbers['weir_listen_tunnels_total{listen="shop"}'] == 1
        assert numbers['weir_listen_sent_bytes_total{listen="shop"}'] > 101000
        assert numbers['weir_member_sent_bytes_total{pool="web",member="m0"}'] > 101000
        client.sock.shutdown(socket.SHUT_WR)  # one way ends, the other goes on
        assert client.rest() == (b"goodbye", False)
    asked = m.requests[0]
    assert asked.get("upgrade") == "websocket" and "upgrade" in asked.get("connection").lower()
    assert asked.get("sec-websocket-key") == "dGhlIHNhbXBsZSBub25jZQ=="
    assert until(lambda: gauge(serve.weir) == 0 and in_flight(serve.weir) == 0)


def test_bytes_that_come_too_early(serve, member):
    """Behind the request, before the member has switched."""
    port = serve(member(echo))
    for n in (3, 100000):
        early = os.urandom(n)
        with Client(port) as client:
            switch(client, more=early)
            assert client.exactly(n) == early
            check(client)


def test_member_that_does_not_switch(serve, member):
    m = member(lambda conn, message: answer(426, "no", "Upgrade: websocket\r\nConnection: Upgrade\r\n"))
    port = serve(m)
    with Client(port) as client:
        for _ in range(3):
            response = client.ask(fields=ASK)
            assert response.status == 426 and response.body == b"no"
    assert len(m.conns) == 1 and gauge(serve.weir) == 0


@pytest.mark.parametrize("fields", [
    "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
    "Upgrade: websocket\r\n",
    "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n",
])
def test_what_is_never_switched(serve, member, fields):
    m = member()
    port = serve(m)
    with Client(port) as client:
        client.send(request(fields=fields) + (b"x" if "Content-Length" in fields else b""))
        assert client.response().status == 200
        assert client.ask().status == 200
    assert m.requests[0].all("upgrade") == [] and m.requests[0].all("http2-settings") == []


def test_of_many_protocols_websocket_alone_is_offered(serve, member):
    m = member(echo)
    port = serve(m)
    with Client(port) as client:
        client.send(request(fields="Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, websocket\r\n"
                                   "HTTP2-Settings: AAMAAABk\r\n"))
        assert client.head().status == 101
    assert m.requests[0].all("upgrade") == ["websocket"] and m.requests[0].all("http2-settings") == []


def test_back_pressure(serve, member):
    """50 MB to a client that does not read, and 50 MB to a member that does not."""
    total, go = 50_000_000, threading.Event()

    def flood(conn, message):
        conn.send(SWITCH + b"hello")
        conn.sock.settimeout(60)
        if message.target == "/down":
            conn.send(b"x" * total)
            return False
        go.wait(20)
        n = len(conn.held)
        conn.held.clear()
        while n < total:
            n += len(conn.sock.recv(1 << 20))
        conn.send(b"%d" % n)
        return False

    port = serve(member(flood, rcvbuf=65536))
    edge = serve.weir.pid("edge")
    with Client(port, rcvbuf=65536) as client:
        switch(client, "/down")
        before = held_kb(edge)
        time.sleep(0.5)
        assert held_kb(edge) - before < 2048
        n = len(client.held)
        while n < total:
            n += len(client.sock.recv(1 << 20))
        assert n == total and client.is_closed()
    with Client(port) as client:
        switch(client, "/up")
        sender = threading.Thread(target=client.send, args=(b"x" * total,))
        sender.start()
        time.sleep(0.5)
        assert held_kb(edge) - before < 2048
        go.set()
        sender.join()
        assert client.exactly(8) == b"%d" % total


def test_a_reset_goes_through(serve, member):
    def hang_up(conn, message):
        conn.send(SWITCH + b"hello")
        if message.target == "/member":
            time.sleep(0.1)
            conn.close(is_reset=True)
            return False
        conn.sock.settimeout(20)
        try:
            ends.append(conn.sock.recv(100))
        except ConnectionError as error:
            ends.append(error)
        return False

    ends = []
    port = serve(member(hang_up))
    with Client(port) as client:
        switch(client, "/member")
        assert client.rest() == (b"", True)
    with Client(port) as client:
        switch(client, "/client")
        client.close(is_reset=True)
    assert until(lambda: ends) and isinstance(ends[0], ConnectionError)
    assert until(lambda: gauge(serve.weir) == 0 and in_flight(serve.weir) == 0)


def test_an_idle_tunnel_ends(serve, member):
    port = serve(member(echo), extra="timeout tunnel 400ms\ntimeout idle 100ms\ntimeout stream 100ms")
    with Client(port) as client:
        switch(client)
        for _ in range(6):
            time.sleep(0.15)  # longer than the others, which bound no tunnel
            check(client)
        started = time.monotonic()
        assert client.is_closed(10)
        assert time.monotonic() - started > 0.35
    assert counters(serve.weir)['weir_listen_tunnels_late_total{listen="shop"}'] == 1


# ---- reload, stop -------------------------------------------------------------------------------------

CONF = """
processes {{ edge 2 }}
stop-timeout 2s
pool web {{ member a 127.0.0.1:{a} }}
listen shop http 127.0.0.1:{port} {{ route path = /round respond 200 "{n}"; route pool web }}
{more}
"""


def n_plans(w):
    edge = [p for p in w.status()["processes"] if p["name"] == "edge"]
    return edge[0]["detail"]["modules"]["edge"]["plans"]


def test_reloads_keep_tunnels_and_no_old_plan(weir, free_port, member):
    a, port = member(echo), free_port()
    w = weir(CONF.format(a=a.port, port=port, n=0, more=""))
    clients = [Client(port) for _ in range(10)]
    for client in clients:
        switch(client)
    for n in range(1, 6):
        w.write(CONF.format(a=a.port, port=port, n=n, more=""))
        w.reload()
        for client in clients:
            check(client)
        assert until(lambda: n_plans(w) == 1)
        assert gauge(w) == 10 and in_flight(w, "a") == 10
    for client in clients:
        client.close()
    assert until(lambda: gauge(w) == 0 and in_flight(w, "a") == 0)


def test_a_tunnel_outlives_its_pool_and_its_listen(weir, free_port, member):
    a, b, port, second = member(echo), member(echo), free_port(), free_port()
    more = f"pool old {{ member b 127.0.0.1:{b.port} }}\n" \
           f"listen other http 127.0.0.1:{second} {{ route pool old }}"
    w = weir(CONF.format(a=a.port, port=port, n=0, more=more))
    with Client(second) as client, Client(port) as moved:
        switch(client)
        switch(moved)
        w.write(CONF.format(a=b.port, port=port, n=1, more=""))  # and the member of the first is another
        w.reload()
        assert until(lambda: n_plans(w) == 1)
        for one in (client, moved):
            check(one)
        assert in_flight(w, "a") == 0 and gauge(w) == 1
        w.write(CONF.format(a=a.port, port=port, n=2, more=more))
        w.reload()
        for one in (client, moved):
            check(one, os.urandom(300000))
            one.sock.shutdown(socket.SHUT_WR)
            assert one.rest() == (b"goodbye", False)
    assert until(lambda: n_plans(w) == 1 and gauge(w) == 0)


def test_a_stop_waits_for_tunnels_until_its_deadline(weir, free_port, member):
    a, port = member(echo), free_port()
    w = weir(CONF.format(a=a.port, port=port, n=0, more=""))
    with Client(port) as stays, Client(port) as leaves:
        switch(stays)
        switch(leaves)
        started = time.monotonic()
        stopping = threading.Thread(target=w.stop)
        stopping.start()
        time.sleep(0.5)
        for client in (stays, leaves):
            check(client)
        leaves.close()
        check(stays)
        assert stays.is_closed(20)
        assert 1.5 < time.monotonic() - started < 20
        stopping.join()

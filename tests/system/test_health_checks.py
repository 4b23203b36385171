# SPDX-License-Identifier: Apache-2.0
"""The kinds of check and their words: what an http check sends and looks for, and what agents say."""
import contextlib
import socket
import threading

import pytest

from conftest import until

CONF = """
pool web {{
    member a 127.0.0.1:{member} weight 10
    check {check} every 200ms timeout 150ms fall 2 rise 1
}}
listen shop http 127.0.0.1:{port} {{ route pool web }}
"""


class Peer(threading.Thread):
    """Answers every connection with the same bytes; keeps what it was asked."""

    def __init__(self, answer, asks=True):
        super().__init__(daemon=True)
        self.answer, self.asks, self.seen = answer, asks, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.socket.accept()
                with conn, contextlib.suppress(OSError):
                    conn.settimeout(5)
                    if self.asks:
                        self.seen.append(conn.recv(65536).decode())
                    if self.answer is not None:
                        conn.sendall(self.answer)
                        conn.shutdown(socket.SHUT_WR)
                    conn.recv(1)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture
def peer():
    made = []

    def make(answer, asks=True):
        made.append(Peer(answer, asks))
        return made[-1]

    yield make
    for one in made:
        one.close()


def http(body, status="200 OK"):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def wait_fact(w, state, reason, name="member:web/a"):
    def is_so():
        fact = w.fact(name, check=False)
        return fact is not None and fact["state"] == state and reason in fact["reason"]
    assert until(is_so, every=0.05), (state, reason, w.fact(name, check=False), w.log())
    return w.fact(name)


def test_http_request(weir, free_port, peer):
    """At another port, with fields of its own."""
    side = peer(http("x"))
    w = weir(CONF.format(member=free_port(), port=free_port(),
                         check=f'http port {side.port} path /live?deep=1 method POST header X-Token "a b" '
                               'header Accept text/plain'))
    wait_fact(w, "up", "HTTP 200 in ")
    assert side.seen[0] == ("POST /live?deep=1 HTTP/1.1\r\n"
                            f"Host: 127.0.0.1:{side.port}\r\n"
                            "User-Agent: weir-health\r\nX-Token: a b\r\nAccept: text/plain\r\n"
                            "Connection: close\r\n\r\n")


@pytest.mark.parametrize("answer, state, reason", [
    (http("we are ready!"), "up", "HTTP 200 in "),
    (http("we are not yet."), "down", 'HTTP 200, and its body does not hold "ready"'),
    (http("x" * 65531 + "ready"), "up", "HTTP 200 in "),
    (http("x" * 65532 + "ready"), "down", "does not hold"),
    (http("ready", "503 Sick"), "down", "HTTP 503, expected 200..399"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", "down", "HTTP 204, and its body does not hold"),
])
def test_body(weir, free_port, peer, answer, state, reason):
    member = peer(answer)
    w = weir(CONF.format(member=member.port, port=free_port(), check="http body ready"))
    wait_fact(w, state, reason)


@pytest.mark.parametrize("line, state, weight, reason", [
    (b"up\n", "up", 10, 'its agent says "up"'),
    (b"ready 50%\r\n", "up", 5, 'its agent says "ready 50%"'),
    (b"1%\n", "up", 1, 'its agent says "1%"'),
    (b"up 0%\n", "up", 0, 'its agent says "up 0%"'),
    (b"drain # backup runs", "draining", 10, 'its agent says "drain # backup runs"'),
    (b"down # disk full\n", "down", 10, 'its agent says "down # disk full"'),
    (b"maint\n", "down", 10, 'its agent says "maint"'),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "down", 10, 'its agent says what no agent says: "SSH-2.0-OpenSSH_9.2"'),
    (b"x" * 5000, "down", 10, "its agent says what no agent says: "),
    (b"", "down", 10, "closed before the answer was whole"),
    (None, "down", 10, "no answer within 150ms"),
])
def test_agent(weir, free_port, peer, line, state, weight, reason):
    agent = peer(line, asks=False)
    w = weir(CONF.format(member=free_port(), port=free_port(), check=f"agent port {agent.port}"))
    assert wait_fact(w, state, reason)["value"] == weight
    pool = {"up": ("up", "1/1 up"), "down": ("down", "0/1 up"), "draining": ("draining", "0/1 up, 1 draining")}
    assert until(lambda: w.fact("pool:web")["reason"] == pool[state][1])
    assert w.fact("pool:web")["state"] == pool[state][0]


def test_agent_changes_its_mind(weir, free_port, peer):
    """What it said last holds while it cannot be asked, and over another life of health."""
    agent = peer(b"up 20%\n", asks=False)
    w = weir(CONF.format(member=free_port(), port=free_port(), check=f"agent port {agent.port}"))
    assert wait_fact(w, "up", "up 20%")["value"] == 2
    agent.answer = b"drain 20%\n"
    wait_fact(w, "draining", "drain 20%")
    w.kill("health", 9)
    w.wait_back("health")
    fact = w.fact("member:web/a")
    assert (fact["state"], fact["value"]) == ("draining", 2), fact
    agent.close()
    assert wait_fact(w, "down", "connection refused")["value"] == 2

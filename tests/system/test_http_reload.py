# SPDX-License-Identifier: Apache-2.0
"""What a reload and a stop mean for requests that are under way: each finishes as it began, connections on both
sides stay where nothing that concerns them has changed, and what goes away goes politely."""

import threading
import time

import pytest
from conftest import until
from http_peers import Client, answer, chunks, request
from http_serve import counters, member  # noqa: F401

CONF = """
processes {{ edge {loops} }}
pool web {{ member a 127.0.0.1:{a} }}
listen shop http 127.0.0.1:{port} {{
    route path = /round respond 200 "{n}"
    route pool web
}}
{more}
"""


@pytest.fixture
def scene(weir, free_port, member):
    """A weir whose file changes: scene.write(n, a=MEMBER, more=TEXT) and reload."""

    class Scene:
        port = free_port()
        loops = 1

        def text(self, n, a, more=""):
            return CONF.format(n=n, a=a.port, port=self.port, more=more, loops=self.loops)

        def start(self, a, more=""):
            self.weir = weir(self.text(0, a, more))
            return self.port

        def reload(self, n, a, more=""):
            self.weir.write(self.text(n, a, more))
            self.weir.reload()

    return Scene()


def test_connections_survive(scene, member):
    m = member()
    with Client(scene.start(m)) as client:
        for n in range(5):
            for _ in range(3):
                assert client.ask().status == 200
            scene.reload(n + 1, m)
            assert client.ask(path="/round").body == b"%d" % (n + 1)
    assert len(m.conns) == 1
    numbers = counters(scene.weir)
    assert numbers['weir_listen_requests_total{listen="shop"}'] == 20  # counting goes on
    assert numbers['weir_member_requests_total{pool="web",member="a"}'] == 15


def test_a_request_finishes_as_it_began(scene, member):
    """The answer of the member that it went to, though the pool has another one by now."""
    go = threading.Event()

    def slow(conn, message):
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nold\r\n")
        go.wait(20)
        return chunks(message.body)

    old, new = member(slow), member()
    with Client(scene.start(old)) as busy, Client(scene.port) as uploading:
        busy.send(request())
        uploading.send(request("POST", fields="Content-Length: 10\r\n") + b"hello")
        head = busy.head()
        assert head.status == 200
        scene.reload(1, new)
        with Client(scene.port) as client:
            assert client.ask(path="/new").body == b"/new"
        uploading.send(b"world")
        go.set()
        assert busy.chunked(head) == b"old"
        assert uploading.response().body == b"oldhelloworld"
        for client in (busy, uploading):  # and goes on with the new ones
            assert client.ask(path="/next").body == b"/next"
    assert old.targets() == ["/", "/"] and new.targets() == ["/new", "/next", "/next"]


def test_a_listen_that_goes(scene, member, free_port):
    go = threading.Event()
    m = member(lambda conn, message: go.wait(20) and answer(200, b"x" * 1000))
    second = free_port()
    more = f"listen other http 127.0.0.1:{second} {{ route pool web }}"
    scene.start(m, more)
    with Client(second) as busy, Client(second) as idle, Client(second) as early:
        busy.send(request())
        early.send(request()[:20])
        assert idle.is_quiet() and until(lambda: m.conns)
        scene.reload(1, m)
        assert idle.is_closed()
        go.set()
        response = busy.response()
        assert response.status == 200 and response.get("connection") == "close"
        assert busy.is_closed()
        early.send(request()[20:])
        response = early.response()
        assert response.status == 200 and response.get("connection") == "close"
    with pytest.raises(ConnectionRefusedError):
        Client(second)
    scene.reload(2, m, more)  # and comes back
    with Client(second) as client:
        assert client.ask().status == 200


def test_stop_waits_for_answers(scene, member):
    def slow(conn, _):
        time.sleep(0.5)
        return answer(200, "late but whole")

    with Client(scene.start(member(slow))) as busy, Client(scene.port) as idle:
        busy.send(request())
        idle.ask(path="/round")
        time.sleep(0.1)
        stopping = threading.Thread(target=scene.weir.stop)
        stopping.start()
        assert idle.is_closed()
        response = busy.response()
        assert response.body == b"late but whole" and response.get("connection") == "close"
        assert busy.is_closed()
        stopping.join()


def test_reloads_under_downloads(scene, member):
    """Old plans are freed when their last request is over, in every loop."""
    scene.loops = 2
    m = member(lambda conn, message: answer(200, b"x" * 3000000))
    scene.start(m)
    failures = []

    def run(rate):
        try:
            with Client(scene.port, rcvbuf=16384) as client:
                for _ in range(3):
                    client.send(request())
                    assert client.head().status == 200
                    for _ in range(300):
                        client.exactly(10000)
                        time.sleep(rate)
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=run, args=(i * 0.0001,)) for i in range(12)]
    for thread in threads:
        thread.start()
    n = 0
    while any(thread.is_alive() for thread in threads):
        n += 1
        scene.reload(n, m)
        time.sleep(0.05)
    assert not failures and n > 0
    with Client(scene.port) as client:
        assert client.ask(path="/round").body == b"%d" % n

    def n_plans():
        edge = [p for p in scene.weir.status()["processes"] if p["name"] == "edge"]
        return edge[0]["detail"]["modules"]["edge"]["plans"]

    assert until(lambda: n_plans() == 1), n_plans()

# SPDX-License-Identifier: Apache-2.0
"""Asynchronous routes from end to end: clients, the edge, the queue, and the members that do what was asked for."""

import json
import re
import signal
import threading
import time

import pytest
from conftest import until
from http_peers import Client, Ended, answer
from http_serve import counters, listen_counter, member  # noqa: F401

FILE = """
{head}
processes {{ edge 2 }}
pool web {{ {members}; {pool} }}
queue reports {{ deliver pool web hold 50ms; retry 20 backoff 50ms..200ms; {queue} }}
listen shop http 127.0.0.1:{port} {{
    route path /slow pool web async reports overflow reports
    route path /kept async reports credentials keep
    route path /reports async reports
    route pool web
    {extra}
}}
queues {{ segment 1M }}
"""


@pytest.fixture
def shop(weir, free_port):
    """shop(port, ...) is a weir whose queue delivers to members at these ports; its own is .port."""
    def make(*ports, extra="", pool="", queue="", head=""):
        members = "; ".join(f"member m{i} 127.0.0.1:{port}" for i, port in enumerate(ports))
        port = free_port()
        w = weir(FILE.format(members=members, pool=pool, port=port, extra=extra, queue=queue, head=head))
        w.port = port
        return w

    return make


def location(got):
    assert got.status == 202, (got.status, got.body)
    assert re.match(r"/jobs/[A-Za-z0-9_-]{32}\Z", got.get("location")), got.get("location")
    assert json.loads(got.body)["job"] == got.get("location")
    return got.get("location")


def state(client, where):
    got = client.ask("GET", where)
    assert got.status == 200, got.body
    return json.loads(got.body)


def wait_done(client, where):
    assert until(lambda: state(client, where)["state"] == "done", every=0.05), state(client, where)
    return state(client, where)


def works(_, message):
    return answer(201, b"did " + message.body, "X-By: member\r\n")


def test_accepted_done_and_looked_at(shop, member):  # noqa: F811
    app = member(works)
    w = shop(app.port)
    with Client(w.port) as client:
        where = location(client.ask("POST", "/reports?a=1", "Cookie: a=b\r\nX-Own: 1\r\n", b"this"))
        found = wait_done(client, where)
        assert found["status"] == 201 and found["response"] == where + "/response"
        got = client.ask("GET", where + "/response")
        assert (got.status, got.body, got.get("x-by")) == (201, b"did this", "member")
        assert client.ask("HEAD", where + "/response").get("content-length") == "8"
        assert client.ask("DELETE", where).status == 409
        forged = where[:-1] + ("A" if where[-1] != "A" else "B")
        assert client.ask("GET", forged).status == 404
        location(client.ask("POST", "/kept", "Cookie: a=b\r\nAuthorization: Basic eDp5\r\n", b"kept"))
        assert until(lambda: len(app.requests) == 2)
    first, second = app.requests
    assert (first.method, first.target, first.body, first.get("x-own")) == ("POST", "/reports?a=1", b"this", "1")
    assert first.get("x-forwarded-for") == "127.0.0.1" and first.get("host") == "example.org"
    assert first.get("cookie") is None and first.get("weir-async") is None
    assert second.get("cookie") == "a=b" and second.get("authorization") == "Basic eDp5"
    assert counters(w)['weir_listen_asynchronous_total{listen="shop",result="accepted"}'] == 2


def test_who_prefers_it_and_who_waits(shop, member):  # noqa: F811
    go_on = threading.Event()

    def on_request(conn, message):
        if message.body == b"slow":
            assert go_on.wait(20)
        return works(conn, message)

    app = member(on_request)
    w = shop(app.port)
    with Client(w.port) as client:
        assert client.ask("POST", "/slow", "", b"now").status == 201
        got = client.ask("POST", "/slow", "Prefer: respond-async\r\n", b"later")
        location(got)
        assert got.get("preference-applied") == "respond-async" and got.get("retry-after")
        got = client.ask("POST", "/slow", "Prefer: respond-async, wait=20\r\n", b"soon")
        assert (got.status, got.body, got.get("x-by")) == (201, b"did soon", "member")
        began = time.monotonic()
        where = location(client.ask("POST", "/slow", "Prefer: respond-async, wait=1\r\n", b"slow"))
        assert time.monotonic() - began > 0.9
        threading.Timer(0.3, go_on.set).start()
        got = client.ask("GET", where, "Prefer: wait=20\r\n")
        assert json.loads(got.body)["state"] == "done"
    numbers = counters(w)
    assert numbers['weir_listen_asynchronous_total{listen="shop",result="accepted"}'] == 2
    assert numbers['weir_listen_asynchronous_total{listen="shop",result="answered"}'] == 1


def test_a_key_makes_it_one_job(shop, member):  # noqa: F811
    app = member(works)
    w = shop(app.port)
    key = "Idempotency-Key: 7f\r\n"
    with Client(w.port) as client:
        where = location(client.ask("POST", "/reports", key, b"one"))
        again = client.ask("POST", "/reports", key, b"one")
        assert location(again) == where and again.get("idempotency-replayed") == "true"
        got = client.ask("POST", "/reports", key, b"two")
        assert got.status == 422 and got.get("weir-answer") is None
        wait_done(client, where)
    assert [m.body for m in app.requests] == [b"one"]
    assert counters(w)['weir_listen_asynchronous_total{listen="shop",result="refused"}'] == 1


def test_overflow_while_all_are_down(shop, free_port, member):  # noqa: F811
    """202 as soon as nobody is up; done when somebody is back. What a queue would not take is refused as before."""
    port = free_port()
    w = shop(port, pool="check tcp every 50ms fall 1 rise 1", queue="async body 10k")
    w.wait_fact("pool:web", "down")
    with Client(w.port) as client:
        places = [location(client.ask("POST", "/slow", "", b"%d" % i)) for i in range(5)]
        assert client.ask("POST", "/slow", "", b"x" * 20000).status == 503
        assert client.ask("POST", "/", "", b"x").status == 503
        app = member(works, port=port)
        for i, where in enumerate(places):
            wait_done(client, where)
            assert client.ask("GET", where + "/response").body == b"did %d" % i
        assert until(lambda: client.ask("POST", "/slow", "", b"now").status == 201)
    assert sorted(m.body for m in app.requests)[:5] == [b"0", b"1", b"2", b"3", b"4"]
    assert counters(w)[listen_counter("overflowed")] == 5


class Posters:
    """Clients that post numbers to a route until told to stop; .accepted: of which a 202 came back."""

    def __init__(self, port, n=8, path="/reports"):
        self.port, self.path, self.accepted, self.odd, self.broken = port, path, [], [], 0
        self.is_over, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(n)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        client, count = None, 0
        while not self.is_over.is_set():
            body = f"{number}-{count}"
            count += 1
            try:
                client = client or Client(self.port)
                got = client.ask("POST", self.path, "", body.encode())
            except (Ended, OSError):
                client = None  # what became of it nobody knows
                self.broken += 1
                time.sleep(0.01)
                continue
            if got.get("connection") == "close":
                client = client.close()
            with self.lock:
                if got.status == 202:
                    self.accepted.append(body)
                else:
                    self.odd.append((got.status, got.body))
                    time.sleep(0.01)

    def check(self, w, app):
        """All of them came to the member, and each is one job, however often it was put and delivered."""
        def missing():
            return set(self.accepted) - {m.body.decode() for m in list(app.requests)}

        assert until(lambda: not missing(), 60, 0.1), (len(missing()), w.log())
        jobs = {}
        for message in list(app.requests):
            jobs.setdefault(message.body.decode(), set()).add(message.get("weir-job-id"))
        assert not [body for body in self.accepted if len(jobs[body]) != 1]

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(40)
            assert not thread.is_alive()


@pytest.mark.parametrize("kind", ["queue", "edge"])
def test_every_202_is_delivered_whoever_is_killed(shop, member, kind):  # noqa: F811
    """The queue's clients see nothing of it; those of the edge lose their connections, and no job."""
    app = member(works)
    w = shop(app.port, queue="concurrency 8")
    posters = Posters(w.port)
    for _ in range(4):
        time.sleep(0.5)
        w.kill(kind, signal.SIGKILL)
        assert w.wait_back(kind), w.log()
    time.sleep(0.5)
    posters.stop()
    assert not posters.odd, posters.odd[:5]
    assert len(posters.accepted) > 50
    if kind == "queue":
        assert posters.broken == 0
    posters.check(w, app)


def test_every_202_is_delivered_over_reloads_and_an_upgrade(shop, member):  # noqa: F811
    app = member(works)
    w = shop(app.port, queue="concurrency 8")
    posters = Posters(w.port)
    for _ in range(3):
        time.sleep(0.2)
        w.reload()
    w.command("upgrade")
    time.sleep(0.5)
    posters.stop()
    assert not posters.odd and posters.broken == 0, (posters.odd[:5], posters.broken)
    posters.check(w, app)


def test_a_reload_brings_the_first_route_and_takes_the_last(shop, member):  # noqa: F811
    """With it comes the process of the queue, and it goes; what it had is there when the route is back."""
    app = member(works)
    w = shop(app.port)
    text = w.file.read_text()
    plain = "\n".join(line for line in text.splitlines() if "reports" not in line)
    with Client(w.port) as client:
        where = location(client.ask("POST", "/reports", "", b"first"))
        wait_done(client, where)
        w.write(plain)
        w.reload()
        assert client.ask("POST", "/reports", "", b"plain").body == b"did plain"
        assert client.ask("GET", where).status == 201  # the member's
        assert until(lambda: not w.pid("queue", wait=False))
        assert until(lambda: "queue" not in [process["name"] for process in w.status()["processes"]])
        w.write(text)
        w.reload()
        assert client.ask("GET", where + "/response").body == b"did first"
        wait_done(client, location(client.ask("POST", "/reports", "", b"second")))

# SPDX-License-Identifier: Apache-2.0
"""Idempotency-Key where many say the same at once, over both loops of the edge, kills of the queue and reloads."""

import collections
import secrets
import signal
import threading

import pytest
from async_peers import Edge
from conftest import until
from http_peers import Client, answer
from http_serve import member  # noqa: F401

FILE = """
processes {{ edge 2 }}
pool web {{ member m 127.0.0.1:{member} }}
queue reports {{ deliver pool web hold 50ms; retry 20 backoff 20ms..50ms; concurrency 8; keep 1h }}
listen shop http 127.0.0.1:{port} {{ route path /reports async reports; timeout async 60s }}
queues {{ segment 1M }}
"""
ROUTES = ["route path /reports async reports;", "route path /reports async reports credentials keep;"]
N_CLIENTS = 6  # so many say the same; connections are spread over the loops


class Shop:
    def __init__(self, weir, port, member_port):
        self.port, self.weir = port, weir(FILE.format(member=member_port, port=port))
        self.conns = [Client(port) for _ in range(N_CLIENTS)]

    def close(self):
        for conn in self.conns:
            conn.close()

    def race(self, key, bodies):
        """All connections post at once, with that key and one of the bodies each; their answers, in that order."""
        gate, got = threading.Barrier(N_CLIENTS), [None] * N_CLIENTS

        def post(i):
            gate.wait(20)
            got[i] = self.conns[i].ask("POST", "/reports", f"Idempotency-Key: {key}\r\n", bodies[i % len(bodies)])

        threads = [threading.Thread(target=post, args=(i,)) for i in range(N_CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert None not in got
        return got


@pytest.fixture
def shop(weir, free_port, member):  # noqa: F811
    """.jobs: key -> the ids and bodies of the jobs that the member was given."""
    jobs, lock = collections.defaultdict(set), threading.Lock()

    def on_request(_, message):
        with lock:
            jobs[message.get("idempotency-key")].add((message.get("weir-job-id"), message.body))
        return answer(200, "done")

    one = Shop(weir, free_port(), member(on_request).port)
    one.jobs = jobs
    yield one
    one.close()


def check(shop, key, bodies, got):
    """One job, with the body of those who were told so; the others were told of another body, or to come again."""
    said = {got_one.status for got_one in got}
    assert said <= {202, 409, 422} and 202 in said, said
    places = {one.get("location") for one in got if one.status == 202}
    winners = {bodies[i % len(bodies)] for i, one in enumerate(got) if one.status == 202}
    assert len(places) == 1 and len(winners) == 1, (places, winners)
    for i, one in enumerate(got):
        is_same = bodies[i % len(bodies)] in winners
        assert one.status != (422 if is_same else 202), (one.status, one.body)
        assert one.status != 409 or one.get("retry-after") == "1"
    again = shop.conns[0].ask("POST", "/reports", f"Idempotency-Key: {key}\r\n", next(iter(winners)))
    assert again.status == 202 and {again.get("location")} == places and again.get("idempotency-replayed") == "true"
    return winners.pop()


def check_jobs(shop, won):
    assert until(lambda: set(won) <= set(shop.jobs), every=0.05), shop.weir.log()
    for key, body in won.items():
        assert len(shop.jobs[key]) == 1 and {b for _, b in shop.jobs[key]} == {body}, (key, shop.jobs[key])


@pytest.mark.parametrize("bodies", [[b"one"], [b"one", b"two"]], ids=["same", "different"])
def test_at_once(shop, bodies):
    won = {}
    for number in range(25):
        won[f"k{number}"] = check(shop, f"k{number}", bodies, shop.race(f"k{number}", bodies))
    check_jobs(shop, won)


def meanwhile(act, n, races):
    """Races as long as act() is done n times."""
    is_over, failure = threading.Event(), []

    def acts():
        try:
            for number in range(n):
                act(number)
        except BaseException as error:  # the test's thread raises it
            failure.append(error)
        is_over.set()

    thread = threading.Thread(target=acts)
    thread.start()
    while not is_over.is_set():
        races()
    thread.join()
    if failure:
        raise failure[0]


@pytest.mark.parametrize("kind", ["kill", "reload"])
@pytest.mark.parametrize("bodies", [[b"one"], [b"one", b"two"]], ids=["same", "different"])
def test_at_once_meanwhile(shop, kind, bodies):
    """The queue is killed, or the route and the queue are given other words."""
    w, won = shop.weir, {}
    text = w.file.read_text()

    def act(number):
        if kind == "kill":
            w.kill("queue", signal.SIGKILL)
            assert w.wait_back("queue")
            return
        w.write(text.replace(ROUTES[0], ROUTES[(number + 1) % 2]).replace("keep 1h", f"keep {number + 1}h"))
        w.reload()

    def races():
        key = f"k{len(won)}"
        won[key] = check(shop, key, bodies, shop.race(key, bodies))

    meanwhile(act, 4, races)
    check_jobs(shop, won)
    print(len(won), "races")


def test_the_same_request_of_the_edge_at_once(shop):
    """The edge sends it again as its answer was lost, while the queue still has the first one: none is told to wait."""
    edges = [Edge(shop.weir) for _ in range(4)]
    places = []

    def put(edge, request, gate, got):
        gate.wait(20)
        got.append(edge.put(b"body", id=request))

    for _ in range(15):
        request, gate, got = secrets.token_hex(16), threading.Barrier(len(edges)), []
        threads = [threading.Thread(target=put, args=(edge, request, gate, got)) for edge in edges]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert [one.status for one in got] == [202] * len(edges)
        assert len({one.headers["Location"] for one in got}) == 1
        places.append(got[0].headers["Location"])
    for edge in edges:
        edge.close()
    assert len(set(places)) == len(places)
    assert until(lambda: len(shop.jobs) >= len(places), every=0.05), shop.jobs
    assert len(shop.jobs) == len({ids for jobs in shop.jobs.values() for ids in jobs}) == len(places), shop.jobs

# SPDX-License-Identifier: Apache-2.0
"""Deliveries to members that play games, stand still or come and go with reloads and upgrades."""

import os
import pathlib
import signal
import threading
import time

import pytest
from conftest import WEIR, until
from deliver_peers import answer, deliveries, put, receivers, result, shop, tube, wait_deliveries  # noqa: F401
from http_serve import member  # noqa: F401
from jobs_client import Jobs

NEXT = os.environ.get("WEIR_NEXT", str(pathlib.Path(WEIR).parent / "weir-next"))
OK = b"HTTP/1.1 200 OK\r\n"
RETRY = "retry 1 backoff 1ms..2ms; keep 1h"

# ---- games ----------------------------------------------------------------------------------------------------------


def endless(conn, begin, piece):
    """Sends until the other side has had enough."""
    conn.send(begin)
    try:
        while True:
            conn.send(piece)
    except OSError:
        return False


# name: (what the member sends, what becomes of the job after how many attempts, what is kept)
GAMES = {
    "a length that is too short": (OK + b"Content-Length: 2\r\n\r\nokmore", "done", 1, b"ok"),
    "a length that is too long": (OK + b"Content-Length: 9\r\n\r\nok", "done", 1, b""),
    "no length": (OK + b"\r\nok", "done", 1, b"ok"),
    "two lengths": (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!", "dead", 2, None),
    "a length that is none": (OK + b"Content-Length: -1\r\n\r\nok", "dead", 2, None),
    "interims": (b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" * 3 + OK + b"Content-Length: 2\r\n\r\nok", "done", 1,
                 b"ok"),
    "interims and no answer": (b"HTTP/1.1 103 Early\r\n\r\n" * 3, "dead", 2, None),
    "a switch": (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "dead", 2, None),
    "no HTTP": (b"220 mail.example.org ESMTP\r\n\r\n", "dead", 2, None),
    "a redirect to elsewhere": (b"HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
                                "dead", 1, None),
    "a redirect to itself": (b"HTTP/1.1 302 Here\r\nLocation: /reports\r\nContent-Length: 0\r\n\r\n", "dead", 1, None),
}


def ends_as(client, job, state, n_attempts):
    if state == "dead":
        assert until(lambda: client.document(f"stats-job {job}").get("state") == "buried")
        assert client.document(f"stats-job {job}")["reserves"] == str(n_attempts)
    else:
        rows = []

        def is_done():
            rows[:] = [client.ask("list-jobs done 0 100")]
            rows.append(client.bytes(int(rows[0].split()[1])))
            return b"%d" % job in rows[1]

        assert until(is_done), rows


def test_games_of_members(shop, member):
    """All in one queue, each as a job whose body names it."""
    names = list(GAMES)
    n = dict.fromkeys(names, 0)

    def on_request(conn, message):
        name = names[int(message.body)]
        n[name] += 1
        conn.send(GAMES[name][0])
        return False

    m = member(on_request)
    w = shop(m.port, queue=f"concurrency 4; {RETRY}")
    client = w.client()
    jobs = {name: put(client, b"%d" % i) for i, name in enumerate(names)}
    for name, (_, state, n_attempts, kept) in GAMES.items():
        ends_as(client, jobs[name], state, n_attempts)
        assert n[name] == n_attempts, name
        if kept is not None:
            assert result(client, jobs[name]) == kept, name


@pytest.mark.parametrize("begin, piece, state", [
    (OK, b"X-More: " + b"x" * 200 + b"\r\n", "dead"),
    (OK + b"X-More: ", b"x" * 1000, "dead"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n", "done"),
    (OK + b"Content-Length: 1000000000000\r\n\r\n", b"x" * 1000, "done"),
    (b"", b"HTTP/1.1 103 Early\r\n\r\n", "dead"),
], ids=["fields", "field", "chunks", "body", "interims"])
def test_an_answer_without_an_end(shop, member, begin, piece, state):
    """What is too long is no answer where it is the head; of a body the status counts, and nothing is kept."""
    m = member(lambda conn, message: endless(conn, begin, piece))
    w = shop(m.port, deliver="response 4k timeout 10s", queue=RETRY)
    client = w.client()
    job = put(client, b"x")
    ends_as(client, job, state, 2)
    if state == "done":
        assert len(m.requests) == 1 and result(client, job) == b""


# ---- members that stand still ---------------------------------------------------------------------------------------

def numbers(*members):
    return [int(key.split()[1]) for one in members for key in one.keys()]


def test_a_member_that_stands_still(shop, receivers):
    """It takes connections and answers nothing: its deliveries time out, and others do them; then it is there again."""
    two = [receivers(), receivers()]
    w = shop(*[one.port for one in two], deliver="timeout 500ms", queue="concurrency 4; retry 50 backoff 10ms..50ms",
             pool="check tcp every 100ms")
    client = w.client()
    for i in range(20):
        put(client, b"%d" % i)
    assert until(lambda: len(set(numbers(*two))) == 20), w.log()
    two[0].process.send_signal(signal.SIGSTOP)
    try:
        for i in range(20, 60):
            put(client, b"%d" % i)
        assert until(lambda: set(range(60)) <= set(numbers(*two)), timeout=60), (sorted(numbers(*two)), w.log())
        wait_deliveries(w, "again", 1)
    finally:
        two[0].process.send_signal(signal.SIGCONT)
    before = len(two[0].keys())
    n = [60]

    def is_back():
        for _ in range(4):
            put(client, b"%d" % n[0])
            n[0] += 1
        return len(two[0].keys()) > before + 20

    assert until(is_back, every=0.1, timeout=60), w.log()
    assert until(lambda: set(range(n[0])) <= set(numbers(*two)))
    assert deliveries(w, "dead") == 0


# ---- how many, how fast ---------------------------------------------------------------------------------------------

def test_a_rate(shop, member):
    """Ten a second and two at once: the first two, and then one each tenth of a second, in their order."""
    seen = []

    def on_request(conn, message):
        seen.append((time.monotonic(), int(message.body)))
        return answer(200)

    m = member(on_request)
    w = shop(m.port, queue="concurrency 1; rate 10/s burst 2")
    client = w.client()
    assert client.ask("pause-tube reports 3600") == "PAUSED"
    for i in range(8):
        put(client, b"%d" % i)
    before = time.monotonic()
    assert client.ask("pause-tube reports 0") == "PAUSED"
    wait_deliveries(w, "done", 8)
    assert [number for _, number in seen] == list(range(8))
    assert seen[7][0] - before >= 0.55  # six tenths, but for how it was measured


def test_each_queue_has_its_own_concurrency(weir, free_port, member):
    lock, now, most = threading.Lock(), {"/a": 0, "/b": 0}, {"/a": 0, "/b": 0}

    def on_request(conn, message):
        path = message.target
        with lock:
            now[path] += 1
            most[path] = max(most[path], now[path])
        time.sleep(0.03)
        with lock:
            now[path] -= 1
        return answer(200)

    m = member(on_request)
    port = free_port()
    w = weir(f"pool web {{ member m 127.0.0.1:{m.port} }}\n"
             "queue a { deliver pool web path /a; concurrency 2 }\n"
             "queue b { deliver pool web path /b; concurrency 5 }\n"
             f"jobs 127.0.0.1:{port}\n")
    client = Jobs(port)
    for queue in ("a", "b"):
        assert client.ask(f"use {queue}") == f"USING {queue}"
        assert client.ask(f"pause-tube {queue} 3600") == "PAUSED"
        for i in range(30):
            put(client, b"%d" % i)
    for queue in ("a", "b"):
        assert client.ask(f"pause-tube {queue} 0") == "PAUSED"
    assert until(lambda: len(m.requests) == 60), w.log()
    client.close()
    assert most["/a"] == 2 and 2 < most["/b"] <= 5, most


# ---- files and binaries that change ---------------------------------------------------------------------------------

def test_reloads_under_way(shop, receivers):
    """Each job once, whatever the file says meanwhile."""
    one = receivers()
    w = shop(one.port, queue="concurrency 4")
    client = w.client()
    text = w.file.read_text()
    n = 0
    for i in range(8):
        for _ in range(25):
            put(client, b"%d" % n)
            n += 1
        w.write(text.replace("path /reports", f"path /reports/{i} timeout {10 + i}s").replace(
            "concurrency 4", f"concurrency {1 + i % 4}"))
        w.reload()
    assert until(lambda: len(numbers(one)) >= n), w.log()
    wait_deliveries(w, "done", n)
    assert sorted(numbers(one)) == list(range(n))


def held(shop, member, **options):
    """A weir with one delivery under way, which ends when .gate is set."""
    gate = threading.Event()

    def on_request(conn, message):
        if message.body == b"slow":
            gate.wait(30)
        return answer(200)

    m = member(on_request)
    w = shop(m.port, **options)
    client = w.client()
    put(client, b"slow")
    assert until(lambda: len(m.requests) == 1)
    put(client, b"next")
    client.close()
    w.gate, w.member = gate, m
    return w


def attempts(m, body):
    return [message.get("weir-attempt") for message in m.requests if message.body == body]


def upgrade(w, binary=NEXT):
    return w.command("upgrade", str(binary), timeout=120)


def test_an_upgrade_waits_for_what_is_under_way(shop, member):
    w = held(shop, member, head="queues { handover 30s }", queue="concurrency 1")
    upgrade(w)
    time.sleep(0.5)
    assert len(w.member.requests) == 1
    w.gate.set()
    assert until(lambda: len(w.member.requests) == 2), w.log()
    assert until(lambda: tube(w.client())["current-jobs-reserved"] == "0")
    assert attempts(w.member, b"slow") == ["1"] and attempts(w.member, b"next") == ["1"]


def test_an_upgrade_does_not_wait_for_ever(shop, member):
    """What has not ended by then is begun anew, as the same attempt."""
    w = held(shop, member, head="queues { handover 200ms }", queue="concurrency 2")
    upgrade(w)
    try:
        assert until(lambda: len(attempts(w.member, b"slow")) == 2), w.log()
    finally:
        w.gate.set()
    assert until(lambda: tube(w.client())["current-jobs-reserved"] == "0")
    assert attempts(w.member, b"slow") == ["1", "1"] and attempts(w.member, b"next") == ["1"]

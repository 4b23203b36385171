# SPDX-License-Identifier: Apache-2.0
"""Routes that give requests to a queue, as the queue sees them: a server of the test's own stands in its place, says
what the queue would say, and dies as it would."""

import re
import threading
import time

import pytest
from conftest import until
from http_peers import Client, answer, chunks, request
from http_serve import counters, listen_counter, member  # noqa: F401

FILE = """
processes {{ edge {loops} }}
pool web {{ {members}; {pool} }}
queue reports {{ deliver pool web }}
queue late {{ deliver pool web }}
listen shop http 127.0.0.1:{port} {{
    route path /slow pool web async reports overflow late
    route path /often pool web overflow late credentials keep
    route path /kept async reports credentials keep
    route path /reports async reports
    route path /hidden respond 200 "hidden"
    route pool web
    access-log on
    {extra}
}}
"""
TOKEN = "AAAAAAAAAAAAAAAA-_09azAZbbbbbbbb"
FIELD = re.compile(r"put; queue=(\w+); mode=(\w+); credentials=(\w+); id=([0-9a-f]{32}); path=(\S+)\Z")
WEBSOCKET = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
ACCEPTED = f"Location: /jobs/{TOKEN}\r\nRetry-After: 1\r\nPreference-Applied: respond-async\r\n"


def accept(_, message):
    return answer(202, message.get("weir-async"), ACCEPTED, "Accepted")


@pytest.fixture
def shop(weir, free_port, member):  # noqa: F811
    """shop(port, ...) starts a weir before such members, with .port; .queue(...) puts a Member in the queue's place."""
    made = []

    def make(*ports, extra="", pool="", loops=1):
        members = "; ".join(f"member m{i} 127.0.0.1:{port}" for i, port in enumerate(ports or [9]))
        port = free_port()
        w = weir(FILE.format(loops=loops, members=members, pool=pool, port=port, extra=extra))
        w.port = port

        def queue(on_request=accept, **options):
            made.append(member(on_request, path=w.state / "async.sock", **options))
            return made[-1]

        w.queue = queue
        return w

    yield make
    for one in made:
        one.path.unlink(missing_ok=True)


def said(message):
    """queue, mode, credentials, id, path of the one Weir-Async field."""
    fields = message.all("weir-async")
    assert len(fields) == 1, fields
    return FIELD.match(fields[0]).groups()


def asynchronous(w, result):
    return counters(w)[f'weir_listen_asynchronous_total{{listen="shop",result="{result}"}}']


def test_what_the_queue_is_told(shop, member):  # noqa: F811
    """Every request that the route takes; the client gets the queue's answer as it is."""
    app = member()
    w = shop(app.port)
    queue = w.queue()
    with Client(w.port) as client:
        got = client.ask("POST", "/reports?x=1", "X-Own: 1\r\nCookie: a=b\r\n", b"body")
        assert got.status == 202 and got.get("location") == f"/jobs/{TOKEN}"
        assert got.get("preference-applied") == "respond-async" and got.get("retry-after") == "1"
        client.ask("PUT", "/reports", "Weir-Async: job; path=/x\r\nWeir_Async: put\r\nweir-async: put\r\n"
                                      "Connection: Weir-Async\r\n")
        client.ask("POST", "/kept", "Prefer: respond-async, wait=5\r\n", b"x")
        client.send(request("POST", "/reports", "Transfer-Encoding: chunked\r\n")
                    + chunks(b"one", b"two", trailers="Weir-Async: put\r\nX-T: 1\r\n"))
        assert client.response().status == 202
    first, second, third, fourth = queue.requests
    queue_name, mode, credentials, number, path = said(first)
    assert (queue_name, mode, credentials, path) == ("reports", "always", "drop", "/jobs")
    assert first.method == "POST" and first.target == "/reports?x=1" and first.body == b"body"
    assert first.get("host") == "example.org" and first.get("x-own") == "1" and first.get("cookie") == "a=b"
    assert first.get("x-forwarded-for") == "127.0.0.1" and first.get("via") == "1.1 weir"
    assert said(second)[3] != number and second.get("weir_async") is None
    assert said(third)[2] == "keep" and third.get("prefer") == "respond-async, wait=5"
    assert fourth.body == b"onetwo" and said(fourth) and ("weir-async", "put") not in fourth.trailers
    assert not app.requests
    assert asynchronous(w, "accepted") == 4
    assert 'queue=reports' in w.log() and " pool=" not in w.log() and ".async" not in w.log()


def test_a_field_of_the_clients_own_goes_nowhere(shop, member):  # noqa: F811
    app = member()
    w = shop(app.port)
    with Client(w.port) as client:
        assert client.ask("GET", "/", "Weir-Async: job; path=/jobs\r\nWeir_async: x\r\nX-A: 1\r\n").status == 200
    assert app.requests[0].get("x-a") == "1"
    assert not [name for name, _ in app.requests[0].fields if name.replace("_", "-") == "weir-async"]


def test_only_who_asks_for_it(shop, member):  # noqa: F811
    """Prefer: respond-async on a route that allows it; not for what has no use later."""
    app = member()
    w = shop(app.port)
    queue = w.queue()
    with Client(w.port) as client:
        assert client.ask("POST", "/slow").status == 200
        assert client.ask("POST", "/slow", "Prefer: wait=3\r\nPrefer: respond-async\r\n").status == 202
        assert client.ask("GET", "/slow", "Prefer: respond-async\r\n").status == 202
        assert client.ask("HEAD", "/slow", "Prefer: respond-async\r\n").status == 200
        assert client.ask("OPTIONS", "/slow", "Prefer: respond-async\r\n").status == 200
        assert client.ask("POST", "/often", "Prefer: respond-async\r\n").status == 200
        assert client.ask("POST", "/", "Prefer: respond-async\r\n").status == 200
    assert [said(message)[:2] for message in queue.requests] == [("reports", "prefer")] * 2
    assert len(app.requests) == 5


def test_results_come_before_routes(shop, member):  # noqa: F811
    app = member()
    w = shop(app.port)
    queue = w.queue(lambda conn, message: answer(200, message.target))
    with Client(w.port) as client:
        for method, path in (("GET", f"/jobs/{TOKEN}"), ("HEAD", f"/jobs/{TOKEN}"), ("DELETE", f"/jobs/{TOKEN}"),
                             ("GET", f"/jobs/{TOKEN}/response?a")):
            assert client.ask(method, path).status == 200
        for method, path in (("POST", f"/jobs/{TOKEN}"), ("GET", f"/jobs/{TOKEN}/"), ("GET", f"/jobs/{TOKEN}x"),
                             ("GET", "/jobs/1"), ("GET", "/jobs"), ("GET", f"/job/{TOKEN}")):
            assert client.ask(method, path).body == path.encode()
    assert [(m.method, m.target) for m in queue.requests] == [
        ("GET", f"/jobs/{TOKEN}"), ("HEAD", f"/jobs/{TOKEN}"), ("DELETE", f"/jobs/{TOKEN}"),
        ("GET", f"/jobs/{TOKEN}/response?a")]
    assert {m.get("weir-async") for m in queue.requests} == {"job; path=/jobs"}
    assert len(app.requests) == 6
    assert counters(w)[listen_counter("job_requests")] == 4


def test_another_place_for_results(shop, member):  # noqa: F811
    app = member()
    w = shop(app.port, extra="jobs-path /later/on")
    queue = w.queue(lambda conn, message: answer(200, message.get("weir-async")))
    with Client(w.port) as client:
        assert client.ask("GET", f"/jobs/{TOKEN}").body == f"/jobs/{TOKEN}".encode()
        assert client.ask("GET", f"/later/on/{TOKEN}").body == b"job; path=/later/on"
        assert client.ask("POST", "/reports").body.endswith(b"; path=/later/on")
    assert len(queue.requests) == 2


def test_a_websocket_cannot_be_done_later(shop, member):  # noqa: F811
    w = shop(member().port)
    queue = w.queue()
    with Client(w.port) as client:
        got = client.ask("GET", "/reports", WEBSOCKET)
        assert got.status == 400 and b"WebSocket" in got.body
        assert client.ask("GET", "/slow", WEBSOCKET + "Prefer: respond-async\r\n").status == 200
        assert client.ask("POST", "/reports").status == 202
    assert len(queue.requests) == 1
    assert counters(w)[listen_counter("answers", "async_upgrade")] == 1


def test_a_client_that_expects_100(shop, member):  # noqa: F811
    """It comes from the queue, once, though the queue dies behind it and says it again."""
    def on_head(conn, _):
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_request(conn, message):
        return False if conn.number == 0 else accept(conn, message)

    w = shop(member().port)
    queue = w.queue(on_request, on_head=on_head)
    with Client(w.port) as client:
        client.send("POST /reports HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert client.head().status == 100
        client.send("body")
        got = client.response()
        assert got.status == 202 and not got.interims
    assert [m.body for m in queue.requests] == [b"body"] * 2
    assert len({said(m) for m in queue.requests}) == 1


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_queue_that_dies_gets_it_again(shop, member, is_chunked):  # noqa: F811
    """Any method, with the same id and the same bytes, those that had come by then and those that come later."""
    def on_request(conn, message):
        return False if len(queue.requests) < 4 else accept(conn, message)

    def on_head(conn, message):
        if conn.number == 0 and message.get("x-slow"):
            conn.sock.shutdown(2)

    w = shop(member().port)
    queue = w.queue(on_request, on_head=on_head)
    body = bytes(range(256)) * 200
    with Client(w.port) as client:
        fields = "Transfer-Encoding: chunked\r\n" if is_chunked else f"Content-Length: {len(body)}\r\n"
        client.send(request("POST", "/reports", fields + "X-Slow: 1\r\n"))
        time.sleep(0.1)
        for at in range(0, len(body), len(body) // 4):
            piece = body[at:at + len(body) // 4]
            client.send(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
            time.sleep(0.05)
        if is_chunked:
            client.send(b"0\r\n\r\n")
        assert client.response().status == 202
        assert client.ask("POST", "/reports", "", b"next").status == 202
    assert [m.body for m in queue.requests] == [body] * 4 + [b"next"]
    assert len({said(m)[3] for m in queue.requests}) == 2


def test_a_body_that_was_not_kept_is_refused(shop, member):  # noqa: F811
    """It cannot be sent twice, and its client is told so; what fits in the limit is."""
    def on_request(conn, message):
        return False if queue.n_breaks > 0 and not_less(queue) else accept(conn, message)

    def not_less(one):
        one.n_breaks -= 1
        return True

    w = shop(member().port, extra="limits async 64k")
    queue = w.queue(on_request)
    queue.n_breaks = 1
    for size, status in ((300000, 503), (60000, 202)):
        queue.n_breaks = 1
        with Client(w.port) as client:
            client.send(request("POST", "/reports", f"Content-Length: {size}\r\n"))
            time.sleep(0.05)
            for _ in range(10):
                client.send(b"x" * (size // 10))
                time.sleep(0.01)
            got = client.response()
            assert got.status == status
            assert status == 202 or got.get("retry-after") == "1"
    numbers = counters(w)
    assert numbers[listen_counter("answers", "async_away")] == 1
    assert numbers[listen_counter("retries_refused", "unbuffered")] == 1


def test_a_queue_that_is_not_there(shop, member):  # noqa: F811
    """503 when its time is over, and for those who come behind as well; then it is back."""
    w = shop(member().port, extra="timeout async 500ms")
    (w.state / "async.sock").unlink()
    with Client(w.port) as client:
        began = time.monotonic()
        got = client.ask("POST", "/reports", "", b"x")
        assert got.status == 503 and got.get("retry-after") == "1" and time.monotonic() - began > 0.4
        assert client.ask("GET", f"/jobs/{TOKEN}").status == 503
        threading.Timer(0.2, w.queue).start()
        assert client.ask("POST", "/reports", "", b"x").status == 202
    assert counters(w)[listen_counter("answers", "async_away")] == 2
    w.wait_log("reason=async_away")


def test_a_queue_that_does_not_answer(shop, member):  # noqa: F811
    """The time of the answer is that of the word, and what the client is ready to wait."""
    def on_request(conn, message):
        if message.get("prefer"):
            time.sleep(1.5)
            return answer(200, "done")
        time.sleep(3)
        return False

    w = shop(member().port, extra="timeout async 500ms")
    w.queue(on_request)
    with Client(w.port) as client:
        assert client.ask("POST", "/reports", "Prefer: wait=20\r\n").body == b"done"
        got = client.ask("POST", "/reports")
        assert got.status == 503 and b"not known" in got.body
    assert asynchronous(w, "answered") == 1
    assert counters(w)[listen_counter("answers", "async_late")] == 1


def test_a_refusal_of_the_queues_own(shop, member):  # noqa: F811
    def on_request(_, message):
        assert message
        return answer(422, "another request", "Weir-Answer: key_other\r\n")

    w = shop(member().port)
    w.queue(on_request)
    with Client(w.port) as client:
        got = client.ask("POST", "/reports")
        assert got.status == 422 and got.get("weir-answer") is None and got.body == b"another request"
    assert asynchronous(w, "refused") == 1
    assert until(lambda: "reason=async_refused" in w.log())


def test_bodies_stream_and_wait(shop, member):  # noqa: F811
    """A queue that takes nothing holds the client back; nothing is kept beyond the limit."""
    go_on = threading.Event()
    w = shop(member().port)

    def on_head(*_):
        assert go_on.wait(20)

    queue = w.queue(on_head=on_head)
    size, sent = 64 << 20, 0
    with Client(w.port) as client:
        client.send(request("POST", "/reports", f"Content-Length: {size}\r\n"))
        client.sock.settimeout(1)
        piece = b"y" * 65536
        with pytest.raises(TimeoutError):
            while sent < size:
                sent += client.sock.send(piece[:size - sent])
        assert sent < size // 2
        client.sock.settimeout(20)
        go_on.set()
        while sent < size:
            sent += client.sock.send(piece[:size - sent])
        assert client.response().status == 202
    assert len(queue.requests[0].body) == size


# ---- overflow ----

def test_overflow_where_nobody_is_up(shop, free_port):
    """What would be a 503 becomes a 202; the session, the method, and a body that has not come yet go along."""
    w = shop(free_port(), pool="check tcp every 100ms fall 1", extra="sticky cookie S")
    w.wait_fact("pool:web", "down")
    queue = w.queue()
    with Client(w.port) as client:
        got = client.ask("POST", "/often", "Cookie: a=b; S=x\r\n", b"body")
        assert got.status == 202 and got.get("set-cookie") is None
        client.send(request("PUT", "/often", "Content-Length: 60000\r\n"))
        time.sleep(0.1)
        client.send(b"z" * 60000)
        assert client.response().status == 202
        assert client.ask("GET", "/slow", "Prefer: respond-async\r\n").status == 202
        for method, path, fields in (("HEAD", "/often", ""), ("OPTIONS", "/often", ""), ("GET", "/often", WEBSOCKET),
                                     ("POST", "/", "")):
            assert client.ask(method, path, fields).status == 503
    first, second, third = queue.requests
    assert said(first)[:3] == ("late", "overflow", "keep") and first.body == b"body"
    assert first.get("cookie") == "a=b"
    assert said(second)[:3] == ("late", "overflow", "keep") and second.body == b"z" * 60000
    assert said(third)[:3] == ("reports", "prefer", "drop")
    numbers = counters(w)
    assert numbers[listen_counter("overflowed")] == 2
    assert numbers[listen_counter("answers", "no_member")] == 4
    assert until(lambda: len(re.findall(r"pool=web.* queue=late", w.log())) == 2), w.log()


def test_overflow_where_there_is_no_room(shop, member):  # noqa: F811
    """The pool's queue is full, or its time is over."""
    go_on = threading.Event()

    def slow(*_):
        assert go_on.wait(20)
        return answer(200, "by a member")

    app = member(slow)
    w = shop(app.port, pool="max-connections 1; queue 1 timeout 1s")
    queue = w.queue()
    with Client(w.port) as one, Client(w.port) as two, Client(w.port) as three:
        one.send(request("GET", "/often"))
        assert until(lambda: app.conns)
        two.send(request("POST", "/often", "", b"two"))
        assert until(lambda: counters(w)['weir_pool_queue_length{pool="web"}'] == 1)
        assert three.ask("POST", "/often", "", b"three").status == 202
        assert two.response().status == 202
        go_on.set()
        assert one.response().body == b"by a member"
    assert [m.body for m in queue.requests] == [b"three", b"two"]
    assert counters(w)[listen_counter("overflowed")] == 2


def test_overflow_where_no_member_can_be_reached(shop, free_port):
    """Before a check has said so."""
    w = shop(free_port(), free_port())
    queue = w.queue()
    with Client(w.port) as client:
        assert client.ask("POST", "/often", "", b"x").status == 202
        assert client.ask("POST", "/").status == 502
    assert [m.body for m in queue.requests] == [b"x"]


def test_overflow_is_not_for_what_a_member_has_seen(shop, member):  # noqa: F811
    app = member(lambda *_: False)
    w = shop(app.port)
    queue = w.queue()
    with Client(w.port) as client:
        assert client.ask("POST", "/often", "", b"x").status == 502
    assert not queue.requests


def test_overflow_of_what_is_too_large(shop, free_port):
    """Refused as before where its length says so."""
    w = shop(free_port(), extra="limits body 100M")
    queue = w.queue()
    with Client(w.port) as client:
        client.send(request("POST", "/often", "Content-Length: 99999999\r\n"))
        assert client.response().status == 502
    assert not queue.requests


# ---- what else is there ----

def test_the_queue_is_no_pool_of_the_file(shop, member):  # noqa: F811
    w = shop(member().port)
    w.queue()
    with Client(w.port) as client:
        assert client.ask("POST", "/reports").status == 202
    assert [pool["name"] for pool in w.status()["pools"]] == ["web"]
    assert not [name for name in w.facts() if "async/" in name]
    assert not [name for name in counters(w) if ".async" in name]


def test_reload_and_kill_under_load(shop, member):  # noqa: F811
    """Requests go on over reloads; an edge that is killed breaks its clients alone."""
    w = shop(member().port, loops=2)
    queue = w.queue()
    for _ in range(3):
        with Client(w.port) as client:
            for _ in range(20):
                assert client.ask("POST", "/reports", "", b"x").status == 202
            w.reload()
            for _ in range(20):
                assert client.ask("POST", "/reports", "", b"x").status == 202
    w.kill("edge", 9)
    assert w.wait_back("edge")
    with Client(w.port) as client:
        assert client.ask("POST", "/reports", "", b"x").status == 202
    assert len({said(m)[3] for m in queue.requests}) == 121


def test_explain(shop, member):  # noqa: F811
    w = shop(member().port)
    base = f"http://127.0.0.1:{w.port}"

    def explain(*words):
        return w.command("explain", *words).stdout

    assert "to queue reports: the client gets 202, and the result below /jobs" in explain(f"POST {base}/reports")
    fields = [word for line in WEBSOCKET.splitlines() for word in ("header", line)]
    assert "a WebSocket cannot be done later" in explain(f"GET {base}/reports", *fields)
    slow = explain(f"POST {base}/slow")
    assert "with `Prefer: respond-async` it goes to queue reports" in slow
    assert "where there is no room for it, it goes to queue late" in slow
    assert "it goes to queue reports instead" in explain(f"POST {base}/slow", "header", "Prefer: respond-async")
    assert "the queue answers" in explain(f"GET {base}/jobs/{TOKEN}")
    assert "queue" not in explain(f"GET {base}/")

# SPDX-License-Identifier: Apache-2.0
"""Which requests go to a second member and which never do, as the members saw them and as it is counted."""

import time

from http_peers import Client, answer, request
from http_serve import counters, listen_counter, member, serve  # noqa: F401


def refused(w, reason):
    return counters(w)[listen_counter("retries_refused", reason)]


def dies(conn, message):
    """The request is here, whole; no byte of an answer comes."""
    return False


def test_post_is_never_repeated(serve, member):
    bad = [member(dies), member(dies)]
    port = serve(*bad)
    with Client(port) as client:
        for method in ("POST", "PATCH", "LOCK"):
            assert client.ask(method, f"/{method}", body=b"x").status == 502
    assert sorted(bad[0].targets() + bad[1].targets()) == ["/LOCK", "/PATCH", "/POST"]
    assert refused(serve.weir, "unsafe") == 3


def test_idempotent_methods_are(serve, member):
    bad, good = member(dies), member()
    port = serve(bad, good, extra="retry tries 2")
    for i, method in enumerate(("GET", "HEAD", "OPTIONS", "PUT", "DELETE")):
        with Client(port) as client:
            assert client.ask(method, f"/{i}", body=b"x" if method == "PUT" else b"").status == 200
    assert good.targets() == [f"/{i}" for i in range(5)]
    assert counters(serve.weir)[listen_counter("retries")] == len(bad.targets()) >= 1


def test_a_key_makes_post_repeatable_where_the_route_says_so(weir, free_port, member):
    bad, good = member(dies), member()
    port = free_port()
    w = weir(f"""
        processes {{ edge 1 }}
        pool web {{ member bad 127.0.0.1:{bad.port} weight 200; member good 127.0.0.1:{good.port} }}
        pool same {{ member bad 127.0.0.1:{bad.port} weight 200; member good 127.0.0.1:{good.port} }}
        listen shop http 127.0.0.1:{port} {{
            route path /keyed pool web retry idempotency-key
            route pool same
        }}""")
    key = "Idempotency-Key: 8e03978e\r\n"
    with Client(port) as client:
        assert client.ask("POST", "/keyed", key, b"x").status == 200
    time.sleep(2.1)  # no suspect any more
    with Client(port) as client:
        assert client.ask("POST", "/keyed/without", body=b"x").status == 502
        assert client.ask("POST", "/other", key, b"x").status == 502
    assert good.targets() == ["/keyed"]
    assert bad.targets() == ["/keyed", "/keyed/without", "/other"]
    assert refused(w, "unsafe") == 2


def test_a_body_that_has_gone_by_is_not_repeated(serve, member):
    """A large PUT streams: what has left is not at hand any more."""
    def on_head(conn, message):
        conn.exactly(500000)
        raise OSError

    bad = [member(on_head=on_head), member(on_head=on_head)]
    port = serve(*bad)
    with Client(port) as client:
        client.send(request("PUT", "/", "Content-Length: 1000000\r\n"))
        try:
            for _ in range(8):
                client.send(b"x" * 100000)
                time.sleep(0.02)
        except ConnectionError:
            pass
        assert client.response().status == 502
    assert len(bad[0].conns) + len(bad[1].conns) == 1
    assert refused(serve.weir, "unbuffered") == 1


def test_all_tries_are_made_and_no_more(serve, member):
    bad = [member(dies) for _ in range(6)]
    port = serve(*bad, extra="retry { tries 5; backoff 10ms }")
    with Client(port) as client:
        assert client.ask().status == 502
        assert client.is_quiet()
    assert [len(m.requests) for m in bad].count(1) == 5
    assert refused(serve.weir, "tries") == 1
    assert counters(serve.weir)[listen_counter("retries")] == 4


def test_a_pause_lies_before_a_third_try(serve, member):
    times = []
    bad = [member(lambda conn, message: times.append(time.monotonic())) for _ in range(2)]
    for m in bad:
        m.on_request = lambda conn, message: times.append(time.monotonic()) or False
    good = member(lambda conn, message: times.append(time.monotonic()) or answer(200, "x"))
    good.weight = 1
    bad[0].weight = bad[1].weight = 200
    port = serve(*bad, good, extra="retry backoff 800ms")
    with Client(port) as client:
        assert client.ask().status == 200
    assert len(times) == 3
    assert times[2] - times[1] >= 0.39


def test_a_client_that_left_is_not_repeated_for(serve, member):
    def on_request(conn, message):
        time.sleep(0.3)
        return False

    bad = [member(on_request), member(on_request)]
    port = serve(*bad)
    with Client(port) as client:
        client.send(request())
        time.sleep(0.1)
        client.close(is_reset=True)
    time.sleep(0.6)
    assert len(bad[0].conns) + len(bad[1].conns) == 1
    numbers = counters(serve.weir)
    assert numbers[listen_counter("aborted")] == 1


def test_an_answer_is_never_tried_again(serve, member):
    """Neither a 5xx, nor what is no HTTP, nor an answer that breaks off."""
    answers = {"/503": answer(503, "x"), "/nonsense": b"nonsense\r\n\r\n",
               "/part": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"}

    def on_request(conn, message):
        conn.send(answers[message.target])
        return False

    members = [member(on_request), member(on_request)]
    port = serve(*members)
    for path, status in (("/503", 503), ("/nonsense", 502)):
        with Client(port) as client:
            assert client.ask(path=path).status == status
    with Client(port) as client:
        client.send(request(path="/part"))
        client.rest()
    assert sorted(members[0].targets() + members[1].targets()) == ["/503", "/nonsense", "/part"]
    assert refused(serve.weir, "answered") == 1  # nonsense; the part is counted as cut
    assert counters(serve.weir)[listen_counter("cut")] == 1


def test_repetitions_have_a_budget(serve, member):
    """Ten in ten seconds, where a share of nothing is allowed and one a second at least."""
    bad = [member(dies), member(dies)]
    port = serve(*bad, extra="retry tries 2 budget 0% at-least 1/s", pool="eject off")
    for _ in range(15):
        with Client(port) as client:
            assert client.ask().status == 502
    numbers = counters(serve.weir)
    assert numbers[listen_counter("retries")] == 10
    assert numbers[listen_counter("retries_refused", "budget")] == 5
    assert sum(len(m.requests) for m in bad) == 25


def test_what_reached_nobody_is_not_charged(serve, member, free_port):
    m = member()
    m.weight = 1
    port = serve(m, *[free_port() for _ in range(2)], extra="retry budget 0% at-least 1/m")
    for i in range(20):
        with Client(port) as client:
            assert client.ask("POST", f"/{i}", body=b"x").status == 200
    assert counters(serve.weir)[listen_counter("retries_refused", "budget")] == 0

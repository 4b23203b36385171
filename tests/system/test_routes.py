# SPDX-License-Identifier: Apache-2.0
"""Routes from a client's side: shares of a split, keys that make a request repeatable, and what `explain` says."""

import http.client
import json
import urllib.parse

import pytest
from conftest import UnixConnection
from http_peers import Client, answer
from http_serve import counters, member  # noqa: F401

SPLIT = """
processes {{ edge 1 }}
pool web {{ member a 127.0.0.1:{a} }}
pool next {{ member a 127.0.0.1:{b} }}
listen shop http 127.0.0.1:{port} {{
    limits requests 100000
    route path /all split web 0% next 100%
    route POST path /up pool next
    route from 10.0.0.0/8 respond 403
    route split web 80% next 20%
}}
"""


@pytest.fixture
def shares(weir, free_port, member):
    class Shares:
        port = free_port()
        web = member(lambda conn, message: answer(200, b"web"))
        next = member(lambda conn, message: answer(200, b"next"))

    Shares.weir = weir(SPLIT.format(a=Shares.web.port, b=Shares.next.port, port=Shares.port))
    return Shares


def test_shares_of_a_split(shares):
    with Client(shares.port) as client:
        bodies = [client.ask().body for _ in range(1000)]
        assert {client.ask(path="/all").body for _ in range(50)} == {b"next"}
    # 200 of 1000 are expected, with a standard deviation of 12.6: six of them either way
    assert 124 <= bodies.count(b"next") <= 276


def explain(w, request, **more):
    conn = UnixConnection(w.state / "admin.sock")
    conn.request("GET", "/v1/explain?" + urllib.parse.urlencode({"request": request, **more}))
    response = conn.getresponse()
    said = response.read().decode()
    conn.close()
    assert response.status == http.client.OK, said
    return json.loads(said)


def test_explain_says_what_happens(shares):
    said = explain(shares.weir, f"GET http://x.org:{shares.port}/all/of/it")["listens"]
    assert [listen["listen"] for listen in said] == ["shop"]
    routes = said[0]["routes"]
    assert len(routes) == 1 and routes[0]["matches"]
    assert [(pool["pool"], pool["share"]) for pool in said[0]["pools"]] == [("web", 0), ("next", 100)]
    said = explain(shares.weir, f"GET http://x.org:{shares.port}/up", **{"from": "10.1.2.3"})["listens"][0]
    assert [route.get("why") for route in said["routes"]] == ["the path is /up", "the method is GET", None]
    assert said["action"] == "respond" and said["status"] == 403
    with Client(shares.port) as client:  # and so it is
        assert client.ask(path="/all/of/it").body == b"next"


REPEAT = """
processes {{ edge 1 }}
pool web {{ member a 127.0.0.1:{a}; member b 127.0.0.1:{b} }}
listen shop http 127.0.0.1:{port} {{
    route path /pay pool web retry idempotency-key
    route pool web
}}
"""


@pytest.mark.parametrize("path,fields,is_repeated", [
    ("/pay", "Idempotency-Key: \"8e03978e\"\r\n", True),
    ("/pay", "", False),
    ("/other", "Idempotency-Key: \"8e03978e\"\r\n", False),
])
def test_idempotency_key(weir, free_port, member, path, fields, is_repeated):
    """The first member that gets it takes the whole request and closes without an answer."""
    taken = []

    def take(conn, message):
        taken.append(message)
        return False if len(taken) == 1 else answer(201, b"done")

    a, b, port = member(take), member(take), free_port()
    w = weir(REPEAT.format(a=a.port, b=b.port, port=port))
    with Client(port) as client:
        response = client.ask("POST", path, fields=fields, body=b"amount=1")
    assert response.status == (201 if is_repeated else 502)
    assert len(taken) == (2 if is_repeated else 1)
    assert all(message.body == b"amount=1" for message in taken)
    assert counters(w)['weir_listen_retries_total{listen="shop"}'] == (1 if is_repeated else 0)

# SPDX-License-Identifier: Apache-2.0
"""Who gets the next request, as clients and members see it: the methods of `balance`, limits and the queue, backup
members and slow starts. Members count what reaches them; clients are told by the body who answered."""

import collections
import threading
import time

import pytest
from conftest import until
from http_peers import Client, answer, request
from http_serve import counters, listen_counter, member  # noqa: F401

CONF = """
processes {{ edge {loops} }}
pool web {{
    {members}
    {pool}
}}
listen shop http 127.0.0.1:{port} {{ route pool web }}
"""
CHECK = "check http path /healthz every 1s timeout 1s fall 3 rise 1"


class Named:
    """A member that answers with its name; /hold waits until it is let go, and `lag_s` is what any answer takes."""

    def __init__(self, name, member):
        self.name = name
        self.is_sick = False
        self.lag_s = 0
        self.go = threading.Event()
        self.lock = threading.Lock()
        self.n_held, self.n_now, self.n_most = 0, 0, 0
        self.port = member(self.on_request).port

    def on_request(self, _conn, message):
        if message.target == "/healthz":
            return answer(503 if self.is_sick else 200)
        with self.lock:
            self.n_now += 1
            self.n_held += message.target == "/hold"
            self.n_most = max(self.n_most, self.n_now)
        if message.target == "/hold":
            self.go.wait(60)
        time.sleep(self.lag_s)
        with self.lock:  # before the answer: weir may send the next one as soon as it has it
            self.n_now -= 1
        return answer(200, self.name)


@pytest.fixture
def scene(weir, free_port, member):
    """scene.start(pool words, name="words of the member", ...)"""

    class Scene:
        port, members = free_port(), {}

        def start(self, pool="", loops=1, **names):
            self.members = {name: Named(name, member) for name in names}
            lines = "\n".join(f"    member {name} 127.0.0.1:{self.members[name].port} {words}"
                              for name, words in names.items())
            self.weir = weir(CONF.format(loops=loops, members=lines, pool=pool, port=self.port))
            if "check" in pool:
                for name in names:
                    self.weir.wait_fact(f"member:web/{name}", "up")
            return self.members

        def force(self, name, state):
            """down, or auto: without a check it is up then."""
            self.weir.command("force", f"web/{name}", state)
            self.weir.wait_fact(f"member:web/{name}", {"auto": "up"}.get(state, state))

        def counters(self, name):
            return counters(self.weir)[f'weir_pool_{name}']

        def sequence(self, n, **ask):
            """Who answers n requests, one after the other, over one connection."""
            with Client(self.port) as client:
                responses = [client.ask(**ask) for _ in range(n)]
            assert {response.status for response in responses} == {200}
            return [response.body.decode() for response in responses]

        def share(self, n, **ask):
            return collections.Counter(self.sequence(n, **ask))

    made = Scene()
    yield made
    for one in made.members.values():
        one.go.set()


# ---- methods --------------------------------------------------------------------------------------------------------


def test_round_robin(scene):
    scene.start(a="", b="weight 3")
    assert scene.share(40) == {"a": 10, "b": 30}
    assert scene.sequence(8) == 2 * scene.sequence(4)  # smoothly: each round is like the one before


def test_least_load_knows_what_other_loops_have(scene):
    """Whoever has something to do gets nothing while the other one is free. (The weight of that one makes up for
    an answer that has come while the loop that had asked has not yet counted so.)"""
    members = scene.start("balance least-load", loops=2, busy="", free="weight 4")
    members["free"].go.set()
    holding = []
    while members["busy"].n_held == 0:
        holding.append(Client(scene.port))
        holding[-1].send(request(path="/hold"))
        assert until(lambda: members["busy"].n_held + members["free"].n_held == len(holding))
    for client in holding[:-1]:
        assert client.response().body == b"free"
    for _ in range(12):  # connections land in either loop
        assert scene.share(3) == {"free": 3}
    members["busy"].go.set()
    assert holding[-1].response().body == b"busy"
    assert until(lambda: scene.share(8)["busy"])


def test_latency_prefers_who_answers_sooner(scene):
    members = scene.start("balance latency", slow="", fast="")
    members["slow"].lag_s = 0.2
    assert until(lambda: scene.share(20)["fast"] >= 18)
    members["slow"].lag_s, members["fast"].lag_s = 0, 0.2  # and notices when that changes
    assert until(lambda: scene.share(10)["slow"] >= 8)


def test_random_goes_by_weight(scene):
    scene.start("balance random", a="weight 4", b="")
    got = scene.sequence(400)  # 320 : 80; the chance of what is refused is below 1e-12
    assert 250 < got.count("a") < 380
    assert got[:200] != got[200:]


def test_first_with_room(scene):
    """All to the first; over to the second when it is full or down, and back."""
    members = scene.start("balance first", a="max-connections 1", b="", c="")
    assert scene.share(20) == {"a": 20}
    with Client(scene.port) as client:
        client.send(request(path="/hold"))
        assert until(lambda: members["a"].n_held == 1)
        assert scene.share(20) == {"b": 20}
        members["a"].go.set()
        assert client.response().body == b"a"
    assert scene.share(20) == {"a": 20}
    scene.force("a", "down")
    assert until(lambda: scene.share(1)["b"])
    assert scene.share(20) == {"b": 20}
    scene.force("a", "auto")
    assert until(lambda: scene.share(1)["a"])
    assert scene.share(20) == {"a": 20}


# ---- hash -----------------------------------------------------------------------------------------------------------

# What key k looks like in a request; n is different in each request and must not count.
KEYED = {
    "source": lambda k, n: {"path": f"/{n}", "fields": f"X-User: {n}\r\n"},  # the client's address is the key
    "header X-User": lambda k, n: {"path": f"/{n}", "fields": f"X-Users: {n}\r\nx-user: {k}\r\n"},
    "cookie user": lambda k, n: {"path": f"/{n}", "fields": f"Cookie: a={n}; user={k}; b={n}\r\n"},
    "path": lambda k, n: {"path": f"/{k}/page?n={n}", "fields": f"X-User: {n}\r\n"},
    "query user": lambda k, n: {"path": f"/{n}?n={n}&user={k}&m={n}"},
}
KEYS = range(1, 61)  # so many that no member of three is without one by chance


def homes_of(scene, part, n_asks=1):
    """key -> those who answered it, each over a connection of its own, which may land in either loop."""
    homes = {key: set() for key in KEYS}
    for n in range(n_asks):
        for key in KEYS:
            with Client(scene.port, source=f"127.0.9.{key}" if part == "source" else None) as client:
                response = client.ask(**KEYED[part](key, n))
                assert response.status == 200
                homes[key].add(response.body.decode())
    return homes


@pytest.mark.parametrize("part", KEYED)
def test_hash_sends_a_key_to_one_member(scene, part):
    scene.start(f"balance hash {part}", loops=2, a="", b="", c="")
    homes = homes_of(scene, part, 4)
    assert {len(names) for names in homes.values()} == {1}, homes
    assert set.union(*homes.values()) == {"a", "b", "c"}
    scene.weir.write(scene.weir.file.read_text().replace("balance hash", "queue 7; balance hash"))
    scene.weir.reload()
    assert homes_of(scene, part, 2) == homes


def test_hash_without_a_key_goes_to_anyone(scene):
    scene.start("balance hash header X-User", a="", b="", c="")
    assert set(scene.sequence(60)) == {"a", "b", "c"}
    assert set(scene.sequence(60, fields="X-User:\r\n")) == {"a", "b", "c"}


def test_hash_moves_the_keys_of_who_is_away(scene):
    """They are spread over the others, and come home with it; the keys of the others stay, but for a few."""
    part = "header X-User"
    scene.start(f"balance hash {part}", loops=2, a="", b="", c="")
    homes = homes_of(scene, part)
    scene.force("b", "down")
    assert until(lambda: "b" not in set.union(*homes_of(scene, part).values()))
    away = homes_of(scene, part, 2)
    assert {len(names) for names in away.values()} == {1}, away
    moved = [key for key in KEYS if homes[key] != {"b"} and away[key] != homes[key]]
    assert len(moved) < 10, (homes, away)
    scene.force("b", "auto")
    assert until(lambda: homes_of(scene, part) == homes)


# ---- limits and the queue -------------------------------------------------------------------------------------------


def test_max_connections_of_all_loops(scene):
    """Ten clients at once, two at a time: nobody is refused, and the member never has three."""
    members = scene.start("max-connections 2; queue 100 timeout 60s", loops=2, a="")
    members["a"].lag_s = 0.02
    answers, lock = [], threading.Lock()

    def visit():
        for path in ("/hold", "/", "/", "/"):
            with Client(scene.port) as client:  # a new connection: either loop
                response = client.ask(path=path)
            with lock:
                answers.append((response.status, response.body))

    clients = [threading.Thread(target=visit) for _ in range(10)]
    for client in clients:
        client.start()
    assert until(lambda: scene.counters('queue_length{pool="web"}') == 8)
    assert until(lambda: members["a"].n_now == 2)
    members["a"].go.set()
    for client in clients:
        client.join(60)
    assert answers == [(200, b"a")] * 40
    assert members["a"].n_most == 2
    assert scene.counters('queued_total{pool="web"}') >= 8
    assert scene.counters('queue_length{pool="web"}') == 0
    assert scene.counters('queue_failures_total{pool="web",reason="full"}') == 0
    assert scene.counters('queue_failures_total{pool="web",reason="late"}') == 0


def test_a_full_queue(scene):
    members = scene.start("max-connections 1; queue 2 timeout 60s", loops=2, a="")
    clients = [Client(scene.port) for _ in range(3)]
    clients[0].send(request(path="/hold"))
    assert until(lambda: members["a"].n_held == 1)
    for i, client in enumerate(clients[1:]):
        client.send(request())
        assert until(lambda: scene.counters('queue_length{pool="web"}') == i + 1)
    for _ in range(4):  # of either loop
        with Client(scene.port) as client:
            response = client.ask()
            assert response.status == 503 and int(response.get("retry-after")) >= 1
    assert scene.counters('queue_failures_total{pool="web",reason="full"}') == 4
    assert counters(scene.weir)[listen_counter("answers", "queue_full")] == 4
    members["a"].go.set()
    for client in clients:
        assert client.response().body == b"a"
        client.close()
    assert members["a"].n_most == 1
    assert scene.counters('queued_total{pool="web"}') == 2
    assert scene.counters('queue_length{pool="web"}') == 0


# ---- those that come and go -----------------------------------------------------------------------------------------


def test_backup_only_while_the_others_are_down(scene):
    scene.start(a="", b="", spare="backup")
    assert scene.share(20) == {"a": 10, "b": 10}
    scene.force("a", "down")
    assert until(lambda: not scene.share(4)["a"])
    assert scene.share(20) == {"b": 20}  # somebody is left
    scene.force("b", "down")
    assert until(lambda: scene.share(1)["spare"])
    assert scene.share(20) == {"spare": 20}
    scene.force("a", "auto")
    assert until(lambda: scene.share(1)["a"])
    assert scene.share(20) == {"a": 20}
    scene.force("b", "auto")
    assert until(lambda: scene.share(2)["b"])
    assert scene.share(20)["spare"] == 0


def test_backup_goes_by_the_checks_too(scene):
    members = scene.start(CHECK, a="", b="", spare="backup")
    assert scene.share(20)["spare"] == 0
    members["a"].is_sick = members["b"].is_sick = True
    assert until(lambda: scene.share(1)["spare"])
    members["a"].is_sick = members["b"].is_sick = False
    assert until(lambda: scene.share(10)["spare"] == 0)


def test_slow_start(scene):
    """The share of who comes back grows from a tenth to the whole; how far it may be is told by the time."""
    whole_s = 5
    scene.start(f"slow-start {whole_s}s", a="", b="")
    assert scene.share(40) == {"a": 20, "b": 20}  # at the start nobody was away
    scene.force("b", "down")
    assert until(lambda: not scene.share(4)["b"])
    began = time.monotonic()  # before its slow start does
    scene.force("b", "auto")
    assert until(lambda: scene.share(1)["b"])
    share = scene.share(60)
    weight = min(1, 0.1 + 0.9 * (time.monotonic() - began) / whole_s)
    assert share["b"] <= 60 * weight / (1 + weight) + 4, (share, weight)
    assert until(lambda: time.monotonic() - began > whole_s + 1 and scene.share(60)["b"] >= 29)
    assert 29 <= scene.share(60)["b"] <= 31

# SPDX-License-Identifier: Apache-2.0
"""Members that are killed, stopped and drained under load, those that turn down while they have a request, and
requests that wait because nobody is judged yet."""

import json
import signal
import subprocess
import threading
import time

from conftest import until
from http_peers import Client, answer, request
from http_serve import counters, listen_counter, member  # noqa: F401

FAILURES = ("refused", "broken", "status", "body", "late")


def test_killed_stopped_and_drained_under_load(weir, apps, tools, free_port):
    """200 keep-alive connections of GETs: no client notices."""
    port, names = free_port(), "abcdefgh"
    members = {name: apps(name) for name in names}
    lines = "; ".join(f"member {name} 127.0.0.1:{app.port}" for name, app in members.items())
    w = weir(f"""
        processes {{ edge 2 }}
        pool web {{ {lines}; check http path /healthz every 1s timeout 1s fall 2 rise 1 }}
        listen shop http 127.0.0.1:{port} {{ route pool web }}""")
    for name in names:
        w.wait_fact(f"member:web/{name}", "up")
    load = subprocess.Popen([tools / "weir-client", str(port), "/bytes/1024", "200", "120", "1000"],
                            stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    members["a"].process.send_signal(signal.SIGKILL)
    time.sleep(1)
    members["b"].process.send_signal(signal.SIGSTOP)  # its connections stand, and nothing comes
    time.sleep(1)
    w.command("drain", "member:web/c", check=False)
    time.sleep(1)
    members["d"].process.send_signal(signal.SIGSTOP)
    members["e"].process.send_signal(signal.SIGKILL)
    for name in "abde":
        w.wait_fact(f"member:web/{name}", "down")
    load.terminate()
    out, _ = load.communicate(timeout=60)
    for name in "bd":
        members[name].process.send_signal(signal.SIGCONT)
    counts = json.loads(out)
    assert sum(counts[key] for key in FAILURES) == 0, (counts, w.log())
    assert counts["closed"] == 0 and counts["ok"] > 500, counts


def hanging(flag):
    """Answers its check until the flag is set, and the rest when the event `go` is."""
    def on_request(conn, message):
        if message.target == "/healthz":
            return answer(503 if flag["is_sick"] else 200)
        flag["go"].wait(20)
        return answer(200, f"{flag['name']} {message.target}")
    return on_request


def test_what_a_member_that_turns_down_has_is_tried_again(weir, free_port, member):
    sick = {"name": "sick", "is_sick": False, "go": threading.Event()}
    good = {"name": "good", "is_sick": False, "go": threading.Event()}
    good["go"].set()
    a, b = member(hanging(sick)), member(hanging(good))
    port = free_port()
    w = weir(f"""
        processes {{ edge 1 }}
        pool web {{
            member sick 127.0.0.1:{a.port} weight 250; member good 127.0.0.1:{b.port}
            check http path /healthz every 200ms timeout 200ms fall 2 rise 1
        }}
        listen shop http 127.0.0.1:{port} {{ route pool web }}""")
    w.wait_fact("member:web/sick", "up")
    w.wait_fact("member:web/good", "up")
    with Client(port) as getting, Client(port) as posting, Client(port) as uploading:
        getting.send(request(path="/get"))
        posting.send(request("POST", "/post", body=b"x"))
        uploading.send(request("PUT", "/put", "Content-Length: 10\r\n") + b"hello")
        assert until(lambda: {"/get", "/post"} <= set(a.targets()))
        started = time.monotonic()
        sick["is_sick"] = True
        assert getting.response().body == b"good /get"  # long before timeout response
        assert time.monotonic() - started < 15
        assert posting.is_quiet()  # may not be repeated: waits as before
        uploading.send(b"world")
        time.sleep(0.1)
        sick["go"].set()
        assert posting.response().body == b"sick /post"
        assert uploading.response().body == b"sick /put"
    assert b.targets().count("/get") == 1
    assert counters(w)[listen_counter("retries")] == 1


def test_members_that_turn_down_one_after_the_other(weir, free_port, member):
    """Each takes its try with it: `retry tries` bounds those that fail by themselves."""
    flags = [{"name": f"m{i}", "is_sick": False, "go": threading.Event()} for i in range(4)]
    made = [member(hanging(flag)) for flag in flags]
    lines = "; ".join(f"member m{i} 127.0.0.1:{m.port}" for i, m in enumerate(made))
    port = free_port()
    w = weir(f"""
        pool web {{ {lines}; check http path /healthz every 200ms timeout 200ms fall 2 rise 1 }}
        listen shop http 127.0.0.1:{port} {{ route pool web; retry tries 1 }}""")
    for i in range(4):
        w.wait_fact(f"member:web/m{i}", "up")

    def holder(former):
        return [i for i in range(4) if i not in former and "/get" in made[i].targets()]

    with Client(port) as client:
        client.send(request(path="/get"))
        former = []
        for _ in range(3):
            now = until(lambda: holder(former))
            assert len(now) == 1
            flags[now[0]]["is_sick"] = True
            former += now
        last = until(lambda: holder(former))
        flags[last[0]]["go"].set()
        assert client.response().body == f"m{last[0]} /get".encode()
    for flag in flags:
        flag["go"].set()


def test_nobody_else_is_there(weir, free_port, member):
    """The only member turns down: what it has is waited for, since its answer may still come."""
    sick = {"name": "sick", "is_sick": False, "go": threading.Event()}
    a = member(hanging(sick))
    port = free_port()
    w = weir(f"""
        pool web {{
            member sick 127.0.0.1:{a.port}
            check http path /healthz every 200ms timeout 200ms fall 2 rise 1
        }}
        listen shop http 127.0.0.1:{port} {{ route pool web }}""")
    w.wait_fact("member:web/sick", "up")
    with Client(port) as client, Client(port) as late:
        client.send(request(path="/get"))
        assert until(lambda: "/get" in a.targets())
        sick["is_sick"] = True
        w.wait_fact("member:web/sick", "down")
        assert until(lambda: late.ask(path="/late").status == 503)
        assert client.is_quiet()
        sick["go"].set()
        assert client.response().body == b"sick /get"


# ---- waiting ----------------------------------------------------------------------------------------


def judged_late(seconds):
    """A member whose first check takes its time."""
    first = threading.Event()

    def on_request(conn, message):
        if message.target == "/healthz" and not first.is_set():
            time.sleep(seconds)
            first.set()
        return answer(200, message.target)
    return on_request


WAITING = """
    processes {{ edge 1 }}
    pool web {{ member a 127.0.0.1:{a}; check http path /healthz every 20s timeout 10s; {queue} }}
    listen shop http 127.0.0.1:{port} {{ route pool web; {extra} }}
"""


def test_requests_wait_for_the_first_check(weir, free_port, member):
    a, port = member(judged_late(1.5)), free_port()
    w = weir(WAITING.format(a=a.port, port=port, queue="", extra=""))
    clients = [Client(port) for _ in range(5)]
    for i, client in enumerate(clients):
        client.send(request("POST", f"/{i}", body=b"x"))
    assert until(lambda: counters(w).get('weir_pool_queue_length{pool="web"}') == 5), counters(w)
    clients[4].close(is_reset=True)  # who leaves waits no more
    assert until(lambda: counters(w)['weir_pool_queue_length{pool="web"}'] == 4)
    for i, client in enumerate(clients[:4]):
        assert client.response().body == f"/{i}".encode()
        client.close()
    assert sorted(t for t in a.targets() if t != "/healthz") == [f"/{i}" for i in range(4)]
    assert counters(w)['weir_pool_queue_length{pool="web"}'] == 0


def test_the_wait_is_bounded(weir, free_port, member):
    a, port = member(judged_late(8)), free_port()
    w = weir(WAITING.format(a=a.port, port=port, queue="queue 2 timeout 500ms", extra=""))
    with Client(port) as first, Client(port) as second, Client(port) as third:
        first.send(request())
        second.send(request())
        assert until(lambda: counters(w).get('weir_pool_queue_length{pool="web"}') == 2)
        response = third.ask()
        assert response.status == 503 and int(response.get("retry-after")) >= 1
        for client in (first, second):
            response = client.response()
            assert response.status == 503 and int(response.get("retry-after")) >= 1
            assert client.is_quiet()
    numbers = counters(w)
    assert numbers[listen_counter("answers", "queue_full")] == 1
    assert numbers[listen_counter("answers", "queue_late")] == 2


def test_the_whole_request_bounds_the_wait(weir, free_port, member):
    a, port = member(judged_late(8)), free_port()
    w = weir(WAITING.format(a=a.port, port=port, queue="", extra="timeout total 300ms"))
    with Client(port) as client:
        assert client.ask().status == 504
    assert counters(w)[listen_counter("answers", "overdue")] == 1

# SPDX-License-Identifier: Apache-2.0
"""Asynchronous routes as the queue sees them: what the edge sends becomes a job once, and what became of it is told."""

import http.client
import json
import re
import secrets
import signal
import socket
import threading
import time

import pytest
from async_peers import Edge
from conftest import PATIENCE_S, WEIR, until
from http_peers import answer as plain_answer
from http_serve import counters, member  # noqa: F401
from jobs_api import Api

FILE = """
{head}
pool web {{ member a 127.0.0.1:{port}; {pool} }}
queue reports {{ {deliver}; retry 2 backoff 10ms..20ms; {queue} }}
queue other {{ }}
listen shop http 127.0.0.1:{shop} {{ route async reports }}
queues {{ segment 1M; {queues} }}
"""
TOKEN = re.compile(r"/jobs/[A-Za-z0-9_-]{32}$")


def answer(status, body=b"", fields=()):
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return plain_answer(status, body, lines, http.client.responses.get(status, "Fine"))


@pytest.fixture
def shop(weir, free_port):
    """shop(port) is a weir with an asynchronous route, whose queue delivers to a member at that port."""
    edges = []

    def make(port=9, deliver="deliver pool web", queue="", pool="", head="", queues="", start=True):
        one = weir(FILE.format(head=head, port=port, shop=free_port(), deliver=deliver, queue=queue, pool=pool,
                               queues=queues), start=start)

        def edge(**options):
            edges.append(Edge(one, **options))
            return edges[-1]

        one.edge = edge
        return one

    yield make
    for edge in edges:
        edge.close()


def location(reply):
    assert reply.status == 202, reply
    where = reply.headers["Location"]
    assert TOKEN.match(where), where
    assert reply.json()["job"] == where
    return where


def wait_state(edge, where, state):
    assert until(lambda: edge.state(where)["state"] == state, every=0.05), (edge.state(where), edge.w.log())
    return edge.state(where)


def refused(w, reason):
    return counters(w)[f'weir_jobs_refused_total{{listen="async-socket",reason="{reason}"}}']


# ---- from the request to the response -------------------------------------------------------------------------------

def test_a_request_is_answered_at_once_done_later_and_its_response_is_kept(shop, member):
    m = member(lambda conn, message: answer(201, b"made", [("X-Made", "by a member"), ("Content-Type", "text/x")]))
    w = shop(m.port)
    edge = w.edge()
    assert (w.state / "async.sock").stat().st_mode & 0o777 == 0o600
    reply = edge.put(b"a body", "/slow?x=1", "PUT", Host="shop.example", **{"X-Request-Id": "r1"})
    where = location(reply)
    assert reply.json()["state"] in ("waiting", "running") and int(reply.headers["Retry-After"]) >= 1
    assert "Preference-Applied" not in reply.headers
    found = wait_state(edge, where, "done")
    assert found["status"] == 201 and found["attempts"] == 1 and found["response"] == where + "/response"
    response = edge.ask(where + "/response")
    assert (response.status, response.data) == (201, b"made")
    assert response.headers["X-Made"] == "by a member" and response.headers.get_all("Content-Type") == ["text/x"]
    assert "X-Content-Type-Options" not in response.headers
    head = edge.ask(where + "/response", "HEAD")
    assert (head.status, head.data, head.headers["Content-Length"]) == (201, b"", "4")
    seen = m.requests[0]
    assert (seen.method, seen.target, seen.body) == ("PUT", "/slow?x=1", b"a body")
    assert seen.get("host") == "shop.example" and seen.get("x-request-id") == "r1"
    assert seen.get("weir-async") is None and seen.get("weir-queue") == "reports"


def test_credentials_are_stored_only_where_the_route_says_so(shop, member):
    m = member(lambda conn, message: answer(200, b"ok"))
    w = shop(m.port)
    edge = w.edge()
    secret = {"Authorization": "Basic x", "Cookie": "a=b", "Proxy-Authorization": "p", "Prefer": "wait=20, return=x"}
    assert edge.put(**secret).status == 200
    assert edge.put(credentials="keep", **secret).status == 200
    dropped, kept = m.requests
    assert dropped.get("authorization") is None and dropped.get("cookie") is None
    assert kept.get("authorization") == "Basic x" and kept.get("cookie") == "a=b"
    for one in m.requests:
        assert one.get("proxy-authorization") is None and one.get("prefer") == "return=x"


def test_a_webhook_keeps_the_signature_of_its_sender(shop, member):
    m = member(lambda conn, message: answer(200, b"ok"))
    w = shop(m.port, deliver="deliver pool web sign off")
    edge = w.edge()
    assert edge.put(Prefer="wait=20", **{"webhook-id": "7", "webhook-signature": "v1,abc"}).status == 200
    assert m.requests[0].get("webhook-id") == "7" and m.requests[0].get("webhook-signature") == "v1,abc"


def test_any_method_and_any_path(shop, member):
    m = member(lambda conn, message: answer(200, message.method.encode()))
    w = shop(m.port)
    edge = w.edge()
    wait = {"Prefer": "wait=20"}
    for method, target in [("GET", "/"), ("DELETE", "/a/b?c"), ("PATCH", "/"), ("PURGE", "/x"), ("OPTIONS", "*"),
                           ("OPTIONS", "/"), ("GET", "/jobs/" + "A" * 32)]:
        reply = edge.put(method=method, target=target, **wait)
        assert (reply.status, reply.data) == (200, method.encode())
        assert (m.requests[-1].method, m.requests[-1].target) == (method, target)
    assert edge.put(method="HEAD", **wait).status == 200
    assert edge.put(method="TRACE").status == 405


def test_a_body_in_chunks(shop, member):
    m = member(lambda conn, message: answer(200, message.body))
    w = shop(m.port)
    edge = w.edge()
    where = location(edge.put(iter([b"one ", b"two ", b"x" * 300000])))
    wait_state(edge, where, "done")
    assert m.requests[0].body == b"one two " + b"x" * 300000 and m.requests[0].get("transfer-encoding") is None


# ---- waiting --------------------------------------------------------------------------------------------------------

def test_who_prefers_to_wait_gets_the_response_itself_or_the_202(shop, member):
    gate = threading.Event()

    def on_request(conn, message):
        if message.body == b"slow":
            gate.wait(PATIENCE_S)
        return answer(200, b"done " + message.body)

    m = member(on_request)
    w = shop(m.port)
    edge = w.edge()
    reply = edge.put(b"fast", Prefer="respond-async, wait=20")
    assert (reply.status, reply.data) == (200, b"done fast") and "Location" not in reply.headers
    reply = edge.put(b"slow", Prefer="respond-async, wait=1")
    where = location(reply)
    assert reply.headers["Preference-Applied"] == "respond-async" and reply.json()["state"] == "running"
    looked = []

    def look():
        other = w.edge()
        looked.append(other.ask(where, Prefer="wait=20"))

    waits = threading.Thread(target=look)
    waits.start()
    time.sleep(0.2)
    assert not looked
    gate.set()
    waits.join()
    assert looked[0].json()["state"] == "done", looked
    assert edge.ask(where + "/response").data == b"done slow"


def test_a_wait_is_bounded_and_ends_with_its_client(shop, member):
    gate = threading.Event()
    m = member(lambda conn, message: gate.wait(PATIENCE_S) and answer(200, b"ok"))
    w = shop(m.port, queues="async wait 1s")
    began = time.monotonic()
    where = location(w.edge().put(Prefer="wait=100000"))
    assert 1 <= time.monotonic() - began < PATIENCE_S
    left = w.edge()
    left.api.conn.request("GET", where, headers={"Weir-Async": "job; path=/jobs", "Prefer": "wait=1"})
    left.api.conn.sock.shutdown(socket.SHUT_RDWR)
    left.close()
    gate.set()
    wait_state(w.edge(), where, "done")


def test_a_job_that_is_dead_tells_its_last_error_and_its_last_answer(shop, member):
    m = member(lambda conn, message: answer(int(message.body), b"no such thing"))
    w = shop(m.port)
    edge = w.edge()
    where = location(edge.put(b"404"))
    found = wait_state(edge, where, "dead")
    assert found["last_error"] == "404 Not Found: no such thing" and found["status"] == 404
    response = edge.ask(where + "/response")
    assert (response.status, response.data) == (404, b"no such thing")
    again = location(edge.put(b"503"))
    assert wait_state(edge, again, "dead")["attempts"] == 3
    assert edge.ask(again, "DELETE").status == 409


# ---- once -----------------------------------------------------------------------------------------------------------

def test_the_same_request_is_the_same_job_also_after_a_kill(shop, member):
    m = member(lambda conn, message: answer(200, b"ok"))
    w = shop(m.port, pool="check tcp")
    w.command("force", "member:web/a", "down")
    edge = w.edge()
    one = secrets.token_hex(16)
    first = edge.put(b"body", id=one)
    assert location(edge.put(b"body", id=one)) == location(first)
    assert location(edge.put(b"body")) != location(first)
    w.kill("queue", signal.SIGKILL)
    later = w.edge()
    assert until(lambda: serves(w))
    assert location(later.put(b"body", id=one)) == location(first)
    assert later.state(location(first))["state"] in ("waiting", "running")
    w.command("force", "member:web/a", "auto")
    wait_state(later, location(first), "done")
    assert until(lambda: len(m.requests) == 2)
    assert location(later.put(b"body", id=one)) == location(first)


def serves(w):
    try:
        edge = w.edge()
        edge.ask("/jobs/" + "A" * 32)
        return True
    except OSError:
        return False


def test_no_kill_between_the_put_and_its_answer_makes_two_jobs_or_none(shop, member):
    m = member(lambda conn, message: answer(200, b"ok"))
    w = shop(m.port)
    ids = [secrets.token_hex(16) for _ in range(60)]
    promised = {}

    def put(one):
        while one not in promised:
            edge = Edge(w)
            try:
                reply = edge.put(one.encode(), id=one)
                if reply.status == 202:
                    promised[one] = reply.headers["Location"]
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            finally:
                edge.close()

    threads = [threading.Thread(target=lambda part: [put(one) for one in part], args=(ids[i::6],)) for i in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.1)
        w.kill("queue", signal.SIGKILL)
        assert until(lambda: serves(w))
    for thread in threads:
        thread.join(PATIENCE_S)
    edge = w.edge()
    assert until(lambda: all(edge.state(where)["state"] == "done" for where in promised.values()), every=0.1)
    done = [message.body.decode() for message in m.requests]
    assert set(done) == set(ids) and len(set(promised.values())) == len(ids)
    jobs = {message.get("weir-job-id"): message.body for message in m.requests}
    assert len(jobs) == len(ids)  # perhaps done twice, where the queue died in between, but one job


def test_an_idempotency_key_is_one_request_of_one_client(shop, member):
    m = member(lambda conn, message: answer(200, b"ok"))
    w = shop(m.port)
    edge = w.edge()
    key = {"Idempotency-Key": "k 1"}
    first = edge.put(b"body", **key)
    where = location(first)
    assert "Idempotency-Replayed" not in first.headers
    wait_state(edge, where, "done")
    again = edge.put(b"body", **key)
    assert location(again) == where and again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["state"] == "done"
    for other in [edge.put(b"another", **key), edge.put(b"body", "/slow?x", **key),
                  edge.put(b"body", method="PUT", **key)]:
        assert other.status == 422 and "Idempotency-Key" in other.json()["error"], other
    assert location(edge.put(b"another", Authorization="Basic b", **key)) != where
    assert location(edge.put(b"another", **{"Idempotency-Key": "k 2"})) != where
    assert refused(w, "idempotency_key") == 3
    w.kill("queue", signal.SIGKILL)
    assert until(lambda: serves(w))
    edge = w.edge()
    assert location(edge.put(b"body", **key)) == where
    assert edge.put(b"another", **key).status == 422
    assert len([message for message in m.requests if message.body == b"body"]) == 1


def test_a_storm_with_one_key_is_one_job(shop, member):
    m = member(lambda conn, message: answer(200, b"ok"))
    w = shop(m.port)
    replies = []

    def put():
        edge = Edge(w)
        replies.append(edge.put(b"body", **{"Idempotency-Key": "storm"}))
        edge.close()

    threads = [threading.Thread(target=put) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {reply.status for reply in replies} <= {202, 409}
    assert len({location(reply) for reply in replies if reply.status == 202}) == 1
    assert all(int(reply.headers["Retry-After"]) == 1 for reply in replies if reply.status == 409)


# ---- wishes ---------------------------------------------------------------------------------------------------------

def test_a_client_may_put_its_job_off_and_bound_its_attempts(shop, member):
    m = member(lambda conn, message: answer(int(message.body), b""))
    w = shop(m.port, queue="async delay 1h; keep 10m")
    edge = w.edge()
    where = location(edge.put(b"200", **{"Weir-Delay": "10m"}))
    found = edge.state(where)
    assert found["state"] == "delayed" and found["next_attempt"] > found["created"]
    assert 500 < int(edge.ask(where).headers["Retry-After"]) <= 600
    assert edge.ask(where, "DELETE").status == 204
    gone = edge.ask(where)
    assert gone.status == 404 and gone.json() == edge.ask("/jobs/" + "A" * 32).json()
    where = location(edge.put(b"200", **{"Weir-Not-Before": str(int(time.time()) + 2)}))
    assert edge.state(where)["state"] == "delayed" and not m.requests
    wait_state(edge, where, "done")
    dead = location(edge.put(b"503", **{"Weir-Attempts": "1"}))
    assert wait_state(edge, dead, "dead")["attempts"] == 1
    many = location(edge.put(b"503", **{"Weir-Attempts": "50"}))
    assert wait_state(edge, many, "dead")["attempts"] == 3  # the queue's word
    short = location(edge.put(b"200", **{"Weir-Keep": "1"}))
    assert until(lambda: edge.ask(short).status == 404, every=0.1)
    for wish in [{"Weir-Delay": "2h"}, {"Weir-Delay": "soon"}, {"Weir-Attempts": "0"}, {"Weir-Keep": "-1"},
                 {"Weir-Not-Before": str(int(time.time()) + 7200)}, {"Weir-Not-Before": "tomorrow"}]:
        reply = edge.put(b"200", **wish)
        assert reply.status == 400 and list(wish)[0] in reply.json()["error"], (wish, reply)


def test_a_client_may_say_where_its_callback_goes(shop, member):
    m = member(lambda conn, message: answer(200, b"ok"))
    w = shop(m.port, queue="callback told", head="queue told { deliver pool web path /hooks }")
    edge = w.edge()
    location(edge.put(b"1", **{"Weir-Callback": "/hooks/17"}))
    assert until(lambda: [one for one in m.requests if one.target == "/hooks/17"])
    for wish in [{"Weir-Callback": "/other"}, {"Weir-Failure-Callback": "/hooks/1"}]:
        reply = edge.put(b"1", **wish)
        assert reply.status == 400 and list(wish)[0] in reply.json()["error"], (wish, reply)


# ---- what is refused ------------------------------------------------------------------------------------------------

def test_more_than_may_wait_is_refused(shop):
    w = shop(queue="async unfinished 2 body 1k")
    edge = w.edge()
    one = secrets.token_hex(16)
    where = location(edge.put(b"1", id=one))
    location(edge.put(b"2"))
    reply = edge.put(b"3")
    assert reply.status == 503 and int(reply.headers["Retry-After"]) >= 1 and refused(w, "unfinished") == 1
    assert location(edge.put(b"1", id=one)) == where
    assert edge.ask(where, "DELETE").status == 204
    location(edge.put(b"3"))
    large = w.edge()
    assert large.put(b"x" * 1025).status == 413
    large = w.edge()
    assert large.put(iter([b"x" * 1025])).status == 413
    assert refused(w, "size") >= 1


LATER = {"Weir-Delay": "1h"}  # so that nobody does it meanwhile


def explained(w, edge):
    """What explain says of a request now, after it was held against what one gets."""
    said = json.loads(w.command("explain", "queue", "reports", "--json").stdout)["queues"][0]["async"]
    reply = edge.put(b"x", **LATER)
    assert (reply.status == 202) is said["accepts"], (said, reply)
    if said["accepts"]:
        assert said["answer"].startswith("202: ")
        assert edge.ask(location(reply), "DELETE").status == 204
    else:
        assert said["answer"].startswith("503 with Retry-After: ") and int(reply.headers["Retry-After"]) >= 1
    return said


def test_explain_says_what_is_under_way_and_the_cap(shop):
    w = shop(queue="async unfinished 2", queues="async connections 7; limits jobs 3")
    edge = w.edge()
    explained(w, edge)
    said = explained(w, edge)
    assert (said["unfinished"], said["unfinished_max"], said["connections"], said["connections_max"]) == (0, 2, 1, 7)
    assert "0 of its jobs are not over, and its `async unfinished` allows 2, beyond which" in said["answer"]
    first = location(edge.put(b"1", **LATER))
    assert explained(w, edge)["unfinished"] == 1
    location(edge.put(b"2", **LATER))
    assert explained(w, edge)["answer"].startswith(
        "503 with Retry-After: 2 of its jobs are not over, as many as its `async unfinished` allows (test.weir:4:")
    text = w.command("explain", "queue", "reports").stdout
    assert "a request of an asynchronous route now is taken: no, 503 with Retry-After: 2 of its jobs" in text
    assert "connections from the edge: 1 of 7 that `queues { async connections }` allows (test.weir:" in text
    assert edge.ask(first, "DELETE").status == 204
    for _ in range(2):
        w.command("put", "other", "x")
    assert "as many as `queues { limits jobs }` allows" in explained(w, edge)["answer"]
    w.command("drain", "queue:reports", "--no-wait")
    assert "it drains" in explained(w, edge)["answer"]
    assert "async" not in json.loads(w.command("explain", "queue", "other", "--json").stdout)["queues"][0]


def test_a_queue_that_drains_takes_nothing_new(shop):
    w = shop(pool="check tcp")
    edge = w.edge()
    one = secrets.token_hex(16)
    where = location(edge.put(b"1", id=one))
    w.command("drain", "queue:reports", "--no-wait")
    reply = w.edge().put(b"2")
    assert reply.status == 503 and "drains" in reply.json()["error"]
    assert location(edge.put(b"1", id=one)) == where
    w.command("undrain", "queue:reports")
    assert until(lambda: w.edge().put(b"2").status == 202)


def test_a_full_queue_is_503(shop):
    w = shop(queue="limits jobs 1")
    edge = w.edge()
    location(edge.put(b"1"))
    assert edge.put(b"2").status == 503
    assert refused(w, "full") == 1


def test_a_full_log_is_503_until_there_is_room(shop):
    w = shop(queues="limits log 6M")
    edge = w.edge()
    made = []
    for number in range(60):
        reply = edge.put(b"%d" % number + b"x" * 200000)
        if reply.status == 503:
            break
        made.append(location(reply))
    assert reply.status == 503 and "no room" in reply.json()["error"] and int(reply.headers["Retry-After"]) >= 1
    assert refused(w, "full") >= 1
    for where in made:
        assert edge.ask(where, "DELETE").status == 204
    assert until(lambda: edge.put(b"x" * 200000).status == 202, every=0.1)


def test_an_upgrade_keeps_jobs_tokens_and_keys(shop, member):
    m = member(lambda conn, message: answer(200, b"kept"))
    w = shop(m.port)
    edge = w.edge()
    one = secrets.token_hex(16)
    where = location(edge.put(id=one))
    wait_state(edge, where, "done")
    w.command("upgrade", WEIR)
    assert until(lambda: serves(w))
    edge = w.edge()
    assert edge.ask(where + "/response").data == b"kept"
    assert location(edge.put(id=one)) == where


def test_tokens_are_not_to_be_guessed(shop):
    w = shop()
    edge = w.edge()
    where = location(edge.put(b"1"))
    token = where.rpartition("/")[2]
    wrong = [token[:-1] + ("A" if token[-1] != "A" else "B"), "A" * 32, token[::-1], "!" * 32]
    said = [edge.ask("/jobs/" + one) for one in wrong]
    assert {one.status for one in said} == {404} and len({one.data for one in said}) == 1
    for method, path in [("GET", "/jobs"), ("GET", "/jobs/"), ("GET", where + "/body"), ("GET", where + "/"),
                         ("GET", "/other/" + token)]:
        assert edge.ask(path, method).status == 404, path
    reply = edge.ask(where, "POST")
    assert reply.status == 405 and reply.headers["Allow"] == "GET, HEAD, DELETE"
    assert edge.ask(where + "/response", "DELETE").headers["Allow"] == "GET, HEAD"
    assert edge.ask(where + "/response").status == 404
    # A job of another way in has no token.
    api = Api(path=w.state / "jobs.sock")
    assert api.put(b"job", "reports") > 0
    api.close()


def test_a_token_outlives_the_process_and_a_change_of_the_secret(shop, member, tmp_path):
    m = member(lambda conn, message: answer(200, b"kept"))
    secret = tmp_path / "secret"
    old, new = secrets.token_urlsafe(40), secrets.token_urlsafe(40)
    secret.write_text(old + "\n")
    secret.chmod(0o600)
    w = shop(m.port, head=f"secret-file {secret}")
    edge = w.edge()
    where = location(edge.put())
    wait_state(edge, where, "done")
    secret.write_text(f"{new}\n{old}\n")
    assert w.command("reload").returncode == 0
    w.kill("queue", signal.SIGKILL)
    assert until(lambda: serves(w))
    edge = w.edge()
    assert edge.ask(where + "/response").data == b"kept"
    assert location(edge.put()).startswith("/jobs/")
    secret.write_text(f"{new}\n")
    assert w.command("reload").returncode == 0
    assert w.edge().ask(where).status == 404


# ---- hostile bytes --------------------------------------------------------------------------------------------------

def talk(w, data):
    """What is answered until the connection ends."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(str(w.state / "async.sock"))
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        found = b""
        while piece := sock.recv(65536):
            found += piece
        return found


@pytest.mark.parametrize("lines, status", [
    ("", 400),
    ("Weir-Async: \r\n", 400),
    ("Weir-Async: put\r\n", 400),
    ("Weir-Async: job\r\n", 400),
    ("Weir-Async: put; queue=reports; mode=always; credentials=drop; id=12; path=/jobs\r\n", 400),
    ("Weir-Async: put; queue=other; mode=always; credentials=drop; id=" + "0" * 32 + "; path=/jobs\r\n", 503),
    ("Weir-Async: put; queue=" + "q" * 300 + "; mode=always; credentials=drop; id=" + "0" * 32 + "; path=/jobs\r\n",
     503),
    ("Weir-Async: job; path=/jobs\r\nContent-Length: 3\r\n", 413),
    ("Weir-Async: job; path=/jobs\r\nContent-Length: x\r\n", 400),
    ("Weir-Async: job; path=/jobs\r\nA b: c\r\n", 400),
])
def test_what_is_no_request_of_an_edge(shop, lines, status):
    w = shop()
    reply = talk(w, f"POST /jobs/{'A' * 32} HTTP/1.1\r\nHost: h\r\n{lines}\r\n".encode())
    assert reply.startswith(b"HTTP/1.1 %d " % status), reply
    assert w.pid("queue")


def test_bytes_that_are_no_http(shop):
    w = shop()
    pid = w.pid("queue")
    for data in [b"put 0 0 60 1\r\nx\r\n", b"\0" * 100, b"\xff" * 5000, b"GET /", b"",
                 b"GET / HTTP/1.1\r\n" + b"A" * 40000]:
        talk(w, data)
    edge = w.edge()
    location(edge.put(b"fine"))
    assert w.pid("queue") == pid


# ---- the file -------------------------------------------------------------------------------------------------------

def test_a_reload_may_take_the_route_away_and_bring_it_back(shop, member):
    m = member(lambda conn, message: answer(200, b"ok"))
    w = shop(m.port)
    edge = w.edge()
    where = location(edge.put())
    wait_state(edge, where, "done")
    text = w.file.read_text()
    w.write(text.replace("route async reports", "route async other").replace("deliver pool web;", ""))
    assert w.command("reload").returncode == 0
    reply = w.edge().put()
    assert reply.status == 503 and "reports" in reply.json()["error"]
    assert w.edge().ask(where + "/response").data == b"ok"
    w.write(text)
    assert w.command("reload").returncode == 0
    location(w.edge().put())


def test_the_queue_runs_without_a_jobs_address(shop):
    w = shop()
    assert w.fact("jobs:async-socket")["state"] == "serving"
    api = Api(path=w.state / "jobs.sock")
    assert api.put(b"job", "reports") > 0
    api.close()


def test_a_worker_s_output_is_a_response_too(shop):
    w = shop(deliver="concurrency 1")
    edge = w.edge()
    where = location(edge.put(b"body", "/work"))
    api = Api(path=w.state / "jobs.sock")
    job = api.reserve("queue=reports")[0]
    assert job["body"].startswith("weir-request/1\r\nPOST /work HTTP/1.1\r\n") and job["body"].endswith("\r\n\r\nbody")
    assert edge.state(where)["state"] == "running"
    reply = edge.ask(where, "DELETE")
    assert reply.status == 409 and "just now" in reply.json()["error"]
    assert api.post(f"/v1/leases/{job['lease']}/finish", b"\x00output").status == 204
    found = edge.state(where)
    assert found["state"] == "done" and "status" not in found
    reply = edge.ask(where + "/response")
    assert (reply.status, reply.data, reply.headers["Content-Type"]) == (200, b"\x00output", "application/octet-stream")
    silent = location(edge.put(b"body"))
    lease = api.reserve("queue=reports")[0]["lease"]
    assert api.post(f"/v1/leases/{lease}/finish").status == 204
    assert edge.state(silent)["state"] == "done" and edge.ask(silent + "/response").status == 404
    api.close()

# SPDX-License-Identifier: Apache-2.0
"""Callbacks: who hears of a job that ended, what of it, and that no kill parts the two."""

import http.client
import json
import signal
import threading

import pytest
from conftest import until
from http_peers import answer as plain_answer
from http_serve import counters, member  # noqa: F401
from jobs_client import Gone, Jobs

FILE = """
pool work {{ member w 127.0.0.1:{work} }}
pool ears {{ member e 127.0.0.1:{ears} }}
queue reports {{ {callbacks}; {deliver}; retry 1 backoff 1ms..2ms; concurrency 4 }}
queue told {{ deliver pool ears path /hooks hold 50ms; retry 50 backoff 10ms..50ms; {told} }}
jobs 127.0.0.1:{jobs}
queues {{ segment 1M }}
"""
BOTH = "callback told; failure-callback told"


def answer(status, body="", lines=""):
    return plain_answer(status, body, lines, "Fine")


def work(conn, message):
    """A member of `work`: the status is the job."""
    status = int(message.body[:3]) if message.body[:3].isdigit() else 200
    return answer(status, f"said {message.target}", "Content-Type: text/plain\r\n")


@pytest.fixture
def hall(weir, free_port, member):
    """hall(ears, ...) starts a weir whose queue `reports` tells those at the port `ears` of its jobs."""
    clients = []

    def make(ears, callbacks=BOTH, deliver="deliver pool work path /do", told=""):
        jobs = free_port()
        one = weir(FILE.format(work=member(work).port, ears=ears, callbacks=callbacks, deliver=deliver, told=told,
                               jobs=jobs))

        def client(queue="reports"):
            clients.append(Jobs(jobs))
            assert clients[-1].ask(f"use {queue}") == f"USING {queue}"
            return clients[-1]

        one.client = client
        return one

    yield make
    for client in clients:
        client.close()


def put(client, body):
    line = client.put(body)
    assert line.startswith("INSERTED "), line
    return int(line.split()[1])


def documents(ears):
    return [json.loads(message.body) for message in ears.requests]


def jobs_of(client, queue, state):
    return int(client.document(f"stats-tube {queue}")[f"current-jobs-{state}"])


def test_what_a_callback_says(hall, member):
    ears = member(lambda conn, message: answer(204))
    w = hall(ears.port)
    client = w.client()
    done, dead = put(client, b"200"), put(client, b"404")
    assert until(lambda: len(ears.requests) == 2), w.log()
    said = {document["id"]: document for document in documents(ears)}
    for message in ears.requests:
        assert message.first == b"POST /hooks HTTP/1.1" and message.get("content-type") == "application/json"
        assert message.get("host") == "ears" and message.get("weir-queue") == "told"
        assert message.get("weir-attempt") == "1" and message.get("idempotency-key").startswith("told.")
    assert said[done]["queue"] == "reports" and said[done]["state"] == "done" and said[done]["attempts"] == 1
    assert "error" not in said[done] and said[done]["ended"] >= said[done]["created"]
    assert said[done]["response"]["body"] == "said /do"
    assert said[dead]["state"] == "dead" and said[dead]["error"] == "permanent"
    assert said[dead]["error_text"] == "404 Fine: said /do"
    assert said[dead]["response"] == {"status": 404, "type": "text/plain", "body_bytes": 8, "body": "said /do"}
    assert until(lambda: jobs_of(client, "told", "ready") + jobs_of(client, "told", "reserved") == 0)
    assert until(lambda: counters(w)['weir_queue_callbacks_total{queue="reports",state="done"}'] == 1)
    assert counters(w)['weir_queue_callbacks_total{queue="reports",state="dead"}'] == 1


def test_only_what_the_file_asks_for(hall, member):
    ears = member(lambda conn, message: answer(204))
    w = hall(ears.port, callbacks="failure-callback told body 3")
    client = w.client()
    for body in (b"200", b"201", b"422"):
        put(client, body)
    assert until(lambda: len(ears.requests) == 1)
    assert until(lambda: jobs_of(client, "reports", "buried") == 1 and jobs_of(client, "reports", "ready") == 0)
    assert [document["state"] for document in documents(ears)] == ["dead"]
    assert documents(ears)[0]["response"] == {"status": 422, "type": "text/plain", "body_bytes": 8}


def request(fields, path="/own"):
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"weir-request/1\r\nPOST {path} HTTP/1.1\r\nHost: h\r\n{lines}\r\n".encode()


def test_a_job_whose_time_is_over_has_ended_too(hall, member):
    """Dropped by its ttl while it waited: told as a dead one, to the path that it asked for, though nobody ever read
    it, and after a restart that knows its head alone."""
    ears = member(lambda conn, message: answer(204))
    w = hall(ears.port)
    client = w.client()
    client.ask("pause-tube reports 3600")
    jobs = {}
    for name, path, body in (("own", "/hooks/late", request({"Weir-Failure-Callback": "/hooks/late"})),
                             ("long", "/hooks/long", request({"Weir-Failure-Callback": "/hooks/long"}) + b"x" * 5000),
                             ("refused", "/hooks", request({"Weir-Failure-Callback": "/admin"})),
                             ("plain", "/hooks", b"x" * 300), ("done", None, b"200")):
        assert client.ask(f"put-opts ttl={3600 if name == 'done' else 3}") == "OPTIONS"
        jobs[put(client, body)] = path
    w.kill("queue", signal.SIGKILL)
    assert w.wait_back("queue")
    assert until(lambda: len(ears.requests) == 4), w.log()
    for message, said in zip(ears.requests, documents(ears)):
        assert message.target == jobs.pop(said["id"])
        assert (said["queue"], said["state"], said["attempts"]) == ("reports", "expired", 0)
        assert "error" not in said and "response" not in said and said["ended"] >= said["created"] + 3
    assert list(jobs.values()) == [None]
    client = w.client()
    assert jobs_of(client, "reports", "ready") == 1
    assert until(lambda: counters(w)['weir_queue_expired_total{queue="reports"}'] == 4)
    assert counters(w)['weir_queue_callbacks_total{queue="reports",state="dead"}'] == 4


def test_a_job_chooses_the_path_and_nothing_else(hall, member):
    ears = member(lambda conn, message: answer(204))
    w = hall(ears.port)
    client = w.client()
    put(client, request({"Weir-Callback": "/hooks/17?order=3", "Weir-Failure-Callback": "/hooks/bad"}))
    assert until(lambda: len(ears.requests) == 1)
    assert ears.requests[0].target == "/hooks/17?order=3" and ears.requests[0].get("host") == "ears"
    put(client, request({"Weir-Callback": "/hooks/17", "Weir-Failure-Callback": "/hooks/bad"}) + b"404")
    assert until(lambda: len(ears.requests) == 2)
    assert ears.requests[1].target == "/hooks/bad"
    for path in ("http://127.0.0.1:9/hooks", "//127.0.0.1:9/hooks", "/admin", "/hooks/../admin", "/hooks/%2e%2e/admin"):
        n = len(ears.requests)
        job = put(client, request({"Weir-Callback": path}))
        assert until(lambda: len(ears.requests) == n + 1), path
        said = documents(ears)[-1]
        assert said["id"] == job and said["state"] == "dead" and "response" not in said
        assert said["error_text"].startswith("not delivered: it asks for a callback to "), said
        assert ears.requests[-1].target == "/hooks"


def test_a_field_counts_only_where_the_queue_has_callbacks(hall, member):
    ears = member(lambda conn, message: answer(204))
    w = hall(ears.port, callbacks="failure-callback told")
    client = w.client()
    put(client, request({"Weir-Callback": "http://elsewhere/"}))
    assert until(lambda: counters(w)['weir_queue_deliveries_total{queue="reports",outcome="done"}'] == 1)
    assert len(ears.requests) == 0


def test_what_an_operator_buries_brings_none(hall, member):
    ears = member(lambda conn, message: answer(204))
    w = hall(ears.port, deliver="keep 1h")
    client = w.client()
    ids = [put(client, b"x") for _ in range(2)]
    w.command("bury", str(ids[0]))
    assert client.document(f"stats-job {ids[0]}")["reserves"] == "0"
    client.ask("watch reports")
    assert client.job("reserve-with-timeout 5")[0] == ids[1]
    assert client.ask(f"bury {ids[1]} 0") == "BURIED"
    assert until(lambda: len(ears.requests) == 1)
    assert documents(ears)[0]["id"] == ids[1]


def test_a_worker_s_jobs_too(hall, member):
    ears = member(lambda conn, message: answer(204))
    w = hall(ears.port, deliver="keep 1h")
    client = w.client()
    ids = [put(client, b"%d" % i) for i in range(3)]
    assert client.ask("watch reports") == "WATCHING 2"
    for _ in ids:
        assert client.job("reserve-with-timeout 5")[0] in ids
    client.send(f"finish {ids[0]} 2\r\nok\r\n".encode())
    assert client.line() == "FINISHED"
    assert client.ask(f"delete {ids[1]}") == "DELETED"
    assert client.ask(f"bury {ids[2]} 0") == "BURIED"
    assert until(lambda: len(ears.requests) == 3)
    said = {document["id"]: document for document in documents(ears)}
    assert [said[job]["state"] for job in ids] == ["done", "done", "dead"]
    assert said[ids[0]]["response"] == {"body_bytes": 2, "body": "ok"}


def test_callbacks_wait_for_their_receivers_and_hold_up_what_brings_more(hall, member, free_port):
    """Nobody listens: the callbacks stay, and when their queue is full nothing more is delivered."""
    w = hall(free_port(), told="limits jobs 3")
    client = w.client()
    for _ in range(20):
        put(client, b"200")
    assert until(lambda: jobs_of(client, "told", "ready") + jobs_of(client, "told", "reserved") >= 3)
    assert until(lambda: "queue told has no room for their callbacks" in
                 w.command("explain", "queue", "reports").stdout), w.command("explain", "queue", "reports").stdout
    assert until(lambda: counters(w)['weir_queue_delivery_held{queue="reports"}'] == 1)
    n_left = jobs_of(client, "reports", "ready")
    assert n_left >= 20 - 3 - 4  # full, and what was under way then
    ears = member(lambda conn, message: answer(204))
    w.write(w.file.read_text().replace(w.file.read_text().split("member e ")[1].split()[0], f"127.0.0.1:{ears.port}"))
    w.reload()
    assert until(lambda: len({document["id"] for document in documents(ears)}) == 20), len(ears.requests)


def test_no_kill_parts_a_job_from_its_callback(hall, member):
    """Each job that was acknowledged ends once or, where a kill came between, again; none ends unheard."""
    heard, lock = set(), threading.Lock()

    def on_request(conn, message):
        with lock:
            heard.add(json.loads(message.body)["id"])
        return answer(204)

    ears = member(on_request)
    w = hall(ears.port)
    acked, n_kills = set(), 4
    for i in range(n_kills):
        client = w.client()
        try:
            for number in range(60):
                acked.add(put(client, b"404" if number % 3 == 0 else b"200"))
        except (Gone, OSError, AssertionError):
            pass
        assert until(lambda: len(heard) > i * 10), w.log()
        w.kill("queue", signal.SIGKILL)
        assert w.wait_back("queue"), w.log()
    assert until(lambda: acked <= heard), (sorted(acked - heard)[:10], w.log())
    client = w.client()
    assert until(lambda: jobs_of(client, "told", "ready") + jobs_of(client, "told", "reserved") == 0)


def test_from_an_asynchronous_route(weir, free_port, member):
    """The client says where its callback goes, looks at what the member said of a job that is dead, and is refused
    where the path is not one that the file allows."""
    ears = member(lambda conn, message: answer(204))
    port = free_port()
    w = weir(f"pool work {{ member w 127.0.0.1:{member(work).port} }}\n"
             f"pool ears {{ member e 127.0.0.1:{ears.port} }}\n"
             "queue reports { deliver pool work; callback told; failure-callback told }\n"
             "queue told { deliver pool ears path /hooks }\n"
             f"listen shop http 127.0.0.1:{port} {{ route path /reports async reports }}\n")

    def ask(method, path, body=None, **fields):
        conn = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        conn.request(method, path, body, {name.replace("_", "-"): value for name, value in fields.items()})
        reply = conn.getresponse()
        said = reply.status, reply.getheader("Location"), reply.read()
        conn.close()
        return said

    status, job, _ = ask("POST", "/reports", b"404", Weir_Callback="/hooks/good", Weir_Failure_Callback="/hooks/bad")
    assert status == 202
    assert until(lambda: len(ears.requests) == 1), w.log()
    assert ears.requests[0].target == "/hooks/bad"
    assert documents(ears)[0]["response"]["status"] == 404
    assert json.loads(ask("GET", job)[2])["state"] == "dead"
    assert ask("GET", job + "/response")[::2] == (404, b"said /reports")
    assert ask("POST", "/reports", b"200", Weir_Callback="/hooks/good")[0] == 202
    assert until(lambda: len(ears.requests) == 2), w.log()
    assert ears.requests[1].target == "/hooks/good"
    assert ask("POST", "/reports", b"200", Weir_Callback="/elsewhere")[0] == 400

# SPDX-License-Identifier: Apache-2.0
"""The job API as its clients see it: the life of a job, leases that hang on no connection, what is durable, who may
ask, and what is answered to requests that are wrong, late or too much."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import conftest
import pytest
from conftest import PATIENCE_S, until
from jobs_api import Api
from jobs_client import Jobs
from tls_files import Files

FILE = """
jobs 127.0.0.1:{port} {{ {words} }}
queues {{ segment 1M; {queues} }}
{queue_words}
"""
KEPT = "queue kept { keep 1h; retry 2 backoff 1h..1h }"


@pytest.fixture
def hall(weir, free_port):
    """hall(...) starts a weir with a queue; its api() makes a client, its client() one of the job protocol."""
    made = []

    def make(words="", queues="", queue_words=KEPT, **options):
        port = free_port()
        one = weir(FILE.format(port=port, words=words, queues=queues, queue_words=queue_words),
                   **options)
        one.port = port

        def api(**how):
            made.append(Api(port, **how))
            return made[-1]

        def client():
            made.append(Jobs(port))
            return made[-1]

        one.api = api
        one.client = client
        return one

    yield make
    for client in made:
        client.close()


def raw(port, data, timeout=PATIENCE_S):
    """All that is answered until the end of the connection, after our side of it is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout) as conn:
        conn.sendall(data)
        conn.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := conn.recv(1 << 16):
            answer += piece
        return answer


# ---- the life of a job ----------------------------------------------------------------------------------------------

def test_from_put_to_result(hall):
    api = hall().api()
    job = api.put(b"hello \xff\0", "kept", "priority=5&ttr=2m&key=user/7&attempts=4")
    state = api.job(job)
    assert {name: state[name] for name in ("state", "queue", "priority", "ttr", "key", "attempts", "attempts_max",
                                           "body_bytes")} == \
        {"state": "ready", "queue": "kept", "priority": 5, "ttr": 120, "key": "user/7", "attempts": 0,
         "attempts_max": 4, "body_bytes": 8}
    assert api.get(f"/v1/jobs/{job}/body").data == b"hello \xff\0"
    assert api.get(f"/v1/jobs/{job}/result").status == 409
    taken, = api.reserve("queue=kept")
    assert (taken["id"], taken["state"], taken["attempts"]) == (job, "reserved", 1)
    assert base64.b64decode(taken["body_base64"]) == b"hello \xff\0"
    assert api.reserve("queue=kept") == []
    assert api.lease(taken, "touch").json()["lease_left"] in (119, 120)
    assert api.lease(taken, "progress", words="percent=40&text=half+way").status == 200
    assert (api.job(job)["progress"], api.job(job)["progress_text"]) == (40, "half way")
    assert api.lease(taken, "finish", b"\xffdone").status == 204
    assert api.lease(taken, "finish", b"again").status == 410
    state = api.job(job)
    assert (state["state"], state["result_bytes"]) == ("done", 5) and state["expires"] > time.time() + 3000
    assert api.get(f"/v1/jobs/{job}/result").data == b"\xffdone"
    assert api.get(f"/v1/jobs/{job}/body").status == 404
    assert api.delete(f"/v1/jobs/{job}").status == 204
    assert api.get(f"/v1/jobs/{job}").status == 404


def test_without_keep_nothing_stays(hall):
    api = hall().api()
    job = api.put(b"x")
    taken, = api.reserve()
    assert taken["body"] == "x"
    assert api.lease(taken, "finish", b"nobody reads this").status == 204
    assert api.get(f"/v1/jobs/{job}/result").status == 404
    job = api.put(b"y", words="keep=1h")
    assert api.lease(api.reserve()[0], "finish", b"").status == 204
    answer = api.get(f"/v1/jobs/{job}/result")
    assert (answer.status, answer.data) == (200, b"")


def test_times_and_tries(hall):
    api = hall().api()
    later = api.put(b"later", "kept", "delay=10m")
    assert api.job(later)["state"] == "delayed" and 590 < api.job(later)["next"] - time.time() < 610
    moment = int(time.time()) + 5000
    assert api.job(api.put(b"then", "kept", f"not-before={moment}"))["next"] == moment
    assert api.post(f"/v1/jobs/{later}/kick").status == 204
    assert api.post(f"/v1/jobs/{later}/kick").status == 409
    assert api.post("/v1/jobs/9999/kick").status == 404
    taken, = api.reserve("queue=kept")
    assert taken["id"] == later
    assert api.lease(taken, "release", words="delay=3&priority=7").json() == {"state": "delayed"}
    assert api.job(later)["priority"] == 7
    assert api.post(f"/v1/jobs/{later}/kick").status == 204
    assert api.lease(api.reserve("queue=kept")[0], "fail", words="text=no+route").json() == {"state": "delayed"}
    state = api.job(later)
    assert (state["error"], state["error_text"], state["attempts"]) == ("temporary", "no route", 2)
    api.post(f"/v1/jobs/{later}/kick")
    taken, = api.reserve("queue=kept")
    assert api.lease(taken, "fail", words="error=permanent").json() == {"state": "buried"}
    assert [job["id"] for job in api.get("/v1/queues/kept/jobs?state=buried").json()["jobs"]] == [later]
    assert api.post("/v1/queues/kept/kick?n=10").json() == {"kicked": 1}
    assert api.lease(api.reserve("queue=kept")[0], "bury").json() == {"state": "buried"}
    assert api.post(f"/v1/jobs/{later}/kick").status == 204
    assert api.post(f"/v1/jobs/{later}/bury").status == 204
    assert api.post(f"/v1/jobs/{later}/bury").status == 409


def test_a_key_is_taken_once(hall):
    api = hall().api()
    job = api.put(b"x", "kept", "key=k")
    answer = api.post("/v1/queues/kept/jobs?key=k", b"y")
    assert (answer.status, answer.json()["id"], answer.headers["Location"]) == (409, job, f"/v1/jobs/{job}")
    assert api.put(b"z", "other", "key=k") != job


def test_batches(hall):
    api = hall().api()
    items = [{"body": "ä\0b"}, {"body_base64": "/wA=", "delay": "1m", "key": "k"}, {"json": {"x": [1, None]}},
             {"body": "", "key": "k"}]
    answer = api.post("/v1/queues/kept/batch", json.dumps(items))
    assert answer.status == 200, answer
    jobs = answer.json()["jobs"]
    assert answer.json()["put"] == 3 and "error" in jobs[3] and jobs[3]["id"] == jobs[1]["id"]
    bodies = [api.get(f"/v1/jobs/{job['id']}/body").data for job in jobs[:3]]
    assert bodies == ["ä\0b".encode(), b"\xff\0", b'{"x":[1,null]}']
    lines = b'{"body":"1"}\n\n{"body":"2"}\r\n'
    assert api.post("/v1/queues/lines/batch", lines).json()["put"] == 2
    for text, said in ((b"[1]", "job 1:"), (b'[{"body":"x"},{}]', "job 2:"), (b'[{"body":"x"]', "line 1, column"),
                       (b'{"body":"x"}\n{"body"', "line 2, column"), (b"", "no job"), (b"[]", "no job"),
                       (b'[{"body":"x","nobody":1}]', "nobody"), (b'[{"body":"x","ttr":0}]', "ttr: from 1"),
                       (b'[{"body":"x","body":"y"}]', "line 1"), (b'[{"body":"x","json":1}]', "already")):
        answer = api.post("/v1/queues/refused/batch", text)
        assert answer.status == 400 and said in answer.json()["error"], (text, answer)
    assert api.get("/v1/queues/refused").status == 404  # one mistake refuses all


def test_lists_and_queues(hall):
    api = hall().api()
    ids = {api.put(b"x", "many") for _ in range(250)}
    found, cursor = [], 0
    while True:
        page = api.get(f"/v1/queues/many/jobs?state=ready&n=99&from={cursor}").json()
        found += [job["id"] for job in page["jobs"]]
        cursor = page["next"]
        if not cursor:
            break
    assert len(found) == 250 and set(found) == ids
    assert api.get("/v1/queues/nobody/jobs").json() == {"jobs": [], "next": 0}
    assert api.get("/v1/queues/many/jobs?state=lost").status == 400
    queue = api.get("/v1/queues/many").json()
    assert (queue["ready"], queue["puts"], queue["paused"]) == (250, 250, False)
    assert {queue["queue"] for queue in api.get("/v1/queues").json()["queues"]} == {"default", "kept", "many"}
    assert api.get("/v1/queues/nobody").status == 404


def test_a_pause(hall):
    api = hall().api()
    api.put(b"x", "kept")
    assert api.post("/v1/queues/kept/pause").status == 204
    assert api.get("/v1/queues/kept").json()["paused"]
    assert api.reserve("queue=kept") == []
    assert api.post("/v1/queues/kept/unpause").status == 204
    assert len(api.reserve("queue=kept")) == 1
    assert api.post("/v1/queues/kept/pause?for=1h").status == 204
    assert 3590 < api.get("/v1/queues/kept").json()["paused_until"] - time.time() < 3610
    assert api.post("/v1/queues/nobody/pause").status == 404


# ---- leases ---------------------------------------------------------------------------------------------------------

def test_a_lease_hangs_on_no_connection(hall):
    one = hall()
    api = one.api()
    job = api.put(b"x", "kept", "ttr=300")
    taken, = api.reserve("queue=kept")
    api.close()
    assert one.api().job(job)["state"] == "reserved"
    assert one.api().lease(taken, "finish", b"done").status == 204


def test_a_lease_that_is_over(hall):
    one = hall()
    api, jobs = one.api(), one.client()
    job = api.put(b"x", words="ttr=1")
    first, = api.reserve()
    second, = api.reserve("wait=20s")  # its time is over, and it is somebody else's
    assert first["id"] == second["id"] == job and first["lease"] != second["lease"] and second["timeouts"] == 1
    for what in ("touch", "progress", "finish", "release", "fail", "bury"):
        assert api.lease(first, what).status == 410, what
    assert api.lease(second, "release").status == 200
    assert jobs.job("reserve") == (job, b"x")
    assert api.lease(second, "finish").status == 410
    assert jobs.ask(f"delete {job}") == "DELETED"
    for lease in ("", "x", first["lease"][:-1], first["lease"] + "A", "A" * 43, first["lease"].swapcase()):
        assert api.post(f"/v1/leases/{lease}/finish").status in (404, 410), lease


def test_a_job_that_is_cancelled_while_somebody_has_it(hall):
    api = hall().api()
    job = api.put(b"x")
    taken, = api.reserve()
    assert api.delete(f"/v1/jobs/{job}").status == 204
    assert api.lease(taken, "touch").status == 410


def test_a_long_poll(hall):
    one = hall()
    got = []
    worker = threading.Thread(target=lambda: got.append(one.api().reserve("queue=a&queue=kept&wait=50s&n=5")))
    worker.start()
    api = one.api()
    assert until(lambda: api.get("/v1/queues/kept").json()["waiting"] == 1)
    job = api.put(b"x", "kept")
    worker.join(PATIENCE_S)
    assert [taken["id"] for taken in got[0]] == [job]
    assert api.reserve("queue=kept&wait=1") == []
    assert api.post("/v1/reserve?wait=1h&queue=none&n=0").status == 400


def test_a_wait_is_bounded(hall):
    api = hall(words="timeout wait 1s").api()
    assert api.reserve("wait=10m") == []


def test_who_is_gone_gets_no_job(hall):
    one = hall()
    api = one.api()
    gone = one.api()
    for how in ("close", "half"):
        gone.conn.connect()
        gone.conn.request("POST", "/v1/reserve?queue=kept&wait=50s", b"")
        assert until(lambda: api.get("/v1/queues/kept").json()["waiting"] == 1)
        if how == "close":
            gone.close()
        else:
            gone.conn.sock.shutdown(socket.SHUT_WR)
            assert gone.conn.getresponse().status == 204
        assert until(lambda: api.get("/v1/queues/kept").json()["waiting"] == 0)
    job = api.put(b"x", "kept")
    assert (api.job(job)["state"], api.job(job)["attempts"]) == ("ready", 0)


# ---- what is durable ------------------------------------------------------------------------------------------------

def test_what_was_acknowledged_survives_a_kill(hall):
    one = hall()
    kept, lock = set(), threading.Lock()

    def put(number):
        api = one.api()
        try:
            for n in range(10000):
                if n % 2:
                    job = [api.put(b"%d" % number, "kept")]
                else:
                    answer = api.post("/v1/queues/kept/batch", json.dumps([{"body": "x" * 200}] * 5)).json()
                    job = [item["id"] for item in answer["jobs"]]
                with lock:
                    kept.update(job)
        except (OSError, http.client.HTTPException):
            pass  # killed

    writers = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    assert until(lambda: len(kept) > 300)
    one.kill("queue", signal.SIGKILL)
    for writer in writers:
        writer.join(PATIENCE_S)

    def listed():
        api, found, cursor = one.api(), set(), 0
        try:
            while True:
                page = api.get(f"/v1/queues/kept/jobs?n=1000&from={cursor}").json()
                found |= {job["id"] for job in page["jobs"]}
                cursor = page["next"]
                if not cursor:
                    return found
        except OSError:
            return None

    found = until(listed)
    assert kept <= found


def test_results_survive_and_leases_do_not(hall):
    one = hall()
    api = one.api()
    done, open_job = api.put(b"x", "kept"), api.put(b"y", "kept")
    first, second = api.reserve("queue=kept&n=2")
    assert api.lease(first, "finish", b"result").status == 204
    one.kill("queue", signal.SIGKILL)

    def back():
        try:
            return one.api().job(open_job)
        except OSError:
            return None

    assert until(back)["state"] == "ready"
    api = one.api()
    assert api.get(f"/v1/jobs/{done}/result").data == b"result"
    assert api.lease(second, "finish").status == 410


def test_a_planned_stop_gives_jobs_back(hall):
    """The worker did nothing wrong: no attempt counts, whatever becomes of a job whose worker is lost."""
    one = hall(queue_words="queue kept { retry { lost bury } }\nstop-timeout 300ms")
    api = one.api()
    first, second = api.put(b"1", "kept"), api.put(b"2", "kept")
    leased = api.reserve("queue=kept&n=2")
    assert [job["id"] for job in leased] == [first, second]
    one.signal(signal.SIGTERM)
    one.wait_end()
    one.start()
    api = one.api()
    for job in (first, second):
        state = api.job(job)
        assert state["state"] == "ready" and state["attempts"] == 0 and state["reserves"] == 1, state
    assert api.lease(leased[0], "finish").status == 410


def test_a_full_log_refuses_new_jobs_and_serves_the_rest(hall):
    one = hall(queues="limits log 8M")
    api, ids = one.api(), []
    while (answer := api.post("/v1/queues/big/jobs", b"x" * 60000)).status == 201:
        ids.append(answer.json()["id"])
        assert len(ids) < 500
    assert answer.status == 507 and answer.headers["Retry-After"] and len(ids) > 20
    for number in ids:
        job, = api.reserve("queue=big")
        assert (job["id"], len(job["body"])) == (number, 60000)
        assert api.lease(job, "finish").status == 204
    assert until(lambda: api.post("/v1/queues/big/jobs", b"x" * 60000).status == 201, every=0.1)


def test_many_at_once_wait_for_the_disk(hall):
    """More than the log takes at once: whoever waits for its room is asked again, and all are done in the end."""
    one = hall(queues="limits log 64M")
    done = []

    def put(number):
        api = one.api()
        done.extend(api.put(b"%d" % number + b"x" * 60000, "big") for _ in range(20))

    writers = [threading.Thread(target=put, args=(number,)) for number in range(20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(3 * PATIENCE_S)
    assert len(done) == len(set(done)) == 400
    assert one.api().get("/v1/queues/big").json()["ready"] == 400


def test_a_failing_log(hall, monkeypatch):
    """What cannot be written is not promised; what is there can be looked at."""
    monkeypatch.setattr(conftest, "WEIR", str(pathlib.Path(conftest.WEIR).parent / "weir-eio"))
    one = hall()
    api = one.api()
    first, second = api.put(b"x", "kept"), api.put(b"y", "kept")
    job, = api.reserve("queue=kept")
    fault = one.state / "queue" / "eio-sync"
    fault.touch()
    fault.chmod(0o666)  # for the user that weir runs as
    assert api.post("/v1/queues/kept/jobs", b"z").status == 500
    one.wait_fact(f"jobs:127.0.0.1:{one.port}", "failed")
    assert api.lease(job, "finish").status == 500
    assert api.delete(f"/v1/jobs/{second}").status == 500
    assert api.post("/v1/reserve?queue=kept").status == 500
    assert api.get(f"/v1/jobs/{second}/body").data == b"y"
    fault.unlink()
    one.kill("queue", signal.SIGKILL)

    def states():
        try:
            return [one.api().get(f"/v1/jobs/{number}").status for number in (first, second)]
        except (OSError, http.client.HTTPException):
            return None

    assert until(states) == [200, 200]


# ---- who may ask, and where -----------------------------------------------------------------------------------------

def test_a_token_and_tls(hall, tmp_path):
    files = Files(tmp_path)
    files.make("one.example", "DNS:one.example,IP:127.0.0.1")
    token = tmp_path / "token"
    token.write_text("secret\n")
    token.chmod(0o600)
    one = hall(words=f"token-file {token}; tls {{ cert {tmp_path}/one.example.both }}")
    context = ssl.create_default_context(cafile=files.ca)
    for wrong in (None, "wrong", "secret2", "secre"):
        answer = one.api(tls=context, token=wrong).post("/v1/queues/kept/jobs", b"x")
        assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
    api = one.api(tls=context, token="secret")
    for size in (1, 1000, 65535):
        job = api.put(b"z" * size, "kept")
        assert api.get(f"/v1/jobs/{job}/body").data == b"z" * size
    assert len(api.reserve("queue=kept&n=3")) == 3
    local = Api(path=one.state / "jobs.sock")  # whoever started weir needs no token
    assert local.get("/v1/queues/kept").json()["reserved"] == 3
    local.close()
    curl = subprocess.run(["curl", "-sS", "--cacert", str(files.ca), "-H", "Authorization: bearer secret",
                           "--data-binary", "by curl", f"https://127.0.0.1:{one.port}/v1/queues/kept/jobs"],
                          capture_output=True, timeout=PATIENCE_S, check=True)
    assert "id" in json.loads(curl.stdout)


def test_pages_may_not_ask(hall):
    answer = hall().api().ask("POST", "/v1/queues/kept/jobs", b"x", Origin="http://evil.example")
    assert answer.status == 403


def test_two_protocols_on_one_port(hall):
    one = hall()
    api, jobs = one.api(), one.client()
    jobs.ask("use kept")
    assert jobs.put(b"from jobs") == "INSERTED 1"
    taken, = api.reserve("queue=kept")
    assert taken["body"] == "from jobs"
    assert jobs.ask("delete 1") == "NOT_FOUND"  # somebody has it
    assert api.lease(taken, "release").status == 200
    jobs.ask("watch kept")
    assert jobs.job("reserve") == (1, b"from jobs")
    assert api.job(1)["state"] == "reserved"
    # What is not HTTP is answered as beanstalkd answers it, what is in pieces as what is whole.
    for line in (b"GET /\r\n", b"PUT 0 0 1 1\r\n", b"STATS\r\n"):
        assert raw(one.port, line) == b"UNKNOWN_COMMAND\r\n", line
    request = b"GET /v1/jobs/1/body HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for cut in range(1, len(request), 3):
        with socket.create_connection(("127.0.0.1", one.port), PATIENCE_S) as conn:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn.sendall(request[:cut])
            time.sleep(0.002)
            conn.sendall(request[cut:])
            answer = b""
            while piece := conn.recv(1 << 16):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\nfrom jobs"), cut


# ---- what is wrong, late or too much --------------------------------------------------------------------------------

def test_what_is_wrong(hall):
    api = hall().api()
    assert api.get("/").status == 404
    answer = api.ask("PUT", "/v1/jobs/1", b"")
    assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD, DELETE"
    for path in ("/v1/jobs/x", "/v1/jobs/-1", "/v1/jobs/1/", "/v1/jobs/99999999999999999999", "/v1/queues/-x",
                 "/v1/queues/a%00b", "/v1/queues/a%2", "/v1/queues/" + "q" * 201):
        assert api.get(path).status == 404, path
    for words in ("priority=-1", "priority=4294967296", "priority=", "priority", "delay=1.5", "delay=10ms", "ttr=0",
                  "key=", "key=" + "k" * 129, "key=a%20b", "ttl=x", "attempts=0", "attempts=65536", "nobody=1",
                  "priority=1&priority=2", "key=%zz", "key=%", "not-before=now"):
        answer = api.post(f"/v1/queues/kept/jobs?{words}", b"x")
        assert answer.status == 400 and answer.json()["error"], words
    assert api.get("/v1/queues/kept").json()["puts"] == 0
    assert api.put(b"x", "a%2fb", "&&priority=1&")  # a slash in a name, and nothing between two &
    assert api.get("/v1/queues/a%2Fb").json()["ready"] == 1


def test_requests_and_refusals_are_counted(hall):
    one = hall(words="limits job 10")
    api = one.api()
    api.put(b"x", "kept")
    api.lease(api.reserve("queue=kept")[0], "finish")
    assert [api.post("/v1/queues/kept/jobs", body).status for body in (b"x" * 11, b"x" * 11)] == [413, 413]
    assert [api.get(path).status for path in ("/v1/queues", "/v1/queues?x=1", "/v1/nothing")] == [200, 400, 404]
    api.delete("/v1/jobs/9")
    admin = Api(path=one.state / "admin.sock")

    def counted(name, label, value):
        found = re.search(rf'^weir_jobs_{name}_total{{[^}}]*listen="127[^}}]*{label}="{value}"[^}}]*}} (\d+)',
                          admin.get("/metrics").data.decode(), re.MULTILINE)
        return int(found[1])

    kinds = {kind: counted("http_requests", "kind", kind) for kind in ("put", "reserve", "lease", "look", "change")}
    assert kinds == {"put": 1, "reserve": 1, "lease": 1, "look": 2, "change": 1}
    assert counted("refused", "reason", "size") == 2 and counted("refused", "reason", "unknown") == 2
    assert raw(one.port, b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert until(lambda: counted("refused", "reason", "format") == 2)  # with ?x=1; told once a second
    admin.close()


def test_what_is_too_much(hall):
    one = hall(words="limits job 1000 batch 2048")
    api = one.api()
    assert api.post("/v1/queues/kept/jobs", b"x" * 1000).status == 201
    assert api.post("/v1/queues/kept/jobs", b"x" * 1001).status == 413
    assert api.post("/v1/queues/kept/batch", json.dumps([{"body": "x" * 1001}])).status == 400
    assert api.post("/v1/queues/kept/batch", b" " * 2049).status == 413
    chunked = api.ask("POST", "/v1/queues/kept/jobs", iter([b"y" * 600, b"z" * 401]))
    assert chunked.status == 413
    assert api.ask("POST", "/v1/queues/kept/jobs", iter([b"y" * 600, b"z" * 400])).status == 201
    assert api.post("/v1/reserve?queue=kept", b"a body that nobody wants").status == 413
    head = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Large: %s\r\n" % (b"x" * 100000)
    assert b" 431 " in raw(one.port, head + b"\r\n")[:20]


def heap_kib(pid):
    """What a process has for itself alone; pages of files are the kernel's to take back."""
    return int(re.search(r"^RssAnon:\s+(\d+) kB$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])


def nameless_files(pid):
    found = 0
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += "(deleted)" in os.readlink(fd)
    return found


def test_long_bodies_come_in_beside_the_log(hall):
    w = hall(words="limits { job 500k }")
    bodies = [bytes([65 + i]) * (500_000 - i) for i in range(40)]
    socks = []
    try:
        before = heap_kib(w.pid("queue"))
        for body in bodies:
            sock = socket.create_connection(("127.0.0.1", w.port), PATIENCE_S)
            socks.append(sock)
            sock.sendall(b"POST /v1/queues/kept/jobs HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body))
            sock.sendall(body[:-1])
        assert until(lambda: nameless_files(w.pid("queue")) == len(bodies))
        assert heap_kib(w.pid("queue")) - before < 8000  # all of them have 20 MB
        for sock, body in zip(socks, bodies):
            sock.sendall(body[-1:])
            assert sock.recv(4096).startswith(b"HTTP/1.1 201 ")
    finally:
        for sock in socks:
            sock.close()
    assert until(lambda: nameless_files(w.pid("queue")) == 0)
    api = w.api()
    found = {api.get(f"/v1/jobs/{job['id']}/body").data for job in api.get("/v1/queues/kept/jobs").json()["jobs"]}
    assert found == set(bodies)


def test_connections_of_both_kinds_are_counted_together(hall):
    one = hall(words="limits connections 3")
    apis = [one.api() for _ in range(2)]
    assert [api.get("/v1/queues").status for api in apis] == [200, 200]
    jobs = one.client()
    assert jobs.put(b"x") == "INSERTED 1"
    with pytest.raises(OSError):
        one.api().get("/v1/queues")
    apis[0].close()

    def is_served():
        try:
            return one.api().get("/v1/queues").status == 200
        except (OSError, http.client.HTTPException):
            return False

    assert until(is_served)


def test_what_is_full(hall):
    one = hall(queues="limits { jobs 2; tubes 3 }")
    api = one.api()
    api.put(b"x", "kept")
    api.put(b"x", "kept")
    answer = api.post("/v1/queues/kept/jobs", b"x")
    assert answer.status == 507 and answer.headers["Retry-After"]
    answer = api.post("/v1/queues/kept/batch", b'[{"body":"x"}]').json()
    assert answer["put"] == 0 and answer["jobs"][0]["error"]
    assert api.post("/v1/reserve?queue=a&queue=b").status == 507


def test_half_requests(hall):
    one = hall(words="timeout request 1s idle 1s")
    for data in (b"POST /v1/queues/kept/jobs", b"POST /v1/queues/kept/jobs HTTP/1.1\r\nHost: x\r\n",
                 b"POST /v1/queues/kept/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhell"):
        with socket.create_connection(("127.0.0.1", one.port), PATIENCE_S) as conn:
            conn.sendall(data)
            answer = b""
            while piece := conn.recv(1 << 16):
                answer += piece
            # A line that has not said what it is waits as one of the job protocol does.
            assert not answer or b" 408 " in answer[:20], (data, answer)
        raw(one.port, data)
    assert one.api().get("/v1/queues/kept").json()["puts"] == 0


def test_pipelining(hall):
    one = hall()
    put = b"POST /v1/queues/kept/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
    last = b"GET /v1/queues/kept HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw(one.port, put * 50 + last)
    assert answer.count(b"HTTP/1.1 201 ") == 50 and answer.count(b"HTTP/1.1 200 ") == 1
    assert b'"ready":50' in answer
    # Requests that are none end the connection, and what stood before them is done.
    answer = raw(one.port, put + b"\0\0 garbage\r\n\r\n" + put)
    assert answer.count(b"HTTP/1.1 201 ") == 1 and b"HTTP/1.1 400 " in answer
    assert one.api().get("/v1/queues/kept").json()["ready"] == 51


# ---- changes of the file, the end -----------------------------------------------------------------------------------

def test_reload_and_drain(hall):
    one = hall(words="limits job 65535")
    api = one.api()
    api.put(b"x", "kept")
    one.write(one.file.read_text().replace("job 65535", "job 5"))
    one.reload()
    assert api.post("/v1/queues/kept/jobs", b"123456").status == 413
    taken, = api.reserve("queue=kept")
    waiting = one.api()
    waiting.conn.request("POST", "/v1/reserve?wait=50s", b"")
    assert until(lambda: api.get("/v1/queues/default").json()["waiting"] == 1)
    one.signal(signal.SIGTERM)
    assert waiting.conn.getresponse().status in (204, 503)  # nobody waits for the end of the wait
    answer = api.post("/v1/queues/kept/jobs", b"1")
    assert answer.status == 503 and answer.headers["Retry-After"]
    assert api.lease(taken, "finish", b"").status == 204  # who has a job may still end it
    one.wait_end()

# SPDX-License-Identifier: Apache-2.0
"""The queue as its clients see it: every command, what is durable, what a restart, a kill, a reload, an upgrade and a
full log do to jobs and connections."""

import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
from conftest import WEIR, is_alive, until
from jobs_client import Gone, Jobs
from tls_files import Files

FILE = """
jobs 127.0.0.1:{port} {{ {words} }}
queues {{ segment 1M; {queues} }}
{queue_words}
"""


@pytest.fixture
def hall(weir, free_port):
    """hall(...) starts a weir with a queue; its client() makes a connection."""
    clients = []

    def make(words="", queues="", queue_words="", **options):
        port = free_port()
        words = "limits job 65535; " + words
        text = FILE.format(port=port, words=words, queues=queues, queue_words=queue_words)
        one = weir(text, **options)
        one.port = port

        def client():
            clients.append(Jobs(port))
            return clients[-1]

        one.client = client
        return one

    yield make
    for client in clients:
        client.close()


# ---- commands -------------------------------------------------------------------------------------------------------

def test_the_life_of_a_job(hall):
    jobs = hall().client()
    assert jobs.put(b"hello", priority=5) == "INSERTED 1"
    assert jobs.job("peek 1") == (1, b"hello")
    assert jobs.job("peek-ready") == (1, b"hello")
    assert jobs.ask("delete 2") == "NOT_FOUND"
    assert jobs.job("reserve") == (1, b"hello")
    assert jobs.ask("reserve-with-timeout 0") == "TIMED_OUT"
    assert jobs.ask("touch 1") == "TOUCHED"
    assert jobs.ask("bury 1 7") == "BURIED"
    assert jobs.job("peek-buried") == (1, b"hello")
    assert jobs.ask("touch 1") == "NOT_FOUND"
    assert jobs.ask("kick 10") == "KICKED 1"
    stats = jobs.document("stats-job 1")
    assert {name: stats[name] for name in ("state", "pri", "buries", "kicks", "reserves", "tube")} == \
        {"state": "ready", "pri": "7", "buries": "1", "kicks": "1", "reserves": "1", "tube": "default"}
    assert jobs.job("reserve-job 1") == (1, b"hello")
    assert jobs.ask("release 1 3 100") == "RELEASED"
    assert jobs.job("peek-delayed") == (1, b"hello")
    assert jobs.ask("kick-job 1") == "KICKED"
    assert jobs.ask("delete 1") == "DELETED"
    assert jobs.ask("stats-job 1") == "NOT_FOUND"
    assert jobs.ask("kick 1") == "KICKED 0"


def test_tubes(hall):
    jobs = hall().client()
    assert jobs.ask("use mail") == "USING mail"
    assert jobs.ask("list-tube-used") == "USING mail"
    assert jobs.put(b"x") == "INSERTED 1"
    assert jobs.ask("watch mail") == "WATCHING 2"
    assert jobs.ask("ignore default") == "WATCHING 1"
    assert jobs.ask("ignore mail") == "NOT_IGNORED"
    assert jobs.document("list-tubes-watched") == ["mail"]
    assert sorted(jobs.document("list-tubes")) == ["default", "mail"]
    assert jobs.ask("pause-tube mail 60") == "PAUSED"
    assert jobs.ask("reserve-with-timeout 0") == "TIMED_OUT"
    assert jobs.document("stats-tube mail")["pause"] == "60"
    assert jobs.ask("pause-tube mail 0") == "PAUSED"
    assert jobs.ask("pause-tube nobody 0") == "NOT_FOUND"
    assert jobs.job("reserve") == (1, b"x")
    figures = jobs.document("stats")
    assert (figures["current-jobs-reserved"], figures["total-jobs"], figures["cmd-put"]) == ("1", "1", "1")
    assert (figures["current-connections"], figures["current-workers"], figures["draining"]) == ("1", "1", "false")
    assert figures["version"].startswith("1.13.0+weir.")  # clients ask it for what there is


def test_bodies_of_all_sizes_cut_anywhere(hall):
    one = hall()
    jobs = one.client()
    rng = random.Random(7)
    bodies = [rng.randbytes(n) for n in (0, 1, 16, 127, 128, 129, 200, 4096, 65535)]
    stream = b"".join(jobs.put_line(body) for body in bodies)
    while stream:
        n = rng.choice((1, 2, 30, 5000))
        jobs.send(stream[:n])
        stream = stream[n:]
    assert [jobs.line() for _ in bodies] == [f"INSERTED {i + 1}" for i in range(len(bodies))]
    assert jobs.put(b"x" * 65536) == "JOB_TOO_BIG"
    jobs.send(b"put 0 0 1 3\r\nabcde\r\n")
    assert jobs.line() == "EXPECTED_CRLF"
    jobs = one.client()
    assert [jobs.job("reserve") for _ in bodies] == [(i + 1, body) for i, body in enumerate(bodies)]


def test_who_waits_is_served_in_order(hall):
    one = hall()
    workers = [one.client() for _ in range(3)]
    for i, worker in enumerate(workers):
        worker.send(b"reserve\r\n")
        assert until(lambda n=i + 1: one.client().document("stats")["current-waiting"] == str(n))
    producer = one.client()
    for body in (b"a", b"b" * 1000, b"c"):
        producer.put(body)
    assert [worker.take_job(worker.line())[1][:1] for worker in workers] == [b"a", b"b", b"c"]


def test_leases_end(hall):
    one = hall()
    first, second = one.client(), one.client()
    first.put(b"x", ttr=1)
    assert first.job("reserve")[0] == 1
    assert second.job("reserve-with-timeout 20") == (1, b"x")  # its time is over
    assert first.ask("delete 1") == "NOT_FOUND"
    second.close()
    assert first.job("reserve-with-timeout 20") == (1, b"x")  # its connection is
    assert first.ask("reserve-with-timeout 20") == "DEADLINE_SOON"
    assert first.document("stats-job 1")["timeouts"] == "1"


def test_a_hang_up_ends_a_wait_and_what_was_sent_is_answered(hall):
    one = hall()
    jobs = one.client()
    jobs.send(jobs.put_line(b"x") + b"reserve\r\ndelete 1\r\nreserve\r\n")
    jobs.socket.shutdown(socket.SHUT_WR)
    assert [jobs.line() for _ in range(2)] == ["INSERTED 1", "RESERVED 1 1"]
    assert jobs.bytes(1) == b"x"
    assert [jobs.line() for _ in range(2)] == ["DELETED", "TIMED_OUT"]
    with pytest.raises(Gone):
        jobs.line()


def test_own_verbs(hall):
    jobs = hall(queue_words="queue default { retry 1 backoff 0s..0s; keep 1h }").client()
    assert jobs.ask("put-opts key=one attempts=2") == "OPTIONS"
    assert jobs.put(b"a") == "INSERTED 1"
    assert jobs.ask("put-opts key=one") == "OPTIONS"
    assert jobs.put(b"a") == "EXISTS 1"
    for body in (b"b", b"c" * 500):
        jobs.put(body)
    jobs.send(b"batch-reserve 10 0\r\n")
    assert jobs.line() == "BATCH 3"
    assert [jobs.take_job(jobs.line()) for _ in range(3)] == [(1, b"a"), (2, b"b"), (3, b"c" * 500)]
    assert jobs.ask("fail 2 permanent no such user") == "BURIED"
    assert jobs.ask("fail 1 temporary later") == "RELEASED"
    assert jobs.ask("progress 3 50 half") == "TOUCHED"
    assert jobs.ask("fail 3 back it stops") == "RELEASED"  # at once, however often
    assert jobs.job("reserve-job 3") == (3, b"c" * 500)
    jobs.send(b"finish 3 4\r\ndone\r\n")
    assert jobs.line() == "FINISHED"
    assert jobs.ask("delete 3") == "NOT_FOUND"
    assert jobs.ask("batch-reserve 10 20") == "BATCH 1"
    assert jobs.take_job(jobs.line()) == (1, b"a")
    assert jobs.ask("fail 1 temporary again") == "BURIED"


def pages(jobs, state, n):
    """The jobs of the tube in use, of all pages, as dictionaries by id; `text` is taken as it is written."""
    found, start = {}, 0
    while True:
        words = jobs.ask(f"list-jobs {state} {start} {n}").split()
        assert words[0] == "OK", words
        lines = jobs.bytes(int(words[1])).decode().splitlines()
        assert lines[0] == "---" and lines[1].startswith("next: ") and lines[2] == "jobs:"
        assert len(lines) <= 3 + n
        for line in lines[3:]:
            assert line.startswith("- {") and line.endswith("}"), line
            job = dict(pair.split(": ", 1) for pair in line[3:-1].split(", "))
            assert job["id"] not in found
            found[job["id"]] = job
        start = int(lines[1].split()[1])
        if start == 0:
            return found


def test_lists_of_jobs(hall):
    one = hall(queue_words="queue mail { retry 3 backoff 0s..0s }")
    jobs, worker = one.client(), one.client()
    jobs.ask("use mail")
    for i in range(7):
        jobs.put(b"x" * i, priority=i, delay=3600 if i == 6 else 0, ttr=90)
    worker.ask("watch mail")
    assert [worker.job("reserve")[0] for _ in range(3)] == [1, 2, 3]
    assert worker.ask('fail 1 permanent "no", she said') == "BURIED"
    assert worker.ask("bury 2 9") == "BURIED"
    for n in (1, 2, 1000):
        assert {state: sorted(pages(jobs, state, n)) for state in ("ready", "reserved", "delayed")} == \
            {"ready": ["4", "5", "6"], "reserved": ["3"], "delayed": ["7"]}
    jobs.send(b"list-jobs buried 0 10\r\n")
    lines = jobs.bytes(int(jobs.line().split()[1])).decode().splitlines()
    assert lines[:3] == ["---", "next: 0", "jobs:"]
    assert [re.sub("(age|created): [0-9]+", r"\1: 0", line) for line in lines[3:]] == [
        r'- {id: 1, state: buried, pri: 0, attempts: 1, age: 0, ttr: 90, time-left: 0, bytes: 0, created: 0, '
        r'counts: 1,0,0,1,0, error: permanent, text: "\"no\", she said"}',
        '- {id: 2, state: buried, pri: 9, attempts: 1, age: 0, ttr: 90, time-left: 0, bytes: 1, created: 0, '
        'counts: 1,0,0,1,0}']
    later = pages(jobs, "delayed", 1)["7"]
    assert (later["bytes"], later["attempts"]) == ("6", "0") and 3500 < int(later["time-left"]) <= 3600
    worker.close()
    assert until(lambda: "3" in pages(jobs, "ready", 2))
    assert pages(jobs, "reserved", 2) == {}


def test_results_are_kept_and_seen(hall):
    one = hall(queue_words="queue mail { keep 1h }")
    jobs = one.client()
    jobs.ask("use mail")
    jobs.ask("watch mail")
    jobs.put(b"body")
    jobs.put(b"other")
    assert jobs.ask("result 1") == "NOT_FOUND"
    assert jobs.job("reserve") == (1, b"body")
    assert jobs.ask("result 1") == "NOT_FOUND"
    jobs.send(b"finish 1 6\r\nre\r\nst\r\n")
    assert jobs.line() == "FINISHED"
    jobs.job("reserve-job 2")
    jobs.send(b"finish 2 0\r\n\r\n")
    assert jobs.line() == "FINISHED"
    one.kill("queue", signal.SIGKILL)
    assert one.wait_back("queue")
    jobs = one.client()
    jobs.ask("use mail")
    assert jobs.job("result 1") == (1, b"re\r\nst") and jobs.job("result 2") == (2, b"")
    assert jobs.ask("peek 1") == "NOT_FOUND" and jobs.ask("delete 1") == "NOT_FOUND"
    done = pages(jobs, "done", 1)
    assert {number: job["bytes"] for number, job in done.items()} == {"1": "6", "2": "0"}
    assert 3000 < int(done["1"]["time-left"]) <= 3600
    assert [row.split()[0] for row in one.command("jobs", "mail", "done").stdout.splitlines()] == ["ID", "1", "2"]
    shown = one.command("jobs", "show", "1")
    assert (shown.stdout, "state: done" in shown.stderr) == ("re\nst", True)
    assert "next: its result is forgotten in " in shown.stderr
    gone = one.command("jobs", "show", "1", "body", check=False)
    assert gone.returncode == 1 and "its body is not kept" in gone.stderr
    one.command("delete", "1", "--now")
    assert jobs.ask("result 1") == "NOT_FOUND" and jobs.job("result 2")[0] == 2


def test_what_is_known_of_a_job(hall):
    """`weir jobs show`: all of it in each state, times for people, and what comes next."""
    one = hall(queue_words="queue mail { retry 3 backoff 1h..1h; ttl 1d }")
    jobs = one.client()
    jobs.ask("use mail")
    jobs.put(b"body", ttr=100)
    for word in ("put-opts state=buried key=k tried=2 attempts=2 created=1700000000", "put-error permanent 404: no"):
        assert jobs.ask(word) == "OPTIONS"
    jobs.send(b"put-result 6\r\nanswer\r\n")
    assert jobs.line() == "OPTIONS"
    jobs.put(b"dead")
    jobs.put(b"later", delay=7200)

    def shown(number, *part):
        done = one.command("jobs", "show", str(number), *part)
        return done.stdout, [line.split("   ")[0] for line in done.stderr.splitlines()], done.stderr

    body, facts, text = shown(2)
    assert body == "dead" and facts[:4] == ["---", "id: 2", 'tube: "mail"', "state: buried"]
    assert {"attempts: 2", "attempts-allowed: 2", "created: 1700000000", 'key: "k"', "error: permanent",
            'text: "404: no"', "result-bytes: 6"} <= set(facts)
    assert "created: 1700000000   2023-11-14T22:13:20Z" in text
    assert "next: nothing, until `weir kick 2` or `weir delete 2`" in text and "`weir jobs show 2 result`" in text
    assert shown(2, "result")[0] == "answer" and shown(2, "body")[0] == "dead"
    body, facts, text = shown(1)
    assert body == "body" and "attempts-allowed: 4" in facts and "result-bytes: 0" not in facts
    assert "next: `weir explain queue mail` says who takes it" in text
    assert "next: it is ready in 1" in shown(3)[2]
    assert jobs.job("reserve-job 1")[0] == 1
    assert jobs.ask("progress 1 40 nearly") == "TOUCHED"
    text = shown(1)[2]
    assert 'percent: 40\nprogress: "nearly"' in text and "`weir delete 1 --now` takes it away" in text
    assert one.command("jobs", "show", "1", "result", check=False).returncode == 1
    assert one.command("jobs", "show", "9", check=False).returncode == 1
    assert one.command("jobs", "show", "1", "all", check=False).returncode == 2


def test_a_job_is_taken_from_who_has_it(hall):
    one = hall(queue_words="queue mail { concurrency 1 }")
    jobs, worker, other = one.client(), one.client(), one.client()
    jobs.ask("use mail")
    for client in (worker, other):
        client.ask("watch mail")
    for body in (b"a", b"b", b"c"):
        jobs.put(body)
    assert worker.job("reserve") == (1, b"a")
    other.send(b"reserve\r\n")
    assert jobs.ask("delete 1") == "NOT_FOUND"
    assert "a worker has" in one.command("delete", "1", check=False).stderr
    assert jobs.ask("cancel 1") == "DELETED"
    assert other.take_job(other.line()) == (2, b"b")  # `concurrency` has room again
    for command in ("touch 1", "delete 1", "release 1 0 0", "bury 1 0"):
        assert worker.ask(command) == "NOT_FOUND"
    one.command("delete", "2", "--now")
    assert other.ask("delete 2") == "NOT_FOUND" and jobs.ask("cancel 2") == "NOT_FOUND"
    one.kill("queue", signal.SIGKILL)
    assert one.wait_back("queue")
    jobs = one.client()
    assert jobs.ask("peek 1") == "NOT_FOUND" and jobs.ask("peek 2") == "NOT_FOUND" and jobs.job("peek 3") == (3, b"c")


def attempts(jobs, number):
    return jobs.document(f"stats-job {number}")["attempts"]


def test_all_is_given_back(hall):
    one = hall(queue_words="queue mail { retry 1 backoff 1h..1h }")
    jobs, worker = one.client(), one.client()
    jobs.ask("use mail")
    worker.ask("watch mail")
    assert worker.ask("give-back") == "NOT_FOUND"
    for body in (b"a", b"b", b"c"):
        jobs.put(body)
    assert [worker.job("reserve")[0] for _ in range(2)] == [1, 2]
    assert [attempts(jobs, number) for number in (1, 2, 3)] == ["1", "1", "0"]
    assert worker.ask("give-back") == "RELEASED"
    assert [attempts(jobs, number) for number in (1, 2, 3)] == ["0", "0", "0"]
    assert worker.ask("touch 1") == "NOT_FOUND" and worker.job("reserve")[0] == 1


def test_who_leaves_gives_back_what_was_on_its_way(hall):
    """Whether the job came before or not, and whether its answer was read or not."""
    one = hall(queue_words="queue mail { retry 1 backoff 1h..1h }")
    jobs, waiting, given, gone = (one.client() for _ in range(4))
    jobs.ask("use mail")
    for client in (waiting, given, gone):
        client.ask("watch mail")
        client.ask("ignore default")
    waiting.send(b"reserve\r\n")
    waiting.send(b"give-back\r\n")
    waiting.socket.shutdown(socket.SHUT_WR)
    assert [waiting.line(), waiting.line()] == ["TIMED_OUT", "NOT_FOUND"]
    with pytest.raises(Gone):
        waiting.line()
    given.send(b"reserve\r\n")
    jobs.put(b"a")
    assert until(lambda: pages(jobs, "reserved", 1))
    given.send(b"give-back\r\n")
    given.socket.shutdown(socket.SHUT_WR)
    assert given.take_job(given.line()) == (1, b"a") and given.line() == "RELEASED"
    with pytest.raises(Gone):
        given.line()
    assert attempts(jobs, 1) == "0"
    gone.send(b"reserve\r\n")
    assert until(lambda: pages(jobs, "reserved", 1))
    gone.send(b"give-back\r\n")
    gone.close()
    assert until(lambda: pages(jobs, "ready", 1)) and attempts(jobs, 1) == "0"


def test_a_token(hall, tmp_path):
    token = tmp_path / "token"
    token.write_text("secret\n")
    token.chmod(0o600)
    jobs = hall(words=f"token-file {token}").client()
    assert jobs.ask("stats") == "DENIED"
    assert jobs.put(b"use x\r\nuse x") == "DENIED"
    assert jobs.ask("auth secre") == "DENIED"
    assert jobs.ask("auth secret") == "AUTHORIZED"
    assert jobs.put(b"x") == "INSERTED 1"


def test_tls(hall, tmp_path):
    files = Files(tmp_path)
    both = files.make("jobs.test", "DNS:jobs.test")
    one = hall(words=f"tls cert {both}")
    context = ssl.create_default_context(cafile=files.ca)
    jobs = one.client()
    jobs.socket = context.wrap_socket(jobs.socket, server_hostname="jobs.test")
    body = os.urandom(60000)
    assert jobs.put(body) == "INSERTED 1"
    assert jobs.job("reserve") == (1, body)
    one.reload()
    assert jobs.ask("delete 1") == "DELETED"
    plain = one.client()
    with pytest.raises(Gone):
        plain.ask("stats")
    assert one.command("put", "mail", "over the local socket").stdout == "2\n"


# ---- limits ---------------------------------------------------------------------------------------------------------

def test_limits(hall):
    one = hall(words="limits connections 2 output 2k",
               queue_words="queue small { limits jobs 2 }\nqueue short { limits bytes 10 }")
    jobs, other = one.client(), one.client()
    assert other.ask("use other") == "USING other"
    with pytest.raises(Gone):
        one.client().ask("use more")
    jobs.ask("use small")
    assert [jobs.put(b"x") for _ in range(3)] == ["INSERTED 1", "INSERTED 2", "OUT_OF_MEMORY"]
    jobs.ask("use short")
    assert [jobs.put(b"x" * n) for n in (9, 2, 1)] == ["INSERTED 3", "OUT_OF_MEMORY", "INSERTED 4"]
    # A client that does not read is not read.
    other.send(b"peek 1\r\n" * 100000)
    assert [other.job("peek 1") for _ in range(1)] == [(1, b"x")]
    fact = one.fact("queue:small")
    assert fact["state"] == "serving"


def stream(jobs, data, seconds):
    """Sends it again and again, each piece ending in the middle of a command; how many commands were whole."""
    half, sent = len(data) // 2, 0
    until_s = time.monotonic() + seconds
    jobs.send(data[:half])
    while time.monotonic() < until_s:
        jobs.send(data[half:] + data[:half])
        sent += 1
        time.sleep(0.02)
    jobs.send(data[half:])
    return sent + 1


def test_who_streams_is_never_late(hall):
    one = hall(words="timeout request 1500ms")
    jobs = one.client()
    n = stream(jobs, jobs.put_line(b"x" * 20), 3)
    assert [jobs.line() for _ in range(n)] == [f"INSERTED {i + 1}" for i in range(n)]
    late = one.client()
    late.send(b"put 0 0 60 20\r\nxx")
    with pytest.raises(Gone):
        late.line()


def test_who_takes_answers_slowly_is_never_late(hall):
    one = hall(words="timeout send 1500ms; limits output 1M")
    jobs = one.client()
    assert jobs.put(b"x" * 60000) == "INSERTED 1"
    n = 200
    jobs.send(b"peek 1\r\n" * n)
    for _ in range(n):
        assert jobs.take_job(jobs.line()) == (1, b"x" * 60000)
        time.sleep(0.01)
    other = one.client()
    jobs.send(b"peek 1\r\n" * n)
    assert until(lambda: other.document("stats")["current-connections"] == "1")
    with pytest.raises(Gone):
        for _ in range(n):
            jobs.take_job(jobs.line())


# ---- what outlives what ---------------------------------------------------------------------------------------------

def test_a_restart_keeps_all_of_a_job(hall):
    one = hall(queue_words="queue default { keep 1h }")
    jobs = one.client()
    for i in range(6):
        jobs.put(b"%d" % i * 200, priority=i, delay=3600 if i == 5 else 0)
    jobs.ask("put-opts key=k")
    assert jobs.put(b"unique", priority=9) == "INSERTED 7"
    for i in range(3):
        assert jobs.job("reserve")[0] == i + 1  # 1 is buried, 2 deleted, 3 stays reserved, the last has the key
        if i == 0:
            jobs.ask("bury 1 9")
        if i == 1:
            jobs.ask("delete 2")
    jobs.ask("pause-tube default 3600")
    jobs.close()  # a stop would wait for who has a job
    assert one.stop() == 0
    one.start()
    jobs = one.client()
    assert jobs.document("stats-tube default")["pause-time-left"] != "0"
    jobs.ask("pause-tube default 0")
    assert [jobs.document(f"stats-job {i}")["state"] for i in (1, 3, 4, 5, 6, 7)] == \
        ["buried", "ready", "ready", "ready", "delayed", "ready"]
    assert jobs.document("stats-job 3")["reserves"] == "1"
    assert jobs.ask("peek 2") == "NOT_FOUND"
    jobs.ask("put-opts key=k")
    assert jobs.put(b"unique") == "EXISTS 7"
    assert int(jobs.put(b"new").split()[1]) > 7
    assert jobs.job("peek 3") == (3, b"2" * 200)


class Load:
    """Clients that put, take and delete until they are told to stop, and remember what they were promised."""

    def __init__(self, one):
        self.one = one
        self.lock = threading.Lock()
        self.put, self.asked, self.deleted = {}, set(), set()
        self.is_over = False
        self.twice = []
        self.threads = [threading.Thread(target=self.produce, args=(i,)) for i in range(3)]
        self.threads += [threading.Thread(target=self.consume) for _ in range(2)]
        for thread in self.threads:
            thread.start()

    def run(self, work):
        while not self.is_over:
            try:
                jobs = Jobs(self.one.port)
            except OSError:
                time.sleep(0.002)
                continue
            try:
                while not self.is_over:
                    work(jobs)
            except (Gone, OSError):
                pass
            finally:
                jobs.close()

    def produce(self, i):
        count = iter(range(1 << 30))

        def work(jobs):
            body = b"%d/%d/" % (i, next(count)) + b"x" * random.choice((5, 300, 3000))
            line = jobs.put(body)
            assert line.startswith("INSERTED "), line
            with self.lock:
                number = int(line.split()[1])
                if number in self.put:
                    self.twice.append(number)
                self.put[number] = body
        self.run(work)

    def consume(self):
        def work(jobs):
            found = jobs.job("reserve-with-timeout 1")
            if isinstance(found, str):
                return
            if random.random() < 0.3:
                jobs.ask(f"release {found[0]} {random.randrange(5)} 0")
                return
            with self.lock:
                self.asked.add(found[0])
            if jobs.ask(f"delete {found[0]}") == "DELETED":
                with self.lock:
                    self.deleted.add(found[0])
        self.run(work)

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()


def kill_under_load(one, times):
    load = Load(one)
    for i in range(times):
        time.sleep(random.uniform(0.05, 0.3))
        if i < 3:  # further deaths in a row would have to wait for longer and longer
            one.kill("queue", signal.SIGKILL)
            assert one.wait_back("queue"), one.log()
        else:
            one.process.kill()
            one.process.wait()
            assert until(lambda: not any(is_alive(pid) for pid in one.seen))
            one.start()
    load.stop()
    one.kill("queue", signal.SIGKILL)
    assert one.wait_back("queue"), one.log()
    assert not load.twice
    jobs = one.client()
    for number, body in load.put.items():
        found = jobs.job(f"peek {number}")
        if number in load.deleted:
            assert found == "NOT_FOUND", number
        elif number not in load.asked:  # what was asked for and not answered may be gone
            assert found == (number, body), number
    # Each is there once: all that is ready comes in one round of reserves.
    left = int(jobs.document("stats")["current-jobs-ready"])
    numbers = [jobs.job("reserve-with-timeout 0")[0] for _ in range(left)]
    assert len(set(numbers)) == left
    assert jobs.ask("reserve-with-timeout 0") == "TIMED_OUT"
    assert len(load.put) > times


def test_killed_twenty_times_under_load(hall):
    kill_under_load(hall(), 20)


def test_a_reload(hall, free_port):
    one = hall(queue_words="queue mail { limits jobs 1 }")
    jobs = one.client()
    jobs.ask("use mail")
    assert [jobs.put(b"x") for _ in range(2)] == ["INSERTED 1", "OUT_OF_MEMORY"]
    port = free_port()
    one.write(f"jobs 127.0.0.1:{one.port}\njobs 127.0.0.1:{port}\nqueues {{ segment 1M }}\n"
              .replace(f"{one.port}\n", f"{one.port} {{ limits job 1k }}\n", 1)
              .replace(f"{port}\n", f"{port} {{ limits job 1k }}\n", 1))
    one.reload()
    assert jobs.put(b"x") == "INSERTED 2"  # the same connection, without the limit
    assert Jobs(port).job("peek 2") == (2, b"x")
    one.write(f"jobs 127.0.0.1:{port} {{ limits job 1k }}\nqueues {{ segment 1M }}\n")
    one.reload()
    with pytest.raises(Gone):
        jobs.ask("stats")
    assert until(lambda: "queue:mail" not in one.facts())
    one.write(f"jobs 127.0.0.1:{port} {{ limits job 1k }}\nqueues {{ segment 1M; sync off }}\n")
    assert one.reload(check=False).returncode != 0


def test_an_upgrade_hands_the_log_over(hall):
    one = hall()
    jobs = one.client()
    jobs.put(b"x" * 500)
    assert jobs.job("reserve")[0] == 1
    one.command("upgrade", WEIR)
    with pytest.raises(Gone):
        jobs.ask("stats")
    again = one.client()
    assert again.job("reserve-with-timeout 20") == (1, b"x" * 500)
    assert int(again.put(b"y").split()[1]) > 1
    one.wait_fact(f"jobs:127.0.0.1:{one.port}", "serving")


def test_a_drain_lets_workers_finish(hall):
    one = hall()
    worker, idle = one.client(), one.client()
    worker.put(b"x")
    assert worker.job("reserve")[0] == 1
    idle.document("stats")
    one.signal(signal.SIGTERM)
    with pytest.raises(Gone):
        idle.line()
    assert worker.put(b"y") == "DRAINING"
    assert worker.ask("delete 1") == "DELETED"
    assert one.wait_end() == 0
    one.start()
    assert one.client().ask("peek 1") == "NOT_FOUND"


def test_a_full_log_refuses_new_jobs_and_serves_the_rest(hall):
    one = hall(queues="limits log 8M")
    jobs = one.client()
    answers = []
    while not answers or answers[-1] != "OUT_OF_MEMORY":
        answers.append(jobs.put(b"x" * 60000))
        assert len(answers) < 500
    assert len(answers) > 20 and all(answer.startswith("INSERTED") for answer in answers[:-1])
    for number in range(1, len(answers)):
        assert jobs.job("reserve") == (number, b"x" * 60000)
        assert jobs.ask(f"delete {number}") == "DELETED"
    assert until(lambda: jobs.put(b"x" * 60000).startswith("INSERTED"), every=0.1)


def test_a_log_that_does_not_end_well_refuses_the_start(hall):
    one = hall()
    jobs = one.client()
    for _ in range(40):
        jobs.put(b"x" * 60000)
    assert one.stop() == 0
    first = sorted((one.state / "queue").glob("*.wal"))[0]
    with open(first, "r+b") as file:
        file.seek(-40, os.SEEK_END)
        file.write(b"\xff" * 40)
    one.spawn()
    assert one.wait_end() != 0
    one.wait_log(first.name)
    one.wait_log("the queue's log")


def test_the_cleaner_keeps_the_log_small(hall):
    one = hall()
    jobs = one.client()
    jobs.put(b"stays" * 1000)
    jobs.ask("use other")
    jobs.ask("watch other")
    jobs.ask("ignore default")
    for i in range(400):
        number = int(jobs.put(b"x" * 60000).split()[1])
        assert jobs.job("reserve")[0] == number
        assert jobs.ask(f"delete {number}") == "DELETED"
    assert until(lambda: len(list((one.state / "queue").glob("*.wal"))) < 12, every=0.1)
    assert jobs.job("peek 1") == (1, b"stays" * 1000)
    one.kill("queue", signal.SIGKILL)
    assert one.wait_back("queue"), one.log()
    assert one.client().job("peek 1") == (1, b"stays" * 1000)


def test_the_status_shows_queues(hall):
    one = hall(queues="sync off", queue_words="queue mail { retry 8 backoff 10s..1h }")
    jobs = one.client()
    jobs.ask("use mail")
    for delay in (0, 0, 0, 3600):
        jobs.put(b"x", delay=delay)
    jobs.ask("watch mail")
    assert jobs.job("reserve")[0] == 1
    assert jobs.job("reserve")[0] == 2
    assert jobs.ask("bury 2 0") == "BURIED"
    jobs.ask("pause-tube mail 60")
    table = one.command("status").stdout.split("\nqueues  ")[1].splitlines()
    assert table[0] == "4 jobs, not durable: sync off"
    assert table[1].split() == ["QUEUE", "READY", "RESERVED", "DELAYED", "BURIED", "OLDEST", "WORKERS", "WAITING",
                                "STATE"]
    rows = {row.split()[0]: row for row in table[2:4]}
    assert rows["mail"].split()[1:5] == ["1", "1", "1", "1"] and rows["mail"].endswith("  paused")
    assert rows["default"].split()[1:5] == ["0", "0", "0", "0"]
    (detail,) = [process["detail"]["modules"]["queue"] for process in one.status()["processes"]
                 if process["name"] == "queue"]
    assert (detail["queues_total"], detail["sync"], detail["is_durable"]) == (2, "off", False)


def test_a_reload_says_what_it_leaves(hall, free_port):
    """Jobs of a queue that goes from the file stay, and whoever takes it out is told."""
    words = 'queue mail { retry 8 backoff 10s..1h }\nqueue empty { keep 1d }\nqueue night { schedule "0 0 1 1 *" }'
    one = hall(queue_words=words)
    jobs = one.client()
    jobs.ask("use mail")
    jobs.put(b"x")
    assert until(lambda: one.fact("queue:mail")["value"] == 1 and one.fact("queue:night")["value"] == 1)
    text = one.file.read_text()
    one.write(text.replace(words, ""))
    said = one.reload().stdout
    assert said == ("generation 2 is in force\n"
                    "warning: queue mail leaves the file with 1 job: what fails is tried again without an end\n"
                    "      = a `queue` of its name in the file takes them up again\n"
                    "1 warning\n")
    one.wait_log("queue mail leaves the file with 1 job")
    assert jobs.document("stats-tube mail")["current-jobs-ready"] == "1"
    one.write(text)
    assert one.reload().stdout == "generation 3 is in force\n"
    assert until(lambda: one.fact("queue:mail")["value"] == 1)
    one.write(f"queues {{ segment 1M }}\npool web {{ member a 127.0.0.1:9 }}\n"
              f"listen shop http 127.0.0.1:{free_port()} {{ route pool web }}\n")
    assert "warning: the log keeps 1 job, and nobody reads it without a `jobs`" in one.reload().stdout


# ---- from a shell ---------------------------------------------------------------------------------------------------

def test_the_queue_from_a_shell(hall):
    one = hall()
    jobs = one.client()
    assert one.command("put", "mail", "hello", "priority", "5").stdout == "1\n"
    assert one.command("put", "mail", "later", "delay", "90s", "lease", "10m").stdout == "2\n"
    assert jobs.document("stats-job 2")["ttr"] == "600"
    table = one.command("jobs").stdout.splitlines()
    assert [row.split()[:3] for row in table] == [["QUEUE", "READY", "DELAYED"], ["default", "0", "0"],
                                                  ["mail", "1", "1"]]
    assert one.command("jobs", "show", "1").stdout == "hello"
    one.command("bury", "1")
    assert jobs.document("stats-job 1")["state"] == "buried"
    assert jobs.document("stats-job 1")["pri"] == "5"
    assert jobs.document("stats-job 1")["reserves"] == "0"
    assert "or it is buried or done" in one.command("bury", "1", check=False).stderr
    assert "buried" in one.command("jobs", "mail").stdout
    assert one.command("kick", "mail").stdout == "1 of mail ready again\n"
    assert jobs.document("stats-job 2")["state"] == "delayed"  # kick is for the buried ones
    one.command("bury", "1")
    assert one.command("kick", "1").stdout == "" and jobs.document("stats-job 1")["state"] == "ready"
    one.command("kick", "2")
    assert jobs.document("stats-job 2")["state"] == "ready"
    one.command("pause", "mail", "5m")
    assert jobs.document("stats-tube mail")["pause"] == "300"
    one.command("pause", "mail", "off")
    one.command("delete", "1")
    assert jobs.ask("peek 1") == "NOT_FOUND"
    gone = one.command("delete", "1", check=False)
    assert gone.returncode == 1 and "there is no job 1:" in gone.stderr
    assert one.command("put", "-bad", "x", check=False).returncode == 2


def test_mistakes_at_a_shell(hall):
    one = hall(queue_words="queue mail { retry 8 backoff 10s..1h }")
    jobs = one.client()
    jobs.ask("use held")
    jobs.put(b"x")
    jobs.ask("watch held")
    assert jobs.job("reserve")[0] == 1
    for words, status, said in (
            (("kick", "nowhere"), 1, "weir kick: there is no queue nowhere\n"),
            (("kick",), 2, "weir kick: QUEUE|ID is missing\nusage: weir kick QUEUE|ID"),
            (("put", "mail", "hello", "world"), 2,
             "weir put: neither priority, delay nor lease (a body of several words stands in quotes): hello\n"),
            (("pause", "mail"), 2, "weir pause: TIME|off is missing\n"),
            (("pause", "mail", "10"), 2, 'weir pause: "10" has no unit: write 2s, 250ms, 5m\n'),
            (("pause", "nowhere", "5m"), 1, "weir pause: there is no queue nowhere\n"),
            (("jobs", "nowhere"), 1, "weir jobs: there is no queue nowhere\n"),
            (("jobs", "nowhere", "buried"), 1, "weir jobs: there is no queue nowhere\n"),
            (("queue", "export", "nowhere"), 1, "weir queue: there is no queue nowhere\n"),
            (("drain", "queue:nowhere"), 1, "weir drain: there is no queue nowhere\n"),
            (("jobs", "show", "99"), 1, "weir jobs: there is no job 99: it is done, deleted, or never was\n"),
            (("kick", "99"), 1, "weir kick: there is no job 99: "),
            (("kick", "1"), 1, "weir kick: job 1 is neither buried nor delayed\n"),
            (("kick", "1", "5"), 1, "weir kick: there is no queue 1\n"),
            (("bury", "99"), 1, "weir bury: there is no job 99: "),
            (("delete", "99"), 1, "weir delete: there is no job 99: "),
            (("bury", "1"), 1, "weir bury: a worker has job 1, or it is buried or done\n"),
            (("delete", "1"), 1, "weir delete: a worker has job 1: --now takes it away\n"),
            (("put", "mail", "x" * 70000), 1, "weir put: its body is larger than `limits job` of the first `jobs`"),
    ):
        done = one.command(*words, check=False)
        assert (done.returncode, done.stderr[:len(said)]) == (status, said)
        assert done.stdout in ("", "\n")
    none = one.command("kick", "mail")
    assert none.stdout == "0 of mail ready again: none is buried\n"
    assert "nowhere" not in one.command("jobs").stdout  # asking makes no queue


def test_tls_towards_a_plain_address(hall):
    """Its handshake is answered and closed: whoever waits for the rest of it would wait for long."""
    one = hall()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with socket.create_connection(("127.0.0.1", one.port), 20) as conn:
        with pytest.raises(ssl.SSLError, match="(?i)wrong.version.number"):
            tls.wrap_socket(conn, server_hostname="localhost")
    assert one.client().document("stats")["cmd-put"] == "0"


def test_a_queue_drains(hall):
    one = hall()
    jobs = one.client()
    jobs.ask("use mail")
    jobs.ask("watch mail")
    assert [jobs.put(b"x"), jobs.put(b"y", delay=1000)] == ["INSERTED 1", "INSERTED 2"]
    assert one.command("drain", "queue:mail", "--no-wait").stdout == "mail takes no new jobs\n"
    assert jobs.put(b"z") == "DRAINING"
    done = one.command("drain", "queue:mail", "timeout", "500ms", check=False)
    assert done.returncode == 1 and "not waited for any longer" in done.stderr
    assert "mail: 1 ready, 0 reserved, 1 delayed\n" in done.stdout
    assert "draining" in one.command("status").stdout
    one.stop()
    one.start()
    jobs = one.client()
    jobs.ask("use mail")
    jobs.ask("watch mail")
    assert jobs.put(b"z") == "DRAINING"
    jobs.ask(f"delete {jobs.job('reserve')[0]}")
    assert one.command("drain", "queue:mail").stdout.endswith("mail: 0 ready, 0 reserved, 1 delayed\n")
    assert one.command("undrain", "queue:mail").stdout == "mail takes jobs\n"
    assert jobs.put(b"z").startswith("INSERTED ")
    for wrong in (["drain", "queue:nobody"], ["undrain", "queue:nobody"], ["drain", "queue:mail", "time", "5s"]):
        assert one.command(*wrong, check=False).returncode != 0
    assert jobs.ask("drain-tube mail 2") == "BAD_FORMAT"


def test_a_body_that_cannot_be_read_is_no_job(hall):
    one = hall()
    folder = os.open(one.folder, os.O_RDONLY)  # reading it is an error
    try:
        failed = one.command("put", "mail", stdin=folder, check=False)
    finally:
        os.close(folder)
    assert failed.returncode == 1 and "cannot read standard input" in failed.stderr
    assert one.client().ask("peek 1") == "NOT_FOUND"


def test_the_jobs_of_a_state_from_a_shell(hall):
    one = hall()
    jobs = one.client()
    jobs.ask("use mail")
    jobs.ask("watch mail")
    for i in range(5):
        jobs.put(b"x" * i, priority=i, delay=10000 if i == 4 else 0)
    assert [jobs.job("reserve")[0] for _ in range(3)] == [1, 2, 3]
    jobs.ask("bury 2 8")
    assert jobs.ask('fail 1 permanent the "user" is gone') == "BURIED"
    rows = [row.split() for row in one.command("jobs", "mail", "buried").stdout.splitlines()]
    assert rows[0] == ["ID", "PRIORITY", "ATTEMPTS", "AGE", "BYTES", "LAST", "ERROR"]
    assert [row[:3] for row in rows[1:]] == [["1", "0", "1"], ["2", "8", "1"]]
    assert rows[1][5:] == ["0", "permanent:", "the", '"user"', "is", "gone"] and rows[2][5:] == ["1"]
    ready, delayed, reserved = (one.command("jobs", "mail", state).stdout.splitlines()
                                for state in ("ready", "delayed", "reserved"))
    assert [table[1].split()[0] for table in (ready, delayed, reserved)] == ["4", "5", "3"]
    assert "TIME LEFT" in delayed[0] and " 2 h " in delayed[1] and "TIME LEFT" not in ready[0]
    cut = one.command("jobs", "mail", "buried", "limit", "1")
    assert len(cut.stdout.splitlines()) == 2 and "more than these 1" in cut.stderr
    whole = one.command("jobs", "mail", "buried", "limit", "2")
    assert len(whole.stdout.splitlines()) == 3 and not whole.stderr
    gone = one.command("jobs", "nobody", "ready", check=False)
    assert gone.returncode == 1 and "there is no queue" in gone.stderr
    assert jobs.document("list-tubes") == ["default", "mail"]
    for words in (("gone",), ("ready", "limit"), ("ready", "limit", "0"), ("ready", "most", "1")):
        assert one.command("jobs", "mail", *words, check=False).returncode == 2


def test_jobs_go_to_a_file_and_come_back(hall, tmp_path):
    one = hall(queue_words="queue mail { retry 5 backoff 1h..1h }")
    jobs = one.client()
    jobs.ask("use mail")
    jobs.ask("watch mail")
    bodies = [b"first", "gr\u00fc\u00df\n".encode(), bytes(range(256)), b"", b"x" * 60000, b"later", b"nul\0", b"last"]
    for i, body in enumerate(bodies):
        jobs.put(body, priority=i, delay=100000 if i == 5 else 0, ttr=60 + i)
    assert [jobs.job("reserve")[0] for _ in range(4)] == [1, 2, 3, 4]
    assert jobs.ask('fail 1 permanent no "such" user') == "BURIED"
    assert jobs.ask("fail 2 temporary come again") == "RELEASED"
    assert jobs.ask("bury 3 33") == "BURIED"
    lines = one.command("queue", "export", "mail").stdout
    found = [json.loads(line) for line in lines.splitlines()]
    assert [job["id"] for job in found] == list(range(1, 9))
    assert [job["state"] for job in found] == ["buried", "delayed", "buried", "reserved", "ready", "delayed", "ready",
                                               "ready"]
    assert found[0]["error"] == "permanent" and found[0]["error_text"] == 'no "such" user' and found[0]["attempts"] == 1
    assert found[1]["body"] == "gr\u00fc\u00df\n" and "body" not in found[2]
    assert jobs.ask("release 4 3 0") == "RELEASED"
    for number in range(1, 9):
        assert jobs.ask(f"delete {number}") == "DELETED"
    path = tmp_path / "jobs"
    path.write_text(lines)
    assert one.command("queue", "import", path).stdout == "8 jobs\n"
    assert [jobs.job(f"peek {9 + i}") for i in range(8)] == [(9 + i, body) for i, body in enumerate(bodies)]
    documents = [jobs.document(f"stats-job {9 + i}") for i in range(8)]
    assert [(job["state"], job["pri"], job["ttr"]) for job in documents] == [
        (state, str(33 if i == 2 else i), str(60 + i))
        for i, state in enumerate(("buried", "delayed", "buried", "ready", "ready", "delayed", "ready", "ready"))]
    assert 90000 < int(documents[5]["time-left"]) <= 100000
    buried, delayed = pages(jobs, "buried", 10), pages(jobs, "delayed", 10)
    assert (buried["9"]["error"], buried["9"]["attempts"], buried["11"]["attempts"]) == ("permanent", "1", "1")
    assert (delayed["10"]["attempts"], delayed["14"]["attempts"]) == ("1", "0")
    again = [json.loads(line) for line in one.command("queue", "export", "mail").stdout.splitlines()]
    assert [job.get("error_text") for job in again] == ['no "such" user', "come again"] + [None] * 6
    assert [job.get("body_base64") for job in again] == [job.get("body_base64") for job in found]


def test_an_import_says_how_far_it_came(hall, tmp_path):
    one = hall(queue_words="queue small { limits jobs 2 }")
    path = tmp_path / "jobs"
    path.write_text('{"queue":"mail","body":"1"}\n\n{"queue":"mail","body":"2","tries":1}\n')
    done = one.command("queue", "import", path, check=False)
    assert done.returncode == 1 and 'a job has no "tries"' in done.stderr
    assert f"{path}:3: the 1 jobs before" in done.stderr
    path.write_text('{"queue":"small","body":"x"}\n' * 3)
    done = one.command("queue", "import", path, check=False)
    assert done.returncode == 1 and "a limit, or the disk" in done.stderr and f"{path}:3: the 2 jobs" in done.stderr
    path.write_text('{"queue":"mail","state":"buried","attempts":3,"error":"temporary",'
                    '"error_text":"a\\tb","body":"x"}\n')
    one.command("queue", "import", path)
    assert "temporary: a b" in one.command("jobs", "mail", "buried").stdout
    assert one.command("queue", "import", tmp_path / "none", check=False).returncode == 1
    assert one.command("queue", "export", "nobody", check=False).returncode == 1
    assert one.command("queue", "export", check=False).returncode == 2


@pytest.fixture
def beanstalkd(tmp_path, free_port):
    """A real one with a binlog of small files: its folder, a client of it, and what stops it."""
    folder, port = tmp_path / "binlog", free_port()
    folder.mkdir()
    program = shutil.which("beanstalkd") or "/usr/bin/beanstalkd"
    process = subprocess.Popen([program, "-l", "127.0.0.1", "-p", str(port), "-b", str(folder), "-f0", "-s", "4096"])
    jobs = []

    def serves():
        try:
            jobs.append(Jobs(port))
        except ConnectionRefusedError:
            return False
        return True

    def stop():
        process.kill()
        process.wait()

    assert until(serves)
    yield folder, jobs[0], stop
    jobs[0].close()
    stop()


def test_the_jobs_of_a_beanstalkd_are_taken_over(hall, beanstalkd):
    folder, theirs, stop = beanstalkd
    one = hall()
    theirs.ask("use mail")
    theirs.ask("watch mail")
    bodies = {i: bytes([i]) * (i * 97) for i in range(1, 31)}
    for i, body in bodies.items():
        assert theirs.put(body, priority=i, delay=100000 if i == 30 else 0, ttr=60 + i) == f"INSERTED {i}"
    for i in range(1, 13):
        assert theirs.job("reserve") == (i, bodies[i])
    for i in range(1, 6):
        assert theirs.ask(f"delete {i}") == "DELETED"
    assert theirs.ask("bury 6 66") == "BURIED"
    assert theirs.ask("release 7 77 0") == "RELEASED"
    assert theirs.ask("release 8 88 100000") == "RELEASED"
    assert theirs.ask("bury 9 99") == "BURIED" and theirs.ask("kick-job 9") == "KICKED"
    theirs.ask("use other")
    assert theirs.put(b"last", priority=4294967295) == "INSERTED 31"
    running = one.command("queue", "import", folder, check=False)
    assert running.returncode == 1 and "stop that first" in running.stderr
    assert len(list(folder.glob("binlog.*"))) > 3
    stop()
    done = one.command("queue", "import", folder)
    assert (done.stdout, done.stderr) == ("26 jobs\n", "")
    jobs = one.client()
    found = {}
    for i in range(6, 32):
        number = i - 5
        document = jobs.document(f"stats-job {number}")
        body = jobs.job(f"peek {number}")[1]
        assert body == bodies.get(i, b"last"), i
        found[i] = (document["tube"], document["state"], int(document["pri"]), int(document["ttr"]))
    wanted = {i: ("mail", "ready", i, 60 + i) for i in range(6, 31)}
    # beanstalkd logs no release without a delay: 7 has the priority that it was put with.
    wanted |= {6: ("mail", "buried", 66, 66), 8: ("mail", "delayed", 88, 68),
               9: ("mail", "ready", 99, 69), 30: ("mail", "delayed", 30, 90), 31: ("other", "ready", 4294967295, 60)}
    assert found == wanted
    assert 90000 < int(jobs.document("stats-job 3")["time-left"]) <= 100000
    jobs.ask("use mail")
    attempts = {number: job["attempts"] for number, job in pages(jobs, "ready", 100).items()}
    assert [attempts[str(number)] for number in (2, 4, 7, 8)] == ["0", "0", "0", "0"]
    assert pages(jobs, "delayed", 100)["3"]["attempts"] == "1"


def test_what_is_no_binlog(hall, tmp_path):
    one = hall()
    folder = tmp_path / "binlog"
    folder.mkdir()

    def refused(why):
        done = one.command("queue", "import", folder, check=False)
        assert done.returncode == 1 and why in done.stderr, done.stderr

    def full(number, state=1, body=b"hello\r\n"):
        return struct.pack("<i4sQIxxxxqqixxxxqq5IB3x", 4, b"mail", number, 5, 0, 10**9, len(body), 0, 0, 1, 0, 0, 0, 0,
                           state) + body

    refused("no binlog.N")
    (folder / "binlog.2").write_bytes(struct.pack("<i", 5) + bytes(100))
    refused("binlog.2 has version 5")
    head = struct.pack("<i", 7)
    (folder / "binlog.2").write_bytes(head + full(1) + b"\xff" * 100)
    refused("binlog.2: there is no record at byte 99")
    # Files are read in the order of their numbers, one that nothing was written to is no mistake, and what was never
    # whole is left out.
    (folder / "binlog.9").write_bytes(head + full(1) + full(2) + full(3) + bytes(50))
    (folder / "binlog.10").write_bytes(head + full(2, state=0) + full(4) + full(5)[:-1])
    (folder / "binlog.2").write_bytes(head + full(1, state=3) + bytes(200))
    (folder / "binlog.11").write_bytes(b"")
    done = one.command("queue", "import", folder)
    assert done.stdout == "3 jobs\n" and "a record that was never whole" in done.stderr
    assert one.client().document("stats-tube mail")["current-jobs-ready"] == "3"


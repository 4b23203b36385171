# SPDX-License-Identifier: Apache-2.0
"""The queue as its clients see it: every command, what is durable, what a restart, a kill, a reload, an upgrade and a
full log do to jobs and connections."""

import os
import random
import signal
import socket
import ssl
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
    jobs.send(b"finish 3 4\r\ndone\r\n")
    assert jobs.line() == "FINISHED"
    assert jobs.ask("delete 3") == "NOT_FOUND"
    assert jobs.ask("batch-reserve 10 20") == "BATCH 1"
    assert jobs.take_job(jobs.line()) == (1, b"a")
    assert jobs.ask("fail 1 temporary again") == "BURIED"


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
    assert first.name in one.log() and "the queue's log" in one.log()


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
    assert "buried" in one.command("jobs", "mail").stdout
    assert one.command("kick", "mail").stdout == "1 of mail ready again\n"
    assert jobs.document("stats-job 2")["state"] == "delayed"  # kick is for the buried ones
    one.command("pause", "mail", "5m")
    assert jobs.document("stats-tube mail")["pause"] == "300"
    one.command("pause", "mail", "off")
    one.command("delete", "1")
    assert jobs.ask("peek 1") == "NOT_FOUND"
    gone = one.command("delete", "1", check=False)
    assert gone.returncode == 1 and "no such job" in gone.stderr
    assert one.command("put", "-bad", "x", check=False).returncode == 2


def test_a_body_that_cannot_be_read_is_no_job(hall):
    one = hall()
    folder = os.open(one.folder, os.O_RDONLY)  # reading it is an error
    try:
        failed = one.command("put", "mail", stdin=folder, check=False)
    finally:
        os.close(folder)
    assert failed.returncode == 1 and "cannot read standard input" in failed.stderr
    assert one.client().ask("peek 1") == "NOT_FOUND"

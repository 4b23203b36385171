# SPDX-License-Identifier: Apache-2.0
"""A slow, dead or hostile consumer holds its own leases and nothing else: while it does its worst, others put,
reserve and delete, and the memory of the server stays bounded."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from conftest import PATIENCE_S, until
from job_peers import BODY_MAX, Ended, JobClient, own_tube, play, rss_bytes, server  # noqa: F401

FLOOD_BYTES = 32 << 20  # of what is sent and never read
GROWTH_BYTES = 16 << 20  # a server may grow by that; bodies of jobs apart
N_JOBS = 100
TCP_REPAIR = 19  # a socket that is closed in this mode tells its peer nothing


class Others:
    """Clients that use the queue as they should, in a tube of their own."""

    def __init__(self, port):
        self.producer = own_tube(port, "others")
        self.consumer = own_tube(port, "others")

    def work(self, n=N_JOBS):
        for i in range(n):
            body = b"%d" % i * 50
            job = self.producer.put(body)
            assert self.consumer.reserve() == (job, body)
            assert self.consumer.ask("delete", job).word == b"DELETED"

    def close(self):
        self.producer.close()
        self.consumer.close()


@pytest.fixture
def others(server):  # noqa: F811
    """Before the test they work, and so they do behind it."""
    clients = Others(server.port)
    clients.work()
    yield clients
    clients.work()
    clients.close()


@pytest.fixture
def bounded(server):  # noqa: F811
    """bounded(extra) asserts that the server has not grown more than it may, and `extra` bytes."""
    before = rss_bytes(server.pid)

    def check(extra=0):
        grown = rss_bytes(server.pid) - before
        assert grown < GROWTH_BYTES + extra, f"{grown} bytes more"

    yield check
    check()


def pour(client, data, limit=FLOOD_BYTES):
    """Sends the same again and again, until the server takes no more for half a second; how much it took."""
    client.sock.settimeout(0.5)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < limit:
            sent += client.sock.send(data[sent % len(data):])
    client.sock.settimeout(PATIENCE_S)
    return sent


# ---- who never reads ----------------------------------------------------------------------------------------


def test_a_client_that_never_reads_replies(server, others, bounded):  # noqa: F811
    """Its replies fill what the kernel holds for it, then the server must read no more of its commands."""
    line = b"use " + b"x" * 200 + b"\r\n"
    with JobClient(server.port, rcvbuf=4096) as deaf:
        sent = pour(deaf, line * 100)
        assert sent < FLOOD_BYTES
        others.work()
        bounded()
        for _ in range(sent // len(line)):  # they come all the same, once it reads
            assert deaf.reply().line == b"USING " + b"x" * 200


def test_consumers_that_never_read_their_jobs(server, others, bounded):  # noqa: F811
    """Bodies pile up at most in the kernel; the jobs are those consumers' own, until they go."""
    body = b"b" * BODY_MAX
    n = 200
    with JobClient(server.port) as producer:
        producer.ask("use", "big")
        jobs = [producer.put(body) for _ in range(n)]
        deaf = [JobClient(server.port, rcvbuf=4096) for _ in range(20)]
        for client in deaf:
            client.send(b"watch big\r\nignore default\r\n" + b"reserve\r\n" * n)
        others.work()
        bounded(n * BODY_MAX)
        assert until(lambda: producer.state(jobs[0]) == "reserved")
        for client in deaf:
            client.close()
        assert until(lambda: all(producer.state(job) == "ready" for job in jobs))
        for job in jobs:
            assert producer.ask("delete", job).word == b"DELETED"


# ---- who is gone, and nobody has said so -----------------------------------------------------------------------


def reserve_one(producer, client, ttr):
    job = producer.put(b"a job for one", ttr=ttr)
    assert client.reserve() == (job, b"a job for one")
    return job


STANDING = """
import sys
sys.path.insert(0, sys.argv[3])
from job_peers import own_tube
client = own_tube(int(sys.argv[1]), sys.argv[2])
job, _ = client.reserve()
print(job, flush=True)
sys.stdin.readline()
print(client.ask('delete', job).word.decode(), flush=True)
"""


def stands_still(port, tube, others):
    with own_tube(port, tube) as other:
        job = other.put(b"x", ttr=1)
        process = subprocess.Popen([sys.executable, "-c", STANDING, str(port), tube, os.path.dirname(__file__)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout.readline() == f"{job}\n"
            process.send_signal(signal.SIGSTOP)
            others.work()
            assert other.reserve() == (job, b"x")
            assert other.ask("stats-job", job).fields()["timeouts"] == "1"
            process.send_signal(signal.SIGCONT)
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "NOT_FOUND\n"
            assert other.ask("delete", job).word == b"DELETED"
        finally:
            process.kill()
            process.communicate()


def test_a_consumer_that_stands_still(server, others):  # noqa: F811
    """It is stopped with a job in its hands: the lease ends, the next one gets the job, and when it wakes it is told
    that the job is not its any more."""
    play(stands_still, server, others)


def vanishes(port, tube, others):
    with own_tube(port, tube) as other:
        client = own_tube(port, tube)
        began_s = time.monotonic()
        job = reserve_one(other, client, ttr=2)
        # The server has its acknowledgement, and so repeats nothing, which would be answered with a reset.
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        try:
            client.sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        except PermissionError:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
            held = client  # without the privilege: it is there and silent, which looks the same
        else:
            held = None
            client.close()
        others.work()
        early = other.reserve(timeout=0)
        assert early is None or time.monotonic() - began_s >= 2, "before its time was over"
        assert (early or other.reserve()) == (job, b"a job for one")
        assert other.ask("delete", job).word == b"DELETED"
        if held:
            held.close()


def test_a_consumer_whose_host_vanished(server, others):  # noqa: F811
    """No packet says that it is gone: its lease ends when its time is over, and not earlier."""
    play(vanishes, server, others)


@pytest.mark.parametrize("end", ["close", "reset", "half"])
def test_a_consumer_that_leaves_gives_back(server, others, end):  # noqa: F811
    """However the connection ends, its jobs are ready at once."""
    with JobClient(server.port) as other:
        client = JobClient(server.port)
        job = reserve_one(other, client, ttr=1000)
        if end == "reset":
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if end == "half":
            client.sock.shutdown(socket.SHUT_WR)
        else:
            client.close()
        assert other.reserve() == (job, b"a job for one")
        assert other.ask("delete", job).word == b"DELETED"
        client.close()


# ---- who floods ------------------------------------------------------------------------------------------------


def drain(client, ended):
    """Reads replies until the connection ends; what was read, in bytes."""
    total = 0
    with contextlib.suppress(Ended, OSError):
        while not ended.is_set():
            client.fill()
            total += len(client.buffer)
            client.buffer = b""
    return total


@pytest.mark.parametrize("flood", [b"bogus\r\n", b"\r\n", b"put 1 0 60 x\r\n", b"delete 0\r\n",
                                   b"use " + b"x" * 201 + b"\r\n"])
def test_floods_of_bad_commands(server, others, bounded, flood):  # noqa: F811
    """From clients that read every error as it comes."""
    ended = threading.Event()
    clients = [JobClient(server.port) for _ in range(4)]
    readers = [threading.Thread(target=drain, args=(client, ended)) for client in clients]
    writers = [threading.Thread(target=pour, args=(client, flood * 500, 1 << 20)) for client in clients]
    for thread in (*readers, *writers):
        thread.start()
    others.work()
    for thread in writers:
        thread.join(PATIENCE_S)
    bounded()
    ended.set()
    for client in clients:
        with contextlib.suppress(OSError):
            client.sock.shutdown(socket.SHUT_RDWR)
    for thread in readers:
        thread.join(PATIENCE_S)
    for client in clients:
        client.close()


def test_lines_without_end(server, others, bounded):  # noqa: F811
    with JobClient(server.port) as client:
        pour(client, b"x" * 65536, 8 << 20)
        others.work()
        bounded()
        client.send(b"\r\nlist-tube-used\r\n")
        assert client.reply().word == b"BAD_FORMAT"
        assert client.reply().line == b"USING default"


def test_bodies_of_giants(server, others, bounded):  # noqa: F811
    """A body that is too long is thrown away as it comes, never held."""
    size = 16 << 20
    with JobClient(server.port) as client:
        client.send(b"put 0 0 60 %d\r\n" % size)
        assert pour(client, b"g" * 65536, size) == size
        client.send(b"\r\nlist-tube-used\r\n")
        assert client.reply().word == b"JOB_TOO_BIG"
        assert client.reply().line == b"USING default"
        others.work()
        bounded()
        client.send(b"put 0 0 60 %d\r\n" % (2**32 - 1))
        pour(client, b"g" * 65536, 1 << 20)
        others.work()


def test_bodies_that_never_end(server, others, bounded):  # noqa: F811
    """Each costs at most what was announced, and goes with its connection."""
    n = 100
    clients = [JobClient(server.port) for _ in range(n)]
    for client in clients:
        client.send(b"put 0 0 60 %d\r\n" % BODY_MAX + b"s" * (BODY_MAX // 2))
    others.work()
    bounded(n * BODY_MAX)
    with JobClient(server.port) as other:
        assert other.ask("peek-ready").word == b"NOT_FOUND"
        for client in clients:
            client.close()
        assert other.ask("peek-ready").word == b"NOT_FOUND"


def test_a_body_byte_by_byte(server, others):  # noqa: F811
    data = b"put 7 0 60 40\r\n" + b"slow" * 10 + b"\r\npeek-ready\r\n"
    with JobClient(server.port) as client:
        for i in range(len(data)):
            client.send(data[i:i + 1])
        assert client.reply().word == b"INSERTED"
        assert client.reply().body == b"slow" * 10
        client.ask("delete", client.reserve()[0])


def test_commands_in_pieces(server):  # noqa: F811
    """Wherever a segment ends, the answer comes when the last byte has come, and no later byte is needed for it."""
    data = b"use pieces\r\nput 7 0 60 5\r\nslow\n\r\nlist-tube-used\r\n"
    with JobClient(server.port) as client:
        for at in range(1, len(data)):
            client.send(data[:at])
            time.sleep(0.01)
            client.send(data[at:])
            assert client.reply().word == b"USING"
            job = client.reply().id
            assert client.reply().line == b"USING pieces"
            client.ask("delete", job)


def test_a_body_outlives_what_comes_behind_it(server):  # noqa: F811
    """Of the job put last, whose bytes lay where the next command's lie."""
    body = b"b" * 5000
    with JobClient(server.port) as producer, JobClient(server.port) as other:
        job = producer.put(body)
        other.send(b"list-tube-used\r\n" * 20 + b"peek %d\r\n" % job)
        assert {other.reply().line for _ in range(20)} == {b"USING default"}
        assert other.reply().body == body
        other.ask("delete", job)


def test_many_who_wait(server, others, bounded):  # noqa: F811
    """One job wakes one of them, and a death among them takes no job with it."""
    waiting = [JobClient(server.port) for _ in range(300)]
    for client in waiting:
        client.send(b"watch rare\r\nignore default\r\nreserve\r\n")
        assert [client.reply().word for _ in range(2)] == [b"WATCHING", b"WATCHING"]
    others.work()
    for client in waiting[::2]:
        client.close()
    alive = waiting[1::2]
    with JobClient(server.port) as producer:
        producer.ask("use", "rare")
        assert until(lambda: int(producer.ask("stats-tube", "rare").fields()["current-waiting"]) == len(alive))
        jobs = {producer.put(b"rare") for _ in alive}
        assert {client.reply().id for client in alive} == jobs
        bounded()
        for client in alive:
            client.close()
        assert until(lambda: all(producer.state(job) == "ready" for job in jobs))
        for job in jobs:
            producer.ask("delete", job)

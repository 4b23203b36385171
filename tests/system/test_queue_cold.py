# SPDX-License-Identifier: Apache-2.0
"""Bodies that the kernel has no longer in memory: what is answered is the same, in the same order."""

import random

import pytest
from conftest import until
from http_serve import counters
from job_peers import forget
from jobs_client import Jobs

BODY_BYTES = 200_000
N_JOBS = 12


def body_of(number):
    return random.Random(number).randbytes(BODY_BYTES)


class Hall:
    def __init__(self, weir, port):
        self.weir = weir
        self.port = port
        self.clients = []

    def client(self):
        jobs = Jobs(self.port)
        self.clients.append(jobs)
        return jobs

    def forget(self):
        return forget(self.weir.state / "queue")

    def n_cold(self):
        name = "weir_queue_log_cold_reads_total"
        return next(value for sample, value in counters(self.weir).items() if sample.startswith(name))


@pytest.fixture
def hall(weir, free_port):
    port = free_port()
    one = Hall(weir(f"jobs 127.0.0.1:{port} {{ limits job 256k }}\nqueues {{ segment 1M; limits log 64M }}\n"), port)
    producer = one.client()
    one.ids = [int(producer.put(body_of(number)).split()[1]) for number in range(N_JOBS)]
    yield one
    for client in one.clients:
        client.close()


def test_in_order(hall):
    jobs = hall.client()
    is_cold = hall.forget()
    # Pipelined: nothing overtakes a body that the disk brings.
    before = hall.n_cold()
    commands = [f"peek {hall.ids[7]}", "use a", "reserve", "use b", f"reserve-job {hall.ids[3]}", "peek-ready", "use c"]
    jobs.send("".join(command + "\r\n" for command in commands).encode())
    assert jobs.take_job(jobs.line()) == (hall.ids[7], body_of(7))
    assert jobs.line() == "USING a"
    assert jobs.take_job(jobs.line()) == (hall.ids[0], body_of(0))
    assert jobs.line() == "USING b"
    assert jobs.take_job(jobs.line()) == (hall.ids[3], body_of(3))
    assert jobs.line() == "NOT_FOUND"
    assert jobs.line() == "USING c"
    assert not is_cold or until(lambda: hall.n_cold() > before)


def test_a_batch(hall):
    jobs = hall.client()
    is_cold = hall.forget()
    before = hall.n_cold()
    jobs.send(b"batch-reserve 100 0\r\nuse a\r\n")
    assert jobs.line() == f"BATCH {N_JOBS}"
    for number, job in enumerate(hall.ids):
        assert jobs.take_job(jobs.line()) == (job, body_of(number))
    assert jobs.line() == "USING a"
    assert not is_cold or until(lambda: hall.n_cold() > before)


def test_one_that_is_handed_over(hall):
    """A worker waits, and what it gets was read long ago."""
    jobs, other = hall.client(), hall.client()
    taken = [jobs.job("reserve")[0] for _ in hall.ids]
    other.send(b"reserve\r\nuse a\r\n")
    assert until(lambda: jobs.document("stats-tube default")["current-waiting"] == "1")
    hall.forget()
    assert jobs.ask(f"release {taken[5]} 0 0") == "RELEASED"
    assert other.take_job(other.line()) == (taken[5], body_of(5))
    assert other.line() == "USING a"


def test_clients_that_go_meanwhile(hall):
    for turn in range(4 * N_JOBS):
        client = hall.client()
        hall.forget()
        client.send(f"peek {hall.ids[turn % N_JOBS]}\r\nreserve\r\nbatch-reserve 5 0\r\n".encode())
        client.close()
    # All leases are given back, and nothing is lost.
    last = hall.client()
    assert until(lambda: last.document("stats")["current-connections"] == "2")
    assert last.document("stats-tube default")["current-jobs-ready"] == str(N_JOBS)
    assert last.job("reserve") == (hall.ids[0], body_of(0))

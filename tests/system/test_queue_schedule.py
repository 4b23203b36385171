# SPDX-License-Identifier: Apache-2.0
"""Jobs that the clock puts, as clients see them. When what is due is tested on a clock of its own (schedule_test)."""

import signal

import pytest
from conftest import until
from jobs_client import Jobs

FILE = """
jobs 127.0.0.1:{port}
queues {{ segment 1M; limits log 6M }}
{queues}
"""


@pytest.fixture
def hall(weir, free_port):
    """hall(QUEUES) starts a weir; its client(TUBE) uses and watches that one alone."""
    clients = []

    def make(queues):
        port = free_port()
        one = weir(FILE.format(port=port, queues=queues))

        def client(tube):
            jobs = Jobs(port)
            clients.append(jobs)
            assert jobs.ask(f"use {tube}") == f"USING {tube}"
            assert jobs.ask(f"watch {tube}") == "WATCHING 2"
            assert jobs.ask("ignore default") == "WATCHING 1"
            return jobs

        def rewrite(queues):
            one.write(FILE.format(port=port, queues=queues))
            one.reload()

        one.port = port
        one.client = client
        one.rewrite = rewrite
        return one

    yield make
    for client in clients:
        client.close()


def next_of(weir, tube):
    """When the fact of a queue says that the next is."""
    reason = weir.fact(f"queue:{tube}")["reason"]
    assert ", next at " in reason, reason
    return reason.split(", next at ")[1]


def test_each_second(hall):
    one = hall('queue tick { schedule "every 1s" body tock overlap allow }')
    jobs = one.client("tick")
    seen = []
    for _ in range(3):
        number, body = jobs.job("reserve")
        assert body == b"tock"
        assert jobs.ask(f"delete {number}") == "DELETED"
        seen.append(number)
    assert seen == sorted(set(seen))
    one.kill("queue", signal.SIGKILL)
    one.wait_back("queue")
    jobs = one.client("tick")
    for _ in range(2):
        number, body = jobs.job("reserve")
        assert body == b"tock" and number > seen[-1]
        assert jobs.ask(f"delete {number}") == "DELETED"
        seen.append(number)


def test_one_at_a_time(hall):
    one = hall('queue tick { schedule "every 1s" lease 1h }')
    jobs = one.client("tick")
    number, body = jobs.job("reserve")
    assert body == b""
    # Each second one is put and left out again, as this one is not done.
    assert until(lambda: int(jobs.document("stats-tube tick")["cmd-delete"]) >= 2)
    assert jobs.document("stats-tube tick")["current-jobs-ready"] == "0"
    assert jobs.ask("reserve-with-timeout 0") == "TIMED_OUT"
    assert jobs.ask(f"delete {number}") == "DELETED"
    assert jobs.job("reserve")[0] > number


NIGHT = 'queue night {{ schedule "30 2 * * *" zone Europe/Berlin body {body} priority 7 lease 5m }}'


def test_the_next_is_there_and_stays(hall):
    one = hall(NIGHT.format(body="digest"))
    jobs = one.client("night")
    number, body = jobs.job("peek-delayed")
    assert body == b"digest"
    stats = jobs.document(f"stats-job {number}")
    assert (stats["state"], stats["pri"], stats["ttr"]) == ("delayed", "7", "300")
    assert 0 < int(stats["time-left"]) <= 90000
    assert next_of(one, "night")[10:] in ("T00:30:00Z", "T01:30:00Z")
    # Who kicks whatever there is does not mean this one.
    assert jobs.ask("kick 100") == "KICKED 0"
    jobs.close()
    assert one.stop() == 0
    one.start()
    jobs = one.client("night")
    assert jobs.job("peek-delayed") == (number, b"digest")
    assert jobs.document("stats-tube night")["current-jobs-delayed"] == "1"
    one.rewrite(NIGHT.format(body="other"))
    other, body = jobs.job("peek-delayed")
    assert body == b"other"
    assert jobs.document("stats-tube night")["current-jobs-delayed"] == "1"
    # Done now instead of then, and the one behind it waits.
    night = next_of(one, "night")
    assert jobs.ask(f"kick-job {other}") == "KICKED"
    assert jobs.job("reserve") == (other, b"other")
    assert jobs.ask(f"delete {other}") == "DELETED"
    assert until(lambda: next_of(one, "night") > night)
    assert jobs.job("peek-delayed")[0] > other
    jobs.close()
    assert one.stop() == 0
    one.write(FILE.format(port=one.port, queues="queue night"))
    one.start()
    assert one.client("night").ask("peek-delayed") == "NOT_FOUND"

# SPDX-License-Identifier: Apache-2.0
"""`weir explain queue` says what a client meets, and why: each state is brought about, explained, and tried."""

import json
import re

import pytest
from conftest import until
from jobs_client import Jobs

FILE = """\
jobs 127.0.0.1:{port} {{ limits job 3000 }}
jobs 127.0.0.1:{second} {{ name second; timeout send 3s }}
queues {{ segment 1M; limits jobs {jobs} tubes 6 log 6M }}
defaults {{ queue {{ ttl 1d }} }}
queue mail {{
    retry 8 backoff 10s..1h
    limits jobs 3
    concurrency 1
}}
queue slow {{ rate 1/h }}
queue small {{ limits bytes 1000 }}
"""


@pytest.fixture
def hall(weir, free_port, request):
    """A weir whose queues may have 8 jobs together, or as many as the parameter says."""
    port, second = free_port(), free_port()
    one = weir(FILE.format(port=port, second=second, jobs=getattr(request, "param", 8)))
    clients = []

    def client(tube):
        clients.append(Jobs(second))
        assert clients[-1].ask(f"use {tube}") == f"USING {tube}"
        assert clients[-1].ask(f"watch {tube}").startswith("WATCHING")
        return clients[-1]

    def explain(*words):
        return json.loads(one.command("explain", "queue", *words, "--json").stdout)

    one.client = client
    one.explain = explain
    yield one
    for jobs in clients:
        jobs.close()


def met(hall, tube, jobs, body=b"x"):
    """What explain says of a tube, after it was held against what a put and a worker meet."""
    said = hall.explain(tube)["queues"][0]
    given = jobs.ask("reserve-with-timeout 0") if not said["gives"] else jobs.job("reserve-with-timeout 0")
    assert (given == "TIMED_OUT") is not said["gives"], said
    if said["gives"]:
        assert jobs.ask(f"release {given[0]} 0 0") == "RELEASED"
    answer = jobs.put(body)
    assert answer.startswith("INSERTED") is said["takes"], (answer, said)
    if said["takes"]:
        assert jobs.ask(f"delete {answer.split()[1]}") == "DELETED"
    return said["put"], said["reserve"]


def at(line):
    """How explain names a line of the file."""
    return f"test.weir:{line}:"


def test_what_is_taken_and_given(hall):
    jobs = hall.client("mail")
    assert met(hall, "mail", jobs) == ("a body of up to 65535 bytes", "no job is ready")
    first = jobs.put(b"a").split()[1]
    assert met(hall, "mail", jobs)[1] == "1 ready; 1 connection takes from it, and none waits"
    assert jobs.ask("pause-tube mail 1000") == "PAUSED"
    assert met(hall, "mail", jobs)[1].startswith("it is paused for another ")
    assert jobs.ask("pause-tube mail 0") == "PAUSED"
    jobs.put(b"b", delay=5000)
    jobs.put(b"c")
    put, _ = met(hall, "mail", jobs)
    assert put.startswith("it has 3 jobs, as many as its `limits jobs` allows (" + at(7))
    assert jobs.job(f"reserve-job {first}")[1] == b"a"
    assert met(hall, "mail", jobs)[1].startswith(
        "workers have 1 jobs, as many as its `concurrency` allows (" + at(8))
    assert jobs.ask(f"bury {first} 0") == "BURIED"
    assert jobs.job("reserve-with-timeout 0")[1] == b"c"
    assert jobs.ask("delete 6").startswith(("DELETED", "NOT_FOUND"))
    said = hall.explain("mail")["queues"][0]
    assert said["buried"] == 1 and said["delayed"] == 1 and said["is_there"]


def test_why_nothing_is_ready(hall):
    jobs = hall.client("mail")
    jobs.put(b"a", delay=7000)
    jobs.put(b"b")
    assert jobs.job("reserve")[0] == 2
    assert jobs.ask("bury 2 0") == "BURIED"
    why = met(hall, "mail", jobs)[1]
    assert why.startswith("no job is ready; the first that is delayed is in ") and \
        why.endswith("; 1 buried: `weir kick` has them done"), why
    said = hall.explain("mail")["queues"][0]
    assert (said["first_buried"], said["first_delayed"]) == ({"id": 2}, {"id": 1}) and "deliver" not in said
    text = hall.command("explain", "queue", "mail").stdout
    assert "  buried first: job 2; `weir jobs mail buried` shows all, `weir kick mail` has them done\n" in text
    assert "delayed first" not in text  # it only waits for its time
    for number, word in ((2, "permanent"), (1, "temporary")):
        assert jobs.job(f"reserve-job {number}")[0] == number
        jobs.ask(f"fail {number} {word} no such user")
    text = hall.command("explain", "queue", "mail").stdout
    assert "  buried first: job 2, permanent: no such user; `weir jobs mail buried`" in text
    assert "  delayed first: job 1, temporary: no such user; `weir jobs mail delayed` shows all\n" in text


def test_a_rate_and_the_limits_of_bytes_and_of_all_queues(hall):
    jobs = hall.client("slow")
    for body in (b"a", b"b"):
        jobs.put(body)
    assert jobs.job("reserve")[0] == 1
    assert met(hall, "slow", jobs)[1].startswith("its `rate` allows the next in ")
    small = hall.client("small")
    assert met(hall, "small", small, b"x" * 1000)[0] == "a body of up to 1000 bytes"
    small.put(b"x" * 1000)
    put, reserve = met(hall, "small", small)
    assert put.startswith("it has 1000 bytes, as many as its `limits bytes` allows (" + at(11))
    assert reserve == "1 ready; 1 connection takes from it, and none waits"
    for _ in range(5):
        jobs.put(b"x")
    assert met(hall, "slow", jobs)[0].startswith(
        "all queues together have 8 jobs, as many as `queues { limits jobs }` allows (" + at(3))


def test_queues_that_the_file_does_not_name(hall):
    said = hall.explain("nobody")["queues"][0]
    assert (said["is_there"], said["at"], said["words"]) == (False, "", [])
    assert met(hall, "made", hall.client("made")) == ("a body of up to 65535 bytes", "no job is ready")
    _kept = hall.client("other")
    refused = hall.explain("nobody")["queues"][0]
    assert not refused["takes"]
    assert refused["put"].startswith("there are 6 queues, as many as `queues { limits tubes }` allows (" + at(3))
    assert _kept.ask("use nobody") == "OUT_OF_MEMORY"
    text = hall.command("explain", "queue", "made").stdout
    assert "no `queue` of the file names it" in text


@pytest.mark.parametrize("hall", [20000], indirect=True)
def test_a_full_log(hall):
    jobs = hall.client("slow")
    assert met(hall, "slow", jobs)[0] == "a body of up to 65535 bytes"
    while jobs.put(b"x" * 60000).startswith("INSERTED"):
        pass
    room = int(hall.explain("slow")["queues"][0]["put"].split()[5])
    assert room < 60000 and jobs.put(b"x" * room).startswith("INSERTED")
    while jobs.put(b"x").startswith("INSERTED"):
        pass
    said = hall.explain("slow")["queues"][0]
    assert not said["takes"]
    assert said["put"].startswith(
        "there is no room for the log on the disk, or in `queues { limits log }` (" + at(3))
    assert jobs.put(b"x") == "OUT_OF_MEMORY"
    hall.wait_log("queue: no room for the log on the disk, or in `queues { limits log }`: ")
    assert until(lambda: all(", refuses jobs: no room for the log" in fact["reason"]
                             for name, fact in hall.facts().items() if name.startswith("jobs:")))


def test_where_the_values_come_from(hall):
    answer = hall.explain("mail")
    words = {word["word"]: (word["value"], word["at"]) for word in answer["queues"][0]["words"]}
    assert words["retry"] == ("8", at(6) + "11")
    assert words["retry backoff"] == ("10s..1h", at(6) + "13")
    assert words["retry permanent"] == ("bury", "")
    assert words["ttl"] == ("1d", at(4) + "20")
    assert words["keep"] == ("", "")
    assert words["limits jobs"] == ("3", at(7) + "12")
    assert "listeners" not in answer
    shared = {word["word"]: (word["value"], word["at"]) for word in answer["words"]}
    assert shared["sync"] == ("group", "") and shared["limits jobs"] == ("8", at(3) + "29")
    everything = hall.explain()
    assert [queue["queue"] for queue in everything["queues"]] == ["mail", "slow", "small", "default"]
    second = everything["listeners"][1]
    assert (second["jobs"], second["at"], second["state"]) == ("second", at(2) + "1", "serving")
    assert [word["value"] for word in second["words"] if word["word"] == "timeout send" and
            word["at"].startswith(at(2))] == ["3s"]
    text = hall.command("explain", "queue").stdout
    assert "jobs second at" in text and "what all queues share" in text
    text = hall.command("explain", "queue", "mail").stdout
    assert "a put now is taken: yes, a body of up to 65535 bytes" in text
    assert re.search(rf"\nretry backoff +10s\.\.1h +{at(6)}13\n", text)


def test_a_file_alone_and_what_is_wrong(hall):
    one = hall.command("explain", "queue", "mail", "--file", hall.file)
    assert "the default" in one.stdout and "a put now" not in one.stdout
    assert hall.command("explain", "queue", "mail", "more", check=False).returncode == 2
    wrong = hall.command("explain", "queue", "a b", check=False)
    assert wrong.returncode == 1 and "no name of a queue" in wrong.stderr

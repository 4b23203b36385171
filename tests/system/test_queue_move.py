# SPDX-License-Identifier: Apache-2.0
"""A queue that moves to another machine: of every kind of job everything that means something there comes along, what
stays behind is said, and lines of earlier versions are still read."""

import json
import re
import signal
import time

import pytest
from conftest import until
from jobs_client import Gone, Jobs

FILE = """
jobs 127.0.0.1:{port} {{ {listen} }}
queues {{ segment 1M }}
queue mail {{ retry 3 backoff 1h..1h; keep 1h; {words} }}
{blocks}
"""
TOLD = """
pool ears {{ member e 127.0.0.1:{port} }}
queue told {{ deliver pool ears path /hooks }}
"""
FIELD = re.compile(r'([a-z-]+): ("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)')
STATES = ("ready", "delayed", "reserved", "buried", "done")
CHANGING = ("id", "age", "time-left")


@pytest.fixture
def hall(weir, free_port):
    clients = []

    def make(words="", blocks="", listen=""):
        port = free_port()
        one = weir(FILE.format(port=port, words=words, blocks=blocks, listen=listen))

        def client():
            clients.append(Jobs(port))
            for line in ("use mail", "watch mail", "ignore default"):
                clients[-1].ask(line)
            return clients[-1]

        one.client = client
        return one

    yield make
    for client in clients:
        client.close()


def put(jobs, body=b"body", options=(), **how):
    for line in options:
        assert jobs.ask(line) == "OPTIONS", line
    answer = jobs.put(body, **how)
    assert answer.startswith("INSERTED "), (options, answer)
    return int(answer.split()[1])


def finish(jobs, number, result):
    assert jobs.job(f"reserve-job {number}")[0] == number
    jobs.send(b"finish %d %d\r\n%s\r\n" % (number, len(result), result))
    assert jobs.line() == "FINISHED"


def every_kind(one):
    """Puts a job of each kind; their numbers by what they are."""
    jobs, now = one.client(), int(time.time())
    made = {
        "plain": put(jobs, b"plain", priority=7, ttr=90),
        "binary": put(jobs, bytes(range(256))),
        "empty": put(jobs, b""),
        "large": put(jobs, b"x" * 60000),
        "options": put(jobs, b"o", (f"put-opts key={'k' * 127}\"", "put-opts ttl=5000 attempts=9 result=77")),
        "tried": put(jobs, b"t", ("put-opts tried=2",)),
        "delayed": put(jobs, b"d", delay=4000),
        "not before": put(jobs, b"n", (f"put-opts not-before={now + 90000} ttl=60",)),
        "async": put(jobs, b"a", ("put-opts key=async:AAAAAAAAAAAAAAAAAAAAAA#BBBBBBBBBBBBBBBBBBBBBB",)),
        "done": put(jobs, b"1", ("put-opts result=3000",)),
        "done with nothing": put(jobs, b"2"),
        "buried with an answer": put(jobs, b"body", ("put-opts state=buried", "put-error permanent 404 Not Found",
                                                    "put-opts tried=3 created=1700000000 counts=3,1,2,4,5")),
        "told": put(jobs, b"told", ("put-opts key=callback:reports:7:done:0",)),
        "schedule": put(jobs, b"tick", (f"put-opts key=schedule:0123456789abcdef:{now + 9000}",), delay=9000),
    }
    for name in ("failed", "released", "buried", "dead", "kicked", "late", "lost", "with a worker", "a schedule's"):
        options = [f"put-opts key=key-{name.replace(' ', '-')} ttl=8000"] if name != "a schedule's" else \
            [f"put-opts key=schedule:0123456789abcdef:{now}"]
        if name in ("late", "lost"):
            options.append("put-opts attempts=1")
        made[name] = put(jobs, name.encode(), options, ttr=1 if name == "late" else 60)
    jobs.send(b"put-result 13\r\nan\r\nanswer\0!!\r\n")
    assert jobs.line() == "OPTIONS"
    made["answered"] = put(jobs, b"asked", ("put-opts state=buried",))
    finish(jobs, made["done"], b"result\r\n\xff\0")
    finish(jobs, made["done with nothing"], b"")
    for name, line, answer in (("failed", 'fail {} temporary come "later", please', "RELEASED"),
                               ("released", "release {} 8 0", "RELEASED"),
                               ("buried", "bury {} 9", "BURIED"),
                               ("dead", "fail {} permanent no such user", "BURIED"),
                               ("kicked", "bury {} 3", "BURIED"),
                               ("a schedule's", "release {} 0 0", "RELEASED")):
        assert jobs.job(f"reserve-job {made[name]}")[0] == made[name]
        assert jobs.ask(line.format(made[name])) == answer
    assert jobs.ask(f"kick-job {made['kicked']}") == "KICKED"
    for name in ("late", "lost"):
        loser = one.client()
        assert loser.job(f"reserve-job {made[name]}")[0] == made[name]
        if name == "lost":
            loser.close()
    assert jobs.job(f"reserve-job {made['with a worker']}")[0] == made["with a worker"]
    assert until(lambda: all(jobs.document(f"stats-job {made[name]}")["state"] == "buried" for name in
                             ("late", "lost")))
    return jobs, made


def listed(jobs):
    """All that the server says of each job, with its body and its result, by the number of the job."""
    found = {}
    for state in STATES:
        words = jobs.ask(f"list-jobs {state} 0 1000").split()
        lines = jobs.bytes(int(words[1])).decode().splitlines()
        assert lines[1] == "next: 0"
        for line in lines[3:]:
            job = {key: value for key, value in FIELD.findall(line[3:-1])}
            found[int(job["id"])] = job
    for number, job in found.items():
        if job["state"] != "done":
            job["body"] = jobs.job(f"peek {number}")[1]
            document = jobs.document(f"stats-job {number}")
            job.update((key, document[key]) for key in ("reserves", "timeouts", "releases", "buries", "kicks"))
        if job["state"] == "done" or "result-bytes" in job:
            job["result"] = jobs.job(f"result {number}")[1]
    return found


def same(job, other, but=()):
    for key in set(job) | set(other):
        if key not in CHANGING and key not in but:
            assert job.get(key) == other.get(key), (key, job, other)


def test_every_kind_of_job_comes_along(hall, tmp_path):
    one, two = hall(), hall()
    jobs, made = every_kind(one)
    assert jobs.ask("put-opts state=done") == "OPTIONS"
    assert jobs.put(b"") == "BAD_FORMAT"  # without a time until which its result is kept
    jobs.send(b"put-result 1\r\nx\r\n")
    assert (jobs.line(), jobs.put(b"waits")) == ("OPTIONS", "BAD_FORMAT")
    here = listed(jobs)
    assert sorted(here) == sorted(made.values())
    done = one.command("queue", "export", "mail")
    path = tmp_path / "jobs"
    path.write_text(done.stdout)
    for words in ("1 jobs of schedules wait", "1 jobs are of asynchronous routes", "1 callbacks go without",
                  "1 jobs are with a worker now", "jobs were tried before"):
        assert words in done.stderr, done.stderr
    count = len(made) - 1
    assert two.command("queue", "import", path).stdout == f"{count} jobs\n"
    theirs = two.client()
    order = [number for number in sorted(made.values()) if number != made["schedule"]]

    def check():
        there = listed(theirs)
        assert sorted(there) == list(range(1, count + 1))
        for number, job in zip(order, (there[number] for number in sorted(there))):
            if number == made["with a worker"]:
                assert (here[number]["state"], job["state"]) == ("reserved", "ready")
            same(here[number], job, ("state",) if number == made["with a worker"] else
                 ("key",) if number == made["told"] else ())

    check()
    two.kill("queue", signal.SIGKILL)
    assert two.wait_back("queue")
    theirs = two.client()
    check()
    # What came along is exported as it was, and who imports again hears which keys are taken.
    again = [json.loads(line) for line in two.command("queue", "export", "mail").stdout.splitlines()]
    before = [json.loads(line) for line in done.stdout.splitlines()]
    for job in (*again, *before):
        job.pop("id")
        job["state"] = job["state"].replace("reserved", "ready")
    assert again == before
    twice = two.command("queue", "import", path, check=False)
    n_keys = sum("key" in job for job in before)
    assert twice.returncode == 1 and twice.stdout == f"{count - n_keys} jobs\n"
    assert f"{n_keys} jobs were not put" in twice.stderr and "has its key, key-dead" in twice.stderr


def test_what_came_along_counts_there(hall, tmp_path, free_port):
    """Its key is taken, its attempts are had, its time ends, and no callback comes of what was over before."""
    one, two = hall(), hall("failure-callback told", TOLD.format(port=free_port()))  # where nobody listens
    jobs = one.client()
    dead = put(jobs, b"dead", ("put-opts state=buried tried=3 key=dead",))
    last = put(jobs, b"last", ("put-opts key=last tried=3",))
    lines = one.command("queue", "export", "mail").stdout
    short = last + 1
    path = tmp_path / "jobs"
    path.write_text(lines + '{"queue":"mail","body":"short","expires":%d}\n' % (time.time() + 2))
    assert two.command("queue", "import", path).stdout == "3 jobs\n"
    theirs = two.client()
    for number, key in ((dead, "dead"), (last, "last")):
        theirs.ask(f"put-opts key={key}")
        assert theirs.put(b"x") == f"EXISTS {number}"
    assert theirs.document("stats-tube told")["total-jobs"] == "0"
    assert theirs.job(f"reserve-job {last}") == (last, b"last")
    assert theirs.ask(f"fail {last} temporary") == "BURIED"  # the fourth attempt
    assert theirs.document("stats-tube told")["total-jobs"] == "1"
    assert until(lambda: theirs.document("stats-tube mail")["current-jobs-ready"] == "0")
    assert theirs.ask(f"peek {short}") == "NOT_FOUND"
    assert theirs.ask(f"kick-job {dead}") == "KICKED"
    assert theirs.document(f"stats-job {dead}")["attempts"] == "0"


def test_lines_of_earlier_versions(hall, tmp_path):
    one = hall("ttl 2h")
    path = tmp_path / "jobs"
    path.write_text(
        '{"queue":"mail","id":7,"state":"delayed","priority":1,"delay":3000,"ttr":3,"attempts":4,"error":"temporary",'
        '"error_text":"x","body":"d"}\n'
        '{"queue":"mail","id":8,"state":"buried","priority":2,"delay":0,"ttr":3,"attempts":1,"error":"permanent",'
        '"error_text":"gone","body_base64":"AP8="}\n'
        '{"queue":"mail","id":9,"state":"reserved","priority":3,"delay":0,"ttr":3,"attempts":1,"body":""}\n')
    assert one.command("queue", "import", path).stdout == "3 jobs\n"
    found = listed(one.client())
    assert [(found[i]["state"], found[i]["attempts"], found[i].get("error"), found[i].get("text"), found[i]["body"])
            for i in (1, 2, 3)] == [("delayed", "4", "temporary", '"x"', b"d"),
                                    ("buried", "1", "permanent", '"gone"', b"\0\xff"), ("ready", "1", None, None, b"")]
    assert 2900 < int(found[1]["time-left"]) <= 3000
    assert int(found[3]["expires"]) > time.time() + 7000  # as the queue there says


def test_a_result_without_its_put_is_no_place_to_stay(hall):
    """What a client says ahead of a put is held for as long as a request may take, and no longer."""
    jobs = hall(listen="timeout request 1s").client()
    for _ in range(3):
        jobs.send(b"put-result 60000\r\n" + b"x" * 60000 + b"\r\n")
        assert jobs.line() == "OPTIONS"
    with pytest.raises(Gone):
        jobs.line()

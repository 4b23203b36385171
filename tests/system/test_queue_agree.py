# SPDX-License-Identifier: Apache-2.0
"""The same stream of random commands to two servers of the job protocol, whose answers must be the same: several
connections that put, reserve, release, bury, kick, pause, wait and vanish, with hostile lines between. What a reply
says of ids is compared by which put made the job, what it says of the time is not compared."""

import random
import re

import pytest
from conftest import until
from job_peers import BODY_MAX, Beanstalkd, JobClient, WeirJobs
from test_jobproto import DIFFERENT, ERRORS, judge, lines

SEEDS = (1, 2, 3, 4)
N_STEPS = 500
N_CONNS = 4
TUBES = ("default", "a", "b", "long" * 50)
LATER_S = 1000  # than any test takes

OWN = {"attempts", "oldest-ready-ms"}  # keys that beanstalkd does not have
# What may differ in a dictionary: clocks, the machine, and what asking itself counts.
FREE = {"age", "time-left", "pause-time-left", "file", "pid", "version", "rusage-utime", "rusage-stime", "uptime",
        "binlog-oldest-index", "binlog-current-index", "binlog-max-size", "binlog-records-written",
        "binlog-records-migrated", "max-job-size", "id", "hostname", "os", "platform", "current-connections",
        "total-connections", "cmd-stats", "cmd-list-tube-used",
        "cmd-put",  # beanstalkd counts one that it refuses, too
        "current-workers"}  # beanstalkd does not count who has only sent reserve-job


class Job(int):
    """A job by the number of its put; each server has an id of its own for it."""


class Side:
    """One of the servers, and the connections to it."""

    def __init__(self, port):
        self.port = port
        self.control = JobClient(port)
        self.clients = [JobClient(port) for _ in range(N_CONNS)]
        self.ids = []
        self.numbers = {}
        self.begin = {key: int(value) for key, value in self.control.ask("stats").fields().items()
                      if key.startswith("cmd-") or key == "total-jobs"}
        for client in self.clients:
            client.ask("list-tube-used")

    def close(self):
        for client in (self.control, *self.clients):
            client.close()

    def bytes_of(self, words, body):
        line = " ".join(str(self.ids[word]) if isinstance(word, Job) else str(word) for word in words).encode()
        return line + b"\r\n" + (b"" if body is None else body + b"\r\n")

    def number(self, word):
        return self.numbers.get(int(word), "not one that was put")

    def plain(self, reply):
        """What of a reply must be the same."""
        if reply.word == b"INSERTED":
            self.numbers[reply.id] = len(self.ids)
            self.ids.append(reply.id)
            return (b"INSERTED",)
        if reply.word in (b"RESERVED", b"FOUND"):
            return (reply.word, self.number(reply.words[1]), reply.body)
        if reply.word != b"OK":
            return (reply.line,)
        if b": " not in reply.body:
            return sorted(reply.names())
        fields = {key: value for key, value in reply.fields().items() if key not in OWN}
        if "uptime" in fields:  # what was counted before is not compared
            fields.update((key, str(int(fields[key]) - before)) for key, before in self.begin.items())
        is_of_a_job = "uptime" not in fields and fields.get("id", "").isdigit()  # else the id of a server
        job = self.number(fields["id"]) if is_of_a_job else None
        return job, {key: value for key, value in fields.items() if key not in FREE}, sorted(FREE & fields.keys())

    def settle(self):
        """When this returns, the server has seen what was sent before it."""
        for _ in range(2):
            assert self.control.ask("list-tube-used").word == b"USING"

    def n_connections(self):
        return int(self.control.ask("stats").fields()["current-connections"])


class Stream:
    """What is asked next; it knows of the answers only how many jobs there are, and who waits."""

    def __init__(self, seed, hostile):
        self.rng = random.Random(seed)
        self.hostile = hostile
        self.n_jobs = 0

    def job(self):
        if self.n_jobs == 0 or self.rng.random() < 0.05:
            return self.rng.choice((0, 2**62, 2**64 - 1))
        recent = self.n_jobs - 1 - min(self.n_jobs - 1, int(self.rng.expovariate(1 / 8)))
        return Job(recent if self.rng.random() < 0.9 else self.rng.randrange(self.n_jobs))

    def delay(self):
        return self.rng.choice((0, 0, 0, LATER_S))

    def priority(self):
        return self.rng.choice((0, 1, 1, 1000, 2**32 - 1))

    def command(self):
        """(words, body or None)"""
        rng = self.rng
        kind = rng.choices(
            ("put", "reserve", "own", "watch", "peek", "kick", "stats", "list", "pause"),
            (20, 14, 26, 10, 10, 8, 9, 3, 4))[0]
        if kind == "put":
            size = rng.choice((0, 1, 5, 256, 256, 5000, BODY_MAX, BODY_MAX + 1))
            return ("put", self.priority(), self.delay(), rng.randint(LATER_S, 2 * LATER_S), size), rng.randbytes(size)
        if kind == "reserve":
            now = ("reserve-with-timeout", 0)
            return rng.choice((now, now, ("reserve-job", self.job()))), None
        if kind == "own":
            return rng.choice((("delete", self.job()), ("delete", self.job()), ("touch", self.job()),
                               ("release", self.job(), self.priority(), self.delay()),
                               ("bury", self.job(), self.priority()))), None
        if kind == "watch":
            return (rng.choice(("watch", "watch", "ignore", "use", "use")), rng.choice(TUBES)), None
        if kind == "peek":
            return rng.choice((("peek", self.job()), ("peek-ready",), ("peek-delayed",), ("peek-buried",))), None
        if kind == "kick":
            return rng.choice((("kick", rng.randint(0, 5)), ("kick-job", self.job()))), None
        if kind == "stats":
            return rng.choice((("stats-job", self.job()), ("stats-job", self.job()), ("stats-tube", rng.choice(TUBES)),
                               ("stats-tube", "none"), ("stats",))), None
        if kind == "list":
            return (rng.choice(("list-tubes", "list-tube-used", "list-tubes-watched")),), None
        return ("pause-tube", rng.choice(TUBES), rng.choice((0, 0, LATER_S))), None


def difference(first, second):
    """Of two dictionaries only what differs."""
    if len(first) == len(second) == 3 and isinstance(first[1], dict) and isinstance(second[1], dict):
        return [(key, first[1].get(key), second[1].get(key)) for key in first[1].keys() | second[1].keys()
                if first[1].get(key) != second[1].get(key)], first[2], second[2]
    return first, second


class Both:
    """Two servers that are asked the same."""

    def __init__(self, seed, hostile, ports):
        self.seed = seed
        self.stream = Stream(seed, hostile)
        self.sides = [Side(port) for port in ports]
        self.waiting = None  # the connection whose reserve has no answer yet
        self.log = []
        self.n_compared = 0

    def close(self):
        for side in self.sides:
            side.close()

    def agree(self, replies):
        """One reply of each server."""
        first, second = (side.plain(reply) for side, reply in zip(self.sides, replies))
        self.log.append(f"      {str(replies[0])[:150]}")
        self.n_compared += 1
        assert first == second, f"seed {self.seed}:\n" + "\n".join(self.log[-40:]) + f"\n{difference(first, second)}"
        self.stream.n_jobs = len(self.sides[0].ids)
        return first

    def say(self, conn, data_of, n_replies):
        """Sends the same on a connection of each server; n replies must follow."""
        for side in self.sides:
            side.clients[conn].send(data_of(side))
        for _ in range(n_replies):
            self.agree([side.clients[conn].reply() for side in self.sides])

    def commands(self, conn, n):
        """One command, or some at once."""
        batch = [self.stream.command() for _ in range(n)]
        for words, body in batch:
            self.log.append(f"{conn}: {' '.join(repr(word) for word in words)}")
        self.say(conn, lambda side: b"".join(side.bytes_of(words, body) for words, body in batch), n)

    def nonsense(self, conn):
        data, n_replies = self.stream.rng.choice(self.stream.hostile)
        self.log.append(f"{conn}: {data[:200]}")
        self.say(conn, lambda _: data, n_replies)

    def wait(self, conn):
        words = self.stream.rng.choice((("reserve",), ("reserve-with-timeout", LATER_S)))
        self.log.append(f"{conn}: waits")
        for side in self.sides:
            side.clients[conn].send(side.bytes_of(words, None))
        self.waiting = conn

    def look(self):
        """Whether who waits has been answered: by both or by none."""
        for side in self.sides:
            side.settle()
        first, second = (side.clients[self.waiting] for side in self.sides)
        if first.has_reply():
            self.agree([first.reply(), second.reply()])
            self.waiting = None
        else:
            assert not second.has_reply(), f"seed {self.seed}: only one has answered\n" + "\n".join(self.log[-40:])

    def vanish(self, conn):
        """The connection ends, with all its leases and its waiting; another one takes its place."""
        self.log.append(f"{conn}: vanishes")
        for side in self.sides:
            before = side.n_connections()
            side.clients[conn].close()
            assert until(lambda side=side, before=before: side.n_connections() < before)
            side.clients[conn] = JobClient(side.port)
            side.clients[conn].ask("list-tube-used")
        if self.waiting == conn:
            self.waiting = None

    def step(self):
        rng = self.stream.rng
        conn = rng.randrange(N_CONNS)
        what = rng.random()
        if what < 0.02:
            self.vanish(conn)
        elif conn == self.waiting:
            return
        elif what < 0.06 and self.waiting is None:
            self.wait(conn)
        elif what < 0.14:
            self.nonsense(conn)
        else:
            self.commands(conn, rng.choice((1, 1, 1, 1, 2, 6)))
        if self.waiting is not None:
            self.look()


@pytest.fixture(scope="module")
def hostile(tools):
    """Streams that weir's codec refuses whole, a line that is well made behind each: (bytes, replies)."""
    streams = [line + b"list-tube-used\r\n" for line in lines()
               if not any(re.match(pattern, line, re.DOTALL) for pattern, _ in DIFFERENT)]
    verdicts = judge(tools, streams)
    return [(stream, len(verdict)) for stream, verdict in zip(streams, verdicts)
            if verdict[-1] == b"ok" and len(verdict) > 1 and set(verdict[:-1]) <= ERRORS]


def compare(seed, hostile, ports):
    both = Both(seed, hostile, ports)
    try:
        for _ in range(N_STEPS):
            both.step()
        assert both.n_compared > N_STEPS // 2
    finally:
        both.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_two_beanstalkds_agree(seed, hostile, free_port):
    """So that nothing is compared that time or chance may change."""
    with Beanstalkd(free_port()) as first, Beanstalkd(free_port()) as second:
        with JobClient(second.port) as client:
            client.ask("use", "before")
            for _ in range(seed):
                client.ask("delete", client.put(b"so that ids differ"))
        compare(seed, hostile, (first.port, second.port))


@pytest.mark.parametrize("seed", SEEDS)
def test_weir_agrees_with_beanstalkd(seed, hostile, free_port, weir):
    with Beanstalkd(free_port()) as beanstalkd:
        compare(seed, hostile, (beanstalkd.port, WeirJobs(weir, free_port()).port))

# SPDX-License-Identifier: Apache-2.0
"""A minute of small programs, for one job and for many, while worker, queue and all of weir are killed and reloaded:
every job is done in the end, nothing is left of any program, and worker's memory stays as it is."""

import contextlib
import os
import random
import signal
import time

import worker_crew
from conftest import is_alive, until
from jobs_client import Gone, Jobs

SECONDS = 60
N_MOST = 400  # jobs that are ready at a time

FILE = """
jobs 127.0.0.1:{port}
queue exec {{ retry 100 backoff 10ms..50ms }}
queue serve {{ retry 100 backoff 10ms..50ms }}
worker exec {{ queue exec; exec {exec}; {words} }}
worker serve {{ queue serve; serve lines {serve}; {words}; recycle {{ jobs 50; memory 64M }} }}
"""
WORDS = ("concurrency 1..6; scale {{ every 100ms; idle 1s }}; timeout 1s; grace 100ms; env MARK {mark}; "
         "crashes {{ in-a-row 1000 }}; env TURN {turn}")

# One in ten ends badly, one in fifty hangs, one in twenty leaves a child in a session of its own.
EXEC = """
n=$(( $(od -An -N2 -tu2 < /dev/urandom) % 100 ))
[ $n -lt 5 ] && { setsid sleep 60 & }
[ $n -ge 10 ] && [ $n -lt 20 ] && exit 3
[ $n -ge 20 ] && [ $n -lt 22 ] && exec sleep 60
cat > /dev/null
"""
SERVE = """
exec /usr/bin/python3 -c '
import json, os, random, subprocess, sys, time
answers = os.fdopen(3, "w")
def say(**line): print(json.dumps(line), file=answers, flush=True)
say(ready=True)
for line in sys.stdin:
    job, n = json.loads(line), random.randrange(100)
    if n < 5: subprocess.Popen(["sleep", "60"], start_new_session=True)
    if 10 <= n < 15: os._exit(3)
    if 15 <= n < 17: time.sleep(60)
    if 17 <= n < 19: say(id=job["id"] + 1, outcome="done")
    say(id=job["id"], outcome="again" if 20 <= n < 23 else "done")
'
"""


class Clients:
    """Puts into both queues, and connects anew where the queue was killed."""

    def __init__(self, port):
        self.port, self.n, self.jobs = port, 0, None

    def connect(self):
        with contextlib.suppress(OSError):
            self.jobs = Jobs(self.port)
            return True
        time.sleep(0.05)
        return False

    def put(self):
        for how in ("exec", "serve"):
            if int(self.jobs.document(f"stats-tube {how}").get("current-jobs-ready", 0)) > N_MOST:
                continue
            self.jobs.ask(f"use {how}")
            for _ in range(20):
                assert self.jobs.put(b"x" * 100).startswith("INSERTED")
                self.n += 1

    def step(self):
        try:
            if self.jobs or self.connect():
                self.put()
        except (Gone, OSError, ValueError):
            self.jobs.close()
            self.jobs = None

    def left(self):
        try:
            if self.jobs or self.connect():
                return [self.jobs.document(f"stats-tube {how}")[f"current-jobs-{state}"] for how in ("exec", "serve")
                        for state in ("ready", "reserved", "delayed", "buried")]
        except (Gone, OSError):
            self.jobs.close()
            self.jobs = None
        return None


def disturb(w, rng, texts):
    what = rng.choice(["worker", "worker", "queue", "reload", "reload", "stop", "supervisor"])
    if what in ("worker", "queue"):
        w.kill(what, signal.SIGKILL)
        assert w.wait_back(what)
    elif what == "reload":
        w.write(rng.choice(texts))
        w.reload(check=False)
    else:
        w.pids()
        if what == "stop":
            assert w.stop() == 0, w.log()
        else:
            w.process.kill()
            w.process.wait()
        assert until(lambda: not any(is_alive(pid) for pid in w.seen))
        w.start()
    return what


def test_a_minute_of_programs(weir, program, free_port, tmp_path):
    seed = int(os.environ.get("SEED", time.time()))
    print("seed", seed)
    rng = random.Random(seed)
    port = free_port()
    paths = {"exec": program(EXEC, "exec"), "serve": program(SERVE, "serve")}
    texts = [FILE.format(port=port, words=WORDS.format(mark=tmp_path, turn=turn), **paths) for turn in (1, 2)]
    w = weir(texts[0])
    clients, did = Clients(port), []
    end, next_s = time.monotonic() + SECONDS, time.monotonic() + 2
    while time.monotonic() < end:
        clients.step()
        if time.monotonic() > next_s:
            did.append(disturb(w, rng, texts))
            next_s = time.monotonic() + rng.uniform(0.5, 4)
        time.sleep(0.02)
    done = until(lambda: clients.left() == ["0"] * 8, 180, 0.2)
    assert done, (seed, did, clients.left(), w.log()[-5000:])
    print(clients.n, "jobs;", did)
    assert worker_crew.resident_kb(w.pid("worker")) < 40_000
    assert w.stop() == 0
    assert not worker_crew.marked(tmp_path)

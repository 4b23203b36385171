# SPDX-License-Identifier: Apache-2.0
"""Programs of every bad kind at once, each for one job and for many: what their limits make of them, what is left when
weir is killed while all of them run, and what an upgrade or a reload does to them."""

import os
import pathlib
import signal
import time

import pytest
from conftest import is_alive, until
from jobs_client import Jobs
from test_upgrade import NEXT, upgrade, wait_no_formers
from worker_crew import marked, notes

__all__ = ["notes"]

# A job each, Python: `note(NAME)` tells that it is under way.
KINDS = {
    "deaf": "signal.signal(signal.SIGTERM, signal.SIG_IGN); note('deaf'); time.sleep(600)",
    "parent": "[subprocess.Popen(['/bin/sh', '-c', 'trap \"\" TERM; sleep 600 & wait'], start_new_session=own)"
              " for own in (False, True)]; note('parent'); time.sleep(600)",
    "eater": "keep = []; note('eater')\nwhile True:\n    keep.append(bytes(1 << 20)); time.sleep(0.001)",
    "loud": "note('loud'); line = b'x' * 65535 + b'\\n'\nfor _ in range(N_LOUD >> 16): os.write(1, line)\n"
            "os.write(1, b'the end\\n'); end()",
    "quick": "note('quick'); os._exit(3)",
    "endless": "note('endless')\nwhile True: pass",
}

HEAD = """
import json, os, signal, subprocess, sys, time
N_LOUD = %d
def note(name):
    open('NOTES/.' + name + sys.argv[1], 'w').close()
    os.rename('NOTES/.' + name + sys.argv[1], 'NOTES/' + name + sys.argv[1])
"""

EXEC = HEAD + """
end = lambda: sys.exit(0)
exec(sys.stdin.read())
"""

SERVE = HEAD + """
answers = os.fdopen(3, 'w')
def say(**line): print(json.dumps(line), file=answers, flush=True)
end = lambda: say(id=job['id'], outcome='done')
say(ready=True)
for line in sys.stdin:
    job = json.loads(line)
    exec(job['body'])
"""

# Two kinds of worker, and a queue for each kind of program. MARK is found again in /proc.
HOWS = ("exec", "serve")
WORDS = "limits memory 400M; grace 300ms; env MARK {mark}; crashes { backoff 200ms..400ms }"


class Zoo:
    def __init__(self, weir, program, notes, port, words="", n_loud=1 << 30, retry="retry 9 backoff 10ms..20ms",
                 head="", prefix=()):
        self.mark, self.notes, self.port = str(notes), notes, port
        self.program, self.programs = program, {}
        text = f"{head}jobs 127.0.0.1:{port}\nqueues {{ segment 1M }}\n"
        for how, script in zip(HOWS, (EXEC, SERVE), strict=True):
            code = program("", f"{how}.py")
            code.write_text((script % n_loud).replace("NOTES", str(notes)))
            self.programs[how] = program(f"exec /usr/bin/python3 {code} {how}", how)
            verb = "exec" if how == "exec" else "serve lines"
            for kind in KINDS:
                text += (f"queue {how}-{kind} {{ {retry} }}\nworker {how}-{kind} {{ queue {how}-{kind}; "
                         f"{verb} {self.programs[how]}; {WORDS.replace('{mark}', self.mark)} ; {words} }}\n")
        self.weir = weir(text, start=False, prefix=prefix)
        self.weir.folder.chmod(0o777)
        self.weir.start()
        self.client = Jobs(port)

    def put_all(self):
        for how in HOWS:
            for kind, script in KINDS.items():
                self.client.ask(f"use {how}-{kind}")
                assert self.client.put(script.encode()).startswith("INSERTED")

    def wait_under_way(self):
        wanted = {kind + how for how in HOWS for kind in KINDS}
        assert until(lambda: wanted <= {path.name for path in self.notes.iterdir()}, 60), \
            (sorted(path.name for path in self.notes.iterdir()), self.weir.log())

    def mend(self):
        """From now on every job is done at once."""
        self.program("exit 0", "exec")
        self.program(
            "echo '{\"ready\":true}' >&3\nwhile read -r line; do id=${line#*:}; "
            "echo \"{\\\"id\\\":${id%%,*},\\\"outcome\\\":\\\"done\\\"}\" >&3; done", "serve")

    def figure(self, how, kind, key):
        return int(self.client.document(f"stats-tube {how}-{kind}")[key])

    def wait_done(self):
        """Every job: there is none left, and none was buried."""
        def left(how, kind):
            return [self.figure(how, kind, f"current-jobs-{state}")
                    for state in ("ready", "reserved", "delayed", "buried")]
        for how in HOWS:
            for kind in KINDS:
                assert until(lambda h=how, k=kind: left(h, k) == [0, 0, 0, 0], 60), \
                    (how, kind, left(how, kind), self.weir.log())

    def living(self):
        """The processes of programs, also those that have lost their parents."""
        return marked(self.mark)


@pytest.fixture
def zoo(weir, program, notes, free_port):
    made = []

    def make(**options):
        made.append(Zoo(weir, program, notes, free_port(), **options))
        return made[-1]

    yield make
    for one in made:
        one.client.close()


SAID = {  # of a job whose program has met its limit; loud meets none
    "deaf": ("killed after 5s",),
    "parent": ("killed after 5s",),
    "eater": ("MemoryError", "exit status 1"),
    "quick": ("exit status 3",),
    "endless": ("killed after 5s",),
}


def test_limits(zoo):
    """Each ends as its limits say, and takes along what it has started."""
    one = zoo(words="timeout 5s", n_loud=1 << 20, retry="retry 1 backoff 1h..1h")
    one.put_all()
    for how in HOWS:
        assert until(lambda h=how: one.figure(h, "loud", "cmd-delete") == 1, 60), one.weir.log()
        for kind, said in SAID.items():
            assert until(lambda h=how, k=kind: one.figure(h, k, "current-jobs-delayed") == 1, 60), one.weir.log()
            one.weir.wait_log(f"of queue {how}-{kind}: not done: ")
            line = next(row for row in one.weir.log().splitlines() if f"of queue {how}-{kind}: not done: " in row)
            assert any(text in line for text in said), line
    assert until(lambda: all(b"serve.py" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                             for pid in one.living())), "what is no served program, which lives on"


@pytest.mark.parametrize("victim", ["worker", "queue", "supervisor"])
def test_killed_while_all_run(zoo, victim):
    """No process is left of worker's programs where it or all of weir dies, and each job is done in the end."""
    one = zoo()
    one.put_all()
    one.wait_under_way()
    before = one.living()
    assert len(before) >= 2 * (len(KINDS) - 1)
    one.mend()
    if victim == "supervisor":
        one.weir.pids()
        one.weir.process.kill()
        one.weir.process.wait()
        assert until(lambda: not any(is_alive(pid) for pid in one.weir.seen))
        assert until(lambda: not any(is_alive(pid) for pid in before))
        one.weir.start()
    else:
        one.weir.kill(victim, signal.SIGKILL)
        assert one.weir.wait_back(victim)
    if victim == "queue":  # what runs goes on; only its end is waited for
        assert until(lambda: sum(is_alive(pid) for pid in before) >= 8)
        one.weir.kill("worker", signal.SIGKILL)
        assert one.weir.wait_back("worker")
    assert until(lambda: not any(is_alive(pid) for pid in before))
    one.client = Jobs(one.port)
    one.wait_done()


def test_stopped_while_all_run(zoo):
    """A stop waits for no job: each is given back, and none of the attempts counts."""
    one = zoo(retry="retry 1 backoff 1h..1h")
    one.put_all()
    one.wait_under_way()
    before = one.living()
    one.mend()
    assert one.weir.stop() == 0
    assert not one.living()
    assert not any(is_alive(pid) for pid in before)
    one.weir.start()
    one.client = Jobs(one.port)
    for how in HOWS:
        for kind in ("quick", "eater"):  # an attempt counts that had ended by itself
            one.client.ask(f"use {how}-{kind}")
            one.client.ask("kick 10")
    one.wait_done()


@pytest.mark.skipif(os.geteuid() != 0, reason="everything else runs without root then")
@pytest.mark.parametrize("end", ["worker", "supervisor", "stop"])
def test_without_root(zoo, notes, end):
    """There is no PID namespace: programs die with worker all the same, and a stop leaves nothing at all."""
    notes.parent.chmod(0o777)
    one = zoo(prefix=["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"])
    one.put_all()
    one.wait_under_way()
    before = one.living()
    assert os.readlink(f"/proc/{one.weir.pid('worker')}/ns/pid") == os.readlink("/proc/self/ns/pid")
    one.mend()
    if end == "worker":
        one.weir.kill("worker", signal.SIGKILL)
        assert one.weir.wait_back("worker")
    elif end == "supervisor":
        one.weir.pids()
        one.weir.process.kill()
        one.weir.process.wait()
        assert until(lambda: not any(is_alive(pid) for pid in one.weir.seen))
        one.weir.start()
    else:
        assert one.weir.stop() == 0
        assert not any(is_alive(pid) for pid in before)
        one.weir.start()
    one.client = Jobs(one.port)
    one.wait_done()
    left = {pid: pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() for pid in before if is_alive(pid)}
    for pid in left:
        os.kill(pid, signal.SIGKILL)  # what the programs had started, which nobody promises
    assert not any(b".py" in title for title in left.values())


# ---- another binary, another file -----------------------------------------------------------------------------------

STEADY = "note('run'); open('NOTES/pid%s' % sys.argv[1], 'w').write(str(os.getpid()))\n" \
         "while not os.path.exists('NOTES/go'): time.sleep(0.05)\nend()"


def start_steady(one):
    ids = {}
    for how in HOWS:
        one.client.ask(f"use {how}-quick")
        ids[how] = one.client.put(STEADY.replace("NOTES", str(one.notes)).encode()).split()[1]
        assert until((one.notes / f"run{how}").exists), one.weir.log()
    return ids


@pytest.mark.skipif(not os.path.exists(NEXT), reason="no second build: weir-next")
def test_upgrade(zoo):
    """What runs goes on in the former process, and is done; what comes meanwhile the new one does."""
    one = zoo()
    ids = start_steady(one)
    pids = one.living()
    upgrade(one.weir)
    assert all((one.notes / f"pid{how}").exists() for how in HOWS)
    one.client = Jobs(one.port)
    done = "end()"
    for how in HOWS:
        one.client.ask(f"use {how}-deaf")
        one.client.put(done.encode())
        assert until(lambda h=how: one.figure(h, "deaf", "cmd-delete") == 1), one.weir.log()
        assert until(lambda h=how: one.client.document(f"stats-job {ids[h]}")["state"] == "reserved"), one.weir.log()
        assert one.client.document(f"stats-job {ids[how]}")["attempts"] == "1"
    (one.notes / "go").touch()
    for how in HOWS:
        assert until(lambda h=how: one.figure(h, "quick", "cmd-delete") == 1), one.weir.log()
    wait_no_formers(one.weir)
    assert until(lambda: not any(is_alive(pid) for pid in pids)), "left behind by the former worker"
    assert "not done" not in one.weir.log()
    assert "is lost" not in one.weir.log()


@pytest.mark.skipif(not os.path.exists(NEXT), reason="no second build: weir-next")
def test_stop_behind_an_upgrade(zoo):
    """The former process has no more time than a stop gives: its job is given back, and the attempt does not count."""
    one = zoo(retry="retry 1 backoff 1h..1h", head="stop-timeout 2s\n")
    ids = start_steady(one)
    upgrade(one.weir)
    one.client = Jobs(one.port)
    for how in HOWS:
        assert until(lambda h=how: one.client.document(f"stats-job {ids[h]}")["state"] == "reserved"), one.weir.log()
    assert one.weir.stop() == 0
    assert until(lambda: not one.living())
    (one.notes / "go").touch()
    one.weir.start()
    one.client = Jobs(one.port)
    for how in HOWS:
        assert until(lambda h=how: one.figure(h, "quick", "cmd-delete") == 1), one.weir.log()


def test_many_reloads(zoo):
    """However often, with jobs under way: each is done once."""
    one = zoo(words="concurrency 3")
    for how in HOWS:
        one.client.ask(f"use {how}-quick")
        for _ in range(20):
            one.client.put(b"time.sleep(0.1); end()")
    text = one.weir.file.read_text()
    for n in range(4):
        one.weir.write(text.replace("env MARK", f"env TURN {n}; env MARK") if n % 2 else text)
        one.weir.reload()
    for how in HOWS:
        assert until(lambda h=how: one.figure(h, "quick", "cmd-delete") == 20, 60), one.weir.log()
    assert "not done" not in one.weir.log()

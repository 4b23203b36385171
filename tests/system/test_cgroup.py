# SPDX-License-Identifier: Apache-2.0
"""Control groups for the programs of jobs, in a group that the test makes and marks as delegated, as a service manager
would: who is where, what is left when something is killed, and what the kernel makes of limits that it has."""

import contextlib
import os
import pathlib
import signal

import pytest
from conftest import is_alive, real_pid, until
from test_upgrade import upgrade, wait_no_formers
from worker_crew import SLOW, notes, wait_notes

__all__ = ["notes"]

FILE = "jobs 127.0.0.1:{port}\nqueues {{ segment 1M }}\nqueue work {{ retry 1 backoff 1h..1h }}\n{head}\n" \
       "worker crew {{ queue work; concurrency 4; grace 300ms; {words}; exec {program} }}\n"


def mount_point():
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[fields.index("-") + 1] == "cgroup2":
            return pathlib.Path(fields[4])
    return None


def members(group):
    """The processes of a group and of those beneath it."""
    found = []
    for path in group.rglob("cgroup.procs"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in path.read_text().split()]
    return found


def remove(group):
    """Ends what is in it, and removes it."""
    def is_gone():
        for pid in members(group):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for path in sorted(group.rglob("*/"), reverse=True):
            with contextlib.suppress(OSError):
                path.rmdir()
        with contextlib.suppress(OSError):
            group.rmdir()
        return not group.exists()
    assert until(is_gone), list(group.rglob("*"))


@pytest.fixture
def group():
    """One of this host's, delegated."""
    above = mount_point()
    if os.geteuid() != 0 or not above:
        pytest.skip("no control groups of version 2 here, or no right to make one")
    path = above / f"weir-test-{os.getpid()}"
    try:
        path.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        os.setxattr(path, "user.delegate", b"1")
        yield path
    except OSError as error:
        pytest.skip(f"a control group has no attributes here: {error}")
    finally:
        remove(path)


@pytest.fixture
def crew(weir, free_port, program, notes, group, on_tube):
    def make(script, words="crashes { backoff 1s..1s }", head=""):
        port = free_port()
        path = program(script.replace("NOTES", str(notes)))
        w = weir(FILE.format(port=port, head=head, words=words, program=path),
                 prefix=("/bin/sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"))

        w.connect = lambda: on_tube(port, "work")
        return w

    return make


def put(w, n):
    jobs = w.connect()
    for _ in range(n):
        assert jobs.put(b"x").startswith("INSERTED")


def programs(group):
    """The groups of programs that there are."""
    return [path for path in group.glob("jobs/*/*") if path.is_dir() and path.name != "worker"]


def runners(w, notes, n):
    return [real_pid(int((notes / name).read_text()), w.pid("worker")) for name in wait_notes(notes, n)[:n]]


RUNAWAY = "setsid sh -c 'exec sleep 300' &" + SLOW


def test_each_has_its_own(crew, notes, group):
    """weir is in its leaf, worker in that of its life, and each program and what it starts in a group that goes with
    it."""
    w = crew(RUNAWAY)
    w.wait_log("each program of a job has a control group of its own")
    assert not (group / "cgroup.procs").read_text()
    inside = [int(word) for word in (group / "weir/cgroup.procs").read_text().split()]
    assert w.process.pid in inside
    assert w.pid("admin") in inside
    worker = w.pid("worker")
    assert str(worker) in (group / f"jobs/{worker}/worker/cgroup.procs").read_text().split()
    put(w, 2)
    pids = runners(w, notes, 2)
    assert until(lambda: all(len(members(path)) >= 3 for path in programs(group)))  # the shell and its two sleeps
    found = programs(group)
    assert sorted(path.name for path in found) == ["crew.1", "crew.2"]
    assert sorted(pid for path in found for pid in members(path) if pid in pids) == sorted(pids)
    (notes / "go").touch()
    assert until(lambda: not programs(group)), programs(group)
    assert w.stop() == 0
    assert not list(group.glob("jobs/*/"))


@pytest.mark.parametrize("victim", ["worker", "supervisor"])
def test_killed(crew, notes, group, victim):
    """Neither a group nor a process is left of a life that was killed."""
    w = crew(RUNAWAY)
    worker = w.pid("worker")
    put(w, 2)
    runners(w, notes, 2)
    before = [pid for path in programs(group) for pid in members(path)]
    assert len(before) >= 4
    if victim == "supervisor":
        w.pids()
        w.process.kill()
        w.process.wait()
        assert until(lambda: not any(is_alive(pid) for pid in [*before, *w.seen]))
        assert until(lambda: not members(group))
        w.start()
    else:
        w.kill("worker", signal.SIGKILL)
        assert w.wait_back("worker")
    assert until(lambda: not any(is_alive(pid) for pid in before))
    assert until(lambda: not (group / f"jobs/{worker}").exists())
    assert (group / f"jobs/{w.pid('worker')}/worker").exists()


def test_upgraded(crew, notes, group):
    """The former worker keeps the groups of its programs beside those of the new one."""
    w = crew(SLOW)
    worker = w.pid("worker")
    put(w, 1)
    wait_notes(notes, 1)
    former = programs(group)[0]
    upgrade(w)
    assert until(lambda: w.pid("worker") not in (None, worker))
    put(w, 1)
    wait_notes(notes, 2)
    assert len(members(former)) >= 1
    assert sorted(path.parent.name for path in programs(group)) == sorted([str(worker), str(w.pid("worker"))])
    (notes / "go").touch()
    assert until(lambda: not programs(group)), programs(group)
    wait_no_formers(w)
    assert w.stop() == 0
    assert not list(group.glob("jobs/*/"))


def test_off(crew, notes, group):
    """`cgroup off`: all is where it was put."""
    w = crew(SLOW, head="cgroup off")
    w.wait_log("rlimits alone bound them: the file says `cgroup off`")
    put(w, 1)
    wait_notes(notes, 1)
    assert not (group / "jobs").exists()
    assert str(w.process.pid) in (group / "cgroup.procs").read_text().split()


def test_not_delegated(crew, group):
    """Nothing is touched in a group that nobody has marked."""
    os.removexattr(group, "user.delegate")
    w = crew(SLOW, words="limits cores 50%")
    w.wait_log("rlimits alone bound them: the control group of weir is not delegated")
    w.wait_log("`limits cores` bounds nothing here")
    assert not (group / "jobs").exists()


def need(group, controller):
    if controller not in (group / "cgroup.controllers").read_text().split():
        pytest.skip(f"this host has no controller {controller} of version 2")


def test_memory(crew, notes, group):
    """Two processes that each keep to their limit do not keep to it together, and the error says so."""
    need(group, "memory")
    eat = "keep = bytearray(b'x') * (150 << 20); import time; time.sleep(600)"
    w = crew(f'/usr/bin/python3 -c "{eat}" & /usr/bin/python3 -c "{eat}"', words="limits memory 256M")
    put(w, 1)
    w.wait_log("killed: more than 256M of memory (cgroup)")
    assert until(lambda: not programs(group))


def test_cores(crew, notes, group):
    """Two processes have half a processor between them."""
    need(group, "cpu")
    w = crew("while :; do :; done & " + SLOW, words="limits cores 50%")
    put(w, 1)
    wait_notes(notes, 1)
    assert (programs(group)[0] / "cpu.max").read_text() == "50000 100000\n"


def test_processes(crew, group):
    """And so many processes."""
    need(group, "pids")
    w = crew("exec sleep 600", words="user nobody; limits processes 3000")
    put(w, 1)
    assert until(lambda: programs(group))
    assert until(lambda: (programs(group)[0] / "pids.max").read_text() == "3000\n")

# SPDX-License-Identifier: Apache-2.0
"""A weir with a queue and a worker, for the tests of programs that do jobs, and what these want to know."""

import contextlib
import pathlib

import pytest
from conftest import real_pid, until

FILE = """
jobs 127.0.0.1:{port}
queues {{ segment {segment} }}
queue work {{ {queue_words} }}
worker crew {{ queue work; {how} {program} {words} }}
"""


@pytest.fixture
def notes(tmp_path):
    """A folder that programs may write to."""
    folder = tmp_path / "notes"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def crew(weir, free_port, program, notes, on_tube):
    """crew(SCRIPT) starts a weir with a queue and a worker; its jobs() is a connection to the queue."""
    def make(script, words="", queue_words="retry 9 backoff 100ms..200ms; keep 1h", arguments="", how="exec",
             segment="1M"):
        port = free_port()
        path = program(script.replace("NOTES", str(notes)))
        w = weir(FILE.format(port=port, how=how, program=f"{path} {arguments}", words=f"; {words}" if words else "",
                             queue_words=queue_words, segment=segment))
        w.program = path

        w.jobs = lambda: on_tube(port, "work")
        return w

    return make


def figures(jobs):
    """The queue's: ready, reserved, delayed, buried, deleted."""
    found = jobs.document("stats-tube work")
    names = ("current-jobs-ready", "current-jobs-reserved", "current-jobs-delayed", "current-jobs-buried", "cmd-delete")
    return [int(found[name]) for name in names]


def wait_deleted(w, jobs, n):
    assert until(lambda: figures(jobs)[4] >= n), (figures(jobs), w.log())


def wait_notes(notes, n):
    """The names of at least n notes, each of which is whole."""
    def names():
        return sorted(path.name for path in notes.iterdir() if not path.name.startswith("."))
    assert until(lambda: len(names()) >= n), names()
    return names()


def of_worker(w, name):
    """What `weir status --json` says of the only worker of the file."""
    found = next(one for one in w.status()["processes"] if one["name"] == "worker")
    return found["detail"]["modules"]["worker"]["workers"][0][name]


def marked(mark):
    """The processes that have MARK so in their environment, also those that have lost their parents."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and f"MARK={mark}\0".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


def resident_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


SLOW = """
    note=run$WEIR_JOB_ATTEMPT-$WEIR_JOB_ID
    echo $$ > NOTES/.$note
    mv NOTES/.$note NOTES/$note
    while ! [ -e NOTES/go ]; do sleep 0.05; done
"""


def runner(w, notes, name):
    """The program that has written this note."""
    wait_for = notes / name
    assert until(wait_for.exists), sorted(path.name for path in notes.iterdir())
    pid = real_pid(int(wait_for.read_text()), w.pid("worker"))
    assert pid, "it has ended already"
    return pid


RUNAWAY = "setsid sh -c 'echo $$ > NOTES/.c; mv NOTES/.c NOTES/child; exec sleep 300' &" + SLOW

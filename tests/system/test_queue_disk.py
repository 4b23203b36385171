# SPDX-License-Identifier: Apache-2.0
"""The queue on a disk that is full, and on one that fails: the process as it is, sandbox and all. The full disk is a
file system of a few megabytes in a mount namespace of its own; the one that fails is weir-eio (tests/apps/eio.c)."""

import os
import pathlib
import subprocess

import conftest
import pytest
from conftest import is_alive, until
from jobs_client import Gone, Jobs

BODY_BYTES = 60000
MIB = 1 << 20


def body_of(number, n_bytes=BODY_BYTES):
    return (b"job-%d-" % number).ljust(n_bytes, b"x")


class Clients:
    """Connections to a weir with a queue, and what it promised on them."""

    def __init__(self, weir, port, state=None, prefix=()):
        self.port, self.made = port, []
        self.one = weir(f"jobs 127.0.0.1:{port} {{ limits job 65535 }}\nqueues {{ segment 1M }}\n", state=state,
                        prefix=prefix)
        self.here = {}  # id -> body: acknowledged and not deleted

    def connect(self):
        self.made.append(Jobs(self.port))
        return self.made[-1]

    def put(self, jobs, number):
        """The line of the answer."""
        line = jobs.put(body_of(number))
        if line.startswith("INSERTED "):
            self.here[int(line.split()[1])] = body_of(number)
        return line

    def take(self, jobs):
        """Reserves and deletes a job."""
        number, body = jobs.job("reserve-with-timeout 0")
        assert body == self.here[number]
        assert jobs.ask(f"delete {number}") == "DELETED"
        del self.here[number]

    def check_all(self):
        """Each acknowledged job is there once and whole, and no other."""
        jobs = self.connect()
        found = {}
        while not isinstance(job := jobs.job("reserve-with-timeout 0"), str):
            assert job[0] not in found
            found[job[0]] = job[1]
        assert found == self.here
        jobs.close()

    def close(self):
        for jobs in self.made:
            jobs.close()
        self.made = []


# ---- full -----------------------------------------------------------------------------------------------------------

def has_mounts():
    return subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", "mount -t tmpfs weir /mnt"],
                          capture_output=True).returncode == 0


class Mount:
    """A small file system that only those see who are started with its prefix; it is there until close()."""

    def __init__(self, folder, n_bytes):
        self.folder = folder
        folder.mkdir()
        self.keeper = subprocess.Popen(
            ["unshare", "-m", "--propagation", "private", "sh", "-c",
             f"mount -t tmpfs -o size={n_bytes},mode=0755 weir {folder} && echo mounted && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.keeper.stdout.readline() == "mounted\n"
        self.seen = pathlib.Path(f"/proc/{self.keeper.pid}/root{folder}")  # from outside

    def prefix(self, cwd):
        return ["nsenter", "-t", str(self.keeper.pid), "-m", "--", "sh", "-c", f'cd {cwd} && exec "$@"', "sh"]

    def free_bytes(self):
        stat = os.statvfs(self.seen)
        return stat.f_bavail * stat.f_frsize

    def close(self):
        self.keeper.communicate()


@pytest.fixture
def small_disk(weir, free_port, tmp_path):
    """small_disk(n_bytes): a weir whose state has so much room."""
    made = []

    def make(n_bytes):
        mount = Mount(tmp_path / "disk", n_bytes)
        made.append(mount)
        clients = Clients(weir, free_port(), mount.folder / "state", mount.prefix(tmp_path / "weir0"))
        made.append(clients)
        clients.mount = mount
        return clients

    yield make
    for one in reversed(made):
        if isinstance(one, Clients):
            one.close()
            one.one.finish()
        one.close()


def fill(clients, jobs, number):
    """Puts from `number` on until the disk has no room; the next number."""
    for _ in range(1000):
        line = clients.put(jobs, number)
        if line == "OUT_OF_MEMORY":
            return number
        assert line.startswith("INSERTED "), line
        number += 1
    pytest.fail("a disk of a few megabytes has room for 1000 jobs")


def wait_accepted(clients, jobs, number):
    assert until(lambda: clients.put(jobs, number) != "OUT_OF_MEMORY", every=0.1), clients.one.log()
    assert body_of(number) in clients.here.values()


@pytest.mark.skipif(not has_mounts(), reason="a small disk of its own takes a mount namespace")
def test_a_full_disk(small_disk):
    """New jobs are refused, the others served and deleted; room that is given back is used again; nothing is lost by
    it, nor by a kill and a start on the full disk."""
    clients = small_disk(10 * MIB)
    mount, one = clients.mount, clients.one
    jobs = clients.connect()
    other = mount.seen / "of-somebody-else"
    other.write_bytes(b"x" * 3 * MIB)
    number = fill(clients, jobs, 1)
    assert number > 20 and mount.free_bytes() < MIB
    assert clients.put(jobs, number) == "OUT_OF_MEMORY"

    # The rest goes on.
    clients.take(jobs)
    assert jobs.job("peek 2") == (2, clients.here[2])
    taken = jobs.job("reserve-with-timeout 0")[0]
    assert jobs.ask(f"release {taken} 0 0") == "RELEASED"
    taken = jobs.job("reserve-with-timeout 0")[0]
    assert jobs.ask(f"bury {taken} 0") == "BURIED"
    assert jobs.ask("kick 1") == "KICKED 1"
    assert jobs.document("stats")["current-jobs-ready"] == str(len(clients.here))

    one.wait_log("queue: no room for the log on the disk: ")

    # Killed and started on the full disk.
    one.pids()
    one.process.kill()
    one.process.wait()
    assert until(lambda: not any(is_alive(pid) for pid in one.seen))
    one.start()
    jobs = clients.connect()
    assert clients.put(jobs, number) == "OUT_OF_MEMORY"
    clients.take(jobs)

    # Somebody makes room.
    other.unlink()
    wait_accepted(clients, jobs, number)
    number = fill(clients, jobs, number + 1)

    # Workers do: what is deleted gives its room back.
    for _ in range(len(clients.here) * 3 // 4):
        clients.take(jobs)
    wait_accepted(clients, jobs, number)
    clients.close()
    assert one.stop() == 0
    one.start()
    clients.check_all()


@pytest.mark.skipif(not has_mounts(), reason="a small disk of its own takes a mount namespace")
def test_a_disk_that_is_too_small(weir, free_port, tmp_path):
    """Not even the first segment has room: the start says so."""
    mount = Mount(tmp_path / "disk", MIB // 2)
    try:
        one = weir(f"jobs 127.0.0.1:{free_port()}\nqueues {{ segment 1M }}\n", start=False,
                   state=mount.folder / "state", prefix=mount.prefix(tmp_path / "weir0"))
        one.spawn()
        assert one.wait_end() == 1
        one.wait_log("the queue's log: there is no room on the disk for a segment of 1048576 bytes; make room")
    finally:
        mount.close()


# ---- failing --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("what", ["write", "sync"])
def test_a_failing_disk(weir, free_port, monkeypatch, what):
    """The log takes nothing any more and says so, even when the disk is well again; a start has all that was
    acknowledged, and of what was not it has the whole or nothing."""
    monkeypatch.setattr(conftest, "WEIR", str(pathlib.Path(conftest.WEIR).parent / "weir-eio"))
    clients = Clients(weir, free_port())
    one = clients.one
    jobs, other = clients.connect(), clients.connect()
    for number in range(1, 31):
        assert clients.put(jobs, number) == f"INSERTED {number}"
    for _ in range(10):
        clients.take(jobs)
    held = jobs.job("reserve-with-timeout 0")[0]
    fault = one.state / "queue" / f"eio-{what}"
    fault.touch()
    fault.chmod(0o666)  # for the user that weir runs as

    try:
        assert clients.put(other, 31) == "INTERNAL_ERROR"  # the log noticed before the put came
    except Gone:
        pass  # no answer: nobody knows whether it is there
    # To write, to seal or to sync, whichever came first.
    one.wait_log("queue: the log has failed, no job is taken any more: cannot ")
    one.wait_fact(f"jobs:127.0.0.1:{clients.port}", "failed")
    fault.unlink()
    other = clients.connect()
    assert clients.put(other, 32) == "INTERNAL_ERROR"
    assert other.ask("reserve-with-timeout 0") == "INTERNAL_ERROR"
    assert jobs.ask(f"delete {held}") == "INTERNAL_ERROR"
    assert one.log().count("the log has failed") == 1
    assert jobs.job("peek 20") == (20, body_of(20))
    clients.close()

    assert one.stop() == 0
    one.start()
    jobs = clients.connect()
    if jobs.job("peek 31") == (31, body_of(31)):
        clients.here[31] = body_of(31)
    clients.check_all()
    number = int(jobs.put(b"new").split()[1])
    assert number > 31
    clients.close()

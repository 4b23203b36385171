# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the system tests: a weir in a folder of its own, applications to stand behind it, free ports.

The programs come from the environment (WEIR, WEIR_APP), or from build/. Whatever a test starts ends with
it, and the test fails if anything is left: a process, a socket's file, a line of a sanitizer in the log.
"""

import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
APP = os.environ.get("WEIR_APP", str(ROOT / "build" / "weir-app"))
PATIENCE_S = 20  # no test fails because a machine is slow
KEPT_BYTES = 1 << 20  # of a failed test's files, each
COMPLAINTS = re.compile(r"Sanitizer|runtime error|Assertion")


def until(condition, timeout=PATIENCE_S, every=0.01):
    """The first true value of condition(), or what it gave last."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() >= deadline:
            return value
        time.sleep(every)


def stat_fields(pid):
    """The fields of /proc/PID/stat behind the name, or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def is_alive(pid):
    """Also one whose first thread has ended while another is in a sync that nobody can interrupt: that one keeps its
    descriptors, and the ports with them."""
    fields = stat_fields(pid)
    if fields is None or fields[0] != "Z":
        return fields is not None
    with contextlib.suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    return False


def real_pid(number, beside):
    """What a process is called out here whose number in the PID namespace of the process `beside` is this one; None
    where no living process is."""
    try:
        space = os.readlink(f"/proc/{beside}/ns/pid")
    except OSError:
        return None
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and os.readlink(entry / "ns" / "pid") == space:
                numbers = re.search(r"^NSpid:(.*)$", (entry / "status").read_text(), re.MULTILINE)
                if int(numbers[1].split()[-1]) == number and is_alive(int(entry.name)):
                    return int(entry.name)
    return None


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE_S)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def children(pid):
    """pid -> title of the living children of a process."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        fields = stat_fields(name)
        if fields is None or fields[0] == "Z" or int(fields[1]) != pid:
            continue
        with contextlib.suppress(OSError), open(f"/proc/{name}/cmdline", "rb") as file:
            found[int(name)] = file.read().split(b"\0")[0].decode()
    return found


class Weir:
    """One `weir run` and what the tests want to know about it."""

    def __init__(self, folder, text, state=None, args=(), env=None, prefix=()):
        self.folder = folder
        self.file = folder / "test.weir"
        self.state = state or folder / "state"
        self.log_file = folder / "log"
        self.args = list(args)
        self.prefix = list(prefix)  # what executes it: `ip netns exec NAME`
        self.env = {**os.environ, **(env or {})}
        self.process = None
        self.seen = set()  # every child that was ever seen
        self.killed = {}
        self.write(text)

    def write(self, text):
        """The file changes at once, as an editor does it."""
        new = self.folder / "test.weir.new"
        new.write_text(text)
        new.rename(self.file)

    def spawn(self):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, WEIR, "run", "test.weir", "--state", str(self.state), *self.args],
                cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def start(self):
        """Until it says that it serves."""
        before = self.log().count("weir serves")
        self.spawn()
        until(lambda: self.log().count("weir serves") > before or self.process.poll() is not None)
        assert self.process.poll() is None, self.log()
        assert self.log().count("weir serves") > before, self.log()
        self.pids()
        return self

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def wait_log(self, text, timeout=PATIENCE_S):
        assert until(lambda: text in self.log(), timeout), f"no {text!r} in the log:\n{self.log()}"

    @property
    def pid_supervisor(self):
        return self.process.pid

    def pids(self):
        """kind -> pid, from the titles of the children."""
        found = {}
        for pid, title in children(self.process.pid).items():
            self.seen.add(pid)
            if title.startswith("weir: "):
                found[title[len("weir: "):]] = pid
        return found

    def pid(self, kind, wait=True):
        if not wait:
            return self.pids().get(kind)
        pid = until(lambda: self.pids().get(kind))
        assert pid, f"no process of kind {kind}:\n{self.log()}"
        return pid

    def kill(self, kind, number):
        pid = self.pid(kind)
        self.killed[kind] = pid
        os.kill(pid, number)
        return pid

    def is_back(self, kind):
        pid = self.pids().get(kind)
        if not pid or pid == self.killed.get(kind):
            return False
        fact = self.fact(f"process:{kind}", check=False)
        return fact is not None and fact["state"] == "up" and fact["reason"] == f"pid {pid}"

    def wait_back(self, kind, timeout=PATIENCE_S):
        """After kill(): another life of it serves."""
        return until(lambda: self.is_back(kind), timeout, 0.002)

    def command(self, *args, check=True, timeout=60, stdin=None):
        done = subprocess.run([WEIR, *args, "--state", str(self.state)], cwd=self.folder, text=True,
                              stdin=stdin, capture_output=True, timeout=timeout, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr + self.log()
        return done

    def reload(self, check=True):
        return self.command("reload", check=check)

    def ask(self, target, check=True):
        """What `weir status` and `weir facts` ask, without a program for each of many times; None: no answer."""
        conn = UnixConnection(self.state / "admin.sock")
        try:
            conn.request("GET", target)
            reply = conn.getresponse()
            text = reply.read()
            assert reply.status == 200, (reply.status, text)
            return json.loads(text)
        except (OSError, http.client.HTTPException) as error:
            assert not check, (target, error, self.log())
            return None
        finally:
            conn.close()

    def status(self):
        return self.ask("/v1/status")

    def facts(self, check=True):
        found = self.ask("/v1/facts", check)
        return {fact["name"]: fact for fact in found["facts"]} if found else {}

    def fact(self, name, check=True):
        facts = self.facts(check)
        assert not check or name in facts, (name, sorted(facts))
        return facts.get(name)

    def wait_fact(self, name, state, timeout=PATIENCE_S):
        def is_so():
            fact = self.fact(name, check=False)
            return fact is not None and fact["state"] == state
        assert until(is_so, timeout, 0.05), (name, state, self.fact(name, check=False), self.log())

    def signal(self, number):
        self.process.send_signal(number)

    def wait_end(self, timeout=PATIENCE_S):
        """The exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            pytest.fail(f"weir did not end:\n{self.log()}")

    def stop(self):
        self.pids()
        self.signal(signal.SIGTERM)
        return self.wait_end()

    def assert_nothing_left(self):
        assert until(lambda: not any(is_alive(pid) for pid in self.seen)), \
            {pid: is_alive(pid) for pid in self.seen}
        left = [path.name for path in self.state.glob("*.sock")] if self.state.exists() else []
        assert not left, left

    def finish(self):
        """The end of a test: stops what still runs, and looks at what it left."""
        if self.process is None:
            return
        was_running = self.process.poll() is None
        try:
            if was_running:
                assert self.stop() == 0, self.log()
                self.assert_nothing_left()
            complaint = COMPLAINTS.search(self.log())
            assert not complaint, self.log()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


class App:
    """One weir-app."""

    def __init__(self, name, *options):
        self.name = name
        self.process = subprocess.Popen([APP, name, "0", *options], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        assert select.select([self.process.stdout], [], [], PATIENCE_S)[0], "weir-app says nothing"
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def weir_bin():
    return WEIR


@pytest.fixture(scope="session")
def tools():
    """The folder of weir-client, weir-inject and weir-jobproto."""
    return pathlib.Path(APP).parent


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What a test has left goes with it; where it failed, all but what would fill the disk (a queue's log)."""
    report = (yield).get_result()
    item.has_failed = getattr(item, "has_failed", False) or report.failed
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.when != "teardown" or not folder:
        return
    if not item.has_failed:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if not path.is_symlink() and path.is_file() and path.stat().st_blocks * 512 > KEPT_BYTES:
                path.unlink()


@pytest.fixture
def weir(tmp_path):
    """weir(text) starts one and waits until it serves; weir(text, start=False) only makes it."""
    made = []

    def make(text, start=True, **options):
        folder = tmp_path / f"weir{len(made)}"
        folder.mkdir()
        one = Weir(folder, text, **options)
        made.append(one)
        return one.start() if start else one

    yield make
    complaints = []
    for one in made:  # every one of them, whatever the others say
        try:
            one.finish()
        except BaseException as complaint:
            complaints.append(complaint)
    if complaints:
        raise complaints[0]


@pytest.fixture
def apps():
    made = []

    def make(name, *options):
        made.append(App(name, *options))
        return made[-1]

    yield make
    for app in made:
        app.stop()


@pytest.fixture
def program(tmp_path):
    """A script at a place that the user of the programs can reach."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for part in (folder, *folder.parents):
        if part.owner() == "root" and str(part).startswith("/tmp/"):
            part.chmod(part.stat().st_mode | 0o055)

    def make(text, name="probe"):
        path = folder / name
        new = folder / "new"
        new.write_text("#!/bin/sh\n" + text + "\n")
        new.chmod(0o755)
        new.rename(path)
        return path

    return make


@pytest.fixture
def on_tube():
    """on_tube(port, name): a connection to the jobs there that uses this tube, until the test ends."""
    from jobs_client import Jobs  # which takes from here itself
    made = []

    def connect(port, name):
        made.append(Jobs(port))
        assert made[-1].ask(f"use {name}") == f"USING {name}"
        return made[-1]

    yield connect
    for one in made:
        one.close()


@pytest.fixture
def free_port():
    """Ports below the range that the kernel gives to clients, so that none takes one in between."""
    given = set()
    # Tests that run side by side choose from ranges of their own.
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8
    first = 20000 + worker * 1200

    def choose():
        while True:
            port = random.randint(first, first + 1199)
            with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
                try:
                    tcp.bind(("127.0.0.1", port))
                    udp.bind(("127.0.0.1", port))
                except OSError:
                    continue
            if port not in given:
                given.add(port)
                return port

    return choose

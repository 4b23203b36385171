# SPDX-License-Identifier: Apache-2.0
"""The demo through a pseudo-terminal, as a person sees it: who serves, `k 2`, `s 2`, and every way to end."""

import fcntl
import os
import pathlib
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
APP = os.environ.get("WEIR_APP", str(ROOT / "build" / "weir-app"))
DEMO = ["/usr/bin/python3", str(ROOT / "demo" / "demo.py"), "--weir", WEIR, "--app", APP, "--port", "28180"]
PATIENCE_S = 30

SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ROW = re.compile(r"^ +(\d) app\d +127\.0\.0\.1:\d+ +(\w+)(?: \d+ [sm])? +([\d,]+) +([\d.]+) % +([\d.]+)", re.M)
LOAD = re.compile(r"([\d,]+) answered, (\d+) failed")


def number(text):
    return int(text.replace(",", ""))


def descendants(pid):
    """pid -> start time of all processes below this one, whatever session they are in."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = (int(fields[1]), fields[19])
    found, todo = {}, [pid]
    while todo:
        parent = todo.pop()
        for child, (its_parent, start) in parents.items():
            if its_parent == parent:
                found[child] = start
                todo.append(child)
    return found


def alive(processes):
    """Those that still run; a process that got the number of one that ended is another one."""
    left = []
    for pid, start in processes.items():
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[19] == start and fields[0] != "Z":
            left.append(pid)
    return left


class Terminal:
    """The demo on a terminal of its own; `screen` is the frame that it drew last."""

    def __init__(self, folder, columns=110):
        self.folder = folder
        self.master, self.slave = os.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.output = ""
        env = dict(os.environ, TERM="xterm-256color", TMPDIR=str(folder), LANG="C.UTF-8")
        env.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            DEMO, stdin=self.slave, stdout=self.slave, stderr=self.slave, env=env, preexec_fn=self.take_terminal
        )
        self.seen = {}

    def take_terminal(self):
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def read(self, seconds):
        deadline = time.monotonic() + seconds
        while (rest := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([self.master], [], [], rest)
            if ready:
                self.output += os.read(self.master, 65536).decode(errors="replace")
        self.seen.update(descendants(self.process.pid))

    @property
    def screen(self):
        return SEQUENCE.sub("", re.split(r"\x1b\[\d+F", self.output)[-1].replace("\r", ""))

    def rows(self):
        """member -> (state, requests, share, a second)"""
        return {int(n): (s, number(r), float(h), float(a)) for n, s, r, h, a in ROW.findall(self.screen)}

    def load(self):
        """(answered, failed)"""
        found = LOAD.search(self.screen)
        return (number(found.group(1)), int(found.group(2))) if found else (0, 0)

    def wait_for(self, what, condition):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self.read(0.1)
            if self.process.poll() is not None:
                pytest.fail(f"the demo ended while waiting for {what}:\n{self.output[-3000:]}")
            if condition():
                return
        pytest.fail(f"no {what} within {PATIENCE_S} s:\n{self.screen}\n{self.output[-3000:]}")

    def wait_served(self, n):
        self.wait_for(f"{n} answers", lambda: self.load()[0] >= n)

    def type(self, keys):
        os.write(self.master, keys)

    def wait_end(self):
        """Drains the terminal until the demo is gone; returns its exit status."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.master >= 0:
                self.read(0.1)
            else:
                time.sleep(0.1)
        while self.master >= 0 and select.select([self.master], [], [], 0)[0]:  # its last words
            try:
                said = os.read(self.master, 65536)
            except OSError:
                break
            if not said:
                break
            self.output += said.decode(errors="replace")
        return self.process.poll()

    def assert_nothing_left(self):
        assert len(self.seen) >= 4, "three applications and weir were never seen"
        deadline = time.monotonic() + 2
        while alive(self.seen) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert alive(self.seen) == []
        assert list(self.folder.iterdir()) == []

    def assert_restored(self):
        assert termios.tcgetattr(self.slave) == self.before
        assert self.output.rfind("\x1b[?25h") > self.output.rfind("\x1b[?25l") >= 0

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in alive(self.seen):
            os.kill(pid, signal.SIGKILL)
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)


@pytest.fixture
def folder():
    """With a short name: the path of a unix socket below it has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="demo-", dir="/tmp") as path:
        yield pathlib.Path(path)


@pytest.fixture
def terminal(folder):
    terminal = Terminal(folder)
    yield terminal
    terminal.close()


def test_kill_and_start_again(terminal):
    terminal.wait_served(150)
    assert "curl http://127.0.0.1:" in terminal.screen
    rows = terminal.rows()
    assert sorted(rows) == [1, 2, 3]
    assert all(state == "up" for state, _, _, _ in rows.values())
    assert all(30 <= share <= 37 for _, _, share, _ in rows.values()), rows
    assert terminal.load()[1] == 0

    terminal.type(b"k 2")
    terminal.wait_for("app2 down", lambda: terminal.rows().get(2, ("",))[0] == "down")
    answered, failed_during = terminal.load()
    print(f"{failed_during} requests failed while app2 went down")
    terminal.wait_served(answered + 150)
    rows = terminal.rows()
    assert terminal.load()[1] == failed_during, "requests failed although two members are up"
    assert rows[2][3] < 1 and rows[1][3] > 10 and rows[3][3] > 10, rows
    assert "killed app2" in terminal.screen

    before = rows[2][1]
    terminal.type(b"s 2\r")
    terminal.wait_for("app2 up", lambda: terminal.rows().get(2, ("",))[0] == "up")
    terminal.wait_for("app2 serving", lambda: terminal.rows()[2][1] >= before + 20)
    assert terminal.load()[1] == failed_during

    terminal.type(b"\x03")
    assert terminal.wait_end() == 0
    assert "answered" in terminal.screen
    terminal.assert_nothing_left()
    terminal.assert_restored()


def test_words_that_are_no_commands(terminal):
    terminal.wait_served(1)
    terminal.type(b"k 9")
    terminal.wait_for("the hint", lambda: "members 1 to 3" in terminal.screen)
    terminal.type(b"x")
    terminal.wait_for("the hint", lambda: "'x' is no command" in terminal.screen)
    terminal.type(b"s1")
    terminal.wait_for("the hint", lambda: "app1 runs already" in terminal.screen)
    terminal.type(b"q")
    assert terminal.wait_end() == 0
    terminal.assert_nothing_left()
    terminal.assert_restored()


def test_terminated(terminal):
    terminal.wait_served(1)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.wait_end() == 0
    terminal.assert_nothing_left()
    terminal.assert_restored()


def test_terminal_closed(terminal):
    terminal.wait_served(1)
    os.close(terminal.master)
    terminal.master = -1
    assert terminal.wait_end() is not None
    terminal.assert_nothing_left()


def test_weir_dies(terminal):
    terminal.wait_served(1)
    weir = [pid for pid in terminal.seen if b"run\0" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(weir) == 1
    os.kill(weir[0], signal.SIGKILL)
    assert terminal.wait_end() == 1
    assert "weir ended by signal 9" in terminal.output
    terminal.assert_nothing_left()
    terminal.assert_restored()


def test_weir_does_not_start(tmp_path):
    for name in ("bin", "tmp"):
        (tmp_path / name).mkdir()
    broken = tmp_path / "bin" / "weir"
    broken.write_text("#!/bin/sh\necho 'demo.weir:1:1: error: no luck' >&2\nexit 1\n")
    broken.chmod(0o755)
    command = DEMO[:]
    command[command.index("--weir") + 1] = str(broken)
    env = dict(os.environ, TMPDIR=str(tmp_path / "tmp"))
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 1
    assert "weir ended with status 1" in done.stderr and "no luck" in done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


def test_plain_lines_without_a_terminal(folder):
    env = dict(os.environ, TMPDIR=str(folder), LANG="C.UTF-8")
    process = subprocess.Popen(DEMO, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            found = LOAD.search(line)
            if found and number(found.group(1)) >= 20:
                break
        seen = descendants(process.pid)
        process.stdin.write("q\n")
        process.stdin.flush()
        lines += process.stdout.read().splitlines(True)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
    text = "".join(lines)
    assert "\x1b" not in text
    assert "curl http://127.0.0.1:" in text and re.search(r"app2 up \d+ \(", text)
    assert len(seen) >= 4 and alive(seen) == []
    assert list(folder.iterdir()) == []

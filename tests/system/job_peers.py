# SPDX-License-Identifier: Apache-2.0
"""The other ends of the job protocol: a plain client that says just what a test wants, and a real beanstalkd, beside
which every test of the protocol also runs, so that it is known to ask for nothing that clients do not have today."""

import os
import pathlib
import resource
import shutil
import socket
import subprocess

import pytest
from conftest import PATIENCE_S, children, until

BODIES = {b"RESERVED", b"FOUND", b"OK"}  # words of replies that a body follows
BODY_MAX = 65535  # beanstalkd's own


class Ended(Exception):
    """The server ended the connection."""


class Reply:
    """One reply: its words, and its body where it has one."""

    def __init__(self, line, body=None):
        self.line = line
        self.words = line.split(b" ")
        self.word = self.words[0]
        self.body = body

    @property
    def id(self):
        return int(self.words[1])

    def __repr__(self):
        return repr(self.line if self.body is None else self.line + b" " + self.body[:80])

    def fields(self):
        """The dictionary of a body, quotes of texts taken off."""
        pairs = (row.partition(b": ") for row in self.body.splitlines()[1:])
        return {key.decode(): value.decode().strip("\"'") for key, _, value in pairs}

    def names(self):
        """The list of a body."""
        return [row[2:].decode().strip("\"'") for row in self.body.splitlines()[1:]]


class JobClient:
    """One connection. `rcvbuf` is the kernel's buffer for what it does not read."""

    def __init__(self, port, rcvbuf=None):
        self.sock = socket.socket()
        if rcvbuf is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def fill(self):
        try:
            part = self.sock.recv(1 << 16)
        except ConnectionResetError:
            part = b""
        if not part:
            raise Ended
        self.buffer += part

    def reply(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, _, rest = self.buffer.partition(b"\r\n")
        words = line.split(b" ")
        if words[0] not in BODIES:
            self.buffer = rest
            return Reply(line)
        end = len(line) + 2 + int(words[-1])
        while len(self.buffer) < end + 2:
            self.fill()
        body, tail, self.buffer = self.buffer[len(line) + 2:end], self.buffer[end:end + 2], self.buffer[end + 2:]
        assert tail == b"\r\n", (line, tail)
        return Reply(line, body)

    def has_reply(self):
        """Whether bytes have come, without waiting for any."""
        self.sock.setblocking(False)
        try:
            self.fill()
        except BlockingIOError:
            pass
        finally:
            self.sock.settimeout(PATIENCE_S)
        return bool(self.buffer)

    def ask(self, *words):
        """The reply to a command of one line."""
        self.send(" ".join(str(word) for word in words).encode() + b"\r\n")
        return self.reply()

    def put_reply(self, body, priority=0, delay=0, ttr=60):
        self.send(b"put %d %d %d %d\r\n%s\r\n" % (priority, delay, ttr, len(body), body))
        return self.reply()

    def put(self, body, **options):
        """The job's id."""
        reply = self.put_reply(body, **options)
        assert reply.word == b"INSERTED", reply
        return reply.id

    def reserve(self, timeout=PATIENCE_S):
        """A job as (id, body), or None."""
        reply = self.ask("reserve-with-timeout", timeout)
        if reply.word == b"TIMED_OUT":
            return None
        assert reply.word == b"RESERVED", reply
        return reply.id, reply.body

    def state(self, job):
        """What stats-job calls it, or None."""
        reply = self.ask("stats-job", job)
        return None if reply.word == b"NOT_FOUND" else reply.fields()["state"]


def replies(data):
    """The replies in a stream that has ended."""
    found = []
    while data:
        line, end, data = data.partition(b"\r\n")
        assert end, line
        words = line.split(b" ")
        if words[0] in BODIES:
            found.append(Reply(line, data[:int(words[-1])]))
            data = data[int(words[-1]) + 2:]
        else:
            found.append(Reply(line))
    return found


def converse(port, data):
    """All replies to a stream of bytes behind which the client closes its side."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as conn:
        conn.sendall(data)
        conn.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := conn.recv(1 << 16):
                answer += part
        except ConnectionResetError:  # it had not read all when it closed
            pass
        return replies(answer)


def rss_bytes(pid):
    """Resident memory of a process and its children; 0 under a sanitizer, which keeps what was freed for a while."""
    total = 0
    for one in (pid, *children(pid)):
        size, resident = (int(pages) * resource.getpagesize()
                          for pages in pathlib.Path(f"/proc/{one}/statm").read_text().split()[:2])
        if size > 1 << 40:
            return 0
        total += resident
    return total


def forget(folder):
    """Has the kernel forget the log in that folder; True where it did, and says that a read would wait."""
    is_cold = False
    for path in sorted(folder.glob("0*.wal")):
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        try:  # the end of the last one, which has no record yet
            is_cold = not os.preadv(fd, [bytearray(4096)], os.fstat(fd).st_size - 4096, os.RWF_NOWAIT)
        except BlockingIOError:
            is_cold = True
        except OSError:
            is_cold = False  # the file system has no such reads
        os.close(fd)
    return is_cold


class Beanstalkd:
    """A real one on a free port, without a log of jobs."""

    name = "beanstalkd"

    def __init__(self, port, prefix=()):
        program = shutil.which("beanstalkd") or "/usr/bin/beanstalkd"
        self.port = port
        self.process = subprocess.Popen([*prefix, program, "-l", "127.0.0.1", "-p", str(port)])
        self.pid = self.process.pid

    def __enter__(self):
        def serves():
            try:
                return [reply.word for reply in converse(self.port, b"list-tubes\r\n")] == [b"OK"]
            except OSError:
                return False
        if not until(serves):
            self.stop()
            raise AssertionError("beanstalkd does not serve")
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)


class WeirJobs:
    """weir with a listener for jobs, as it ships, but that its log begins with less to write."""

    name = "weir"

    def __init__(self, weir, port, prefix=()):
        self.port = port
        self.weir = weir(f"jobs 127.0.0.1:{port}\nqueues {{ segment 1M }}\n", prefix=prefix)
        self.pid = self.weir.process.pid


def own_tube(port, name):
    """A connection that puts into that tube and takes from it alone."""
    client = JobClient(port)
    client.ask("use", name)
    client.ask("watch", name)
    client.ask("ignore", "default")
    return client


def play(script, server, *more):
    """script(port, tube, *more). beanstalkd never ends a lease that its timer looks at in the very microsecond in which
    the lease is over (the job is not late yet, and the connection is out of the heap): it may try again, weir may
    not."""
    for chances in range(5 if isinstance(server, Beanstalkd) else 0, -1, -1):
        try:
            return script(server.port, f"{script.__name__}{chances}", *more)
        except (AssertionError, TimeoutError):
            if chances == 0:
                raise


@pytest.fixture(params=["beanstalkd", "weir"])
def server(request, free_port):
    """A server of the protocol with .port and .pid; of all processes of its own, .pid is the parent."""
    if request.param == "weir":
        yield WeirJobs(request.getfixturevalue("weir"), free_port())
        return
    with Beanstalkd(free_port()) as one:
        yield one

# SPDX-License-Identifier: Apache-2.0
"""A small client of the job protocol over a plain socket, for the tests of the queue."""

import socket

from conftest import PATIENCE_S


class Gone(Exception):
    """The connection has ended."""


class Jobs:
    def __init__(self, port=None, timeout=PATIENCE_S, path=None):
        if path is None:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(str(path))
        self.rest = b""

    def close(self):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Gone from error

    def more(self):
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError as error:
            raise Gone from error
        if not data:
            raise Gone
        self.rest += data

    def line(self):
        while b"\r\n" not in self.rest:
            self.more()
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line.decode()

    def bytes(self, n):
        while len(self.rest) < n + 2:
            self.more()
        data, end, self.rest = self.rest[:n], self.rest[n:n + 2], self.rest[n + 2:]
        assert end == b"\r\n"
        return data

    def ask(self, command):
        """The line of the answer."""
        self.send(command.encode() + b"\r\n")
        return self.line()

    def put_line(self, body, priority=0, delay=0, ttr=60):
        return b"put %d %d %d %d\r\n%s\r\n" % (priority, delay, ttr, len(body), body)

    def put(self, body, **how):
        self.send(self.put_line(body, **how))
        return self.line()

    def job(self, command):
        """(id, body) of reserve or peek, or the line of any other answer."""
        return self.take_job(self.ask(command))

    def take_job(self, line):
        words = line.split()
        if words[0] not in ("RESERVED", "FOUND"):
            return line
        return int(words[1]), self.bytes(int(words[2]))

    def document(self, command):
        """The figures of stats, by name."""
        words = self.ask(command).split()
        assert words[0] == "OK", words
        lines = self.bytes(int(words[1])).decode().splitlines()
        assert lines[0] == "---"
        if lines[1].startswith("- "):
            return [line[2:] for line in lines[1:]]
        return {name: value.strip().strip('"') for name, value in (line.split(":", 1) for line in lines[1:])}

# SPDX-License-Identifier: Apache-2.0
"""Both ends of an HTTP/1 conversation, byte by byte: a client that sends what it is told to and reads strictly,
and a member that records what reaches it and answers as a test says. Neither repairs anything."""

import re
import socket
import struct
import threading

PATIENCE_S = 20
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP/1\.[01]\Z")
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9]) [\t -~]*\Z")


class Malformed(Exception):
    """What came is not HTTP."""


class Ended(Exception):
    """The stream ended, or was reset, within a message. `got`: the bytes of the message so far."""

    def __init__(self, got, is_reset):
        super().__init__(f"{'reset' if is_reset else 'end'} after {bytes(got[-80:])!r}")
        self.got = bytes(got)
        self.is_reset = is_reset


class Message:
    """A head and its body; `first` is its first line."""

    def __init__(self, head):
        self.head = head
        lines = head[:-4].split(b"\r\n")
        self.first, self.fields = lines[0], []
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or not TOKEN.match(name):
                raise Malformed(f"field {line!r}")
            if re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value):
                raise Malformed(f"value {line!r}")
            self.fields.append((name.decode().lower(), value.strip(b" \t").decode("latin-1")))
        self.body = b""
        self.trailers = []
        self.chunks = None  # sizes, where the body came in chunks
        self.interims = []

    def all(self, name):
        return [value for field, value in self.fields if field == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        assert len(values) <= 1, self.head
        return values[0] if values else default

    @property
    def status(self):
        return int(self.first.split()[1])

    @property
    def method(self):
        return self.first.split()[0].decode()

    @property
    def target(self):
        return self.first.split()[1].decode()


class Stream:
    """A socket and what was read from it ahead of its use."""

    def __init__(self, sock):
        self.sock = sock
        self.held = bytearray()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def fill(self, got=b""):
        try:
            data = self.sock.recv(262144)
        except ConnectionError:
            raise Ended(bytes(got) + bytes(self.held), True) from None
        if not data:
            raise Ended(bytes(got) + bytes(self.held), False)
        self.held += data

    def until(self, mark):
        while (at := self.held.find(mark)) < 0:
            self.fill()
        data = bytes(self.held[:at + len(mark)])
        del self.held[:at + len(mark)]
        return data

    def exactly(self, n, got=b""):
        while len(self.held) < n:
            self.fill(got)
        data = bytes(self.held[:n])
        del self.held[:n]
        return data

    def rest(self):
        """Everything up to the end of the stream, and whether that was a reset."""
        try:
            while True:
                self.fill()
        except Ended as end:
            self.held.clear()
            return end.got, end.is_reset

    def chunked(self, message):
        """RFC 9112 section 7.1, without extensions: weir sends none."""
        body, message.chunks = bytearray(), []
        while True:
            line = self.until(b"\r\n")[:-2]
            if not re.match(rb"[0-9a-f]{1,13}\Z", line):
                raise Malformed(f"chunk size {line!r}")
            size = int(line, 16)
            if size == 0:
                break
            message.chunks.append(size)
            body += self.exactly(size, body)
            if self.exactly(2) != b"\r\n":
                raise Malformed("no CRLF behind a chunk")
        while (line := self.until(b"\r\n")[:-2]):
            name, colon, value = line.partition(b":")
            if not colon or not TOKEN.match(name):
                raise Malformed(f"trailer {line!r}")
            message.trailers.append((name.decode().lower(), value.strip(b" \t").decode()))
        return bytes(body)

    def head(self):
        data = self.until(b"\r\n\r\n")
        if b"\0" in data or re.search(rb"(?<!\r)\n|\r(?!\n)", data):
            raise Malformed(f"bare CR, LF or NUL in {data!r}")
        return Message(data)

    def close(self, is_reset=False):
        if is_reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sock.close()


class Client(Stream):
    def __init__(self, port, rcvbuf=None, source=None):
        sock = socket.socket()
        sock.settimeout(PATIENCE_S)
        if source:
            sock.bind((source, 0))
        if rcvbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        sock.connect(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def response(self, method="GET"):
        """The next response with its body; 1xx before it are in .interims."""
        interims = []
        while True:
            message = self.head()
            if not STATUS_LINE.match(message.first):
                raise Malformed(f"status line {message.first!r}")
            if message.status >= 200:
                break
            interims.append(message)
        message.interims = interims
        length, coding = message.get("content-length"), message.get("transfer-encoding")
        if length is not None and coding is not None:
            raise Malformed("both lengths")
        if method == "HEAD" or message.status in (204, 304):
            return message
        if coding is not None:
            if coding != "chunked":
                raise Malformed(f"coding {coding}")
            message.body = self.chunked(message)
        elif length is not None:
            message.body = self.exactly(int(length))
        else:
            message.body, is_reset = self.rest()
            if is_reset:
                raise Ended(message.body, True)
        return message

    def ask(self, method="GET", path="/", fields="", body=b"", minor=1):
        self.send(request(method, path, fields, body, minor))
        return self.response(method)

    def is_closed(self, timeout=3):
        """Does the other side end the connection, without a further byte? Time-outs are False."""
        self.sock.settimeout(timeout)
        try:
            data, _ = self.rest()
            return data == b""
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(PATIENCE_S)

    def is_quiet(self, timeout=0.15):
        """Does the connection stand, and has nothing come?"""
        self.sock.settimeout(timeout)
        try:
            return self.sock.recv(1, socket.MSG_PEEK) is None
        except TimeoutError:
            return not self.held
        except ConnectionError:
            return False
        finally:
            self.sock.settimeout(PATIENCE_S)


def request(method="GET", path="/", fields="", body=b"", minor=1):
    """The bytes of a request; a body that is not empty gets its Content-Length."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    host = "Host: example.org\r\n" if minor else ""
    return f"{method} {path} HTTP/1.{minor}\r\n{host}{fields}{length}\r\n".encode() + body


def chunks(*pieces, trailers=""):
    """A chunked body of these pieces."""
    out = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return out + b"0\r\n" + trailers.encode() + b"\r\n"


def answer(status=200, body=b"", fields="", reason="Whatever"):
    """The bytes of a response with Content-Length."""
    body = body if isinstance(body, bytes) else body.encode()
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
    return head.encode() + body


class MemberConn(Stream):
    def __init__(self, member, sock, number):
        super().__init__(sock)
        self.member = member
        self.number = number  # of the connection, from 0
        self.n_requests = 0
        self.is_within = False  # a request whose head has come
        self.raw = bytearray()

    def fill(self, got=b""):
        before = len(self.held)
        super().fill(got)
        self.raw += self.held[before:]

    def request_head(self):
        message = self.head()
        if not REQUEST_LINE.match(message.first):
            raise Malformed(f"request line {message.first!r}")
        if len(message.all("host")) != 1:
            raise Malformed("not one Host")
        lengths, codings = message.all("content-length"), message.all("transfer-encoding")
        if len(lengths) + len(codings) > 1 or codings not in ([], ["chunked"]):
            raise Malformed("not one length")
        if lengths and not re.match(r"[0-9]+\Z", lengths[0]):
            raise Malformed("length no number")
        return message

    def request_body(self, message):
        if message.get("transfer-encoding"):
            message.body = self.chunked(message)
        else:
            message.body = self.exactly(int(message.get("content-length", "0")))

    def serve(self):
        while True:
            message = self.request_head()
            self.n_requests += 1
            self.is_within = True
            if self.member.on_head:
                self.member.on_head(self, message)
            self.request_body(message)
            self.is_within = False
            with self.member.lock:
                self.member.requests.append(message)
            out = self.member.on_request(self, message)
            if out is False:
                return
            if out:
                self.send(out)


class Member:
    """Listens on a port of loopback. on_request(conn, message) returns the bytes of the answer, or None where it
    has sent them itself, or False to close; on_head(conn, message), where set, is called before the body. With a path
    it is a unix socket, in the place of what is there."""

    def __init__(self, on_request=None, on_head=None, rcvbuf=None, path=None, port=0):
        self.on_request = on_request or (lambda conn, message: answer(200, message.target))
        self.on_head = on_head
        self.lock = threading.Lock()
        self.requests, self.malformed, self.broken, self.conns = [], [], [], []
        self.path, self.listener = path, socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        if path:
            path.unlink(missing_ok=True)
        else:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if rcvbuf:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.listener.bind(str(path) if path else ("127.0.0.1", port))
        self.listener.listen(1024)
        if path:
            path.chmod(0o666)
        else:
            self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if not self.path:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                conn = MemberConn(self, sock, len(self.conns))
                self.conns.append(conn)
            threading.Thread(target=self.run, args=(conn,), daemon=True).start()

    def run(self, conn):
        try:
            conn.serve()
        except Malformed as error:
            with self.lock:
                self.malformed.append((str(error), bytes(conn.raw)))
        except Ended as end:
            if end.got or conn.is_within:
                with self.lock:
                    self.broken.append(end)
        except OSError:
            pass
        conn.close()

    def targets(self):
        with self.lock:
            return [message.target for message in self.requests]

    def stop(self):
        self.listener.close()
        for conn in list(self.conns):
            conn.close()

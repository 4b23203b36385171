# SPDX-License-Identifier: Apache-2.0
"""The DNS server as clients meet it: dig, kdig, drill and unbound in front; what the compliance tables ask for;
cookies, rates, TCP and its limits; reloads, upgrades and deaths while it is asked; and packets that nobody meant
well. What zones answer is held against other servers in test_dns_agree.py."""

import contextlib
import hashlib
import os
import random
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from conftest import until

CONF = """
processes {{ dns {loops} }}
dns {addr}:{port} {{ {words} }}
zone example.org {{
    soa ns1 hostmaster serial {serial}
    ns ns1 127.0.0.9
    ttl 1h
    record www A {www}
    record alias CNAME www
    record big TXT {big}
    record *.wild A 192.0.2.9
}}
{more}
"""
BIG = " ".join(f'"{"x" * 200}{i}"' for i in range(20))


def conf(port, addr="127.0.0.1", words="", www="192.0.2.1 192.0.2.2", serial=7, loops=2, more=""):
    return CONF.format(port=port, addr=addr, words=words, www=www, serial=serial, loops=loops, more=more, big=BIG)


def ask(port, name, rdtype="A", where="127.0.0.1", how=dns.query.udp, timeout=10, **options):
    query = dns.message.make_query(name, rdtype, **options)
    query.flags &= ~dns.flags.RD
    return how(query, where, port=port, timeout=timeout)


def addresses(answer):
    return sorted(item.to_text() for rrset in answer.answer for item in rrset)


def run(*command, timeout=30):
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False).stdout


# ---- clients ----


def test_clients(weir, free_port):
    port = free_port()
    weir(conf(port, words='id "here"; nsid "node-1"; version "none of it"'))
    for where in (["@127.0.0.1"], ["@127.0.0.1", "+tcp"]):
        out = run("dig", *where, "-p", str(port), "+norec", "www.example.org", "A")
        assert "status: NOERROR" in out and "192.0.2.1" in out and "192.0.2.2" in out, out
        assert " aa" in out.split("flags:")[1].split(";")[0], out
        out = run("kdig", *where, "-p", str(port), "alias.example.org", "A")
        assert "CNAME" in out and "192.0.2.2" in out, out
    out = run("drill", "-p", str(port), "nope.example.org", "@127.0.0.1")
    assert "NXDOMAIN" in out and "SOA" in out, out
    assert "node-1" in run("dig", "@127.0.0.1", "-p", str(port), "+nsid", "www.example.org")
    for name, text in (("id.server", "here"), ("hostname.bind", "here"), ("version.bind", "none of it"),
                       ("VERSION.server", "none of it")):
        assert text in run("dig", "@127.0.0.1", "-p", str(port), "+short", "CH", "TXT", name)
    out = run("dig", "@127.0.0.1", "-p", str(port), "CH", "TXT", "authors.bind")
    assert "REFUSED" in out, out
    # The case of the question comes back as it was asked.
    assert "wWw.ExAmPlE.oRg." in run("dig", "@127.0.0.1", "-p", str(port), "wWw.ExAmPlE.oRg")


def test_refusals_and_any(weir, free_port):
    port = free_port()
    weir(conf(port))
    for name, rdtype, code in (("www.example.com", "A", "REFUSED"), ("example.org", "AXFR", "REFUSED"),
                               ("example.org", "IXFR", "REFUSED"), ("www.example.org", "MAILB", "NOTIMP")):
        query = dns.message.make_query(name, rdtype)
        answer = dns.query.udp(query, "127.0.0.1", port=port, timeout=10)
        assert dns.rcode.to_text(answer.rcode()) == code, (name, rdtype)
        assert not answer.answer
    answer = ask(port, "www.example.org", "ANY")
    assert [rrset.rdtype for rrset in answer.answer] == [dns.rdatatype.HINFO]
    assert "RFC8482" in answer.answer[0].to_text()
    assert ask(port, "nope.example.org", "ANY").rcode() == dns.rcode.NXDOMAIN
    alias = ask(port, "alias.example.org", "ANY")
    assert [rrset.rdtype for rrset in alias.answer] == [dns.rdatatype.CNAME]


def test_truncation_and_sizes(weir, free_port):
    port = free_port()
    weir(conf(port))
    for edns, most in ((-1, 512), (0, 1232)):
        options = {} if edns < 0 else {"use_edns": 0, "payload": 4096}
        answer = ask(port, "big.example.org", "TXT", **options)
        assert answer.flags & dns.flags.TC
        assert len(answer.to_wire()) <= most
    whole = ask(port, "big.example.org", "TXT", how=dns.query.tcp)
    assert not whole.flags & dns.flags.TC and len(whole.answer) == 1
    small = ask(port, "www.example.org", use_edns=0, payload=100)  # below 512 means 512
    assert not small.flags & dns.flags.TC and small.payload == 1232


def raw(port, wire, timeout=5):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.connect(("127.0.0.1", port))
        sock.send(wire)
        try:
            return sock.recv(65535)
        except TimeoutError:
            return None


def opt(version=0, flags=0, options=b"", size=4096):
    return b"\0" + struct.pack(">HHBBHH", 41, size, 0, version, flags, len(options)) + options


def query_bytes(name=b"\3www\7example\3org\0", rdtype=1, flags=0, extra=b"", n_extra=0, n_questions=1):
    head = struct.pack(">HHHHHH", 4711, flags, n_questions, 0, 0, n_extra)
    return head + name + struct.pack(">HH", rdtype, 1) + extra


# What https://ednscomp.isc.org asks, and what it wants: name, query, rcode, is there an OPT record in return.
COMPLIANCE = [
    ("plain dns", query_bytes(), "NOERROR", False),
    ("plain edns", query_bytes(extra=opt(), n_extra=1), "NOERROR", True),
    ("edns version 1", query_bytes(extra=opt(version=1), n_extra=1), "BADVERS", True),
    ("an unknown option", query_bytes(extra=opt(options=b"\0\x64\0\0"), n_extra=1), "NOERROR", True),
    ("an unknown flag", query_bytes(extra=opt(flags=0x0080), n_extra=1), "NOERROR", True),
    ("do", query_bytes(extra=opt(flags=0x8000), n_extra=1), "NOERROR", True),
    ("edns 1, an unknown option", query_bytes(extra=opt(version=1, options=b"\0\x64\0\0"), n_extra=1),
     "BADVERS", True),
    ("an unknown flag of edns 1", query_bytes(extra=opt(version=1, flags=0x0080), n_extra=1), "BADVERS", True),
    ("several options", query_bytes(extra=opt(options=b"\0\3\0\0" + b"\0\x0a\0\x08ABCDEFGH"), n_extra=1),
     "NOERROR", True),
    ("a client subnet", query_bytes(extra=opt(options=b"\0\x08\0\x07\0\1\x18\0\xc0\0\2"), n_extra=1), "NOERROR", True),
    ("ad and cd", query_bytes(flags=0x0030), "NOERROR", False),
    ("z", query_bytes(flags=0x0040), "NOERROR", False),
    ("notify", query_bytes(flags=4 << 11), "NOTIMP", False),
    ("an opcode of nobody", query_bytes(flags=15 << 11), "NOTIMP", False),
    ("an unknown type", query_bytes(rdtype=65280), "NOERROR", False),
    ("no question", struct.pack(">HHHHHH", 4711, 0, 0, 0, 0, 0), "FORMERR", False),
    ("two questions", query_bytes(n_questions=2), "FORMERR", False),
    ("two opts", query_bytes(extra=opt() + opt(), n_extra=2), "FORMERR", None),
    ("bytes behind it", query_bytes(extra=b"xyz"), "FORMERR", None),
    ("a cut opt", query_bytes(extra=opt()[:-2], n_extra=1), "FORMERR", None),
    ("a compressed name", query_bytes(name=b"\xc0\x0c"), "FORMERR", None),
    ("a cookie of three bytes", query_bytes(extra=opt(options=b"\0\x0a\0\3ABC"), n_extra=1), "FORMERR", None),
]


def test_compliance(weir, free_port):
    port = free_port()
    weir(conf(port))
    for name, wire, code, has_opt in COMPLIANCE:
        bytes_back = raw(port, wire)
        assert bytes_back, name
        assert bytes_back[:2] == wire[:2], name
        assert bytes_back[2] & 0x78 == wire[2] & 0x78, name
        # dnspython reads no opcode that it does not know.
        answer = dns.message.from_wire(bytes_back[:2] + bytes([bytes_back[2] & 0x87]) + bytes_back[3:])
        assert dns.rcode.to_text(answer.rcode()) == code, (name, answer)
        assert answer.flags & dns.flags.QR and not answer.flags & dns.flags.AD, name
        if has_opt is not None:
            assert (answer.edns >= 0) == has_opt, name
            assert not has_opt or (answer.edns == 0 and not answer.ednsflags & 0x0080), name
    # Short ones, responses: silence.
    for wire in (b"", b"\0" * 11, query_bytes(flags=0x8000)):
        assert raw(port, wire, timeout=0.3) is None


def test_hostile_packets(weir, free_port):
    """Every byte of a query changed in several ways, every cut, and noise: it lives, and no answer is longer than
    what the client takes."""
    port = free_port()
    w = weir(conf(port, words="rate-limit off"))
    pid = w.pid("dns")
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    whole = query_bytes(extra=opt(options=b"\0\x08\0\x07\0\1\x18\0\xc0\0\2" + b"\0\x0a\0\x08ABCDEFGH"), n_extra=1)
    packets = [whole[:n] for n in range(len(whole))]
    for place in range(len(whole)):
        for change in (0, 1, 0x7F, 0x80, 0xC0, 0xFF, rng.randrange(256)):
            packets.append(whole[:place] + bytes([change]) + whole[place + 1:])
    packets += [rng.randbytes(rng.randrange(1, 600)) for _ in range(3000)]
    packets += [whole[:12] + rng.randbytes(rng.randrange(1, 300)) for _ in range(3000)]
    packets += [whole + rng.randbytes(60000)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(0)
        longest = 0
        for packet in packets:
            with contextlib.suppress(ConnectionRefusedError):
                sock.send(packet)
            with contextlib.suppress(BlockingIOError):
                while True:
                    longest = max(longest, len(sock.recv(65535)))
        assert longest <= 1232, seed
    assert addresses(ask(port, "www.example.org")) == ["192.0.2.1", "192.0.2.2"], seed
    assert w.pid("dns") == pid, (seed, w.log())


def test_unbound_in_front(weir, free_port, tmp_path):
    port, front = free_port(), free_port()
    weir(conf(port))
    (tmp_path / "unbound.conf").write_text(f"""
server:
    interface: 127.0.0.1@{front}
    do-daemonize: no
    use-syslog: no
    chroot: ""
    username: ""
    directory: "{tmp_path}"
    pidfile: ""
    do-not-query-localhost: no
    use-caps-for-id: yes
    module-config: "iterator"
    local-zone: "example.org." nodefault
stub-zone:
    name: "example.org"
    stub-addr: 127.0.0.1@{port}
""")
    with open(tmp_path / "unbound.log", "wb") as log:
        unbound = subprocess.Popen(["/usr/sbin/unbound", "-d", "-c", str(tmp_path / "unbound.conf")],
                                   stdout=log, stderr=log)
    try:
        def is_up():
            with contextlib.suppress(dns.exception.Timeout, OSError):
                return ask(front, "localhost", timeout=1)
            return None
        assert until(is_up), (tmp_path / "unbound.log").read_text()

        def resolve(name, rdtype="A"):
            return dns.query.udp_with_fallback(dns.message.make_query(name, rdtype), "127.0.0.1", port=front,
                                               timeout=15)[0]
        assert "192.0.2.1" in addresses(resolve("www.example.org"))
        assert "192.0.2.2" in addresses(resolve("alias.example.org"))
        assert addresses(resolve("any.wild.example.org")) == ["192.0.2.9"]
        assert resolve("nope.example.org").rcode() == dns.rcode.NXDOMAIN
        assert resolve("www.example.org", "MX").rcode() == dns.rcode.NOERROR
        assert len(resolve("big.example.org", "TXT").answer) == 1  # over TCP behind it
    finally:
        unbound.terminate()
        unbound.wait()


# ---- addresses ----


def has_ipv6():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            return False
    return True


def test_replies_from_the_address_that_was_asked(weir, free_port):
    port = free_port()
    more = f"dns [::]:{port} {{ name six }}" if has_ipv6() else ""
    weir(conf(port, addr="0.0.0.0", more=more))
    for where in ("127.0.0.1", "127.0.0.2", "127.9.8.7"):
        # dnspython refuses an answer from another address.
        assert ask(port, "www.example.org", where=where).answer
        assert ask(port, "www.example.org", where=where, how=dns.query.tcp).answer
    if more:
        assert ask(port, "www.example.org", where="::1").answer
        assert ask(port, "www.example.org", where="::1", how=dns.query.tcp).answer


# ---- cookies and rates ----


def test_cookies(weir, free_port):
    port = free_port()
    weir(conf(port))
    for command in (["dig", "+cookie=0102030405060708"], ["kdig", "+cookie=0102030405060708"]):
        out = run(*command, "@127.0.0.1", "-p", str(port), "www.example.org")
        assert "0102030405060708" in out.replace(" ", "") and "192.0.2.1" in out, out

    def cookie_of(cookie):
        answer = ask(port, "www.example.org", use_edns=0, options=[dns.edns.GenericOption(10, cookie)])
        return next(bytes(option.to_wire()) for option in answer.options if option.otype == 10)
    first = cookie_of(b"ABCDEFGH")
    assert len(first) == 24 and first[:8] == b"ABCDEFGH" and first[8:12] == b"\1\0\0\0"
    assert cookie_of(first)[:8] == b"ABCDEFGH"
    # A request for a cookie alone.
    wire = struct.pack(">HHHHHH", 1, 0, 0, 0, 0, 1) + opt(options=b"\0\x0a\0\x18" + first)
    assert dns.message.from_wire(raw(port, wire)).rcode() == dns.rcode.NOERROR
    wire = wire[:-1] + bytes([wire[-1] ^ 1])
    assert dns.message.from_wire(raw(port, wire)).rcode() == 23  # BADCOOKIE


def test_cookies_of_an_older_secret(weir, free_port):
    """A new secret goes before the old one: who has a cookie of that keeps its good standing, and gets a new one."""
    port = free_port()
    old, new = (hashlib.sha256(text).hexdigest() + "\n" for text in (b"old", b"new"))
    w = weir(conf(port, loops=1, more="secret-file secret"), start=False)
    path = w.folder / "secret"
    path.write_text(old)
    path.chmod(0o600)
    w.start()

    def alone(cookie):
        option = struct.pack(">HH", 10, len(cookie)) + cookie
        answer = dns.message.from_wire(raw(port, struct.pack(">HHHHHH", 1, 0, 0, 0, 0, 1) + opt(options=option)))
        return answer.rcode(), next(bytes(o.to_wire()) for o in answer.options if o.otype == 10)
    of_old = alone(b"ABCDEFGH")[1]
    assert alone(of_old)[0] == dns.rcode.NOERROR
    path.write_text(new + old)
    w.reload()
    code, of_new = alone(of_old)
    assert code == dns.rcode.NOERROR
    path.write_text(new)
    w.reload()
    assert alone(of_old)[0] == 23  # BADCOOKIE
    assert alone(of_new)[0] == dns.rcode.NOERROR


def burst(port, n, source="127.0.0.1", options=None, name="www.example.org"):
    """n queries from one address: how many answers were whole, cut, and how many did not come."""
    counts = {"whole": 0, "cut": 0, "bad": 0}
    query = dns.message.make_query(name, "A", **({"use_edns": 0, "options": options} if options else {}))
    wire = query.to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", port))
        sock.settimeout(1)
        for _ in range(n):
            sock.send(wire)
        with contextlib.suppress(TimeoutError):
            while sum(counts.values()) < n:
                answer = dns.message.from_wire(sock.recv(4096))
                bad = answer.rcode() == 23
                counts["bad" if bad else "cut" if answer.flags & dns.flags.TC else "whole"] += 1
    return counts


def test_rate_limit(weir, free_port):
    port = free_port()
    w = weir(conf(port, loops=1, words="rate-limit answers 10/m slip 2 exempt 127.7.0.0/16"))
    counts = burst(port, 60)
    assert counts["whole"] == 10 and counts["cut"] == 25 and counts["bad"] == 0, counts
    # Another network has its own rate, an exempt one has none, and TCP is never limited.
    assert burst(port, 10, source="127.0.1.1")["whole"] == 10
    assert burst(port, 40, source="127.7.0.1")["whole"] == 40
    for _ in range(15):
        assert ask(port, "www.example.org", how=dns.query.tcp).answer
    # Who has a cookie of ours is who it says; who is new learns one.
    client = dns.edns.GenericOption(10, b"ABCDEFGH")
    counts = burst(port, 20, options=[client])
    assert counts["whole"] == 0 and counts["bad"] == 10, counts
    answer = ask(port, "www.example.org", how=dns.query.tcp, use_edns=0, options=[client])
    whole = next(bytes(option.to_wire()) for option in answer.options if option.otype == 10)
    assert burst(port, 30, options=[dns.edns.GenericOption(10, whole)])["whole"] == 30
    facts = w.status()
    assert facts  # it answers its own questions meanwhile


# ---- TCP ----


def frames(*wires):
    return b"".join(struct.pack(">H", len(wire)) + wire for wire in wires)


def read_frames(sock, n):
    data, found = b"", []
    while len(found) < n:
        chunk = sock.recv(65536)
        if not chunk:
            break
        data += chunk
        while len(data) >= 2 and len(data) >= 2 + struct.unpack(">H", data[:2])[0]:
            size = struct.unpack(">H", data[:2])[0]
            found.append(data[2:2 + size])
            data = data[2 + size:]
    return found


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    return sock


def is_closed(sock):
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def test_tcp_pipelining(weir, free_port):
    port = free_port()
    weir(conf(port))
    wires = []
    for i in range(500):
        query = dns.message.make_query(("www" if i % 3 else "big") + ".example.org", "A" if i % 3 else "TXT")
        query.id = i
        wires.append(query.to_wire())
    with connect(port) as sock:
        threading.Thread(target=sock.sendall, args=(frames(*wires),), daemon=True).start()
        answers = read_frames(sock, len(wires))
        assert [struct.unpack(">H", answer[:2])[0] for answer in answers] == list(range(500))
    # Byte by byte, and two in one.
    with connect(port) as sock:
        for byte in frames(wires[0], wires[1]):
            sock.send(bytes([byte]))
        assert len(read_frames(sock, 2)) == 2
    # The peer says that it ends, and still gets all its answers.
    with connect(port) as sock:
        sock.sendall(frames(*wires[:100]))
        sock.shutdown(socket.SHUT_WR)
        assert len(read_frames(sock, 100)) == 100
        assert is_closed(sock)


def test_tcp_limits(weir, free_port):
    port = free_port()
    words = "limits { connections 2; queries 3 }; timeout { idle 400ms; query 300ms; send 500ms }"
    weir(conf(port, loops=1, words=words))
    wire = query_bytes()
    # Idle, half a query, and too many of them.
    with connect(port) as sock:
        assert is_closed(sock)
    with connect(port) as sock:
        sock.sendall(frames(wire)[:10])
        assert is_closed(sock)
    with connect(port) as sock:
        sock.sendall(frames(wire, wire, wire))
        assert len(read_frames(sock, 4)) == 3 and is_closed(sock)
    first, second = connect(port), connect(port)
    try:
        for sock in (first, second):
            sock.sendall(frames(wire))
            assert len(read_frames(sock, 1)) == 1
        with connect(port) as third:
            assert is_closed(third)
    finally:
        first.close()
        second.close()
    assert until(lambda: serves_tcp(port))


def test_tcp_connections_of_all_loops(weir, free_port):
    """However unevenly the kernel spreads them: as many as the limit says, and not one more."""
    port, most = free_port(), 4
    w = weir(conf(port, loops=2, words=f"limits connections {most}; timeout idle 60s"))
    wire = query_bytes()

    def active():
        (process,) = [one for one in w.status()["processes"] if one["name"] == "dns"]
        return process["detail"]["modules"]["dns"]["connections"]

    for _ in range(6):  # each by other ports, and so another spread
        socks = [connect(port) for _ in range(most)]
        try:
            for sock in socks:
                sock.sendall(frames(wire))
                assert len(read_frames(sock, 1)) == 1
            for _ in range(3):
                with connect(port) as further:
                    assert is_closed(further)
            socks.pop().close()
            assert until(lambda: active() == most - 1)
            socks.append(connect(port))
            socks[-1].sendall(frames(wire))
            assert len(read_frames(socks[-1], 1)) == 1
        finally:
            for sock in socks:
                sock.close()
        assert until(lambda: active() == 0)


def serves_tcp(port):
    with contextlib.suppress(OSError, EOFError, dns.exception.DNSException):
        return bool(ask(port, "www.example.org", how=dns.query.tcp).answer)
    return False


def test_tcp_keepalive_is_told(weir, free_port):
    port = free_port()
    weir(conf(port, words="timeout idle 7s"))
    answer = ask(port, "www.example.org", how=dns.query.tcp, use_edns=0, options=[dns.edns.GenericOption(11, b"")])
    assert [bytes(option.to_wire()) for option in answer.options] == [struct.pack(">H", 70)]
    answer = ask(port, "www.example.org", use_edns=0, options=[dns.edns.GenericOption(11, b"")])
    assert not answer.options  # not over UDP (RFC 7828 section 3.2.2)


def test_a_peer_that_does_not_read(weir, free_port):
    """It is cut, and nobody else waits for it."""
    port = free_port()
    weir(conf(port, loops=1, words="timeout send 1s"))
    wire = dns.message.make_query("big.example.org", "TXT").to_wire()
    with connect(port) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(0.2)
        with contextlib.suppress(TimeoutError, ConnectionError):
            for _ in range(20000):
                sock.sendall(frames(wire))
        assert ask(port, "www.example.org").answer
        sock.settimeout(20)

        def ends():
            with contextlib.suppress(ConnectionError):
                while sock.recv(65536):
                    pass
            return True
        assert ends()


# ---- a rush ----


@contextlib.contextmanager
def flood(port):
    """Queries as fast as they can be sent, and nobody who reads the answers."""
    is_over = threading.Event()

    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", port))
            while not is_over.is_set():
                with contextlib.suppress(ConnectionRefusedError):
                    sock.send(query_bytes())
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(20)


def n_watched(pid):
    """How many descriptors the kernel tells a process's loops of."""
    n = 0
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):
            n += path.read_text().count("tfd:")
    return n


@pytest.mark.skipif(os.geteuid() != 0, reason="the process's descriptors are to be read")
def test_a_rush_leaves_room_for_others(weir, free_port):
    """The socket of a rush leaves the loop and comes back; the other sockets of the loop are served meanwhile."""
    port, other = free_port(), free_port()
    text = conf(port, loops=1, more=f"dns 127.0.0.1:{other}")
    w = weir(text)
    n_before = n_watched(w.pid("dns"))
    for last in (4, 5):
        with flood(port):
            assert until(lambda: n_watched(w.pid("dns")) == n_before - 1)
            for how in (dns.query.udp, dns.query.tcp):
                assert ask(other, "www.example.org", how=how).answer
            assert ask(port, "www.example.org", how=dns.query.tcp).answer
            w.write(text.replace("192.0.2.2", f"192.0.2.{last}"))
            w.reload()
            assert until(lambda n=last: addresses(ask(other, "www.example.org")) == ["192.0.2.1", f"192.0.2.{n}"])
        assert until(lambda: n_watched(w.pid("dns")) == n_before)
        assert addresses(ask(port, "www.example.org")) == ["192.0.2.1", f"192.0.2.{last}"]
    with flood(port):
        assert until(lambda: n_watched(w.pid("dns")) == n_before - 1)
        w.write(conf(other, loops=1))
        w.reload()
        assert until(lambda: n_watched(w.pid("dns")) == n_before - 2)
    assert ask(other, "www.example.org").answer


# ---- reload, upgrade, death ----


class Asking:
    """Asks all the time, over a socket of its own, and keeps what it got."""

    def __init__(self, port, name="www.example.org"):
        self.port, self.wire = port, dns.message.make_query(name, "A").to_wire()
        self.n_asked = self.n_lost = 0
        self.seen = set()
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.ask, daemon=True)
        self.thread.start()

    def ask(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self.port))
            sock.settimeout(5)
            while not self.is_over.is_set():
                self.n_asked += 1
                try:
                    sock.send(self.wire)
                    answer = dns.message.from_wire(sock.recv(4096))
                    self.seen.add(tuple(addresses(answer)))
                except (TimeoutError, ConnectionRefusedError):
                    self.n_lost += 1
                time.sleep(0.0005)

    def end(self):
        self.is_over.set()
        self.thread.join(20)


def test_reload_loses_no_query(weir, free_port, tmp_path):
    port = free_port()
    w = weir(conf(port))
    askers = [Asking(port) for _ in range(3)]
    for i in range(15):
        w.write(conf(port, www=f"192.0.2.{i + 10} 192.0.2.{i + 110}"))
        w.reload()
        time.sleep(0.2)
    # Each of them alone or the other, never a mixture.
    for asker in askers:
        asker.end()
        assert asker.n_lost == 0 and asker.n_asked > 100, (asker.n_lost, asker.n_asked)
        for pair in asker.seen:
            last = sorted(int(text.rsplit(".", 1)[1]) for text in pair)
            assert len(last) == 2 and last[1] - last[0] in (100, 1), pair
    assert len(w.log()) < 200000


ZONE = """$TTL 300
@ SOA ns1 hostmaster {serial} 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.9
www A 192.0.2.{last}
{more}
"""


def test_a_broken_zone_keeps_the_old_one(weir, free_port):
    port = free_port()
    text = conf(port, more="zone file.example { file file.zone }\nzone other.example { file other.zone }")
    w = weir(text, start=False)

    def write(name, **fields):
        (w.folder / name).write_text(ZONE.format(**{"serial": 1, "last": 1, "more": "", **fields}))
    write("file.zone")
    write("other.zone")
    w.start()
    assert addresses(ask(port, "www.file.example")) == ["192.0.2.1"]
    # One is better now, the other is broken: none of it counts, and it says why.
    write("other.zone", serial=2, last=2)
    write("file.zone", serial=2, last=2, more="bad A 192.0.2.300\nalso ALIAS nowhere")
    refused = w.reload(check=False)
    assert refused.returncode != 0
    assert "file.zone:6:" in refused.stderr + refused.stdout, refused
    assert "file.zone:7:" in refused.stderr + refused.stdout, refused
    for name in ("file", "other"):
        assert addresses(ask(port, f"www.{name}.example")) == ["192.0.2.1"]
    assert w.fact("zone:file.example")["value"] == 1
    write("file.zone", serial=2, last=2)
    w.reload()
    for name in ("file", "other"):
        assert until(lambda n=name: addresses(ask(port, f"www.{n}.example")) == ["192.0.2.2"])
    assert until(lambda: w.fact("zone:file.example")["value"] == 2)


def test_serial_of_a_zone_without_one(weir, free_port):
    """The time at which its text was first read: the same after a restart, larger after a change."""
    port = free_port()
    text = conf(port).replace("serial 7", "")
    w = weir(text)

    def serial():
        return ask(port, "example.org", "SOA").answer[0][0].serial
    first = serial()
    assert abs(first - time.time()) < 60
    w.reload()
    assert serial() == first
    w.kill("dns", 9)
    assert w.wait_back("dns")
    assert serial() == first
    w.write(text.replace("192.0.2.2", "192.0.2.3"))
    w.reload()
    assert until(lambda: serial() > first)


def test_death_of_the_process(weir, free_port):
    """What came while nobody answered waits in the socket."""
    port = free_port()
    w = weir(conf(port))
    asker = Asking(port)
    for _ in range(2):
        w.kill("dns", 9)
        assert w.wait_back("dns"), w.log()
        assert ask(port, "www.example.org").answer
        assert ask(port, "www.example.org", how=dns.query.tcp).answer
        n_asked = asker.n_asked
        assert until(lambda n=n_asked: asker.n_asked > n + 25)  # also where one that was lost is waited for
    asker.end()
    # What the process had already taken is lost with it.
    assert asker.n_lost <= 2, (asker.n_lost, asker.n_asked)
    w.wait_fact("dns:127.0.0.1:" + str(port), "serving")


def test_upgrade_loses_no_query(weir, free_port):
    port = free_port()
    w = weir(conf(port))
    askers = [Asking(port) for _ in range(2)]
    with connect(port) as sock:
        sock.sendall(frames(query_bytes()))
        assert len(read_frames(sock, 1)) == 1
        pid = w.pid("dns")
        w.command("upgrade")
        assert until(lambda: w.pid("dns") not in (None, pid))
        time.sleep(0.5)
    for asker in askers:
        asker.end()
        assert asker.n_lost == 0 and asker.n_asked > 50, (asker.n_lost, asker.n_asked)
    assert ask(port, "www.example.org", how=dns.query.tcp).answer


def test_listeners_come_and_go(weir, free_port):
    port, other = free_port(), free_port()
    w = weir(conf(port))
    w.write(conf(port, more=f"dns 127.0.0.1:{other} {{ name second }}"))
    w.reload()
    assert until(lambda: ask(other, "www.example.org").answer)
    assert w.fact("dns:second")["state"] == "serving"
    w.write(conf(port))
    w.reload()
    assert until(lambda: "dns:second" not in w.facts())
    with pytest.raises((dns.exception.Timeout, OSError)):
        ask(other, "www.example.org", timeout=0.5)
    assert ask(port, "www.example.org").answer

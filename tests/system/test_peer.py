# SPDX-License-Identifier: Apache-2.0
"""Two weirs on one host, each a node with addresses of its own on loopback: they hear each other, notice silence, and
are impressed by nothing that others send."""
import os
import secrets
import signal
import socket

import pytest

from conftest import PATIENCE_S, until

CONF = """
nodes {{ a 127.0.0.11 127.1.0.11; b 127.0.0.12 127.1.0.12 }}
secret-file secret
peer 127.0.0.0/24 port {port}
peer 127.1.0.0/24 port {port} every 200ms
pool web {{ member x 127.0.0.1:{port}; check tcp every 1s }}
"""


class Pair:
    def __init__(self, weir, port):
        self.port = port
        self.secret = secrets.token_hex(32)
        self.a, self.b = (weir(CONF.format(port=port), start=False, args=["--node", node]) for node in "ab")
        for one in (self.a, self.b):
            self.put_secret(one, self.secret)

    @staticmethod
    def put_secret(one, *lines):
        path = one.folder / "secret"
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o600)

    def start(self):
        self.a.start()
        self.b.start()
        self.wait_up()
        return self

    def wait_up(self):
        for one, other in ((self.a, "b"), (self.b, "a")):
            one.wait_fact(f"peer:{other}", "up")
            # In full: by both paths, and with what the other says.
            assert until(lambda: one.fact(f"peer:{other}")["reason"] == "2 of 2 paths")
            one.wait_fact(f"at:{other}/pool:web", "down")

    @staticmethod
    def received(one, other, path="127.0.0.0/24"):
        for process in one.status()["processes"]:
            if process["name"] == "peer":
                for peer in process["detail"]["modules"]["peer"]["peers"]:
                    if peer["node"] == other:
                        return next(link["received"] for link in peer["paths"] if link["path"] == path)
        return None


@pytest.fixture
def pair(weir, free_port):
    return Pair(weir, free_port())


def test_they_hear_each_other_and_notice_silence(pair):
    pair.start()
    assert pair.a.fact("file:b")["state"] == "up"
    assert pair.a.fact("path:127.1.0.0/24")["state"] == "up"
    # The process of b dies: the next life of it proves itself, and what it knew of a has not gone.
    pair.b.kill("peer", signal.SIGKILL)
    assert pair.b.wait_back("peer")
    pair.wait_up()
    # All of b stands still, its supervisor first so that it restarts nobody.
    stopped = [pair.b.pid_supervisor, *pair.b.pids().values()]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        pair.a.wait_fact("peer:b", "down")
        assert "silent for 3 beats" in pair.a.fact("peer:b")["reason"]
        facts = pair.a.facts()
        assert not [name for name in facts if name.startswith(("at:b/", "file:b"))], facts
        assert facts["path:127.0.0.0/24"]["state"] == "down"
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)
    pair.wait_up()


def test_another_file_is_told_and_a_reload_keeps_what_is_up(pair):
    pair.start()
    since = pair.a.fact("peer:b")["since"]
    pair.b.write(CONF.format(port=pair.port) + "# another\n")
    pair.b.reload()
    pair.a.wait_fact("file:b", "degraded")
    assert "runs another file" in pair.a.fact("peer:b")["reason"]
    pair.a.write(CONF.format(port=pair.port) + "# another\n")
    pair.a.reload()
    pair.a.wait_fact("file:b", "up")
    pair.wait_up()
    assert pair.a.fact("peer:b")["since"] == since
    # One path less on both, then none.
    fewer = CONF.format(port=pair.port).replace("peer 127.1", "# peer 127.1")
    for one in (pair.a, pair.b):
        one.write(fewer)
        one.reload()
    assert until(lambda: pair.a.fact("peer:b")["reason"] == "1 of 1 paths")
    assert "path:127.1.0.0/24" not in pair.a.facts()
    pair.a.write(fewer.replace("peer 127.0", "# peer 127.0"))
    pair.a.reload()
    assert until(lambda: not [name for name in pair.a.facts() if name.startswith(("peer:", "at:", "path:"))]), \
        pair.a.facts()
    pair.b.wait_fact("peer:a", "down")


def test_secrets_that_differ_and_one_that_changes(pair):
    new = secrets.token_hex(32)
    pair.put_secret(pair.b, new)
    pair.a.start()
    pair.b.start()
    for one, other in ((pair.a, "b"), (pair.b, "a")):
        one.wait_fact(f"peer:{other}", "failed")
        assert "give both nodes the same secret-file" in one.fact(f"peer:{other}")["reason"]
    pair.put_secret(pair.b, pair.secret)
    pair.b.reload()
    pair.wait_up()
    since = [pair.a.fact("peer:b")["since"], pair.b.fact("peer:a")["since"]]
    for lines in ((pair.secret, new), (new, pair.secret), (new,)):
        for one in (pair.a, pair.b):
            pair.put_secret(one, *lines)
            one.reload()
    pair.wait_up()
    assert [pair.a.fact("peer:b")["since"], pair.b.fact("peer:a")["since"]] == since


def test_replays_forgeries_and_strangers(pair):
    """What b's address sends is recorded by taking its place for a moment; then it is played back."""
    pair.a.start()
    recorded = []
    with socket.socket(type=socket.SOCK_DGRAM) as mouth:
        mouth.bind(("127.0.0.12", pair.port))
        mouth.settimeout(PATIENCE_S)
        own = mouth.recv(2048)  # a beat of a's, to b
        recorded.append(own)  # thrown back, it is nobody's
        recorded.append(own[:-1] + bytes([own[-1] ^ 1]))  # a wrong MAC
        recorded.append(own[:4] + b"\0\0\0\0" + own[8:])  # a key that is not here
        recorded.append(b"WB\x01 and nothing more")
        for datagram in recorded:
            mouth.sendto(datagram, ("127.0.0.11", pair.port))
        mouth.sendto(b"x" * 1400, ("127.0.0.11", pair.port))

        def counted():
            received = pair.received(pair.a, "b")
            return (received["reflected"] == 1 and received["forged"] == 1 and received["no_key"] == 1 and
                    received["malformed"] == 2)
        assert until(counted), pair.received(pair.a, "b")
    assert pair.a.fact("peer:b")["state"] in ("failed", "unknown")
    pair.b.start()
    pair.wait_up()
    since = pair.a.fact("peer:b")["since"]
    with socket.socket(type=socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.13", 0))
        for datagram in recorded * 20:
            stranger.sendto(datagram, ("127.0.0.11", pair.port))
    pair.a.wait_log("no node has this address and port")
    metrics = pair.a.command("facts")  # it answers as ever
    assert "peer:b" in metrics.stdout
    assert pair.a.fact("peer:b")["since"] == since
    assert pair.a.log().count("no node has this address and port") <= 4, "one line for many datagrams"


def test_both_call_themselves_the_same(weir, free_port):
    """Started with the wrong --node: the address is not there, or the port is taken; else the reason says it."""
    one = Pair(weir, free_port())
    one.a.start()
    other = weir(CONF.format(port=one.port).replace("a 127.0.0.11 127.1.0.11; b 127.0.0.12 127.1.0.12",
                                                    "b 127.0.0.11 127.1.0.11; a 127.0.0.12 127.1.0.12"),
                 start=False, args=["--node", "a"])
    one.put_secret(other, one.secret)
    other.start()
    one.a.wait_fact("peer:b", "failed")
    assert "start each with its own --node" in one.a.fact("peer:b")["reason"]

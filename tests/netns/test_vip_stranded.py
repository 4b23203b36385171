# SPDX-License-Identifier: Apache-2.0
"""Clients that are connected to a floating address when it goes to the other node."""
import contextlib
import json
import subprocess
import sys
import time

import pytest

from vips import VIP, App, Node, until

FILE = """
nodes { a 10.77.0.1; b 10.77.0.2 }
listen shop http 0.0.0.0:8080 { route pool web }
pool web { check tcp every 100ms fall 2 rise 2; member app 127.0.0.1:9090 }
vip 10.77.0.100/24 on e0 { name front; id 51; prefer a; interval 100ms }
"""

# Keeps connections open on which it asks nothing more, says how many, and how each ended when told to look.
IDLE = """
import json, socket, sys
socks = []
for n in range(int(sys.argv[3])):
    sock = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" if n % 2 else b"GET / HT")
    if n % 2:
        sock.recv(65536)
    socks.append(sock)
print(len(socks), flush=True)
sys.stdin.readline()
ends = []
for sock in socks:
    try:
        ends.append("closed" if sock.recv(65536) == b"" else "bytes")
    except OSError as error:
        ends.append(type(error).__name__)
print(json.dumps(ends), flush=True)
"""
N_IDLE = 10


class Idle:
    def __init__(self, host):
        self.process = host.start(sys.executable, "-c", IDLE, VIP, 8080, N_IDLE, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        assert int(self.process.stdout.readline()) == N_IDLE

    def ends(self):
        out, _ = self.process.communicate("look\n", timeout=60)
        return json.loads(out)


def connected(host, address=VIP):
    """What the host's kernel has of connections at the address, but for those that are over (TIME_WAIT)."""
    rows = host.run("ss", "-Htan", "src", address).splitlines()
    return [row for row in rows if not row.startswith(("LISTEN", "TIME-WAIT"))]


@pytest.fixture
def pair(net, weir_on):
    network = net()
    for host in (network.n1, network.n2):
        App(host, 9090, "127.0.0.1")
    nodes = [Node(weir_on(host, FILE, node=name), host, name) for host, name in ((network.n1, "a"), (network.n2, "b"))]
    assert until(lambda: network.n1.has(VIP) and not network.n2.has(VIP)), nodes[0].weir.log()
    for node in nodes:
        node.weir.wait_fact("pool:web", "up")
    return network, nodes


def test_a_planned_move_leaves_nothing_behind(pair):
    """What is idle is reset, what is under way is answered first, and then nothing is left of either."""
    network, (one, other) = pair
    idle = Idle(network.cl)
    ask = network.cl.start("curl", "-s", "-m", "20", "-w", " %{http_code}", f"http://{VIP}:8080/slow/2000",
                           stdout=subprocess.PIPE, text=True)
    assert until(lambda: len(connected(network.n1)) == N_IDLE + 1)
    one.weir.command("drain", "vip:front", "--no-wait")
    assert until(lambda: network.n2.has(VIP) and not network.n1.has(VIP))
    assert idle.ends() == ["ConnectionResetError"] * N_IDLE
    said, _ = ask.communicate()
    assert said.endswith(" 200"), said
    assert until(lambda: not connected(network.n1)), connected(network.n1)
    assert one.metric("weir_listen_stranded_total") == N_IDLE + 1 and one.metric("weir_listen_cut_total") == 0
    # The same the other way round.
    idle = Idle(network.cl)
    assert len(connected(network.n2)) == N_IDLE
    one.weir.command("undrain", "vip:front")
    assert until(lambda: network.n1.has(VIP) and not network.n2.has(VIP))
    assert idle.ends() == ["ConnectionResetError"] * N_IDLE
    assert until(lambda: not connected(network.n2)), connected(network.n2)
    assert other.metric("weir_listen_stranded_total") == N_IDLE


def test_an_answer_that_takes_too_long_is_cut(pair):
    network, (one, _) = pair
    ask = network.cl.start("curl", "-s", "-m", "20", f"http://{VIP}:8080/slow/15000", stdout=subprocess.DEVNULL)
    assert until(lambda: connected(network.n1))
    one.weir.command("drain", "vip:front", "--no-wait")
    assert until(lambda: network.n2.has(VIP) and not network.n1.has(VIP))
    assert until(lambda: not connected(network.n1), timeout=12), connected(network.n1)
    assert one.metric("weir_listen_cut_total") == 1
    assert ask.wait() != 0


def test_a_dead_link_leaves_nothing_behind(pair):
    """The resets cannot be sent: the clients learn it from the other node."""
    network, (one, _) = pair
    idle = Idle(network.cl)
    assert len(connected(network.n1)) == N_IDLE
    network.n1.cut()
    assert until(lambda: network.n2.has(VIP) and not network.n1.has(VIP))
    assert until(lambda: not connected(network.n1)), connected(network.n1)
    network.n1.mend()
    assert until(lambda: network.n1.has(VIP))
    time.sleep(0.5)
    assert not connected(network.n1)
    assert one.metric("weir_listen_stranded_total") == N_IDLE
    idle.process.kill()
    with contextlib.suppress(ValueError, OSError):
        idle.process.communicate()


def test_connections_elsewhere_stay(pair):
    """Those at the node's own address have nothing to do with it."""
    network, (one, _) = pair
    site = f"http://{network.n1.ip}:8080"
    ask = network.cl.start("curl", "-s", "-m", "20", "-w", " %{http_code}", f"{site}/slow/1000", f"{site}/",
                           stdout=subprocess.PIPE, text=True)
    assert until(lambda: connected(network.n1, network.n1.ip))
    one.weir.command("drain", "vip:front")
    said, _ = ask.communicate()
    assert said.count(" 200") == 2, said
    assert one.metric("weir_listen_stranded_total") == 0

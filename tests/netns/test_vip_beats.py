# SPDX-License-Identifier: Apache-2.0
"""Heartbeats that nobody should believe, from a third host that hears and sends what it likes: nothing changes, and
each is counted."""
import time

import pytest
from vips import Capture, Pair, file_of, secret_file

from conftest import until

PORT = 7900

# Sends to a node, in the other's name, what was recorded of one of them.
SCRIPT = """
import sys
from scapy.all import Ether, IP, Raw, UDP, conf, get_if_hwaddr, rdpcap
conf.verb = 0
beats = [bytes(packet[UDP].payload) for packet in rdpcap("{pcap}") if packet[IP].src == "{recorded}"][-20:]
assert len(beats) == 20

def flip(beat, at):
    return beat[:at] + bytes([beat[at] ^ 1]) + beat[at + 1:]

head = Ether(src=get_if_hwaddr("e0"), dst="{mac}")
socket = conf.L2socket(iface="e0")
packets = [head / IP(src="{source}", dst="{target}") / UDP(sport={port}, dport={port}) / Raw(made)
           for beat in beats for made in ({what},)]
for _ in range({times}):
    for packet in packets:
        socket.send(packet)
"""


@pytest.fixture
def scene(net, weir_on, tmp_path):
    """Two weirs that hear each other, and what they said for a second."""
    text = file_of("", peer=f"secret-file {secret_file(tmp_path)}\npeer 10.77.0.0/24 port {PORT}")
    pair = Pair(net(), weir_on, text)
    for node, other in ((pair.a, "b"), (pair.b, "a")):
        node.weir.wait_fact(f"peer:{other}", "up")
        assert until(lambda node=node, other=other: node.fact(f"at:{other}/vip:front"))
    capture = Capture(pair.net.n1, tmp_path, what=f"udp port {PORT}")
    time.sleep(2.5)
    capture.stop()
    pair.pcap = capture.path
    return pair


def words(pair, what, recorded="b", target="a", times=1, source=None):
    nodes = {"a": pair.net.n1, "b": pair.net.n2}
    other = nodes["b" if target == "a" else "a"]
    return ["/usr/bin/python3", "-c", SCRIPT.format(
        pcap=pair.pcap, recorded=nodes[recorded].ip, mac=nodes[target].mac(), source=source or other.ip,
        target=nodes[target].ip, port=PORT, what=what, times=times)]


def received(node, outcome):
    return node.metric("weir_peer_received_total", outcome=outcome)


# outcome -> what is made of a beat of b's
FORGERIES = {
    "old": "beat",                   # played back, byte by byte
    "no_key": "flip(beat, 4)",       # of another secret
    "forged": "flip(beat, 60)",      # a word changed
    "malformed": "beat[:40]",        # cut off
}


def test_forged_and_replayed_beats(scene):
    pair = scene
    before = pair.a.fact("peer:b"), pair.a.fact("at:b/vip:front"), pair.a.metric("weir_vip_moves_total")
    changes = pair.a.metric("weir_peer_node_changes_total")
    counted = {outcome: received(pair.a, outcome) for outcome in (*FORGERIES, "reflected")}
    # Each byte matters: the MAC's own, the number's, the life's, the hash's.
    flips = [f"flip(beat, {at} % len(beat))" for at in (-1, 23, 15, 50)]
    pair.net.cl.run(*words(pair, ", ".join([*FORGERIES.values(), *flips])))
    pair.net.cl.run(*words(pair, "beat", recorded="a"))  # this node's own
    least = {outcome: n + 20 * (1 + len(flips) if outcome == "forged" else 1) for outcome, n in counted.items()}
    assert until(lambda: all(received(pair.a, outcome) >= n for outcome, n in least.items())), (
        least, {outcome: received(pair.a, outcome) for outcome in least})
    n = pair.a.metric("weir_peer_path_strangers_total")
    pair.net.cl.run(*words(pair, "beat", source=pair.net.cl.ip))
    assert until(lambda: pair.a.metric("weir_peer_path_strangers_total") >= n + 20)
    after = pair.a.fact("peer:b"), pair.a.fact("at:b/vip:front"), pair.a.metric("weir_vip_moves_total")
    for old, new in zip(before[:2], after[:2]):
        assert (old["state"], old["since"]) == (new["state"], new["since"]), (old, new)
    assert before[2] == after[2] and pair.a.metric("weir_peer_node_changes_total") == changes
    assert pair.a.has() and not pair.b.has()
    # Many datagrams, few lines.
    assert pair.a.weir.log().count("is refused") <= 12, pair.a.weir.log()


def test_a_dead_node_does_not_live_on_in_recordings(scene):
    """Beats that said "Active and serving", played back without end, hold nobody back from taking over."""
    pair = scene
    player = pair.net.cl.start(*words(pair, "beat", recorded="a", target="b", times=100000))
    n = received(pair.b, "old")
    assert until(lambda: received(pair.b, "old") > n + 100)
    held = pair.b.metric("weir_vip_holds_total")
    pair.kill_all()
    pair.b.wait("active")
    pair.b.weir.wait_fact("peer:a", "down")
    assert pair.b.metric("weir_vip_holds_total") <= held + 1  # until a's last own word was old
    assert player.poll() is None
    # It comes back while its recordings are played, and is believed again.
    pair.a.weir.start()
    pair.a.wait("active")
    pair.b.wait("backup")
    pair.b.weir.wait_fact("peer:a", "up")
    assert until(lambda: received(pair.b, "past") > 0), pair.b.metrics()
    assert player.poll() is None
    player.kill()
    player.wait()
    assert pair.b.metric("weir_peer_received_total", outcome="misnamed") == 0

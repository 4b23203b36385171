# SPDX-License-Identifier: Apache-2.0
"""The rig itself: that it sees what it is to see, with two nodes of the real keepalived."""
import time

from net import Capture, Keepalived, Probe, keepalived_conf

from conftest import until

VIP = "10.77.0.100"


def pair(net, tmp_path, **options):
    network = net()
    nodes = [Keepalived(host, tmp_path, keepalived_conf(host, [f"{VIP}/24"], priority=priority, **options)).start()
             for host, priority in ((network.n1, 150), (network.n2, 100))]
    for host in (network.n1, network.n2):
        network.serve(host, VIP)
    assert until(lambda: nodes[0].state() == "MASTER" and network.n1.has(VIP)), nodes[0].log()
    return network, nodes


def test_the_rig_sees_a_takeover(net, tmp_path):
    network, nodes = pair(net, tmp_path, interval=0.1)
    capture = Capture(network.n2, tmp_path)
    probe = Probe(network.cl, VIP)
    time.sleep(0.5)
    network.n1.cut()
    assert until(lambda: nodes[1].state() == "MASTER"), nodes[1].log()
    time.sleep(0.5)
    seen = probe.result()
    capture.stop()
    assert [name for _, name in seen["moves"]] == ["n1", "n2"], seen
    assert seen["gap_ms"] > 100, seen
    rows = capture.rows("vrrp.prio", "vrrp.checksum.status")
    assert {row[0] for row in rows} == {"150", "100"}, rows
    assert {row[1] for row in rows} == {"1"}, rows


def test_the_rig_sees_a_silent_partition(net, tmp_path):
    network, nodes = pair(net, tmp_path, interval=0.1)
    network.n1.part()
    assert until(lambda: nodes[1].state() == "MASTER"), nodes[1].log()
    assert network.n1.has(VIP) and network.n2.has(VIP)
    network.n1.join()
    assert until(lambda: nodes[1].state() == "BACKUP"), nodes[1].log()

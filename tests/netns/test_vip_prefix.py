# SPDX-License-Identifier: Apache-2.0
"""Addresses whose prefix is not their interface's: a host's own (/32, /128), and of a net that is not there."""
import json
import time

import pytest
from test_vip_keepalived import link_local
from test_vip_mac import MAC4, strict, who_has
from vips import LINK6, VIP, VIP6, Capture, Keepalived, Node, Pair, Probe, file_of, keepalived_conf, until, whole

OUTSIDE, OUTSIDE6 = "192.0.2.10", "fd99::10"


def routes(host):
    """What a host knows of ways, without what ends by itself or is counted."""
    return {family: sorted(line.split(" expires")[0].strip() for line in
                           host.run("ip", f"-{family}", "route", "show", "table", "all").splitlines()
                           if "multicast" not in line)
            for family in "46"}


def source_to(host, address):
    """What the host's own connections to there come from."""
    return json.loads(host.run("ip", "-j", "route", "get", address))[0]["prefsrc"]


def prefix_of(host, address, interface="e0"):
    rows = json.loads(host.run("ip", "-j", "addr", "show", "dev", interface))
    return next((info["prefixlen"] for info in rows[0]["addr_info"] if info.get("local") == address), None)


def announcements(rows):
    """The MACs that said, in an order without repeats, that the address is theirs."""
    macs = [row[0] for row in rows]
    return [mac for place, mac in enumerate(macs) if place == 0 or macs[place - 1] != mac]


def way_to(network, address):
    """The client has it on its link, whatever its prefix is."""
    network.cl.run("ip", "route", "add", f"{address}/32", "dev", "e0")


def started(network, weir_on, text):
    """Two nodes with this file, the first of which has come to be Active."""
    a, b = (Node(weir_on(host, text, node=name), host, name)
            for host, name in ((network.n1, "a"), (network.n2, "b")))
    a.wait("active")
    b.wait("backup")
    return a, b


@pytest.mark.parametrize("address,words", [(f"{VIP}/32", "unicast"), (f"{OUTSIDE}/32", "unicast"),
                                           (f"{OUTSIDE}/24", "unicast"), (f"{OUTSIDE}/32", "")])
def test_it_moves_and_leaves_no_trace(net, weir_on, address, words):
    """Put with the prefix of the file, announced, taken away; the node's own ways and sources stay as they were."""
    network = net()
    vip, prefix = address.split("/")
    for host in (network.n1, network.n2):
        network.serve(host, vip)
    if vip == OUTSIDE:
        way_to(network, OUTSIDE)
    for host in (network.n1, network.n2):
        host.run("ip", "route", "add", "default", "via", "10.77.0.254")
        if vip == OUTSIDE:  # answers have a way to the client
            assert source_to(host, network.cl.ip) == host.ip
    before = {host: routes(host) for host in (network.n1, network.n2)}
    arp = Capture(network.cl, network.folder, what=f"arp[14:4] = arp[24:4] and arp src {vip}")
    text = file_of(words, addresses=address)
    a, b = started(network, weir_on, text)
    assert until(lambda: prefix_of(network.n1, vip) == int(prefix)), network.n1.addresses()
    probe = Probe(network.cl, vip)
    time.sleep(0.5)
    for host in (network.n1, network.n2):
        assert source_to(host, network.cl.ip) == host.ip
        assert source_to(host, "198.51.100.1") == host.ip
    if prefix == "32":
        assert all(vip in line for line in set(routes(network.n1)["4"]) - set(before[network.n1]["4"]))
    adverts = Capture(network.cl if not words else network.n2, network.folder)
    network.n1.cut()
    b.wait("active")
    assert until(lambda: not a.has(vip))
    time.sleep(0.5)
    network.n1.mend()
    a.wait("active")
    b.wait("backup")
    time.sleep(0.5)
    seen = probe.result()
    assert whole(seen, "n1", "n2", "n1"), seen
    adverts.stop()
    arp.stop()
    assert {row[0] for row in adverts.rows("ip.src")} <= {network.n1.ip, network.n2.ip}
    assert announcements(arp.rows("arp.src.hw_mac")) == [network.n1.mac(), network.n2.mac(), network.n1.mac()]
    assert a.weir.stop() == 0 and b.weir.stop() == 0
    for host in (network.n1, network.n2):
        assert not host.has(vip)
        assert routes(host) == before[host]


@pytest.mark.parametrize("address,words", [(f"{VIP6}/128", "unicast"), (f"{OUTSIDE6}/128", ""),
                                           (f"{OUTSIDE6}/64", "unicast")])
def test_of_ipv6(net, weir_on, address, words):
    network = net()
    vip, prefix = address.split("/")
    for host in (network.n1, network.n2):
        network.serve(host, vip)
    if vip == OUTSIDE6:
        network.cl.run("ip", "-6", "route", "add", f"{vip}/128", "dev", "e0")
    time.sleep(0.2)
    before = {host: routes(host) for host in (network.n1, network.n2)}
    nodes = "nodes { a 10.77.0.1 fd77::1; b 10.77.0.2 fd77::2 }\n"
    text = nodes + file_of(words, nodes=False, prefer="", addresses=f"{LINK6}/{prefix} {address}").replace(
        "id 51", "id 51; prefer a")
    a, b = started(network, weir_on, text)
    assert until(lambda: prefix_of(network.n1, vip) == int(prefix)), network.n1.addresses()
    probe = Probe(network.cl, vip)
    time.sleep(0.5)
    assert source_to(network.n1, network.cl.ip6) == network.n1.ip6
    network.n1.cut()
    b.wait("active")
    time.sleep(0.5)
    network.n1.mend()
    a.wait("active")
    b.wait("backup")
    time.sleep(0.5)
    seen = probe.result()
    assert whole(seen, "n1", "n2", "n1"), seen
    assert a.weir.stop() == 0 and b.weir.stop() == 0
    for host in (network.n1, network.n2):
        assert not host.has(vip)
        if vip == VIP6:
            assert routes(host) == before[host]
        else:  # the kernel keeps the route to what no other net covers for what the address had left of its life
            assert until(lambda host=host: not host.run("ip", "-6", "route", "get", vip, check=False))


@pytest.mark.parametrize("vip", [VIP, OUTSIDE])
def test_beside_keepalived(net, weir_on, tmp_path, vip):
    """keepalived is given the same addresses: it takes ours as its own, and the other way round."""
    network = net()
    for host in (network.n1, network.n2):
        network.serve(host, vip)
    if vip == OUTSIDE:
        way_to(network, OUTSIDE)
    keepalived = Keepalived(network.n2, tmp_path, keepalived_conf(
        network.n2, [f"{vip}/32"], priority=100, interval=0.1, peers=[network.n1.ip], source=network.n2.ip)).start()
    assert until(keepalived.state), keepalived.log()
    one = Node(weir_on(network.n1, file_of(f"priority 200\nunicast {network.n2.ip}", nodes=False,
                                           addresses=f"{vip}/32")), network.n1, "a")
    one.wait("active")
    assert until(lambda: keepalived.state() == "BACKUP" and one.has(vip)), keepalived.log()
    probe = Probe(network.cl, vip)
    time.sleep(0.3)
    assert one.weir.stop() == 0
    assert until(lambda: keepalived.state() == "MASTER"), keepalived.log()
    time.sleep(0.3)
    one.weir.start()
    one.wait("active")
    assert until(lambda: keepalived.state() == "BACKUP")
    time.sleep(0.3)
    seen = probe.result()
    assert whole(seen, "n1", "n2", "n1"), seen
    assert prefix_of(network.n1, vip) == 32
    assert "nvalid" not in keepalived.log() and "mismatch" not in keepalived.log(), keepalived.log()


@pytest.mark.parametrize("vip", [VIP, OUTSIDE])
def test_with_a_virtual_mac(net, weir_on, vip):
    network = strict(net())
    for host in (network.n1, network.n2):
        network.serve(host, vip)
    if vip == OUTSIDE:
        way_to(network, OUTSIDE)
    text = file_of("virtual-mac", addresses=f"{vip}/32")
    a, b = started(network, weir_on, text)
    assert who_has(network, vip) == [MAC4]
    probe = Probe(network.cl, vip)
    time.sleep(0.3)
    network.n1.cut()
    b.wait("active")
    time.sleep(0.3)
    assert who_has(network, vip) == [MAC4]
    network.n1.mend()
    a.wait("active")
    b.wait("backup")
    time.sleep(0.3)
    seen = probe.result()
    assert whole(seen, "n1", "n2", "n1"), seen


def test_nodes_of_two_nets(net, weir_on):
    """No net of the vip's tells by which of its addresses a node is to be reached: the file does."""
    network = net(switches=2)
    nodes = "nodes { a 10.78.0.1 10.77.0.1; b 10.78.0.2 10.77.0.2 }\n"
    pair = Pair(network, weir_on, nodes + file_of(
        f"unicast {network.n1.ip} {network.n2.ip}", nodes=False, prefer="", addresses=f"{VIP}/32").replace(
            "id 51", "id 51; prefer a"))
    network.n1.part()
    pair.b.wait("active")
    network.n1.join()
    pair.b.wait("backup")
    assert pair.a.state() == "active"
    assert pair.a.metric("weir_vip_refused_total", reason="peer") == 0


# SPDX-License-Identifier: Apache-2.0
"""A virtual MAC moves with its addresses: what clients have learnt stays true, and nobody else answers."""
import json
import time

import pytest
from vips import LINK6, VIP, VIP6, Capture, Keepalived, Node, Pair, Probe, file_of, keepalived_conf, term, until, whole

MAC4, MAC6 = "00:00:5e:00:01:33", "00:00:5e:00:02:33"  # of id 51

# Who answers when the client asks everybody for the address: all answers of a second.
WHO_HAS = """
from scapy.all import ARP, Ether, conf, get_if_addr, srp
conf.verb = 0
ask = Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="{address}", psrc=get_if_addr("e0"))
answers, _ = srp(ask, iface="e0", timeout=1, multi=True)
print(*[answer[ARP].hwsrc for _, answer in answers])
"""


def who_has(net, address=VIP):
    return net.cl.run("/usr/bin/python3", "-c", WHO_HAS.format(address=address)).split()


def neighbour(net, address=VIP):
    """The MAC that the client takes for the address's."""
    rows = json.loads(net.cl.run("ip", "-j", "neigh", "show", "to", address) or "[]")
    return rows[0].get("lladdr") if rows else None


def strict(network):
    """As many hosts are set: what comes in by an interface is refused where its way back is another."""
    for host in (network.n1, network.n2):
        host.run("sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=1")
    return network


def macvlans(host):
    rows = json.loads(host.run("ip", "-j", "-d", "link"))
    return [row["ifname"] for row in rows if row.get("linkinfo", {}).get("info_kind") == "macvlan"]


def test_a_takeover_keeps_the_mac(net, weir_on):
    network = strict(net())
    pair = Pair(network, weir_on, file_of("virtual-mac"))
    assert who_has(network) == [MAC4]
    # A client that believes no announcement: only the switch has to learn.
    network.cl.run("ip", "neigh", "replace", VIP, "lladdr", MAC4, "dev", "e0", "nud", "permanent")
    probe = pair.probe()
    network.n1.cut()
    pair.b.wait("active")
    time.sleep(0.5)
    assert who_has(network) == [MAC4]
    network.n1.mend()
    pair.a.wait("active")
    pair.b.wait("backup")
    time.sleep(0.5)
    seen = probe.result()
    assert whole(seen, "n1", "n2", "n1"), seen
    assert seen["gap_ms"] < 3300, seen
    assert who_has(network) == [MAC4]


def test_planned_moves_with_the_mac(net, weir_on):
    """What the client has learnt stays, and both nodes' interfaces of the MAC come and go with weir."""
    network = strict(net())
    pair = Pair(network, weir_on, file_of("virtual-mac"))
    probe = pair.probe()
    assert neighbour(network) == MAC4
    assert len(macvlans(network.n1)) == len(macvlans(network.n2)) == 1
    assert pair.a.weir.stop() == 0
    pair.b.wait("active")
    assert macvlans(network.n1) == []
    time.sleep(0.3)
    assert neighbour(network) == MAC4
    pair.a.weir.start()
    pair.a.wait("active")
    pair.b.wait("backup")
    time.sleep(0.3)
    seen = probe.result()
    assert whole(seen, "n1", "n2", "n1"), seen
    assert neighbour(network) == MAC4


def test_the_interface_below_does_not_speak_for_the_address(net, weir_on):
    """It has to ask for its client's MAC before it can answer, and asks in its own name."""
    network = net()
    pair = Pair(network, weir_on, file_of("virtual-mac"))
    probe = pair.probe()
    assert neighbour(network) == MAC4
    capture = Capture(network.cl, network.folder, what="arp")
    for _ in range(5):
        network.n1.run("ip", "neigh", "flush", "dev", "e0")
        time.sleep(0.1)
    capture.stop()
    seen = probe.result()
    assert whole(seen, "n1"), seen
    asked = {tuple(row) for row in capture.rows("arp.src.proto_ipv4", "arp.src.hw_mac")}
    assert (network.n1.ip, network.n1.mac()) in asked, asked
    assert {mac for ip, mac in asked if ip == VIP} <= {MAC4}, asked
    assert neighbour(network) == MAC4


def test_the_mac_of_ipv6(net, weir_on):
    network = net()
    for host in (network.n1, network.n2):
        network.serve(host, VIP6)
    text = file_of("virtual-mac", addresses=f"{LINK6}/64 {VIP6}/64")
    one, other = (Node(weir_on(host, text, node=name), host, name)
                  for host, name in ((network.n1, "a"), (network.n2, "b")))
    one.wait("active")
    other.wait("backup")
    assert until(lambda: one.has(VIP6)) and not other.has(VIP6)
    probe = Probe(network.cl, VIP6)
    assert until(lambda: neighbour(network, VIP6) == MAC6), neighbour(network, VIP6)
    network.n1.cut()
    other.wait("active")
    time.sleep(0.5)
    seen = probe.result()
    assert whole(seen, "n1", "n2"), seen
    assert neighbour(network, VIP6) == MAC6


def test_what_an_earlier_life_has_left(net, weir_on):
    """Its interface is used again by who has the word, and removed by who has it no longer."""
    network = net()
    pair = Pair(network, weir_on, file_of("virtual-mac"))
    before = macvlans(network.n1)
    pair.a.kill_all()
    assert macvlans(network.n1) == before != []
    pair.a.weir.start()
    pair.a.wait("active")
    assert macvlans(network.n1) == before
    assert who_has(network) == [MAC4]
    pair.a.kill_all()
    pair.a.weir.write(file_of())
    pair.a.weir.start()
    assert until(lambda: macvlans(network.n1) == [])


def below(host):
    """What the interface below is like to ARP."""
    return tuple(int(host.run("sysctl", "-n", f"net.ipv4.conf.e0.{word}")) for word in ("arp_ignore", "arp_announce"))


def set_below(host, arp_ignore, arp_announce):
    host.run("sysctl", "-q", "-w", f"net.ipv4.conf.e0.arp_ignore={arp_ignore}",
             f"net.ipv4.conf.e0.arp_announce={arp_announce}")


CHANGED = (1, 2)
TWO = """
vip 10.77.0.101/24 on e0 { name other; id 52; prefer a; interval 100ms; virtual-mac }
"""


@pytest.mark.parametrize("former", [(0, 0), (2, 1)])
def test_the_interface_below_is_given_back(net, weir_on, former):
    """A stop, a word less, a vip less, and the death of all of weir with a start behind it: it is as it was."""
    network = net()
    for host in (network.n1, network.n2):
        set_below(host, *former)
    pair = Pair(network, weir_on, file_of("virtual-mac", rest=TWO))
    one = pair.a.weir
    assert below(network.n1) == below(network.n2) == CHANGED
    one.write(file_of("virtual-mac"))
    one.reload()
    assert until(lambda: len(macvlans(network.n1)) == 1)
    assert below(network.n1) == CHANGED  # the other one needs it still
    one.write(file_of("virtual-mac", rest=TWO))
    one.reload()
    assert until(lambda: len(macvlans(network.n1)) == 2)
    one.write(file_of())
    one.reload()
    assert until(lambda: below(network.n1) == former and macvlans(network.n1) == [])
    one.write(file_of("virtual-mac", rest=TWO))
    one.reload()
    assert until(lambda: below(network.n1) == CHANGED and len(macvlans(network.n1)) == 2)
    pair.a.kill_all()
    assert below(network.n1) == CHANGED
    one.start()
    pair.a.wait("active")
    assert below(network.n1) == CHANGED
    assert one.stop() == 0
    assert below(network.n1) == former and macvlans(network.n1) == []
    one.start()
    pair.a.wait("active")
    pair.a.kill_all()
    one.write(file_of())
    one.start()
    assert until(lambda: below(network.n1) == former and macvlans(network.n1) == [])
    one.write("nodes { a 10.77.0.1; b 10.77.0.2 }\n")
    pair.b.weir.write("nodes { a 10.77.0.1; b 10.77.0.2 }\n")
    pair.b.weir.reload()
    assert until(lambda: below(network.n2) == former and macvlans(network.n2) == [])


def test_what_the_operator_sets_meanwhile_stays(net, weir_on):
    network = net()
    pair = Pair(network, weir_on, file_of("virtual-mac"))
    set_below(network.n1, 1, 1)
    assert pair.a.weir.stop() == 0
    assert below(network.n1) == (0, 1)


def test_the_interface_below_goes_and_comes(net, weir_on):
    """Its macvlan goes with it: both come again, under other numbers."""
    network = net()
    pair = Pair(network, weir_on, file_of("virtual-mac"))
    network.n1.run("ip", "link", "del", "e0")
    pair.a.wait("down")
    pair.b.wait("active")
    assert macvlans(network.n1) == []
    network.n1.plug(0)
    pair.a.wait("active")
    pair.b.wait("backup")
    assert who_has(network) == [MAC4]


@pytest.mark.parametrize("ours,theirs", [(200, 100), (100, 200)])
def test_beside_keepalived(net, weir_on, tmp_path, ours, theirs):
    """keepalived's use_vmac has the same MAC: whoever has the address, the client sees one."""
    network = strict(net())
    for host in (network.n1, network.n2):
        network.serve(host, VIP)
    # weir sees to this itself; keepalived's host would ask for the client's MAC in the address's name, with its own.
    network.n2.run("sysctl", "-q", "-w", "net.ipv4.conf.all.arp_announce=2")
    keepalived = Keepalived(network.n2, tmp_path, keepalived_conf(
        network.n2, [f"{VIP}/24"], priority=theirs, interval=0.1, extra="use_vmac").replace(
            f"{VIP}/24 dev e0", f"{VIP}/24")).start()
    assert until(keepalived.state), keepalived.log()
    one = Node(weir_on(network.n1, file_of(f"virtual-mac\npriority {ours}", nodes=False)), network.n1, "a")
    is_ours = ours > theirs
    one.wait("active" if is_ours else "backup")
    assert until(lambda: keepalived.state() == ("BACKUP" if is_ours else "MASTER")), keepalived.log()
    probe = Probe(network.cl, VIP)
    assert until(lambda: neighbour(network) == MAC4)
    if is_ours:
        assert one.weir.stop() == 0
        assert until(lambda: keepalived.state() == "MASTER"), keepalived.log()
    else:
        term(keepalived)
        one.wait("active")
    time.sleep(0.5)
    seen = probe.result()
    assert whole(seen, *(("n1", "n2") if is_ours else ("n2", "n1"))), seen
    assert neighbour(network) == MAC4

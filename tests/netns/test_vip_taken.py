# SPDX-License-Identifier: Apache-2.0
"""What others do to an interface that has a floating address: somebody takes it away, or the interface's own."""
import json
import time

from vips import VIP, Pair, file_of, until, whole

OWN = "10.77.0.1/24"


def rows_of(host, interface="e0"):
    """Address -> whether it is the first one of its net, of IPv4."""
    rows = json.loads(host.run("ip", "-j", "-4", "addr", "show", "dev", interface))
    return {info["local"]: not info.get("secondary", False) for info in rows[0]["addr_info"]}


def test_who_loses_it_to_somebody_has_it_again_at_once(net, weir_on):
    """`ip addr flush`, or another program's idea of what belongs there: it is put back before clients notice."""
    pair = Pair(net(), weir_on, file_of(interval="4s"))  # renewed each 7 s
    probe = pair.probe()
    pair.net.n1.run("ip", "addr", "del", f"{VIP}/24", "dev", "e0")
    assert until(pair.a.has, timeout=2)
    time.sleep(0.3)
    seen = probe.result()
    assert whole(seen, "n1"), seen
    assert pair.b.state() == "backup"
    assert pair.a.metric("weir_vip_taken_total", vip="front") == 1
    pair.a.weir.wait_log("somebody else took an address from the interface")


def test_its_own_address_goes_and_comes(net, weir_on):
    """The kernel takes what is behind the first address of a net away with it."""
    network = net()
    pair = Pair(network, weir_on, file_of(interval="1s"))
    network.n1.run("ip", "addr", "del", OWN, "dev", "e0")
    network.n1.run("ip", "addr", "add", OWN, "dev", "e0")
    assert until(lambda: rows_of(network.n1) == {"10.77.0.1": True, VIP: False}), rows_of(network.n1)
    pair.a.weir.command("drain", "vip:front")
    assert until(lambda: rows_of(network.n1) == {"10.77.0.1": True}), rows_of(network.n1)


def test_the_nodes_own_address_outlives_it(net, weir_on):
    """Where the floating address came first, the own one is behind it, and must not go with it."""
    network = net()
    for host in (network.n1, network.n2):
        host.run("ip", "addr", "add", f"10.99.0.{host.number}/24", "dev", "e0")
    pair = Pair(network, weir_on, file_of())
    network.n1.run("ip", "addr", "del", OWN, "dev", "e0")
    assert until(pair.a.has)
    time.sleep(1.5)
    network.n1.run("ip", "addr", "add", OWN, "dev", "e0")
    pair.a.wait("active")
    assert until(lambda: rows_of(network.n1) == {"10.77.0.1": True, VIP: False, "10.99.0.1": True}), rows_of(network.n1)
    pair.a.weir.command("drain", "vip:front")
    assert until(lambda: not pair.a.has())
    assert rows_of(network.n1) == {"10.77.0.1": True, "10.99.0.1": True}

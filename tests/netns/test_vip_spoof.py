# SPDX-License-Identifier: Apache-2.0
"""Adverts that nobody should believe change nothing, and each is counted."""
import pytest
from vips import LINK6, VIP, VIP6, Pair, file_of, until

# the refusal that is counted -> how the advert is made by scapy on the client's host; those that no group could
# be found for are counted by their interface
SPOOFS = {
    "ttl": "vrrp(ttl=254)",
    "id": "vrrp(vrid=52)",
    "checksum": "vrrp(break_checksum=True)",
    "version": "raw(bytes([0x41, 51, 255, 1, 0, 10, 0, 0]) + vip)",
    "short": "raw(bytes([0x31, 51, 255]))",
    "type": "raw(bytes([0x32, 51, 255, 1, 0, 10, 0, 0]) + vip)",
    "count": "raw(bytes([0x31, 51, 255, 0, 0, 10, 0, 0]))",
    "other_version": "raw(v2())",
}

SCRIPT = """
import socket, struct
from scapy.all import Ether, IP, Raw, conf, get_if_hwaddr, sendp
conf.verb = 0
vip = socket.inet_aton("{vip}")

def sum16(data):
    data += b"\\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{{len(data) // 2}}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff

def payload(vrid=51, priority=255, break_checksum=False):
    body = bytes([0x31, vrid, priority, 1, 0, 10, 0, 0]) + vip
    pseudo = socket.inet_aton("{source}") + socket.inet_aton("224.0.0.18") + struct.pack("!BBH", 0, 112, len(body))
    value = sum16(pseudo + body) ^ (1 if break_checksum else 0)
    return body[:6] + struct.pack("!H", value) + body[8:]

def v2():
    body = bytes([0x21, 51, 255, 1, 0, 1, 0, 0]) + vip + bytes(8)
    return body[:6] + struct.pack("!H", sum16(body)) + body[8:]

def raw(data, ttl=255):
    return IP(src="{source}", dst="224.0.0.18", ttl=ttl, proto=112) / Raw(data)

def vrrp(ttl=255, **options):
    return raw(payload(**options), ttl)

to = "{mac}"
sendp([Ether(src=get_if_hwaddr("e0"), dst=to) / {what}] * 5, iface="e0")
"""


def spoof(net, what, mac="01:00:5e:00:00:12", source=None):
    net.cl.run("/usr/bin/python3", "-c", SCRIPT.format(vip=VIP, source=source or net.cl.ip, what=what, mac=mac))


def refused(node, *reasons):
    return sum(node.metric(name, reason=reason) for reason in reasons
               for name in ("weir_vip_refused_total", "weir_vrrp_refused_total"))


def test_spoofed_adverts(net, weir_on):
    pair = Pair(net(), weir_on, file_of())
    moves = pair.a.metric("weir_vip_moves_total")
    for name, what in SPOOFS.items():
        before = refused(pair.a, name)
        spoof(pair.net, what)
        assert until(lambda: refused(pair.a, name) >= before + 5), (name, before, pair.a.metrics())
    assert pair.a.state() == "active" and pair.a.has()
    assert pair.b.state() == "backup" and not pair.b.has()
    assert pair.a.metric("weir_vip_moves_total") == moves


@pytest.mark.parametrize("priority", [0, 255])
def test_unicast_believes_its_peers_alone(net, weir_on, priority):
    pair = Pair(net(), weir_on, file_of("unicast"))
    what = f'IP(src="{pair.net.cl.ip}", dst="10.77.0.1", ttl=255, proto=112) / Raw(payload(priority={priority}))'
    spoof(pair.net, what, pair.net.n1.mac())
    assert until(lambda: refused(pair.a, "peer") >= 5), pair.a.metrics()
    assert pair.a.state() == "active" and pair.a.has()


def test_unicast_and_the_ttl(net, weir_on):
    """From further away than the link nothing counts, even in a peer's name, unless the file says how far it may be."""
    pair = Pair(net(), weir_on, file_of("unicast"))
    other = pair.net.n2.ip
    what = f'IP(src="{other}", dst="10.77.0.1", ttl=64, proto=112) / Raw(payload(priority=255))'
    spoof(pair.net, what, pair.net.n1.mac(), other)
    assert until(lambda: refused(pair.a, "ttl") >= 5), pair.a.metrics()
    assert pair.a.state() == "active" and pair.a.has()
    pair.a.weir.write(file_of("unicast { ttl-min 64 }"))
    pair.a.weir.reload()
    moves = pair.a.metric("weir_vip_moves_total")
    spoof(pair.net, what, pair.net.n1.mac(), other)
    assert until(lambda: pair.a.metric("weir_vip_moves_total", reason="outranked") > 0), pair.a.metrics()
    pair.a.wait("active")  # the one that said so is heard no more
    assert pair.a.metric("weir_vip_moves_total") >= moves + 2
    assert refused(pair.a, "ttl") == 5
    spoof(pair.net, what.replace("ttl=64", "ttl=63"), pair.net.n1.mac(), other)
    assert until(lambda: refused(pair.a, "ttl") == 10)


# likewise over IPv6, where the sum is over the pseudo header too
SPOOFS6 = {
    "ttl": "vrrp(ttl=254)",
    "id": "vrrp(vrid=52)",
    "checksum": "vrrp(break_checksum=True)",
    "version": "raw(bytes([0x41, 51, 255, 2, 0, 10, 0, 0]) + vips)",
    "short": "raw(bytes([0x31, 51, 255]))",
    "type": "raw(bytes([0x32, 51, 255, 2, 0, 10, 0, 0]) + vips)",
    "count": "raw(bytes([0x31, 51, 255, 0, 0, 10, 0, 0]))",
}

SCRIPT6 = """
import socket, struct
from scapy.all import Ether, IPv6, Raw, conf, get_if_hwaddr, in6_chksum, sendp
conf.verb = 0
vips = b"".join(socket.inet_pton(socket.AF_INET6, one) for one in {vips})

def raw(data, ttl=255):
    return IPv6(src="{source}", dst="ff02::12", hlim=ttl, nh=112) / Raw(data)

def vrrp(vrid=51, priority=255, ttl=255, break_checksum=False):
    body = bytes([0x31, vrid, priority, 2, 0, 10, 0, 0]) + vips
    value = in6_chksum(112, IPv6(src="{source}", dst="ff02::12"), body) ^ (1 if break_checksum else 0)
    return raw(body[:6] + struct.pack("!H", value) + body[8:], ttl)

sendp([Ether(src=get_if_hwaddr("e0"), dst="33:33:00:00:00:12") / {what}] * 5, iface="e0")
"""


def spoof6(net, what):
    source = next(address for address in net.cl.addresses() if address.startswith("fe80:"))
    net.cl.run("/usr/bin/python3", "-c", SCRIPT6.format(vips=[LINK6, VIP6], source=source, what=what))


def test_spoofed_adverts_over_ipv6(net, weir_on):
    pair = Pair(net(), weir_on, file_of(addresses=f"{VIP}/24 {LINK6}/64 {VIP6}/64"))
    assert until(lambda: pair.a.has(VIP6) and not pair.b.has(VIP6))
    moves = pair.a.metric("weir_vip_moves_total")
    for name, what in SPOOFS6.items():
        before = refused(pair.a, name)
        spoof6(pair.net, what)
        assert until(lambda: refused(pair.a, name) >= before + 5), (name, before, pair.a.metrics())
    assert pair.a.metric("weir_vip_moves_total") == moves
    assert pair.a.state() == "active" and pair.a.has(VIP6) and pair.b.state() == "backup" and not pair.b.has(VIP6)
    # The same is believed where nothing is wrong with it, or the others would have shown nothing.
    spoof6(pair.net, "vrrp()")
    assert until(lambda: pair.a.metric("weir_vip_moves_total", reason="outranked") == 1), pair.a.metrics()

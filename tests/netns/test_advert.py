# SPDX-License-Identifier: Apache-2.0
"""What goes out of raw and packet sockets, held against keepalived and tshark."""
import json
import subprocess
import time

import net as netns
import pytest
from net import Capture, Keepalived, keepalived_conf, sh

from conftest import until

VIP = "10.77.0.100"
VIP6, LINK6 = "fd77::100", "fe80::100"


def link_local(host):
    return next(address for address in host.addresses() if address.startswith("fe80"))


class Speaker:
    """weir-advert on n1 beside a keepalived on n2 whose priority is 100."""

    def __init__(self, network, tmp_path, version, family, checksum, unicast):
        self.net = network
        self.addresses = [VIP] if family == 4 else [LINK6, VIP6]
        source, target = (network.n1.ip, network.n2.ip) if family == 4 else map(link_local, (network.n1, network.n2))
        self.source, self.target = source, target
        self.keepalived = Keepalived(network.n2, tmp_path, keepalived_conf(
            network.n2, self.addresses, priority=100, version=version, interval=1 if version == 2 else 0.1,
            peers=[source] if unicast else (), source=target if unicast else None)).start()
        assert until(lambda: self.keepalived.state() == "MASTER", timeout=30), self.keepalived.log()
        self.capture = Capture(network.n2, tmp_path)
        self.log = tmp_path / "heard"
        self.words = version, checksum, source, target if unicast else "group", *self.addresses

    def start(self, priority):
        self.process = self.net.n1.start(netns.APP_FOLDER / "weir-advert", "e0", 51, priority, *self.words,
                                         log=self.log, stdin=subprocess.PIPE)

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait() == 0, self.log.read_text()

    def heard(self):
        return [line.split() for line in self.log.read_text().splitlines()]

    def sent(self, **options):
        """Priority and verdict about the checksum, of each packet of ours."""
        self.capture.stop()
        field = "ip.src" if "." in self.source else "ipv6.src"
        return self.capture.rows("vrrp.prio", "vrrp.checksum.status", only=f"{field} == {self.source}", **options)


@pytest.mark.parametrize("version,family,unicast",
                         [(3, 4, False), (3, 6, False), (2, 4, True), (3, 6, True)])
def test_keepalived_believes_what_is_sent(net, tmp_path, version, family, unicast):
    speaker = Speaker(net(), tmp_path, version, family, "rfc5798", unicast)
    speaker.start(50)
    assert until(lambda: [speaker.target, "100", "fine"] in speaker.heard()), speaker.heard()
    speaker.stop()
    assert speaker.keepalived.state() == "MASTER"
    speaker.start(200)
    assert until(lambda: speaker.keepalived.state() == "BACKUP", timeout=30), speaker.keepalived.log()
    client, mac = speaker.net.cl, speaker.net.n1.mac()
    address = speaker.addresses[-1]
    # The frames move a neighbour that is known already.
    sh("ip", "-n", client.ns, "neigh", "replace", address, "lladdr", "02:00:00:00:00:99", "dev", "e0", "nud", "stale")
    assert until(lambda: mac in sh("ip", "-n", client.ns, "neigh", "show", address)), "the client was not told"
    speaker.stop()
    assert until(lambda: speaker.keepalived.state() == "MASTER", timeout=30), speaker.keepalived.log()
    rows = speaker.sent()
    assert {row[0] for row in rows} == {"50", "200", "0"}, rows
    assert {row[1] for row in rows} == {"1"}, rows
    assert {line[2] for line in speaker.heard()} == {"fine"}, speaker.heard()
    assert "nvalid" not in speaker.keepalived.log(), speaker.keepalived.log()


def test_the_newer_checksum_is_the_one_of_its_rfc(net, tmp_path):
    """tshark finds it good when told which form to expect; keepalived of Debian does not know it."""
    speaker = Speaker(net(), tmp_path, 3, 4, "rfc9568", False)
    speaker.start(200)
    assert until(lambda: "nvalid VRRPv3 checksum" in speaker.keepalived.log(), timeout=30), speaker.keepalived.log()
    assert speaker.keepalived.state() == "MASTER"
    time.sleep(1)  # the capture may begin later than the first of them
    speaker.stop()
    rows = speaker.sent(rfc9568=True)
    assert {row[1] for row in rows} == {"1"}, rows


def test_frames_are_well_formed(net, tmp_path):
    network = net()
    capture = Capture(network.cl, tmp_path, what="arp or icmp6")
    for source, addresses in ((network.n1.ip, [VIP]), (link_local(network.n1), [LINK6, VIP6])):
        process = network.n1.start(netns.APP_FOLDER / "weir-advert", "e0", 51, 200, 3, "rfc5798", source, "group",
                                   *addresses, stdin=subprocess.PIPE)
        process.stdin.close()
        assert process.wait() == 0
    capture.stop()
    arps = capture.rows("arp.src.proto_ipv4", "arp.src.hw_mac", "eth.dst", only="arp.isgratuitous")
    assert arps == [[VIP, network.n1.mac(), "ff:ff:ff:ff:ff:ff"]], json.dumps(arps)
    told = capture.rows("icmpv6.nd.na.target_address", "icmpv6.nd.na.flag.o", "icmpv6.nd.na.flag.s",
                        "icmpv6.opt.linkaddr", "icmpv6.checksum.status", "ipv6.hlim",
                        only="icmpv6.type == 136 && ipv6.dst == ff02::1")
    told = [row for row in told if row[0] in (LINK6, VIP6)]
    assert told == [[address, "1", "0", network.n1.mac(), "1", "255"] for address in (LINK6, VIP6)], json.dumps(told)

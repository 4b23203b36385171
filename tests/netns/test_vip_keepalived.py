# SPDX-License-Identifier: Apache-2.0
"""weir beside keepalived of Debian, both ways round."""
import time

import pytest
from vips import LINK6, VIP, VIP6, Capture, Keepalived, Node, Probe, file_of, keepalived_conf, term, until, whole

# version, family, unicast
MATRIX = [(3, 4, False), (3, 6, False), (2, 4, False), (3, 4, True), (3, 6, True), (2, 4, True)]


def addresses_of(family):
    """First the one that is asked."""
    return [f"{VIP}/24"] if family == 4 else [f"{LINK6}/64", f"{VIP6}/64"]


def words_of(family):
    """Over IPv6 keepalived sends to single peers with a hop limit of 64, which is refused unless one is told."""
    return "ttl-min 64" if family == 6 else ""


def link_local(host):
    return next(address for address in host.addresses() if address.startswith("fe80") and address != LINK6)


class Beside:
    """weir on n1 and keepalived on n2, with these priorities."""

    def __init__(self, network, weir_on, tmp_path, version=3, family=4, unicast=False, ours=200, theirs=100,
                 interval="1s", words="", seconds=1, extra=""):
        self.net = network
        self.address = VIP if family == 4 else VIP6
        source, target = (network.n1.ip, network.n2.ip) if family == 4 else map(link_local, (network.n1, network.n2))
        for host in (network.n1, network.n2):
            network.serve(host, self.address)
        unicast_words = f"unicast {target} {{ {words_of(family)} }}" if unicast else ""
        text = file_of(f"priority {ours}\nversion {version}\n{words}\n{unicast_words}",
                       interval=interval, nodes=False, addresses=" ".join(addresses_of(family)))
        self.keepalived = Keepalived(network.n2, tmp_path, keepalived_conf(
            network.n2, addresses_of(family), priority=theirs, version=version, interval=seconds,
            peers=[source] if unicast else (), source=target if unicast else None, extra=extra))
        self.keepalived.start()
        # Its first state is said when it has read its file.
        assert until(lambda: self.keepalived.state()), self.keepalived.log()
        self.capture = Capture(network.n2, tmp_path)
        self.weir = Node(weir_on(network.n1, text), network.n1, "a")

    def probe(self):
        probe = Probe(self.net.cl, self.address)
        time.sleep(0.3)
        return probe

    def wait_theirs(self, state):
        assert until(lambda: self.keepalived.state() == state, timeout=30), self.keepalived.log()

    def checksums(self):
        self.capture.stop()
        return {row[0] for row in self.capture.rows("vrrp.checksum.status")}


@pytest.mark.parametrize("version,family,unicast", MATRIX)
def test_election_by_priority_and_a_goodbye(net, weir_on, tmp_path, version, family, unicast):
    """The higher priority takes the address from a keepalived that has it, and gives it back when it stops."""
    pair = Beside(net(), weir_on, tmp_path, version, family, unicast)
    pair.weir.wait("active")
    pair.wait_theirs("BACKUP")
    assert until(lambda: pair.weir.has(pair.address))
    probe = pair.probe()
    assert pair.weir.weir.stop() == 0
    pair.wait_theirs("MASTER")
    time.sleep(0.3)
    seen = probe.result()
    assert whole(seen, "n1", "n2"), seen
    assert not pair.weir.has(pair.address)
    assert pair.checksums() == {"1"}
    assert "nvalid" not in pair.keepalived.log(), pair.keepalived.log()


@pytest.mark.parametrize("version,family,unicast", [(3, 4, False), (3, 6, False)])
def test_weir_takes_over_from_keepalived(net, weir_on, tmp_path, version, family, unicast):
    pair = Beside(net(), weir_on, tmp_path, version, family, unicast, ours=100, theirs=200)
    pair.wait_theirs("MASTER")
    pair.weir.wait("backup")
    probe = pair.probe()
    term(pair.keepalived)
    pair.weir.wait("active")
    time.sleep(0.3)
    seen = probe.result()
    assert whole(seen, "n2", "n1"), seen
    assert pair.checksums() == {"1"}


def test_election_by_address(net, weir_on, tmp_path):
    """Of two with one priority the higher address stays: keepalived's, and then weir's on the other host."""
    pair = Beside(net(), weir_on, tmp_path, ours=150, theirs=150, interval="100ms", seconds=0.1)
    pair.wait_theirs("MASTER")
    pair.weir.wait("backup")
    pair.net.n2.part()
    pair.weir.wait("active")
    pair.net.n2.join()
    pair.weir.wait("backup")
    pair.wait_theirs("MASTER")


def test_link_down_and_kill(net, weir_on, tmp_path):
    pair = Beside(net(), weir_on, tmp_path, interval="100ms", seconds=0.1)
    pair.weir.wait("active")
    pair.net.n1.cut()
    pair.wait_theirs("MASTER")
    pair.net.n1.mend()
    pair.weir.wait("active")
    pair.wait_theirs("BACKUP")
    pair.weir.kill_all()
    pair.wait_theirs("MASTER")
    pair.keepalived.kill()
    pair.weir.weir.start()
    pair.weir.wait("active")


def test_the_checksum_of_rfc_9568(net, weir_on, tmp_path):
    """Read in both forms; sent in the other one by a word, which keepalived of Debian refuses and says so."""
    pair = Beside(net(), weir_on, tmp_path, words="checksum rfc9568", interval="100ms", seconds=0.1)
    assert until(lambda: "nvalid" in pair.keepalived.log()), pair.keepalived.log()
    time.sleep(1)
    pair.capture.stop()
    rows = pair.capture.rows("ip.src", "vrrp.checksum.status", rfc9568=True)
    assert {row[1] for row in rows if row[0] == pair.net.n1.ip} == {"1"}, rows

# SPDX-License-Identifier: Apache-2.0
"""A node that sleeps as a whole, like a virtual machine that is moved or a laptop that is shut: it has lost."""
import os
import pathlib
import signal
import time

import conftest
import pytest
from vips import VIP, Capture, Pair, file_of, secret_file, until, whole


def all_of(node):
    """The supervisor first, which looks after the others."""
    return [node.weir.process.pid, *node.weir.pids().values()]


def moves_of(node):
    """What its log says that the address did: (state, why)."""
    return [tuple(line.split(" is ", 1)[1].split(" vip=")[0].split(" on e0: "))
            for line in node.weir.log().splitlines() if "vip:front (IPv4) is " in line]


class Sleep:
    """All of the Active's processes stop and go on; a client asks meanwhile, and hears who announces the address."""

    def __init__(self, network, weir_on, tmp_path, words, seconds):
        peer = f"secret-file {secret_file(tmp_path)}\npeer 10.77.0.0/24 port 7900"
        self.pair = Pair(network, weir_on, file_of(words, peer=peer))
        a, b = self.pair.a, self.pair.b
        for node, other in ((a, "b"), (b, "a")):
            node.weir.wait_fact(f"peer:{other}", "up")
        self.pids, self.before = all_of(a), len(moves_of(a))
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)
        b.wait("active")
        time.sleep(seconds)
        self.arp = Capture(network.cl, network.folder, what=f"arp[14:4] = arp[24:4] and arp src {VIP}")
        self.probe = self.pair.probe()
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)

    def moves(self):
        """Those of the node that slept, since it woke up."""
        return moves_of(self.pair.a)[self.before:]

    def end(self):
        seen = self.probe.result()
        self.arp.stop()
        return seen, [row[0] for row in self.arp.rows("arp.src.hw_mac")]


SLEPT = ("backup", "it slept longer than its peers wait")
BETTER = ("active", "b (10.77.0.2) was Active with priority 253, which is below 254")


@pytest.mark.parametrize("seconds", [0.3, 12])  # its address is there still; and is not
def test_who_slept_has_lost(net, weir_on, tmp_path, seconds):
    network = net()
    sleep = Sleep(network, weir_on, tmp_path, "no-preempt", seconds)
    pair = sleep.pair
    assert until(lambda: pair.a.state() == "backup")
    time.sleep(2)
    seen, announced = sleep.end()
    assert sleep.moves() == [SLEPT], pair.a.weir.log()
    assert pair.b.state() == "active" and pair.b.has() and not pair.a.has()
    assert whole(seen, "n2"), seen
    assert seen["gap_ms"] < 1000, seen
    assert network.n1.mac() not in announced, announced
    assert all_of(pair.a) == sleep.pids, pair.a.weir.log()  # nobody took the sleep of all for the death of one
    assert pair.b.metric("weir_vip_moves_total") == 2  # it started, and took over


def test_who_slept_asks_before_it_comes_back(net, weir_on, tmp_path):
    network = net()
    sleep = Sleep(network, weir_on, tmp_path, "", 3)
    pair = sleep.pair
    pair.a.wait("active")
    pair.b.wait("backup")
    time.sleep(1)
    seen, _ = sleep.end()
    assert sleep.moves() == [SLEPT, BETTER], pair.a.weir.log()
    assert whole(seen, "n2", "n1"), seen
    assert seen["gap_ms"] < 1000, seen


DOZE_SIGNAL = 40  # of tests/apps/doze.c


def test_a_suspended_machine_has_lost_it(net, weir_on, tmp_path, monkeypatch):
    """Its timers have not gone on meanwhile, so that only the clock tells: it listens before it serves again."""
    system = conftest._system
    monkeypatch.setattr(system, "WEIR", str(pathlib.Path(system.WEIR).parent / "weir-doze"))
    peer = f"secret-file {secret_file(tmp_path)}\npeer 10.77.0.0/24 port 7900"
    pair = Pair(net(), weir_on, file_of(peer=peer))
    a = pair.a
    a.weir.wait_fact("peer:b", "up")
    before, pids = len(moves_of(a)), all_of(a)
    for pid in pids:
        os.kill(pid, DOZE_SIGNAL)
    assert until(lambda: len(moves_of(a)) >= before + 2), a.weir.log()
    a.wait("active")
    assert moves_of(a)[before:before + 1] == [SLEPT], a.weir.log()
    a.weir.wait_fact("peer:b", "up")
    assert pair.a.has() and not pair.b.has()
    assert all_of(a) == pids, a.weir.log()

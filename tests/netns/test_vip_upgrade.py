# SPDX-License-Identifier: Apache-2.0
"""An upgrade of the node that has the address, and then of the other: nothing moves, and they know each other still."""
import os
import pathlib
import time

from vips import Pair, file_of, secret_file, whole

from conftest import WEIR, until

NEXT = os.environ.get("WEIR_NEXT", str(pathlib.Path(WEIR).parent / "weir-next"))


def peer_of(node):
    fact = node.fact("peer:b" if node.name == "a" else "peer:a")
    return fact.get("state"), fact.get("since")


def believed(node):
    return node.metric("weir_peer_received_total", outcome="news")


def test_an_upgrade_moves_nothing(net, weir_on, tmp_path):
    text = file_of("", peer=f"secret-file {secret_file(tmp_path)}\npeer 10.77.0.0/24 port 7900")
    pair = Pair(net(), weir_on, text)
    for node, other in ((pair.a, "b"), (pair.b, "a")):
        node.weir.wait_fact(f"peer:{other}", "up")
    before = {node.name: peer_of(node) for node in (pair.a, pair.b)}
    probe = pair.probe()
    for node, binary in ((pair.a, NEXT), (pair.b, NEXT), (pair.a, WEIR)):
        pids = node.weir.pids()
        node.weir.command("upgrade", str(binary), timeout=120)
        assert until(lambda node=node, pids=pids: node.weir.pids().get("vip") not in (None, pids["vip"]))
        assert until(lambda node=node, pids=pids: not {pids["vip"], pids["peer"]} & set(node.weir.pids().values()))
        n = believed(node)
        assert until(lambda node=node, n=n: believed(node) > n + 5), node.metrics()
        # Longer than three beats or adverts: who had been silent would have been missed by now.
        time.sleep(1)
        assert {one.name: peer_of(one) for one in (pair.a, pair.b)} == before, node.weir.log()
    seen = probe.result()
    assert whole(seen, "n1"), seen
    assert seen["gap_ms"] < 500, seen
    assert pair.a.state() == "active" and pair.b.state() == "backup"
    assert pair.a.has() and not pair.b.has()

# SPDX-License-Identifier: Apache-2.0
"""Two edges with pools behind one address, all of weir on the Active dies, or its host does: how long until the first
new client is served, and where the time goes. Each table is printed (pytest -s, or the log of a failure)."""
import datetime
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import time

import pytest
from vips import VIP, App, Capture, Node, secret_file, until

RUNS = int(os.environ.get("WEIR_VIP_RUNS", "20"))
NEWCOMERS = pathlib.Path(__file__).resolve().parent.parent / "netns" / "newcomers.py"
EVERY_MS = 5
STEPS = ("takes over", "announces", "connects", "answers")

TEXT = """
nodes {{ a 10.77.0.1; b 10.77.0.2 }}
secret-file {secret}
peer 10.77.0.0/24 port 7900
listen shop http {bind}:80 {{ route pool web }}
pool web {{ check http path / expect 200; member m1 10.77.0.3:8080 }}
vip {vip}/24 on e0 {{ name front; id 51; prefer a; interval {interval} }}
"""


def spread(values):
    return f"median {statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f}), {len(values)} runs"


def took_over(node, since):
    """When its log says so."""
    for line in reversed(node.weir.log().splitlines()):
        if "vip:front (IPv4) is active" in line:
            at = datetime.datetime.fromisoformat(re.match(r"\S+Z", line)[0].replace("Z", "+00:00")).timestamp()
            return at if at >= since - 0.002 else None
    return None


class Edges:
    def __init__(self, network, weir_on, tmp_path, interval, bind):
        self.net = network
        self.app = App(network.m1)
        text = TEXT.format(secret=secret_file(tmp_path), vip=VIP, interval=interval, bind=bind)
        self.a, self.b = (Node(weir_on(host, text, node=name), host, name)
                          for host, name in ((network.n1, "a"), (network.n2, "b")))
        self.ready()

    def is_calm(self):
        return (all(node.fact()["value"] == 0 for node in (self.a, self.b)) and self.a.has() and not self.b.has())

    def ready(self):
        """And stays so: a check that began while a cable was out ends when it is in again."""
        while True:
            self.look()
            time.sleep(3)
            if self.is_calm():
                return

    def look(self):
        self.a.wait("active")
        self.b.wait("backup")
        for node, other in ((self.a, "b"), (self.b, "a")):
            node.weir.wait_fact("pool:web", "up")
            node.weir.wait_fact(f"peer:{other}", "up")
        assert until(self.is_calm, timeout=60)

    def lose(self, way):
        """One death, seen by newcomers: ms from it to each step, and what became of those who came before the last."""
        arp = Capture(self.net.cl, self.net.folder, what=f"arp[14:4] = arp[24:4] and arp src {VIP}")
        clients = self.net.cl.start("/usr/bin/python3", NEWCOMERS, VIP, 80, EVERY_MS, stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, text=True)
        time.sleep(1.5 + random.uniform(0, 1))  # anywhere between two advertisements
        assert self.b.state() == "backup", self.a.weir.log() + self.b.weir.log()
        died = time.time()
        if way == "killed":
            self.a.kill_all()
        else:
            self.net.n1.cut()
        self.b.wait("active")
        time.sleep(0.5)
        seen = json.loads(clients.communicate()[0])
        arp.stop()
        told = [float(row[0]) for row in arp.rows("frame.time_epoch", "arp.src.hw_mac")
                if row[1] == self.net.n2.mac() and float(row[0]) > died]
        assert told, (died, arp.rows("frame.time_epoch", "arp.src.hw_mac"), self.net.n2.mac(), self.b.weir.log())
        late = [one for one in seen if one["came"] > died]
        assert took_over(self.b, died), (died, self.b.weir.log())
        first = min((one for one in late if one["answered"] and one["answered"] > min(told)),
                    key=lambda one: one["answered"])
        steps = dict(zip(STEPS, (took_over(self.b, died), min(told), first["connected"], first["answered"])))
        over = [one for one in late if one["came"] > steps["announces"] + 0.001]
        return ({name: (at - died) * 1000 for name, at in steps.items()},
                [one for one in late if one not in over], over)


@pytest.mark.parametrize("way,interval,bind", [("killed", "1s", "0.0.0.0"), ("killed", "1s", VIP),
                                               ("cut", "1s", "0.0.0.0"), ("killed", "100ms", "0.0.0.0"),
                                               ("cut", "100ms", "0.0.0.0")])
def test_the_first_newcomer(net, weir_on, tmp_path, way, interval, bind):
    edges = Edges(net(names=("n1", "n2", "m1")), weir_on, tmp_path, interval, bind)
    runs, refused, waited, failed = [], [], [], []
    for _ in range(RUNS):
        steps, between, over = edges.lose(way)
        runs.append(steps)
        refused.append(sum(not one["answered"] for one in between))
        waited += [one["answered"] - one["came"] for one in between if one["answered"]]
        failed += [one for one in over if not one["answered"] or one["answered"] - one["came"] > 2]
        if way == "killed":
            edges.a.weir.start()
        else:
            edges.net.n1.mend()
        edges.ready()
    print(f"\n{way}, adverts each {interval}, listening at {bind}, ms from the death:", file=sys.stderr)
    for name in STEPS:
        print(f"  {name:12} {spread([run[name] for run in runs])}", file=sys.stderr)
    print(f"  of that behind the takeover: {spread([run['answers'] - run['takes over'] for run in runs])}; "
          f"newcomers before it that failed, a run: {statistics.median(refused)}; of those that waited the longest: "
          f"{max(waited, default=0):.2f} s; later ones that failed or waited: {len(failed)}",
          file=sys.stderr, flush=True)
    assert not failed, failed[:3]

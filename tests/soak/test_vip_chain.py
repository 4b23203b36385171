# SPDX-License-Identifier: Apache-2.0
"""The whole chain: clients, a floating address (or two addresses in DNS), two edges, three members.

Under load, one thing after another is killed and comes back: members, processes of weir, cables, a whole edge. What
the clients saw is counted for each, and printed. A client asks once more where its connection broke, as browsers do;
what fails for good is a failure."""
import collections
import json
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from vips import VIP, App, Node, secret_file, until

LOAD = pathlib.Path(__file__).resolve().parent.parent / "netns" / "load.py"
THREADS = 16
TAKEOVER_S = 1  # three advertisements of 100 ms, and some for a busy machine

TEXT = """
nodes {{ a 10.77.0.1; b 10.77.0.2 }}
secret-file {secret}
peer 10.77.0.0/24 port 7900
pool web {{
    check http path / expect 200 every 200ms fall 2 rise 2
    member m1 10.77.0.3:8080
    member m2 10.77.0.4:8080
    member m3 10.77.0.5:8080
}}
listen shop http 0.0.0.0:80 {{ route pool web }}
vip {vip}/24 on e0 {{ name front; id 51; prefer a; interval 100ms }}
pool edges {{
    member a 10.77.0.1:80
    member b 10.77.0.2:80
    check http path / expect 200 every 200ms fall 2 rise 2
}}
dns 0.0.0.0:53 name all
zone example.org {{
    soa ns1 hostmaster
    ns  ns1 10.77.0.1
    ns  ns2 10.77.0.2
    record www A pool edges healthy ttl 1s
}}
"""


class Load:
    def __init__(self, host, *words):
        self.process = host.start("/usr/bin/python3", LOAD, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True)
        self.last = {"requests": 0, "first": {}, "final": {}, "failed_at": []}

    def look(self, note):
        """What was seen since the last look."""
        self.process.stdin.write(note + "\n")
        self.process.stdin.flush()
        now = json.loads(self.process.stdout.readline())
        seen = {"requests": now["requests"] - self.last["requests"], "longest_s": now["longest_s"],
                "spent": now["spent"], "failed_at": now["failed_at"][len(self.last["failed_at"]):]}
        for key in ("first", "final"):
            seen[key] = dict(collections.Counter(now[key]) - collections.Counter(self.last[key]))
        self.last = now
        print(f"{note:34} {seen['requests']:6} requests, first tries that failed {seen['first'] or 'none'}, "
              f"for good {seen['final'] or 'none'}, longest {seen['longest_s']} s "
              f"({', '.join(seen['spent'])})", file=sys.stderr, flush=True)
        return seen

    def end(self):
        self.process.stdin.close()
        self.process.wait()


@pytest.mark.parametrize("way", ["vip", "dns"])
def test_everything_dies_once(net, weir_on, tmp_path, way):
    network = net(names=("n1", "n2", "m1", "m2", "m3"))
    members = [App(network.hosts[name]) for name in ("m1", "m2", "m3")]
    text = TEXT.format(secret=secret_file(tmp_path), vip=VIP)
    a, b = (Node(weir_on(host, text, node=name), host, name) for host, name in ((network.n1, "a"), (network.n2, "b")))
    a.wait("active")
    for node in (a, b):
        node.weir.wait_fact("pool:web", "up")
        node.weir.wait_fact("pool:edges", "up")
    words = ("vip", VIP, 80, THREADS) if way == "vip" else ("dns", "www.example.org", 80, THREADS, "10.77.0.1",
                                                            "10.77.0.2")
    load = Load(network.cl, *words)
    time.sleep(2)
    print(f"\nthe chain by {way}", file=sys.stderr)
    seen = {"calm": load.look("nothing")}
    for member in members:
        member.kill()
        time.sleep(2)
        member.start()
        time.sleep(2)
        seen[f"member {member.host.name}"] = load.look(f"kill member {member.host.name}")
    for kind in ("health", "vip", "peer", "dns", "admin", "edge"):
        a.weir.kill(kind, signal.SIGKILL)
        assert a.weir.wait_back(kind)
        time.sleep(2)
        seen[kind] = load.look(f"kill -9 {kind} of the Active")
    network.m2.cut()
    time.sleep(3)
    network.m2.mend()
    time.sleep(2)
    seen["cable of a member"] = load.look("cable of a member out and in")
    network.n1.cut()
    b.wait("active")
    time.sleep(3)
    network.n1.mend()
    a.wait("active")
    time.sleep(3)
    seen["cable"] = load.look("cable of the Active out and in")
    killed = time.time()
    a.kill_all()
    b.wait("active")
    time.sleep(3)
    a.weir.start()
    a.wait("active")
    time.sleep(3)
    seen["edge"] = load.look("kill -9 the whole edge, and back")
    assert a.weir.stop() == 0
    b.wait("active")
    time.sleep(2)
    a.weir.start()
    a.wait("active")
    time.sleep(2)
    seen["stop"] = load.look("stop of the Active, and back")
    load.end()
    quiet = ["calm", *(f"member {member.host.name}" for member in members), "health", "vip", "peer", "admin",
             "cable of a member"]
    for name in quiet:
        assert not seen[name]["first"], (name, seen[name])
    # The kernel of a dead node refuses until the other node takes over: who asks twice at once is refused twice.
    assert not any(one["final"] for name, one in seen.items() if name != "edge"), seen
    assert all(failed_at - killed < TAKEOVER_S for failed_at in seen["edge"]["failed_at"]), (killed, seen["edge"])
    assert until(lambda: a.state() == "active")
    assert all(one["longest_s"] < 10 for one in seen.values()), seen

# SPDX-License-Identifier: Apache-2.0
"""What the operator does with a floating address, what a node lacks for it, and the programs that are told."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from vips import VIP, App, Node, secret_file, until

FILE = """
nodes { a 10.77.0.1; b 10.77.0.2 }
listen shop http 0.0.0.0:8080 { route pool web }
pool web { check tcp every 100ms fall 2 rise 2; member app 127.0.0.1:9090 }
vip 10.77.0.100/24 on e0 { name front; id 51; prefer a; interval 100ms; %s }
"""

# The lock is the program's alone: what it started is killed with it, and may be gone a moment later.
HOOK = """#!/bin/sh
exec 9>>%(folder)s/lock.$WEIR_NODE
flock -n 9 || echo overlap >> %(folder)s/$WEIR_NODE
echo "begin $WEIR_VIP $WEIR_STATE $WEIR_ADDRESSES $WEIR_INTERFACE" >> %(folder)s/$WEIR_NODE
sleep 0.3 9>&-
echo "end $WEIR_STATE" >> %(folder)s/$WEIR_NODE
"""


@pytest.fixture
def pair(net, weir_on):
    def make(words=""):
        network = net()
        network.apps = [App(host, 9090, "127.0.0.1") for host in (network.n1, network.n2)]
        nodes = [weir_on(host, FILE % words, node=name) for host, name in ((network.n1, "a"), (network.n2, "b"))]
        assert until(lambda: network.n1.has(VIP) and not network.n2.has(VIP)), nodes[0].log()
        return network, nodes

    return make


@pytest.fixture
def folder():
    """One that programs of the unprivileged user reach and write."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="weir-hook-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


def lacks(one):
    answer = json.loads(one.command("explain", "vip", "front", "--json").stdout)
    return {need["needs"]: need["lowers"] for need in answer["vips"][0]["needs"] if need["lacks"]}


def test_a_drain_moves_it_and_is_kept(pair):
    network, (one, _) = pair()
    done = one.command("drain", "vip:front")
    assert "vip:front is drained" in done.stdout
    said = one.command("explain", "vip").stdout
    assert "\n  id 51, version 3, advertised each 100ms to 224.0.0.18\n  priority 1 while it is drained\n" in said, said
    assert re.search(r"^vip front 10.77.0.100/24 on e0: drained since \S+Z, drained by the operator$", said, re.M), said
    assert network.n2.has(VIP) and not network.n1.has(VIP)
    one.command("undrain", "vip:front")
    assert until(lambda: network.n1.has(VIP) and not network.n2.has(VIP))
    one.command("drain", "node:a")
    assert until(lambda: network.n2.has(VIP) and not network.n1.has(VIP))
    assert "drain:node/a" in one.facts()
    one.stop()
    one.start()
    assert "drain:node/a" in one.facts()
    time.sleep(1)
    assert network.n2.has(VIP) and not network.n1.has(VIP)
    one.command("undrain", "a")
    assert until(lambda: network.n1.has(VIP))


def test_a_request_under_way_is_answered(pair):
    """The address moves while the member still works at it."""
    network, (one, _) = pair()
    assert until(lambda: lacks(one) == {})
    for order, has_it in (("drain", network.n2), ("undrain", network.n1)):
        ask = network.cl.start("curl", "-s", "-m", "20", "-w", " %{http_code}", f"http://{VIP}:8080/slow/1500",
                               stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        one.command(order, "vip:front", *(["--no-wait"] if order == "drain" else []))
        assert until(lambda: has_it.has(VIP))
        said, _ = ask.communicate()
        assert said.endswith(" 200"), (order, said)


def test_a_listen_at_the_address_itself(net, weir_on):
    """Both nodes have it, and the one that has the address is asked."""
    network = net()
    text = FILE.replace("0.0.0.0:8080", f"{VIP}:8080") % ""
    for host in (network.n1, network.n2):
        App(host, 9090, "127.0.0.1")
    one, _ = (weir_on(host, text, node=name) for host, name in ((network.n1, "a"), (network.n2, "b")))
    for order, has_it in ((None, network.n1), ("drain", network.n2)):
        if order:
            one.command(order, "vip:front")
        assert until(lambda: has_it.has(VIP))
        said = network.cl.run("curl", "-s", "-m", "20", "--retry", "5", "--retry-all-errors", f"http://{VIP}:8080/")
        assert has_it.name in said, said


def test_a_node_that_lacks_its_pool_loses_it(pair):
    network, (one, other) = pair()
    assert until(lambda: lacks(one) == lacks(other) == {} and network.n1.has(VIP))
    network.apps[0].kill()
    assert until(lambda: network.n2.has(VIP) and not network.n1.has(VIP)), one.log()
    assert lacks(one) == {"pool:web": 30}
    assert "lacks" in one.command("explain", "vip").stdout


def moves(*nodes):
    return [Node(one, None, name).metric("weir_vip_moves_total") for one, name in zip(nodes, "ab")]


SHARED = """
secret-file {secret}
peer 10.77.0.0/24 port 7900
nodes {{ a 10.77.0.1; b 10.77.0.2 }}
listen shop http 0.0.0.0:8080 {{ route pool web }}
pool web {{ check tcp every 3s fall 3; member app 10.77.0.9:9090 }}
vip 10.77.0.100/24 on e0 {{ name front; id 51; prefer a; interval 100ms }}
"""


def test_the_other_node_looks_at_once(net, weir_on, tmp_path):
    """The node that is asked finds the member dead long before the checks of the other would; nothing moves for it."""
    network = net()
    app = App(network.cl, 9090)
    text = SHARED.format(secret=secret_file(tmp_path))
    one, other = (weir_on(host, text, node=name) for host, name in ((network.n1, "a"), (network.n2, "b")))
    for weir, node in ((one, "b"), (other, "a")):
        weir.wait_fact(f"at:{node}/pool:web", "up")
    assert until(lambda: lacks(one) == lacks(other) == {} and network.n1.has(VIP))
    before = moves(one, other)
    app.kill()
    network.cl.run("curl", "-s", "-m", "5", f"http://{VIP}:8080/")
    other.wait_fact("at:a/pool:web", "down")
    found = time.monotonic()
    other.wait_fact("pool:web", "down")
    assert time.monotonic() - found < 6  # three checks each 3 s, from anywhere between two, take 6 to 9 s
    time.sleep(2)
    assert lacks(one) == lacks(other) == {"pool:web": 30}
    assert moves(one, other) == before and network.n1.has(VIP), one.log()


def test_both_pools_down_moves_nothing(pair):
    network, (one, other) = pair()
    assert until(lambda: lacks(one) == lacks(other) == {} and network.n1.has(VIP))
    before = moves(one, other)
    for app, node in zip(reversed(network.apps), (other, one)):
        app.kill()
        assert until(lambda: lacks(node) == {"pool:web": 30})
    time.sleep(2)
    assert moves(one, other) == before and network.n1.has(VIP), one.log()
    # It goes to who is better off, and stays there when that is so no longer.
    network.apps[1].start()
    assert until(lambda: network.n2.has(VIP) and not network.n1.has(VIP)), one.log()
    before = moves(one, other)
    network.apps[1].kill()
    assert until(lambda: lacks(other) == {"pool:web": 30})
    time.sleep(2)
    assert moves(one, other) == before and network.n2.has(VIP), other.log()


def test_a_death_that_is_mended_moves_nothing(pair):
    network, (one, other) = pair()
    assert until(lambda: lacks(one) == lacks(other) == {} and network.n1.has(VIP))
    before = moves(one, other)
    for _ in range(2):
        one.kill("edge", signal.SIGKILL)
        assert one.wait_back("edge")
        time.sleep(1.5)
    assert moves(one, other) == before, one.log()
    assert network.n1.has(VIP) and not network.n2.has(VIP)
    # One that hangs is not mended by itself.
    pid = one.pid("edge")
    os.kill(pid, signal.SIGSTOP)
    assert until(lambda: network.n2.has(VIP) and not network.n1.has(VIP)), one.log()
    os.kill(pid, signal.SIGCONT)
    assert until(lambda: network.n1.has(VIP) and not network.n2.has(VIP)), one.log()


def test_a_full_disk_loses_it(pair):
    network, (one, other) = pair()
    assert until(lambda: lacks(one) == lacks(other) == {} and network.n1.has(VIP))
    one.write(FILE % "" + "state-room 900000G\n")
    one.reload()
    assert until(lambda: network.n2.has(VIP) and not network.n1.has(VIP)), one.log()
    assert lacks(one) == {"disk:state": 20}
    one.write(FILE % "")
    one.reload()
    assert until(lambda: network.n1.has(VIP) and not network.n2.has(VIP)), one.log()


def test_hooks_run_one_at_a_time(pair, folder):
    script = folder / "hook"
    script.write_text(HOOK % {"folder": folder})
    script.chmod(0o755)
    network, (one, _) = pair(f"on active exec {script} every 1s; on backup exec {script} every 1s")

    def said(node):
        return (folder / node).read_text().splitlines() if (folder / node).exists() else []

    begin = "begin front active 10.77.0.100/24 e0"
    assert until(lambda: "end active" in said("a"))
    assert until(lambda: "end backup" in said("b"))
    n_before = said("b").count(begin)
    # Again while the state lasts.
    assert until(lambda: said("a").count(begin) >= 2)
    one.command("drain", "vip:front")
    assert until(lambda: said("b").count(begin) > n_before and said("a").count("end backup") > 0)
    one.command("undrain", "vip:front")
    assert until(lambda: one.facts()["hook:front"]["reason"].startswith("active: exit status 0"))
    assert network.n1.has(VIP)
    assert "overlap" not in said("a") + said("b")
    # One that fails is told, and tried again.
    new = folder / "new"
    new.write_text("#!/bin/sh\necho no such instance\nexit 3\n")
    new.chmod(0o755)
    new.rename(script)
    assert until(lambda: one.facts()["hook:front"]["state"] == "failed")
    assert one.facts()["hook:front"]["reason"] == "active: exit status 3: no such instance"
    assert until(lambda: one.facts()["hook:front"]["value"] >= 2)

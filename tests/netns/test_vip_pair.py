# SPDX-License-Identifier: Apache-2.0
"""Two weirs and an address between them: what clients see of what goes wrong, and of what is planned."""
import os
import re
import signal
import time

from vips import LINK6, VIP, VIP6, Capture, Node, Pair, file_of, secret_file, until, whole


def test_the_preferred_node_has_it_and_the_other_takes_over(net, weir_on):
    pair = Pair(net(), weir_on, file_of())
    probe = pair.probe()
    pair.net.n1.cut()
    pair.b.wait("active")
    pair.a.wait("down")
    assert until(lambda: not pair.a.has())
    time.sleep(0.3)
    pair.net.n1.mend()
    pair.a.wait("active")
    pair.b.wait("backup")
    time.sleep(0.3)
    seen = probe.result()
    assert whole(seen, "n1", "n2", "n1"), seen
    assert seen["gap_ms"] < 3300, seen
    assert not pair.b.has()


def test_planned_moves_are_make_before_break(net, weir_on):
    pair = Pair(net(), weir_on, file_of())
    probe = pair.probe()
    assert pair.a.weir.stop() == 0
    pair.b.wait("active")
    assert not pair.a.has()
    time.sleep(0.2)
    pair.a.weir.start()  # preempts
    pair.a.wait("active")
    pair.b.wait("backup")
    time.sleep(0.2)
    seen = probe.result()
    assert whole(seen, "n1", "n2", "n1"), seen
    assert seen["sent"] - seen["answered"] <= 40, seen


def test_no_preempt_leaves_it_where_it_is(net, weir_on):
    pair = Pair(net(), weir_on, file_of("no-preempt"))
    assert pair.a.weir.stop() == 0
    pair.b.wait("active")
    pair.a.weir.start()
    pair.a.wait("backup")
    time.sleep(1)
    assert pair.b.state() == "active" and pair.b.has() and not pair.a.has()


def test_the_death_of_the_process_moves_nothing(net, weir_on):
    pair = Pair(net(), weir_on, file_of(interval="1s"))  # whose patience a busy machine keeps, too
    probe = pair.probe()
    for _ in range(2):  # the second time, too, it had served before
        pair.a.weir.kill("vip", signal.SIGKILL)
        assert pair.a.weir.wait_back("vip")
        pair.a.wait("active")
        time.sleep(1.5)
    seen = probe.result()
    assert whole(seen, "n1"), seen
    assert seen["gap_ms"] < 500, seen
    assert "before its process began anew" in pair.a.fact()["reason"], pair.a.fact()
    assert pair.b.state() == "backup"


def test_a_process_that_dies_again_and_again_resigns(net, weir_on):
    pair = Pair(net(), weir_on, file_of())
    deadline = time.monotonic() + 15
    while pair.b.state() != "active" and time.monotonic() < deadline:
        pid = pair.a.weir.pids().get("vip")
        if pid:
            os.kill(pid, signal.SIGKILL)
    assert pair.b.state() == "active"
    assert until(lambda: not pair.a.has())


def test_the_death_of_all_of_weir(net, weir_on):
    pair = Pair(net(), weir_on, file_of())
    probe = pair.probe()
    pair.kill_all()
    pair.b.wait("active")
    assert until(lambda: not pair.a.has(), timeout=10), pair.net.n1.addresses()
    time.sleep(0.2)
    seen = probe.result()
    assert whole(seen, "n1", "n2"), seen
    assert seen["gap_ms"] < 3300, seen
    pair.a.weir.start()
    pair.a.wait("active")
    pair.b.wait("backup")


def test_the_death_of_the_supervisor_resigns(net, weir_on):
    pair = Pair(net(), weir_on, file_of(interval="1s"))
    probe = pair.probe()
    os.kill(pair.a.weir.process.pid, signal.SIGKILL)
    pair.a.weir.process.wait()
    pair.b.wait("active")
    assert until(lambda: not pair.a.has())
    time.sleep(0.2)
    seen = probe.result()
    assert whole(seen, "n1", "n2"), seen
    assert seen["gap_ms"] < 2500, seen  # three intervals would be without a resignation


def test_a_stopped_process_has_lost_it(net, weir_on):
    """SIGSTOP is what a machine that hangs looks like: the other takes over, and who wakes up believes it."""
    pair = Pair(net(), weir_on, file_of())
    pid = pair.a.weir.pid("vip")
    os.kill(pid, signal.SIGSTOP)
    pair.b.wait("active")
    probe = pair.probe()
    os.kill(pid, signal.SIGCONT)
    time.sleep(1.5)
    seen = probe.result()
    assert sum(1 for node in (pair.a, pair.b) if node.has()) == 1, (pair.a.fact(), pair.b.fact())
    assert seen["gap_ms"] < 3000, seen


def test_a_partition_that_heals(net, weir_on):
    pair = Pair(net(), weir_on, file_of())
    pair.net.n1.part()
    pair.b.wait("active")
    assert pair.a.has() and pair.b.has()
    probe = pair.probe()
    pair.net.n1.join()
    pair.b.wait("backup")
    time.sleep(0.5)
    seen = probe.result()
    assert not pair.b.has() and pair.a.has()
    assert seen["moves"][-1][1] == "n1", seen
    assert seen["gap_ms"] < 1000, seen


def test_a_reload_changes_words_and_moves_nothing(net, weir_on):
    pair = Pair(net(), weir_on, file_of())
    probe = pair.probe()
    for node in (pair.a, pair.b):
        node.weir.write(file_of(interval="200ms"))
        node.weir.reload()
    time.sleep(1)
    seen = probe.result()
    assert whole(seen, "n1"), seen
    assert seen["gap_ms"] < 500, seen
    for node in (pair.b, pair.a):
        node.weir.write("nodes { a 10.77.0.1; b 10.77.0.2 }\n")
        node.weir.reload()
    assert until(lambda: not pair.a.has() and not pair.b.has())


def test_leftovers_of_an_earlier_life_are_removed(net, weir_on):
    network = net()
    pair = Pair(network, weir_on, file_of(interval="3s"))
    pair.a.kill_all()
    assert pair.a.has()  # its life is 15 s here
    pair.a.weir.write(file_of(interval="3s", addresses="10.77.0.101/24"))
    pair.a.weir.start()
    assert until(lambda: not pair.a.has(VIP)), network.n1.addresses()


def test_what_the_log_says(net, weir_on):
    pair = Pair(net(), weir_on, file_of())
    follows = "a (10.77.0.1) is Active with priority 254"
    assert until(lambda: follows in pair.b.weir.log()), pair.b.weir.log()
    pair.net.n1.cut()
    pair.b.wait("active")
    pair.a.wait("down")
    said = r"vip:front \(IPv4\) is active on e0: a \(10.77.0.1\) was silent for 0.\d\d s"
    assert until(lambda: re.search(said, pair.b.weir.log())), pair.b.weir.log()
    pair.a.weir.wait_log("vip:front (IPv4) is active on e0: nobody else was heard")
    assert until(lambda: "vip:front (IPv4) is down on e0: e0 has no carrier" in pair.a.weir.log()), pair.a.weir.log()
    assert pair.a.fact()["reason"] == "e0 has no carrier"
    pair.net.n1.mend()
    pair.a.wait("active")
    pair.b.wait("backup")
    assert pair.a.fact()["reason"] == "b (10.77.0.2) was Active with priority 253, which is below 254"
    assert pair.b.fact()["reason"] == "a (10.77.0.1) is Active with priority 254, which is above 253"
    assert pair.a.weir.stop() == 0
    pair.b.wait("active")
    assert pair.b.fact()["reason"] == "a (10.77.0.1) resigned"
    pair.a.weir.wait_log("is backup on e0: b (10.77.0.2) took over: weir stops")


UNICAST_NODES = "nodes { a 10.78.0.1 10.77.0.1 fd77::1; b 10.78.0.2 10.77.0.2 fd77::2 }\n"


def test_unicast_goes_by_the_net_of_the_address(net, weir_on):
    """Nodes whose first addresses are in another net: what is sent goes by that of the vip, both ways."""
    network = net(switches=2)
    pair = Pair(network, weir_on, UNICAST_NODES + file_of("unicast", nodes=False, prefer="").replace(
        "id 51", "id 51; prefer a"))
    capture = Capture(network.n2, network.folder)
    network.n1.part()
    pair.b.wait("active")
    network.n1.join()
    pair.b.wait("backup")
    capture.stop()
    rows = {tuple(row) for row in capture.rows("ip.src", "ip.dst", "vrrp.checksum.status")}
    assert rows == {("10.77.0.1", "10.77.0.2", "1"), ("10.77.0.2", "10.77.0.1", "1")}, rows
    assert pair.a.metric("weir_vip_refused_total", reason="peer") == 0
    assert pair.b.metric("weir_vip_refused_total", reason="peer") == 0


def test_unicast_over_ipv6(net, weir_on):
    """The nodes know each other by the addresses of the file, not by link-local ones."""
    network = net()
    text = UNICAST_NODES + file_of("unicast", nodes=False, prefer="", addresses=f"{LINK6}/64 {VIP6}/64").replace(
        "id 51", "id 51; prefer a")
    one, other = (Node(weir_on(host, text, node=name), host, name)
                  for host, name in ((network.n1, "a"), (network.n2, "b")))
    one.wait("active")
    other.wait("backup")
    capture = Capture(network.n2, network.folder)
    network.n1.part()
    other.wait("active")
    network.n1.join()
    other.wait("backup")
    capture.stop()
    assert one.has(VIP6) and not other.has(VIP6)
    rows = {tuple(row) for row in capture.rows("ipv6.src", "ipv6.dst", "vrrp.checksum.status")}
    assert rows == {("fd77::1", "fd77::2", "1"), ("fd77::2", "fd77::1", "1")}, rows


def test_what_status_shows(net, weir_on, tmp_path):
    peer = f"secret-file {secret_file(tmp_path)}\npeer 10.77.0.0/24 port 7900"
    pair = Pair(net(), weir_on, file_of(peer=peer))
    for node, other, own, says in ((pair.a, "b", "active", "backup"), (pair.b, "a", "backup", "active")):
        node.weir.wait_fact(f"peer:{other}", "up")
        assert until(lambda node=node, other=other: node.fact(f"at:{other}/vip:front"))
        said = node.weir.command("status").stdout
        priority = 254 if own == "active" else 253
        assert re.search(rf"^front +{VIP}/24 +e0 +{own} \d+ s +{priority} +10\.77\.0\.1 ", said, re.M), said
        assert re.search(rf"^{other} +up \d+ s +\d+\.\d\d ms +the same +front {says} +1 of 1 paths", said, re.M), said

# SPDX-License-Identifier: Apache-2.0
"""The two processes on whose word others wait for hundredths of a second do not wait themselves."""
import os
import pathlib
import re

from vips import VIP, Pair, file_of, secret_file

from conftest import until


CAP_SYS_RESOURCE = 24


def status_of(pid, word):
    return re.search(rf"^{word}:\s+(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]


def is_locked(pid):
    return int(status_of(pid, "VmLck")) > 0


def may_lock():
    """Without the right to lock as much as it likes a process locks nothing: what it needs later would be refused."""
    return int(status_of("self", "CapEff"), 16) >> CAP_SYS_RESOURCE & 1 == 1


def test_vip_and_peer_come_before_others(net, weir_on, tmp_path):
    text = file_of("", interval="10ms", peer=f"secret-file {secret_file(tmp_path)}\npeer 10.77.0.0/24 port 7900")
    pair = Pair(net(), weir_on, text)
    for node in (pair.a, pair.b):
        urgent = {name: node.weir.pid(name) for name in ("vip", "peer")}
        priorities = {name: os.sched_getparam(pid).sched_priority for name, pid in urgent.items()}
        assert {os.sched_getscheduler(pid) for pid in urgent.values()} == {os.SCHED_FIFO}
        assert priorities["vip"] > priorities["peer"] > 0, priorities
        assert {is_locked(pid) for pid in urgent.values()} == {may_lock()}
        # Nobody else is: what a busy machine has to do is to be done.
        others = [pid for name, pid in node.weir.pids().items() if name not in urgent]
        assert {os.sched_getscheduler(pid) for pid in others} == {os.SCHED_OTHER}


NO_RIGHTS = ["setpriv", "--bounding-set", "-sys_resource,-sys_nice", "prlimit", "--memlock=1048576:1048576",
             "--rtprio=0:0"]


def test_what_it_lacks_is_said(net, weir):
    """As in many containers: it serves, and says what it may not and what would help."""
    network = net()
    one = weir(file_of("priority 200", nodes=False), prefix=[*network.n1.prefix, *NO_RIGHTS])
    assert until(lambda: network.n1.has(VIP)), one.log()
    pid = one.pid("vip")
    assert os.sched_getscheduler(pid) == os.SCHED_OTHER and not is_locked(pid)
    said = one.log()
    assert re.search(r"info +vip +vip has no real-time priority \(Operation not permitted\).*CAP_SYS_NICE", said), said
    assert re.search(r"info +vip +the memory of vip is not locked \(Operation not permitted\).*CAP_SYS_RES", said), said


def test_a_life_after_a_death_is_as_urgent(net, weir_on, tmp_path):
    text = file_of("", peer=f"secret-file {secret_file(tmp_path)}\npeer 10.77.0.0/24 port 7900")
    pair = Pair(net(), weir_on, text)
    for name in ("peer", "vip"):
        pair.a.weir.kill(name, 9)
        assert pair.a.weir.wait_back(name)
        assert until(lambda name=name: os.sched_getscheduler(pair.a.weir.pid(name)) == os.SCHED_FIFO)
        assert is_locked(pair.a.weir.pid(name)) == may_lock()
    pair.a.wait("active")
    assert pair.b.state() == "backup"

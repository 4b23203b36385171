# SPDX-License-Identifier: Apache-2.0
"""Twenty million requests while members come and go: none fails, and the memory of every process is flat.

WEIR_SOAK_REQUESTS sets another number, WEIR another binary: the first million under AddressSanitizer, and a
run under ThreadSanitizer, are this test with those (of a sanitizer's own memory nothing is asked)."""
import json
import os
import pathlib
import random
import signal
import statistics
import subprocess
import threading

from conftest import APP, WEIR, until

REQUESTS = int(os.environ.get("WEIR_SOAK_REQUESTS", "20000000"))
SLICE_S = 10
MEMBERS = 4


class Member:
    """An application that is killed and comes back on its port."""

    def __init__(self, name, port):
        self.args = [APP, name, str(port)]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.kill()
        self.process.wait()


def come_and_go(members, is_over):
    """One at a time is away, or hangs, for a while; so somebody can always answer."""
    while not is_over.wait(1):
        member = random.choice(members)
        if random.random() < 0.3:
            member.process.send_signal(signal.SIGSTOP)
            is_over.wait(1)
            member.process.send_signal(signal.SIGCONT)
        else:
            member.stop()
            is_over.wait(random.random())
            member.start()
        is_over.wait(2)


def resident_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def is_sanitized():
    return "sanitized" in subprocess.run([WEIR, "--version"], capture_output=True, text=True,
                                         check=True).stdout


def run_slice(tools, port):
    client = subprocess.run([tools / "weir-client", str(port), "/bytes/1024", "100", str(SLICE_S), "50000"],
                            capture_output=True, text=True, timeout=SLICE_S + 60, check=True)
    return json.loads(client.stdout)


def test_members_come_and_go(weir, tools, free_port):
    members = [Member(f"m{i}", free_port()) for i in range(MEMBERS)]
    port = free_port()
    rows = "\n".join(f"    member m{i} 127.0.0.1:{m.args[2]}" for i, m in enumerate(members))
    w = weir(f"pool web {{\n    check http path / every 500ms\n{rows}\n}}\n"
             f"listen shop http 127.0.0.1:{port} {{ route pool web }}\n")
    for i in range(MEMBERS):
        w.wait_fact(f"member:web/m{i}", "up")
    pids, sizes, n = w.pids(), {}, 0
    is_over = threading.Event()
    keeper = threading.Thread(target=come_and_go, args=(members, is_over))
    keeper.start()
    try:
        while n < REQUESTS:
            counts = run_slice(tools, port)
            assert counts["ok"] == counts["requests"], counts
            n += counts["ok"]
            for kind, pid in w.pids().items():
                sizes.setdefault(kind, []).append(resident_kb(pid))
    finally:
        is_over.set()
        keeper.join()
        for member in members:
            member.stop()
    assert w.pids() == pids, "a process was started again"
    assert until(lambda: w.status()["listens"][0]["requests"] >= n)
    for kind, values in sizes.items():
        print(kind, "resident kB:", values)
        quarter = len(values) // 4
        if quarter < 4 or is_sanitized():
            continue
        first = statistics.median(values[quarter // 2:quarter + quarter // 2])  # behind the warm-up
        assert statistics.median(values[-quarter:]) <= first * 1.02, (kind, values)

# SPDX-License-Identifier: Apache-2.0
"""Each kind of process but the supervisor is killed in turn, under load: only the connections of that
process break, nobody else notices, and it is back. How quickly is asserted generously here (a machine may
be slow) and measured in tests/soak."""
import json
import os
import signal
import subprocess
import time

import pytest

CONF = """
processes {{ edge 2 }}
pool web {{
    member a 127.0.0.1:{a}
    member b 127.0.0.1:{b}
    check http path /healthz every 200ms timeout 200ms fall 2 rise 1
}}
listen shop http 127.0.0.1:{port} {{ route pool web }}
"""

BACK_WITHIN_S = 5.0  # tests/soak has the bound that matters, over many kills


def serve(weir, apps, port):
    a, b = apps("a"), apps("b")
    return weir(CONF.format(a=a.port, b=b.port, port=port))


def load(tools, port, seconds, rate=2000, connections=40):
    return subprocess.Popen(
        [tools / "weir-client", str(port), "/bytes/1024", str(connections), str(seconds), str(rate)],
        stdout=subprocess.PIPE,
        text=True,
    )


def result(client):
    out, _ = client.communicate(timeout=60)
    return json.loads(out)


def failures(counts):
    return sum(counts[key] for key in ("refused", "broken", "status", "body", "late"))


@pytest.mark.parametrize("kind", ["health", "admin"])
def test_bystanders_do_not_notice(weir, apps, tools, free_port, kind):
    port = free_port()
    w = serve(weir, apps, port)
    client = load(tools, port, 3)
    for _ in range(3):
        time.sleep(0.6)
        w.kill(kind, signal.SIGKILL)
    counts = result(client)
    assert counts["ok"] > 3000
    assert failures(counts) == 0, counts
    assert counts["closed"] == 0, counts
    assert w.wait_back(kind, BACK_WITHIN_S * 2)


def test_edge_comes_back(weir, apps, tools, free_port):
    port = free_port()
    w = serve(weir, apps, port)
    client = load(tools, port, 3)
    time.sleep(1)
    others = {kind: w.pid(kind) for kind in ("health", "admin")}
    w.kill("edge", signal.SIGKILL)
    counts = result(client)
    # What was on its way breaks, once a connection; the kernel keeps new ones for the next life.
    assert counts["refused"] == 0, counts
    assert counts["broken"] + counts["closed"] <= 80, counts
    assert counts["status"] == counts["body"] == counts["late"] == 0, counts
    assert counts["gap_ms"] < BACK_WITHIN_S * 1000, counts
    assert {kind: w.pid(kind) for kind in others} == others


def test_health_keeps_what_it_knew(weir, apps, free_port):
    port = free_port()
    w = serve(weir, apps, port)
    w.wait_fact("member:web/a", "up")
    before = w.fact("member:web/a")["since"]
    w.kill("health", signal.SIGKILL)
    assert w.wait_back("health", BACK_WITHIN_S * 2)
    time.sleep(1)
    fact = w.fact("member:web/a")
    assert fact["state"] == "up"
    assert fact["since"] == before


def test_a_crash_loop_backs_off_and_is_a_red_fact(weir, apps, free_port):
    w = serve(weir, apps, free_port())
    pids = set()
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        pid = w.pid("health", wait=False)
        if pid:
            pids.add(pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)
    # At once, then 100 ms, 200, 400, ...: a handful in three seconds, not a storm.
    assert 3 <= len(pids) <= 12
    fact = w.fact("process:health")
    assert fact["state"] in ("failed", "down", "up")
    w.wait_fact("process:health", "up", timeout=15)

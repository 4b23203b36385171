# SPDX-License-Identifier: Apache-2.0
"""Reload every 200 ms for 30 s with WebSockets open: each says back a nonce all along, and as many
connections are there afterwards as before."""
import os
import time

import test_upgrade

SECONDS = float(os.environ.get("WEIR_RELOAD_SECONDS", "30"))
TUNNELS = 50


def clients(w):
    return next(listen for listen in w.status()["listens"] if listen["name"] == "shop")["connections"]


def test_tunnels_through_reloads(weir, free_port):
    echo, port = test_upgrade.Echo(), free_port()
    w = weir(test_upgrade.conf(port, echo.port))
    w.wait_fact("member:web/m0", "up")
    tunnels = [test_upgrade.open_tunnel(port) for _ in range(TUNNELS)]
    assert all(test_upgrade.says_back(tunnel) for tunnel in tunnels)
    before, pids, n = clients(w), w.pids(), 0
    assert before == TUNNELS
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        started = time.monotonic()
        w.write(test_upgrade.conf(port, echo.port, more=f"stop-timeout {20 + n % 2}s\n"))
        w.reload()
        n += 1
        assert test_upgrade.says_back(tunnels[n % TUNNELS])
        time.sleep(max(0, 0.2 - (time.monotonic() - started)))
    assert all(test_upgrade.says_back(tunnel) for tunnel in tunnels)
    assert clients(w) == before and w.pids() == pids
    assert n >= SECONDS
    for tunnel in tunnels:
        tunnel.close()
    echo.listener.close()

# SPDX-License-Identifier: Apache-2.0
"""How soon a killed member leaves the answers, and a new one enters: medians over 20 runs each, against the time that
its checks need and a second more."""
import signal
import socket
import statistics
import subprocess
import sys
import time

import dns.message
import dns.query

from conftest import until

N_RUNS = 20
EVERY_S, FALL, RISE = 0.5, 3, 2
CONF = """
pool edges {{
    check tcp every 500ms timeout 300ms fall 3 rise 2
    member a 127.0.0.21:{web}
    member b 127.0.0.22:{web}
}}
dns 127.0.0.1:{port}
zone example.org {{ soa ns1 hostmaster; ns ns1 127.0.0.1; record www A pool edges healthy ttl 1s..30s }}
"""
A, B = "127.0.0.21", "127.0.0.22"


def start(addr, port):
    process = subprocess.Popen([sys.executable, "-m", "http.server", "--bind", addr, str(port)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def is_open():
        with socket.socket() as probe:
            return probe.connect_ex((addr, port)) == 0
    assert until(is_open)
    return process


def addresses(port):
    query = dns.message.make_query("www.example.org", "A")
    answer = dns.query.udp(query, "127.0.0.1", port=port, timeout=10).answer
    return sorted(item.to_text() for item in answer[0])


def seconds_until(port, want):
    begun = time.monotonic()
    assert until(lambda: addresses(port) == want, every=0.005), addresses(port)
    return time.monotonic() - begun


def test_out_and_in(weir, free_port):
    web, port = free_port(), free_port()
    a, b = start(A, web), start(B, web)
    out_s, in_s = [], []
    try:
        weir(CONF.format(web=web, port=port))
        seconds_until(port, [A, B])
        for _ in range(N_RUNS):
            a.send_signal(signal.SIGKILL)
            a.wait()
            out_s.append(seconds_until(port, [B]))
            a = start(A, web)
            in_s.append(seconds_until(port, [A, B]))
    finally:
        for process in (a, b):
            process.kill()
            process.wait()
    print(f"out after {statistics.median(out_s):.2f} s (at most {max(out_s):.2f}), "
          f"in after {statistics.median(in_s):.2f} s (at most {max(in_s):.2f})")
    assert statistics.median(out_s) < EVERY_S * FALL + 1
    assert statistics.median(in_s) < EVERY_S * RISE + 1

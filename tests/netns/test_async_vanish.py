# SPDX-License-Identifier: Apache-2.0
"""Clients of asynchronous routes that vanish: in the middle of a body, and while they wait for a job."""
import json
import pathlib
import subprocess
import sys

import pytest
from http_serve import counters

from conftest import until

FILE = """
listen shop http 10.77.0.1:8080 {
    route async reports
    timeout { body 500ms; stream 1s; idle 500ms; age 1h }
}
queue reports { async unfinished 1 body 1M }
queues { async wait 1s }
"""
N = 20
SITE = "http://10.77.0.1:8080"

# Opens connections, sends the beginning of each request, says so, and stays.
CLIENT = r"""
import socket, sys
socks = []
for _ in range(int(sys.argv[1])):
    sock = socket.create_connection(("10.77.0.1", 8080), timeout=20)
    sock.sendall(sys.argv[2].encode().decode("unicode_escape").encode() + b"x" * int(sys.argv[3]))
    socks.append(sock)
print("sent", flush=True)
sys.stdin.readline()
"""


def start(host, n, head, n_body=0):
    client = host.start(sys.executable, "-c", CLIENT, n, head, n_body, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        text=True)
    assert client.stdout.readline() == "sent\n"


def ask(network, *words):
    """Of another client: (status, body, fields)."""
    out = network.cl.run("curl", "-s", "-i", "--max-time", "20", *words)
    head, body = out.split("\n\n", 1)
    status, *lines = head.split("\n")
    fields = dict(line.split(": ", 1) for line in lines)
    return int(status.split()[1]), body, {name.lower(): value for name, value in fields.items()}


@pytest.fixture
def site(net, weir_on):
    network = net(names=("n1", "n2"))
    return network, weir_on(network.n1, FILE)


def listen(w, name, **labels):
    label = "".join(f',{key}="{value}"' for key, value in labels.items())
    return counters(w)[f'weir_listen_{name}{{listen="shop"{label}}}']


def at_queue(w, name):
    return counters(w)[f'weir_jobs_{name}{{listen="async-socket"}}']


def rss_kb(w, kind):
    lines = pathlib.Path(f"/proc/{w.pid(kind)}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def vanish(network, w, head, n_body, n_before):
    """N clients that have sent so much, and of which nothing more is heard."""
    start(network.n2, N, head, n_body)
    assert until(lambda: listen(w, "requests_total") == n_before + N), counters(w)
    network.n2.part()
    assert until(lambda: listen(w, "connections_active") == 0), counters(w)
    network.n2.join()


def test_in_the_middle_of_a_body(site):
    """No job comes of it, what was spooled is freed, and no cap is used up."""
    network, w = site
    head, sizes = "POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 900000\\r\\n\\r\\n", []
    for turn in range(2):
        vanish(network, w, head, 400000, turn * N)
        assert listen(w, "answers_total", reason="body_late") == (turn + 1) * N
        assert until(lambda: at_queue(w, "connections_active") == 0), counters(w)
        sizes.append(rss_kb(w, "queue"))
    assert sizes[1] < sizes[0] + N * 400 / 2, sizes  # of so many bodies of 400 KB
    assert not [n for name, n in counters(w).items() if name.startswith('weir_queue_jobs{queue="reports"') and n]
    assert ask(network, "-d", "x", SITE)[0] == 202
    assert ask(network, "-d", "x", SITE)[0] == 503  # `async unfinished 1` counts this job, and nothing else


def test_while_it_waits_for_a_job(site):
    """The job stays, and so does nothing of those who asked for it."""
    network, w = site
    status, _, fields = ask(network, "-d", "x", SITE)
    assert status == 202
    token = fields["location"]
    vanish(network, w, f"GET {token} HTTP/1.1\\r\\nHost: x\\r\\nPrefer: wait=1\\r\\n\\r\\n", 0, 1)
    assert counters(w)['weir_jobs_http_requests_total{listen="async-socket",kind="look"}'] == N
    status, body, _ = ask(network, SITE + token)
    assert status == 200 and json.loads(body)["state"] == "waiting"

# SPDX-License-Identifier: Apache-2.0
"""What 15,000 connections that ask nothing cost the others: two weirs alike, one of them with the idle connections,
take turns under the same paced load, and the CPU time per request is compared within each turn."""
import json
import os
import pathlib
import resource
import select
import socket
import statistics
import subprocess

N_IDLE = int(os.environ.get("WEIR_IDLE", "15000"))
ROUNDS = int(os.environ.get("WEIR_IDLE_ROUNDS", "31"))
SECONDS, RATE, N_BUSY = 1.5, 3000, 50
SPARE_FDS = 400
RATIO_MAX = 1.05
REQUEST = b"GET /idle HTTP/1.1\r\nHost: a.example\r\n\r\n"


def raise_descriptors():
    """As far as the machine allows; the number of idle connections that this leaves."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY or hard >= N_IDLE + SPARE_FDS:
        return N_IDLE
    print(f"only {hard} descriptors a process: {hard - SPARE_FDS} idle connections for {N_IDLE}")
    return hard - SPARE_FDS


def serve(weir, port, app):
    return weir(f"""
        processes {{ edge 1 }}
        pool web {{ member a 127.0.0.1:{app.port} }}
        listen shop http 127.0.0.1:{port} {{
            timeout idle 1h
            limits connections 100000
            route pool web
        }}""")


def answered(sock):
    """A whole answer without a body, or one that says its length."""
    data = b""
    while True:
        data += sock.recv(65536)
        head, end, body = data.partition(b"\r\n\r\n")
        if end:
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(body) == length:
                return head.startswith(b"HTTP/1.1 200")


def open_idle(port, n):
    """Connections that asked once, so that they stand between two requests."""
    socks = []
    while len(socks) < n:
        some = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(min(100, n - len(socks)))]
        for sock in some:
            sock.sendall(REQUEST)
        assert all(answered(sock) for sock in some)
        socks += some
    return socks


def edge_ns(pid):
    """User and system time of all threads."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def cost_us(tools, port, pid, seconds=SECONDS):
    """CPU time of the edge for one request under the paced load."""
    before = edge_ns(pid)
    done = subprocess.run([tools / "weir-client", str(port), "/bytes/1024", str(N_BUSY), str(seconds), str(RATE)],
                          capture_output=True, text=True, check=True)
    counts = json.loads(done.stdout)
    assert counts["ok"] == counts["requests"] > RATE * seconds / 2, counts
    return (edge_ns(pid) - before) / counts["ok"] / 1000


def resident_bytes(pid):
    fields = pathlib.Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize()


def test_idle_connections_cost_the_others_nothing(weir, apps, tools, free_port):
    n = raise_descriptors()
    app = apps("a")
    ports = {"alone": free_port(), "crowded": free_port()}
    pids = {name: serve(weir, port, app).pid("edge") for name, port in ports.items()}
    before = resident_bytes(pids["crowded"])
    idle = open_idle(ports["crowded"], n)
    per_idle = (resident_bytes(pids["crowded"]) - before) / n
    for name in ports:
        cost_us(tools, ports[name], pids[name], 1)
    costs = []
    for turn in range(ROUNDS):
        order = list(ports) if turn % 2 == 0 else list(reversed(ports))
        costs.append({name: cost_us(tools, ports[name], pids[name]) for name in order})
    ratios = [cost["crowded"] / cost["alone"] for cost in costs]
    medians = {name: statistics.median(cost[name] for cost in costs) for name in ports}
    print(f"{n} idle connections, {per_idle:.0f} bytes each; us a request: {medians}; "
          f"ratios {[round(ratio, 3) for ratio in sorted(ratios)]}, median {statistics.median(ratios):.3f}")
    poller = select.poll()
    for sock in idle:
        poller.register(sock, select.POLLIN)
    assert poller.poll(0) == []  # none was closed
    for sock in idle[::100]:
        sock.sendall(REQUEST)
        assert answered(sock)
    for sock in idle:
        sock.close()
    assert statistics.median(ratios) < RATIO_MAX, ratios

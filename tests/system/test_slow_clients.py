# SPDX-License-Identifier: Apache-2.0
"""Clients that are slow on purpose or by their line: who takes long to read its answer gets all of it, and whoever
stops is cut so that it shows; attacks by slow heads, bodies and reads end at the limits, and cost nobody else."""

import pathlib
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import until
from http_peers import Client, Ended, answer, chunks, request
from http_serve import counters, listen_counter, member, serve  # noqa: F401

# About as much as the kernel takes for a client that does not read, in steps below the last piece of an answer:
# wherever its buffers end just now, some answers leave their end with weir when their member has done.
WMEM_MAX = int(pathlib.Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])
LAST = 100_000
SIZES = range(WMEM_MAX * 85 // 100, WMEM_MAX * 95 // 100, 30_000)


def by_size(conn, message):
    """As long as the target says, with a length or in chunks, and its last piece for itself."""
    kind, size = message.target[1:].split("/")
    last = b"x" * min(LAST, int(size) // 2)
    first = b"x" * (int(size) - len(last))
    if kind == "length":
        conn.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode() + first)
        time.sleep(0.5)
        conn.send(last)
    else:
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(first), first))
        time.sleep(0.5)
        conn.send(chunks(last))


@pytest.mark.parametrize("fields", ["", "Connection: close\r\n"])
def test_slow_readers_get_all(serve, member, fields):
    port = serve(member(by_size), extra="timeout idle 300ms")
    clients = [Client(port, rcvbuf=20000) for _ in SIZES]
    for client, size in zip(clients, SIZES):
        client.send(request(path=f"/length/{size}", fields=fields))
    time.sleep(3)  # longer than an idle connection has, and a closed one to linger
    wrong = []
    for client, size in zip(clients, SIZES):
        with client:
            try:
                if len(client.response().body) != size or not client.is_closed():
                    wrong.append(size)
            except Ended as ended:
                wrong.append((size, str(ended)))
    assert not wrong, wrong


def test_readers_that_stop_are_cut(serve, member):
    """For HTTP/1.0 the chunks end with the connection: a clean end would say that this was all."""
    port = serve(member(by_size), extra="timeout stream 1500ms")
    sizes = [10_000, *SIZES, WMEM_MAX * 3]
    clients = [Client(port, rcvbuf=20000) for _ in sizes]
    for client, size in zip(clients, sizes):
        client.send(request(path=f"/chunks/{size}", minor=0))
    time.sleep(4)
    assert until(lambda: counters(serve.weir)['weir_listen_connections_active{listen="shop"}'] == 0)
    n_whole = n_cut = 0
    for client, size in zip(clients, sizes):
        with client:
            try:
                assert len(client.response().body) == size
                n_whole += 1
            except Ended as ended:
                assert ended.is_reset
                n_cut += 1
    assert n_whole > 0 and n_cut > 0
    assert counters(serve.weir)[listen_counter("cut")] == n_cut


def attack(port, *options):
    """slowhttptest for some seconds: what it says at its end."""
    command = ["slowhttptest", "-u", f"http://127.0.0.1:{port}/", "-r", "400", "-p", "5", "-v", "1", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name, options, reason", [
    ("heads", ["-H", "-c", "300", "-i", "1", "-l", "4", "-x", "10"], "head_late"),
    ("bodies", ["-B", "-c", "300", "-i", "1", "-l", "4", "-s", "100000", "-x", "10"], "body_slow"),
    ("reads", ["-X", "-c", "300", "-w", "10", "-y", "20", "-n", "1", "-z", "5", "-k", "3", "-l", "4"], None),
])
def test_attack(serve, member, name, options, reason):
    """Who asks as one should is served meanwhile; each attacker is cut at its limit, and nothing is left of it."""
    port = serve(member(lambda conn, message: answer(200, b"x" * 300_000)),
                 extra="timeout { headers 1s; body 2s; stream 1s; idle 1s }")
    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(attack, port, *options)
        n_served = 0
        while not said.done():
            with Client(port) as client:
                assert len(client.ask().body) == 300_000
            n_served += 1
            time.sleep(0.05)
    assert "service available:" in said.result(), said.result()
    assert n_served > 5
    assert until(lambda: counters(serve.weir)['weir_listen_connections_active{listen="shop"}'] == 0)
    numbers = counters(serve.weir)
    assert numbers[listen_counter("connections")] > 200
    if reason:
        assert numbers[listen_counter("answers", reason)] > 100, numbers

# SPDX-License-Identifier: Apache-2.0
"""Ten million jobs of 1 KB wait: what memory they take, and how long a restart takes until the first of them is
reserved, after a stop and after a kill. It takes some 20 GB of disk where the temporary files are, or the folder that
WEIR_SOAK_FOLDER names."""
import os
import pathlib
import resource
import shutil
import signal
import socket
import statistics
import tempfile
import time

import pytest
from conftest import Weir, until
from jobs_client import Gone, Jobs

N_JOBS = int(os.environ.get("WEIR_SOAK_JOBS", "10000000"))
N_STARTS = int(os.environ.get("WEIR_SOAK_STARTS", "20"))
BODY_BYTES = 1024
A_BATCH, N_CONNS = 500, 8
MEMORY_MAX = 1500 << 20  # for ten million
READY_MAX_S = 10
PATIENCE_S = 300

FILE = """
jobs 127.0.0.1:{port}
queue mail {{ }}
"""


def body_of(i):
    """No two alike, and each says which it is."""
    return b"%016d" % i + b"%08x" % (i * 2654435761 & 0xffffffff) * ((BODY_BYTES - 16) // 8)


@pytest.fixture
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="weir-many-", dir=os.environ.get("WEIR_SOAK_FOLDER")))
    yield made
    shutil.rmtree(made)


def put_batch(sock, first, n):
    sock.sendall(b"".join(b"put 0 0 60 %d\r\n%s\r\n" % (BODY_BYTES, body_of(i)) for i in range(first, first + n)))


def take_answers(sock, n):
    data = b""
    while data.count(b"\r\n") < n:
        more = sock.recv(1 << 16)
        assert more, "the connection ended"
        data += more
    lines = data.split(b"\r\n")
    assert len(lines) == n + 1 and all(line.startswith(b"INSERTED ") for line in lines[:-1]), lines[:3]


def fill(port, n):
    """Batches on several connections, so that one sync serves them all."""
    socks = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) for _ in range(N_CONNS)]
    for sock in socks:
        sock.sendall(b"use mail\r\n")
        assert sock.recv(100) == b"USING mail\r\n"
    done = 0
    while done < n:
        sizes = [min(A_BATCH, max(0, n - done - i * A_BATCH)) for i in range(N_CONNS)]
        for sock, size in zip(socks, sizes):
            put_batch(sock, done, size)
            done += size
        for sock, size in zip(socks, sizes):
            take_answers(sock, size)
    for sock in socks:
        sock.close()


def resident_bytes(pid):
    fields = pathlib.Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize()


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def first_job(port):
    """(id, body) of a job that is reserved, or None: it does not serve yet."""
    try:
        jobs = Jobs(port, PATIENCE_S)
    except OSError:
        return None
    try:
        jobs.ask("watch mail")
        return jobs.job("reserve-with-timeout 60")
    except Gone:
        return None
    finally:
        jobs.close()


def kill_all(one):
    """Until the kernel has taken their memory and sockets back, which a gigabyte takes a moment."""
    pids = [one.process.pid, *one.pids().values()]  # who would start the others again comes first
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    one.process.wait()
    # A zombie may have threads that still give back.
    assert until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids), PATIENCE_S)


def start_s(one, port):
    """From the start of the program to a job in a client's hands; and the CPU time of the queue for it."""
    began = time.monotonic()
    one.spawn()
    job = until(lambda: first_job(port), PATIENCE_S, 0.02)
    took = time.monotonic() - began
    assert job, one.log()
    number, body = job
    assert body == body_of(int(body[:16])) and 1 <= number <= N_JOBS
    return took, cpu_s(one.pid("queue"))


def check_some(port):
    """All are there, and those looked at are whole."""
    jobs = Jobs(port, PATIENCE_S)
    figures = jobs.document("stats-tube mail")
    assert int(figures["current-jobs-ready"]) + int(figures["current-jobs-reserved"]) == N_JOBS, figures
    for number in range(1, N_JOBS + 1, max(1, N_JOBS // 997)):
        found, body = jobs.job(f"peek {number}")
        assert found == number and body == body_of(int(body[:16]))
    jobs.close()


def test_ten_million_jobs_wait(folder, free_port):
    free = shutil.disk_usage(folder).free
    need = N_JOBS * 2 * BODY_BYTES
    if free < need:
        pytest.skip(f"{need >> 30} GB of disk are needed, {free >> 30} are free")
    port = free_port()
    one = Weir(folder, FILE.format(port=port))
    try:
        one.start()
        began = time.monotonic()
        fill(port, N_JOBS)
        fill_s = time.monotonic() - began
        pid = one.pid("queue")
        filled, fill_cpu = resident_bytes(pid), cpu_s(pid)
        starts = {signal.SIGTERM: [], signal.SIGKILL: []}
        memory = []
        for turn in range(N_STARTS):
            number = list(starts)[turn % 2]
            if number == signal.SIGKILL:
                kill_all(one)
            else:
                one.stop()
            starts[number].append(start_s(one, port))
            memory.append(resident_bytes(one.pid("queue")))
            check_some(port)
        log_bytes = sum(path.stat().st_size for path in (one.state).rglob("*") if path.is_file())
        print(f"{N_JOBS} jobs of {BODY_BYTES} bytes put in {fill_s:.0f} s, {fill_cpu / N_JOBS * 1e6:.1f} us of CPU "
              f"each; resident {filled >> 20} MB, after starts {max(memory) >> 20} MB; log {log_bytes >> 20} MB")
        for number, took in starts.items():
            if took:
                print(f"after {number.name}: first job after {sorted(round(wall, 2) for wall, _ in took)} s, "
                      f"median {statistics.median(wall for wall, _ in took):.2f} s, "
                      f"of CPU {statistics.median(cpu for _, cpu in took):.2f} s")
        assert max(filled, *memory) <= MEMORY_MAX * max(N_JOBS, 1000000) / 10000000
        for took in starts.values():
            assert not took or statistics.median(wall for wall, _ in took) <= READY_MAX_S
        one.stop()
    finally:
        one.finish()

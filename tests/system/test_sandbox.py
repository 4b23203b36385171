# SPDX-License-Identifier: Apache-2.0
"""Looks into each process: who it is, what it may do by /proc, and what the kernel answers when it tries
to open, execute and connect from inside (tests/tools/inject.c makes it do the calls)."""
import errno
import os
import subprocess

import pytest

CONF = """
pool web {{ member a 127.0.0.1:{a}; check tcp every 1s }}
listen shop http 127.0.0.1:{port} {{ route pool web }}
"""

# x86-64
OPENAT, SOCKET, EXECVE, CLONE, FORK, PTRACE, GETPID = 257, 41, 59, 56, 57, 101, 39
AT_FDCWD, O_RDONLY, O_WRONLY_CREAT = -100 & (2**64 - 1), 0, 0o101
AF_UNIX, AF_INET, AF_NETLINK, AF_PACKET = 1, 2, 16, 17
SOCK_STREAM, SOCK_DGRAM, SOCK_RAW = 1, 2, 3

pytestmark = [
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of calls are x86-64's"),
    pytest.mark.skipif(os.geteuid() != 0, reason="root alone may look into the processes"),
]

# What each kind may do beyond serving what it was given.
MAY = {
    "edge": {"stream"},
    "health": {"stream", "datagram"},
    "admin": {"read", "write"},
}


@pytest.fixture
def served(weir, apps, free_port):
    return weir(CONF.format(a=apps("a").port, port=free_port()))


def status(pid, task=None):
    path = f"/proc/{pid}/task/{task}/status" if task else f"/proc/{pid}/status"
    with open(path) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def inject(tools, pid, number, *args):
    out = subprocess.run(
        [tools / "weir-inject", str(pid), str(number), *map(str, args)],
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert out.returncode == 0, out.stderr
    return int(out.stdout)


def is_sanitized(weir_bin):
    out = subprocess.run([weir_bin, "--version"], capture_output=True, text=True)
    return "sanit" in out.stdout


@pytest.mark.parametrize("kind", sorted(MAY))
def test_every_thread_is_nobody(served, kind):
    pid = served.pid(kind)
    for task in os.listdir(f"/proc/{pid}/task"):
        facts = status(pid, task)
        assert set(facts["Uid"].split()) != {"0"} and "0" not in facts["Uid"].split(), facts["Uid"]
        assert "0" not in facts["Gid"].split()
        for cap in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(facts[cap], 16) == 0, (task, cap, facts[cap])
        assert facts["NoNewPrivs"] == "1"


@pytest.mark.parametrize("kind", sorted(MAY))
def test_only_what_the_profile_names(served, tools, weir_bin, kind):
    if is_sanitized(weir_bin):
        pytest.skip("sanitizer builds have no seccomp filter")
    pid = served.pid(kind)
    for task in os.listdir(f"/proc/{pid}/task"):
        assert status(pid, task)["Seccomp"] == "2"
    refused, may = -errno.EPERM, MAY[kind]
    assert inject(tools, pid, GETPID) == pid

    got = inject(tools, pid, OPENAT, AT_FDCWD, "s:/etc/hostname", O_RDONLY)
    assert (got >= 0 or got == -errno.EACCES) if "read" in may else got == refused
    created = "/tmp/weir-sandbox-must-not-exist"
    got = inject(tools, pid, OPENAT, AT_FDCWD, f"s:{created}", O_WRONLY_CREAT, 0o600)
    # Who keeps state may write, but nowhere else: the one refusal is the filter's, the other Landlock's.
    assert got == (-errno.EACCES if "write" in may else refused) and not os.path.exists(created)

    assert inject(tools, pid, EXECVE, "s:/bin/true", 0, 0) == refused
    assert inject(tools, pid, FORK) == refused
    assert inject(tools, pid, CLONE, 17, 0, 0, 0, 0) == refused
    assert inject(tools, pid, PTRACE, 16, 1, 0, 0) == refused

    got = inject(tools, pid, SOCKET, AF_INET, SOCK_STREAM, 0)
    assert got >= 0 if "stream" in may else got == refused
    got = inject(tools, pid, SOCKET, AF_INET, SOCK_DGRAM, 0)
    assert got >= 0 if "datagram" in may else got == refused
    assert inject(tools, pid, SOCKET, AF_INET, SOCK_RAW, 1) == refused
    assert inject(tools, pid, SOCKET, AF_NETLINK, SOCK_RAW, 0) == refused
    assert inject(tools, pid, SOCKET, AF_PACKET, SOCK_RAW, 0) == refused


def test_the_supervisor_alone_is_root(served):
    assert status(served.pid_supervisor)["Uid"].split()[0] == "0"

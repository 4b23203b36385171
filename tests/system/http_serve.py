# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the HTTP tests: weir before members of one pool, and members that a test scripts."""

import re

import pytest
from conftest import UnixConnection
from http_peers import Member

CONF = """
processes {{ edge {loops} }}
pool web {{ {members}; {pool} }}
listen shop http 127.0.0.1:{port} {{
    {extra}
    route pool web
}}
"""


@pytest.fixture
def serve(weir, free_port):
    """serve(member, ...) puts weir before them: its port, with .weir. Members have .port and may have .weight.
    The edge that served at the end must be the one of the beginning."""
    made = []

    def make(*members, extra="", pool="", loops=1):
        port = free_port()
        lines = "; ".join(
            f"member m{i} 127.0.0.1:{getattr(m, 'port', m)} weight {getattr(m, 'weight', 1)}"
            for i, m in enumerate(members))
        w = weir(CONF.format(members=lines, port=port, extra=extra, pool=pool, loops=loops))
        made.append((w, w.pid("edge")))
        make.weir = w
        return port

    yield make
    for w, pid in made:
        assert w.pid("edge") == pid, w.log()


@pytest.fixture
def member():
    made = []

    def make(*args, **options):
        made.append(Member(*args, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()
        assert not one.malformed, one.malformed


def counters(w):
    """What /metrics says: the sample with its labels -> its value."""
    conn = UnixConnection(w.state / "admin.sock")
    conn.request("GET", "/metrics")
    text = conn.getresponse().read().decode()
    conn.close()
    return {name: float(value)
            for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE)}


def listen_counter(name, reason=None):
    label = f',reason="{reason}"' if reason else ""
    return f'weir_listen_{name}_total{{listen="shop"{label}}}'

# SPDX-License-Identifier: Apache-2.0
"""What weir answers to what is wrong, late or too much, and how it cuts what turns bad while it streams: a file of
tests/vtc a row, played by varnishtest. tests/vtc/README.md says what the comments at the top of a file mean."""

import re
import shlex
import socket
import subprocess

import pytest
from conftest import ROOT, until
from http_serve import counters

FILES = sorted((ROOT / "tests" / "vtc").glob("*.vtc"))
N_MEMBERS = 2
LIMIT_S = 60
NOTE = re.compile(r"# (listen|pool|core|fact|count): (.+)")
COUNT = re.compile(r"(listen|member|pool) (\w+)(?: (\w+)=(\w+))? \+(\d+)")
SAMPLE = re.compile(r"weir_(listen|member|pool)_(\w+?)(?:_total)?\{(.*)\}")


class Case:
    """One file and what its comments ask for."""

    def __init__(self, path):
        self.path = path
        self.notes = {"listen": [], "pool": [], "core": [], "fact": [], "count": []}
        for line in path.read_text().splitlines():
            if note := NOTE.fullmatch(line):
                self.notes[note[1]].append(note[2])
        self.counts = [COUNT.fullmatch(line).groups() for line in self.notes["count"]]
        assert self.counts, f"{path.name} counts nothing"

    def conf(self, port, member_ports):
        members = [f"member m{i} 127.0.0.1:{p}" for i, p in enumerate(member_ports, 1)
                   if i == 1 or f"${{m{i}}}" in self.path.read_text()]
        if any(line.startswith("member") for line in self.notes["pool"]):
            members = []
        routes = [] if any(line.startswith("route") for line in self.notes["listen"]) else ["route pool web"]
        return "\n".join([*self.notes["core"], "processes { edge 1 }",
                          "pool web {", *members, *self.notes["pool"], "}",
                          f"listen shop http 127.0.0.1:{port} {{", *self.notes["listen"], *routes, "}", ""])


def samples(w):
    """(table, name, labels) -> value."""
    found = {}
    for sample, value in counters(w).items():
        if parts := SAMPLE.fullmatch(sample):
            found[parts[1], parts[2], parts[3]] = value
    return found


def total(numbers, table, name, label=None, value=None):
    wanted = f'{label}="{value}"' if label else ""
    found = [number for (t, n, labels), number in numbers.items() if (t, n) == (table, name) and wanted in labels]
    assert found, f"no counter {table} {name} {wanted}"
    return sum(found)


def mistakes(case, before, after):
    """What did not move as the file says; a refusal that it does not name is a mistake as well."""
    wrong, named = [], {}
    for table, name, label, value, n in case.counts:
        moved = total(after, table, name, label, value) - total(before, table, name, label, value)
        if moved != int(n):
            wrong.append(f"{table} {name} {label or ''}={value or ''}: +{moved:g} for +{n}")
        named[name] = named.get(name, 0) + int(n)
    for name in ("bad_requests", "answers"):
        moved = total(after, "listen", name) - total(before, "listen", name)
        if moved > named.get(name, 0):
            wrong.append(f"listen {name}: +{moved:g} in all")
    return wrong


def varnishtest(case, macros, tmp_path):
    options = [word for name, value in macros.items() for word in ("-D", f"{name}={value}")]
    done = subprocess.run(["varnishtest", "-v", "-t", str(LIMIT_S), *options, str(case.path)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": str(tmp_path)}, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def silent():
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_row(path, weir, free_port, silent, tmp_path):
    case = Case(path)
    port, members = free_port(), [free_port() for _ in range(N_MEMBERS)]
    w = weir(case.conf(port, members).replace("${silent}", silent))
    edge = w.pid("edge")
    for line in case.notes["fact"]:
        w.wait_fact(*shlex.split(line))
    before = samples(w)
    macros = {"weir": f"127.0.0.1:{port}", **{f"m{i}": f"127.0.0.1:{p}" for i, p in enumerate(members, 1)}}
    status, log = varnishtest(case, macros, tmp_path)
    assert status == 0, f"{log}\n{w.log()}"
    assert until(lambda: not mistakes(case, before, samples(w)), 5, 0.05), mistakes(case, before, samples(w))
    assert w.pid("edge") == edge, w.log()


def test_the_control(tmp_path):
    """The runner can fail: by what a client sees, by what a member sees, by a counter."""
    def write(text):
        path = tmp_path / "x.vtc"
        path.write_text(f'varnishtest "x"\n{text}\n')
        return Case(path)

    bad = write('# count: listen requests +1\nclient c1 -connect "${m1}" { txreq } -run')
    assert varnishtest(bad, {"m1": "127.0.0.1:1"}, tmp_path)[0] != 0
    numbers = {("listen", "requests", 'listen="shop"'): 1.0, ("listen", "answers", 'reason="late"'): 0.0,
               ("listen", "bad_requests", 'reason="method"'): 0.0}
    more = {**numbers, ("listen", "requests", 'listen="shop"'): 2.0}
    assert mistakes(bad, numbers, more) == []
    assert mistakes(bad, numbers, numbers) != []
    assert mistakes(bad, numbers, {**more, ("listen", "bad_requests", 'reason="method"'): 1.0}) != []
    with pytest.raises(AssertionError):
        write("")


def test_every_file_is_told_of():
    """The table of the README names each file once."""
    told = re.findall(r"`([\w.-]+)\.vtc`", (ROOT / "tests" / "vtc" / "README.md").read_text())
    assert sorted(told) == sorted(path.stem for path in FILES)

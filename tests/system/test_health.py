# SPDX-License-Identifier: Apache-2.0
"""Members that die, hang, lie, come back and move; what health says of them, how soon, and that it goes on
where it was when it is killed or the file changes."""
import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import pytest

import conftest
from conftest import APP, until

CHECK = "check http path /healthz every 200ms timeout 200ms fall 3 rise 2"
CONF = """
pool web {{
    member a 127.0.0.1:{a}
    member b 127.0.0.1:{b}
    {check}
}}
listen shop http 127.0.0.1:{port} {{ route pool web }}
"""
FALL_S = 3 * 0.2 * 1.1 + 0.2
TIMES = 10  # how much slower than it should be a machine may be


class Member:
    """A weir-app that keeps its port when it comes back."""

    def __init__(self, name, port):
        self.name, self.port, self.process = name, port, None
        self.start()

    def start(self):
        self.process = subprocess.Popen([APP, self.name, str(self.port)], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.process.stdout.readline()

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def say(self, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method="POST")
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=10).read()


@pytest.fixture
def member(free_port):
    made = []

    def make(name):
        made.append(Member(name, free_port()))
        return made[-1]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.kill()


def pair(weir, member, free_port, check=CHECK):
    a, b = member("a"), member("b")
    port = free_port()
    w = weir(CONF.format(a=a.port, b=b.port, port=port, check=check))
    w.wait_fact("member:web/a", "up")
    w.wait_fact("member:web/b", "up")
    return w, a, b, port


def get(port, path="/"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def wait_reason(w, name, text):
    assert until(lambda: text in (w.fact(name, check=False) or {}).get("reason", ""), every=0.05), \
        (text, w.fact(name))


def transitions(w, member_name):
    return [line for line in w.log().splitlines() if f"member={member_name} " in line]


def test_killed_and_back(weir, member, free_port):
    w, a, _, port = pair(weir, member, free_port)
    a.kill()
    killed = time.monotonic()
    w.wait_fact("member:web/a", "down")
    assert time.monotonic() - killed < FALL_S * TIMES
    assert w.fact("member:web/a")["reason"] == "connection refused"
    pool = w.fact("pool:web")
    assert (pool["state"], pool["reason"], pool["value"]) == ("degraded", "1/2 up", 1)
    assert "b" in get(port)
    a.start()
    w.wait_fact("member:web/a", "up")
    assert w.fact("member:web/a")["reason"].startswith("HTTP 200 in ")
    w.wait_fact("pool:web", "up")
    log = transitions(w, "web/a")
    assert [line.split("from=")[1].split()[:2] for line in log] == \
        [["unknown", "to=up"], ["up", "to=down"], ["down", "to=up"]], log
    assert log[1].endswith("reason=refused checks=3") and log[2].endswith("reason=ok checks=2"), log


def test_all_down_and_never_up(weir, member, free_port):
    dead = free_port()
    w = weir(CONF.format(a=dead, b=free_port(), port=free_port(), check="check tcp every 30s"))
    # Not judged yet: the first result decides, at once, however long the interval is.
    w.wait_fact("member:web/a", "down")
    w.wait_fact("pool:web", "down")
    assert w.fact("pool:web")["reason"] == "0/2 up"


def test_status_is_not_expected(weir, member, free_port):
    w, a, _, _ = pair(weir, member, free_port)
    a.say("/sick")
    w.wait_fact("member:web/a", "down")
    assert w.fact("member:web/a")["reason"] == "HTTP 503, expected 200..399"
    a.say("/well")
    w.wait_fact("member:web/a", "up")


def test_hangs(weir, member, free_port):
    w, a, _, _ = pair(weir, member, free_port)
    a.send(signal.SIGSTOP)
    try:
        w.wait_fact("member:web/a", "down")
        assert w.fact("member:web/a")["reason"] == "no answer within 200ms"
    finally:
        a.send(signal.SIGCONT)
    w.wait_fact("member:web/a", "up")


@pytest.mark.parametrize("path, reason", [
    ("/garbage", "the answer is not HTTP/1 ("),
    ("/reset", "connection reset"),
    ("/status/404", "HTTP 404, expected 200..399"),
    ("/slow/3000", "no answer within 200ms"),
])
def test_bad_answers(weir, member, free_port, path, reason):
    a, b = member("a"), member("b")
    check = f"check http path {path} every 200ms timeout 200ms"
    w = weir(CONF.format(a=a.port, b=b.port, port=free_port(), check=check))
    w.wait_fact("member:web/a", "down")
    assert w.fact("member:web/a")["reason"].startswith(reason)


@pytest.mark.parametrize("check", [
    "check http path /cut/1000 every 200ms",             # the status is there
    "check http path /bytes/1000000 every 200ms",        # so it is, whatever the body's size
    "check http path /status/404 expect 404 every 1s",
    "check http method HEAD path / every 1s",
    "check tcp every 200ms",
])
def test_good_answers(weir, member, free_port, check):
    w, _, _, _ = pair(weir, member, free_port, check)
    time.sleep(1)
    assert w.fact("pool:web")["state"] == "up"


def test_edges_that_fail_make_health_look(weir, member, free_port):
    """Three checks in a row, 10 s apart, would take 18 s at least."""
    w, a, _, port = pair(weir, member, free_port, "check tcp every 10s fall 3")
    for _ in range(20):
        get(port)
    a.kill()
    killed = time.monotonic()
    while w.fact("member:web/a")["state"] == "up" and time.monotonic() - killed < 16:
        for _ in range(5):
            get(port)  # the other one answers
        time.sleep(0.05)
    assert w.fact("member:web/a")["state"] == "down"


def test_names(weir, member, free_port):
    a, b = member("a"), member("b")
    port = free_port()
    w = weir(f"""
pool web {{
    member a localhost:{a.port}
    member b 127.0.0.1:{b.port}
    member c nobody.invalid:80
    {CHECK}
}}
pool bare {{ member a localhost:{a.port}; member c nobody.invalid:80 }}
listen shop http 127.0.0.1:{port} {{ route path /bare pool bare; route pool web }}
""")
    w.wait_fact("member:web/a", "up")
    address = w.fact("address:web/a")
    assert (address["state"], address["reason"]) == ("resolved", f"127.0.0.1:{a.port}")
    w.wait_fact("member:web/c", "down")
    assert w.fact("member:web/c")["reason"].startswith("name not resolved: ")
    assert w.fact("address:web/c")["state"] == "down"
    assert w.fact("member:bare/a")["reason"] == "not checked"
    w.wait_fact("member:bare/c", "down")
    assert {get(port) for _ in range(8)} == {get(a.port), get(b.port)}
    assert get(port, "/bare") == get(a.port, "/bare")
    a.kill()
    w.wait_fact("member:web/a", "down")


class Dns(threading.Thread):
    """One name, one address."""

    def __init__(self, name, address):
        super().__init__(daemon=True)
        self.question = b"".join(bytes([len(part)]) + part for part in name.encode().split(b".")) + b"\0"
        self.address = address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.is_mute = False

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                packet, peer = self.socket.recvfrom(2048)
                if not self.is_mute:
                    self.socket.sendto(self.answer(packet), peer)

    def answer(self, packet):
        end = packet.index(b"\0", 12) + 5
        is_known = packet[12:end - 4].lower() == self.question
        is_a = packet[end - 4:end - 2] == b"\0\1"
        head = packet[:2] + b"\x81" + (b"\x80" if is_known else b"\x83") + b"\0\1"
        if not (is_known and is_a):
            return head + b"\0\0\0\0\0\0" + packet[12:end]
        record = b"\xc0\x0c\0\1\0\1" + (1).to_bytes(4, "big") + b"\0\4" + socket.inet_aton(self.address)
        return head + b"\0\1\0\0\0\0" + packet[12:end] + record


def has_mount_namespaces():
    return subprocess.run(["unshare", "-m", "--propagation", "private", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not has_mount_namespaces(), reason="a resolv.conf of its own takes a mount namespace")
def test_dns_moves_a_member(weir, free_port, tmp_path, monkeypatch):
    """Under the sandbox as it is: what health asks goes out, and no file is opened."""
    port = free_port()
    apps = [subprocess.Popen([APP, name, str(port), "--bind", address], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
            for name, address in (("first", "127.0.0.31"), ("second", "127.0.0.32"))]
    dns = Dns("app.test", "127.0.0.31")
    dns.start()
    (tmp_path / "resolv.conf").write_text(f"nameserver 127.0.0.1:{dns.port}\n")
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    script = tmp_path / "weir"
    script.write_text(f"""#!/bin/sh
exec unshare -m --propagation private sh -c 'mount --bind {tmp_path}/resolv.conf /etc/resolv.conf &&
mount --bind {tmp_path}/hosts /etc/hosts && exec "$@"' sh {conftest.WEIR} "$@"
""")
    script.chmod(0o755)
    monkeypatch.setattr(conftest, "WEIR", str(script))
    listen = free_port()
    try:
        w = weir(f"""
pool web {{ member a app.test:{port}; {CHECK} }}
listen shop http 127.0.0.1:{listen} {{ route pool web }}
""")
        w.wait_fact("member:web/a", "up")
        assert "first" in get(listen)
        dns.address = "127.0.0.32"
        wait_reason(w, "address:web/a", f"127.0.0.32:{port}")
        assert until(lambda: "second" in get(listen), every=0.05)
        dns.is_mute = True
        wait_reason(w, "address:web/a", f"127.0.0.32:{port} (no answer from DNS)")
        assert w.fact("address:web/a")["state"] == "resolved"
        assert w.fact("member:web/a")["state"] == "up"
        assert "second" in get(listen)
        # Another life begins with the address that was in force.
        w.kill("health", signal.SIGKILL)
        assert w.wait_back("health")
        wait_reason(w, "member:web/a", "HTTP 200 in ")
        assert w.fact("address:web/a")["reason"].startswith(f"127.0.0.32:{port}")
        assert "second" in get(listen)
    finally:
        dns.socket.close()
        for app in apps:
            app.kill()
            app.wait()


def test_another_life_goes_on(weir, member, free_port):
    w, a, _, port = pair(weir, member, free_port)
    a.kill()
    w.wait_fact("member:web/a", "down")
    before = {name: fact for name, fact in w.facts().items() if name.split(":")[0] in ("member", "pool")}
    n_lines = len(transitions(w, "web/a")) + len(transitions(w, "web/b"))
    for _ in range(3):
        w.kill("health", signal.SIGKILL)
        assert w.wait_back("health")
        time.sleep(0.3)
    time.sleep(1)
    after = w.facts()
    for name, fact in before.items():
        assert (after[name]["state"], after[name]["since"]) == (fact["state"], fact["since"]), name
    assert len(transitions(w, "web/a")) + len(transitions(w, "web/b")) == n_lines, w.log()
    assert "b" in get(port)
    # It is not only remembered: what changes is seen.
    a.start()
    w.wait_fact("member:web/a", "up")


def test_reload_keeps_what_is_known(weir, member, free_port):
    w, a, b, port = pair(weir, member, free_port)
    c = member("c")
    a.kill()
    w.wait_fact("member:web/a", "down")
    before = w.facts()
    text = f"""
pool web {{
    member a 127.0.0.1:{a.port}
    member b 127.0.0.1:{b.port} weight 7
    member c 127.0.0.1:{c.port}
    {CHECK}
}}
pool more {{ member c localhost:{c.port} }}
listen shop http 127.0.0.1:{port} {{ route path /more pool more; route pool web }}
"""
    w.write(text)
    w.reload()
    after = w.facts()
    for name in ("member:web/a", "member:web/b", "pool:web"):
        assert (after[name]["state"], after[name]["since"]) == \
            (before[name]["state"], before[name]["since"]), name
    assert after["member:web/b"]["value"] == 7
    w.wait_fact("member:web/c", "up")
    w.wait_fact("member:more/c", "up")

    # Members that are gone leave nothing; one that has moved is judged by its first check.
    w.write(text.replace(f"member c 127.0.0.1:{c.port}\n", "")
            .replace(f"pool more {{ member c localhost:{c.port} }}", "")
            .replace("route path /more pool more; ", "")
            .replace(f"member a 127.0.0.1:{a.port}", f"member a 127.0.0.1:{c.port}"))
    w.reload()
    facts = w.facts()
    gone = {"member:web/c", "member:more/c", "address:more/c", "pool:more"}
    assert not gone & set(facts), sorted(facts)
    w.wait_fact("member:web/a", "up")
    w.wait_fact("pool:web", "up")


def test_many_reloads_do_not_stop_a_check(weir, member, free_port):
    """A check that runs goes on over a commit, so that a member which hangs is still found."""
    w, a, b, port = pair(weir, member, free_port,
                         "check http path /healthz every 500ms timeout 500ms fall 2")
    a.send(signal.SIGSTOP)
    try:
        deadline = time.monotonic() + 20
        while w.fact("member:web/a")["state"] == "up" and time.monotonic() < deadline:
            w.reload()
        assert w.fact("member:web/a")["reason"] == "no answer within 500ms"
        assert w.fact("member:web/a")["state"] == "down"
    finally:
        a.send(signal.SIGCONT)


def test_many_members_leak_nothing(weir, member, free_port):
    a = member("a")
    members = "\n".join(f"member m{i} 127.0.{i // 250}.{i % 250 + 1}:{a.port}" for i in range(250))
    w = weir(f"""
pool web {{
{members}
check tcp every 200ms timeout 200ms
}}
listen shop http 127.0.0.1:{free_port()} {{ route pool web }}
""")
    health = w.pid("health")
    assert until(lambda: w.fact("pool:web", check=False) and
                 "not judged" not in w.fact("pool:web")["reason"])
    time.sleep(1)
    counts = []
    for _ in range(20):
        counts.append(len(os.listdir(f"/proc/{health}/fd")))
        time.sleep(0.1)
    assert min(counts) < 60, counts  # between checks nothing stays open

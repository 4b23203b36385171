# SPDX-License-Identifier: Apache-2.0
"""Stickiness from a client's side: curl with its cookie jar, and members that come and go."""

import itertools
import re
import subprocess

import pytest
from conftest import until
from http_serve import counters

POOL = """
secret-file secret
processes {{ edge {loops} }}
pool web {{ {members}
    check http path /healthz every 1s timeout 1s fall 3 rise 1 }}
listen shop http 127.0.0.1:{port} {{ sticky {sticky}; route pool web }}
"""
SECRET = "5f3c9a1be07d42886c1f0e9b7a6d5c4b3a2918f7e6d5c4b3a29180f1e2d3c4b5\n"
OTHER = "a0b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d8e9f\n"


NUMBERS = itertools.count()


class Browser:
    """curl with a cookie jar."""

    def __init__(self, folder, port, *args):
        self.jar = folder / f"jar{next(NUMBERS)}"
        self.url = f"http://127.0.0.1:{port}"
        self.args = args

    def ask(self, path="/echo", *args, check=True):
        """Head and body of the answer; for /echo the body is the request as the member got it."""
        command = ["curl", "-sS", "-i", "--max-time", "20", "-b", self.jar, "-c", self.jar, *self.args, *args,
                   self.url + path]
        said = subprocess.run(command, check=check, stdout=subprocess.PIPE, timeout=30).stdout.decode()
        self.head, _, self.body = said.partition("\r\n\r\n")
        return self

    def member(self):
        found = re.search(r"(?im)^x-app: *(\S+)", self.ask().head)
        assert found, self.head
        return found.group(1)

    def cookie(self):
        text = self.jar.read_text() if self.jar.exists() else ""
        found = re.search(r"\tWEIR\t(\S+)", text)
        return found and found.group(1)


@pytest.fixture
def scene(weir, apps, free_port, tmp_path):
    class Scene:
        port = free_port()

        def __init__(self):
            self.apps = {name: apps(name) for name in ("a", "b", "c")}

        def text(self, sticky, loops=2, names="abc", port=None):
            members = "; ".join(f"member {n} 127.0.0.1:{self.apps[n].port}" for n in names)
            return POOL.format(members=members, port=port or self.port, sticky=sticky, loops=loops)

        def start(self, sticky="cookie WEIR", secret=SECRET, **options):
            w = weir(self.text(sticky, **options), start=False)
            (w.folder / "secret").write_text(secret)
            (w.folder / "secret").chmod(0o600)
            w.start()
            for name in options.get("names", "abc"):
                w.wait_fact(f"member:web/{name}", "up")
            return w

        def browser(self, *args, port=None):
            return Browser(tmp_path, port or self.port, *args)

    return Scene()


def sticky_count(w, state):
    return counters(w)[f'weir_listen_sticky_total{{listen="shop",state="{state}"}}']


# ---- a client's life --------------------------------------------------------------------------------------------


def test_clients_stay(scene):
    w = scene.start()
    browsers = [scene.browser() for _ in range(9)]
    first = [browser.member() for browser in browsers]
    assert len(set(first)) == 3  # spread as ever
    for _ in range(4):
        assert [browser.member() for browser in browsers] == first
    assert sticky_count(w, "new") == 9 and sticky_count(w, "held") == 36


def test_what_is_set(scene):
    scene.start()
    browser = scene.browser()
    browser.ask()
    line = re.search(r"(?m)^Set-Cookie: (.*)\r$", browser.head + "\r\n").group(1)
    assert re.fullmatch(r"WEIR=v1\.[\w-]{4}\.[\w-]+\.[\w-]{22}; Path=/; HttpOnly; SameSite=Lax", line)
    assert "Cache-Control: private" in browser.head
    browser.ask()
    assert "Set-Cookie" not in browser.head and "Cache-Control" not in browser.head


def test_the_application_does_not_see_it(scene):
    scene.start()
    browser = scene.browser()
    browser.member()
    browser.ask("/echo", "-H", "Cookie: own=1; last=2", "-H", "X-Weir-Moved: 1")
    assert "WEIR" not in browser.body and "X-Weir-Moved" not in browser.body
    assert "own=1" in browser.body and "last=2" in browser.body
    assert "Set-Cookie" not in browser.head


def test_a_member_goes_down_and_its_clients_move(scene):
    w = scene.start()
    browsers = [scene.browser() for _ in range(6)]
    first = [browser.member() for browser in browsers]
    gone = first[0]
    scene.apps[gone].stop()
    w.wait_fact(f"member:web/{gone}", "down")
    for browser, before in zip(browsers, first):
        member = browser.member()
        if before != gone:
            assert member == before and "X-Weir-Moved" not in browser.body
            continue
        assert member != gone
        assert "X-Weir-Moved: 1" in browser.body and "Set-Cookie: WEIR=" in browser.head
        assert browser.member() == member  # the cookie has followed
        assert "X-Weir-Moved" not in browser.body
    assert sticky_count(w, "moved") == first.count(gone)


def test_a_member_that_dies_under_a_request(scene):
    """Not known to be down yet: tried, found dead, moved within the same request."""
    scene.start()
    browser = scene.browser()
    gone = browser.member()
    scene.apps[gone].stop()
    assert browser.member() != gone
    assert "X-Weir-Moved: 1" in browser.body and "Set-Cookie: WEIR=" in browser.head


def test_draining_keeps_who_is_there(scene):
    w = scene.start()
    old = scene.browser()
    member = old.member()
    w.command("drain", f"member:web/{member}", "timeout", "5m", "--no-wait")
    w.wait_fact(f"member:web/{member}", "draining")
    for _ in range(6):
        assert old.member() == member
        assert scene.browser().member() != member
    seen = counters(w)[f'weir_member_session_used_seconds{{pool="web",member="{member}"}}']
    assert seen > 1_700_000_000


def test_a_drain_ends_when_sessions_are_unused(scene):
    w = scene.start()
    browser = scene.browser()
    member = browser.member()
    w.command("drain", f"member:web/{member}", "timeout", "3s", "--no-wait")
    w.wait_fact(f"member:web/{member}", "draining")
    assert "session" in w.fact(f"drain:member/web/{member}")["reason"]
    w.wait_fact(f"drain:member/web/{member}", "drained")
    w.wait_fact(f"member:web/{member}", "down")
    assert browser.member() != member
    assert "X-Weir-Moved: 1" in browser.body


def test_a_member_taken_out_of_the_file(scene):
    w = scene.start()
    browsers = [scene.browser() for _ in range(6)]
    first = [browser.member() for browser in browsers]
    w.write(scene.text("cookie WEIR", names="bc"))
    w.reload()
    for browser, before in zip(browsers, first):
        member = browser.member()
        assert member == before or before == "a"
        assert ("X-Weir-Moved: 1" in browser.body) == (before == "a")
    assert sticky_count(w, "gone") == first.count("a")


# ---- what it does not depend on ----------------------------------------------------------------------------------


def test_two_nodes_reload_and_restart(scene, free_port):
    w = scene.start(loops=1)
    other_port = free_port()
    other = scene.start(port=other_port, loops=2)
    browsers = [scene.browser() for _ in range(6)]
    first = [browser.member() for browser in browsers]
    for browser in browsers:
        browser.url = f"http://127.0.0.1:{other_port}"
    assert [browser.member() for browser in browsers] == first
    other.write(scene.text("cookie WEIR", port=other_port, names="cab"))  # another order
    other.reload()
    assert [browser.member() for browser in browsers] == first
    other.stop()
    other.start()
    for name in "abc":
        other.wait_fact(f"member:web/{name}", "up")
    assert [browser.member() for browser in browsers] == first
    assert sticky_count(other, "new") == 0
    assert w.fact("listen:shop")["state"] == "serving"


def test_the_secret_changes(scene):
    w = scene.start()
    browsers = [scene.browser() for _ in range(6)]
    first = [browser.member() for browser in browsers]
    cookies = [browser.cookie() for browser in browsers]
    (w.folder / "secret").write_text(OTHER + SECRET)
    w.reload()
    assert [browser.member() for browser in browsers] == first
    assert [browser.cookie() for browser in browsers] == cookies
    (w.folder / "secret").write_text(OTHER)
    w.reload()
    for browser, before in zip(browsers, cookies):
        browser.member()
        assert browser.cookie() != before
    assert sticky_count(w, "no_key") == 6
    assert [browser.member() for browser in browsers] == [browser.member() for browser in browsers]


def test_forged_ones_are_replaced(scene):
    w = scene.start()
    browser = scene.browser()
    browser.member()
    good = browser.cookie()
    bad = good[:-1] + ("A" if good[-1] != "A" else "B")
    for value in (bad, "a", "v1.AAAA.AAAA.AAAA", "10.0.0.1:80"):
        stranger = scene.browser("-H", f"Cookie: WEIR={value}")
        stranger.ask()
        assert "Set-Cookie: WEIR=v1." in stranger.head and "X-Weir-Moved" not in stranger.body
    assert sticky_count(w, "forged") == 4


# ---- by source and by header --------------------------------------------------------------------------------------


def test_by_header(scene):
    w = scene.start("header X-User")
    browsers = {n: scene.browser("-H", f"X-User: user{n}") for n in range(20)}
    first = {n: browser.member() for n, browser in browsers.items()}
    assert len(set(first.values())) == 3
    assert {n: browser.member() for n, browser in browsers.items()} == first
    assert not any(browser.cookie() for browser in browsers.values())
    gone = first[0]
    scene.apps[gone].stop()
    w.wait_fact(f"member:web/{gone}", "down")
    after = {n: browser.member() for n, browser in browsers.items()}
    assert all(after[n] == first[n] for n in browsers if first[n] != gone)  # the others do not move
    assert gone not in after.values()


def test_by_source(scene):
    scene.start("source")
    members = {ip: scene.browser("--interface", ip).member() for ip in ("127.0.0.1", "127.0.0.2", "127.0.0.3")}
    for ip, member in members.items():
        for _ in range(4):
            assert scene.browser("--interface", ip).member() == member


def test_sides_of_a_split(weir, apps, free_port, tmp_path):
    port = free_port()
    one, two = apps("one"), apps("two")
    weir(f"""
pool blue {{ member a 127.0.0.1:{one.port} }}
pool green {{ member a 127.0.0.1:{two.port} }}
listen shop http 127.0.0.1:{port} {{ sticky cookie WEIR; route split blue 50% green 50% }}
""")
    browsers = [Browser(tmp_path, port) for _ in range(16)]
    first = [browser.member() for browser in browsers]
    assert set(first) == {"one", "two"}
    for _ in range(3):
        assert [browser.member() for browser in browsers] == first


def test_idle_sessions_end(scene):
    w = scene.start("cookie WEIR idle 10s life 20s")
    browser = scene.browser()
    browser.member()
    before = browser.cookie()

    def is_worn():
        browser.member()
        return browser.cookie() != before

    until(is_worn, timeout=60, every=0.3)  # an eighth of 10 s: a new cookie for the same session
    assert sticky_count(w, "new") == 1 and sticky_count(w, "expired") == 0

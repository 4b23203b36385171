# SPDX-License-Identifier: Apache-2.0
"""What the operator does to a running weir: drain, force, weights; kept across reload, restart and the death of
admin; and what a tired person is told who mistypes."""

import http.client
import json
import os
import pathlib
import pty
import signal
import socket
import subprocess
import termios
import time

import pytest

from conftest import WEIR, until

CONF = """
listen shop http 127.0.0.1:{port} {{ route pool web }}
pool web {{
    check http path / every 200ms
    member app1 127.0.0.1:{app1}
    member app2 127.0.0.1:{app2} weight 2
}}
pool api {{ member app1 127.0.0.1:{app1}; member only 127.0.0.1:{app2} }}
"""


@pytest.fixture
def ops(weir, apps, free_port):
    """A weir with two pools over two applications."""
    one, two = apps("app1"), apps("app2")
    text = CONF.format(port=free_port(), app1=one.port, app2=two.port)
    made = weir(text)
    made.text = text
    return made


def state_of(one, name):
    fact = one.fact(name, check=False)
    return fact and fact["state"]


def test_forced_facts(ops):
    """Each command states its fact, and its end takes it away."""
    said = ops.command("drain", "member:web/app1", "timeout", "3s", "--no-wait").stdout
    assert "weir undrain member:web/app1" in said
    assert state_of(ops, "drain:member/web/app1") in ("draining", "drained")
    ops.command("undrain", "web/app1")
    assert state_of(ops, "force:web/app1") is None
    assert state_of(ops, "drain:member/web/app1") is None
    ops.command("force", "only", "down")
    assert state_of(ops, "force:api/only") == "down"
    ops.command("force", "only", "up")
    assert state_of(ops, "force:api/only") == "up"
    ops.command("force", "only", "auto")
    assert state_of(ops, "force:api/only") is None
    ops.command("weight", "member:web/app2", "7")
    assert ops.fact("weight:web/app2")["value"] == 7
    assert "file again, 2" in ops.command("weight", "member:web/app2", "default").stdout
    assert state_of(ops, "weight:web/app2") is None


def test_kept(ops):
    """What is forced outlives a reload, the death of admin, and weir itself."""
    ops.command("drain", "web/app1", "--no-wait")
    ops.command("force", "api/only", "down")
    ops.command("weight", "web/app2", "7")

    def is_kept():
        facts = ops.facts(check=False)
        return ("force:web/app1" in facts and "drain:member/web/app1" in facts
                and facts.get("force:api/only", {}).get("state") == "down"
                and facts.get("weight:web/app2", {}).get("value") == 7)

    assert is_kept()
    ops.reload()
    assert is_kept()
    ops.kill("admin", signal.SIGKILL)
    assert ops.wait_back("admin")
    assert until(is_kept), ops.facts()
    assert ops.stop() == 0
    ops.start()
    assert is_kept(), ops.facts()


def test_gone_member_is_forgotten(ops):
    ops.command("force", "api/only", "down")
    ops.write(ops.text.replace("; member only", "; member other"))
    ops.reload()
    assert until(lambda: state_of(ops, "force:api/only") is None)
    ops.wait_log("member:api/only is configured no more")
    ops.write(ops.text)
    ops.reload()
    assert state_of(ops, "force:api/only") is None


@pytest.mark.parametrize("damage", ["cut", "hostile", "folder", "huge", "link"])
def test_bad_file_stops_no_start(ops, damage):
    ops.command("force", "api/only", "down")
    assert ops.stop() == 0
    path = ops.state / "forced"
    before = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(before[:-3])
    elif damage == "hostile":
        path.write_bytes(b"weir-forced 1\ndown ../../etc/passwd 1\n\x00\xff" * 50)
    elif damage == "folder":
        path.mkdir()
    elif damage == "huge":
        path.write_bytes(b"a" * (2 << 20))
    else:
        path.symlink_to("/etc/passwd")
    if os.geteuid() == 0 and not path.is_symlink():
        os.chown(path, ops.state.stat().st_uid, ops.state.stat().st_gid)
    ops.start()
    ops.wait_log("set aside as forced.bad")
    assert state_of(ops, "force:api/only") is None
    assert (ops.state / "forced.bad").exists() or (ops.state / "forced.bad").is_symlink()
    ops.command("force", "api/only", "up")
    assert pathlib.Path(ops.state / "forced").read_bytes().startswith(b"weir-forced 1\nup api/only ")


MISTAKES = [
    (("drain", "app1"), 1, "may be member:web/app1 or member:api/app1"),
    (("drain", "web/ap1"), 1, "did you mean member:web/app1?"),
    (("drain", "web"), 1, "is a pool; say which member"),
    (("drain", "node:a"), 1, "the file has no nodes"),
    (("drain", "vip:front"), 1, "there is no vip"),
    (("force", "vip:front", "up"), 1, "a vip may drain"),
    (("weight", "node:a", "1"), 1, "a node may drain"),
    (("drain", "listen:shop"), 1, "with members of pools"),
    (("drain", "zone:x"), 1, "a member is member:POOL/NAME"),
    (("drain",), 2, "usage: weir drain"),
    (("drain", "web/app1", "timout", "5s"), 2, "timeout TIME"),
    (("drain", "web/app1", "timeout", "5x", "--no-wait"), 1, "there are ms s m h d"),
    (("drain", "web/app1", "timeout", "9d", "--no-wait"), 1, "limit"),
    (("force", "only", "sideways"), 1, "up or down, or auto"),
    (("force", "only"), 2, "weir force: up|down|auto is missing\nusage: weir force"),
    (("weight", "web/app2", "257"), 1, "from 0 to 256"),
    (("weight", "web/app2", "-1"), 2, "there is no option -1"),
    (("weight", "web/app2", "much"), 1, "weight:"),
    (("undrian", "only"), 2, 'did you mean "undrain"?'),
]


def test_mistakes(ops):
    """Nothing of it changes anything, and each is told what would be right."""
    before = {name for name in ops.facts() if name.split(":")[0] in ("force", "weight", "drain")}
    for words, status, sentence in MISTAKES:
        done = ops.command(*words, check=False)
        assert (done.returncode, sentence in done.stderr) == (status, True), (words, done)
    after = {name for name in ops.facts() if name.split(":")[0] in ("force", "weight", "drain")}
    assert before == after == set()


def test_mistakes_over_http(ops):
    """The same over the API: a status and a sentence, whatever the body."""
    def post(path, body):
        client = http.client.HTTPConnection("localhost")
        client.sock = socket.socket(socket.AF_UNIX)
        client.sock.connect(str(ops.state / "admin.sock"))
        client.request("POST", path, body=body)
        answer = client.getresponse()
        return answer.status, json.loads(answer.read())["error"]

    for body, status, sentence in [
            (b"", 400, "no JSON object"),
            (b"[]", 400, "no JSON object"),
            (b"{\"target\": \"only\", \"target\": \"only\"}", 400, "no JSON object"),
            (b"{}", 400, "\"target\" is wanted"),
            (b"{\"target\": 5}", 400, "\"target\" is wanted"),
            (b"{\"target\": \"only\", \"tiemout\": \"5s\"}", 400, "tiemout"),
            (b"{\"target\": \"nobody\"}", 404, "there is no member"),
            (b"{\"target\": \"\"}", 404, "there is no member"),
            (b"{\"target\": \"node:a\"}", 404, "the file has no nodes"),
            (b"{\"target\": \"pool:web\"}", 422, "with members of pools")]:
        got = post("/v1/drain", body)
        assert (got[0], sentence in got[1]) == (status, True), (body, got)
    assert post("/v1/weight", b'{"target": "only", "weight": 1.5}')[0] == 400
    assert post("/v1/weight", b'{"target": "only", "weight": -1}')[0] == 400
    assert post("/v1/force", b'{"target": "only", "state": "up\\u0000"}')[0] == 400


# --- members at run time ---------------------------------------------------------------------------------------


def members(one, pool="web"):
    (found,) = [p for p in one.status()["pools"] if p["name"] == pool]
    return [member["name"] for member in found["members"]]


def test_members_at_run_time(ops, apps):
    """Added and removed, kept across reload, death of admin and restart, printed for the file."""
    address = f"127.0.0.1:{apps('app9').port}"
    ops.command("member", "add", "web", "app9", address, "weight", "3")
    ops.command("member", "remove", "web/app2")

    def is_so():
        return members(ops) == ["app1", "app9"]

    assert is_so()
    ops.reload()
    assert is_so()
    ops.kill("admin", signal.SIGKILL)
    assert ops.wait_back("admin")
    assert is_so()
    assert ops.stop() == 0
    ops.start()
    assert is_so()
    printed = ops.command("runtime").stdout
    assert f"    member app9 {address} weight 3\n" in printed
    assert "    # member app2 127.0.0.1:" in printed
    # What was printed, put into the file, is taken over without a word of warning.
    lines = ops.text.splitlines(keepends=True)
    lines = [line for line in lines if "member app2" not in line]
    lines.insert(-2, f"    member app9 {address} weight 3\n")
    ops.write("".join(lines))
    assert "warning" not in ops.reload().stdout
    assert is_so()
    assert json.loads(ops.command("runtime", "--json").stdout)["changes"] == []
    # Back as it was.
    ops.command("member", "remove", "web/app9")
    ops.command("member", "add", "web", "app9", address, "weight", "3")
    assert json.loads(ops.command("runtime", "--json").stdout)["changes"] == []


def test_the_file_wins(ops):
    address = ops.status()["pools"][0]["members"][0]["address"]
    ops.command("member", "add", "web", "app9", address)
    ops.command("member", "remove", "web/app2")
    ops.write(ops.text.replace(" weight 2", f" weight 3; member app9 {address} weight 5"))
    said = ops.reload().stdout
    assert "member web/app9 was added at run time, but the file has one of that name now" in said
    assert "member web/app2 was removed at run time, but the file has changed it since" in said
    assert members(ops) == ["app1", "app2", "app9"]
    assert "has changed it since" in ops.command("status").stdout
    assert until(lambda: (ops.state / "runtime.weir").read_text() == "runtime 1\n")


def test_refused_members_change_nothing(ops):
    before = ops.status()["generation"]
    for words, status, sentence in [
            (("add", "wbe", "x", "127.0.0.1:1"), 1, 'did you mean "web"?'),
            (("add", "web", "app1", "127.0.0.1:1"), 1, "there is a member:web/app1 already"),
            (("add", "web", "x", "127.0.0.1:1", "wieght", "2"), 1, 'did you mean "weight"?'),
            (("add", "web", "x", "127.0.0.1:1", "weight", "2000"), 1, "at most 256"),
            (("add", "web", ".x", "127.0.0.1:1"), 1, "is not a name"),
            (("add", "web", "x", "127.0.0.1:1 }\npool q {"), 1, "nothing has changed"),
            (("add", "web", "x"), 2, "add POOL NAME ADDRESS"),
            (("remove", "web/ap1"), 1, "did you mean member:web/app1?"),
            (("change", "web/app1"), 2, "add POOL NAME ADDRESS")]:
        done = ops.command("member", *words, check=False)
        assert (done.returncode, sentence in done.stderr) == (status, True), (words, done)
    assert ops.status()["generation"] == before
    assert not (ops.state / "runtime.weir").exists()
    # The file itself has a mistake: that is what is told, and the change is taken back.
    ops.write(ops.text + "nonsense\n")
    done = ops.command("member", "add", "web", "x", "127.0.0.1:1", check=False)
    assert done.returncode == 1 and 'unknown word "nonsense"' in done.stderr
    ops.write(ops.text)
    ops.reload()
    assert members(ops) == ["app1", "app2"]


@pytest.mark.parametrize("damage", ["cut", "other", "include", "link", "folder"])
def test_bad_overlay_stops_no_start(ops, damage):
    address = ops.status()["pools"][0]["members"][0]["address"]
    ops.command("member", "add", "web", "app9", address)
    assert ops.stop() == 0
    path = ops.state / "runtime.weir"
    owner = path.stat()
    before = path.read_text()
    path.unlink()
    if damage == "cut":
        path.write_text(before[:-3])
    elif damage == "other":
        path.write_text("runtime 1\nlisten evil http 127.0.0.1:1 { respond 200 }\n")
    elif damage == "include":
        path.write_text("runtime 1\ninclude /etc/shadow\n")
    elif damage == "link":
        path.symlink_to("/etc/shadow")
    else:
        path.mkdir()
    os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    ops.start()
    ops.wait_log("set aside as runtime.weir.bad")
    assert "root:" not in ops.log()
    assert members(ops) == ["app1", "app2"]
    ops.command("member", "add", "web", "app9", address)
    assert members(ops) == ["app1", "app2", "app9"]


# --- explain, completion, top ----------------------------------------------------------------------------------


def test_explain(ops):
    url = f"http://127.0.0.1:{ops.status()['listens'][0]['address'].rpartition(':')[2]}/x"
    ops.command("force", "web/app1", "down")
    ops.wait_fact("member:web/app1", "down")
    said = ops.command("explain", f"GET {url}", "from", "10.0.0.9", "header", "X-Odd: a&b=%41+c").stdout
    assert "takes it" in said and "pool web" in said
    (listen,) = json.loads(ops.command("explain", url, "--json").stdout)["listens"]
    (pool,) = listen["pools"]
    may = {member["member"]: member["may"] for member in pool["members"]}
    assert may == {"app1": False, "app2": True}
    # The file alone knows nothing of what is forced.
    done = ops.command("explain", url, "--json", "--file", str(ops.file))
    (pool,) = json.loads(done.stdout)["listens"][0]["pools"]
    assert all(member["may"] for member in pool["members"])
    for words, status, sentence in [
            (("GET nowhere",), 1, "URL"),
            ((url, "from", "1.2.3"), 1, "from:"),
            ((url, "form", "1.2.3.4"), 2, "from ADDR"),
            ((url, "from"), 2, "from ADDR"),
            ((url, "--file", "missing.weir"), 1, "missing.weir"),
            ((url, "listen", "nobody"), 1, "nobody")]:
        done = ops.command("explain", *words, check=False)
        assert (done.returncode, sentence in done.stderr) == (status, True), (words, done)


def test_completion(ops):
    names = ops.command("help").stdout
    names = [line.split()[1] for line in names.splitlines() if line.startswith("  weir ")]
    script = subprocess.run([WEIR, "completion", "bash"], capture_output=True, text=True, check=True).stdout

    def complete(*words):
        test = f'{script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weir; printf "%s\\n" "${{COMPREPLY[@]}}"'
        path = f"{os.path.dirname(WEIR)}:{os.environ['PATH']}"
        done = subprocess.run(["bash", "-c", test, "bash", *words], capture_output=True, text=True, check=True,
                              env={**os.environ, "PATH": path, "WEIR_STATE": str(ops.state)})
        return done.stdout.split()

    assert complete("weir", "") == names
    assert complete("weir", "dr") == ["drain"]
    assert set(complete("weir", "drain", "")) == {"timeout", "--no-wait", "--state", "web/app1", "web/app2",
                                                  "api/app1", "api/only"}
    assert complete("weir", "drain", "api/o") == ["api/only"]
    assert complete("weir", "force", "only", "u") == ["up"]
    assert complete("weir", "force", "only", "down", "t") == ["ttl"]
    assert complete("weir", "explain", "d") == ["dns"]
    assert complete("weir", "explain", "dns", "www.example.org", "AAA") == ["AAAA"]
    assert complete("weir", "explain", "dns", "www.example.org", "A", "f") == ["from"]
    assert complete("weir", "status", "--state", str(ops.state)[:-2]) == [str(ops.state)]
    for shell in ("zsh", "fish"):
        script = subprocess.run([WEIR, "completion", shell], capture_output=True, text=True, check=True).stdout
        assert all(name in script for name in names)


@pytest.mark.parametrize("end", ["q", "int", "term"])
def test_top_gives_the_terminal_back(ops, end):
    """It shows the status, and the terminal is as it was after every end."""
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    top = subprocess.Popen([WEIR, "top", "--state", str(ops.state)], stdin=theirs, stdout=theirs, stderr=theirs,
                           env={**os.environ, "TERM": "xterm"})
    seen = b""
    os.set_blocking(ours, False)

    def has_seen(*texts):
        nonlocal seen
        try:
            seen += os.read(ours, 65536)
        except BlockingIOError:
            pass
        return all(text in seen for text in texts)

    assert until(lambda: has_seen(b"\x1b[?1049h", b"pool web", b"app2")), seen
    assert termios.tcgetattr(theirs) != before
    if end == "q":
        os.write(ours, b"xq")
    else:
        top.send_signal({"int": signal.SIGINT, "term": signal.SIGTERM}[end])
    assert until(lambda: has_seen(b"\x1b[?1049l") and top.poll() is not None), seen
    assert top.returncode == 0 and termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)
    done = ops.command("top", check=False)
    assert done.returncode == 1 and "no terminal" in done.stderr


# --- under load ------------------------------------------------------------------------------------------------

LOADED = """
processes {{ edge 2 }}
listen shop http 127.0.0.1:{port} {{ route pool web }}
pool web {{
    check http path /healthz every 200ms
    member app1 127.0.0.1:{app1}
    member app2 127.0.0.1:{app2}
    member app3 127.0.0.1:{app3}
}}
"""
FAILURES = ("refused", "broken", "status", "body", "late")


class Load:
    """weir-client over keep-alive connections until the test is done; not one of its requests may fail."""

    def __init__(self, tools, port):
        self.until = time.monotonic() + 1
        self.client = subprocess.Popen(
            [tools / "weir-client", str(port), "/bytes/1024", "60", "120", "1500"],
            stdout=subprocess.PIPE, text=True)

    def end(self):
        """Behind a second at least, however quick the test was."""
        time.sleep(max(0, self.until - time.monotonic()))
        self.client.terminate()
        counts = json.loads(self.client.communicate(timeout=90)[0])
        assert {key: counts[key] for key in FAILURES} == dict.fromkeys(FAILURES, 0), counts
        assert counts["ok"] > 100, counts


@pytest.fixture
def loaded(weir, apps, free_port):
    made = {name: apps(name) for name in ("app1", "app2", "app3")}
    port = free_port()
    one = weir(LOADED.format(port=port, **{name: app.port for name, app in made.items()}))
    one.port, one.apps = port, made
    return one


def count(one, name, key="requests", pool="web"):
    (found,) = [p for p in one.status()["pools"] if p["name"] == pool]
    (member,) = [m for m in found["members"] if m["name"] == name]
    return member[key]


def rest(one, name):
    """True when the member has got nothing for a while."""
    before = count(one, name)
    time.sleep(0.7)
    return count(one, name) == before


def test_drain_under_load(loaded, tools):
    """A member is drained and switched off; no client notices, and admin dies in the middle of it."""
    load = Load(tools, loaded.port)
    assert until(lambda: count(loaded, "app1") > 50)
    drain = subprocess.Popen([WEIR, "drain", "web/app1", "--state", str(loaded.state)], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    loaded.wait_fact("force:web/app1", "draining")
    loaded.kill("admin", signal.SIGKILL)
    said, complaint = drain.communicate(timeout=60)
    assert drain.returncode == 0 and "is drained" in said, (said, complaint)
    loaded.wait_fact("drain:member/web/app1", "drained")
    loaded.wait_fact("member:web/app1", "down")
    assert rest(loaded, "app1")
    loaded.apps["app1"].stop()
    load.end()
    assert "drained" in loaded.command("status").stdout


def test_drain_waits_for_what_is_in_flight(loaded):
    """A slow answer keeps the drain from ending; interrupting the command does not end it."""
    with socket.create_connection(("127.0.0.1", loaded.port)) as slow:
        slow.sendall(b"GET /slow/4000 HTTP/1.1\r\nHost: a\r\n\r\n")
        busy = until(lambda: [n for n in loaded.apps if count(loaded, n, "in_flight") == 1])
        assert busy, loaded.status()["pools"]
        drain = subprocess.Popen([WEIR, "drain", f"web/{busy[0]}", "--state", str(loaded.state)],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        fact = f"drain:member/web/{busy[0]}"
        loaded.wait_fact(fact, "draining")
        assert "1 in flight" in until(lambda: loaded.fact(fact)["reason"])
        drain.send_signal(signal.SIGINT)
        said, complaint = drain.communicate(timeout=60)
        assert drain.returncode == 1 and "goes on draining" in complaint, (said, complaint)
        assert loaded.fact(fact)["state"] == "draining"
        slow.settimeout(30)
        assert slow.recv(4096).startswith(b"HTTP/1.1 200")
    loaded.wait_fact(fact, "drained")


def test_force_under_load(loaded, tools):
    load = Load(tools, loaded.port)
    assert until(lambda: count(loaded, "app1") > 50)
    loaded.command("force", "web/app1", "down")
    loaded.wait_fact("member:web/app1", "down")
    assert until(lambda: rest(loaded, "app1"))
    loaded.command("force", "web/app1", "auto")
    loaded.wait_fact("member:web/app1", "up")
    load.end()


def test_weight_under_load(loaded, tools):
    """Nothing takes a member out, more brings it more, and its end gives it back what the file says."""
    load = Load(tools, loaded.port)
    assert until(lambda: count(loaded, "app1") > 50)
    loaded.command("weight", "web/app2", "0")
    loaded.command("weight", "web/app3", "9")
    assert until(lambda: loaded.fact("member:web/app3")["value"] == 9)
    assert until(lambda: rest(loaded, "app2"))
    before = {name: count(loaded, name) for name in ("app1", "app3")}
    assert until(lambda: count(loaded, "app3") - before["app3"] > 100)
    gained = {name: count(loaded, name) - before[name] for name in before}
    assert gained["app3"] > 3 * gained["app1"], gained
    before = count(loaded, "app2")
    loaded.command("weight", "web/app2", "default")
    assert until(lambda: count(loaded, "app2") > before)
    load.end()


def test_members_under_load(loaded, tools, apps):
    load = Load(tools, loaded.port)
    for i in range(4):
        loaded.command("member", "add", "web", f"new{i}", f"127.0.0.1:{apps(f'new{i}').port}")
        if i == 2:
            loaded.kill("admin", signal.SIGKILL)
            assert loaded.wait_back("admin")
        assert until(lambda: count(loaded, f"new{i}") > 0)
        loaded.command("member", "remove", "web/app1" if i == 0 else f"web/new{i - 1}")
    load.end()
    assert members(loaded) == ["app2", "app3", "new3"]

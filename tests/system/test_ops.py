# SPDX-License-Identifier: Apache-2.0
"""What the operator does to a running weir: drain, force, weights; kept across reload, restart and the death of
admin; and what a tired person is told who mistypes."""

import http.client
import json
import os
import pathlib
import signal
import socket

import pytest

from conftest import until

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
    (("drain", "node:a"), 1, "members of pools only"),
    (("drain", "listen:shop"), 1, "members of pools only"),
    (("drain", "zone:x"), 1, "a member is member:POOL/NAME"),
    (("drain",), 2, "usage: weir drain"),
    (("drain", "web/app1", "timout", "5s"), 2, "timeout TIME"),
    (("drain", "web/app1", "timeout", "5x", "--no-wait"), 1, "there are ms s m h d"),
    (("drain", "web/app1", "timeout", "9d", "--no-wait"), 1, "limit"),
    (("force", "only", "sideways"), 1, "up or down, or auto"),
    (("force", "only"), 2, "something is missing"),
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
            (b"{\"target\": \"node:a\"}", 422, "members of pools only")]:
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

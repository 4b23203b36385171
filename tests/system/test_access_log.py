# SPDX-License-Identifier: Apache-2.0
"""The access log: a line a request, as text and as JSON, with what became of it and why."""

import json
import re
import socket

import pytest
from conftest import until
from http_peers import Client, request
from http_serve import member  # noqa: F401

CONF = """
{log}
processes {{ edge 1 }}
pool web {{ member a 127.0.0.1:{a} }}
pool dead {{ member a 127.0.0.1:{dead} }}
listen shop http 127.0.0.1:{port} {{
    access-log {mode}
    {extra}
    route path = /ping respond 200 "pong"
    route path /old redirect 301 /new
    route host only.example.org respond 204
    route path /m pool web
    route path /dead pool dead
}}
"""


@pytest.fixture
def scene(weir, free_port, member):
    class Scene:
        port, dead = free_port(), free_port()

        def start(self, mode="on", log="log format json", extra=""):
            self.member = member()
            self.weir = weir(self.text(mode, log, extra))
            return self

        def text(self, mode, log, extra=""):
            return CONF.format(log=log, mode=mode, a=self.member.port, port=self.port, extra=extra, dead=self.dead)

        def lines(self):
            found = []
            for line in self.weir.log().splitlines():
                if '"level":"access"' in line:
                    found.append(json.loads(line))
            return found

        def wait(self, n):
            until(lambda: len(self.lines()) >= n)
            assert len(self.lines()) == n
            return self.lines()

    return Scene()


def test_a_request_to_a_member(scene):
    scene.start()
    with Client(scene.port) as client:
        assert client.ask(path="/m/x?y=1", fields="X: y\r\n").status == 200
    line = scene.wait(1)[0]
    assert line["listen"] == "shop" and line["client"] == "127.0.0.1" and line["method"] == "GET"
    assert line["path"] == "/m/x?y=1" and line["status"] == 200
    assert line["pool"] == "web" and line["member"] == "a" and line["tries"] == 1
    assert re.fullmatch(r"test\.weir:\d+:5", line["route"])
    assert line["in"] > 20 and line["out"] > 20
    for name in ("head_ms", "queue_ms", "connect_ms", "response_ms", "total_ms"):
        assert isinstance(line[name], float)
    assert line["total_ms"] >= line["response_ms"]
    assert "reason" not in line and "sticky" not in line
    assert line["process"] == "edge" and line["time"].endswith("Z")


def test_answers_of_our_own(scene):
    scene.start()
    with Client(scene.port) as client:
        for path in ("/ping", "/old", "/nowhere"):
            client.ask(path=path)
    assert [(line["path"], line["status"], line["reason"]) for line in scene.wait(3)] == [
        ("/ping", 200, "respond"), ("/old", 301, "redirect"), ("/nowhere", 404, "no_route")]
    assert "route" in scene.lines()[0] and "route" not in scene.lines()[2]
    assert not any("member" in line for line in scene.lines())


def test_bad_requests(scene):
    scene.start(extra="timeout headers 300ms")
    with Client(scene.port) as client:
        client.send(b"GET /m HTTP/1.1\r\nHost : x\r\n\r\n")
        assert client.response().status == 400
    with Client(scene.port) as client:
        client.send(b"GET /m HTTP/1.1\r\nHo")
        assert client.response().status == 408
    first, second = scene.wait(2)
    assert (first["status"], first["reason"], first["method"]) == (400, "field_space", "GET")
    assert (second["status"], second["reason"]) == (408, "head_late")
    assert second["total_ms"] >= 250


def test_a_line_cannot_be_forged(scene):
    scene.start(log="log format text")
    with Client(scene.port) as client:
        client.send(b"GET /m\\x0a\"x HTTP/1.1\r\nHost: a\xc3\xa9\r\n\r\n")
        client.response()
    until(lambda: " access edge " in scene.weir.log())
    line = next(line for line in scene.weir.log().splitlines() if " access edge " in line)
    assert "status=400" in line and "listen=shop" in line


def test_only_errors(scene):
    scene.start(mode="errors")
    with Client(scene.port) as client:
        client.ask(path="/ping")
        client.ask(path="/m")
        client.ask(path="/old")
        client.ask(path="/nowhere")
        client.ask(path="/dead")
    lines = scene.wait(2)
    assert [line["reason"] for line in lines] == ["no_route", "unreachable"]
    assert lines[1]["status"] == 502 and lines[1]["member"] == "a" and lines[1]["tries"] >= 1


def test_cut_and_aborted(scene):
    def half(conn, message):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        return False

    scene.start()
    scene.member.on_request = half
    with Client(scene.port) as client:
        client.send(request(path="/m/cut"))
        until(lambda: scene.lines())
    cut = scene.wait(1)[0]
    assert cut["reason"] == "cut" and cut["status"] == 200
    with socket.create_connection(("127.0.0.1", scene.port)) as raw:
        raw.sendall(b"POST /m/left HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
    lines = scene.wait(2)
    assert lines[1]["reason"] == "aborted" and lines[1]["path"] == "/m/left"


def test_a_reload_turns_it_on(scene):
    scene.start(mode="off")
    with Client(scene.port) as client:
        client.ask(path="/ping")
        scene.weir.write(scene.text("on", "log format json level error", "sticky cookie WEIR"))
        scene.weir.reload()
        client.ask(path="/m")  # whatever the level of the log
    assert scene.wait(1)[0]["sticky"] == "new"

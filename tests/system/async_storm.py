# SPDX-License-Identifier: Apache-2.0
"""Many clients post to an asynchronous route while members die, come back, and weir's processes are killed in turn and
reloaded: who was told 202, what came to the members, how often, and in which order."""

import asyncio
import collections
import json
import signal
import threading
import time
import urllib.request

from conftest import until
from deliver_peers import Receiver

FILE = """
pool web {{ {members}; check tcp every 200ms }}
listen shop http 127.0.0.1:{port} {{ route POST path /reports async reports; route pool web }}
queue reports {{ deliver pool web; retry 100 backoff 100ms..1s; concurrency {concurrency} }}
"""

# A member in a process of its own, to be killed. A line as a request comes, another as its answer is with the kernel:
# what is in the file has happened, whatever dies.
MEMBER = r"""
import http.server, os, sys, time
out = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def say(self, word, body):
        head = self.headers
        os.write(out, f"{word} {body} {head['Weir-Job-Id']} {head['Weir-Attempt']} {time.time():.6f}\n".encode())
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.say("begin", body)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        self.say("done", body)
    def log_message(self, *args):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True
server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
print("listens", flush=True)
server.serve_forever()
"""

CONCURRENCY = 16
RECORD_S = 5  # from a member's answer to the kill that kept it from the log, on a slow machine

Delivery = collections.namedtuple("Delivery", "word body job attempt at")


class Member(Receiver):
    def __init__(self, port, file):
        super().__init__(port, file, MEMBER)

    def lines(self):
        words = [line.split() for line in self.keys()]
        return [Delivery(word, body, int(job), int(attempt), float(at)) for word, body, job, attempt, at in words]


class Clients(threading.Thread):
    """So many connections, each of which posts, waits for the answer, rests, and posts the next one."""

    def __init__(self, port, n, rest_s):
        super().__init__()
        self.port, self.n, self.rest_s = port, n, rest_s
        self.accepted = {}  # body -> Location
        self.answers = collections.Counter()
        self.is_over = False

    def run(self):
        asyncio.run(self.all())

    async def all(self):
        await asyncio.gather(*(self.client(i) for i in range(self.n)))

    async def client(self, i):
        streams, count = None, 0
        await asyncio.sleep(self.rest_s * i / self.n)
        while not self.is_over:
            count += 1
            body = f"c{i}n{count}"
            try:
                streams = streams or await asyncio.open_connection("127.0.0.1", self.port)
                await asyncio.wait_for(self.post(*streams, body), 20)
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
                self.answers[type(error).__name__] += 1
                if streams:
                    streams[1].close()
                streams = None
            await asyncio.sleep(self.rest_s)
        if streams:
            streams[1].close()

    async def post(self, reader, writer, body):
        writer.write(f"POST /reports HTTP/1.1\r\nHost: shop\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        await reader.readexactly(int(fields.get("content-length", 0)))
        status = int(head[0].split()[1])
        self.answers[status] += 1
        if status == 202:
            self.accepted[body] = fields["location"]
        if fields.get("connection") == "close":
            raise asyncio.IncompleteReadError(b"", None)


class Kills:
    """What is done to all of them in turn."""

    def __init__(self, w, members):
        self.w, self.members = w, members
        self.at = []  # when a process died that may have known of an answer
        self.counts = collections.Counter()

    def once(self, number):
        victim = ("queue", "member", "edge", "reload", "health", "member")[number % 6]
        self.counts[victim] += 1
        if victim == "member":
            member = self.members[number // 3 % len(self.members)]
            member.kill()
            time.sleep(0.3)
            member.start()
        elif victim == "reload":
            self.w.reload()
        else:
            self.at.append(time.time())
            self.w.kill(victim, signal.SIGKILL)
            self.at.append(time.time())
            self.w.wait_back(victim)


def deliveries(members):
    return sorted((line for member in members for line in member.lines()), key=lambda line: line.at)


def doubles(lines):
    """Bodies that came again after a member had answered, and when that answer was."""
    done, found = {}, {}
    for line in lines:
        if line.word == "begin" and line.body in done:
            found[line.body] = done[line.body]
        elif line.word == "done":
            done.setdefault(line.body, line.at)
    return found


def overtaken(lines):
    """Jobs whose first attempt a member saw behind those of more later jobs than are under way at once."""
    jobs = list(dict.fromkeys(line.job for line in lines if line.word == "begin" and line.attempt == 1))
    place = {job: i for i, job in enumerate(sorted(jobs))}
    return [job for i, job in enumerate(jobs) if i - place[job] > CONCURRENCY]


def storm(weir, free_port, tmp_path, seconds, n_clients=200, rest_s=0.4):
    members = [Member(free_port(), tmp_path / f"member{i}") for i in range(3)]
    port = free_port()
    names = "; ".join(f"member m{i} 127.0.0.1:{member.port}" for i, member in enumerate(members))
    w = weir(FILE.format(members=names, port=port, concurrency=CONCURRENCY))
    clients, kills = Clients(port, n_clients, rest_s), Kills(w, members)
    try:
        clients.start()
        begin, number = time.monotonic(), 0
        while time.monotonic() - begin < seconds:
            time.sleep(0.3)
            kills.once(number)
            number += 1
        clients.is_over = True
        clients.join()
        judge(clients, kills, members)
    finally:
        clients.is_over = True
        clients.join()
        for member in members:
            member.kill()


def state_of(clients, body):
    """What weir says of a request that it accepted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{clients.port}{clients.accepted[body]}") as answer:
        return json.load(answer)


def is_answered(clients, body, lines):
    """A member that is killed between its answer and its line about it has answered all the same; also where it was
    killed behind the head, whose 200 is what counts, and no response is kept."""
    return any(line.body == body for line in lines) and state_of(clients, body)["state"] == "done"


def judge(clients, kills, members):
    def missing():
        done = {line.body for line in deliveries(members) if line.word == "done"}
        return [body for body in clients.accepted if body not in done]

    until(lambda: all(is_answered(clients, body, deliveries(members)) for body in missing()), 60, 0.5)
    lines = deliveries(members)
    twice = doubles(lines)
    print(f"\n{len(clients.accepted)} accepted {dict(clients.answers)}, kills {dict(kills.counts)}: "
          f"{len(missing())} not delivered, {len(twice)} again after an answer, {len(overtaken(lines))} overtaken")
    assert len(clients.accepted) > len(kills.at)
    lost = [body for body in missing() if not is_answered(clients, body, lines)]
    assert not lost, [state_of(clients, body) for body in lost[:10]]
    # Between a member's answer and its record stood a process that was killed.
    for body, at in twice.items():
        assert any(-0.1 < kill - at < RECORD_S for kill in kills.at), (body, at, kills.at)
    assert len(twice) <= len(kills.at) * CONCURRENCY
    # First attempts begin in order; what is under way when its member or a process dies arrives later.
    assert len(overtaken(lines)) <= CONCURRENCY * kills.counts.total()

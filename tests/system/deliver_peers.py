# SPDX-License-Identifier: Apache-2.0
"""What the tests of deliveries share: a weir whose queue `reports` delivers, members in processes of their own, and
what became of jobs."""

import http.client
import subprocess
import sys

import pytest
from conftest import until
from http_peers import answer as plain_answer
from http_serve import counters

FILE = """
{head}
pool web {{ {members}; {pool} }}
pool other {{ member o 127.0.0.1:9 }}
queue reports {{ deliver pool web path /reports {deliver}; {queue} }}
jobs 127.0.0.1:{jobs}
queues {{ segment 1M }}
"""

# A member in a process of its own, to be killed: writes "KEY" into its file just before it answers 204.
RECEIVER = r"""
import http.server, os, sys, time
out = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.005)
        os.write(out, b"%s %s\n" % (self.headers["Idempotency-Key"].encode(), body))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *args):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
print("listens", flush=True)
server.serve_forever()
"""


class Receiver:
    """A member in a process of its own: a program that gets a port and a file to write lines into."""

    def __init__(self, port, file, program=RECEIVER):
        self.port, self.file, self.program = port, file, program
        self.start()

    def start(self):
        self.process = subprocess.Popen([sys.executable, "-c", self.program, str(self.port), str(self.file)],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout.readline() == "listens\n"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def keys(self):
        return self.file.read_text().splitlines() if self.file.exists() else []


@pytest.fixture
def shop(weir, free_port, on_tube):
    """shop(port, ...) starts a weir whose queue `reports` delivers to members at these ports."""
    def make(*ports, deliver="", queue="", pool="", head="", state=None):
        jobs = free_port()
        members = "; ".join(f"member m{i} 127.0.0.1:{port}" for i, port in enumerate(ports))
        one = weir(FILE.format(head=head, members=members, pool=pool, deliver=deliver, queue=queue, jobs=jobs),
                   state=state)
        one.jobs_port = jobs

        one.client = lambda: on_tube(jobs, "reports")
        return one

    return make


@pytest.fixture
def receivers(free_port, tmp_path):
    """receivers() starts one more, with .port, .kill(), .start() and .keys()."""
    made = []

    def make():
        made.append(Receiver(free_port(), tmp_path / f"receiver{len(made)}"))
        return made[-1]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.kill()


def answer(status, body=b"", fields=()):
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return plain_answer(status, body, lines, http.client.responses.get(status, "Fine"))


def put(client, body):
    line = client.put(body)
    assert line.startswith("INSERTED "), line
    return int(line.split()[1])


def result(client, job):
    found = client.job(f"result {job}")
    assert found[0] == job, found
    return found[1]


def tube(client):
    return client.document("stats-tube reports")


def deliveries(w, outcome):
    return counters(w)[f'weir_queue_deliveries_total{{queue="reports",outcome="{outcome}"}}']


def wait_deliveries(w, outcome, n):
    assert until(lambda: deliveries(w, outcome) >= n, every=0.1), (outcome, counters(w), w.log())

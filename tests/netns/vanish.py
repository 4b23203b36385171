# SPDX-License-Identifier: Apache-2.0
"""Members of background work that vanish: what the tests of that share."""
import sys

from deliver_peers import put, tube, wait_deliveries
from jobs_client import Jobs

from conftest import until

# Writes "BODY ATTEMPT" into its file, and then answers 204, but to "hold" where it is one that holds.
MEMBER = r"""
import http.server, os, sys, time
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        os.write(out, f"{body} {self.headers['Weir-Attempt']}\n".encode())
        if sys.argv[2] == "holds" and body == "hold":
            time.sleep(600)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *args):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True
server = Server(("0.0.0.0", 9000), Handler)
print("listens", flush=True)
server.serve_forever()
"""

# The pause is long enough for all loops of the edge to have noticed by themselves. One that is ejected would lose what
# it has at once, and no attempt would count.
FILE = """
pool web { member a 10.77.0.2:9000; member b 10.77.0.3:9000; balance first; eject off }
queue reports { deliver pool web path /reports timeout 1s; concurrency 100; retry 20 backoff 300ms..500ms }
jobs 127.0.0.1:11300
"""
CONCURRENCY = 100


class Member:
    def __init__(self, host, file, kind):
        self.file = file
        self.process = host.start(sys.executable, "-c", MEMBER, file, kind, stdout=-1, text=True)
        assert self.process.stdout.readline() == "listens\n"
        self.process.stdout.close()

    def seen(self, body, attempt):
        return self.file.read_text().splitlines().count(f"{body} {attempt}") if self.file.exists() else 0


class Site:
    """weir on n1; a member on n2, which holds jobs and vanishes, and one on n3, which does them."""

    def __init__(self, network, weir_on, folder):
        self.network = network
        self.a, self.b = Member(network.n2, folder / "a", "holds"), Member(network.n3, folder / "b", "answers")
        self.weir = weir_on(network.n1, FILE)
        self.client = Jobs(path=self.weir.state / "jobs.sock")
        assert self.client.ask("use reports") == "USING reports"
        for _ in range(CONCURRENCY):
            put(self.client, b"warm")  # from one at a time to all
        assert until(lambda: self.seen("warm", 1) == CONCURRENCY), self.weir.log()

    def close(self):
        self.client.close()

    def seen(self, body, attempt):
        return self.a.seen(body, attempt) + self.b.seen(body, attempt)

    def vanish(self, n):
        """With n deliveries under way at a, or most of them: each ends by its time and counts, and b has its next."""
        before, held = self.seen("hold", 1), self.a.seen("hold", 1)
        for _ in range(n):
            put(self.client, b"hold")
        assert until(lambda: self.seen("hold", 1) == before + n), self.weir.log()
        total = self.a.seen("hold", 1)
        assert total - held > n / 2  # each loop of the edge has forgiven it by itself
        self.network.n2.part()
        assert until(lambda: self.b.seen("hold", 2) >= total), (self.b.seen("hold", 2), total)
        put(self.client, b"more")
        assert until(lambda: tube(self.client)["current-jobs-reserved"] == "0")
        wait_deliveries(self.weir, "again", total)
        self.network.n2.join()

    def wait_back(self):
        """It has its share again, from all loops."""
        before = self.a.seen("back", 1)
        assert until(lambda: put(self.client, b"back") and self.a.seen("back", 1) > before + 10, every=0.05)

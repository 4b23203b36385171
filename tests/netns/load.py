# SPDX-License-Identifier: Apache-2.0
"""Clients of a site, as a program of its own: run in the clients' host until standard input ends.

    load.py vip ADDRESS PORT THREADS        all ask that address
    load.py dns NAME PORT THREADS SERVER... each asks a name server first, the next one where it is silent

Each client asks for one body after another, every request on a connection of its own or on one that it keeps, and
asks once more where a connection failed, as a browser does. At the end a line of JSON: how many requests, how many
failed at the first try (by kind), how many failed for good and when, the longest that one took, and where its time
went: the name, the connection, the answer, of both tries."""
import collections
import http.client
import json
import sys
import threading
import time

WAIT_S = 10
EXPECTED = 200


class Clock:
    """Where the time of a request goes."""

    def __init__(self):
        self.began = self.at = time.monotonic()
        self.laps = []

    def lap(self, what):
        now = time.monotonic()
        self.laps.append(f"{what} {now - self.at:.2f}")
        self.at = now

    def total(self):
        return self.at - self.began


class Clients:
    def __init__(self, find, port):
        self.find, self.port = find, port
        self.is_over = False
        self.lock = threading.Lock()
        self.requests = 0
        self.first = collections.Counter()   # failures of a first try
        self.final = collections.Counter()   # failures for good
        self.failed_at = []                  # of those, by the clock on the wall
        self.longest, self.spent = 0.0, []

    def connect(self, clock):
        address = self.find()
        clock.lap("name")
        connection = http.client.HTTPConnection(address, self.port, timeout=WAIT_S)
        try:
            connection.connect()
        finally:
            clock.lap("connection")
        return connection

    def once(self, connection, clock):
        """Asks on the connection, or on a new one; returns it when it may be kept."""
        if connection is None:
            connection = self.connect(clock)
        try:
            connection.request("GET", "/", headers={"Host": "www.example.org"})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            clock.lap("answer")
        if answer.status != EXPECTED:
            raise RuntimeError(f"status {answer.status}")
        if not body:
            raise RuntimeError("no body")
        if answer.will_close:
            connection.close()
            connection = None
        return connection

    def request(self, connection):
        clock = Clock()
        try:
            connection = self.once(connection, clock)
        except (OSError, http.client.HTTPException, RuntimeError) as complaint:
            with self.lock:
                self.first[str(complaint) if isinstance(complaint, RuntimeError) else type(complaint).__name__] += 1
            try:
                connection = self.once(None, clock)
            except (OSError, http.client.HTTPException, RuntimeError) as again:
                with self.lock:
                    self.final[str(again) if isinstance(again, RuntimeError) else type(again).__name__] += 1
                    self.failed_at.append(round(time.time(), 3))
                connection = None
        with self.lock:
            self.requests += 1
            if clock.total() > self.longest:
                self.longest, self.spent = clock.total(), clock.laps
        return connection

    def work(self, keeps):
        connection = None
        while not self.is_over:
            connection = self.request(connection)
            if connection and not keeps:
                connection.close()
                connection = None
            time.sleep(0.01)


def find_by_dns(name, servers):
    import dns.resolver

    def find():
        for server in servers:
            resolver = dns.resolver.Resolver(configure=False)
            resolver.nameservers, resolver.lifetime, resolver.timeout = [server], 1, 1
            try:
                return resolver.resolve(name, "A")[0].to_text()
            except (dns.exception.DNSException, OSError):
                continue
        raise OSError("no name server answers")
    return find


def main(kind, target, port, threads, *servers):
    find = (lambda: target) if kind == "vip" else find_by_dns(target, servers)
    clients = Clients(find, int(port))
    running = [threading.Thread(target=clients.work, args=(i % 2 == 0,)) for i in range(int(threads))]
    for thread in running:
        thread.start()
    for line in sys.stdin:  # a line: what was seen up to now
        with clients.lock:
            print(json.dumps({"requests": clients.requests, "first": clients.first, "final": clients.final,
                              "failed_at": clients.failed_at, "longest_s": round(clients.longest, 2),
                              "spent": clients.spent, "note": line.strip()}), flush=True)
            clients.longest = 0.0
    clients.is_over = True
    for thread in running:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])

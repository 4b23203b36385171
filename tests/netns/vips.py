# SPDX-License-Identifier: Apache-2.0
"""What the tests of floating addresses share: two weirs or one and a keepalived, and what one asks them."""
import json
import os
import secrets
import signal
import subprocess
import time

import net
from http_serve import counters
from net import Capture, Keepalived, Probe, keepalived_conf

from conftest import until

VIP, VIP6, LINK6 = "10.77.0.100", "fd77::100", "fe80::100"
PORT = 7777


def file_of(words="", interval="100ms", nodes=True, prefer="a", peer="", rest="", addresses=f"{VIP}/24"):
    """The one file of an edge of two nodes."""
    head = "nodes { a 10.77.0.1; b 10.77.0.2 }\n" if nodes else ""
    prefer = f"prefer {prefer}" if nodes and prefer else ""
    return f"""{head}{peer}
vip {addresses} on e0 {{
    name front
    id 51
    {prefer}
    interval {interval}
    {words}
}}
{rest}
"""


class App:
    """A member of a pool on a host: weir-app, that dies and comes back."""

    def __init__(self, host, port=8080, bind="0.0.0.0"):
        self.host, self.port, self.bind = host, port, bind
        self.start()

    def start(self):
        self.process = self.host.start(net.APP_FOLDER / "weir-app", self.host.name, self.port, "--bind", self.bind,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout.readline()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Node:
    """A weir on a host that may have the address."""

    def __init__(self, weir, host, name):
        self.weir, self.host, self.name = weir, host, name

    def fact(self, name="vip:front"):
        return self.weir.fact(name, check=False) or {}

    def state(self):
        return self.fact().get("state")

    def wait(self, state):
        assert until(lambda: self.state() == state, every=0.02), (state, self.fact(), self.weir.log())

    def has(self, address=VIP):
        return self.host.has(address)

    def metrics(self):
        """Each sample with its labels -> its value."""
        return counters(self.weir)

    def metric(self, name, **labels):
        """The sum of a metric's samples with these labels."""
        return sum(value for sample, value in self.metrics().items()
                   if sample.split("{")[0] == name
                   and all(f'{key}="{label}"' in sample for key, label in labels.items()))

    def kill_all(self, *others):
        """kill -9 of the supervisor, all of its processes and these others, at once."""
        pids = [*(other.pid for other in others), self.weir.process.pid, *self.weir.pids().values()]
        for signal_number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                os.kill(pid, signal_number)
        self.weir.process.wait()


class Pair:
    """Two weirs with one file; node a is preferred."""

    def __init__(self, network, weir_on, text, **options):
        self.net = network
        self.servers = {host.name: network.serve(host, VIP, PORT) for host in (network.n1, network.n2)}
        self.a = Node(weir_on(network.n1, text, node="a", **options), network.n1, "a")
        self.b = Node(weir_on(network.n2, text, node="b", **options), network.n2, "b")
        self.a.wait("active")
        self.b.wait("backup")
        assert until(self.a.has) and not self.b.has()

    def kill_all(self):
        """Node a dies with what answers the probe; without that the kernel's address is answered on."""
        self.a.kill_all(self.servers["n1"])
        self.servers["n1"].wait()

    def start_service(self):
        self.servers["n1"] = self.net.serve(self.net.n1, VIP, PORT)

    def probe(self, address=VIP):
        probe = Probe(self.net.cl, address, PORT)
        time.sleep(0.3)
        return probe


def secret_file(folder):
    path = folder / f"secret-{secrets.token_hex(4)}"
    path.write_text(secrets.token_hex(32) + "\n")
    path.chmod(0o600)
    return path


def whole(seen, *names):
    """The probe saw these hosts answer, in this order, and none twice."""
    return [name for _, name in seen["moves"]] == list(names)


def term(keepalived):
    keepalived.signal(signal.SIGTERM)


__all__ = ["App", "Capture", "Keepalived", "Node", "Pair", "Probe", "VIP", "VIP6", "LINK6", "PORT", "file_of", "json",
           "keepalived_conf", "secret_file", "term", "until", "whole"]

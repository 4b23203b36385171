# SPDX-License-Identifier: Apache-2.0
"""Several hosts on one machine: a network namespace each, cables that can be cut, a switch between them.

             cl 10.77.0.9
              |
    n1 ---- switch ---- n2           10.77.0.1, 10.77.0.2 and fd77::1, fd77::2 on e0
     \\                 /
      ---- switch 1 ----             10.78.0.1, 10.78.0.2 on e1

Everything is named by a random word, belongs to the test that made it, and goes with it: the processes in the
namespaces first.
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
import uuid

APP_FOLDER = None  # of weir-probe; set by conftest


def sh(*words, check=True):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


class Host:
    """A namespace, its cables, and what runs in it."""

    def __init__(self, net, name, number):
        self.net, self.name, self.number = net, name, number
        self.ns = f"{net.word}-{name}"
        sh("ip", "netns", "add", self.ns)
        net.namespaces.append(self.ns)
        self.prefix = ["ip", "netns", "exec", self.ns]
        sh("ip", "-n", self.ns, "link", "set", "lo", "up")
        # No waiting for addresses that nobody else can have, and what a tool would change stays inside.
        self.run("sysctl", "-q", "-w", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
        self.ip = f"10.77.0.{number}"
        self.ip6 = f"fd77::{number}"

    def plug(self, switch):
        """A cable from interface e<switch> into the switch of that number."""
        port = f"p{switch}-{self.name}"
        sh("ip", "-n", self.net.switch_ns, "link", "add", port, "type", "veth",
           "peer", "name", f"e{switch}", "netns", self.ns)
        sh("ip", "-n", self.net.switch_ns, "link", "set", port, "master", f"br{switch}", "up")
        sh("ip", "-n", self.ns, "link", "set", f"e{switch}", "up")
        sh("ip", "-n", self.ns, "addr", "add", f"10.{77 + switch}.0.{self.number}/24", "dev", f"e{switch}")
        sh("ip", "-n", self.ns, "addr", "add", f"fd{77 + switch}::{self.number}/64", "dev", f"e{switch}", "nodad")

    def run(self, *words, check=True, timeout=60):
        done = subprocess.run([*self.prefix, *map(str, words)], capture_output=True, text=True, check=False,
                              timeout=timeout)
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def start(self, *words, log=None, **options):
        if log is not None:
            log = open(log, "ab")
            options |= {"stdout": log, "stderr": log}
        return subprocess.Popen([*self.prefix, *map(str, words)], **options)

    # ---- what goes wrong ----

    def cut(self, switch=0):
        """The cable is out: the interface loses its carrier."""
        sh("ip", "-n", self.net.switch_ns, "link", "set", f"p{switch}-{self.name}", "down")

    def mend(self, switch=0):
        sh("ip", "-n", self.net.switch_ns, "link", "set", f"p{switch}-{self.name}", "up")

    def part(self, switch=0):
        """Nothing passes, and nobody is told."""
        sh("bridge", "-n", self.net.switch_ns, "link", "set", "dev", f"p{switch}-{self.name}", "state", "0")

    def join(self, switch=0):
        sh("bridge", "-n", self.net.switch_ns, "link", "set", "dev", f"p{switch}-{self.name}", "state", "3")

    # ---- what it is like ----

    def addresses(self, interface="e0"):
        """Those of an interface, without their length."""
        rows = json.loads(sh("ip", "-j", "-n", self.ns, "addr", "show", "dev", interface, check=False) or "[]")
        return {info["local"] for row in rows for info in row.get("addr_info", ()) if "local" in info}

    def mac(self, interface="e0"):
        return json.loads(sh("ip", "-j", "-n", self.ns, "link", "show", "dev", interface))[0]["address"]

    def has(self, address):
        out = json.loads(sh("ip", "-j", "-n", self.ns, "addr", "show"))
        return any(info.get("local") == address for row in out for info in row.get("addr_info", ()))

    def pids(self):
        return [int(pid) for pid in sh("ip", "netns", "pids", self.ns, check=False).split()]


class Probe:
    """Asks an address every 2 ms from a host, until result()."""

    def __init__(self, host, address, port=7777, every_us=2000):
        self.process = host.start(APP_FOLDER / "weir-probe", "ask", address, port, every_us,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.began = time.monotonic()

    def result(self):
        out, _ = self.process.communicate()
        return json.loads(out)


class Net:
    """Hosts by name, on one or two switches."""

    def __init__(self, folder, names=("n1", "n2"), switches=1):
        self.folder = pathlib.Path(folder)
        self.word = f"w{uuid.uuid4().hex[:7]}"
        self.namespaces = []
        self.hosts = {}
        self.switch_ns = f"{self.word}-sw"
        try:
            sh("ip", "netns", "add", self.switch_ns)
            self.namespaces.append(self.switch_ns)
            for switch in range(switches):
                sh("ip", "-n", self.switch_ns, "link", "add", f"br{switch}", "type", "bridge", "mcast_snooping", "0")
                sh("ip", "-n", self.switch_ns, "link", "set", f"br{switch}", "up")
            for number, name in enumerate(names, 1):
                host = self.hosts[name] = Host(self, name, number)
                for switch in range(switches):
                    host.plug(switch)
            client = self.hosts["cl"] = Host(self, "cl", 9)
            client.plug(0)
        except BaseException:
            self.close()
            raise

    def __getattr__(self, name):
        try:
            return self.__dict__["hosts"][name]
        except KeyError:
            raise AttributeError(name) from None

    def serve(self, host, address, port=7777):
        """The host answers probes of that address with its name, wherever the address is."""
        process = host.start(APP_FOLDER / "weir-probe", "serve", host.name, address, port,
                             stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        process.stdout.close()
        return process

    def close(self):
        for _ in range(50):
            pids = [int(pid) for ns in self.namespaces for pid in sh("ip", "netns", "pids", ns, check=False).split()]
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not pids:
                break
            time.sleep(0.02)
        for ns in self.namespaces:
            sh("ip", "netns", "del", ns, check=False)
        self.namespaces.clear()


# ---- the peer ----------------------------------------------------------------------------------------------------

class Keepalived:
    """keepalived of Debian on a host, with one instance."""

    def __init__(self, host, folder, text):
        self.host = host
        self.folder = pathlib.Path(folder) / f"keepalived-{host.name}-{uuid.uuid4().hex[:6]}"
        self.folder.mkdir()
        (self.folder / "conf").write_text(text)
        self.log_file = self.folder / "log"
        self.process = None

    def start(self):
        paths = [item for flag, name in (("-p", "pid"), ("-r", "vrrp"), ("-c", "check"), ("-b", "bfd"))
                 for item in (flag, self.folder / name)]
        self.process = self.host.start("keepalived", "-n", "-l", "-D", "-P", "-f", self.folder / "conf", *paths,
                                       log=self.log_file)
        return self

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def states(self):
        """"MASTER", "BACKUP", ... as it says that it entered them."""
        return [line.rsplit("Entering ", 1)[1].split()[0] for line in self.log().splitlines() if "Entering " in line]

    def state(self):
        return (self.states() or [None])[-1]

    def signal(self, number):
        pid = int((self.folder / "pid").read_text())
        os.kill(pid, number)

    def kill(self):
        """All of it, and it leaves its address."""
        for name in ("pid", "vrrp"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((self.folder / name).read_text()), signal.SIGKILL)


def keepalived_conf(host, addresses, vrid=51, priority=100, version=3, interval=1, peers=(), interface="e0",
                    state="BACKUP", extra="", source=None):
    """The configuration of one instance; peers make it unicast."""
    unicast = ""
    if peers:
        unicast = "unicast_peer {\n" + "\n".join(peers) + "\n}\n"
        unicast += f"unicast_src_ip {source}\n" if source else ""
    lines = "\n".join(f"{address} dev {interface}" for address in addresses)
    return f"""
global_defs {{
    vrrp_version {version}
    vrrp_garp_master_delay 1
}}
vrrp_instance one {{
    state {state}
    interface {interface}
    virtual_router_id {vrid}
    priority {priority}
    advert_int {interval}
    {unicast}
    {extra}
    virtual_ipaddress {{
        {lines}
    }}
}}
"""


# ---- what passes -------------------------------------------------------------------------------------------------

class Capture:
    """Packets of a host's interface, for tshark."""

    def __init__(self, host, folder, interface="e0", what="ip proto 112 or ip6 proto 112"):
        self.path = pathlib.Path(folder) / f"{host.name}-{uuid.uuid4().hex[:6]}.pcap"
        self.process = host.start("dumpcap", "-q", "-i", interface, "-f", what, "-w", self.path,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if line.startswith("File:"):
                break

    def stop(self):
        time.sleep(1)  # what the kernel still holds back
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        self.process.stderr.close()

    def rows(self, *fields, only="", rfc9568=False):
        """The fields of each packet, as tshark understands it."""
        preference = "TRUE" if rfc9568 else "FALSE"
        out = sh("tshark", "-r", self.path, "-o", f"vrrp.v3_checksum_as_in_v2:{preference}",
                 *(("-Y", only) if only else ()), "-T", "fields", *[x for field in fields for x in ("-e", field)])
        return [line.split("\t") for line in out.splitlines()]

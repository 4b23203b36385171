# SPDX-License-Identifier: Apache-2.0
"""What every benchmark needs: processes on a core of their own, their CPU time, rounds and ratios.

The unit is CPU time of the product (user and system, all its processes and threads, from schedstat). Every round
runs all products in a new order, and a ratio is taken within a round, so that a machine that is shared with others
moves both of its sides."""

import contextlib
import ctypes
import datetime
import json
import os
import platform
import resource
import select
import signal
import socket
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCH = os.path.join(ROOT, "bench")
WORK = os.path.join(ROOT, "build", "bench")
SERVER_CORE, LOAD_CORE = 0, 1


class Failure(Exception):
    """A sentence for whoever runs the benchmark."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ---- processes ----------------------------------------------------------------------------------

def read_proc(path):
    """The words of a file of /proc; none where the process has gone."""
    with contextlib.suppress(OSError), open(f"/proc/{path}", encoding="ascii") as text:
        return text.read().split()
    return []


def children_of(pid):
    found = []
    for task in list_tasks(pid):
        found += [int(child) for child in read_proc(f"{pid}/task/{task}/children")]
    return found


def list_tasks(pid):
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def tree_of(pid):
    pids = [pid]
    for parent in pids:
        pids += children_of(parent)
    return pids


def cpu_ns(pid):
    """User and system time of every thread of every process of the tree."""
    total = 0
    for member in tree_of(pid):
        for task in list_tasks(member):
            total += int((read_proc(f"{member}/task/{task}/schedstat") or [0])[0])
    return total


def rss_bytes(pid):
    total = 0
    for member in tree_of(pid):
        total += int((read_proc(f"{member}/statm") or [0, 0])[1]) * resource.getpagesize()
    return total


def spawn(name, command, core, **streams):
    """Starts a command on one core and in its own session; it talks to build/bench/NAME.log."""
    with open(os.path.join(WORK, f"{name}.log"), "ab") as log:
        streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **streams}
        return subprocess.Popen(["/usr/bin/taskset", "-c", str(core), *command],
                                start_new_session=True, **streams)


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Load:
    """A load of build/bench (bench/measure.h) up to its "ready": warmed up, nothing in flight."""

    def __init__(self, name, arguments, patience_s=60):
        self.process = spawn(name, [os.path.join(WORK, name), *arguments], LOAD_CORE,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.read_line(patience_s) != b"ready\n":
            self.stop()
            raise Failure(f"the load did not get ready; see {WORK}/{name}.log")

    def read_line(self, patience_s):
        readable, _, _ = select.select([self.process.stdout], [], [], patience_s)
        return self.process.stdout.readline() if readable else b""

    def measure(self, pid, patience_s=60):
        """The load's own result, with the CPU time that the product took for it."""
        before = cpu_ns(pid)
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()
        line = self.read_line(patience_s)
        after = cpu_ns(pid)
        if not line:
            raise Failure("the load gave no result")
        result = json.loads(line)
        result["cpu_ns"] = after - before
        return result

    def stop(self):
        self.process.stdin.close()
        stop(self.process)
        self.process.stdout.close()


def configured(template, name, **filled):
    """A file of bench/conf with its @NAMES@ filled in; the path of the result."""
    with open(os.path.join(BENCH, "conf", template), encoding="utf-8") as source:
        text = source.read()
    for key, value in filled.items():
        text = text.replace(key, str(value))
    path = os.path.join(WORK, name)
    with open(path, "w", encoding="utf-8") as target:
        target.write(text)
    return path


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def ratio(rounds, product, other, key="us_per_request"):
    """The median over the rounds of product / other, or None."""
    if product == other or product not in rounds[0] or other not in rounds[0]:
        return None
    return statistics.median(one[product][key] / one[other][key]
                             for one in rounds)


def cell(value, form):
    return "-" if value is None else format(value, form)


def output_of(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().split("\n")[0]


def read_file(path):
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as text:
        return text.read().strip()
    return "unknown"


def choose(text, known, what):
    names = text.split(",") if text else list(known)
    for name in names:
        if name not in known:
            raise Failure(f"there is no {what} {name}; one of {', '.join(known)}")
    return names


CLONE_NEWNET = 0x40000000
# The first value that the kernel takes. On loopback cubic and reno are alike; bbr would add its
# timers.
SETTINGS = {"ipv4/tcp_congestion_control": ["cubic", "reno"],
            "ipv4/ip_local_port_range": ["10000 65000"],
            "core/somaxconn": ["8192"]}


def try_setting(name, value):
    try:
        with open(f"/proc/sys/net/{name}", "w", encoding="ascii") as setting:
            setting.write(value)
    except OSError:
        return False
    return True


def own_network():
    """A network namespace with fixed settings and no other traffic; what the settings are then."""
    if os.geteuid() == 0 and ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) == 0:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for name, values in SETTINGS.items():
            any(try_setting(name, value) for value in values)
    else:
        print("not root: measured with the host's own TCP settings")
    return {name: read_file(f"/proc/sys/net/{name}") for name in SETTINGS}


def describe_run(versions):
    """What a reader must know to believe the figures; versions by product."""
    model = [line.split(":", 1)[1].strip() for line in read_file("/proc/cpuinfo").split("\n")
             if line.startswith("model name")]
    return {
        "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} x {model[0] if model else platform.machine()}",
        "kernel": platform.release(),
        "load_average": os.getloadavg(),
        "network": own_network(),
        "versions": versions,
        "configurations": {name: read_file(os.path.join(BENCH, "conf", name))
                           for name in sorted(os.listdir(os.path.join(BENCH, "conf")))},
    }


def print_run(record, options):
    tcp = record["network"]["ipv4/tcp_congestion_control"]
    print(f"{record['machine']}, Linux {record['kernel']}, TCP {tcp}, "
          f"load average {record['load_average'][0]:.1f}")
    print(f"{options.rounds} interleaved rounds of {options.seconds:g} s, seed {options.seed}; "
          "configurations in bench/conf")
    for product, version in record["versions"].items():
        print(f"  {product:9} {version}")


def record_path(name, record):
    """Where the raw rounds of this run go."""
    return os.path.join(WORK, f"{name}-{record['at'].replace(':', '')}.json")


def save(path, record):
    with open(path, "w", encoding="utf-8") as target:
        json.dump(record, target, indent=1)


def main_of(name, bench, options):
    """Runs bench(options) and says what went wrong in a sentence; the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return bench(options)
    except Failure as failure:
        print(f"bench/{name}: {failure}", file=sys.stderr)
        return 1

# SPDX-License-Identifier: Apache-2.0
"""Upgrade: another binary takes over, and no client notices; where it cannot, nothing has changed."""

import os
import pathlib
import shutil
import signal
import socket
import stat
import threading
import time

import pytest
from conftest import APP, WEIR, children, is_alive, until
from http_peers import answer
from http_serve import member  # noqa: F401

NEXT = os.environ.get("WEIR_NEXT", str(pathlib.Path(WEIR).parent / "weir-next"))


def conf(port, *members, more=""):
    rows = " ".join(f"member m{i} 127.0.0.1:{m} ;" for i, m in enumerate(members))
    return (f"pool web {{ check tcp every 200ms\n {rows} }}\n"
            f"listen shop http 127.0.0.1:{port} {{ route pool web }}\n{more}")


def build(w):
    return w.status()["build"]


def upgrade(w, binary=NEXT, check=True):
    return w.command("upgrade", str(binary), check=check, timeout=120)


class Client(threading.Thread):
    """GETs one after the other on a connection kept alive, as an HTTP client does it: connects anew when told
    that the connection closes, or where it was closed before a byte of the answer came, once."""

    def __init__(self, port, is_new_each=False):
        super().__init__(daemon=True)
        self.port, self.is_new_each = port, is_new_each
        self.n, self.failed, self.n_conns, self.is_over = 0, [], 0, False
        self.conn = None

    def connect(self):
        self.conn = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        self.n_conns += 1

    def close(self):
        if self.conn:
            self.conn.close()
        self.conn = None

    def answer(self):
        data = b""
        while b"\r\n\r\n" not in data:
            block = self.conn.recv(65536)
            if not block:
                return data, False
            data += block
        head, _, body = data.partition(b"\r\n\r\n")
        fields = head.lower()
        length = int(fields.split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            block = self.conn.recv(65536)
            if not block:
                return data, False
            body += block
        return head, b"connection: close" in fields

    def get(self):
        for attempt in range(2):
            is_reused = self.conn is not None
            if not is_reused:
                self.connect()
            try:
                self.conn.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
                head, is_last = self.answer()
            except ConnectionError:
                head, is_last = b"", True
            if head == b"" and is_reused and attempt == 0:
                self.close()
                continue
            if is_last or self.is_new_each:
                self.close()
            return head
        return b""

    def run(self):
        while not self.is_over:
            try:
                head = self.get()
            except OSError as error:
                head = repr(error).encode()
                self.close()
            self.n += 1
            if not head.startswith(b"HTTP/1.1 200"):
                self.failed.append(head[:200])
        self.close()


class Load:
    def __init__(self, port, n=8):
        self.clients = [Client(port, i % 4 == 3) for i in range(n)]
        for client in self.clients:
            client.start()

    def wait_more(self, n=50):
        before = [client.n for client in self.clients]
        assert until(lambda: all(c.n >= b + n for c, b in zip(self.clients, before)), 60)

    def end(self):
        """The number of requests; none has failed."""
        for client in self.clients:
            client.is_over = True
        for client in self.clients:
            client.join(30)
        failed = [failure for client in self.clients for failure in client.failed]
        assert not failed, failed[:5]
        return sum(client.n for client in self.clients)


def requests(w):
    return next(listen for listen in w.status()["listens"] if listen["name"] == "shop")["requests"]


def formers(w):
    return [name for name in w.facts() if name.startswith("former:")]


def wait_no_formers(w, timeout=60):
    assert until(lambda: not formers(w), timeout, 0.1), formers(w)


# --- one that is taken ----------------------------------------------------------------------------


def test_upgrade_under_load_loses_nothing(weir, apps, free_port):
    port = free_port()
    app, other = apps("a"), apps("b")
    w = weir(conf(port, app.port, other.port))
    w.wait_fact("member:web/m0", "up")
    w.wait_fact("member:web/m1", "up")
    former = build(w)
    facts, pids = w.facts(), w.pids()
    load = Load(port)
    load.wait_more()
    before = requests(w)
    done = upgrade(w)
    assert "build next" in done.stdout and former in done.stdout
    during = requests(w)
    assert during >= before
    load.wait_more()
    # Still under load: the former processes end because their clients go over.
    wait_no_formers(w)
    n = load.end()
    assert build(w) == "next"
    after = w.pids()
    assert sorted(after) == sorted(pids) and not set(after.values()) & set(pids.values())
    assert all(not is_alive(pid) for pid in pids.values())
    assert w.process.poll() is None  # the very process that was started
    assert until(lambda: requests(w) == n, 20, 0.1), (requests(w), n)
    for name in ("member:web/m0", "member:web/m1", "pool:web", "listen:shop"):
        now = w.fact(name)
        assert (now["state"], now["since"]) == (facts[name]["state"], facts[name]["since"]), name
    assert all(row["restarts"] == 0 for row in w.status()["processes"])
    metrics = w.command("status", "--json").stdout
    assert metrics
    argv = pathlib.Path(f"/proc/{w.pid_supervisor}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    assert argv[1:] == [b"run", b"test.weir", b"--state", str(w.state).encode()]


def test_several_in_a_row_leak_nothing(weir, apps, free_port):
    port = free_port()
    app = apps("a")
    w = weir(conf(port, app.port))
    w.wait_fact("member:web/m0", "up")
    fds = pathlib.Path(f"/proc/{w.pid_supervisor}/fd")
    load = Load(port, 4)
    counts = []
    for i in range(4):
        upgrade(w, WEIR if i % 2 else NEXT)
        w.pids()
        wait_no_formers(w)
        load.wait_more(5)
        counts.append(len(list(fds.iterdir())))
        assert sorted(w.pids()) == ["admin", "edge", "health"]
        assert len(children(w.pid_supervisor)) == 3
    n = load.end()
    assert counts[-1] <= counts[0], counts
    assert until(lambda: requests(w) == n, 20, 0.1), (requests(w), n)


def test_a_long_answer_goes_on(weir, member, free_port):
    """What was opened before goes on in the former processes, and status shows both."""
    port = free_port()
    is_seen = threading.Event()
    slow = member(lambda conn, message: answer(200, b"late" if is_seen.wait(60) else b"never"))
    w = weir(conf(port, slow.port, more="upgrade-drain 60s\n"))
    w.wait_fact("member:web/m0", "up")
    former_edge = w.pid("edge")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as conn:
        conn.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.5)
        upgrade(w)
        rows = {row["name"]: row for row in w.status()["processes"]}
        row = rows[f"former:edge/{former_edge}"]
        assert row["state"] == "draining" and row["pid"] == former_edge and "build " in row["reason"]
        assert rows["edge"]["pid"] != former_edge
        assert "former:edge" in w.command("status").stdout
        # Health of the former build stays for as long as its edge has something to do.
        assert any(name.startswith("former:health/") for name in rows)
        counted = lambda: next(m for p in w.status()["pools"] for m in p["members"])
        assert until(lambda: counted()["in_flight"] == 1), counted()
        is_seen.set()
        assert conn.recv(65536).startswith(b"HTTP/1.1 200")
    wait_no_formers(w)
    assert counted()["in_flight"] == 0 and counted()["requests"] == 1


class Echo(threading.Thread):
    """A member that switches to a protocol which says back what it hears."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                conn = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    @staticmethod
    def serve(conn):
        with conn:
            data = b""
            while b"\r\n\r\n" not in data:
                block = conn.recv(65536)
                if not block:
                    return
                data += block
            conn.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            while block := conn.recv(65536):
                conn.sendall(block)


def open_tunnel(port):
    conn = socket.create_connection(("127.0.0.1", port), timeout=30)
    conn.sendall(b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += conn.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    return conn


def says_back(conn):
    nonce = os.urandom(16).hex().encode()
    conn.sendall(nonce)
    heard = b""
    while len(heard) < len(nonce):
        block = conn.recv(65536)
        assert block, "the tunnel was closed"
        heard += block
    return heard == nonce


def test_tunnels_opened_before_go_on(weir, apps, free_port):
    """Through one upgrade and through the next, which hands the former processes on."""
    port = free_port()
    echo = Echo()
    w = weir(conf(port, echo.port))
    w.wait_fact("member:web/m0", "up")
    tunnels = [open_tunnel(port) for _ in range(5)]
    first = w.pid("edge")
    upgrade(w)
    since = w.fact(f"former:edge/{first}")["since"]
    tunnels += [open_tunnel(port) for _ in range(5)]
    upgrade(w, WEIR)
    assert all(says_back(tunnel) for tunnel in tunnels)
    time.sleep(1)
    assert all(says_back(tunnel) for tunnel in tunnels)
    fact = w.fact(f"former:edge/{first}")
    assert fact["since"] == since and fact["state"] == "draining"
    assert sum(name.startswith("former:edge/") for name in formers(w)) == 2
    for tunnel in tunnels[:5]:
        tunnel.close()
    assert until(lambda: f"former:edge/{first}" not in formers(w))
    assert all(says_back(tunnel) for tunnel in tunnels[5:])
    for tunnel in tunnels[5:]:
        tunnel.close()
    wait_no_formers(w)
    echo.listener.close()
    assert requests(w) == 10


def test_what_the_operator_changed_stays(weir, apps, free_port):
    """Forced states, weights and members of run time, before and after, and by the program before again."""
    w = weir(conf(free_port(), *(apps(name).port for name in "abc")))
    w.command("force", "web/m0", "down")
    w.command("weight", "web/m1", "7")
    w.command("member", "add", "web", "late", f"127.0.0.1:{apps('late').port}")
    w.command("member", "remove", "web/m2")

    def state():
        (pool,) = w.status()["pools"]
        names = sorted(one["name"] for one in pool["members"])
        facts = w.facts()
        found = {name: facts[f"member:web/{name}"] for name in names if f"member:web/{name}" in facts}
        forced = facts.get("force:web/m0", {"state": None})["state"]
        return names, forced, {name: (fact["state"], fact["value"]) for name, fact in found.items()}

    want = ["late", "m0", "m1"], "down", {"late": ("up", 1), "m0": ("down", 0), "m1": ("up", 7)}
    assert until(lambda: state() == want), (state(), w.log())
    for binary in (NEXT, WEIR):
        upgrade(w, binary)
        assert until(lambda: state() == want), (binary, state(), w.log())


def test_a_stop_waits_for_former_processes(weir, member, free_port):
    port, gate = free_port(), threading.Event()

    def on_request(conn, message):
        gate.wait(60)
        return answer(200, "late")

    m = member(on_request)
    w = weir(conf(port, m.port))
    w.wait_fact("member:web/m0", "up")
    with socket.create_connection(("127.0.0.1", port), timeout=60) as conn:
        conn.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert until(lambda: m.requests)
        upgrade(w)
        assert formers(w)
        w.pids()
        w.signal(signal.SIGTERM)
        w.wait_log("draining, then stopping")
        time.sleep(0.3)
        assert w.process.poll() is None
        gate.set()
        assert conn.recv(65536).startswith(b"HTTP/1.1 200")
        assert w.wait_end() == 0
    w.assert_nothing_left()


def test_what_is_left_is_cut_at_the_limit(weir, apps, free_port):
    port = free_port()
    app = apps("slow", "--delay", "60000")
    w = weir(conf(port, app.port, more="upgrade-drain 1s\n"))
    w.wait_fact("member:web/m0", "up")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as conn:
        conn.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.5)
        upgrade(w)
        wait_no_formers(w)
        # Closed, without an answer.
        assert until(lambda: conn.recv(65536) == b"")


def test_the_path_that_it_was_started_from(weir, apps, free_port, tmp_path, monkeypatch):
    """Without a name it is the binary that stands there now."""
    installed = tmp_path / "weir"
    shutil.copy2(WEIR, installed)
    monkeypatch.setattr("conftest.WEIR", str(installed))
    port = free_port()
    w = weir(conf(port, apps("a").port))
    first = build(w)
    shutil.copy2(NEXT, tmp_path / "weir.new")
    (tmp_path / "weir.new").rename(installed)
    w.command("upgrade")
    assert build(w) == "next" != first
    wait_no_formers(w)


def test_reload_and_stop_behind_an_upgrade(weir, apps, free_port):
    port, later = free_port(), free_port()
    app = apps("a")
    w = weir(conf(port, app.port))
    upgrade(w)
    w.write(conf(later, app.port))
    w.reload()
    load = Load(later, 2)
    load.wait_more(5)
    load.end()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    w.kill("edge", signal.SIGKILL)
    assert w.wait_back("edge")
    assert w.stop() == 0
    w.assert_nothing_left()


# --- one that is not ------------------------------------------------------------------------------


@pytest.fixture
def serving(weir, apps, free_port):
    """A weir under load; behind the test nothing may have changed."""
    port = free_port()
    w = weir(conf(port, apps("a").port, more="upgrade-timeout 5s\n"))
    w.wait_fact("member:web/m0", "up")
    before, pids = build(w), w.pids()
    fds = pathlib.Path(f"/proc/{w.pid_supervisor}/fd")
    load = Load(port, 4)
    load.wait_more(10)
    n_fds = len(list(fds.iterdir()))
    yield w
    load.wait_more(10)
    load.end()
    assert build(w) == before and w.pids() == pids and not formers(w)
    assert until(lambda: len(children(w.pid_supervisor)) == len(pids))
    assert until(lambda: len(list(fds.iterdir())) <= n_fds)
    w.wait_log("upgrade refused, nothing has changed")


def refused(w, binary, *words):
    done = upgrade(w, binary, check=False)
    assert done.returncode == 1, done.stdout
    assert "nothing has changed" in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def test_no_such_file(serving, tmp_path):
    refused(serving, tmp_path / "nothing", "No such file")


def test_no_program(serving, tmp_path):
    path = tmp_path / "text"
    path.write_text("hello\n")
    refused(serving, path, "is no program")


def test_garbage_that_is_executable(serving, tmp_path):
    path = tmp_path / "garbage"
    path.write_bytes(b"\x7fELF" + bytes(200))
    path.chmod(0o755)
    refused(serving, path, "is no weir: it was asked for its version, and this came:\ncannot be executed: Exec format")


def test_another_program(serving):
    refused(serving, "/bin/true", "is no weir: it was asked for its version, and this came:\ntrue ")
    refused(serving, "/bin/false", "is no weir: it was asked for its version, and this came:\nfalse ")


def test_another_program_without_a_word(serving):
    refused(serving, "/usr/bin/test", "is no weir: it was asked for its version, and said nothing\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may not execute what others may write")
def test_one_that_others_may_write(serving, tmp_path):
    path = tmp_path / "weir"
    shutil.copy2(NEXT, path)
    path.chmod(0o777)
    refused(serving, path, "could be changed by others")


def test_one_that_does_not_accept_the_file(serving):
    serving.write(serving.file.read_text() + "nonsense yes\n")
    refused(serving, NEXT, "does not accept the configuration", "nonsense")


def wrapper(folder, at_run, option="--candidate"):
    """Answers as weir-next does, but does something of its own first when it is given the option."""
    real = folder / "real"
    shutil.copy2(NEXT, real)
    source = folder / "wrapper.c"
    source.write_text(f"""
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char text[1 << 20];
int main(int argc, char **argv)
{{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "{option}") == 0) {{
            {at_run}
        }}
    execv("{real}", argv);
    return 1;
}}
""")
    path = folder / "wrapped"
    done = os.system(f"cc -o {path} {source}")
    assert done == 0
    return path


def test_one_that_crashes_at_once(serving, tmp_path):
    refused(serving, wrapper(tmp_path, "abort();"), "ended before it was ready")


def test_one_that_hangs(serving, tmp_path):
    refused(serving, wrapper(tmp_path, "pause();"), "was not ready within upgrade-timeout")


def test_one_that_says_that_it_is_ready_and_dies(serving, tmp_path):
    refused(serving, wrapper(tmp_path, "_exit(0);"), "ended before it was ready")


def test_another_state_directory(serving, tmp_path):
    """What only a start can change: told by the candidate."""
    text = serving.file.read_text()
    serving.write(text + "processes { edge 3 }\n")
    refused(serving, NEXT, "cannot take over", "stop weir and start it again")
    serving.write(text)


def test_the_candidate_dies_when_it_is_to_hand_over(weir, apps, free_port, tmp_path):
    """The resumed supervisor starts the new processes itself; the former ones serve until they are ready."""
    port = free_port()
    w = weir(conf(port, apps("a").port))
    w.wait_fact("member:web/m0", "up")
    since = w.fact("member:web/m0")["since"]
    load = Load(port, 4)
    load.wait_more(10)
    upgrade(w, wrapper(tmp_path, """
            pread(atoi(argv[i + 1]), text, sizeof(text) - 1, 0);
            kill(atoi(strstr(text, "\\"candidate\\":") + 12), SIGKILL);
            usleep(200000);""", "--resume"))
    w.wait_log("the candidate of the upgrade is lost")
    load.wait_more(10)
    wait_no_formers(w)
    n = load.end()
    assert build(w) == "next" and w.fact("member:web/m0")["since"] == since
    assert until(lambda: requests(w) == n, 20, 0.1), (requests(w), n)
    assert until(lambda: len(children(w.pid_supervisor)) == 3)


# --- killed in the middle -------------------------------------------------------------------------


def test_the_supervisor_is_killed_in_the_middle(weir, apps, free_port, tmp_path):
    """All end at once, as whenever it is killed, and a start finds nothing in its way."""
    port = free_port()
    text = conf(port, apps("a").port)
    w = weir(text)
    w.wait_fact("member:web/m0", "up")
    for delay in (0.02, 0.08, 0.15, 0.25, 0.4):
        stop = threading.Thread(target=lambda: upgrade(w, check=False))
        stop.start()
        end = time.monotonic() + delay
        while time.monotonic() < end:
            w.seen |= set(children(w.pid_supervisor))
        w.seen |= set(children(w.pid_supervisor))
        w.signal(signal.SIGKILL)
        w.wait_end()
        stop.join(60)
        assert until(lambda: not any(is_alive(pid) for pid in w.seen))
        assert until(lambda: not any(is_alive(pid) for pid in strays(w)))
        w.start()
    load = Load(port, 2)
    load.wait_more(3)
    load.end()


def strays(w):
    """Processes whose command line names the state directory."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == w.pid_supervisor:
            continue
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(w.state).encode() in line and b"run" in line:
            found.append(int(entry.name))
    return found


def test_stop_in_the_middle(weir, apps, free_port):
    port = free_port()
    w = weir(conf(port, apps("a").port))
    done = []
    asking = threading.Thread(target=lambda: done.append(upgrade(w, check=False)))
    asking.start()
    time.sleep(0.1)
    assert w.stop() == 0
    asking.join(60)
    assert until(lambda: not strays(w))
    w.assert_nothing_left()

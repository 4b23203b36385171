# SPDX-License-Identifier: Apache-2.0
"""The supervisor: start, stop, reload, restart, watchdog, and what it refuses and with which words."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest
from conftest import WEIR, children, is_alive, until

CONF = "listen shop http 127.0.0.1:{port} {{ route path = /ping respond 200 \"{answer}\" }}\n"


def conf(port, answer="pong", more=""):
    return CONF.format(port=port, answer=answer) + more


def get(port, path="/ping", timeout=5):
    """(status, body), or None where nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as conn:
            conn.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            data = b""
            while block := conn.recv(65536):
                data += block
    except OSError:
        return None
    head, _, body = data.partition(b"\r\n\r\n")
    return (int(head.split()[1]), body.decode().strip()) if head else None


def run(folder, *args, timeout=20):
    return subprocess.run([WEIR, *args], cwd=folder, text=True, capture_output=True, timeout=timeout,
                          check=False)


# --- start and stop -------------------------------------------------------------------------------


def test_start_serve_stop(weir, free_port):
    port = free_port()
    w = weir(conf(port))
    assert get(port) == (200, "pong")
    assert sorted(w.pids()) == ["admin", "edge"]  # no pool, no health
    w.wait_log(f"listen:shop 127.0.0.1:{port}")
    w.wait_log(str(w.state))
    assert (w.state / "admin.sock").exists()
    assert w.stop() == 0
    w.assert_nothing_left()
    assert get(port) is None


def test_only_what_the_file_uses_runs(weir, free_port):
    w = weir("pool web { member a 127.0.0.1:1 }\n" + conf(free_port()))
    assert sorted(w.pids()) == ["admin", "edge", "health"]


def test_the_state_directory_is_closed_to_others(weir, free_port):
    w = weir(conf(free_port()))
    assert w.state.stat().st_mode & 0o7777 == 0o700
    assert (w.state / "admin.sock").stat().st_mode & 0o777 == 0o600


def test_sigint_stops_too_and_a_second_signal_at_once(weir, apps, free_port):
    port = free_port()
    app = apps("slow", "--delay", "20000")
    w = weir(f"stop-timeout 60s\npool web {{ member a 127.0.0.1:{app.port} }}\n"
             f"listen shop http 127.0.0.1:{port} {{ route pool web }}\n")
    with socket.create_connection(("127.0.0.1", port)) as conn:
        conn.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)
        w.pids()
        w.signal(signal.SIGINT)
        time.sleep(0.5)
        assert w.process.poll() is None  # the request is under way
        w.signal(signal.SIGINT)
        assert w.wait_end() == 0
    w.assert_nothing_left()


def test_a_stop_lets_a_request_finish(weir, apps, free_port):
    port = free_port()
    app = apps("slow", "--delay", "1000")
    w = weir(f"pool web {{ member a 127.0.0.1:{app.port} }}\n"
             f"listen shop http 127.0.0.1:{port} {{ route pool web }}\n")
    with socket.create_connection(("127.0.0.1", port)) as conn:
        conn.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)
        assert w.stop() == 0
        assert conn.recv(65536).startswith(b"HTTP/1.1 200")
    w.assert_nothing_left()


def test_a_stale_socket_file_is_removed(weir, free_port):
    w = weir(conf(free_port()), start=False)
    w.state.mkdir(mode=0o700)
    (w.state / "lock").touch()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(w.state / "admin.sock"))
    w.start()
    assert w.status()


# --- what a start refuses -------------------------------------------------------------------------


def test_a_bad_file_is_refused_as_check_says_it(weir, free_port):
    w = weir(f"listen shop http 127.0.0.1:{free_port()} {{ route pool nowhere }}\n", start=False)
    checked = run(w.folder, "check", "test.weir")
    w.spawn()
    assert w.wait_end() == 1 and checked.returncode == 1
    w.wait_log("nowhere")
    w.wait_log("test.weir:1:")
    assert w.log() == checked.stderr


def test_a_taken_port_quotes_the_line_and_the_holder(weir, free_port):
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        w = weir("\n" + conf(port), start=False).spawn()
        assert w.wait_end() == 1
    w.wait_log("test.weir:2:18: error: listen:shop: cannot listen on")
    w.wait_log("Address already in use")
    w.wait_log(f"127.0.0.1:{port}")
    if os.geteuid() == 0:
        w.wait_log(f"(pid {os.getpid()})")
    assert not w.pids()


def test_another_weir_on_the_same_port_is_no_partner(weir, free_port):
    port = free_port()
    weir(conf(port))
    other = weir(conf(port), start=False).spawn()
    assert other.wait_end() == 1
    other.wait_log("Address already in use")


def test_an_address_that_is_not_here(weir):
    w = weir("listen shop http 198.51.100.77:80 { route respond 200 }\n", start=False)
    checked = run(w.folder, "check", "test.weir")
    assert checked.returncode == 0 and "note: no interface of this host has the address" in checked.stderr
    w.spawn()
    assert w.wait_end() == 1
    w.wait_log("test.weir:1:18: error:")
    w.wait_log("no interface of this host has the address")


def test_two_listens_on_one_address(weir, free_port):
    port = free_port()
    w = weir(conf(port) + f"admin 127.0.0.1:{port}\n", start=False)
    checked = run(w.folder, "check", "test.weir")
    assert checked.returncode == 1
    assert f"test.weir:2:7: error: listen:shop listens on 127.0.0.1:{port} already" in checked.stderr
    assert "(test.weir:1:18)" in checked.stderr
    w.spawn()
    assert w.wait_end() == 1 and w.log() == checked.stderr


def test_a_second_start_names_the_first(weir, free_port):
    w = weir(conf(free_port()))
    second = weir(conf(free_port()), start=False, state=w.state).spawn()
    assert second.wait_end() == 1
    second.wait_log(f"pid {w.process.pid}")
    second.wait_log("runs already")
    assert w.status()


def test_a_state_directory_with_other_things_is_left_alone(weir, tmp_path, free_port):
    other = tmp_path / "home"
    other.mkdir(mode=0o755)
    (other / "letter").write_text("mine")
    w = weir(conf(free_port()), start=False, state=other).spawn()
    assert w.wait_end() == 1
    w.wait_log("holds other things")
    assert other.stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_state_directory_that_root_has_used(free_port):
    """Whoever starts weir as another user after that hears whose what is."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        copy = shutil.copy(WEIR, folder)
        (folder / "test.weir").write_text(conf(free_port()))
        state = folder / "state"
        state.mkdir()

        def start():
            done = subprocess.run([copy, "run", "test.weir", "--state", state], cwd=folder, user=12345, group=12345,
                                  extra_groups=[], capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 1
            return done.stderr

        hint = "is of user root, and weir runs as 12345: start it as root, chown the folder and all in it, or"
        assert f"weir: the state directory: {state} {hint}" in start()
        os.chown(state, 12345, 12345)
        (state / "lock").write_text("")
        (state / "secret").write_text("")
        os.chown(state / "lock", 12345, 12345)
        assert f"weir: the state directory: {state}/secret {hint}" in start()


def test_nodes(weir, free_port):
    nodes = "nodes { a 198.51.100.77; b 198.51.100.78 }\n"
    w = weir(nodes + conf(free_port()), start=False)
    assert run(w.folder, "check", "test.weir").returncode == 0
    w.spawn()
    assert w.wait_end() == 1
    w.wait_log("test.weir:1:1: error: this host has the address of none of the nodes")
    w.args = ["--node", "c"]
    w.spawn()
    assert w.wait_end() == 1
    w.wait_log("no node is called \"c\"")
    w.args = ["--node", "b"]
    w.start()
    w.wait_log("as node b")


# --- death ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["admin", "edge", "health"])
def test_a_process_that_dies_is_started_again(weir, free_port, kind):
    port = free_port()
    w = weir("pool web { member a 127.0.0.1:1 }\n" + conf(port))
    others = {k: p for k, p in w.pids().items() if k != kind}
    w.kill(kind, signal.SIGTRAP)  # which no sanitizer catches
    assert w.wait_back(kind)
    assert get(port) == (200, "pong")
    assert {k: w.pid(k) for k in others} == others
    assert w.fact(f"process:{kind}")["value"] == 1
    w.wait_log(f"{kind} ended by SIGTRAP")


def test_a_connection_waits_for_the_next_life(weir, free_port):
    port = free_port()
    w = weir(conf(port))
    w.kill("edge", signal.SIGKILL)
    assert get(port) == (200, "pong")  # the kernel kept it


def test_the_watchdog_kills_what_is_silent(weir, free_port):
    port = free_port()
    w = weir(conf(port, more="watchdog 1s\n"))
    w.kill("edge", signal.SIGSTOP)
    assert w.wait_back("edge")
    assert get(port) == (200, "pong")
    w.wait_log("watchdog: loop")


def test_a_stopped_process_is_no_hurdle_for_a_stop(weir, free_port):
    w = weir(conf(free_port(), more="stop-timeout 1s\nwatchdog 1h\n"))
    w.kill("edge", signal.SIGSTOP)
    assert w.stop() == 0
    w.assert_nothing_left()


def test_when_the_supervisor_dies_all_end(weir, free_port):
    port = free_port()
    w = weir("pool web { member a 127.0.0.1:1 }\n" + conf(port))
    pids = w.pids()
    assert len(pids) == 3
    w.signal(signal.SIGKILL)
    w.wait_end()
    started = time.monotonic()
    assert until(lambda: not any(is_alive(pid) for pid in pids.values()), every=0.001)
    assert time.monotonic() - started < 5
    assert get(port) is None
    w.start()  # over the same state directory, with a socket file that is stale
    assert get(port) == (200, "pong")


def test_signals_of_the_terminal_are_the_supervisors(weir, free_port):
    w = weir(conf(free_port()))
    pids = w.pids()
    for pid in pids.values():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
    time.sleep(0.3)
    assert w.pids() == pids


# --- reload ---------------------------------------------------------------------------------------


def test_reload_by_command_and_by_signal(weir, free_port):
    port = free_port()
    w = weir(conf(port))
    pids = w.pids()
    w.write(conf(port, "second"))
    assert "generation 2" in w.reload().stdout
    assert until(lambda: get(port) == (200, "second"))
    w.write(conf(port, "third"))
    w.signal(signal.SIGHUP)
    assert until(lambda: get(port) == (200, "third"))
    assert w.pids() == pids


def test_reload_refused_changes_nothing(weir, free_port):
    port, second = free_port(), free_port()
    w = weir(conf(port))
    w.write(conf(port, "second", f"listen more http 127.0.0.1:{second} {{ route pool nowhere }}\n"))
    refused = w.reload(check=False)
    assert refused.returncode == 1
    assert "test.weir:2:" in refused.stderr and "nowhere" in refused.stderr
    assert get(port) == (200, "pong") and get(second) is None


def test_reload_with_a_taken_port(weir, free_port):
    port, second, free = free_port(), free_port(), free_port()
    w = weir(conf(port))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", second))
        taken.listen()
        w.write(conf(port, "second") + conf(free).replace("shop", "free") +
                conf(second).replace("shop", "more"))
        refused = w.reload(check=False)
    assert refused.returncode == 1 and "Address already in use" in refused.stderr
    assert get(port) == (200, "pong") and get(free) is None
    w.reload()
    assert get(free) == (200, "pong") and get(second) == (200, "pong")


def test_reload_of_what_only_a_start_changes(weir, free_port):
    port = free_port()
    w = weir(conf(port, more="processes { edge 2 }\n"))
    w.write(conf(port, "second", "processes { edge 3 }\n"))
    refused = w.reload(check=False)
    assert refused.returncode == 1 and "takes effect only at a start" in refused.stderr
    assert "test.weir:2:" in refused.stderr
    w.write(conf(port, "second"))
    refused = w.reload(check=False)
    assert refused.returncode == 1 and 'error: "processes" is no longer in the file, which' in refused.stderr
    assert "test.weir" not in refused.stderr
    assert get(port) == (200, "pong")


def test_reload_without_a_word_that_only_a_start_changes(weir, free_port):
    jobs = f"jobs 127.0.0.1:{free_port()}\n"
    w = weir(jobs + "queues { segment 1M; handover 1s }\n")
    w.write(jobs + "queues { handover 1s }\n")
    refused = w.reload(check=False)
    assert refused.returncode == 1 and 'test.weir:2:1: error: "segment" is no longer in the file' in refused.stderr


def test_reload_starts_and_ends_processes(weir, free_port):
    port = free_port()
    w = weir(conf(port))
    w.write(conf(port, more="pool web { member a 127.0.0.1:1; check tcp }\n"))
    w.reload()
    health = w.pid("health")
    w.wait_fact("process:health", "up")
    w.write(conf(port))
    w.reload()
    assert until(lambda: not is_alive(health))
    assert until(lambda: "process:health" not in w.facts())
    assert "health" not in w.pids()


def test_a_process_that_is_taken_away_and_wanted_again(weir, free_port):
    port = free_port()
    with_pool = conf(port, more="pool web { member a 127.0.0.1:1; check tcp }\n")
    w = weir(with_pool)
    for _ in range(5):
        w.write(conf(port))
        w.signal(signal.SIGHUP)
        w.write(with_pool)
        w.reload()
    w.wait_fact("process:health", "up")
    assert w.pid("health")


def test_a_renamed_listen_keeps_its_socket(weir, free_port):
    port = free_port()
    w = weir(conf(port))
    inode = lambda: next(line.split()[9] for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()
                         if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A")
    before = inode()
    w.write(conf(port, "renamed").replace("shop", "store"))
    w.reload()
    assert until(lambda: get(port) == (200, "renamed"))
    assert inode() == before


def test_a_process_that_hangs_makes_a_reload_refuse(weir, free_port):
    port = free_port()
    w = weir(conf(port, more="reload-timeout 1s\nwatchdog 1h\n"))
    edge = w.pid("edge")
    os.kill(edge, signal.SIGSTOP)
    w.write(conf(port, "second", "reload-timeout 1s\nwatchdog 1h\n"))
    refused = w.reload(check=False)
    assert refused.returncode == 1 and "edge did not prepare" in refused.stderr
    os.kill(edge, signal.SIGCONT)
    assert until(lambda: get(port) == (200, "pong"))
    w.reload()
    assert until(lambda: get(port) == (200, "second"))  # a loop goes over at its next turn


def test_a_process_that_dies_gets_the_newest(weir, free_port):
    port = free_port()
    w = weir(conf(port))
    w.write(conf(port, "second"))
    w.reload()
    w.kill("edge", signal.SIGKILL)
    assert w.wait_back("edge")
    assert get(port) == (200, "second")


def test_many_reloads_at_once(weir, free_port):
    port = free_port()
    w = weir(conf(port))
    for n in range(20):
        w.write(conf(port, f"n{n}"))
        w.signal(signal.SIGHUP)
        if n % 3 == 0:
            time.sleep(0.01)
    assert until(lambda: get(port) == (200, "n19"))
    assert w.pid("edge") in w.seen


# --- the service manager --------------------------------------------------------------------------


@pytest.mark.parametrize("is_abstract", (False, True), ids=("path", "abstract"))
def test_notify(weir, free_port, tmp_path, is_abstract):
    path = f"@{tmp_path.name}/{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + path[1:] if is_abstract else path)
        manager.settimeout(20)
        w = weir(conf(free_port()), start=False,
                 env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})
        w.start()
        said = []

        def hear(what):
            while not any(what in text for text in said):
                said.append(manager.recv(4096).decode())

        hear("READY=1")
        hear("WATCHDOG=1")
        w.signal(signal.SIGHUP)
        hear("RELOADING=1")
        assert any("MONOTONIC_USEC=" in text for text in said)
        said.clear()
        hear("READY=1")
        w.stop()
        hear("STOPPING=1")


def test_a_watchdog_of_another_process(weir, free_port, tmp_path):
    """And a socket that nobody has: neither is ours, and neither is in the way."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        w = weir(conf(free_port()), env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "10000",
                                         "WATCHDOG_PID": "1"})
        assert w.stop() == 0
        manager.setblocking(False)
        said = []
        with contextlib.suppress(BlockingIOError):
            while True:
                said.append(manager.recv(4096).decode())
        assert any("READY=1" in text for text in said) and not any("WATCHDOG" in text for text in said)
    w = weir(conf(free_port()), env={"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "x"})
    assert w.stop() == 0


# --- what ps shows --------------------------------------------------------------------------------


def test_titles_and_descriptors(weir, free_port):
    w = weir(conf(free_port()))
    assert set(children(w.process.pid).values()) == {"weir: admin", "weir: edge"}
    for pid in w.pids().values():
        assert pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").count(b"\0") == 0
        environ = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        assert b"PATH=" not in environ and b"HOME=" not in environ

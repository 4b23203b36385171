# SPDX-License-Identifier: Apache-2.0
"""Checks by a program: what it gets, what it says, how it is ended, and what becomes of the member when the
process that starts programs is not there."""
import os
import pathlib
import signal
import subprocess
import time

import pytest

from conftest import WEIR, real_pid, until

CONF = """
pool web {{
    member a 127.0.0.1:{member}
    check exec {program} every {every} timeout {timeout} fall 2 rise 1
}}
{more}
listen shop http 127.0.0.1:{port} {{ route pool web }}
"""


def conf(free_port, program, every="500ms", timeout="500ms", more=""):
    return CONF.format(member=free_port(), port=free_port(), program=program, every=every, timeout=timeout, more=more)


def wait_reason(w, state, reason, name="member:web/a"):
    def is_so():
        fact = w.fact(name, check=False)
        return fact is not None and fact["state"] == state and reason in fact["reason"]
    assert until(is_so, every=0.05), (state, reason, w.fact(name, check=False), w.log())


def test_what_it_gets(weir, free_port, program):
    """Its arguments, its environment, no descriptor of ours, no privilege."""
    probe = program("""
        [ "$1 $2 $3" = "--deep a b every" ] || { echo "arguments: $*"; exit 1; }
        [ "$(env | grep -v '^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=' | cut -d= -f1 | sort | tr '\\n' ' ')" = \\
          "PATH WEIR_ADDRESS WEIR_MEMBER WEIR_POOL WEIR_PORT " ] || { env | tr '\\n' ' '; exit 1; }
        [ "$(ls /proc/self/fd | tr '\\n' ' ')" = "0 1 2 3 " ] || { ls /proc/self/fd | tr '\\n' ' '; exit 1; }
        grep -q '^CapEff:.0000000000000000' /proc/self/status || { echo capabilities; exit 1; }
        grep -q '^NoNewPrivs:.1' /proc/self/status || { echo privileges; exit 1; }
        [ "$(ps -o pgid= -p $$ | tr -d ' ')" = $$ ] || { echo group; exit 1; }
        echo "$WEIR_POOL/$WEIR_MEMBER at $WEIR_ADDRESS:$WEIR_PORT"
        echo "and more that nobody reads"
    """)
    w = weir(conf(free_port, f'{probe} --deep "a b" "every"', every="10s", timeout="10s"))
    port = w.file.read_text().split("member a ")[1].split()[0]
    wait_reason(w, "up", f"web/a at {port}")
    assert os.stat(f"/proc/{w.pid('worker')}").st_uid == os.stat(f"/proc/{w.pid('health')}").st_uid


@pytest.mark.parametrize("script, state, reason", [
    ("exit 0", "up", "exit status 0 in "),
    ("echo 'no table' >&2; exit 2", "down", "exit status 2: no table"),
    ("exit 1", "down", "exit status 1"),
    ("kill -SEGV $$", "down", "the program was ended by SIGSEGV"),
])
def test_how_it_ends(weir, free_port, program, script, state, reason):
    w = weir(conf(free_port, program(script), every="10s", timeout="10s"))
    wait_reason(w, state, reason)


def test_late_with_all_it_started(weir, free_port, program, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    notes.chmod(0o777)
    w = weir(conf(free_port, program(f"sleep 300 & echo $! > {notes}/$$; sleep 300"), every="1s", timeout="500ms"))
    wait_reason(w, "down", "no answer within 500ms")
    assert until(lambda: len(list(notes.iterdir())) >= 2)
    started = [note for note in list(notes.iterdir()) if note.read_text()]
    worker = w.pid("worker")
    # Each is gone with its group, some half a second after it began.
    for note in started[:2]:
        assert until(lambda n=note: not real_pid(int(n.name), worker) and not real_pid(int(n.read_text()), worker))


def test_nothing_is_left(weir, free_port, program):
    """No zombie and no descriptor, after many of them."""
    w = weir(conf(free_port, program("echo fine"), every="100ms", timeout="100ms"))
    worker = w.pid("worker")
    until(lambda: w.fact("member:web/a")["state"] != "unknown")
    time.sleep(2)

    def zombies():
        return [pid for pid in os.listdir("/proc") if pid.isdigit() and is_zombie_of(pid, worker)]
    assert until(lambda: not zombies())
    assert until(lambda: len(os.listdir(f"/proc/{worker}/fd")) < 60)


def is_zombie_of(pid, parent):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] == "Z" and int(fields[1]) == parent


def test_worker_dies(weir, free_port, program, tmp_path):
    """Its death says nothing of the member, which stays what it was; and it is back at once."""
    flag = tmp_path / "slow"
    w = weir(conf(free_port, program(f"[ -e {flag} ] && sleep 300; echo fine"), every="300ms", timeout="300ms"))
    wait_reason(w, "up", "fine")
    for _ in range(3):
        w.kill("worker", signal.SIGKILL)
        assert w.wait_back("worker")
    w.kill("worker", signal.SIGSTOP)  # it hangs: the watchdog takes its time
    time.sleep(1)
    os.kill(w.killed["worker"], signal.SIGCONT)
    assert w.fact("member:web/a")["state"] == "up", w.log()
    flag.touch()
    wait_reason(w, "down", "no answer within 300ms")
    flag.unlink()
    wait_reason(w, "up", "fine")
    w.kill("health", signal.SIGKILL)
    assert w.wait_back("health")
    assert w.fact("member:web/a")["state"] == "up"
    program("exit 4")
    wait_reason(w, "down", "exit status 4")


def check(w):
    return subprocess.run([WEIR, "check", "test.weir"], cwd=w.folder, capture_output=True, text=True, timeout=60,
                          check=False)


def test_program_goes_away(weir, free_port, program):
    probe = program("echo fine")
    w = weir(conf(free_port, probe))
    wait_reason(w, "up", "fine")
    probe.unlink()
    w.wait_log("not checked: the program cannot be executed: No such file or directory")
    assert w.fact("member:web/a")["state"] == "up"
    done = check(w)
    assert done.returncode == 1
    assert f"cannot find the program {probe}: No such file or directory" in done.stderr
    assert w.reload(check=False).returncode != 0
    probe.write_text("#!/bin/sh\n")
    probe.chmod(0o644)
    done = check(w)
    assert f"{probe} cannot be executed" in done.stderr and "chmod +x" in done.stderr


def test_too_many(weir, free_port, program):
    """One at a time: those beyond are refused, and are not judged by it."""
    w = weir(conf(free_port, program("sleep 300"), every="10s", timeout="10s", more="""
programs { at-once 1 }
pool more { member b 127.0.0.1:1; check exec /bin/true every 10s }
""".replace("127.0.0.1:1;", f"127.0.0.1:{free_port()};")))

    def reasons():
        return [w.fact(name)["reason"] for name in ("member:web/a", "member:more/b")]
    assert until(lambda: "not checked: too many programs run" in reasons() or
                 "exit status 0" in reasons()[1]), reasons()
    assert w.fact("member:web/a")["state"] == "unknown"


def test_worker_comes_and_goes(weir, free_port, program):
    """With the first program that the file names, and with the last."""
    text = conf(free_port, program("echo fine"), every="10s", timeout="10s")
    bare = "\n".join(line for line in text.splitlines() if "check exec" not in line)
    w = weir(bare)
    assert "worker" not in w.pids()
    w.write(text)
    w.reload()
    wait_reason(w, "up", "fine")
    w.write(bare)
    w.reload()
    assert until(lambda: "worker" not in w.pids())
    assert w.fact("member:web/a")["reason"] == "not checked"

# SPDX-License-Identifier: Apache-2.0
"""Programs that do jobs: what they get, how they end, what they may not do, and what becomes of the job and of every
process when the program, the worker, the queue or all of weir ends."""

import os
import re
import signal
import time

from conftest import is_alive, until
from worker_crew import RUNAWAY, SLOW, crew, figures, notes, of_worker, resident_kb, runner, wait_deleted, wait_notes

__all__ = ["crew", "notes"]

# ---- what it gets ---------------------------------------------------------------------------------------------------

def test_what_it_gets(crew, notes):
    """The job as it was put, its arguments, its environment, no descriptor and no privilege of ours."""
    w = crew("""
        {
            echo "$# $1 $2"
            env | grep -v '^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=' | sort
            pwd
            umask
            ls /proc/self/fd | tr '\\n' ' '
            grep '^CapEff\\|^NoNewPrivs' /proc/self/status | tr -d '\\t'
        } > NOTES/.new
        cat > NOTES/body
        mv NOTES/.new NOTES/seen
    """, words="env LANG C.UTF-8; env EMPTY \"\"; directory /usr; umask 027", arguments='"a b" queue')
    jobs = w.jobs()
    body = os.urandom(60000)
    assert jobs.put(body) == "INSERTED 1"
    wait_notes(notes, 2)
    assert (notes / "body").read_bytes() == body
    assert (notes / "seen").read_text().splitlines() == [
        "2 a b queue", "EMPTY=", "LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "WEIR_JOB_ATTEMPT=1", "WEIR_JOB_ID=1", "WEIR_NODE=", "WEIR_QUEUE=work", "WEIR_WORKER=crew",
        "/usr", "0027", "0 1 2 3 CapEff:0000000000000000", "NoNewPrivs:1"]
    wait_deleted(w, jobs, 1)


def test_who_does_not_read(crew):
    """A job of any size is there at once: it lies in memory, not in a pipe."""
    w = crew("exit 0")
    jobs = w.jobs()
    for size in (0, 1, 128, 65535):
        jobs.put(b"x" * size)
    wait_deleted(w, jobs, 4)


# ---- how it ends ----------------------------------------------------------------------------------------------------

ENDS = [  # what the program does, what becomes of the job, and what is said
    ("exit 0", None, None),
    ("exit 75", "not done", "exit status 75"),
    ("echo one; echo 'no such user' >&2; exit 100", "buried", "exit status 100: no such user"),
    ("echo 'no table'; exit 3", "not done", "exit status 3: no table"),
    ("kill -SEGV $$", "not done", "ended by SIGSEGV"),
    ("exec sleep 60", "not done", "killed after 1s"),
]


def test_exit_codes(crew):
    w = crew('eval "$(cat)"', words="timeout 1s", queue_words="retry 9 backoff 1h..1h")
    jobs = w.jobs()
    for script, _, _ in ENDS:
        jobs.put(script.encode())
    assert until(lambda: figures(jobs) == [0, 0, 4, 1, 1]), (figures(jobs), w.log())
    for number, (_, outcome, said) in enumerate(ENDS, 1):
        if said:
            w.wait_log(f"job {number} of queue work: {outcome}: {said}")
    assert until(lambda: [of_worker(w, name) for name in ("done", "again", "buried", "running")] == [1, 4, 1, 0])


def test_tries_are_counted_and_end(crew, notes):
    w = crew("echo $WEIR_JOB_ATTEMPT > NOTES/$WEIR_JOB_ATTEMPT; exit 1", words="crashes in-a-row 1000",
             queue_words="retry 2 backoff 10ms..20ms")
    jobs = w.jobs()
    jobs.put(b"x")
    assert until(lambda: figures(jobs)[3] == 1), w.log()
    assert wait_notes(notes, 3) == ["1", "2", "3"]


def test_concurrency(crew, notes):
    """As many as it may, no more, and all of them are done."""
    w = crew("""
        touch NOTES/.run$WEIR_JOB_ID
        ls -a NOTES | grep -c run > NOTES/n$WEIR_JOB_ID
        sleep 0.2
        rm NOTES/.run$WEIR_JOB_ID
    """, words="concurrency 4")
    jobs = w.jobs()
    for _ in range(20):
        jobs.put(b"x")
    wait_deleted(w, jobs, 20)
    most = max(int(path.read_text()) for path in notes.iterdir())
    assert 2 <= most <= 4


def test_concurrency_follows_what_waits(crew, notes):
    """From its lower end up while jobs wait, and back when they do not; the queue is asked by its protocol alone."""
    w = crew(SLOW, words="concurrency 1..4; scale { every 100ms; idle 500ms }")
    jobs = w.jobs()
    assert of_worker(w, "concurrency") == 1
    for _ in range(6):
        jobs.put(b"x")
    for n in (1, 2, 3, 4):
        assert until((notes / f"run1-{n}").exists), w.log()
    assert until(lambda: of_worker(w, "concurrency") == 4)
    assert "4 of 4 (1..4)" in w.command("status").stdout
    time.sleep(0.3)
    assert figures(jobs)[:2] == [2, 4]
    (notes / "go").touch()
    wait_deleted(w, jobs, 6)
    assert until(lambda: of_worker(w, "concurrency") == 1), w.log()
    w.wait_log("worker crew does 1 jobs at a time, not 4")


# ---- what it may not do ---------------------------------------------------------------------------------------------

def test_deaf_with_children(crew, notes):
    """It ignores SIGTERM, and so do those that it has started: all of them are killed."""
    w = crew("""
        trap '' TERM
        sleep 300 & echo $! > NOTES/child
        echo $$ > NOTES/.p; mv NOTES/.p NOTES/parent
        while :; do sleep 300; done
    """, words="timeout 2s; grace 300ms", queue_words="retry 1 backoff 1h..1h")
    jobs = w.jobs()
    jobs.put(b"x")
    pids = [runner(w, notes, name) for name in ("parent", "child")]
    assert until(lambda: figures(jobs)[2] == 1), w.log()
    for pid in pids:
        assert until(lambda p=pid: not is_alive(p)), pids


def test_runaway_child(crew, notes):
    """What leaves the process group is found when the program has ended."""
    w = crew("""
        setsid sh -c 'echo $$ > NOTES/.c; mv NOTES/.c NOTES/child; exec sleep 300' &
        while ! [ -e NOTES/go ]; do sleep 0.05; done
    """)
    jobs = w.jobs()
    jobs.put(b"x")
    pid = runner(w, notes, "child")
    (notes / "go").touch()
    wait_deleted(w, jobs, 1)
    assert until(lambda: not is_alive(pid))


def test_term_comes_first_and_to_it_alone(crew, notes):
    w = crew("""
        sh -c 'trap "touch NOTES/child-heard" TERM; sleep 1; exit 0' &
        trap 'touch NOTES/heard; wait; exit 0' TERM
        wait
    """, words="timeout 300ms; grace 20s", queue_words="retry 1 backoff 1h..1h")
    jobs = w.jobs()
    jobs.put(b"x")
    assert until(lambda: figures(jobs)[2] == 1), w.log()  # its time was over, whatever its status
    assert wait_notes(notes, 1) == ["heard"]


def test_loud(crew):
    """What it prints costs the reading: the end is kept."""
    w = crew("head -c 50000000 /dev/zero | tr '\\0' x; echo; echo the end; exit 3", words="timeout 5m",
             queue_words="retry 1 backoff 1h..1h")
    before = resident_kb(w.pid("worker"))
    jobs = w.jobs()
    jobs.put(b"x")
    assert until(lambda: figures(jobs)[2] == 1, 120), w.log()
    w.wait_log("exit status 3: the end")
    assert resident_kb(w.pid("worker")) < before + 4000


LIMITS = [
    ("memory", "memory 200M", "exec /usr/bin/python3 -c 'bytes(500 << 20)'", "exit status 1: MemoryError"),
    ("cpu", "cpu 1s", "while :; do :; done", "ended by SIGXCPU"),
    ("file", "file 1M", "head -c 3000000 /dev/zero > NOTES/file; exit $?", "exit status 15"),  # 128 and SIGXFSZ
    ("all", "{ memory 300M; cpu 7s; files 99 }", "echo $(ulimit -v) $(ulimit -t) $(ulimit -n); exit 3",
     "exit status 3: 307200 7 99"),
]


def test_limits(crew, notes):
    """A worker each, and a queue of its own."""
    w = crew('eval "$(cat)"')
    w.write(w.file.read_text() + "".join(
        f"queue {name} {{ retry 1 backoff 1h..1h }}\n"
        f"worker {name} {{ queue {name}; exec {w.program}; limits {limit} }}\n" for name, limit, _, _ in LIMITS))
    w.reload()
    jobs = w.jobs()
    for name, _, script, _ in LIMITS:
        jobs.ask(f"use {name}")
        jobs.put(script.replace("NOTES", str(notes)).encode())
    for name, _, _, said in LIMITS:
        assert until(lambda n=name: jobs.document(f"stats-tube {n}")["current-jobs-delayed"] == "1"), w.log()
        w.wait_log(f"of queue {name}: not done: {said}")


def test_another_user(crew, notes):
    """Its user, its groups, its environment; it can be killed, and what it leaves behind too."""
    w = crew("""
        {
            id -un; id -Gn; echo $HOME $USER $LOGNAME
            grep '^CapPrm\\|^CapEff' /proc/self/status | tr -d '\\t'
            echo loud > /dev/stderr
        } > NOTES/.seen
        setsid sh -c 'echo $$ > NOTES/.c; mv NOTES/.c NOTES/child; exec sleep 300' &
        cat > NOTES/body
        mv NOTES/.seen NOTES/seen
        trap '' TERM
        while :; do sleep 0.1; done
    """, words="user games; env HOME /srv; timeout 1s; grace 100ms", queue_words="retry 1 backoff 1h..1h")
    jobs = w.jobs()
    jobs.put(b"x" * 1000)
    pid = runner(w, notes, "child")
    wait_notes(notes, 3)
    assert (notes / "seen").read_text().splitlines() == [
        "games", "games", "/srv games games", "CapPrm:0000000000000000", "CapEff:0000000000000000"]
    assert (notes / "body").stat().st_size == 1000
    assert until(lambda: figures(jobs)[2] == 1), w.log()
    w.wait_log("killed after 1s: loud")
    assert until(lambda: not is_alive(pid))
    w.write(w.file.read_text().replace("user games", "user games; group mail"))
    w.reload()
    (notes / "seen").unlink()
    jobs.put(b"y")
    wait_notes(notes, 3)
    assert (notes / "seen").read_text().splitlines()[:2] == ["games", "mail"]


def test_users_that_are_not_there(crew):
    w = crew("exit 0")
    text = w.file.read_text()
    for words, said in (("user nosuchuser", 'there is no user "nosuchuser" on this host'),
                        ("group nosuchgroup", 'there is no group "nosuchgroup" on this host'),
                        ("user root", "the program of a job does not become root")):
        w.write(text.replace("  }", f" ; {words} }}"))
        done = w.reload(check=False)
        assert done.returncode != 0
        assert said in done.stdout + done.stderr
    w.write(text)
    w.reload()


def test_fails_at_once(crew, program):
    """Not all the queue is tried to death; it is said loudly; and it goes on when the program is mended."""
    w = crew("exit 1", words="concurrency 4; crashes in-a-row 5 backoff 300ms..1s",
             queue_words="retry 9 backoff 10ms..20ms")
    jobs = w.jobs()
    for _ in range(50):
        jobs.put(b"x")
    w.wait_fact("worker:crew", "failed")
    assert re.fullmatch(r"failed at once, \d+ times in a row: exit status 1", w.fact("worker:crew")["reason"])
    said = r"crew takes no job for \S+: /\S+ fails at once, 5 times in a row: exit status 1\n"
    assert until(lambda: re.search(said, w.log())), w.log()
    assert figures(jobs)[3] == 0
    program("exit 0")
    wait_deleted(w, jobs, 50)
    w.wait_fact("worker:crew", "serving")


def test_cannot_be_executed(crew):
    """No job is blamed: none of its attempts counts."""
    w = crew("exit 0", words="crashes backoff 100ms..200ms", queue_words="retry 1 backoff 10ms..20ms")
    w.program.chmod(0o700)
    jobs = w.jobs()
    jobs.put(b"x")
    w.wait_fact("worker:crew", "failed")
    assert "not started: Permission denied" in w.fact("worker:crew")["reason"]
    assert until(lambda: int(jobs.document("stats-job 1")["reserves"]) >= 4), w.log()
    assert figures(jobs)[3] == 0
    w.program.chmod(0o755)
    wait_deleted(w, jobs, 1)


# ---- what ends under it ---------------------------------------------------------------------------------------------

def test_lease_is_touched(crew, notes):
    w = crew(SLOW)
    jobs = w.jobs()
    jobs.put(b"x", ttr=1)
    runner(w, notes, "run1-1")
    time.sleep(2.5)
    (notes / "go").touch()
    wait_deleted(w, jobs, 1)
    assert wait_notes(notes, 2) == ["go", "run1-1"]


def test_queue_restarts(crew, notes):
    """What runs goes on, and is told when it ends."""
    w = crew(SLOW, words="concurrency 3")
    jobs = w.jobs()
    for _ in range(3):
        jobs.put(b"x")
    pids = [runner(w, notes, f"run1-{n}") for n in (1, 2, 3)]
    w.kill("queue", signal.SIGKILL)
    assert w.wait_back("queue")
    jobs = w.jobs()
    assert until(lambda: figures(jobs)[1] == 3), (figures(jobs), w.log())
    assert all(is_alive(pid) for pid in pids)
    (notes / "go").touch()
    wait_deleted(w, jobs, 3)
    assert wait_notes(notes, 4) == ["go", "run1-1", "run1-2", "run1-3"]
    w.wait_fact("worker:crew", "serving")


def test_job_is_taken_away(crew, notes):
    """Who has lost the job is ended, and what it says then is nothing to the queue."""
    w = crew(SLOW, words="grace 100ms")
    jobs = w.jobs()
    jobs.put(b"x", ttr=1)
    pid = runner(w, notes, "run1-1")
    w.kill("worker", signal.SIGSTOP)
    assert jobs.ask("watch work") == "WATCHING 2"
    assert jobs.job("reserve-with-timeout 20") == (1, b"x")
    os.kill(w.killed["worker"], signal.SIGCONT)
    w.wait_log("job 1 of queue work is lost")
    assert until(lambda: not is_alive(pid))
    assert jobs.ask("delete 1") == "DELETED"


def test_worker_dies(crew, notes):
    """So does the program, and whatever it has started; the next life does the job."""
    w = crew(RUNAWAY)
    jobs = w.jobs()
    jobs.put(b"x")
    pids = [runner(w, notes, name) for name in ("run1-1", "child")]
    pid = pids[0]
    w.kill("worker", signal.SIGKILL)
    assert until(lambda: not any(is_alive(one) for one in pids))
    assert w.wait_back("worker")
    again = runner(w, notes, "run2-1")
    assert again != pid
    (notes / "go").touch()
    wait_deleted(w, jobs, 1)


def test_all_die(crew, notes):
    w = crew(RUNAWAY)
    jobs = w.jobs()
    jobs.put(b"x")
    pids = [runner(w, notes, name) for name in ("run1-1", "child")]
    w.pids()
    w.process.kill()
    w.process.wait()
    assert until(lambda: not any(is_alive(one) for one in pids))
    assert until(lambda: not any(is_alive(one) for one in w.seen))
    (notes / "run1-1").unlink()
    w.start()
    jobs = w.jobs()
    # Nobody waits for a LEASE (docs/formats/queue.md): where it was not written yet, this is the first attempt again.
    again = [notes / "run1-1", notes / "run2-1"]
    assert until(lambda: any(note.exists() for note in again)), w.log()
    (notes / "go").touch()
    wait_deleted(w, jobs, 1)


def test_stop_gives_back(crew, notes):
    """However often weir is stopped under a job, no attempt is counted."""
    w = crew(SLOW, queue_words="retry 1 backoff 1h..1h")
    w.jobs().put(b"x")
    for _ in range(4):
        pid = runner(w, notes, "run1-1")
        assert w.stop() == 0
        assert not is_alive(pid)
        (notes / "run1-1").unlink()
        w.start()
    jobs = w.jobs()
    runner(w, notes, "run1-1")
    assert jobs.document("stats-job 1")["reserves"] == "5"
    (notes / "go").touch()
    wait_deleted(w, jobs, 1)


def test_stop_lets_it_finish(crew, notes):
    """Who ends well within its grace has done its job."""
    w = crew("trap 'sleep 0.3; touch NOTES/done; exit 0' TERM; touch NOTES/begun; while :; do sleep 0.05; done")
    jobs = w.jobs()
    jobs.put(b"x")
    wait_notes(notes, 1)
    assert w.stop() == 0
    assert (notes / "done").exists()
    w.start()
    assert w.jobs().document("stats-tube work")["total-jobs"] == "0"


def test_node_drains(crew, notes):
    """It takes no job any more, and finishes those that it has."""
    w = crew(SLOW)
    text = w.file.read_text()
    assert w.stop() == 0
    w.write("nodes { a 127.0.0.1 }\n" + text)
    w.args = ["--node", "a"]
    w.start()
    jobs = w.jobs()
    jobs.put(b"x")
    jobs.put(b"y")
    pid = runner(w, notes, "run1-1")
    w.command("drain", "node:a")
    w.wait_fact("worker:crew", "draining")
    assert is_alive(pid)
    (notes / "go").touch()
    wait_deleted(w, jobs, 1)
    time.sleep(0.3)
    assert figures(jobs) == [1, 0, 0, 0, 1]
    w.command("undrain", "node:a")
    wait_deleted(w, jobs, 2)
    assert until(lambda: "0 of 1" in w.command("status").stdout)


# ---- files that come and go -----------------------------------------------------------------------------------------

def test_reload(crew, notes, program):
    """What runs goes on as it began; what comes next is as the new file says."""
    w = crew(SLOW)
    jobs = w.jobs()
    for _ in range(3):
        jobs.put(b"x")
    pid = runner(w, notes, "run1-1")
    time.sleep(0.2)
    assert figures(jobs)[1] == 1
    other = program(f"touch {notes}/other$WEIR_JOB_ID", "other")
    text = w.file.read_text()
    w.write(text.replace(f"exec {w.program}", f"exec {other}").replace("  }", " ; concurrency 2 }"))
    w.reload()
    wait_deleted(w, jobs, 2)
    assert is_alive(pid)
    (notes / "go").touch()
    wait_deleted(w, jobs, 3)
    assert wait_notes(notes, 4) == ["go", "other2", "other3", "run1-1"]


def test_comes_and_goes(crew, notes):
    """A worker that the file has no more finishes what it does, and its fact goes."""
    w = crew(SLOW)
    jobs = w.jobs()
    jobs.put(b"x")
    jobs.put(b"y")
    runner(w, notes, "run1-1")
    text = w.file.read_text()
    w.write("\n".join(line for line in text.splitlines() if not line.startswith("worker")) +
            "\nworker other { queue elsewhere; exec /bin/true }\n")
    w.reload()
    w.wait_fact("worker:other", "serving")
    assert w.fact("worker:crew")["state"] == "draining"
    (notes / "go").touch()
    wait_deleted(w, jobs, 1)
    assert until(lambda: w.fact("worker:crew", check=False) is None)
    assert figures(jobs)[0] == 1
    w.write(text)
    w.reload()
    wait_deleted(w, jobs, 2)

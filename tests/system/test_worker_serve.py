# SPDX-License-Identifier: Apache-2.0
"""Programs that do one job after the other: what they are told, how they answer, what becomes of a job whose program
dies, hangs or talks nonsense, and when one takes the place of another."""

import base64
import os
import re
import signal
import time

import pytest
from conftest import ROOT, is_alive, until
from worker_crew import crew, figures, notes, of_worker, runner, wait_deleted, wait_notes

__all__ = ["crew", "notes"]

# What is done is the body: lines of Python, with job, say() and answer() at hand.
SERVANT = """
exec /usr/bin/python3 -u - <<'END'
import base64, json, os, signal, sys, time
jobs, answers = os.fdopen(os.dup(3)), os.fdopen(3, "w")
def note(name, text=""):
    with open("NOTES/." + name, "w") as file:
        file.write(text)
    os.rename("NOTES/." + name, "NOTES/" + name)
def raw(text):
    answers.write(text)
    answers.flush()
def say(**line):
    raw(json.dumps(line) + "\\n")
def answer(outcome="done", **more):
    say(id=job["id"], outcome=outcome, **more)
n = 0
START
say(ready=True)
for line in jobs:
    job, n = json.loads(line), n + 1
    body = job["body"] if "body" in job else base64.b64decode(job["body_base64"])
    if isinstance(body, str) and body:
        exec(body)
    else:
        answer()
note("bye%d" % os.getpid())
END
"""

WAIT = """
note("run%d-%d" % (job["attempt"], job["id"]), str(os.getpid()))
while not os.path.exists("NOTES/go"):
    time.sleep(0.05)
answer()
"""


@pytest.fixture
def serve(crew, notes):
    def make(words="", start="pass", **more):
        w = crew(SERVANT.replace("START", start), words=words, how="serve lines", **more)
        put = w.jobs

        def jobs():
            client = put()
            client.do = lambda script, **how: client.put(script.replace("NOTES", str(notes)).encode(), **how)
            return client

        w.jobs = jobs
        return w
    return make


def show(w, number):
    """What `weir jobs show` says of a job."""
    return w.command("jobs", "show", str(number), check=False).stdout


# ---- what it is told, and says --------------------------------------------------------------------------------------

def test_one_after_the_other(serve, notes):
    """One program, many jobs; its environment and descriptors; bytes that are text, and bytes that are not."""
    w = serve(words='env LANG C.UTF-8; directory /usr')
    jobs = w.jobs()
    for n in range(1, 6):
        jobs.do("print('seen', job['attempt']); answer(result='%d of %d' % (n, os.getpid()))")
    wait_deleted(w, jobs, 5)
    results = [w.command("jobs", "show", str(n)).stdout.rpartition("\n")[2] for n in range(1, 6)]
    assert [text.split(" of ")[0] for text in results] == ["1", "2", "3", "4", "5"], results
    assert len({text.split(" of ")[1] for text in results}) == 1, "another program for a job"
    jobs.do("answer(result=repr(sorted((k, v) for k, v in os.environ.items() if k[:4] in 'WEIR LANG')) + os.getcwd()"
            " + ' '.join(sorted(os.listdir('/proc/self/fd'))))")
    wait_deleted(w, jobs, 6)
    said = show(w, 6)
    assert "('LANG', 'C.UTF-8'), ('WEIR_NODE', ''), ('WEIR_QUEUE', 'work'), ('WEIR_SERVE', 'lines'), " \
        "('WEIR_WORKER', 'crew')]/usr" in said, said
    assert jobs.put(b"\xff\x00\n") == "INSERTED 7"
    jobs.do("answer(result_base64=base64.b64encode(b'\\xff\\x00').decode())")
    wait_deleted(w, jobs, 8)
    assert jobs.ask("result 8") == "FOUND 8 2"
    assert jobs.bytes(2) == b"\xff\x00"
    assert until(lambda: of_worker(w, "done") == 8)


ANSWERS = [  # what it does, what becomes of the job, and what is said
    ("answer()", None, None),
    ("answer('again', reason='no table')", "not done", "no table"),
    ("answer('bury', reason='no such user')", "buried", "no such user"),
    ("print('no luck'); os._exit(3)", "not done", "exit status 3: no luck"),
    ("os._exit(0)", "not done", "exit status 0, without an answer"),
    ("os._exit(75)", "not done", "exit status 75"),
    ("os._exit(100)", "buried", "exit status 100"),
    ("os.kill(os.getpid(), signal.SIGSEGV)", "not done", "ended by SIGSEGV"),
    ("time.sleep(60)", "not done", "killed after 2s"),
    ("os.closerange(3, 99); time.sleep(60)", "not done", "ended by SIGTERM"),
    # what is no answer
    ("raw('hello\\n'); time.sleep(60)", "not done", "what it answers is no line: no JSON"),
    ("raw('\\n'); time.sleep(60)", "not done", "what it answers is no line: no JSON"),
    ("say(id=job['id'], result='x'); time.sleep(60)", "not done", "what it answers is no line: neither"),
    ("say(id=job['id'] + 1, outcome='done'); time.sleep(60)", "not done", "which it does not have"),
    ("say(ready=True); time.sleep(60)", "not done", "it says twice that it is ready"),
    ("raw('x' * 2000000); time.sleep(60)", "not done", "a line that is longer than a result may be"),
    ("raw('{\"id\":'); time.sleep(60)", "not done", "killed after 2s"),
]


def test_answers_and_ends(serve):
    w = serve(words="timeout 2s; grace 200ms; concurrency 4; crashes in-a-row 1000",
              queue_words="retry 9 backoff 1h..1h")
    jobs = w.jobs()
    for script, _, _ in ANSWERS:
        jobs.do(script)
    buried = sum(outcome == "buried" for _, outcome, _ in ANSWERS)
    again = sum(outcome == "not done" for _, outcome, _ in ANSWERS)
    assert until(lambda: figures(jobs) == [0, 0, again, buried, 1], 60), (figures(jobs), w.log())
    for number, (script, outcome, said) in enumerate(ANSWERS, 1):
        if not said:
            continue
        w.wait_log(f"job {number} of queue work: {outcome}: ")
        line = next(one for one in w.log().splitlines() if f"job {number} of queue work: " in one)
        assert said in line, (script, w.log())
    # It goes on as if nothing had been.
    jobs.do("answer()")
    wait_deleted(w, jobs, 2)
    assert until(lambda: of_worker(w, "running") == 0)


def test_answers_what_nobody_asked(serve):
    """Twice for one job, or before there was one: it is ended, and no job is hurt."""
    w = serve(words="crashes in-a-row 1000")
    jobs = w.jobs()
    jobs.do("answer(); answer()")
    jobs.do("answer()")
    wait_deleted(w, jobs, 2)
    w.wait_log("its program has ended without a job: it answers for job 1, which it does not have")
    assert figures(jobs) == [0, 0, 0, 0, 2]


def test_answers_and_ends_at_once(serve):
    """The answer counts, however soon behind it the program ends."""
    w = serve()
    jobs = w.jobs()
    for _ in range(10):
        jobs.do("answer(); os._exit(0)")
    wait_deleted(w, jobs, 10)
    assert "not done" not in w.log()


def test_long_results(serve):
    w = serve(words="output 1000")
    jobs = w.jobs()
    jobs.do("answer(result='a' * 999 + 'b' * 999 + 'c')")
    wait_deleted(w, jobs, 1)
    assert jobs.ask("result 1") == "FOUND 1 1000"
    assert jobs.bytes(1000) == b"b" * 999 + b"c"


def test_big_jobs(serve):
    """Larger than what a socket holds, for one that does not read at once."""
    w = serve(start="time.sleep(0.2)", segment="16M")
    w.write(re.sub("jobs (.*)", r"jobs \1 { limits job 4M }", w.file.read_text()))
    w.reload()
    jobs = w.jobs()
    body = os.urandom(3 << 20)
    jobs.put(b"answer(result=str(len(body)) + '#')#" + b"x" * (3 << 20))
    jobs.put(body)
    wait_deleted(w, jobs, 2)
    assert show(w, 1).endswith(f"{(3 << 20) + 36}#")


def test_progress(serve, notes):
    w = serve()
    jobs = w.jobs()
    jobs.do("say(id=job['id'], progress=40, text='half of it')\n" + WAIT)
    runner(w, notes, "run1-1")
    assert until(lambda: "40" in show(w, 1) and "half of it" in show(w, 1)), show(w, 1)
    (notes / "go").touch()
    wait_deleted(w, jobs, 1)


# ---- how many, and which --------------------------------------------------------------------------------------------

def test_as_many_as_needed(serve, notes):
    """One lives before there is a job; up to four while they wait; and one again. Where a program takes longer to begin
    than `idle` lasts, one of the four may have been let go and another begun meanwhile."""
    w = serve(words="concurrency 1..4; scale { every 100ms; idle 600ms }", start="note('start%d' % os.getpid())")
    jobs = w.jobs()
    first = wait_notes(notes, 1)[0]
    assert until(lambda: of_worker(w, "programs") == 1)
    for _ in range(6):
        jobs.do(WAIT)
    for n in (1, 2, 3, 4):
        runner(w, notes, f"run1-{n}")
    assert until(lambda: of_worker(w, "programs") == 4)
    (notes / "go").touch()
    wait_deleted(w, jobs, 6)
    assert until(lambda: of_worker(w, "programs") == 1)

    def count(begin):
        return sum(path.name.startswith(begin) for path in notes.iterdir())
    assert until(lambda: count("bye") >= 3 and count("start") - count("bye") == 1), sorted(os.listdir(notes))
    assert first.startswith("start")


def test_recycled_by_jobs(serve, notes):
    w = serve(words="recycle jobs 3")
    jobs = w.jobs()
    for _ in range(9):
        jobs.do("note('job%d' % job['id'], str(os.getpid())); answer()")
    wait_deleted(w, jobs, 9)
    pids = [(notes / f"job{n}").read_text() for n in range(1, 10)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 3]
    assert until(lambda: sum(path.name.startswith("bye") for path in notes.iterdir()) == 3), "not by its input's end"


def test_recycled_by_memory(serve, notes):
    w = serve(words="recycle memory 100M")
    jobs = w.jobs()
    for keep in ("1", "b'x' * (200 << 20)", "1", "1", "1"):
        jobs.do(f"keep = {keep}; note('job%d' % job['id'], str(os.getpid())); answer()")
    wait_deleted(w, jobs, 5)
    pids = [(notes / f"job{n}").read_text() for n in range(1, 6)]
    assert pids[0] == pids[1] != pids[2] == pids[3] == pids[4]


def test_deaf_to_the_end(serve, notes):
    """One that ends neither with its input nor by SIGTERM is killed, with its children."""
    w = serve(words="recycle jobs 1; grace 200ms", start="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    jobs = w.jobs()
    jobs.do("import subprocess; child = subprocess.Popen(['sleep', '300']); note('child', str(child.pid)); "
            "note('self', str(os.getpid())); answer(); time.sleep(300)")
    pids = [runner(w, notes, name) for name in ("child", "self")]
    wait_deleted(w, jobs, 1)
    for pid in pids:
        assert until(lambda p=pid: not is_alive(p))
    jobs.do("answer()")
    wait_deleted(w, jobs, 2)


def test_reload(serve, notes):
    """The same words keep the programs; others have them replaced, each when its job is done."""
    w = serve(words="concurrency 2; env RELEASE 1")
    jobs = w.jobs()
    jobs.do(WAIT)
    pid = runner(w, notes, "run1-1")
    jobs.do("note('other', os.environ['RELEASE'] + ' ' + str(os.getpid())); answer()")
    wait_notes(notes, 2)
    other = (notes / "other").read_text()
    (notes / "other").unlink()
    w.reload()
    jobs.do("note('other', os.environ['RELEASE'] + ' ' + str(os.getpid())); answer()")
    wait_notes(notes, 2)
    assert (notes / "other").read_text() == other
    (notes / "other").unlink()
    w.write(w.file.read_text().replace("RELEASE 1", "RELEASE 2"))
    w.reload()
    jobs.do("note('other', os.environ['RELEASE'] + ' ' + str(os.getpid())); answer()")
    assert until((notes / "other").exists)
    assert (notes / "other").read_text().startswith("2 ")
    assert is_alive(pid)
    (notes / "go").touch()
    wait_deleted(w, jobs, 4)
    assert until(lambda: not is_alive(pid))


def test_from_exec_and_back(serve, notes):
    w = serve(words="concurrency 2")
    text = w.file.read_text()
    jobs = w.jobs()
    jobs.do(WAIT)
    pid = runner(w, notes, "run1-1")
    w.write(text.replace(f"serve lines {w.program}", "exec /bin/true"))
    w.reload()
    jobs.do("answer(result='x')")
    wait_deleted(w, jobs, 1)
    assert is_alive(pid)
    (notes / "go").touch()
    wait_deleted(w, jobs, 2)
    assert until(lambda: not is_alive(pid))
    w.write(text)
    w.reload()
    jobs.do("answer(result='by one that serves')")
    wait_deleted(w, jobs, 3)
    assert "by one that serves" in show(w, 3)


# ---- those that do not start ----------------------------------------------------------------------------------------

def test_never_ready(serve, notes):
    """No job is taken for it; it is said loudly; and it goes on when the program is mended."""
    w = serve(words="ready 2s; grace 100ms; crashes { in-a-row 2; backoff 200ms..400ms }",
              start="if not os.path.exists('NOTES/go'): time.sleep(300)")
    jobs = w.jobs()
    jobs.do("answer()")
    w.wait_fact("worker:crew", "failed")
    assert "it did not say in time that it is ready" in w.fact("worker:crew")["reason"]
    assert jobs.document("stats-job 1")["reserves"] == "0"
    (notes / "go").touch()
    wait_deleted(w, jobs, 1)
    w.wait_fact("worker:crew", "serving")


def test_ends_before_it_is_ready(serve, notes):
    w = serve(words="crashes { in-a-row 3; backoff 200ms..400ms }",
              start="if not os.path.exists('NOTES/go'): sys.exit('no database')")
    jobs = w.jobs()
    jobs.do("answer()")
    w.wait_fact("worker:crew", "failed")
    assert "exit status 1: no database" in w.fact("worker:crew")["reason"]
    assert jobs.document("stats-job 1")["reserves"] == "0"
    (notes / "go").touch()
    wait_deleted(w, jobs, 1)


def test_cannot_be_executed(serve):
    w = serve(words="crashes backoff 100ms..200ms")
    w.program.chmod(0o644)
    w.kill("worker", signal.SIGKILL)
    jobs = w.jobs()
    jobs.do("answer()")
    w.wait_fact("worker:crew", "failed")
    assert "not started: Permission denied" in w.fact("worker:crew")["reason"]
    w.program.chmod(0o755)
    wait_deleted(w, jobs, 1)


def test_fails_at_once(serve):
    w = serve(words="crashes { in-a-row 4; backoff 200ms..400ms }", queue_words="retry 2 backoff 10ms..20ms")
    jobs = w.jobs()
    for _ in range(20):
        jobs.do("os._exit(1)")
    w.wait_fact("worker:crew", "failed")
    ready, _, delayed, buried, _ = figures(jobs)
    assert ready + delayed > 10 and buried <= 3


def test_a_job_on_its_way_to_a_hand_that_leaves(serve, notes):
    """Its program dies before the job is read: nobody had it, and its only attempt is still to come."""
    w = serve(queue_words="retry 1 backoff 1h..1h", start="note('idle', str(os.getpid()))")
    jobs = w.jobs()
    program, worker = runner(w, notes, "idle"), w.pid("worker")
    assert until(lambda: jobs.document("stats-tube work")["current-waiting"] == "1")
    os.kill(worker, signal.SIGSTOP)
    os.kill(program, signal.SIGKILL)
    assert until(lambda: not is_alive(program))
    jobs.do("note('done%d' % job['attempt']); answer()")
    assert until(lambda: figures(jobs)[1] == 1)
    os.kill(worker, signal.SIGCONT)
    wait_deleted(w, jobs, 1)
    assert (notes / "done1").exists()


# ---- what ends under it ---------------------------------------------------------------------------------------------

def test_lease_is_touched(serve, notes):
    w = serve()
    jobs = w.jobs()
    jobs.do(WAIT, ttr=1)
    runner(w, notes, "run1-1")
    time.sleep(2.5)
    (notes / "go").touch()
    wait_deleted(w, jobs, 1)
    assert [name for name in wait_notes(notes, 2) if name.startswith("run")] == ["run1-1"]


def test_job_is_taken_away(serve, notes):
    w = serve(words="grace 100ms")
    jobs = w.jobs()
    jobs.do(WAIT, ttr=1)
    pid = runner(w, notes, "run1-1")
    w.kill("worker", signal.SIGSTOP)
    assert jobs.ask("watch work") == "WATCHING 2"
    assert jobs.job("reserve-with-timeout 20")[0] == 1
    os.kill(w.killed["worker"], signal.SIGCONT)
    w.wait_log("job 1 of queue work is lost")
    assert until(lambda: not is_alive(pid))
    assert jobs.ask("delete 1") == "DELETED"
    jobs.do("answer()")
    wait_deleted(w, jobs, 2)


def test_queue_restarts(serve, notes):
    w = serve(words="concurrency 3")
    jobs = w.jobs()
    for _ in range(3):
        jobs.do(WAIT)
    pids = [runner(w, notes, f"run1-{n}") for n in (1, 2, 3)]
    w.kill("queue", signal.SIGKILL)
    assert w.wait_back("queue")
    jobs = w.jobs()
    assert until(lambda: figures(jobs)[1] == 3), (figures(jobs), w.log())
    assert all(is_alive(pid) for pid in pids)
    (notes / "go").touch()
    wait_deleted(w, jobs, 3)


def test_stop_gives_back(serve, notes):
    """No attempt is counted, and what answers in its grace has done its job."""
    w = serve(queue_words="retry 1 backoff 1h..1h")
    w.jobs().do(WAIT)
    for _ in range(3):
        pid = runner(w, notes, "run1-1")
        assert w.stop() == 0
        assert not is_alive(pid)
        (notes / "run1-1").unlink()
        w.start()
    jobs = w.jobs()
    runner(w, notes, "run1-1")
    (notes / "go").touch()
    wait_deleted(w, jobs, 1)
    jobs.do("def on_term(*_):\n    time.sleep(0.2); answer(); note('done'); os._exit(0)\n"
            "signal.signal(signal.SIGTERM, on_term); note('begun'); time.sleep(60)")
    assert until((notes / "begun").exists)
    assert w.stop() == 0
    assert (notes / "done").exists()
    w.start()
    assert w.jobs().ask("stats-job 2") == "NOT_FOUND"


# ---- what is shown --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["thumbs.py", "thumbs.sh"])
def test_example(crew, name):
    text = (ROOT / "examples" / name).read_text().replace("logger -t thumbs", "cat")
    w = crew("exit 1", how="serve lines", words="crashes backoff 50ms..100ms")
    new = w.program.with_name("example")
    new.write_text(text)
    new.chmod(0o755)
    new.rename(w.program)
    jobs = w.jobs()
    for body in (b"hello", "grüße".encode(), b"\xff\n\x00"):
        jobs.put(body)
    wait_deleted(w, jobs, 3)
    assert figures(jobs) == [0, 0, 0, 0, 3]
    if name == "thumbs.py":
        assert show(w, 2).endswith("7 bytes")
        assert base64.b64encode(b"\xff\n\x00") == b"/woA"

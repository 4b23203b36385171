# SPDX-License-Identifier: Apache-2.0
"""A damaged log of the queue: the start refuses it and names `weir queue repair`, which says what would be lost and
changes nothing, mends on a second word, and then the rest is served."""

import pytest
from jobs_client import Jobs

DAMAGED = 3  # the exit status


@pytest.fixture
def shop(weir, free_port):
    """shop(n, n_bytes) is a weir that was stopped with jobs 1 to n in its log."""
    clients = []

    def make(n, n_bytes=60000):
        port = free_port()
        one = weir(f"jobs 127.0.0.1:{port} {{ limits job 65535 }}\nqueues {{ segment 1M }}\n")

        def client():
            clients.append(Jobs(port))
            return clients[-1]

        one.client = client
        jobs = client()
        for number in range(1, n + 1):
            assert jobs.put(body_of(number, n_bytes)) == f"INSERTED {number}"
        jobs.close()
        assert one.stop() == 0
        return one

    yield make
    for client in clients:
        client.close()


def body_of(number, n_bytes=60000):
    return (b"job-%d-" % number).ljust(n_bytes, b"x")


def files_of(one):
    return {path.name: path.read_bytes() for path in (one.state / "queue").iterdir()}


def segment_of(one, number):
    """The file that has the job's body, and where."""
    for path in sorted((one.state / "queue").glob("*.wal")):
        at = path.read_bytes().find(b"job-%d-x" % number)
        if at >= 0:
            return path, at
    pytest.fail(f"no file has job {number}")


def spoil(path, at, n=8):
    with open(path, "r+b") as file:
        file.seek(at)
        was = file.read(n)
        file.seek(at)
        file.write(bytes(byte ^ 0xff for byte in was))


def refuse_start(one):
    one.spawn()
    assert one.wait_end() != 0
    one.wait_log("`weir queue repair`")


def repair(one, *words):
    return one.command("queue", "repair", *words, check=False)


def told_then_mended(one):
    """What it says; the folder is the same until the second word."""
    before = files_of(one)
    told = repair(one)
    assert told.returncode == DAMAGED, told
    assert "Nothing was changed. `weir queue repair --yes` mends the log so." in told.stdout
    assert files_of(one) == before
    refuse_start(one)
    mended = repair(one, "--yes")
    assert mended.returncode == 0 and "The log is mended" in mended.stdout, mended
    again = repair(one)
    assert again.returncode == 0 and again.stdout.startswith("Nothing is damaged; "), again
    return told.stdout, mended.stdout


def served(one, n, n_bytes=60000):
    """The jobs of 1 to n that are there, each with its body, in order."""
    one.start()
    jobs = one.client()
    found = []
    while not isinstance(job := jobs.job("reserve-with-timeout 0"), str):
        assert job[1] == body_of(job[0], n_bytes)
        found.append(job[0])
        assert jobs.ask(f"delete {job[0]}") == "DELETED"
    assert int(jobs.put(b"new").split()[1]) > n  # a lost job's id is not given again
    return found


def test_a_job_and_a_footer(shop):
    one = shop(40)
    spoil(*segment_of(one, 3))
    path = segment_of(one, 25)[0]
    spoil(path, path.stat().st_size - 40)
    refuse_start(one)
    told, mended = told_then_mended(one)
    assert "1 record of them would be dropped: 1 job (id 3), 0 changes, 0 deletions\n" in told
    assert f"{path.name}, byte " in told and "footer is damaged and would be written anew" in told
    assert "2 damages; " in told and "and with them at most 1 job.\n" in told
    assert "1 record of them is dropped: 1 job (id 3), " in mended and "is written anew" in mended
    assert served(one, 40) == [number for number in range(1, 41) if number != 3]


def test_a_job_of_the_last_file(shop):
    one = shop(5, 300)
    path, at = segment_of(one, 2)
    spoil(path, at)
    refuse_start(one)
    told, _ = told_then_mended(one)
    assert told.startswith(path.name)
    assert "what was there would be dropped, and nobody knows which jobs it had\n" in told
    assert "and nobody knows how many jobs with them.\n" in told
    assert served(one, 5, 300) == [1, 3, 4, 5]


def test_a_file_of_which_nothing_is_known(shop):
    """Another takes its place, which the user that weir runs as must be able to open."""
    one = shop(5, 300)
    path = segment_of(one, 1)[0]
    spoil(path, 0, 600)
    spoilt = path.read_bytes()
    refuse_start(one)
    told, _ = told_then_mended(one)
    assert f"it would be set aside as {path.stem}.lost" in told
    assert path.with_suffix(".lost").read_bytes() == spoilt
    assert served(one, 5) == []


def test_nothing_is_damaged(shop):
    one = shop(30)
    before = files_of(one)
    for words in ((), ("--yes",)):
        done = repair(one, *words)
        assert done.returncode == 0, done
        assert done.stdout.startswith("Nothing is damaged; ") and done.stdout.count("\n") == 1
        assert files_of(one) == before
    assert served(one, 30) == list(range(1, 31))


def test_a_log_in_use(shop):
    one = shop(1)
    one.start()
    for words in ((), ("--yes",)):
        done = repair(one, *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert "a weir has the log in " in done.stderr and "`weir stop`" in done.stderr
    assert one.client().job("peek 1") == (1, body_of(1))


def test_no_log(weir):
    one = weir("", start=False)
    assert "cannot open the state directory" in repair(one).stderr
    one.state.mkdir()
    done = repair(one, "--yes")
    assert done.returncode == 1 and "there is no log of a queue in " in done.stderr
    folder = one.state / "queue"
    assert not folder.exists()
    folder.write_text("a file")
    assert repair(one, "--yes").returncode == 1
    folder.unlink()
    folder.mkdir()
    (folder / "notes.txt").write_text("not a log")
    done = repair(one, "--yes")
    assert done.returncode == 1 and "holds no log" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    for words in ((), ("mend",), ("repair", "all")):
        assert one.command("queue", *words, check=False).returncode == 2

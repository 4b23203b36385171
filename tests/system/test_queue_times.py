# SPDX-License-Identifier: Apache-2.0
"""What the job protocol says of seconds: delays, leases, margins, pauses and patience. Nothing happens before its
time; how long after it is not judged."""

import time
from concurrent.futures import ThreadPoolExecutor

from job_peers import own_tube, play, server  # noqa: F401

SOON_S = 0.98  # a second, by clocks that count milliseconds and may be slewed


def since(began):
    return time.monotonic() - began


def delays(port, tube):
    began = time.monotonic()
    with own_tube(port, tube) as client, own_tube(port, tube) as other:
        job = client.put(b"later", delay=1)
        assert client.state(job) == "delayed"
        assert client.reserve(timeout=0) is None
        assert client.reserve() == (job, b"later") and since(began) >= SOON_S
        began = time.monotonic()
        assert client.ask("release", job, 0, 1).word == b"RELEASED"
        assert other.reserve() == (job, b"later") and since(began) >= SOON_S
        assert other.ask("delete", job).word == b"DELETED"


def leases(port, tube):
    """The margin of one second is the whole lease here: whoever holds it is warned at once, and loses it then."""
    with own_tube(port, tube) as client, own_tube(port, tube) as other:
        for _ in range(5):  # a test that stands still for a second misses the warning
            job = client.put(b"leased", ttr=1)
            began = time.monotonic()
            assert client.reserve() == (job, b"leased")
            warned = client.ask("reserve-with-timeout", 0)
            if since(began) < 1:
                break
            other.ask("delete", job)
        assert warned.word == b"DEADLINE_SOON"
        assert other.ask("touch", job).word == b"NOT_FOUND"
        assert other.reserve() == (job, b"leased") and since(began) >= SOON_S
        fields = other.ask("stats-job", job).fields()
        assert (fields["timeouts"], fields["reserves"], fields["state"]) == ("1", "2", "reserved")
        for words in (("touch", job), ("release", job, 0, 0), ("bury", job, 0), ("delete", job)):
            assert client.ask(*words).word == b"NOT_FOUND"
        assert other.ask("delete", job).word == b"DELETED"


def touches(port, tube):
    with own_tube(port, tube) as client, own_tube(port, tube) as other:
        job = client.put(b"longer", ttr=2)
        assert client.reserve() == (job, b"longer")
        for _ in range(3):
            time.sleep(0.9)
            touched = time.monotonic()
            if client.ask("touch", job).word != b"TOUCHED":
                return  # this process stood still for longer than the lease
        assert other.reserve() == (job, b"longer") and since(touched) >= 1.9


def margins(port, tube):
    """Who waits is warned when the margin of a lease of its own begins, and not before (after it where all stood
    still for a second)."""
    with own_tube(port, tube) as client:
        job = client.put(b"margin", ttr=2)
        assert client.reserve() == (job, b"margin")
        began = time.monotonic()
        assert client.ask("reserve").word in (b"DEADLINE_SOON", b"RESERVED") and since(began) >= 0.9
        client.ask("delete", job)
        began = time.monotonic()
        assert client.ask("reserve-with-timeout", 1).word == b"TIMED_OUT" and since(began) >= SOON_S


def pauses(port, tube):
    with own_tube(port, tube) as client:
        job = client.put(b"paused")
        began = time.monotonic()
        assert client.ask("pause-tube", tube, 1).word == b"PAUSED"
        assert client.reserve(timeout=0) is None
        assert client.reserve() == (job, b"paused") and since(began) >= SOON_S
        assert client.ask("release", job, 0, 0).word == b"RELEASED"
        client.ask("pause-tube", tube, 1000)
        assert client.reserve(timeout=0) is None
        client.ask("pause-tube", tube, 0)
        assert client.reserve() == (job, b"paused")
        client.ask("delete", job)


def test_seconds(server):  # noqa: F811
    """All at the same time, since most of it is waiting."""
    scripts = (delays, leases, touches, margins, pauses)
    with ThreadPoolExecutor(len(scripts)) as pool:
        for done in [pool.submit(play, script, server) for script in scripts]:
            done.result()

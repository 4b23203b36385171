# SPDX-License-Identifier: Apache-2.0
"""What weir's codec of the job protocol makes of a line, beside what a real beanstalkd answers to it: a few hundred
lines, well made, hostile and mutated by a seed, each in a stream of its own that ends with a line that both know."""
import random
import re
import subprocess

import pytest
from job_peers import BODY_MAX, Beanstalkd, converse

SEED = 20261127
ERRORS = {b"BAD_FORMAT", b"UNKNOWN_COMMAND", b"EXPECTED_CRLF", b"JOB_TOO_BIG"}

# Where weir means to differ: what the stream looks like, and why.
DIFFERENT = [
    (rb"quit.", "quit takes no argument; beanstalkd looks at the first four letters only"),
    (rb"kick\s*[^0-9 ]", "kick takes a number; beanstalkd reads it with strtoul, sign and white space too"),
    (rb"kick +[0-9]+[^0-9\r]", "nothing may follow the number of kick"),
    (rb"reserve-with-timeout ", "only 0..2147483647 and nothing behind; 1.12 waits for ever on -1, 1.13 refuses it"),
    (rb"pause-tube", "nothing may follow the seconds of pause-tube; versions differ"),
    (rb"(?!put 1 0 5 3\r\nabc\rx).*\r[^\n]", "a CR within a line is BAD_FORMAT; beanstalkd looks no further"),
    (rb"[^\r\n]{223}\r", "beanstalkd misses an end of line that its buffer's end cuts in two"),
    (rb"put +\d+ +\d+ +\d+ +\d{5,}[^\r\d]", "what follows the length is wrong before the length is too large"),
    (rb"(auth|put-(opts|error|result)|batch-reserve|fail|progress|finish|list-jobs|result|cancel|drain-tube) ",
     "weir's own verbs"),
    (rb"give-back|(show|bury)-job ", "weir's own verbs"),
]

GOOD = [b"put 1 0 5 3\r\nabc", b"put 0 0 0 0\r\n", b"put 4294967295 4294967295 4294967295 5\r\n\r\n\0\r\n", b"use tube",
        b"reserve", b"reserve-with-timeout 0", b"reserve-job 1", b"delete 1", b"release 1 2 3", b"bury 1 2", b"touch 1",
        b"watch tube", b"ignore tube", b"peek 1", b"peek-ready", b"peek-delayed", b"peek-buried", b"kick 10",
        b"kick-job 1", b"stats-job 1", b"stats-tube default", b"stats", b"list-tubes", b"list-tube-used",
        b"list-tubes-watched", b"pause-tube default 0", b"quit"]
NUMBERS = [b"0", b"00", b"1 ", b" 1", b"-1", b"+1", b"1x", b"x", b"", b"0x10", b"1.5", b"2147483647", b"4294967295",
           b"4294967296", b"18446744073709551615", b"18446744073709551616", b"9" * 40, b"\t1", b"1\0", b"\xb2"]
NAMES = [b"a", b"-a", b"a-", b"a b", b" a", b"a ", b"", b"a/b;c.d$e_f(g)+h", b"a,b", b"a:b", b"a\tb",
         b"\xc3\xa4", b"a\0",
         b"a" * 200, b"a" * 201, b"a" * 215, b"'", b'"', b"%s", b"*", b"9", b"a\nb"]
BODIES = [b"put 1 0 5 3\r\nabcd\r\n", b"put 1 0 5 3\r\nabc\n\n", b"put 1 0 5 3\r\nabc\rx", b"put 1 0 5 3 \r\n",
          b"put 1 0 5\r\n",
          b"put 1 0 5 %d\r\n%s\r\n" % (BODY_MAX, b"a" * BODY_MAX),
          b"put 1 0 5 %d\r\n%s\r\n" % (BODY_MAX + 1, b"a" * (BODY_MAX + 1)),
          b"put 1 0 5 %d\r\n%s" % (BODY_MAX + 9, b"a" * (BODY_MAX + 11))]
ODD = [b"", b"\n", b" ", b"\0", b"x", b"stats\0", b"STATS", b" stats", b"stats stats", b"stats\nstats", b"x" * 100,
       b"x" * 221, b"x" * 222, b"x" * 224, b"x" * 225, b"x" * 300, b"x" * 446, b"x" * 448, b"x" * 1000, b"list-tube",
       b"list-tubess", b"reserved", b"reserve-", b"reserve-batch 1", b"peek", b"peek-", b"put", b"use", b"touch",
       b"kick", b"kick-job", b"bury", b"release",
       b"stats-jobs 1", b"stats-tubes a", b"pause-tube", b"delete", b"delete\t1"]


def lines():
    rng = random.Random(SEED)
    found = [line + b"\r\n" for line in GOOD + ODD] + BODIES
    for verb in (b"reserve-job", b"delete", b"touch", b"peek", b"kick-job", b"stats-job", b"kick",
                 b"reserve-with-timeout"):
        found += [verb + b" " + number + b"\r\n" for number in NUMBERS]
    for number in NUMBERS:
        found += [b"release 1 %s 1\r\n" % number, b"release 1 1 %s\r\n" % number, b"bury 1 %s\r\n" % number,
                  b"pause-tube default %s\r\n" % number, b"put %s 0 1 0\r\n\r\n" % number,
                  b"put 0 0 %s 0\r\n\r\n" % number]
    for verb in (b"use", b"watch", b"ignore", b"stats-tube"):
        found += [verb + b" " + name + b"\r\n" for name in NAMES]
    short = [line + b"\r\n" for line in GOOD]
    for _ in range(300):
        line = bytearray(rng.choice(short))
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(line))
            change = rng.randrange(3)
            if change == 0:
                line[at] = rng.choice(b" \0\t-09axz\xff")
            elif change == 1:
                del line[at]
            else:
                line.insert(at, rng.choice(b" \0\t-09axz\xff"))
            if not line:
                line = bytearray(b"x")
        found.append(bytes(line))
    return list(dict.fromkeys(found))


def judge(tools, streams):
    """What weir says to each stream, up to quit."""
    data = b"".join(b"%d\n%s" % (len(stream), stream) for stream in streams)
    done = subprocess.run([tools / "weir-jobproto", str(BODY_MAX)], input=data, capture_output=True, check=True,
                          timeout=60)
    found = []
    verdicts = []
    for line in done.stdout.replace(b"\r", b"").splitlines():
        if line == b"end":
            found.append(verdicts[:verdicts.index(b"quit")] if b"quit" in verdicts else verdicts)
            verdicts = []
        else:
            verdicts.append(b"quit" if line == b"ok quit" else line.split(b" ")[0])
    assert len(found) == len(streams)
    return found


@pytest.fixture
def beanstalkd(free_port):
    with Beanstalkd(free_port()) as server:
        yield server.port


def test_same_verdict_as_beanstalkd(beanstalkd, tools):
    streams = [line + b"list-tube-used\r\n" for line in lines()]
    checked = 0
    for stream, ours in zip(streams, judge(tools, streams)):
        if any(re.match(pattern, stream, re.DOTALL) for pattern, _ in DIFFERENT):
            continue
        theirs = [reply.word if reply.word in ERRORS else b"ok" for reply in converse(beanstalkd, stream)]
        assert ours == theirs, stream[:300]
        checked += 1
    assert checked > 400 and len(streams) - checked > 20, (checked, len(streams))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program for `serve lines`: does one job after the other (docs/formats/serve-lines.md).

    worker thumbs { queue images; serve lines /srv/app/thumbs.py; concurrency 2..8; timeout 60s }
"""

import base64
import json
import os
import sys

answers = os.fdopen(3, "w")


def say(**line):
    print(json.dumps(line), file=answers, flush=True)


def work(body):
    """The job itself, bytes in, the result out; in place of what your application does."""
    return f"{len(body)} bytes"


say(ready=True)  # behind all that takes its time to load
for line in sys.stdin:
    job = json.loads(line)
    body = base64.b64decode(job["body_base64"]) if "body_base64" in job else job["body"].encode()
    print("job", job["id"], "attempt", job["attempt"])  # what is printed is for the log
    try:
        say(id=job["id"], outcome="done", result=work(body))
    except ValueError as error:
        say(id=job["id"], outcome="bury", reason=str(error))  # it will never do
    except OSError as error:
        say(id=job["id"], outcome="again", reason=str(error))  # later, as the queue's `retry` says

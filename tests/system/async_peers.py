# SPDX-License-Identifier: Apache-2.0
"""What the edge says to the queue of requests of asynchronous routes, for tests that say it themselves."""

import secrets

from jobs_api import Api


class Edge:
    """A connection to async.sock, over which requests go as the edge sends them."""

    def __init__(self, w, queue="reports", path="/jobs"):
        self.w, self.queue, self.path = w, queue, path
        self.api = Api(path=w.state / "async.sock")

    def close(self):
        self.api.close()

    def put(self, body=b"", target="/slow", method="POST", id=None, mode="always", credentials="drop", queue=None,
            **fields):
        said = (f"put; queue={queue or self.queue}; mode={mode}; credentials={credentials}; "
                f"id={id or secrets.token_hex(16)}; path={self.path}")
        return self.api.ask(method, target, body, **{"Weir-Async": said, **fields})

    def ask(self, target, method="GET", **fields):
        return self.api.ask(method, target, **{"Weir-Async": f"job; path={self.path}", **fields})

    def state(self, target):
        answer = self.ask(target)
        assert answer.status == 200, answer
        return answer.json()



# SPDX-License-Identifier: Apache-2.0
"""A client of the job API for the tests of the queue: http.client, and what is said in JSON."""

import http.client
import json
import socket

from conftest import PATIENCE_S


class Answer:
    def __init__(self, response, data):
        self.status = response.status
        self.headers = response.headers
        self.data = data

    def json(self):
        return json.loads(self.data)

    def __repr__(self):
        return f"{self.status} {self.data!r}"


class Unix(http.client.HTTPConnection):
    """By a unix socket instead of TCP."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE_S)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Api:
    def __init__(self, port=None, path=None, token=None, tls=None, timeout=PATIENCE_S):
        if path:
            self.conn = Unix(path)
        elif tls:
            self.conn = http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=tls)
        else:
            self.conn = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def close(self):
        self.conn.close()

    def ask(self, method, path, body=None, **headers):
        self.conn.request(method, path, body, {**self.headers, **headers})
        response = self.conn.getresponse()
        return Answer(response, response.read())

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, body=b""):
        return self.ask("POST", path, body)

    def delete(self, path):
        return self.ask("DELETE", path)

    def put(self, body, queue="default", words=""):
        """The id of a job that was put."""
        answer = self.post(f"/v1/queues/{queue}/jobs?{words}", body)
        assert answer.status == 201, answer
        assert answer.headers["Location"] == f"/v1/jobs/{answer.json()['id']}"
        return answer.json()["id"]

    def job(self, job):
        answer = self.get(f"/v1/jobs/{job}")
        assert answer.status == 200, answer
        return answer.json()

    def reserve(self, words=""):
        """The jobs that were got, perhaps none."""
        answer = self.post(f"/v1/reserve?{words}")
        assert answer.status in (200, 204), answer
        return answer.json()["jobs"] if answer.status == 200 else []

    def lease(self, job, what, body=b"", words=""):
        return self.post(f"/v1/leases/{job['lease']}/{what}?{words}", body)

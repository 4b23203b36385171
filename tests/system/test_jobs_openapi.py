# SPDX-License-Identifier: Apache-2.0
"""docs/formats/jobs-api.openapi.json and the server, held against each other: each row of the server's table of routes
is described and each that is described is one; each answer that is described is given, and no other; each word of a
query is taken."""

import json
import re
import signal
from urllib.parse import parse_qsl

import jsonschema
import pytest
from conftest import ROOT, until
from jobs_api import Api

DOCUMENT = json.loads((ROOT / "docs/formats/jobs-api.openapi.json").read_text())
METHODS = ("get", "post", "delete")
FILE = """
jobs 127.0.0.1:{port} {{ limits job 1000 batch 4k }}
jobs 127.0.0.1:{closed} {{ token-file token }}
queues {{ segment 1M; limits {{ jobs 20; tubes 5 }} }}
queue kept {{ keep 1h; ttl 1d; concurrency 100; retry 3 backoff 1h..1h busy again }}
"""


def resolve(item):
    while "$ref" in item:
        found = DOCUMENT
        for part in item["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        item = found
    return item


def operations():
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method], item.get("parameters", []) + item[method].get("parameters", [])


def schema_of(schema):
    """With the components beside it, so that its references are found."""
    return jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


class Checked(Api):
    """Each answer is one that the document describes."""

    seen = set()  # (operation, status)
    words = set()  # (operation, word of the query)

    def ask(self, method, path, body=None, **headers):
        answer = super().ask(method, path, body, **headers)
        target, _, query = path.partition("?")
        for named, pattern, operation, parameters in operations():
            if method.lower() == named and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), target):
                self.check(operation, parameters, query, answer)
        return answer

    def check(self, operation, parameters, query, answer):
        name, responses = operation["operationId"], operation["responses"]
        status = str(answer.status) if str(answer.status) in responses else "default"
        assert status != "default" or answer.status >= 400, (name, answer)
        self.seen.add((name, status))
        if answer.status < 300:
            words = {word for word, _ in parse_qsl(query)}
            assert words <= {item["name"] for item in parameters if item["in"] == "query"}, (name, words)
            self.words.update((name, word) for word in words)
        response = resolve(responses[status])
        for header, what in response.get("headers", {}).items():
            schema_of(what["schema"]).validate(answer.headers[header])
        content = response.get("content")
        if not content:
            assert answer.status == 204 and answer.data == b"" and "Content-Type" not in answer.headers
            return
        (kind, media), = content.items()
        assert answer.headers["Content-Type"] == kind, (name, answer)
        if kind == "application/json":
            schema_of(media["schema"]).validate(answer.json())


def test_the_routes_are_those_of_the_document():
    rows = re.findall(r'\{H1_METHOD_([A-Z]+),\s*"(/v1/[^"]*)"', (ROOT / "src/queue/api_route.c").read_text())
    assert len(rows) > 20 and len(rows) == len(set(rows))
    assert {(method.lower(), path) for method, path in rows} == {(method, path) for method, path, *_ in operations()}


def test_the_document_is_sound():
    names = [operation["operationId"] for _, _, operation, _ in operations()]
    assert len(names) == len(set(names))
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(DOCUMENT)
    for target in re.findall(r'"\$ref": "([^"]*)"', text):
        assert resolve({"$ref": target}), target
    for _, path, operation, parameters in operations():
        assert set(re.findall(r"\{(\w+)\}", path)) == {item["name"] for item in parameters if item["in"] == "path"}
        for item in parameters:
            jsonschema.Draft202012Validator.check_schema(item["schema"])
        for response in operation["responses"].values():
            assert resolve(response)["description"]


def test_each_path_takes_its_methods_alone(weir, free_port):
    port = free_port()
    weir(f"jobs 127.0.0.1:{port}")
    api = Api(port)
    for path, item in DOCUMENT["paths"].items():
        target = re.sub(r"\{\w+\}", "1", path)
        allowed = {method.upper() for method in METHODS if method in item}
        if "GET" in allowed:
            allowed.add("HEAD")
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"):
            answer = api.ask(method, target)
            assert (answer.status != 405) == (method in allowed), (method, target, answer)
            if answer.status == 405:
                assert set(answer.headers["Allow"].split(", ")) == allowed
        assert api.get(target + "/nothing").status == 404 or "{" in path
    api.close()


# ---- every answer ---------------------------------------------------------------------------------------------------

def put_and_look(api):
    words = "priority=1&delay=0&not-before=1&ttr=1m&key=k&ttl=1h&attempts=3&keep=1h"
    job = api.put(b"x", "kept", words)
    assert api.post("/v1/queues/kept/jobs?key=k", b"x").status == 409
    assert api.post("/v1/queues/kept/jobs?delay=x", b"x").status == 400
    assert api.post("/v1/queues/kept/jobs", b"x" * 1001).status == 413
    api.get("/v1/queues/kept/jobs?state=ready&from=0&n=10")
    api.get("/v1/queues/kept/jobs?state=x")
    api.get("/v1/queues")
    api.get("/v1/queues/kept")
    api.get("/v1/queues/nobody")
    for number in (job, 99):
        for what in ("", "/body", "/result"):
            api.get(f"/v1/jobs/{number}{what}")
    batch = [{"body": "x"}, {"json": 7, "delay": "1h", "key": "k"}]
    document = schema_of(DOCUMENT["components"]["schemas"]["NewJob"])
    for item in batch:
        document.validate(item)
    assert api.post("/v1/queues/kept/batch", json.dumps(batch)).json()["put"] == 1
    assert api.post("/v1/queues/kept/batch", b"x").status == 400
    assert api.post("/v1/queues/kept/batch", b"x" * 5000).status == 413


def work(api):
    api.post("/v1/reserve?n=x")
    assert api.reserve("queue=none&wait=0") == []
    first, second = api.reserve("queue=kept&wait=1&n=9")
    for what in ("touch", "progress?percent=7&text=x", "release?delay=1h&priority=7", "progress"):
        api.lease(first, what) if "?" not in what else api.post(f"/v1/leases/{first['lease']}/{what}")
    api.lease(second, "finish", b"r" * 1001)
    assert api.lease(second, "finish", b"result").status == 204
    api.get(f"/v1/jobs/{second['id']}/result")
    api.get(f"/v1/jobs/{second['id']}")
    for what in ("touch", "progress", "finish", "release", "fail", "bury"):
        assert api.lease(first, what).status == 410
        assert api.post(f"/v1/leases/x/{what}").status == 404
    for words in ("progress?percent=101", "release?delay=x", "fail?error=x", "bury?priority=x"):
        api.post(f"/v1/jobs/{first['id']}/kick")
        held, = api.reserve("queue=kept")
        assert api.post(f"/v1/leases/{held['lease']}/{words}").status == 400
        api.post(f"/v1/leases/{held['lease']}/release?delay=1h")
    for words in ("fail?error=busy&text=x", "fail?error=permanent", "bury?priority=3"):
        api.post(f"/v1/jobs/{first['id']}/kick")
        held, = api.reserve("queue=kept")
        assert api.post(f"/v1/leases/{held['lease']}/{words}").status == 200
    return first["id"]


def change(api, job):
    for what in ("kick", "bury"):  # it is buried at first
        assert api.post(f"/v1/jobs/{job}/{what}").status == 204
        assert api.post(f"/v1/jobs/{job}/{what}").status == 409
        assert api.post(f"/v1/jobs/99/{what}").status == 404
    for words in ("kick?state=buried&n=1", "kick?state=x", "pause?for=1m", "pause?for=x", "unpause"):
        api.post(f"/v1/queues/kept/{words}")
        api.post(f"/v1/queues/nobody/{words}")
    assert api.delete(f"/v1/jobs/{job}").status == 204
    assert api.delete(f"/v1/jobs/{job}").status == 404


def fill(api):
    while (answer := api.post("/v1/queues/kept/jobs", b"x")).status == 201:
        pass
    assert answer.status == 507
    assert api.post("/v1/reserve?queue=a&queue=b&queue=c&queue=d").status == 507


def refused(api):
    """What needs no words of its own: nobody may ask without the token."""
    for method, path, *_ in operations():
        assert api.ask(method.upper(), re.sub(r"\{\w+\}", "1", path)).status == 401


def drain(one, api):
    held, = api.reserve("queue=kept")
    one.signal(signal.SIGTERM)
    assert until(lambda: api.post("/v1/queues/kept/jobs", b"x").status == 503)
    assert api.post("/v1/queues/kept/batch", b'{"body":"x"}').status == 503
    assert api.post("/v1/reserve").status == 503
    assert api.lease(held, "finish").status == 204


def test_each_answer_is_given(weir, free_port):
    port, closed = free_port(), free_port()
    one = weir(FILE.format(port=port, closed=closed), start=False)
    (one.folder / "token").write_text("secret\n")
    (one.folder / "token").chmod(0o600)
    one.start()
    api, stranger = Checked(port), Checked(closed)
    put_and_look(api)
    change(api, work(api))
    refused(stranger)
    stranger.close()
    fill(api)
    drain(one, api)
    api.close()
    one.wait_end()
    described = {(operation["operationId"], status) for _, _, operation, _ in operations()
                 for status in operation["responses"]}
    assert Checked.seen == described, (described - Checked.seen, Checked.seen - described)
    words = {(operation["operationId"], item["name"]) for _, _, operation, parameters in operations()
             for item in parameters if item["in"] == "query"}
    assert Checked.words == words, words - Checked.words


def test_what_is_not_described_is_noticed():
    """The check itself can fail."""
    schema = DOCUMENT["components"]["schemas"]["Error"]
    with pytest.raises(jsonschema.ValidationError):
        schema_of(schema).validate({"error": "x", "more": 1})
    schema = DOCUMENT["components"]["schemas"]["Job"]
    with pytest.raises(jsonschema.ValidationError):
        schema_of(schema).validate({"id": 1})

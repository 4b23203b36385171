# SPDX-License-Identifier: Apache-2.0
"""What deliveries inherit of their pool: members that fail them are ejected and come back, TLS, and room."""

import shutil
import threading

import pytest
from conftest import UnixConnection, until
from deliver_peers import answer, deliveries, put, result, shop, wait_deliveries  # noqa: F401
from http_serve import member  # noqa: F401
from jobs_client import Jobs
from tls_files import Files

QUEUE = "concurrency 2; retry 50 backoff 1ms..5ms"


def ask_edge(w, body):
    conn = UnixConnection(w.state / "deliver.sock")
    conn.request("POST", "/x", body, {"Weir-Pool": "web"})
    conn.getresponse().read()
    conn.close()


def is_ejected(w, name="m0"):
    fact = w.fact(f"member:web/{name}")
    return fact["state"] == "down" and fact["reason"].startswith("ejected for ")


@pytest.mark.parametrize("kind", ["5xx", "time-out", "cut"])
def test_who_fails_deliveries_is_ejected_and_comes_back(shop, member, kind):
    """As with other requests: out for its time, the others have the jobs meanwhile, and then it has its share again."""
    is_well, lock, n = threading.Event(), threading.Lock(), {"bad": 0, "good": 0}

    def bad(conn, message):
        with lock:
            n["bad"] += 1
        if is_well.is_set():
            return answer(204)
        return {"5xx": answer(503, "broken"), "time-out": None, "cut": False}[kind]

    def good(conn, message):
        with lock:
            n["good"] += 1
        return answer(204)

    w = shop(member(bad).port, member(good).port, deliver="timeout 200ms", queue=QUEUE,
             pool="balance round-robin; eject failures 3 time 1s..2s status 500..599")
    client, n_put = w.client(), 0

    def puts(enough):
        nonlocal n_put
        for _ in range(5):
            put(client, b"x")
            n_put += 1
        return enough()

    assert until(lambda: puts(lambda: is_ejected(w)), every=0.05), (n, w.facts())
    wait_deliveries(w, "done", n_put)
    assert deliveries(w, "dead") == 0 and n["good"] == n_put
    is_well.set()
    w.wait_fact("member:web/m0", "up")
    before, again = n["bad"], deliveries(w, "again")
    assert until(lambda: puts(lambda: n["bad"] > before), every=0.05), w.facts()
    wait_deliveries(w, "done", n_put)
    assert deliveries(w, "again") == again and deliveries(w, "dead") == 0


# ---- TLS ------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    files = Files(tmp_path_factory.mktemp("certs"))
    files.make("shop", "DNS:shop.test")
    files.make("old", "DNS:shop.test", days=0)
    return files


@pytest.fixture
def tls_shop(weir, free_port, certs, tmp_path):
    """A weir that delivers by TLS to one that answers with that certificate: (it, a client of its queue)."""
    clients = []

    def make(cert, tls):
        for path in certs.folder.iterdir():
            shutil.copy(path, tmp_path)
        jobs, back = free_port(), free_port()
        w = weir(f"""
listen back https 127.0.0.1:{back} {{ tls cert ../{cert}.both; route respond 200 "by TLS" }}
pool web {{ tls {{ {tls} }}; member a 127.0.0.1:{back} }}
queue reports {{ deliver pool web hold 50ms; keep 1h }}
jobs 127.0.0.1:{jobs}
""")
        clients.append(Jobs(jobs))
        assert clients[-1].ask("use reports") == "USING reports"
        return w, clients[-1]

    yield make
    for client in clients:
        client.close()


def test_delivered_by_tls(tls_shop):
    w, client = tls_shop("shop", "ca ../ca.pem; name shop.test")
    job = put(client, b"x")
    wait_deliveries(w, "done", 1)
    assert result(client, job) == b"by TLS"


@pytest.mark.parametrize("cert, tls, says", [
    ("shop", "ca ../ca.pem; name other.test", "hostname mismatch"),
    ("shop", "name shop.test", "unable to get local issuer certificate"),
    ("old", "ca ../ca.pem; name shop.test", "certificate has expired"),
])
def test_a_member_that_is_not_believed(tls_shop, cert, tls, says):
    """It sees no job, and no attempt counts; the job is tried again, says why, and is done when that is mended."""
    w, client = tls_shop(cert, tls)
    job = put(client, b"x")
    wait_deliveries(w, "held", 3)
    row, lost = {}, f"no server could be reached: a: no TLS: {says}"

    def is_told():
        line = client.ask("list-jobs ready 0 10")
        row.update(text=client.bytes(int(line.split()[1])).decode())
        return lost in row["text"]

    assert until(is_told, every=0.05), (row, w.log())
    w.wait_log(f"held, as nobody can take its jobs (pool web): 502 Bad Gateway: {lost}")
    # While it is tried once more, nothing is held.
    assert until(lambda: f"held, as nobody of pool web takes them: 502 Bad Gateway: {lost}" in
                 w.command("explain", "queue", "reports").stdout)
    w.write(w.file.read_text().replace(f"tls {{ {tls} }}", "tls verify off"))
    w.reload()
    wait_deliveries(w, "done", 1)
    assert result(client, job) == b"by TLS" and deliveries(w, "again") == deliveries(w, "dead") == 0


def test_a_member_that_refuses(weir, free_port):
    """The job's last error says which member, and what the kernel said of it."""
    port = free_port()
    w = weir(f"jobs 127.0.0.1:{port}\npool web {{ member a 127.0.0.1:{free_port()} }}\n"
             "queue mail { deliver pool web hold 100ms }\n")
    client = Jobs(port)
    assert client.ask("use mail") == "USING mail"
    client.put(b"x")
    assert until(lambda: "no server could be reached: a: Connection refused" in w.command("jobs", "show", "1").stderr,
                 every=0.05), w.log()
    client.close()


# ---- room -----------------------------------------------------------------------------------------------------------

def test_what_waits_for_room_counts_no_attempt(shop, member):
    """As long as the time of a delivery lasts it waits among the pool's other requests; then nobody has seen it."""
    gate = threading.Event()

    def on_request(conn, message):
        if message.body == b"occupies":
            gate.wait(20)
        return answer(204)

    m = member(on_request)
    w = shop(m.port, deliver="timeout 200ms hold 50ms", pool="max-connections 1; queue 10 timeout 20s")
    occupies = threading.Thread(target=ask_edge, args=(w, b"occupies"))
    occupies.start()
    assert until(lambda: len(m.requests) == 1)
    put(w.client(), b"job")
    wait_deliveries(w, "held", 2)
    gate.set()
    wait_deliveries(w, "done", 1)
    occupies.join(20)
    assert [message.get("weir-attempt") for message in m.requests] == [None, "1"]
    assert deliveries(w, "again") == deliveries(w, "dead") == 0

# SPDX-License-Identifier: Apache-2.0
"""Members whose checks are good and whose requests fail: out for a while, never too many of them."""
import contextlib
import socket
import threading
import urllib.error
import urllib.request

import pytest

from conftest import until

CONF = """
pool web {{
    member bad 127.0.0.1:{bad}
    member good 127.0.0.1:{good}
    member fine 127.0.0.1:{fine}
    check tcp port {good} every 200ms
    eject {eject}
}}
listen shop http 127.0.0.1:{port} {{ route pool web }}
"""


class Breaker(threading.Thread):
    """Takes every connection, waits for a request and closes without an answer; unless it is well."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.is_well = False
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.socket.accept()
                threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        with conn, contextlib.suppress(OSError):
            conn.settimeout(30)
            while conn.recv(65536) and self.is_well:
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell")


@pytest.fixture
def breaker():
    one = Breaker()
    yield one
    with contextlib.suppress(OSError):
        one.socket.shutdown(socket.SHUT_RDWR)
    one.socket.close()


def get(port, path="/"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def keep_asking(w, port, condition, path="/"):
    """Requests until it is so; returns their statuses."""
    seen = set()

    def is_so():
        seen.update(get(port, path) for _ in range(5))
        return condition()
    assert until(is_so, every=0.05), w.facts()
    return seen


def is_ejected(w, name, reason):
    fact = w.fact(f"member:web/{name}")
    return fact["state"] == "down" and fact["reason"].startswith("ejected for ") and reason in fact["reason"]


def test_ejected_and_back(weir, apps, free_port, breaker):
    port = free_port()
    good, fine = apps("good"), apps("fine")
    w = weir(CONF.format(bad=breaker.port, good=good.port, fine=fine.port, port=port,
                         eject="failures 2 time 1s..4s"))
    for name in ("bad", "good", "fine"):
        w.wait_fact(f"member:web/{name}", "up")
    # No client sees it, and the check of the member stays good.
    assert keep_asking(w, port, lambda: is_ejected(w, "bad", "failures in a row")) == {200}
    assert w.fact("pool:web")["reason"] == "2/3 up"
    w.wait_log("member:web/bad down: ejected for 1s: ")
    w.wait_fact("member:web/bad", "up")
    assert keep_asking(w, port, lambda: is_ejected(w, "bad", "ejected for 2s")) == {200}
    breaker.is_well = True
    w.wait_fact("member:web/bad", "up")
    # Another life of health finds it as it was.
    breaker.is_well = False
    keep_asking(w, port, lambda: is_ejected(w, "bad", "ejected for "))
    w.kill("health", 9)
    w.wait_back("health")
    assert w.fact("member:web/bad")["state"] == "down"
    w.wait_fact("member:web/bad", "up")


def test_never_too_many(weir, apps, free_port):
    """Answers that count as failures, of all members: half of the pool stays."""
    port = free_port()
    four = [apps(name) for name in "abcd"]
    members = "".join(f"    member {one.name} 127.0.0.1:{one.port}\n" for one in four)
    w = weir(f"""
pool web {{
{members}
    eject failures 3 status 500..599
}}
listen shop http 127.0.0.1:{port} {{ route pool web }}
""")
    w.wait_fact("pool:web", "up")
    keep_asking(w, port, lambda: w.fact("pool:web")["value"] == 2, "/status/500")
    assert until(lambda: {get(port, "/status/500") for _ in range(40)} == {500})
    assert w.fact("pool:web")["reason"] == "2/4 up"


def test_off_and_other_answers(weir, apps, free_port, breaker):
    port = free_port()
    good = apps("good")
    text = CONF.format(bad=breaker.port, good=good.port, fine=free_port(), port=port, eject="off")
    w = weir(text)
    w.wait_fact("pool:web", "up")
    for _ in range(60):
        assert get(port) == 200
        assert get(port, "/status/503") == 503
    assert w.fact("pool:web")["reason"] == "3/3 up"
    # A reload turns it on, and off again while somebody is out.
    w.write(text.replace("eject off", "eject failures 2 time 1h..1h"))
    w.reload()
    # One of the two that fail, whichever fails twice first: no more than half of them go.
    failing = ("bad", "fine")
    keep_asking(w, port, lambda: any(is_ejected(w, name, "ejected for 3600s: ") for name in failing))
    w.write(text)
    w.reload()
    assert [w.fact(f"member:web/{name}")["state"] for name in failing] == ["up", "up"]

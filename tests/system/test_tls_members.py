# SPDX-License-Identifier: Apache-2.0
"""TLS to members: who is believed, sessions that go on, idle connections, ends that are cut, and what health says."""

import shutil
import socket
import ssl
import subprocess
import threading

import pytest
from conftest import WEIR, until
from tls_files import Files

BACK = """
listen back https 127.0.0.1:{back} {{ tls cert ../shop.both; limits requests {per_conn}; route respond 200 "hello" }}
"""
FRONT = """
pool web {{
    tls {{ {tls} }}
    member a {member}
    {check}
}}
listen shop http 127.0.0.1:{port} {{ route pool web }}
"""


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    files = Files(tmp_path_factory.mktemp("certs"))
    files.make("shop", "DNS:shop.test,DNS:localhost")
    files.make("client", "DNS:client.test")
    for path in files.folder.glob("*.key"):
        path.chmod(0o600)
    return files


@pytest.fixture
def files(made, tmp_path):
    for path in made.folder.iterdir():
        shutil.copy(path, tmp_path)
    return made


def curl(port, *args):
    return subprocess.run(["curl", "-s", "--max-time", "20", *args, f"http://127.0.0.1:{port}/"], capture_output=True,
                          text=True, timeout=30, check=False)


def status(port):
    return curl(port, "-o", "/dev/null", "-w", "%{http_code}").stdout


def counter(w, name, label=None):
    lines = subprocess.run(
        ["curl", "-s", "--unix-socket", str(w.state / "admin.sock"), "http://localhost/metrics"], capture_output=True,
        text=True, timeout=20, check=True).stdout.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines
               if line.startswith(f"weir_member_{name}") and (label is None or f'="{label}"' in line))


@pytest.fixture
def before(weir, free_port, files):
    """before(tls=..., ...) puts weir before itself, with TLS between them: (weir, port)."""

    def make(tls="ca ../ca.pem; name shop.test", check="", per_conn=1000, member=None, edge=1):
        port, back = free_port(), free_port()
        w = weir(f"processes {{ edge {edge} }}\n" + BACK.format(back=back, per_conn=per_conn) +
                 FRONT.format(port=port, tls=tls, check=check, member=member or f"127.0.0.1:{back}"))
        return w, port

    return make


def test_requests_share_a_connection(before):
    w, port = before()
    for _ in range(5):
        assert curl(port).stdout == "hello"
    assert counter(w, "tls_handshakes", "full") == 1
    assert counter(w, "connects") == 1 and counter(w, "requests") == 5


def test_sessions_go_on(before):
    w, port = before(per_conn=1)
    for _ in range(5):
        assert curl(port).stdout == "hello"
    assert counter(w, "tls_handshakes", "full") == 1
    assert counter(w, "tls_handshakes", "resumed") == 4
    w.reload()
    assert curl(port).stdout == "hello"
    assert counter(w, "tls_handshakes", "full") == 1


@pytest.mark.parametrize("tls, says", [
    ("ca ../ca.pem; name other.test", "hostname mismatch"),
    ("ca ../client.pem; name shop.test", "unable to get local issuer certificate"),
    ("name shop.test", "unable to get local issuer certificate"),
])
def test_who_is_not_believed(before, tls, says):
    w, port = before(tls=tls)
    assert status(port) == "502"
    assert counter(w, "tls_handshakes_failed", "untrusted") >= 1
    checked, port = before(tls=tls, check="check http path / every 100ms")
    checked.wait_fact("member:web/a", "down")
    assert f"no TLS: {says}" in checked.facts()["member:web/a"]["reason"]
    assert status(port) == "503"


def test_whoever_answers_is_believed_without_verification(before):
    _, port = before(tls="verify off")
    assert curl(port).stdout == "hello"


@pytest.mark.parametrize("kind", ["http path /", "tcp", "tls"])
def test_checks_speak_tls(before, kind):
    w, port = before(check=f"check {kind} every 100ms")
    w.wait_fact("member:web/a", "up")
    assert curl(port).stdout == "hello"


def test_checks_in_the_clear(weir, free_port, files):
    """At a port that is for checks; the members themselves speak TLS."""
    port, back, side = free_port(), free_port(), free_port()
    w = weir(BACK.format(back=back, per_conn=1000) + f"listen side http 127.0.0.1:{side} {{ route respond 204 }}\n" +
             FRONT.format(port=port, tls="ca ../ca.pem; name shop.test", member=f"127.0.0.1:{back}",
                          check=f"check http port {side} plain every 100ms"))
    w.wait_fact("member:web/a", "up")
    assert w.fact("member:web/a")["reason"].startswith("HTTP 204 in ")
    assert curl(port).stdout == "hello"


@pytest.mark.parametrize("is_tls, state, reason", [
    (True, "up", "TLS handshake in "), (False, "down", "no TLS: the answer is no TLS")])
def test_tls_check_of_a_pool_in_the_clear(weir, free_port, files, is_tls, state, reason):
    port, back, side = free_port(), free_port(), free_port()
    front = FRONT.format(port=port, tls="", member=f"127.0.0.1:{back if is_tls else side}",
                         check="check tls every 100ms").replace("tls {  }", "")
    w = weir(BACK.format(back=back, per_conn=1000) + f"listen side http 127.0.0.1:{side} {{ route respond 204 }}\n" +
             front)
    w.wait_fact("member:web/a", state)
    assert w.fact("member:web/a")["reason"].startswith(reason)


def test_a_member_in_the_clear(weir, free_port, files):
    port, back = free_port(), free_port()
    w = weir(f"listen back http 127.0.0.1:{back} {{ route respond 200 }}\n" +
             FRONT.format(port=port, tls="ca ../ca.pem; name shop.test", member=f"127.0.0.1:{back}",
                          check="check tcp every 100ms"))
    w.wait_fact("member:web/a", "down")
    assert "no TLS: the answer is no TLS" in w.facts()["member:web/a"]["reason"]


def test_a_pool_that_changes_to_tls_keeps_no_plain_connection(weir, free_port, files):
    port, back = free_port(), free_port()
    front = FRONT.format(port=port, tls="ca ../ca.pem; name shop.test", member=f"127.0.0.1:{back}", check="")
    plain = front.replace("tls { ca ../ca.pem; name shop.test }", "")
    w = weir(f"listen back http 127.0.0.1:{back} {{ route respond 200 plain }}\n" + plain)
    assert curl(port).stdout == "plain"
    w.write(BACK.format(back=back, per_conn=1000) + front)
    w.reload()
    assert until(lambda: curl(port).stdout == "hello")


def test_certificate_shown_to_members(weir, free_port, files, tmp_path):
    back, port = free_port(), free_port()
    with open(tmp_path / "s_server.log", "wb") as log:
        server = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{back}", "-cert", "shop.pem", "-key", "shop.key", "-CAfile",
             "ca.pem", "-Verify", "1", "-verify_return_error", "-www"], cwd=tmp_path, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log)
    try:
        tls = "ca ../ca.pem; name shop.test"
        front = FRONT.format(port=port, tls=tls + "; cert ../client.pem key ../client.key", check="",
                             member=f"127.0.0.1:{back}")
        w = weir(front)
        assert until(lambda: status(port) == "200")
        w.write(front.replace("; cert ../client.pem key ../client.key", ""))
        w.reload()
        assert status(port) == "502"
    finally:
        server.kill()
        server.wait()


class Cutter(threading.Thread):
    """Answers each connection with a body that ends with it, cleanly or not."""

    def __init__(self, folder, port):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "shop.pem", folder / "shop.key")
        self.listener = socket.create_server(("127.0.0.1", port))
        self.is_clean = True
        self.start()

    def run(self):
        while True:
            try:
                conn = self.context.wrap_socket(self.listener.accept()[0], server_side=True)
            except OSError:
                return
            conn.recv(10000)
            conn.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of it")
            if self.is_clean:
                conn.unwrap().close()
            else:
                conn.close()


def test_a_body_that_was_cut_is_seen(weir, free_port, files, tmp_path):
    port, back = free_port(), free_port()
    member = Cutter(tmp_path, back)
    weir(FRONT.format(port=port, tls="ca ../ca.pem; name shop.test", member=f"127.0.0.1:{back}", check=""))
    answer = curl(port)
    assert (answer.returncode, answer.stdout) == (0, "half of it")
    member.is_clean = False
    assert curl(port).returncode != 0
    member.listener.close()


# --- weir check -----------------------------------------------------------------------------------


@pytest.mark.parametrize("words, member, says", [
    ("tls", "127.0.0.1:1", "member a has no name that its certificate could bear"),
    ("tls { verify off; ca ca.pem }", "127.0.0.1:1", "nobody is verified by it where verify is off"),
    ("tls { ca shop.key; name a.test }", "127.0.0.1:1", "shop.key: there is no certificate in it"),
    ("tls { ca missing.pem; name a.test }", "127.0.0.1:1", "No such file"),
    ("tls { ca ca.pem; cert shop.pem key client.key }", "shop.test:1", "the key does not belong to the certificate"),
])
def test_check_refuses(files, tmp_path, words, member, says):
    (tmp_path / "a.weir").write_text(f"pool web {{\n{words}\nmember a {member}\n}}\n")
    result = subprocess.run([WEIR, "check", "a.weir"], cwd=tmp_path, text=True, capture_output=True, timeout=20,
                            check=False)
    assert result.returncode == 1 and says in result.stderr, result.stderr

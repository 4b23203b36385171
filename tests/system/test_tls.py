# SPDX-License-Identifier: Apache-2.0
"""TLS at a listen: certificates by name, versions, tickets over restarts and nodes, reload, what `weir check` says."""

import os
import shutil
import socket
import ssl
import subprocess

import pytest
from conftest import WEIR, until
from tls_files import Files, s_client, subject

SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
CONF = """
{top}
listen shop https 127.0.0.1:{port} {{
    tls cert ../shop.both
    tls cert ../other.pem key ../other.key
    {extra}
    route path /old redirect https
    route respond 200 "hello"
}}
"""


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    files = Files(tmp_path_factory.mktemp("certs"))
    files.make("shop", "DNS:shop.test,DNS:*.shop.test")
    files.make("other", "DNS:other.test,DNS:a.shop.test")
    files.make("later", "DNS:shop.test")
    files.make("nameless", None)
    files.make("old", "DNS:shop.test", days=0)
    for path in files.folder.glob("*.key"):
        path.chmod(0o600)
    return files


@pytest.fixture
def files(made, tmp_path):
    for path in made.folder.iterdir():
        shutil.copy(path, tmp_path)
    return made


def conf(port, top="", extra=""):
    return CONF.format(port=port, top=top, extra=extra)


def curl(files, port, *args, host="shop.test", path="/"):
    result = subprocess.run(
        ["curl", "-s", "--max-time", "20", "--cacert", str(files.ca), "--resolve", f"{host}:{port}:127.0.0.1", *args,
         f"https://{host}:{port}{path}"], capture_output=True, text=True, timeout=30, check=False)
    return result.stdout if result.returncode == 0 else f"curl: {result.returncode}"


def counters(w, name):
    """What /metrics has under that name, by its last label."""
    lines = subprocess.run(
        ["curl", "-s", "--unix-socket", str(w.state / "admin.sock"), "http://localhost/metrics"], capture_output=True,
        text=True, timeout=20, check=True).stdout.splitlines()
    found = {}
    for line in lines:
        if line.startswith(f"weir_listen_{name}"):
            labels, value = line.rsplit(" ", 1)
            found[labels.rsplit('="', 1)[1].split('"')[0]] = float(value)
    return found


def raw_hello(port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=20))


# --- handshakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["--tlsv1.2", "--tlsv1.3"])
def test_curl(weir, free_port, files, version):
    port = free_port()
    weir(conf(port))
    only = ["--tls-max", "1.2"] if version == "--tlsv1.2" else []
    assert curl(files, port, version, *only) == "hello"
    assert curl(files, port, host="nobody.test") == "curl: 60"  # the first certificate, which has another name


def test_certificates_by_name(weir, free_port, files):
    port = free_port()
    weir(conf(port))
    for name, want in [("shop.test", "shop"), ("b.shop.test", "shop"), ("a.shop.test", "other"),
                       ("other.test", "other"), ("OTHER.test", "other"), ("x.y.shop.test", "shop"),
                       ("unknown.test", "shop")]:
        assert subject(s_client(port, "-servername", name)) == want, name
    assert subject(s_client(port, "-noservername")) == "shop"


def test_versions_and_ciphers(weir, free_port, files):
    port = free_port()
    w = weir(conf(port))
    assert "TLSv1.2, Cipher is ECDHE-ECDSA-AES128-GCM-SHA256" in s_client(port, "-tls1_2")
    assert "TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256" in s_client(port, "-tls1_3")
    assert "alert protocol version" in s_client(port, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert "handshake failure" in s_client(port, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256")
    assert "ALPN protocol: http/1.1" in s_client(port, "-alpn", "h2,http/1.1")
    assert "no application protocol" in s_client(port, "-alpn", "h2")
    failed = counters(w, "tls_handshakes_failed")
    assert (failed["version"], failed["cipher"], failed["protocol"]) == (1, 1, 1)
    w.write(conf(port, extra="tls versions 1.3\n tls ciphers TLS_CHACHA20_POLY1305_SHA256"))
    w.reload()
    assert "alert protocol version" in s_client(port, "-tls1_2")
    assert "TLSv1.3, Cipher is TLS_CHACHA20_POLY1305_SHA256" in s_client(port)


def test_renegotiation_is_refused(weir, free_port, files):
    port = free_port()
    weir(conf(port))
    assert "no renegotiation" in s_client(port, "-tls1_2", stdin=b"R\n")


def test_plain_request(weir, free_port, files):
    port = free_port()
    w = weir(conf(port))
    answer = subprocess.run(["curl", "-si", f"http://127.0.0.1:{port}/"], capture_output=True, text=True, timeout=20,
                            check=True).stdout
    assert answer.startswith("HTTP/1.1 400 ") and "this port speaks TLS" in answer
    assert counters(w, "tls_handshakes_failed")["plain"] == 1


def test_handshake_is_cut_in_time(weir, free_port, files):
    port = free_port()
    w = weir(conf(port, extra="timeout handshake 200ms"))
    with socket.create_connection(("127.0.0.1", port), timeout=20) as conn:
        conn.sendall(b"\x16\x03")
        assert conn.recv(100) == b""
    assert until(lambda: counters(w, "tls_handshakes_failed")["late"] == 1)
    assert curl(files, port) == "hello"


def test_end_without_close_notify_harms_nobody(weir, free_port, files):
    port = free_port()
    weir(conf(port))
    for _ in range(3):
        conn = raw_hello(port)
        conn.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        assert conn.recv(1000).startswith(b"HTTP/1.1 200")
        conn.detach()
    assert curl(files, port) == "hello"


# --- tickets --------------------------------------------------------------------------------------


def is_reused(port, session, version):
    return "Reused, TLSv1." in s_client(port, version, "-sess_in", session, stdin=b"")


def keep_session(port, session, version):
    """In TLS 1.3 a ticket comes behind the handshake: an answer is waited for."""
    said = s_client(port, version, "-sess_out", session, "-ign_eof",
                    stdin=b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
    assert "New, TLSv1." in said and os.path.exists(session)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_tickets_outlive_everything(weir, free_port, files, tmp_path, version):
    port = free_port()
    w = weir(conf(port, top="processes { edge 2 }"))
    session = tmp_path / "session"
    keep_session(port, session, version)
    for _ in range(6):  # whichever loop it is
        assert is_reused(port, session, version)
    w.kill("edge", 9)
    w.wait_back("edge")
    assert is_reused(port, session, version)
    w.write(conf(port, top="processes { edge 2 }", extra="timeout idle 5s"))
    w.reload()
    assert is_reused(port, session, version)
    w.stop()
    w.start()
    assert is_reused(port, session, version)
    assert counters(w, "tls_handshakes")["resumed"] >= 1


def test_tickets_of_the_other_node(weir, free_port, files, tmp_path):
    """The same secret, another state directory; then a secret that was moved to the second line, and away."""
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "secret").chmod(0o600)
    port, session = free_port(), tmp_path / "session"
    w = weir(conf(port, top="secret-file ../secret"))
    keep_session(port, session, "-tls1_3")
    w.stop()
    shutil.rmtree(w.state)
    w.start()
    assert is_reused(port, session, "-tls1_3")
    (tmp_path / "secret").write_text(SECRET[::-1].strip() + "\n" + SECRET)
    w.reload()
    assert is_reused(port, session, "-tls1_3")
    (tmp_path / "secret").write_text(SECRET[::-1].strip() + "\n")
    w.reload()
    assert not is_reused(port, session, "-tls1_3")


# --- reload ---------------------------------------------------------------------------------------


def test_reload_changes_new_handshakes_alone(weir, free_port, files, tmp_path):
    port = free_port()
    w = weir(conf(port))
    held = raw_hello(port)
    shutil.copy(tmp_path / "later.both", tmp_path / "shop.both")
    w.reload()
    assert subject(s_client(port, "-servername", "shop.test")) == "later"
    held.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert held.recv(1000).startswith(b"HTTP/1.1 200")
    held.close()
    (tmp_path / "shop.both").write_text("nothing\n")
    assert w.reload(check=False).returncode != 0
    assert subject(s_client(port, "-servername", "shop.test")) == "later"


def test_redirect(weir, free_port, files):
    port, plain = free_port(), free_port()
    weir(conf(port) + f"listen plain http 127.0.0.1:{plain} {{ route redirect https }}\n")
    where = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}",
                            f"http://127.0.0.1:{plain}/a?b"], capture_output=True, text=True, timeout=20,
                           check=True).stdout
    assert where == "301 https://127.0.0.1/a?b"


# --- weir check -----------------------------------------------------------------------------------


def check(folder, words):
    (folder / "a.weir").write_text(f"listen shop https 127.0.0.1:1 {{\n{words}\nroute respond 200\n}}\n")
    result = subprocess.run([WEIR, "check", "a.weir"], cwd=folder, text=True, capture_output=True, timeout=20,
                            check=False)
    return result.returncode, result.stderr


@pytest.mark.parametrize("words, place, says", [
    ("tls cert shop.pem key other.key", "2:19", "other.key: the key does not belong to the certificate"),
    ("tls cert shop.pem", "2:10", "there is no private key in it"),
    ("tls cert shop.pem", "2:10", "= both in one file, or tls cert FILE key FILE"),
    ("tls cert shop.key", "2:10", "there is no certificate in it"),
    ("tls cert shop.key key shop.pem", "2:10", "shop.key: there is no certificate in it"),
    ("tls cert missing.pem", "2:10", "No such file"),
    ("tls cert shop.pem key missing.key", "2:19", "No such file"),
    ("tls cert shop.both\ntls ciphers NONSENSE", "3:5", 'no cipher of TLS 1.2 is called "NONSENSE"'),
])
def test_check_refuses(files, tmp_path, words, place, says):
    code, said = check(tmp_path, words)
    assert code == 1
    assert f"a.weir:{place}: error: " in said and says in said, said


@pytest.mark.parametrize("words, place, says", [
    ("tls cert old.both", "2:10", "the certificate has expired: Feb  1"),
    ("tls cert shop.both\ntls cert nameless.both", "3:10", "no DNS name in the certificate"),
])
def test_check_warns(files, tmp_path, words, place, says):
    code, said = check(tmp_path, words)
    assert code == 0
    assert f"a.weir:{place}: warning: " in said and says in said, said


def test_a_key_with_a_passphrase_is_refused(files, tmp_path):
    subprocess.run(["openssl", "ec", "-in", "shop.key", "-aes128", "-passout", "pass:x", "-out", "locked.key"],
                   cwd=tmp_path, check=True, capture_output=True, timeout=20)
    code, said = check(tmp_path, "tls cert shop.pem key locked.key")
    assert code == 1 and "asks for a passphrase" in said

# SPDX-License-Identifier: Apache-2.0
"""What the operator touches: status, metrics, reload and stop, over the unix socket, over TCP and by the
commands, with the answers that those get who may not ask."""

import http.client
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest
from conftest import UnixConnection
from prometheus_client.openmetrics.parser import text_string_to_metric_families

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
APP = os.environ.get("WEIR_APP", str(ROOT / "build" / "weir-app"))
TOKEN = "correct+horse/battery=staple"
PATIENCE_S = 20

CONF = """
listen shop http 127.0.0.1:{port} {{ route pool web }}
pool web {{
    check http path /healthz every 200ms timeout 200ms fall 2 rise 1
    member a 127.0.0.1:{a}
    member b 127.0.0.1:{b}
}}
{admin}
"""


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """weir with two applications, in a folder that others may enter."""

    def __init__(self, admin="", token=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="w-"))
        self.folder.chmod(0o755)
        self.state = self.folder / "state"
        self.file = self.folder / "shop.weir"
        self.log = open(self.folder / "log", "w+b")
        self.port, self.admin_port = unused_port(), unused_port()
        self.apps, self.app_ports = [], []
        for name in "ab":
            app = subprocess.Popen([APP, name, "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self.apps.append(app)
            self.app_ports.append(int(app.stdout.readline().rpartition(":")[2]))
        if token is not None:
            (self.folder / "token").write_text(token + "\n")
            (self.folder / "token").chmod(0o600)
        self.text = CONF.format(
            port=self.port, a=self.app_ports[0], b=self.app_ports[1], admin=admin.format(port=self.admin_port)
        )
        self.file.write_text(self.text)
        self.process = None

    def start(self):
        command = [WEIR, "run", str(self.file), "--state", str(self.state)]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.wait_for("two members up", self.is_up)
        return self

    def is_up(self):
        assert self.process.poll() is None, self.words()
        try:
            members = self.status()["pools"][0]["members"]
        except (OSError, http.client.HTTPException):
            return False
        return all(member["state"] == "up" for member in members)

    def words(self):
        self.log.flush()
        return (self.folder / "log").read_text(errors="replace")

    def wait_for(self, what, condition):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.05)
        pytest.fail(f"no {what} within {PATIENCE_S} s\n{self.words()}")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for app in self.apps:
            app.kill()
            app.wait()
            app.stdout.close()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- asking ----

    def ask(self, method, target, body=None, **fields):
        """(status, fields, body) over the unix socket."""
        return self.exchange(UnixConnection(self.state / "admin.sock"), method, target, body, fields)

    def ask_tcp(self, method, target, body=None, **fields):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=PATIENCE_S)
        return self.exchange(connection, method, target, body, fields)

    @staticmethod
    def exchange(connection, method, target, body, fields):
        connection.request(method, target, body, {name.replace("_", "-"): value for name, value in fields.items()})
        response = connection.getresponse()
        answer = response.read().decode()
        connection.close()
        return response.status, response.headers, answer

    def status(self):
        code, _, body = self.ask("GET", "/v1/status")
        assert code == 200, body
        return json.loads(body)

    def error_of(self, answer):
        code, fields, body = answer
        assert fields["Content-Type"] == "application/json"
        document = json.loads(body)
        return code, document["error"]

    def command(self, *words, program=WEIR, **options):
        command = [program, *words, "--state", str(self.state)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, **options)

    def get(self, n=1):
        """Requests to the applications through weir."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        for _ in range(n):
            connection.request("GET", "/")
            response = connection.getresponse()
            response.read()
            assert response.status == 200
        connection.close()

    def pid(self, name):
        return next(p["pid"] for p in self.status()["processes"] if p["name"] == name)


@pytest.fixture
def started():
    """A function that starts weir; all of them end with the test."""
    running = []

    def start(*args, **options):
        running.append(Running(*args, **options))
        return running[-1].start()

    yield start
    for weir in running:
        weir.stop()


@pytest.fixture(scope="module")
def shared():
    """One weir for the tests that only look."""
    weir = Running("admin 127.0.0.1:{port} {{ token-file token }}", token=TOKEN)
    try:
        yield weir.start()
    finally:
        weir.stop()


# ---- status ----


def test_status(shared):
    shared.get(40)

    def is_quiet():  # an answer may be with the client before it is done with here
        return all(member["in_flight"] == 0 for pool in shared.status()["pools"] for member in pool["members"])

    deadline = time.monotonic() + PATIENCE_S
    while not is_quiet():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    status = shared.status()
    assert status["generation"] >= 1 and status["file"] == str(shared.file)
    assert status["state_dir"] == str(shared.state)
    assert 0 < status["uptime_seconds"] < 600
    processes = {p["name"]: p for p in status["processes"]}
    assert set(processes) == {"supervisor", "edge", "health", "admin"}
    for name in ("edge", "health", "admin"):
        process = processes[name]
        assert process["state"] == "up" and process["restarts"] == 0 and process["answers"]
        assert process["heartbeat_age_seconds"] < 5
        assert process["detail"]["kind"] == name and process["detail"]["pid"] == process["pid"]
        assert process["resident_bytes"] > 100000 and process["cpu_seconds"] >= 0
    listens = {listen["name"]: listen for listen in status["listens"]}
    assert listens["shop"]["address"] == f"127.0.0.1:{shared.port}" and listens["shop"]["state"] == "serving"
    assert listens["shop"]["requests"] >= 40
    assert listens["admin:unix"]["state"] == listens["admin:tcp"]["state"] == "serving"
    (pool,) = status["pools"]
    assert (pool["name"], pool["state"]) == ("web", "up")
    counts = [member["requests"] for member in pool["members"]]
    n_loops = len(processes["edge"]["detail"]["loops"])  # each of which takes turns by itself
    assert abs(counts[0] - counts[1]) <= n_loops and sum(counts) >= 40
    for member in pool["members"]:
        assert member["state"] == "up" and member["failed"] == 0 and member["in_flight"] == 0
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", member["since"])
    facts = {fact["name"]: fact for fact in status["facts"]}
    assert facts["member:web/a"]["state"] == "up" and facts["member:web/a"]["writer"] == "health"
    assert facts["listen:shop"]["writer"] == "edge"


def test_facts_are_those_of_status(shared):
    code, _, body = shared.ask("GET", "/v1/facts")
    assert code == 200
    assert [f["name"] for f in json.loads(body)["facts"]] == [f["name"] for f in shared.status()["facts"]]


def test_rate(shared):
    def rate():
        shared.get(20)
        return shared.status()["listens"][0]["requests_per_second"] > 20

    shared.wait_for("a rate", rate)
    members = shared.status()["pools"][0]["members"]
    assert all(member["requests_per_second"] > 5 for member in members)


def test_a_process_that_hangs_costs_a_second(started):
    weir = started()
    pid = weir.pid("health")
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        done = weir.command("status")
        took = time.monotonic() - began
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.returncode == 0
    assert re.search(r"^health +does not answer ", done.stdout, re.M), done.stdout
    assert re.search(r"^edge +up ", done.stdout, re.M), done.stdout
    assert 0.9 < took < 4  # one second and what a slow machine adds; the watchdog's is five


def test_a_dead_member_has_a_reason(started):
    weir = started()
    weir.apps[1].kill()
    weir.wait_for("b down", lambda: weir.status()["pools"][0]["members"][1]["state"] == "down")
    (pool,) = weir.status()["pools"]
    assert "refused" in pool["members"][1]["reason"]
    assert pool["state"] == "degraded" and "1/2" in pool["reason"]
    text = weir.command("status").stdout
    assert re.search(rf"^b +127\.0\.0\.1:{weir.app_ports[1]} +down \d+ s .*refused", text, re.M), text


# ---- the commands ----


def test_status_as_a_table(shared):
    done = shared.command("status")
    assert done.returncode == 0 and done.stderr == ""
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert re.match(r"weir \S+ build \S+, up \d+ \w, configuration \d+ of ", lines[0])
    assert re.search(rf"^a +127\.0\.0\.1:{shared.app_ports[0]} +up \d+ ", done.stdout, re.M)
    assert all(len(line) <= 100 and line == line.rstrip() for line in lines[1:]), done.stdout


def on_terminal(command, env):
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(command[0], command, env)
    output = b""
    try:
        while chunk := os.read(fd, 65536):
            output += chunk
    except OSError:
        pass
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return output.decode()


def test_colours_on_a_terminal_alone(shared):
    command = [WEIR, "status", "--state", str(shared.state)]
    env = {"TERM": "xterm", "PATH": os.environ["PATH"]}
    assert "\x1b[32mup" in on_terminal(command, env)
    assert "\x1b" not in on_terminal(command, dict(env, NO_COLOR="1"))
    assert "\x1b" not in on_terminal(command, dict(env, TERM="dumb"))


def test_status_as_json(shared):
    done = shared.command("status", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["pools"][0]["name"] == "web"
    env = dict(os.environ, WEIR_STATE=str(shared.state))
    done = subprocess.run([WEIR, "facts", "--json"], env=env, capture_output=True, text=True, timeout=PATIENCE_S)
    assert "member:web/a" in [fact["name"] for fact in json.loads(done.stdout)["facts"]]


@pytest.mark.parametrize("command", ["status", "facts", "reload", "stop"])
def test_not_running(tmp_path, command):
    done = subprocess.run([WEIR, command, "--state", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"there is no {tmp_path}/admin.sock" in done.stderr and "--state DIR" in done.stderr
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(tmp_path / "admin.sock"))
    left.close()
    done = subprocess.run([WEIR, command, "--state", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1 and "nobody listens" in done.stderr


def test_not_weir(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "admin.sock"))
        listener.listen(1)
        command = subprocess.Popen([WEIR, "status", "--state", str(tmp_path)], stderr=subprocess.PIPE, text=True)
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.sendall(b"220 mail.example ESMTP\r\n")
        connection.close()
        assert command.wait(PATIENCE_S) == 1
        assert "does not answer as weir does" in command.stderr.read()
        command.stderr.close()


def test_called_wrongly(shared):
    done = shared.command("status", "--jsn")
    assert done.returncode == 2 and "--jsn" in done.stderr and "usage:" in done.stderr


def test_stop(started):
    weir = started()
    done = weir.command("stop")
    assert done.returncode == 0 and done.stdout
    assert weir.process.wait(PATIENCE_S) == 0
    assert not (weir.state / "admin.sock").exists()


def test_stop_at_once(started):
    weir = started()
    assert weir.command("stop", "--now").returncode == 0
    assert weir.process.wait(PATIENCE_S) == 0


def test_reload(started):
    weir = started()
    weir.file.write_text(weir.text.replace("member b ", "member c "))
    done = weir.command("reload")
    assert done.returncode == 0 and "generation 2" in done.stdout, done.stderr
    status = weir.status()
    assert status["generation"] == 2
    assert [member["name"] for member in status["pools"][0]["members"]] == ["a", "c"]

    weir.file.write_text(weir.text + "route nowhere\npool web { }\n")
    done = weir.command("reload")
    assert done.returncode == 1 and done.stdout == ""
    lines = weir.text.count("\n")
    assert f"{weir.file}:{lines + 1}:1: error:" in done.stderr
    assert "nothing has changed" in done.stderr.splitlines()[-1]
    code, error = weir.error_of(weir.ask("POST", "/v1/reload"))
    assert code == 422 and "nothing has changed" in error
    assert weir.status()["generation"] == 2


# ---- who may ask ----


def test_tcp_reads_need_no_token(shared):
    for target in ("/", "/metrics", "/v1/status", "/v1/facts"):
        assert shared.ask_tcp("GET", target)[0] == 200
        code, fields, body = shared.ask_tcp("HEAD", target)
        assert code == 200 and body == "" and int(fields["Content-Length"]) > 100


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example"])
def test_tcp_by_a_foreign_name(shared, host):
    bearer = f"Bearer {TOKEN}"
    for method, target in (("GET", "/v1/status"), ("POST", "/v1/stop")):
        code, error = shared.error_of(shared.ask_tcp(method, target, Host=host, Authorization=bearer))
        assert code == 403 and host.partition(":")[0] in error


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "[::1]:9900", "203.0.113.7"])
def test_tcp_by_an_address(shared, host):
    assert shared.ask_tcp("GET", "/v1/facts", Host=host)[0] == 200


def test_tcp_writes_need_the_token(started):
    weir = started("admin 127.0.0.1:{port} {{ token-file token }}", token=TOKEN)
    code, fields, _ = weir.ask_tcp("POST", "/v1/reload")
    assert code == 401 and fields["WWW-Authenticate"].startswith("Bearer")
    for wrong in ("Bearer x", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN):
        code, error = weir.error_of(weir.ask_tcp("POST", "/v1/stop", Authorization=wrong))
        assert code == 401 and TOKEN not in error
    assert weir.status()["generation"] == 1
    assert weir.ask_tcp("POST", "/v1/reload", Authorization=f"Bearer {TOKEN}")[0] == 200
    assert weir.status()["generation"] == 2

    (weir.folder / "token").write_text("another+token+of+the+operator\n")
    assert weir.command("reload").returncode == 0
    assert weir.ask_tcp("POST", "/v1/reload", Authorization=f"Bearer {TOKEN}")[0] == 401


def test_tcp_without_a_token_file(started):
    weir = started("admin 127.0.0.1:{port}")
    code, error = weir.error_of(weir.ask_tcp("POST", "/v1/stop", Authorization=f"Bearer {TOKEN}"))
    assert code == 403 and "token-file" in error
    assert weir.process.poll() is None


def test_tcp_comes_and_goes_by_reload(started):
    weir = started()

    def is_refused():
        try:
            weir.ask_tcp("GET", "/")
        except ConnectionRefusedError:
            return True
        except ConnectionError:
            pass  # taken by the kernel just before the socket was closed
        return False

    assert is_refused()
    weir.file.write_text(weir.text + f"admin 127.0.0.1:{weir.admin_port}\n")
    assert weir.command("reload").returncode == 0
    assert weir.ask_tcp("GET", "/")[0] == 200
    weir.file.write_text(weir.text)
    assert weir.command("reload").returncode == 0
    weir.wait_for("refusal", is_refused)
    assert "admin:tcp" not in [fact["name"] for fact in weir.status()["facts"]]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("uid", [65534, 12345])
def test_unix_socket_is_for_its_owners(shared, uid):
    # A copy where everybody may execute it: the tree may lie in a folder that is root's alone.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        copy = shutil.copy(WEIR, folder)
        done = shared.command("status", program=copy, user=uid, group=uid, extra_groups=[])
    assert done.returncode == 1 and done.stdout == ""
    assert re.search(rf"user {uid} may not use", done.stderr), done.stderr


@pytest.mark.parametrize(
    "token, words",
    [(None, "token"), ("short", "5 characters"), ("with space in the middle", "character 5 of the token")],
)
def test_bad_token_files(tmp_path, token, words):
    file = tmp_path / "bad.weir"
    file.write_text("admin 127.0.0.1:28290 {\n    token-file token\n}\n")
    if token is not None:
        (tmp_path / "token").write_text(token)
    check = subprocess.run([WEIR, "check", str(file)], capture_output=True, text=True, timeout=PATIENCE_S)
    run = [WEIR, "run", str(file), "--state", str(tmp_path / "state")]
    run = subprocess.run(run, capture_output=True, text=True, timeout=PATIENCE_S)
    for done in (check, run):
        assert done.returncode == 1
        assert f"{file}:2:5: error:" in done.stderr and words in done.stderr, done.stderr


# ---- the interface itself ----


def test_errors_are_sentences_in_json(shared):
    assert shared.error_of(shared.ask("GET", "/nothing"))[0] == 404
    code, fields, body = shared.ask("GET", "/v1/stop")
    assert code == 405 and fields["Allow"] == "POST" and "takes POST" in json.loads(body)["error"]
    assert shared.error_of(shared.ask("POST", "/v1/reload", body="x" * 100000))[0] == 413


def test_malformed_requests(shared):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(str(shared.state / "admin.sock"))
        connection.sendall(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 400 ") and b'{"error":"' in answer


def test_page(shared):
    code, fields, body = shared.ask_tcp("GET", "/")
    assert code == 200 and fields["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in fields["Content-Security-Policy"]
    assert "<td>shop</td>" in body and "pool web" in body and "<script" not in body


# ---- metrics ----


def samples(text):
    """(name, labels) -> value, by the parser of the Prometheus project, which refuses what is not OpenMetrics."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"{key} stands twice"
            found[key] = sample.value
    return found


def value(found, sample, **labels):
    return found[(sample, tuple(sorted(labels.items())))]


def test_metrics(shared):
    code, fields, body = shared.ask("GET", "/metrics")
    assert code == 200
    assert fields["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    before = samples(body)
    shared.get(10)
    code, _, body = shared.ask("GET", "/metrics")
    assert body.endswith("\n# EOF\n") and body.count("# EOF") == 1
    after = samples(body)
    assert (
        value(after, "weir_listen_requests_total", listen="shop")
        == value(before, "weir_listen_requests_total", listen="shop") + 10
    )
    grown = []
    for member in ("a", "b"):
        ok = {"pool": "web", "member": member, "class": "2xx"}
        former = value(before, "weir_member_responses_total", **ok)
        grown.append(value(after, "weir_member_responses_total", **ok) - former)
    # Where round-robin begins is drawn by lot, so one of ten may go either way.
    assert sum(grown) == 10 and max(grown) <= 6, grown
    assert value(after, "weir_fact", kind="member", name="web/a", state="up") == 1
    assert value(after, "weir_fact", kind="member", name="web/a", state="down") == 0
    assert value(after, "weir_process_restarts_total", process="edge") == 0
    assert value(after, "weir_process_resident_memory_bytes", process="edge") > 100000
    assert value(after, "weir_process_heartbeat_age_seconds", process="health") < 5
    assert value(after, "weir_admin_requests_total") >= 2
    assert value(after, "weir_log_dropped_total") == 0
    le = [(s, v) for (s, labels), v in after.items() if s == "weir_listen_request_seconds_bucket"]
    assert [v for _, v in le] == sorted(v for _, v in le)
    assert le[-1][1] == value(after, "weir_listen_request_seconds_count", listen="shop")

# SPDX-License-Identifier: Apache-2.0
"""What a member is beside what its check says: forced, drained, weighed, a listen of this node; and pools that
use the dead when too few are alive."""
import signal
import threading
import urllib.error
import urllib.request

from conftest import until

CONF = """
pool web {{
    member a 127.0.0.1:{a} weight 3
    member b 127.0.0.1:{b}
    check http path /healthz every 300ms fall 2 rise 1
    {more}
}}
listen shop http 127.0.0.1:{port} {{ route pool web }}
"""


def get(port, path="/"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code


def in_flight(w, name):
    members = w.status()["pools"][0]["members"]
    return next(member["in_flight"] for member in members if member["name"] == name)


def say(app, path):
    request = urllib.request.Request(f"http://127.0.0.1:{app.port}{path}", method="POST")
    try:
        urllib.request.urlopen(request, timeout=20).read()
    except urllib.error.HTTPError:
        pass


def wait_is(w, name, state, reason, value=None):
    def is_so():
        fact = w.fact(name, check=False)
        return fact and (fact["state"], fact["reason"]) == (state, reason) and value in (None, fact["value"])
    assert until(is_so, every=0.05), (state, reason, value, w.fact(name, check=False), w.log())


def start(weir, apps, free_port, more=""):
    a, b, port = apps("a"), apps("b"), free_port()
    w = weir(CONF.format(a=a.port, b=b.port, port=port, more=more))
    w.wait_fact("pool:web", "up")
    return w, a, b, port


def test_forced(weir, apps, free_port):
    w, a, _, port = start(weir, apps, free_port)
    w.command("force", "member:web/a", "down")
    wait_is(w, "member:web/a", "down", "forced down by the operator", 0)
    wait_is(w, "pool:web", "degraded", "1/2 up", 1)
    # Its checks go on meanwhile: what they find is there at once.
    say(a, "/sick")
    w.command("force", "member:web/a", "up")
    wait_is(w, "member:web/a", "up", "forced up by the operator (HTTP 503, expected 200..399)", 3)
    say(a, "/well")
    wait_is(w, "member:web/a", "up", "forced up by the operator")
    w.command("force", "member:web/a", "auto")
    assert until(lambda: w.fact("member:web/a")["reason"].startswith("HTTP 200 in "))
    w.wait_log("member:web/a down: forced down by the operator")


def test_drained(weir, apps, free_port):
    """As long as something is in flight, and over another life of health."""
    w, _, _, port = start(weir, apps, free_port)
    slow = [threading.Thread(target=get, args=(port, "/slow/8000"), daemon=True) for _ in range(8)]
    for one in slow:
        one.start()
    assert until(lambda: in_flight(w, "a") > 0), w.status()
    w.command("drain", "member:web/a", "--no-wait")
    wait_is(w, "member:web/a", "draining", "drained by the operator", 3)
    wait_is(w, "pool:web", "up", "1/2 up, 1 draining", 1)
    w.kill("health", signal.SIGKILL)
    assert w.wait_back("health")
    wait_is(w, "member:web/a", "draining", "drained by the operator", 3)
    w.command("undrain", "member:web/a")
    w.wait_fact("member:web/a", "up")
    for one in slow:
        one.join(60)


def test_weight(weir, apps, free_port):
    w, _, _, _ = start(weir, apps, free_port)
    for weight in (7, 9, 0):
        w.command("weight", "member:web/a", str(weight))
        assert until(lambda n=weight: w.fact("member:web/a")["value"] == n)
    w.kill("health", signal.SIGKILL)
    assert w.wait_back("health")
    assert w.fact("member:web/a")["value"] == 0
    w.command("weight", "member:web/a", "default")
    assert until(lambda: w.fact("member:web/a")["value"] == 3)


def test_fail_open(weir, apps, free_port):
    """Both fail their checks and serve all the same: used while fewer than half are up, but for the one that
    the operator forces down."""
    w, a, b, port = start(weir, apps, free_port, "fail-open below 50%")
    assert w.fact("failopen:web")["state"] == "down"
    say(a, "/sick")
    w.wait_fact("member:web/a", "down")
    assert w.fact("failopen:web")["state"] == "down"
    assert {get(port) for _ in range(20)} == {get(b.port)}
    say(b, "/sick")
    wait_is(w, "pool:web", "down", "0/2 up")
    w.wait_fact("failopen:web", "up")
    assert until(lambda: {get(port) for _ in range(20)} == {get(a.port), get(b.port)})
    w.command("force", "member:web/a", "down")
    assert until(lambda: {get(port) for _ in range(20)} == {get(b.port)})
    w.command("force", "member:web/a", "auto")
    w.wait_log("pool:web fails open: members that are down are used too (0/2 up)")
    say(a, "/well")
    w.wait_fact("failopen:web", "down")
    assert until(lambda: {get(port) for _ in range(20)} == {get(a.port)})
    w.write(w.file.read_text().replace("fail-open below 50%", ""))
    w.reload()
    assert "failopen:web" not in w.facts()


def test_closed_by_default(weir, apps, free_port):
    w, a, b, port = start(weir, apps, free_port)
    say(a, "/sick")
    say(b, "/sick")
    w.wait_fact("pool:web", "down")
    assert until(lambda: get(port) == 503)


def test_listen_of_this_node(weir, apps, free_port):
    one = apps("one")
    inner, outer = free_port(), free_port()
    w = weir(f"""
pool app {{ member one 127.0.0.1:{one.port} }}
pool own {{
    member inner 127.0.0.1:{inner} listen inner
    check tcp every 1h
}}
listen inner http 127.0.0.1:{inner} {{ route pool app }}
listen outer http 127.0.0.1:{outer} {{ route pool own }}
""")
    wait_is(w, "member:own/inner", "up", "listen:inner serves")
    assert until(lambda: get(outer) == get(one.port))
    w.kill("edge", signal.SIGSTOP)
    wait_is(w, "member:own/inner", "down", "listen:inner is silent: its edge hangs or is gone")
    assert w.wait_back("edge")  # the watchdog has ended the one that hung
    wait_is(w, "member:own/inner", "up", "listen:inner serves")
    assert until(lambda: get(outer) == get(one.port))
    # The same member by its check again.
    w.write(w.file.read_text().replace(" listen inner\n", "\n").replace("every 1h", "every 1s"))
    w.reload()
    assert until(lambda: w.fact("member:own/inner")["reason"].startswith("connected in "))

# SPDX-License-Identifier: Apache-2.0
"""`weir reload` again and again under load, the file changing each time and once broken: nobody fails, no
connection is closed by it, memory stays flat. The long form is in tests/soak."""
import http.client
import json
import os
import subprocess
import time

import dns.message
import dns.query

CONF = """
processes {{ edge 2 }}
pool web {{
    member a 127.0.0.1:{a}
    member b 127.0.0.1:{b} weight {weight}
    {extra}
    check http path /healthz every 500ms timeout 300ms
}}
listen shop http 127.0.0.1:{port} {{
    route path = /round respond 200 "{round}"
    route pool web
    limits requests 1000000
}}
{second}
"""


def text(a, b, c, port, port2, n):
    return CONF.format(
        a=a.port,
        b=b.port,
        weight=1 + n % 3,
        extra=f"member c 127.0.0.1:{c.port}" if n % 2 else "",
        port=port,
        round=n,
        second=f"listen other http 127.0.0.1:{port2} {{ route pool web }}" if n % 4 == 3 else "",
    )


def rss_kb(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * 4


def reload_under_load(weir, apps, tools, free_port, seconds):
    a, b, c = apps("a"), apps("b"), apps("c")
    port, port2 = free_port(), free_port()
    w = weir(text(a, b, c, port, port2, 0))
    client = subprocess.Popen(
        [tools / "weir-client", str(port), "/bytes/1024", "50", str(seconds), "2000"],
        stdout=subprocess.PIPE,
        text=True,
    )
    edge, sizes, n_reloads = w.pid("edge"), [], 0
    end = time.monotonic() + seconds
    broken_at = 10
    while time.monotonic() < end - 0.2 or n_reloads <= broken_at:
        n_reloads += 1
        started = time.monotonic()
        if n_reloads == broken_at:
            w.write(text(a, b, c, port, port2, n_reloads) + "\npool { nonsense\n")
            refused = w.reload(check=False)
            assert refused.returncode == 1
            assert "error" in refused.stdout + refused.stderr
        else:
            w.write(text(a, b, c, port, port2, n_reloads))
            assert w.reload(check=False).returncode == 0
        sizes.append(rss_kb(edge))
        time.sleep(max(0, 0.2 - (time.monotonic() - started)))
    out, _ = client.communicate(timeout=60)
    counts = json.loads(out)
    assert w.pid("edge") == edge
    return counts, sizes, n_reloads


def test_reload_under_load(weir, apps, tools, free_port):
    seconds = float(os.environ.get("WEIR_RELOAD_SECONDS", "4"))
    counts, sizes, n_reloads = reload_under_load(weir, apps, tools, free_port, seconds)
    assert counts["ok"] == counts["requests"] and counts["ok"] > seconds * 100, counts
    assert counts["closed"] == 0 and counts["announced"] == 0, counts
    quarter = len(sizes) // 4
    if quarter >= 8:
        first = sorted(sizes[quarter : 2 * quarter])[quarter // 2]
        last = sorted(sizes[-quarter:])[quarter // 2]
        assert last <= first * 1.02 + 256, (first, last, sizes)


def test_a_reload_takes_effect(weir, apps, free_port):
    a, b, c = apps("a"), apps("b"), apps("c")
    port, port2 = free_port(), free_port()
    w = weir(text(a, b, c, port, port2, 0))
    get = lambda p, path: subprocess.run(
        ["curl", "-s", "--max-time", "5", f"http://127.0.0.1:{p}{path}"], capture_output=True, text=True
    )
    assert get(port, "/round").stdout.strip() == "0"
    w.write(text(a, b, c, port, port2, 3))
    w.reload()
    assert get(port, "/round").stdout.strip() == "3"
    assert get(port2, "/").stdout.startswith("hello")
    w.write(text(a, b, c, port, port2, 4))
    w.reload()
    assert get(port, "/round").stdout.strip() == "4"
    assert get(port2, "/").returncode == 7  # nobody listens there any more


ROUND = """
processes {{ edge 2; dns 2 }}
listen shop http 127.0.0.1:{port} {{
    route path = /round respond 200 "{round}"
    route path /bytes respond 200 "busy"
}}
dns 127.0.0.1:{dns}
zone example.org {{
    soa ns1 hostmaster serial {round}
    ns ns1 127.0.0.9
    record round TXT "{round}"
}}
"""


def body(port):
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    conn.request("GET", "/round")
    text = conn.getresponse().read().decode()
    conn.close()
    return text


def txt(port):
    query = dns.message.make_query("round.example.org", "TXT")
    return dns.query.udp(query, "127.0.0.1", port=port, timeout=10).answer[0][0].strings[0].decode()


def test_what_follows_meets_the_new_one(weir, tools, free_port):
    """Whoever asks after `weir reload` has answered is answered by the new file, in whichever loop he ends."""
    port, port_dns = free_port(), free_port()
    w = weir(ROUND.format(port=port, dns=port_dns, round=1))
    client = subprocess.Popen([tools / "weir-client", str(port), "/bytes", "50", "3", "100"],
                              stdout=subprocess.DEVNULL)
    for i in range(2, 22):
        w.write(ROUND.format(port=port, dns=port_dns, round=i))
        said = w.reload().stdout
        assert "is in force" in said and "not gone over" not in said, said
        for _ in range(6):  # each from a port of its own, so that both loops are met
            assert body(port) == str(i)
            assert txt(port_dns) == str(i)
    client.wait(60)

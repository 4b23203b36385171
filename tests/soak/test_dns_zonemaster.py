# SPDX-License-Identifier: Apache-2.0
"""What the registries' own checker says of a zone that weir serves, in a network namespace of its own.

Knot plays the root and the parent zones, since zonemaster walks down from there; the zone under test is weir's,
under two addresses of different networks, with a record that follows the health of a pool."""
import json
import os
import shutil
import subprocess
import uuid

import pytest
from conftest import until

ROOT, PARENT, NS1, NS2, WWW = "5.1.0.1", "5.2.0.1", "5.3.0.1", "5.4.0.1", "5.5.0.1"

ZONES = {
    ".": f"""
. SOA a.root. hostmaster.root. 1 1800 900 604800 86400
. NS a.root.
a.root. A {ROOT}
org. NS a.org.
a.org. A {PARENT}
5.in-addr.arpa. NS a.org.
""",
    "org.": f"""
org. SOA a.org. hostmaster.org. 1 1800 900 604800 86400
org. NS a.org.
a.org. A {PARENT}
example.org. NS ns1.example.org.
example.org. NS ns2.example.org.
ns1.example.org. A {NS1}
ns2.example.org. A {NS2}
""",
    "5.in-addr.arpa.": """
5.in-addr.arpa. SOA a.org. hostmaster.org. 1 1800 900 604800 86400
5.in-addr.arpa. NS a.org.
1.0.3.5.in-addr.arpa. PTR ns1.example.org.
1.0.4.5.in-addr.arpa. PTR ns2.example.org.
""",
}

WEIR = f"""
dns {NS1}:53 name one
dns {NS2}:53 name two
pool web {{ member a {WWW}:80 }}
zone example.org {{
    soa    ns1 hostmaster
    ns     ns1 {NS1}
    ns     ns2 {NS2}
    record @ MX "10 mail"
    record mail A {WWW}
    record www A pool web healthy
}}
"""


@pytest.fixture
def netns():
    if os.geteuid() != 0:
        pytest.skip("network namespaces are made by root")
    name = f"weir-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    for address in (ROOT, PARENT, NS1, NS2, WWW):
        subprocess.run(["ip", "-n", name, "addr", "add", f"{address}/32", "dev", "lo"], check=True)
    yield ["ip", "netns", "exec", name]
    subprocess.run(["ip", "netns", "del", name], check=True)


def knot(folder, prefix, name, address, zones):
    folder = folder / name
    (folder / "db").mkdir(parents=True)
    rows = ""
    for number, zone in enumerate(zones):
        (folder / f"{number}.zone").write_text(f"$TTL 3600\n{ZONES[zone]}")
        rows += f'  - domain: "{zone}"\n    storage: "{folder}"\n    file: "{number}.zone"\n'
    (folder / "knot.conf").write_text(
        f'server:\n    rundir: "{folder}"\n    listen: {address}@53\n'
        f'database:\n    storage: "{folder}/db"\nzone:\n{rows}')
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([*prefix, "knotd", "-c", folder / "knot.conf"], stdout=log, stderr=log)
    answered = until(lambda: subprocess.run([*prefix, "kdig", f"@{address}", zones[0], "SOA", "+short", "+retry=0"],
                                            capture_output=True, check=False).stdout.strip() not in (b"", b";;"))
    assert answered, (folder / "log").read_text()
    return process


@pytest.mark.skipif(not shutil.which("zonemaster-cli"), reason="zonemaster-cli is not installed")
def test_zonemaster_finds_nothing(weir, netns, tmp_path):
    peers = []
    try:
        peers.append(knot(tmp_path, netns, "root", ROOT, ["."]))
        peers.append(knot(tmp_path, netns, "parent", PARENT, ["org.", "5.in-addr.arpa."]))
        weir(WEIR, prefix=netns).wait_fact("dns:two", "serving")
        (tmp_path / "hints").write_text(f". 3600 NS a.root.\na.root. 3600 A {ROOT}\n")
        done = subprocess.run([*netns, "zonemaster-cli", "--hints", tmp_path / "hints", "--no-ipv6", "--no-progress",
                               "--json", "--level", "INFO", "example.org"],
                              capture_output=True, text=True, timeout=300, check=True)
    finally:
        for peer in peers:
            peer.kill()
            peer.wait()
    said = json.loads(done.stdout)
    print(f"zonemaster said {len(said)} things")
    bad = [entry for entry in said if entry["level"] not in ("INFO", "NOTICE")]
    assert not bad, json.dumps(bad, indent=1)
    told = {entry["tag"] for entry in said}
    assert {"HAS_NAMESERVER_NO_WWW_A_TEST", "ENOUGH_NS_DEL", "NO_RECURSOR"} & told, told

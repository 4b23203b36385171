# SPDX-License-Identifier: Apache-2.0
"""Types whose data have a form of their own, as zone files write them: what weir reads is what dnspython reads, and
BIND, NSD and ldns take the same file. Records of DNSSEC are served as plain data, with a warning."""
import subprocess

import dns.message
import dns.query
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest

HEAD = """$ORIGIN types.example.
$TTL 300
@ SOA ns hostmaster 1 7200 1800 1209600 300
@ NS ns
ns A 192.0.2.1
"""
# Owner, type, data.
ROWS = [
    ("cert", "CERT", "PGP 1 RSASHA256 AQIDBA=="),
    ("cert2", "CERT", "65534 65535 0 AQI="),
    ("csync", "CSYNC", "66 3 A NS AAAA"),
    ("nid", "NID", "10 0014:4fff:ff20:ee64"),
    ("l64", "L64", "10 2001:0db8:1140:1000"),
    ("l32", "L32", "10 10.1.2.0"),
    ("eui48", "EUI48", "00-00-5e-00-53-2a"),
    ("eui64", "EUI64", "00-00-5e-ef-10-00-00-2a"),
    ("ds", "DS", "12892 RSASHA256 2 26584835CA80C81C91999F31CFAF2A0E89D4FF1C8FAFD0DDB31A85C719277C13"),
]
SIGNED = [
    ("key", "DNSKEY", "257 3 ECDSAP256SHA256 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxL bxILfDLUT0rA"
                      "K9iUzy1L53eKGQ=="),
    ("host", "NSEC", "types.example. A MX RRSIG NSEC TYPE1234"),
    ("host2", "NSEC", "a.types.example. A NS SOA CAA TYPE65535"),
    ("host", "RRSIG", "A 13 3 300 20300101000000 20240229235959 4711 types.example. AQIDBA=="),
    ("host2", "RRSIG", "TYPE65280 ECDSAP256SHA256 3 300 20300101000000 20240101000000 4711 types.example. AQ IDBA=="),
    ("2t7b4g4vsa5smi47k61mv5bv1a22bojr", "NSEC3",
     "1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s MX DNSKEY NS SOA NSEC3PARAM RRSIG"),
    ("2vptu5timamqttgl4luu9kg21e0aor3s", "NSEC3", "1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR"),
    ("@", "NSEC3PARAM", "1 0 12 AABBCCDD"),
]


def zone_of(rows):
    return HEAD + "".join(f"{name} {rdtype} {data}\n" for name, rdtype, data in rows)


@pytest.mark.parametrize("rows", [ROWS, SIGNED], ids=["plain", "signed"])
def test_others_read_the_same(weir, free_port, rows):
    port = free_port()
    w = weir(f"dns 127.0.0.1:{port}\nzone types.example {{ file types.zone }}\n", start=False)
    (w.folder / "types.zone").write_text(zone_of(rows), encoding="ascii")
    w.start()
    for name, rdtype, data in rows:
        owner = "types.example." if name == "@" else f"{name}.types.example."
        query = dns.message.make_query(owner, rdtype)
        answer = dns.query.udp(query, "127.0.0.1", port=port, timeout=10).answer
        want = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(rdtype), data,
                                   relativize=False)
        assert [item.to_wire() for item in answer[0]] == [want.to_wire()], (rdtype, data, answer)
    if rows is SIGNED:
        w.wait_log("served as plain data")
    else:
        assert "served as plain data" not in w.log()


@pytest.mark.parametrize("rows", [ROWS, SIGNED], ids=["plain", "signed"])
@pytest.mark.parametrize("command", [
    ["named-checkzone", "-i", "none", "types.example", "{file}"],
    ["nsd-checkzone", "types.example", "{file}"],
    ["ldns-read-zone", "{file}"],
], ids=["bind", "nsd", "ldns"])
def test_others_take_the_file(tmp_path, rows, command):
    """So that the rows above are what zone files hold."""
    file = tmp_path / "types.zone"
    file.write_text(zone_of(rows), encoding="ascii")
    done = subprocess.run([word.format(file=file) for word in command], capture_output=True, text=True, timeout=30,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr

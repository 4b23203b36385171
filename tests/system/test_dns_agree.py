# SPDX-License-Identifier: Apache-2.0
"""weir's answers are those of Knot, BIND and NSD wherever these three agree: every owner of the zones of tests/dns, and
names around them, by many types. WEIR_AGREE_QUERIES asks for more of them than fit a short run."""
import os
import random

import dns.exception
import dns.name
import dns.query
import dns.zone
import dns.zonefile
import dns_peers
import pytest

TYPES = ["A", "AAAA", "NS", "SOA", "CNAME", "TXT", "MX", "SRV", "PTR", "CAA", "NAPTR", "HTTPS", "SVCB", "DNAME", "DS",
         "SSHFP", "TLSA", "HINFO", "TYPE65280", "SPF"]
N_QUERIES = int(os.environ.get("WEIR_AGREE_QUERIES", "1200"))
SEED = int(os.environ.get("WEIR_AGREE_SEED", "1"))
# Fewer agreements than this would mean that the peers are not asked what they should be.
SHARE_AGREED = 0.6


def owners(zone, path):
    """The names of a file's records, as it writes them, made absolute."""
    origin = dns.name.from_text(zone)
    return sorted(dns.zone.from_file(str(path), origin=origin, relativize=False, check_origin=False).nodes)


def around(name, rng):
    """A name of the zone, or one beside, above, below it, in another case."""
    kind = rng.randrange(6)
    labels = list(name.labels)
    if kind == 0 and len(labels) > 2:
        labels = labels[1:]
    elif kind == 1:
        labels = [rng.choice([b"x", b"*", b"nothing", b"a.b", b"ns", b"www"])] + labels
    elif kind == 2:
        labels = [b"y", b"x"] + labels
    elif kind == 3 and len(labels) > 2:
        labels = [labels[0] + b"z"[:1]] + labels[1:] if len(labels[0]) < 63 else labels
    elif kind == 4:
        labels = [bytes(c ^ 0x20 if chr(c).isalpha() and rng.random() < 0.5 else c for c in label)
                  for label in labels]
    try:
        return dns.name.Name(labels)
    except dns.exception.DNSException:
        return name


def queries(zones, rng):
    names = [name for zone, path in zones.items() for name in owners(zone, path)]
    whole = [(name, rdtype) for name in names for rdtype in TYPES]
    rng.shuffle(whole)
    half = whole[:N_QUERIES // 2]
    return half + [(around(rng.choice(names), rng), rng.choice(TYPES)) for _ in range(N_QUERIES - len(half))]


@pytest.fixture(scope="module")
def zones():
    return {path.name[:-len(".zone")]: path for path in sorted(dns_peers.ZONES.glob("*.zone"))}


@pytest.fixture
def peers(zones, tmp_path, free_port):
    made = []
    try:
        for name in dns_peers.MAKERS:
            made.append(dns_peers.start(name, tmp_path / name, free_port(), zones))
        yield [peer.wait(zones) for peer in made]
    finally:
        for peer in made:
            peer.stop()


def text(value):
    return str(sorted(value) if isinstance(value, frozenset) else value)


def ask_all(ports, name, rdtype, has_edns):
    """What each says over UDP; and over TCP too, where one of them had not the room for all."""
    said = [[dns_peers.facts_of(dns_peers.ask(port, name, rdtype, has_edns=has_edns)) for port in ports]]
    if any(one["tc"] for one in said[0]):
        said.append([dns_peers.facts_of(dns_peers.ask(port, name, rdtype, has_edns=has_edns, how=dns.query.tcp))
                     for port in ports])
    return said


def compare(own_port, peers, asked):
    """(n compared, n on which all peers agree, differences), part by part of an answer; every other query has EDNS."""
    n, n_agreed, different = 0, 0, []
    ports = [own_port] + [peer.port for peer in peers]
    for i, (name, rdtype) in enumerate(asked):
        for own, *theirs in ask_all(ports, name, rdtype, i % 2 == 1):
            for part, value in own.items():
                n += 1
                if any(one[part] != theirs[0][part] for one in theirs):
                    continue
                n_agreed += 1
                if value != theirs[0][part]:
                    different.append(f"{i}: {name} {rdtype} {part}: {text(value)} is not {text(theirs[0][part])}")
    return n, n_agreed, different


@pytest.fixture
def own_port(weir, zones, free_port):
    port = free_port()
    rows = "".join(f'zone {zone} {{ file "{path}" }}\n' for zone, path in zones.items())
    weir(f"dns 127.0.0.1:{port} {{ rate-limit off }}\n{rows}")
    return port


def test_answers_are_those_of_the_others(zones, peers, own_port):
    rng = random.Random(SEED)
    n, n_agreed, different = compare(own_port, peers, queries(zones, rng))
    print(f"seed {SEED}: {N_QUERIES} queries, {n} parts compared, the three agree on {n_agreed}, "
          f"{len(different)} differ")
    assert not different, f"{len(different)} differ:\n" + "\n".join(different[:20])
    assert n_agreed > SHARE_AGREED * n

# SPDX-License-Identifier: Apache-2.0
"""Knot, BIND and NSD on loopback, each with the same zone files, to be asked beside weir; and what an answer says,
in a form that can be compared."""
import pathlib
import shutil
import subprocess

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
from conftest import until

ZONES = pathlib.Path(__file__).resolve().parent.parent / "dns"


class Peer:
    """A name server of somebody else."""

    def __init__(self, name, folder, port, command):
        self.name = name
        self.port = port
        self.log_file = folder / "log"
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    def wait(self, zones):
        def serves(zone):
            answer = ask(self.port, zone, "SOA", timeout=0.5)
            return answer is not None and answer.rcode() == dns.rcode.NOERROR and answer.answer
        for zone in zones:
            assert until(lambda zone=zone: serves(zone)), (self.name, zone, self.log_file.read_text())
        return self

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def knot(folder, port, zones):
    (folder / "db").mkdir()
    rows = "".join(f'  - domain: "{zone}"\n    storage: "{folder}"\n    file: "{path.name}"\n    zonefile-sync: -1\n'
                   for zone, path in zones.items())
    (folder / "knot.conf").write_text(
        f'server:\n    rundir: "{folder}"\n    listen: 127.0.0.1@{port}\n    udp-workers: 1\n    tcp-workers: 1\n'
        f'    background-workers: 1\ndatabase:\n    storage: "{folder}/db"\n'
        f'template:\n  - id: default\n    semantic-checks: off\nzone:\n{rows}')
    return Peer("knot", folder, port, ["knotd", "-c", "knot.conf"])


def bind(folder, port, zones):
    rows = "".join(f'zone "{zone}" {{ type primary; file "{folder}/{path.name}"; check-names ignore; }};\n'
                   for zone, path in zones.items())
    (folder / "named.conf").write_text(
        f'options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n'
        f'  recursion no; pid-file none; session-keyfile "{folder}/key"; lock-file none; notify no;\n'
        f'  dnssec-validation no; empty-zones-enable no; check-integrity no; minimal-responses no;\n'
        f'  rrset-order {{ order fixed; }}; allow-query {{ any; }}; }};\ncontrols {{ }};\n{rows}')
    return Peer("bind", folder, port, ["named", "-f", "-n", "1", "-c", folder / "named.conf"])


def nsd(folder, port, zones):
    rows = "".join(f'zone:\n  name: "{zone}"\n  zonefile: "{folder}/{path.name}"\n' for zone, path in zones.items())
    (folder / "nsd.conf").write_text(
        f'server:\n  ip-address: 127.0.0.1@{port}\n  username: ""\n  zonesdir: "{folder}"\n  pidfile: ""\n'
        f'  xfrdfile: "{folder}/xfrd"\n  zonelistfile: "{folder}/zones"\n  xfrdir: "{folder}"\n  server-count: 1\n'
        f'  rrl-ratelimit: 0\n  minimal-responses: no\nremote-control:\n  control-enable: no\n{rows}')
    return Peer("nsd", folder, port, ["nsd", "-d", "-c", folder / "nsd.conf"])


MAKERS = {"knot": knot, "bind": bind, "nsd": nsd}


def start(name, folder, port, zones):
    """One of them with copies of the zone files; `zones` is name -> path. It answers for all when this returns."""
    folder.mkdir()
    copies = {zone: pathlib.Path(shutil.copy(path, folder)) for zone, path in zones.items()}
    return MAKERS[name](folder, port, copies)


def ask(port, name, rdtype, timeout=5, has_edns=False, how=dns.query.udp):
    """The answer, or None where none came."""
    query = dns.message.make_query(name, rdtype, **({"use_edns": 0, "payload": 1232} if has_edns else {}))
    query.flags &= ~dns.flags.RD
    try:
        return how(query, "127.0.0.1", timeout=timeout, port=port)
    except (dns.exception.Timeout, OSError):
        return None


def records_of(section):
    """A section as a set of records: order and case of owners do not count."""
    return frozenset((rrset.name.canonicalize().to_text(), rrset.ttl, dns.rdatatype.to_text(rrset.rdtype),
                      rdata.to_digestable().hex() if rrset.rdtype not in NAMELESS else rdata.to_text())
                     for rrset in section for rdata in rrset)


NAMELESS = {dns.rdatatype.OPT}


def facts_of(answer):
    """What is compared of an answer, by name."""
    if answer is None:
        return {"rcode": "none", "aa": False, "tc": False, "edns": -1, "answer": frozenset(),
                "authority": frozenset(), "additional": frozenset()}
    return {"rcode": dns.rcode.to_text(answer.rcode()), "aa": bool(answer.flags & dns.flags.AA),
            "tc": bool(answer.flags & dns.flags.TC), "edns": answer.edns,
            "answer": records_of(answer.answer), "authority": records_of(answer.authority),
            "additional": records_of(answer.additional)}

# SPDX-License-Identifier: Apache-2.0
"""Certificates for the TLS tests, made by openssl(1) while they run, and openssl's own client."""

import re
import subprocess

PATIENCE_S = 20


def openssl(*args, stdin=b"", check=True):
    result = subprocess.run(["openssl", *map(str, args)], input=stdin, capture_output=True, timeout=PATIENCE_S,
                            check=False)
    assert not check or result.returncode == 0, result.stderr.decode()
    return (result.stdout + result.stderr).decode(errors="replace")


class Files:
    """An authority in a folder, and certificates that it signs."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = folder / "ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "10",
                "-subj", "/CN=weir tests", "-keyout", folder / "ca.key", "-out", self.ca)

    def make(self, name, names, days=10):
        """NAME.pem with the certificate, NAME.key with its key, NAME.both with the two; expired where days is 0."""
        base = self.folder / name
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{base}.key", "-out", f"{base}.csr")
        extension = self.folder / f"{name}.ext"
        extension.write_text(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
        if days > 0:
            openssl("x509", "-req", "-in", f"{base}.csr", "-CA", self.ca, "-CAkey", self.folder / "ca.key",
                    "-CAcreateserial", "-extfile", extension, "-out", f"{base}.pem", "-days", days)
        else:
            self.make_old(base, extension)
        both = self.folder / f"{name}.both"
        both.write_text((self.folder / f"{name}.pem").read_text() + (self.folder / f"{name}.key").read_text())
        both.chmod(0o600)
        return both

    def make_old(self, base, extension):
        """Only openssl ca can set both dates."""
        (self.folder / "index.txt").write_text("")
        (self.folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={self.folder}/index.txt\nrand_serial=yes\n"
            f"new_certs_dir={self.folder}\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n")
        openssl("ca", "-batch", "-notext", "-config", self.folder / "ca.cnf", "-cert", self.ca, "-keyfile",
                self.folder / "ca.key", "-in", f"{base}.csr", "-out", f"{base}.pem", "-extfile", extension,
                "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")


def s_client(port, *args, stdin=b""):
    """What openssl's client says of a handshake; ends at the end of its input."""
    return openssl("s_client", "-connect", f"127.0.0.1:{port}", *args, stdin=stdin, check=False)


def subject(said):
    found = re.search(r"^ ?subject=(?:CN = )?(.*)$", said, re.MULTILINE)
    return found.group(1).removeprefix("CN=") if found else None

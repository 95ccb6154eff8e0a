"""A real nginx that ends TLS, run from the very files that operators copy (deploy/).

Debian's package; `make test` installs it. It runs in the foreground from a folder of its own, on
free loopback ports, and is ended by its process id.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.house.reading import ROOT
from tests.live import LiveServer, reserved_port

DEPLOY = ROOT / "deploy"
STARTS_WITHIN = 10.0
STOPS_WITHIN = 5.0

# Around the operator's file: what Debian's nginx.conf says there, but in the foreground and in a
# folder of the test's.
_AROUND = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 512; }}
http {{
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    default_type application/octet-stream;
    gzip on;
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    include {folder}/site.conf;
}}
"""


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority that nobody else trusts, and what it certified for loopback."""

    root: Path
    chain: Path
    key: Path

    def trust(self) -> ssl.SSLContext:
        """Trust in it and in nobody else."""
        return ssl.create_default_context(cafile=self.root)


def made_authority(folder: Path) -> Authority:
    """Make one for a day, with a certificate for localhost."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the tests' authority")])
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    now = datetime.datetime.now(datetime.UTC)

    def builder(subject: x509.Name, of: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(of.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(of.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False
            )
        )

    root = (
        builder(name, root_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    host = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    certificate = (
        builder(host, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.OID_SERVER_AUTH]), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    made = Authority(folder / "root.pem", folder / "chain.pem", folder / "key.pem")
    made.root.write_bytes(root.public_bytes(pem))
    made.chain.write_bytes(certificate.public_bytes(pem) + root.public_bytes(pem))
    made.key.touch(mode=0o600)
    made.key.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def nginx_binary() -> str:
    """Where it is; /usr/sbin is not on everybody's path."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which("nginx", path=places)
    assert found, "nginx is not installed: run `make test`, which brings it (or says how)."
    return found


def as_deployed(file: str, listen: str, changes: dict[str, str]) -> str:
    """An operator's copy of a file of deploy/: every marked line changed, and no other."""
    text = (DEPLOY / file).read_text()
    assert text.count("listen 443 ssl;") == 1
    lines = text.replace("listen 443 ssl;", listen).splitlines()
    for number, line in enumerate(lines):
        if "# change" in line and not line.startswith("#"):
            old = [old for old in changes if old in line]
            lines[number] = line.replace(old[0], changes.pop(old[0])) if old else line
    assert not changes, f"{file} has no marked line with {[*changes]}"
    return "\n".join(lines) + "\n"


class Nginx:
    """nginx before the server at `upstream` (a port), from `start` to `stop`."""

    def __init__(self, folder: Path, authority: Authority, file: str) -> None:
        self.folder = folder
        self.authority = authority
        self.file = file
        self._reserved = reserved_port()
        self.port: int = self._reserved.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, upstream: int, site: str | None = None) -> Self:
        """Start it; answers when it listens. `site` replaces the operator's copy of the file."""
        (self.folder / "site.conf").write_text(site or self.site(upstream))
        around = self.folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""  # else its worker could not read here
        around.write_text(_AROUND.format(folder=self.folder, user=user))
        with (self.folder / "error.log").open("ab") as log:
            self._process = subprocess.Popen(
                [nginx_binary(), "-p", str(self.folder), "-c", str(around), "-e", "stderr"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        ends = time.monotonic() + STARTS_WITHIN
        while True:
            assert self._process.poll() is None, f"nginx did not start:\n{self.log()}"
            assert time.monotonic() < ends, self.log()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.02)

    def site(self, upstream: int) -> str:
        """The operator's copy, for this machine."""
        host = "www.example.com" if "path" in self.file else "auth.example.com"
        return as_deployed(
            self.file,
            f"listen 127.0.0.1:{self.port} ssl;",
            {
                "127.0.0.1:8000": f"127.0.0.1:{upstream}",
                f"server_name {host}": "server_name localhost",
                f"/etc/ssl/{host}/fullchain.pem": str(self.authority.chain),
                f"/etc/ssl/{host}/privkey.pem": str(self.authority.key),
            },
        )

    def log(self) -> str:
        """What it has to say about its trouble."""
        return (self.folder / "error.log").read_text(errors="replace")

    def stop(self) -> None:
        """End it: the master, which ends its worker."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOPS_WITHIN)
        self._reserved.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class Fronted(LiveServer):
    """An authgate whose public URL is nginx's; started and stopped together with it."""

    def __init__(self, nginx: Nginx, *, path: str = "", env: dict[str, str] | None = None) -> None:
        # The proxy alone is believed: 127.0.0.2, which is loopback too, is a stranger.
        super().__init__(path=path, env={"AUTHGATE_TRUSTED_PROXIES": "127.0.0.1", **(env or {})})
        self.nginx = nginx
        self.trust = nginx.authority.trust()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.nginx.port}{self.path}"

    @property
    def origin(self) -> str:
        """The public URL without its path."""
        return f"https://localhost:{self.nginx.port}"

    def start(self) -> Self:
        super().start()
        self.nginx.start(self.port)
        return self

    def close(self) -> None:
        self.nginx.stop()
        super().close()

"""What an operator is told of PostgreSQL's TLS: which file or name is wrong.

The PostgreSQL of the tests is built without TLS, so a server that knows no more than how a
connection begins shows a certificate of ours.
"""

from __future__ import annotations

import contextlib
import datetime
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from authgate.store.contract import StoreUnavailable
from authgate.store.postgres_pool import PostgresPolicy
from authgate.store.postgres_schema import Place
from tests.live import reserved_port

_SSL_REQUEST = 8  # bytes: a length and the number that asks for TLS


def _made(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for `name` that signed itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    (folder / "crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "crt", folder / "key"


@contextlib.contextmanager
def _greeting(certificate: Path, key: Path) -> Iterator[int]:
    """The port of a server that begins TLS as PostgreSQL does, and then hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with reserved_port() as held:
        held.listen()
        held.settimeout(10)

        def greet() -> None:
            with contextlib.suppress(OSError):
                caller, _ = held.accept()
                with caller:
                    caller.settimeout(10)
                    caller.recv(_SSL_REQUEST)
                    caller.sendall(b"S")
                    context.wrap_socket(caller, server_side=True).close()

        greeter = threading.Thread(target=greet)
        greeter.start()
        yield held.getsockname()[1]
        greeter.join(10)


@pytest.mark.parametrize(
    ("name", "trusted", "said"),
    [
        ("127.0.0.1.example", "own", "has a certificate for another name"),
        ("127.0.0.1.example", "other", "has a certificate of no authority that sslrootcert names"),
        ("127.0.0.1.example", "nowhere", "was not asked, for want of the file of authorities"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_named(
    tmp_path: Path, name: str, trusted: str, said: str
) -> None:
    own = _made(tmp_path / "own", name)
    _made(tmp_path / "other", name)
    authorities = tmp_path / trusted / "crt"
    with _greeting(*own) as port:
        url = f"postgresql://authgate:s3cret@127.0.0.1:{port}/authgate"
        place = Place(
            PostgresPolicy(f"{url}?sslmode=verify-full&sslrootcert={authorities}", "authgate")
        )
        with pytest.raises(StoreUnavailable, match=said) as refused:
            place.connect_now()
    assert "check AUTHGATE_DATABASE_URL" in str(refused.value)
    assert "server is up" not in str(refused.value)
    assert "s3cret" not in repr(refused.value)

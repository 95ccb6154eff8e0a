"""`authgate keys …`: states, imports, and what is refused. A running server is in test_serve."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.cli.conftest import Operator

FACTS = {"kid", "algorithm", "state", "created_at", "signs_from", "retires_at"}


def pem(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes | None = None
) -> bytes:
    locked: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)


@pytest.fixture
def file(operator: Operator) -> Path:
    return operator.folder / "key.pem"


def test_the_first_key_signs(operator: Operator) -> None:
    (key,) = operator.run("keys", "list", "--json").json
    assert set(key) == FACTS
    assert (key["algorithm"], key["state"], key["retires_at"]) == ("ES256", "signing", None)


def test_in_a_pipe_each_key_is_one_line(operator: Operator) -> None:
    operator.run("keys", "rotate")
    lines = operator.run("keys", "list").out.splitlines()
    keys = operator.run("keys", "list", "--json").json
    assert len(keys) == 2
    for key in keys:
        (line,) = (line for line in lines if key["kid"] in line)
        assert key["state"] in line
    assert any("leaves the JWKS" in line for line in lines)


def test_rotating_publishes_first(operator: Operator) -> None:
    new = operator.run("keys", "rotate", "--json").json
    assert new["state"] == "next"
    old, listed = operator.run("keys", "list", "--json").json
    assert listed == new
    assert old["state"] == "signing"
    assert old["retires_at"] > new["signs_from"] > new["created_at"]


def test_rotating_at_once(operator: Operator) -> None:
    operator.run("keys", "list")
    new = operator.run("keys", "rotate", "--at-once", "--json").json
    assert new["state"] == "signing"
    assert [key["state"] for key in operator.run("keys", "list", "--json").json] == [
        "retired",
        "signing",
    ]


def test_revoking_the_only_key(operator: Operator) -> None:
    (key,) = operator.run("keys", "list", "--json").json
    asked = operator.run("keys", "revoke", "--", key["kid"])
    assert asked.code == 2
    assert "--yes" in asked.err
    done = operator.run("keys", "revoke", "--yes", "--", key["kid"])
    assert done.code == 0
    assert "refresh" in done.out
    old, new = operator.run("keys", "list", "--json").json
    assert (old["kid"], old["state"]) == (key["kid"], "retired")
    assert new["state"] == "signing"
    assert new["kid"] in done.out
    again = operator.run("keys", "revoke", "--yes", "--", key["kid"])
    assert (again.code, again.out) == (1, "")
    assert "keys list" in again.err
    dashed = operator.run("keys", "revoke", "-Zq8", "--yes")
    assert (dashed.code, dashed.out) == (1, "")
    assert "'-Zq8'" in dashed.err


def test_for_people(operator: Operator) -> None:
    assert "signs from" in operator.run("keys", "rotate").out
    out = operator.run("keys", "list").out
    assert "signing" in out
    assert "next" in out


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (rsa.generate_private_key(65537, 2048), "RS256"),
    ],
    ids=["EC", "RSA"],
)
def test_an_import_before_the_first_serve(
    operator: Operator,
    file: Path,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    algorithm: str,
) -> None:
    file.write_bytes(pem(key))
    imported = operator.run("keys", "import", str(file), "--json").json
    assert (imported["algorithm"], imported["state"]) == (algorithm, "signing")
    assert operator.run("keys", "list", "--json").json == [imported]  # no other was made
    again = operator.run("keys", "import", str(file))
    assert again.code == 1
    assert "already" in again.err


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(rsa.generate_private_key(65537, 1024)),  # noqa: S505 - what is refused
        pem(ec.generate_private_key(ec.SECP256R1()), b"secret"),
        b"x" * 70_000,
    ],
    ids=["empty", "broken", "P-384", "RSA-1024", "encrypted", "huge"],
)
def test_what_cannot_be_imported(operator: Operator, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    done = operator.run("keys", "import", str(file))
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err


def test_no_command_prints_a_private_key(operator: Operator, file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    file.write_bytes(pem(key))
    said = [operator.run("keys", "import", str(file), "--json"), operator.run("keys", "list")]
    secret = pem(key).decode().splitlines()[1]
    for done in said:
        assert secret not in done.out + done.err
        assert '"d"' not in done.out


def test_a_lost_secret_is_mended_by_a_key_at_once(operator: Operator) -> None:
    operator.run("keys", "list")
    (operator.folder / "data" / "secret.key").unlink()
    done = operator.run("keys", "rotate")
    assert done.code == 1
    assert "secret" in done.err
    assert operator.run("keys", "rotate", "--at-once").code == 0
    assert operator.run("people", "list").code == 0

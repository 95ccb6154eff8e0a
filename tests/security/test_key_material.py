"""Keys that operators bring, and what is stored and published of a key."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from authgate.security.key_material import (
    KeyUnusable,
    SignerKey,
    VerifyingKey,
    generate,
    public_members,
    read_pem,
    to_record,
)
from authgate.security.vault import SealedValueUnreadable
from tests.clauses import clause
from tests.security.making import NOW, OTHER_SECRET, make_vault

PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
PKCS8 = serialization.PrivateFormat.PKCS8


def pem_of(key: object, password: bytes | None = None, form: object = PKCS8) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, form, encryption)


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("form", [PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
def test_ec_p256_and_rsa_2048_are_taken_in_both_pem_forms(
    form: object, rsa_key: rsa.RSAPrivateKey
) -> None:
    for key in (generate("ES256"), rsa_key):
        assert read_pem(pem_of(key, form=form)).private_numbers() == key.private_numbers()


def test_every_other_kind_of_key_is_refused_with_the_fix(rsa_key: rsa.RSAPrivateKey) -> None:
    good = generate("ES256")
    public = good.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    cases = {
        "P-256": pem_of(ec.generate_private_key(ec.SECP384R1())),
        "secp256k1": pem_of(ec.generate_private_key(ec.SECP256K1())),
        "1024 bits": pem_of(_weak_rsa()),
        "Only EC": pem_of(ed25519.Ed25519PrivateKey.generate()),
        "Only EC P-256 and RSA": pem_of(dsa.generate_private_key(2048)),
        "encrypted": pem_of(good, b"password"),
        "openssl pkey": pem_of(rsa_key, b"password"),
        "public key": public,
        "no private key": b"",
        "too large": b"x" * 100_000,
    }
    for sentence, pem in cases.items():
        with pytest.raises(KeyUnusable, match=sentence):
            read_pem(pem)


def _weak_rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # noqa: S505 - to see it refused


def test_an_rsa_key_with_a_tiny_exponent_is_refused() -> None:
    with pytest.raises(KeyUnusable, match="65537"):
        read_pem(pem_of(rsa.generate_private_key(3, 2048)))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 240))
def test_garbage_and_damaged_files_never_raise_anything_else(noise: bytes, at: int) -> None:
    good = pem_of(_EC)
    for data in (noise, good[:at], good[:at] + noise + good[at:]):
        with contextlib.suppress(KeyUnusable):
            read_pem(data)


_EC = generate("ES256")


def test_there_are_two_algorithms() -> None:
    with pytest.raises(KeyUnusable, match="ES256 or RS256"):
        generate("HS256")


@clause("RFC 7638", "3")
def test_the_name_of_a_key_is_its_thumbprint(rsa_key: rsa.RSAPrivateKey) -> None:
    for key in (generate("ES256"), rsa_key):
        record = to_record(key, make_vault(), created_at=NOW, signs_from=NOW)
        assert record.kid == VerifyingKey.of(record).public.thumbprint()
        assert record.public_jwk["kid"] == record.kid


@clause("RFC 7517", "9.2")
def test_only_public_members_are_stored_in_the_open(rsa_key: rsa.RSAPrivateKey) -> None:
    for key in (generate("ES256"), rsa_key):
        record = to_record(key, make_vault(), created_at=NOW, signs_from=NOW)
        assert not PRIVATE_MEMBERS & set(record.public_jwk)
        assert "PRIVATE" not in record.sealed_private
        assert record.sealed_private not in repr(record)


def test_a_private_jwk_loses_its_private_members_on_the_way_out() -> None:
    whole = ECKey.generate_key("P-256").as_dict(private=True)
    assert "d" in whole
    assert "d" not in json.dumps(list(public_members(whole)))


def test_a_stored_key_signs_and_verifies_again(rsa_key: rsa.RSAPrivateKey) -> None:
    vault = make_vault()
    for key in (generate("ES256"), rsa_key):
        record = to_record(key, vault, created_at=NOW, signs_from=NOW)
        signature = SignerKey.of(record, vault).sign(b"input")
        verifier = VerifyingKey.of(record)
        assert verifier.verify(b"input", signature)
        assert not verifier.verify(b"other", signature)
        for bad in (b"", signature[:-1], signature + b"\0", bytes(len(signature))):
            assert not verifier.verify(b"input", bad)


def test_another_vault_does_not_open_it() -> None:
    record = to_record(_EC, make_vault(), created_at=NOW, signs_from=NOW)
    with pytest.raises(SealedValueUnreadable):
        SignerKey.of(record, make_vault(OTHER_SECRET))


@clause("RFC 8725", "3.1")
def test_a_stored_key_of_one_kind_cannot_serve_another_algorithm(
    rsa_key: rsa.RSAPrivateKey,
) -> None:
    for key in (_EC, rsa_key):
        record = to_record(key, make_vault(), created_at=NOW, signs_from=NOW)
        for algorithm in {"ES256", "RS256", "HS256", "none"} - {record.algorithm}:
            with pytest.raises(KeyUnusable):
                VerifyingKey.of(replace(record, algorithm=algorithm))


def test_keys_in_memory_print_nothing_of_themselves() -> None:
    vault = make_vault()
    record = to_record(_EC, vault, created_at=NOW, signs_from=NOW)
    shown = repr(SignerKey.of(record, vault)) + repr(VerifyingKey.of(record))
    assert record.kid not in shown

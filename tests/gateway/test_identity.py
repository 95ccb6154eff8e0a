"""What the upstream may be told of a caller, and what that is worth anywhere else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from authgate.gateway.caller import Caller
from authgate.gateway.identity import MAX_REMEMBERED, Nothing, Plain, Signed
from authgate.issuers.builtin import BuiltinIssuer
from authgate.protocol.errors import Reason
from authgate.security.keys import KeyRing
from authgate.security.vault import Vault
from authgate.store.sqlite import SqliteStore
from tests.clauses import clause
from tests.protocol.making import refused

ISSUER, UPSTREAM = "https://auth.example", "http://127.0.0.1:9000/mcp"
NOW = 1_900_000_000
CALLER = Caller("ag_1", "client_1", ("read", "write"), "grant_1", "ada@example.com", NOW + 900)


@pytest.fixture
async def ring(tmp_path: Path) -> AsyncIterator[KeyRing]:
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    ring = KeyRing(store, Vault.from_folder(tmp_path))
    await ring.load(NOW)
    yield ring
    await store.close()


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signed(ring: KeyRing, clock: Clock) -> Signed:
    return Signed(issuer=ISSUER, audience=UPSTREAM, sign=ring.sign_as, clock=clock)


def token_of(signed: Signed, caller: Caller = CALLER) -> str:
    [(name, token)] = signed.headers(caller)
    assert name == "X-Authgate-Token"
    return token


def test_nothing() -> None:
    assert not Nothing().headers(CALLER)


def test_plain_headers() -> None:
    assert dict(Plain().headers(CALLER)) == {
        "X-Authgate-Subject": "ag_1",
        "X-Authgate-Client": "client_1",
        "X-Authgate-Scopes": "read write",
        "X-Authgate-Display": "ada@example.com",
    }


def test_what_is_not_known_is_not_said() -> None:
    bare = replace(CALLER, client_id="", scopes=(), display="")
    assert dict(Plain().headers(bare)) == {"X-Authgate-Subject": "ag_1"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Jörg", "J%C3%B6rg"),
        ("a\r\nX-Authgate-Subject: root", "a%0D%0AX-Authgate-Subject: root"),
        ("50%", "50%25"),
        (" a ", "a"),
        ("\ud800", "?"),
    ],
)
def test_a_value_is_one_line_of_visible_ascii(value: str, shown: str) -> None:
    assert dict(Plain().headers(replace(CALLER, display=value)))["X-Authgate-Display"] == shown


def test_a_token_that_the_published_keys_check(signed: Signed, ring: KeyRing) -> None:
    read = jwt.decode(token_of(signed), KeySet.import_key_set(json.loads(ring.jwks())))
    assert read.header["typ"] == "authgate-upstream+jwt"
    assert read.claims.pop("jti")
    assert read.claims == {
        "iss": ISSUER,
        "sub": "ag_1",
        "aud": UPSTREAM,
        "client_id": "client_1",
        "scope": "read write",
        "iat": NOW,
        "exp": NOW + 60,
    }


@clause("RFC 8725", "3.11")
@pytest.mark.parametrize("audience", [UPSTREAM, f"{ISSUER}/mcp"])
def test_it_is_no_access_token_whatever_its_audience(
    ring: KeyRing, clock: Clock, audience: str
) -> None:
    issuer = BuiltinIssuer(ISSUER, ring)
    made = Signed(issuer=ISSUER, audience=audience, sign=ring.sign_as, clock=clock)
    with refused(Reason.TOKEN_TYPE):
        issuer.verify(token_of(made), audience, NOW)
    with refused(Reason.TOKEN_TYPE):
        issuer.verify_any_time(token_of(made))


def test_one_serves_half_a_minute(signed: Signed, clock: Clock) -> None:
    first = token_of(signed)
    clock.now += 29
    assert token_of(signed) == first
    clock.now += 1
    assert token_of(signed) != first
    clock.now -= 3600  # a clock that was set back must not keep one for an hour
    assert token_of(signed) != first


def test_everybody_has_their_own(signed: Signed) -> None:
    others = [
        replace(CALLER, sub="ag_2"),
        replace(CALLER, client_id="client_2"),
        replace(CALLER, scopes=("read",)),
        replace(CALLER, client_id=""),
    ]
    tokens = {token_of(signed, caller) for caller in (CALLER, *others)}
    assert len(tokens) == 5


def test_what_is_remembered_is_bounded(ring: KeyRing, clock: Clock) -> None:
    made: list[bytes] = []

    def sign(kind: str, payload: bytes, now: int) -> str:
        made.append(payload)
        return "token"

    signed = Signed(issuer=ISSUER, audience=UPSTREAM, sign=sign, clock=clock)
    for number in range(MAX_REMEMBERED + 10):
        signed.headers(replace(CALLER, sub=f"ag_{number}"))
    assert len(signed._made) == MAX_REMEMBERED

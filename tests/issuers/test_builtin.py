"""The builtin issuer: what it mints, what it lets through, and what it remembers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authgate.issuers.builtin import BuiltinIssuer
from authgate.issuers.contract import AccessClaims, Issuer
from authgate.protocol.errors import Reason, Refusal
from authgate.security.compact import decode_segment
from authgate.security.keys import KeyRing
from authgate.store.sqlite import SqliteStore
from tests.clauses import clause
from tests.security.making import ISSUER, NOW, RESOURCE, loaded_ring, make_grant

SCOPES = ("mcp:use",)


@pytest.fixture
async def ring(store: SqliteStore) -> KeyRing:
    return await loaded_ring(store)


@pytest.fixture
def issuer(ring: KeyRing) -> BuiltinIssuer:
    return BuiltinIssuer(ISSUER, ring, clock=lambda: NOW)


def mint(issuer: Issuer, **changes: str) -> str:
    return issuer.mint(make_grant(**changes), SCOPES, NOW).value


def refused(issuer: Issuer, token: str, resource: str = RESOURCE, now: int = NOW) -> Reason:
    with pytest.raises(Refusal) as caught:
        issuer.verify(token, resource, now)
    return caught.value.reason


def claims_with(**changes: object) -> bytes:
    good: dict[str, object] = {
        "iss": ISSUER,
        "sub": "ag_x",
        "aud": RESOURCE,
        "client_id": "c",
        "scope": "mcp:use",
        "iat": NOW,
        "exp": NOW + 60,
        "jti": "j",
        "gid": "g",
    }
    return orjson.dumps({k: v for k, v in {**good, **changes}.items() if v is not ...})


@clause("RFC 9068", "2.2")
def test_a_token_says_what_the_profile_asks_for(issuer: BuiltinIssuer) -> None:
    answer = issuer.mint(make_grant(), SCOPES, NOW)
    head, body, _ = (
        json.loads(decode_segment(p.encode())) if n < 2 else p
        for n, p in enumerate(answer.value.split("."))
    )
    assert head["typ"] == "at+jwt"
    assert answer.expires_in == 3600
    jti = body.pop("jti")
    assert len(jti) == 22
    assert body == {
        "iss": ISSUER,
        "sub": "ag_" + "p" * 22,
        "aud": RESOURCE,
        "client_id": "c" * 22,
        "scope": "mcp:use",
        "iat": NOW,
        "exp": NOW + 3600,
        "gid": "g" * 22,
        "auth_time": NOW - 30,
    }
    assert answer.value not in repr(answer)


def test_no_two_tokens_are_alike(issuer: BuiltinIssuer) -> None:
    assert len({mint(issuer) for _ in range(50)}) == 50


@clause("RFC 9068", "4")
def test_what_was_minted_is_verified_as_it_was_meant(issuer: BuiltinIssuer) -> None:
    token = issuer.mint(make_grant(), ("mcp:use", "notes:read"), NOW).value
    for _ in range(2):  # the second time from memory
        claims = issuer.verify(token, RESOURCE, NOW)
        assert isinstance(claims, AccessClaims)
        assert claims.scopes == ("mcp:use", "notes:read")
        assert claims.grant_id == "g" * 22
        assert (claims.audience, claims.expires_at) == (RESOURCE, NOW + 3600)


@clause("RFC 9068", "4")
@pytest.mark.parametrize("seen_before", [False, True])
def test_time_and_audience_are_judged_each_time(issuer: BuiltinIssuer, seen_before: bool) -> None:
    token = mint(issuer)
    if seen_before:
        issuer.verify(token, RESOURCE, NOW)
    assert refused(issuer, token, RESOURCE + "/") is Reason.TOKEN_AUDIENCE
    assert refused(issuer, token, "https://other.example/mcp") is Reason.TOKEN_AUDIENCE
    assert issuer.verify(token, RESOURCE, NOW + 3599).sub
    assert refused(issuer, token, now=NOW + 3600) is Reason.TOKEN_EXPIRED
    assert refused(issuer, token, now=NOW + 99999) is Reason.TOKEN_EXPIRED


@clause("RFC 9068", "4")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"iss": "http://localhost:8000/"}, Reason.TOKEN_ISSUER),
        ({"iss": ...}, Reason.TOKEN_MALFORMED),
        ({"aud": [RESOURCE]}, Reason.TOKEN_AUDIENCE),
        ({"aud": ...}, Reason.TOKEN_AUDIENCE),
        ({"exp": ...}, Reason.TOKEN_MALFORMED),
        ({"exp": NOW + 60.5}, Reason.TOKEN_MALFORMED),
        ({"exp": True}, Reason.TOKEN_MALFORMED),
        ({"exp": NOW}, Reason.TOKEN_EXPIRED),
        ({"sub": ...}, Reason.TOKEN_MALFORMED),
        ({"sub": ""}, Reason.TOKEN_MALFORMED),
        ({"gid": 5}, Reason.TOKEN_MALFORMED),
        ({"jti": ...}, Reason.TOKEN_MALFORMED),
        ({"client_id": ...}, Reason.TOKEN_MALFORMED),
        ({"iat": "now"}, Reason.TOKEN_MALFORMED),
        ({"scope": ["mcp:use"]}, Reason.TOKEN_MALFORMED),
        ({"nbf": NOW + 5}, Reason.TOKEN_MALFORMED),
    ],
)
def test_claims_that_are_not_ours_are_refused_under_our_own_signature(
    issuer: BuiltinIssuer, ring: KeyRing, change: dict[str, object], reason: Reason
) -> None:
    assert issuer.verify(ring.sign(claims_with(), NOW), RESOURCE, NOW).sub == "ag_x"
    assert refused(issuer, ring.sign(claims_with(**change), NOW)) is reason


def test_a_token_without_scope_has_none(issuer: BuiltinIssuer, ring: KeyRing) -> None:
    token = ring.sign(claims_with(scope=...), NOW)
    assert issuer.verify(token, RESOURCE, NOW).scopes == ()


def test_a_token_that_is_not_valid_yet_is_judged_by_the_clock_each_time(
    issuer: BuiltinIssuer, ring: KeyRing
) -> None:
    token = ring.sign(claims_with(nbf=NOW), NOW)
    assert issuer.verify(token, RESOURCE, NOW)
    assert refused(issuer, token, now=NOW - 5) is Reason.TOKEN_MALFORMED


@clause("RFC 7009", "2.1")
def test_revocation_knows_an_expired_token_of_any_resource(issuer: BuiltinIssuer) -> None:
    token = mint(issuer, resource="https://other.example/mcp")
    assert issuer.verify_any_time(token).audience == "https://other.example/mcp"
    assert refused(issuer, token, now=NOW + 10**6) is Reason.TOKEN_AUDIENCE
    head, body, _ = token.split(".")
    with pytest.raises(Refusal):
        issuer.verify_any_time(f"{head}.{body}.{'A' * 86}")


def test_the_memory_is_bounded_and_holds_no_token(ring: KeyRing) -> None:
    issuer = BuiltinIssuer(ISSUER, ring, max_remembered=5)
    tokens = [mint(issuer) for _ in range(12)]
    for token in tokens:
        issuer.verify(token, RESOURCE, NOW)
    assert len(issuer._remembered) == 5
    assert tokens[-1] not in repr(issuer._remembered)
    for token in tokens:  # those that were forgotten are simply verified again
        assert issuer.verify(token, RESOURCE, NOW)


def test_refused_tokens_are_not_remembered(issuer: BuiltinIssuer) -> None:
    for n in range(200):
        refused(issuer, mint(issuer), f"https://{n}.example")
        refused(issuer, f"a.b.{n}")
    assert len(issuer._remembered) == 0


async def test_a_retired_key_ends_the_memory_of_its_tokens(
    issuer: BuiltinIssuer, ring: KeyRing
) -> None:
    token = issuer.mint(replace(make_grant()), SCOPES, NOW + 86400).value
    issuer.verify(token, RESOURCE, NOW + 1)
    await ring.rotate(NOW, at_once=True)
    await ring.refresh(NOW + 3661)
    assert refused(issuer, token, now=NOW + 3661) is Reason.TOKEN_KEY_UNKNOWN


async def test_a_rotation_made_elsewhere_is_seen_after_a_refresh(
    issuer: BuiltinIssuer, ring: KeyRing, store: SqliteStore
) -> None:
    elsewhere = await loaded_ring(store)
    await elsewhere.rotate(NOW, at_once=True)
    await elsewhere.refresh(NOW)
    token = BuiltinIssuer(ISSUER, elsewhere).mint(make_grant(), SCOPES, NOW).value
    before = issuer.jwks()
    assert refused(issuer, token) is Reason.TOKEN_KEY_UNKNOWN
    await issuer.refresh_keys()
    assert issuer.verify(token, RESOURCE, NOW)
    assert issuer.jwks() != before


async def test_made_up_key_names_cost_one_reading_a_second(
    issuer: BuiltinIssuer, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = 0
    refresh = ring.refresh

    async def counted(now: int) -> bool:
        nonlocal readings
        readings += 1
        await asyncio.sleep(0)
        return await refresh(now)

    monkeypatch.setattr(ring, "refresh", counted)
    await asyncio.gather(*(issuer.refresh_keys(at_most_every=60.0) for _ in range(500)))
    assert readings == 1
    await issuer.refresh_keys()  # what is not caused by strangers is always done
    assert readings == 2


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_nothing_but_a_refusal_comes_out(
    issuer: BuiltinIssuer, ring: KeyRing, data: st.DataObject
) -> None:
    """Whatever a token is, and whatever claims our own key may have signed."""
    value = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    value = value | st.lists(value, max_size=2)
    names = ("iss", "sub", "aud", "client_id", "scope", "iat", "exp", "jti", "gid", "nbf")
    changes = data.draw(st.dictionaries(st.sampled_from(names), value, max_size=3))
    good = json.loads(claims_with())
    for token in (
        ring.sign(json.dumps({**good, **changes}).encode("utf-8", "replace"), NOW),
        data.draw(st.text(max_size=40)),
    ):
        for check in (lambda t: issuer.verify(t, RESOURCE, NOW), issuer.verify_any_time):
            with contextlib.suppress(Refusal):
                assert check(token).sub

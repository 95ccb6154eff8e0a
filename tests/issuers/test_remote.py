"""An authgate elsewhere: which of its tokens are taken, how often it is asked, and what an outage
costs. The tokens are real ones, of a builtin issuer; only the wire between the two is played.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any

import orjson
import pytest

from authgate.fetch import Answer, Call, FetchFailed, Kind
from authgate.issuers.builtin import BuiltinIssuer
from authgate.issuers.remote import (
    INTROSPECTION_PATH,
    JWKS_PATH,
    LOOK_AGAIN,
    LOOK_EVERY,
    Introspection,
    RemoteIssuer,
)
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.tokens_elsewhere import LEEWAY
from authgate.security.compact import b64encode
from authgate.security.keys import KeyRing
from authgate.store.sqlite import SqliteStore
from tests.clauses import clause
from tests.issuers.abroad import JSON, Clock
from tests.security.making import ISSUER, NOW, RESOURCE, loaded_ring, make_grant

SECRET = "a secret & a half"


class Wire:
    """In the place of `Fetch`: the issuer's documents, every call kept, a door to hold them at."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self.calls: list[Call] = []
        self.down: FetchFailed | None = None
        self.said: Answer = Answer(200, JSON, {"active": True})
        self.door = asyncio.Event()
        self.door.set()

    async def json(self, call: Call) -> Answer:
        self.calls.append(call)
        await self.door.wait()
        if self.down is not None:
            raise self.down
        if call.url == ISSUER + JWKS_PATH:
            return Answer(200, JSON, orjson.loads(self.ring.jwks()))
        assert call.url == ISSUER + INTROSPECTION_PATH
        return self.said

    def asked(self, path: str) -> int:
        return sum(call.url == ISSUER + path for call in self.calls)


@pytest.fixture
async def ring(store: SqliteStore) -> KeyRing:
    return await loaded_ring(store)


@pytest.fixture
def builtin(ring: KeyRing) -> BuiltinIssuer:
    return BuiltinIssuer(ISSUER, ring, clock=lambda: NOW)


@pytest.fixture
def wire(ring: KeyRing) -> Wire:
    return Wire(ring)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def remote(wire: Any, clock: Clock, introspection: Introspection | None = None) -> RemoteIssuer:
    return RemoteIssuer(ISSUER, wire, introspection=introspection, monotonic=clock)


def mint(builtin: BuiltinIssuer, **changes: str) -> str:
    return builtin.mint(make_grant(**changes), ("mcp:use",), NOW).value


async def refused(
    issuer: RemoteIssuer, token: str, resource: str = RESOURCE, now: int = NOW
) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await issuer.check(token, resource, now)
    return caught.value


# --- which tokens ---------------------------------------------------------------------------------


async def test_a_token_of_the_issuer_for_us_is_good(
    builtin: BuiltinIssuer, wire: Wire, clock: Clock
) -> None:
    claims = await remote(wire, clock).check(mint(builtin), RESOURCE, NOW)
    assert (claims.audience, claims.scopes) == (RESOURCE, ("mcp:use",))
    assert claims.sub == make_grant().person.sub


@clause("RFC 9068", "4")
@pytest.mark.parametrize("known", [False, True])
async def test_audience_and_time_are_judged_on_every_call(
    builtin: BuiltinIssuer, wire: Wire, clock: Clock, known: bool
) -> None:
    issuer, token = remote(wire, clock), mint(builtin)
    if known:
        await issuer.check(token, RESOURCE, NOW)
    for other in (RESOURCE + "/", RESOURCE.removesuffix("/mcp"), "https://other.example/mcp"):
        assert (await refused(issuer, token, other)).reason is Reason.TOKEN_AUDIENCE
    ends = NOW + 3600 + LEEWAY
    await issuer.check(token, RESOURCE, ends - 1)
    assert (await refused(issuer, token, now=ends)).reason is Reason.TOKEN_EXPIRED
    assert (await refused(issuer, token, now=ends)).reason is Reason.TOKEN_EXPIRED


@clause("RFC 8414", "3.3")
async def test_a_slash_more_is_another_issuer(ring: KeyRing, wire: Wire, clock: Clock) -> None:
    token = mint(BuiltinIssuer(ISSUER + "/", ring, clock=lambda: NOW))
    assert (await refused(remote(wire, clock), token)).reason is Reason.TOKEN_ISSUER


def forged(token: str, header: dict[str, object], signature: bytes) -> str:
    _, body, _ = token.encode().split(b".")
    head = b64encode(orjson.dumps(header))
    return (head + b"." + body + b"." + b64encode(signature)).decode()


@clause("RFC 8725", "3.1")
async def test_the_algorithm_is_the_keys_and_never_the_tokens(
    builtin: BuiltinIssuer, ring: KeyRing, wire: Wire, clock: Clock
) -> None:
    issuer, token = remote(wire, clock), mint(builtin)
    await issuer.refresh_keys()
    jwk = orjson.loads(ring.jwks())["keys"][0]
    good = {"typ": "at+jwt", "kid": jwk["kid"], "alg": "ES256"}
    mac = hmac.digest(orjson.dumps(jwk), b"x", hashlib.sha256)
    none, others = {"alg": "none"}, ({"alg": "HS256"}, {"alg": "RS256"}, {"jwk": jwk}, {"crit": []})
    for changes in (none, *others):
        bad = forged(token, {**good, **changes}, b"" if changes is none else mac)
        assert (await refused(issuer, bad)).reason is Reason.TOKEN_SIGNATURE, changes


@clause("RFC 9068", "4")
async def test_only_access_tokens_are(ring: KeyRing, wire: Wire, clock: Clock) -> None:
    other = ring.sign_as("authgate-upstream+jwt", b"{}", NOW)
    assert (await refused(remote(wire, clock), other)).reason is Reason.TOKEN_TYPE


@pytest.mark.parametrize("nonsense", ["", "a", "a.b", "a.b.c", "é.é.é", "x" * 9000, "." * 3])
async def test_nonsense_is_refused_and_costs_no_request(
    wire: Wire, clock: Clock, nonsense: str
) -> None:
    assert (await refused(remote(wire, clock), nonsense)).reason is Reason.TOKEN_MALFORMED
    assert wire.calls == []


# --- how often the issuer is asked ----------------------------------------------------------------


async def test_the_keys_are_fetched_once_for_all_calls_and_again_beside_them(
    builtin: BuiltinIssuer, wire: Wire, clock: Clock
) -> None:
    issuer, token = remote(wire, clock), mint(builtin)
    wire.door.clear()
    crowd = [asyncio.create_task(issuer.check(token, RESOURCE, NOW)) for _ in range(20)]
    await asyncio.sleep(0)
    wire.door.set()
    await asyncio.gather(*crowd)
    assert wire.asked(JWKS_PATH) == 1

    clock.now += LOOK_EVERY - 1
    await issuer.check(token, RESOURCE, NOW)
    assert wire.asked(JWKS_PATH) == 1
    clock.now += 1
    wire.door.clear()
    async with asyncio.timeout(1):  # the look is held at the door, and the calls are not
        await issuer.check(token, RESOURCE, NOW)
        await issuer.check(token, RESOURCE, NOW)
    await asyncio.sleep(0)
    assert wire.asked(JWKS_PATH) == 2
    await issuer.close()


async def test_a_new_key_is_seen_at_once(
    builtin: BuiltinIssuer, ring: KeyRing, wire: Wire, clock: Clock
) -> None:
    issuer = remote(wire, clock)
    await issuer.check(mint(builtin), RESOURCE, NOW)
    await ring.rotate(NOW, at_once=True)
    await ring.refresh(NOW)
    clock.now += LOOK_AGAIN
    await issuer.check(mint(builtin), RESOURCE, NOW)
    assert wire.asked(JWKS_PATH) == 2


async def test_a_withdrawn_key_ends_what_it_signed(
    builtin: BuiltinIssuer, ring: KeyRing, wire: Wire, clock: Clock
) -> None:
    issuer, token = remote(wire, clock), mint(builtin)
    await issuer.check(token, RESOURCE, NOW)
    await ring.rotate(NOW, at_once=True)
    await ring.refresh(NOW)
    await issuer.refresh_keys()
    assert (await refused(issuer, token)).reason is Reason.TOKEN_KEY_UNKNOWN


async def test_made_up_key_names_cost_one_request_a_second(
    builtin: BuiltinIssuer, wire: Wire, clock: Clock
) -> None:
    issuer, token = remote(wire, clock), mint(builtin)
    await issuer.check(token, RESOURCE, NOW)
    clock.now += LOOK_AGAIN
    for number in range(50):
        header = {"typ": "at+jwt", "kid": f"made up {number}", "alg": "ES256"}
        reason = (await refused(issuer, forged(token, header, b"s" * 64))).reason
        assert reason is Reason.TOKEN_KEY_UNKNOWN
    assert wire.asked(JWKS_PATH) == 2


# --- outages --------------------------------------------------------------------------------------


async def test_nobody_is_called_a_stranger_while_the_keys_cannot_be_had(
    builtin: BuiltinIssuer, wire: Wire, clock: Clock
) -> None:
    issuer, token = remote(wire, clock), mint(builtin)
    wire.down = FetchFailed(Kind.UNREACHABLE)
    refusal = await refused(issuer, token)
    assert (refusal.face.status, refusal.retry_after) == (503, 5)
    wire.down = None
    clock.now += LOOK_AGAIN
    await issuer.check(token, RESOURCE, NOW)
    wire.down = FetchFailed(Kind.TIMEOUT)
    clock.now += LOOK_EVERY
    await issuer.check(token, RESOURCE, NOW)  # the keys of before serve
    await issuer.close()


@clause("RFC 7662", "2.1")
async def test_every_call_asks_with_the_credentials_of_the_resource_server(
    builtin: BuiltinIssuer, wire: Wire, clock: Clock
) -> None:
    issuer = remote(wire, clock, Introspection("client_weather", SECRET))
    token = mint(builtin)
    for _ in range(3):
        await issuer.check(token, RESOURCE, NOW)
    asked = [call for call in wire.calls if call.url == ISSUER + INTROSPECTION_PATH]
    assert len(asked) == 3
    assert asked[0].form == {"token": token}
    # RFC 6749 section 2.3.1: form-encoded, and then put together
    assert asked[0].headers["Authorization"].startswith("Basic Y2xpZW50X3dlYXRoZXI6YStzZWNyZXQrJT")
    assert SECRET not in repr(issuer.__dict__) + repr(asked[0])


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (Answer(200, JSON, {"active": False}), 401),
        (Answer(401, JSON, {"error": "invalid_client"}), 503),
        (Answer(200, JSON, {"active": "yes"}), 503),
        (Answer(200, JSON, []), 503),
        (Answer(500, JSON, None), 503),
        (FetchFailed(Kind.TIMEOUT), 503),
    ],
)
async def test_what_the_issuer_does_not_stand_by_is_refused(
    builtin: BuiltinIssuer, wire: Wire, clock: Clock, said: Answer | FetchFailed, status: int
) -> None:
    issuer = remote(wire, clock, Introspection("client_weather", SECRET))
    token = mint(builtin)
    await issuer.check(token, RESOURCE, NOW)
    if isinstance(said, Answer):
        wire.said = said
    else:
        wire.down = said
    refusal = await refused(issuer, token)
    assert refusal.face.status == status
    assert (refusal.reason is Reason.TOKEN_ENDED) is (status == 401)


async def test_a_bad_token_is_not_asked_about(
    builtin: BuiltinIssuer, wire: Wire, clock: Clock
) -> None:
    issuer = remote(wire, clock, Introspection("client_weather", SECRET))
    await refused(issuer, mint(builtin), "https://other.example/mcp")
    assert wire.asked(INTROSPECTION_PATH) == 0

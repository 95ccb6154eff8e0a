"""AuthKit's keys and metadata: looked for when needed and not more often, believed in an outage."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from authgate.fetch import FetchFailed, Kind
from authgate.issuers.authkit import AuthkitIssuer
from authgate.issuers.authkit.issuer import LOOK_AGAIN
from authgate.issuers.authkit.keys import read_keys
from authgate.issuers.documents import STALE, Trouble
from authgate.issuers.jwks import MAX_KEYS
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.security.compact import decode_segment
from tests.clauses import clause
from tests.issuers.abroad import (
    DOMAIN,
    NOW,
    RESOURCE,
    Clock,
    Key,
    Net,
    claims,
    issuer_at,
    metadata,
)

JWKS, METADATA = "/oauth2/jwks", "/.well-known/oauth-authorization-server"
DOWN = FetchFailed(Kind.UNREACHABLE)


@pytest.fixture(scope="module")
def keys() -> list[Key]:
    return [Key("key_1"), Key("key_2")]


@pytest.fixture
def net(keys: list[Key]) -> Net:
    return Net(keys[0])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def issuer(net: Net, clock: Clock) -> AuthkitIssuer:
    made = issuer_at(net, clock)
    await made.refresh_keys()
    net.calls.clear()
    return made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    lines: list[tuple[str, dict[str, Any]]] = []
    for level in ("info", "warning", "error"):
        monkeypatch.setattr(log, level, lambda event, **fields: lines.append((event, fields)))
    return lines


def reason(issuer: AuthkitIssuer, token: str) -> Reason:
    with pytest.raises(Refusal) as caught:
        issuer.verify(token, RESOURCE, NOW)
    return caught.value.reason


# --- keys -----------------------------------------------------------------------------------------


async def test_a_rotation_is_seen_at_the_first_token_of_the_new_key(
    issuer: AuthkitIssuer, net: Net, clock: Clock, keys: list[Key]
) -> None:
    token = keys[1].sign(claims())
    net.publish(*keys)
    assert reason(issuer, token) is Reason.TOKEN_KEY_UNKNOWN
    clock.now += 2
    await issuer.refresh_keys(at_most_every=1.0)
    assert issuer.verify(token, RESOURCE, NOW)
    assert issuer.verify(keys[0].sign(claims()), RESOURCE, NOW)


async def test_a_withdrawn_key_ends_what_it_signed_remembered_or_not(
    issuer: AuthkitIssuer, net: Net, keys: list[Key]
) -> None:
    token = keys[0].sign(claims())
    issuer.verify(token, RESOURCE, NOW)
    net.publish(keys[1])
    await issuer.refresh_keys()
    assert reason(issuer, token) is Reason.TOKEN_KEY_UNKNOWN


async def test_the_same_keys_again_keep_the_memory(
    issuer: AuthkitIssuer, net: Net, keys: list[Key]
) -> None:
    issuer.verify(keys[0].sign(claims()), RESOURCE, NOW)
    net.publish(keys[0])
    await issuer.refresh_keys()
    issuer.verify(keys[0].sign(claims(jti="2")), RESOURCE, NOW)
    assert len(issuer._remembered) == 2


async def test_made_up_names_cost_one_look_a_second(
    issuer: AuthkitIssuer, net: Net, clock: Clock
) -> None:
    for tenth in range(50):
        clock.now += 0.1
        await asyncio.gather(*(issuer.refresh_keys(at_most_every=1.0) for _ in range(20)))
        assert net.asked(JWKS) <= 1 + tenth // 9
    assert net.asked(JWKS) >= 4


async def test_a_crowd_waits_for_one_look(
    issuer: AuthkitIssuer, net: Net, clock: Clock, keys: list[Key]
) -> None:
    net.publish(*keys)
    net.door.clear()
    clock.now += 2
    crowd = [asyncio.create_task(issuer.refresh_keys(at_most_every=1.0)) for _ in range(100)]
    await asyncio.sleep(0.01)
    assert net.asked(JWKS) == 1
    net.door.set()
    await asyncio.gather(*crowd)
    assert net.asked(JWKS) == 1
    assert issuer.verify(keys[1].sign(claims()), RESOURCE, NOW)


async def test_one_that_leaves_the_crowd_takes_nothing_with_it(
    issuer: AuthkitIssuer, net: Net, clock: Clock
) -> None:
    net.door.clear()
    clock.now += 2
    first, second = (asyncio.create_task(issuer.refresh_keys(at_most_every=1.0)) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    net.door.set()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert net.asked(JWKS) == 2  # the second looked itself: the first saw no answer


async def test_an_outage_keeps_the_keys_and_is_told(
    issuer: AuthkitIssuer,
    net: Net,
    clock: Clock,
    keys: list[Key],
    told: list[tuple[str, dict[str, Any]]],
) -> None:
    token = keys[0].sign(claims())
    net.fail(JWKS, DOWN)
    for _ in range(30):  # half a minute
        clock.now += 1
        with pytest.raises(Refusal) as caught:
            await issuer.refresh_keys(at_most_every=0.5)
        assert caught.value.reason is Reason.ISSUER_UNAVAILABLE
        assert caught.value.retry_after
        assert issuer.verify(token, RESOURCE, NOW)
    assert [event for event, _ in told] == ["authkit.unreachable"]
    assert told[0][1]["earlier_one_serves"] is True
    clock.now += 60
    with pytest.raises(Refusal):
        await issuer.refresh_keys()
    assert len(told) == 2
    net.publish(keys[0])
    await issuer.refresh_keys()
    assert told[-1][0] == "authkit.reached_again"


async def test_an_unknown_key_in_an_outage_is_no_bad_token(
    issuer: AuthkitIssuer, net: Net, clock: Clock, keys: list[Key]
) -> None:
    """It may be the new one: a client that heard 401 would throw its token away."""
    net.fail(JWKS, DOWN)
    clock.now += 2
    assert reason(issuer, keys[1].sign(claims())) is Reason.TOKEN_KEY_UNKNOWN
    for _ in range(2):  # the second time without asking
        with pytest.raises(Refusal) as caught:
            await issuer.refresh_keys(at_most_every=1.0)
        assert caught.value.face.status == 503
    assert net.asked(JWKS) == 1


async def test_an_outage_does_not_keep_a_key_for_ever(
    issuer: AuthkitIssuer, net: Net, clock: Clock, keys: list[Key]
) -> None:
    token = keys[0].sign(claims())
    issuer.verify(token, RESOURCE, NOW)
    net.fail(JWKS, DOWN)
    clock.now += STALE
    assert reason(issuer, token) is Reason.TOKEN_KEY_UNKNOWN


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"keys": []}, 200, "application/json"),
        ({"keys": "none"}, 200, "application/json"),
        ({}, 200, "application/json"),
        (["keys"], 200, "application/json"),
        (None, 200, "application/json"),
        ({"keys": []}, 200, "text/html"),
        ({"keys": []}, 200, ""),
        ({"error": "x"}, 404, "application/json"),
        ({}, 302, "application/json"),
        ({}, 500, "application/json"),
    ],
)
async def test_what_is_no_key_set_replaces_none(
    issuer: AuthkitIssuer, net: Net, keys: list[Key], body: Any, status: int, kind: str
) -> None:
    net.say(JWKS, body, status, content_type=kind)
    with pytest.raises(Refusal):
        await issuer.refresh_keys()
    assert issuer.verify(keys[0].sign(claims()), RESOURCE, NOW)


@clause("RFC 7517", "5")
def test_only_keys_that_can_verify_get_in(keys: list[Key]) -> None:
    good = keys[0].jwk
    weak = Key("weak", 1024).jwk
    listed: list[Any] = [
        {**good, "kid": "encrypts", "use": "enc"},
        {**good, "kid": "other algorithm", "alg": "PS256"},
        {**good, "kid": "private", "d": "AQAB"},
        {**good, "kid": "small exponent", "e": "Aw"},
        {**good, "kid": "large exponent", "e": "AQAAAAAAAAAB"},
        {**good, "kid": 5},
        {**good, "kid": "k" * 257},
        {**good, "kid": "no modulus", "n": None},
        {**good, "kid": "not base64", "n": "!" * 342},
        {**good, "kid": "too large", "n": "_" * 1399},
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256"},
        {"kty": "EC", "kid": "curve", "crv": "P-256", "x": "AA", "y": "AA"},
        weak,
        "not even an object",
        None,
        {},
    ]
    for jwk in listed:
        with pytest.raises(Trouble):
            read_keys({"keys": [jwk]})
    assert set(read_keys({"keys": [*listed, good]})) == {"key_1"}
    bare = {name: good[name] for name in ("kty", "n", "e", "kid")}
    assert set(read_keys({"keys": [bare]})) == {"key_1"}


def test_the_first_of_two_of_one_name_counts(keys: list[Key]) -> None:
    second = {**keys[1].jwk, "kid": "key_1"}
    token = keys[0].sign(claims())
    signing_input, _, signature = token.rpartition(".")
    key = read_keys({"keys": [keys[0].jwk, second]})["key_1"]
    assert key.verify(signing_input.encode(), decode_segment(signature.encode()))


def test_a_thousand_keys_are_not_read(
    keys: list[Key], told: list[tuple[str, dict[str, Any]]]
) -> None:
    many = [{**keys[0].jwk, "kid": f"key_{number}"} for number in range(1000)]
    assert len(read_keys({"keys": many})) == MAX_KEYS
    assert told[0] == ("authkit.keys_too_many", {"count": 1000, "read": MAX_KEYS})


# --- metadata -------------------------------------------------------------------------------------


async def test_metadata_is_fetched_once_and_kept(issuer: AuthkitIssuer, net: Net) -> None:
    found = [await issuer.metadata() for _ in range(5)]
    assert found[0].token_endpoint == f"{DOMAIN}/oauth2/token"
    assert net.asked(METADATA) == 1
    assert all(one is found[0] for one in found)


async def test_an_outage_serves_the_last_for_a_day(
    issuer: AuthkitIssuer, net: Net, clock: Clock
) -> None:
    await issuer.metadata()
    net.fail(METADATA, DOWN)
    await issuer.report()
    clock.now += STALE - 1
    assert await issuer.metadata()
    clock.now += 1
    with pytest.raises(Refusal) as caught:
        await issuer.metadata()
    assert caught.value.reason is Reason.ISSUER_UNAVAILABLE


async def test_without_metadata_askers_cost_one_look_in_a_while(
    issuer: AuthkitIssuer, net: Net, clock: Clock
) -> None:
    net.fail(METADATA, DOWN)
    for _ in range(10):
        with pytest.raises(Refusal):
            await issuer.metadata()
    assert net.asked(METADATA) == 1
    net.say(METADATA, metadata())
    clock.now += LOOK_AGAIN
    assert await issuer.metadata()


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": DOMAIN + "/"},
        {"issuer": "https://other.authkit.example"},
        {"issuer": ...},
        {"token_endpoint": "https://evil.example/token"},
        {"token_endpoint": DOMAIN + ".evil.example/token"},
        {"token_endpoint": ...},
        {"token_endpoint": DOMAIN + "/a#b"},
        {"authorization_endpoint": DOMAIN + "/a b"},
        {"authorization_endpoint": 5},
        {"registration_endpoint": "http://tenant.authkit.example/r"},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": ...},
        {"padding": "x" * 70_000},
    ],
)
async def test_metadata_that_cannot_be_believed(
    issuer: AuthkitIssuer, net: Net, change: dict[str, Any]
) -> None:
    net.say(METADATA, metadata(**change))
    with pytest.raises(Refusal):
        await issuer.metadata()
    (problem,) = (await issuer.report()).problems
    assert DOMAIN in problem
    assert "WORKOS_AUTHKIT_DOMAIN" in problem


# --- the look at the start ------------------------------------------------------------------------


async def test_the_report_of_an_environment_that_is_set_up(issuer: AuthkitIssuer) -> None:
    report = await issuer.report()
    assert (report.problems, report.notes) == ((), ())


async def test_the_report_says_which_switch(issuer: AuthkitIssuer, net: Net) -> None:
    off = {"registration_endpoint": ..., "client_id_metadata_document_supported": ...}
    net.say(METADATA, metadata(**off))
    notes = (await issuer.report()).notes
    assert "Dynamic Client Registration" in notes[0]
    assert "Client ID Metadata Document" in notes[1]
    assert all("dashboard" in note and note.endswith(".") for note in notes)


async def test_a_page_in_its_way_is_no_metadata(issuer: AuthkitIssuer, net: Net) -> None:
    for kind in ("text/html", "text/plain", "application/jwk-set+json", ""):
        net.say(METADATA, metadata(), content_type=kind)
        await issuer.report()
        with pytest.raises(Refusal):
            await issuer.metadata()


async def test_the_report_of_a_wrong_domain(issuer: AuthkitIssuer, net: Net) -> None:
    net.say(METADATA, {"error": "not found"}, 404)
    net.fail(JWKS, FetchFailed(Kind.NOT_JSON, status=404))
    problems = (await issuer.report()).problems
    assert len(problems) == 2
    assert "status 404" in problems[0]


async def test_the_watch_tells_once_and_outlives_a_bug(
    issuer: AuthkitIssuer,
    net: Net,
    told: list[tuple[str, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("authgate.issuers.authkit.issuer.LOOK_EVERY", 0.001)
    net.say(METADATA, metadata(registration_endpoint=...))
    looks, again = [0], asyncio.Event()
    real = issuer._metadata.refresh

    async def refresh(**options: Any) -> None:
        looks[0] += 1
        if looks[0] == 3:
            raise RuntimeError("a bug")
        if looks[0] == 5:
            again.set()
        await real(**options)

    monkeypatch.setattr(issuer._metadata, "refresh", refresh)
    watch = asyncio.create_task(issuer.watch())
    await asyncio.wait_for(again.wait(), 5)
    watch.cancel()
    events = [event for event, _ in told]
    assert events.count("authkit.note") == 1
    assert ("authkit.watch_broken", {"error": "RuntimeError"}) in told

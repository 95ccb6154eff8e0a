"""AuthKit's tokens: which are taken, which are not, and what is remembered of them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authgate.issuers.authkit import AuthkitIssuer
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.tokens_elsewhere import LEEWAY
from tests.clauses import clause
from tests.issuers.abroad import (
    CLIENT_ID,
    DOMAIN,
    NOW,
    RESOURCE,
    Clock,
    Key,
    Net,
    b64,
    claims,
    issuer_at,
)


@pytest.fixture(scope="module")
def key() -> Key:
    return Key("key_1")


@pytest.fixture(scope="module")
def stranger() -> Key:
    """A key of another set: that of the sessions at api.workos.com, or an attacker's own."""
    return Key("key_of_another_set")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def issuer(key: Key, clock: Clock) -> AuthkitIssuer:
    made = issuer_at(Net(key), clock)
    await made.refresh_keys()
    return made


def refusal(issuer: AuthkitIssuer, token: str, resource: str = RESOURCE, now: int = NOW) -> Refusal:
    with pytest.raises(Refusal) as caught:
        issuer.verify(token, resource, now)
    return caught.value


def refused(issuer: AuthkitIssuer, token: str, resource: str = RESOURCE, now: int = NOW) -> Reason:
    return refusal(issuer, token, resource, now).reason


# --- what is taken --------------------------------------------------------------------------------


@clause("RFC 9068", "4")
async def test_a_token_as_the_documentation_shows_it(issuer: AuthkitIssuer, key: Key) -> None:
    token = key.sign(claims())
    for _ in range(2):  # the second time from memory
        found = issuer.verify(token, RESOURCE, NOW)
        assert found.sub == "ag_" + "p" * 22
        assert (found.client_id, found.grant_id) == ("client_APP", "app_consent_1")
        assert found.scopes == ("openid", "email")
        assert (found.audience, found.expires_at) == (RESOURCE, NOW + 300)


@pytest.mark.parametrize("missing", ["client_id", "sid", "jti", "scope", "iat"])
async def test_what_a_live_token_lacked_may_be_missing(
    issuer: AuthkitIssuer, key: Key, missing: str
) -> None:
    found = issuer.verify(key.sign(claims(**{missing: ...})), RESOURCE, NOW)
    assert found.sub
    assert "" in (found.client_id, found.grant_id, found.jti, " ".join(found.scopes)) or (
        found.issued_at == 0
    )


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", ...])
async def test_the_type_may_be_plain_or_none(issuer: AuthkitIssuer, key: Key, kind: Any) -> None:
    assert issuer.verify(key.sign(claims(), typ=kind), RESOURCE, NOW)


@clause("RFC 7519", "4.1.3")
async def test_a_list_of_one_audience_is_that_audience(issuer: AuthkitIssuer, key: Key) -> None:
    assert issuer.verify(key.sign(claims(aud=[RESOURCE])), RESOURCE, NOW).audience == RESOURCE


# --- the signature and the header -----------------------------------------------------------------


@clause("RFC 8725", "3.1")
async def test_one_algorithm_whatever_the_header_says(issuer: AuthkitIssuer, key: Key) -> None:
    good = key.sign(claims())
    body = good.split(".")[1]
    public = json.dumps(key.jwk).encode()
    for algorithm in ("none", "None", "HS256", "RS512", "PS256", "ES256", "rs256", "", None, 1):
        head = b64(json.dumps({"alg": algorithm, "typ": "JWT", "kid": key.kid}).encode())
        mac = hmac.digest(public, f"{head}.{body}".encode(), hashlib.sha256)
        for signature in (good.split(".")[2], b64(mac), ""):
            assert refused(issuer, f"{head}.{body}.{signature}") is Reason.TOKEN_SIGNATURE
    assert refused(issuer, key.sign(claims(), alg=...)) is Reason.TOKEN_SIGNATURE


@clause("RFC 8725", "3.10")
@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c", "crit"])
async def test_no_header_brings_a_key_of_its_own(
    issuer: AuthkitIssuer, key: Key, stranger: Key, name: str
) -> None:
    value = {"jwk": stranger.jwk, "crit": ["b64"], "x5c": ["MIIB"]}.get(name, "https://x.example/k")
    for signer in (key, stranger):
        token = signer.sign(claims(), kid=key.kid, **{name: value})
        assert refused(issuer, token) is Reason.TOKEN_SIGNATURE


async def test_another_key_under_our_keys_name(
    issuer: AuthkitIssuer, key: Key, stranger: Key
) -> None:
    assert refused(issuer, stranger.sign(claims(), kid=key.kid)) is Reason.TOKEN_SIGNATURE
    assert refused(issuer, stranger.sign(claims())) is Reason.TOKEN_KEY_UNKNOWN


@pytest.mark.parametrize("kid", [..., "", None, 1, ["key_1"], "k" * 257])
async def test_a_token_must_name_its_key(issuer: AuthkitIssuer, key: Key, kid: Any) -> None:
    """And no look is taken for the name of none."""
    assert refused(issuer, key.sign(claims(), kid=kid)) is Reason.TOKEN_SIGNATURE


@pytest.mark.parametrize("kind", ["id_token+jwt", "logout+jwt", "", None, 1, "dpop+jwt"])
async def test_other_types_are_no_access_tokens(issuer: AuthkitIssuer, key: Key, kind: Any) -> None:
    assert refused(issuer, key.sign(claims(), typ=kind)) is Reason.TOKEN_TYPE


async def test_a_changed_byte_anywhere_ends_it(issuer: AuthkitIssuer, key: Key) -> None:
    token = key.sign(claims())
    head, body, signature = token.split(".")
    other = key.sign(claims(sub="user_ROOT")).split(".")[1]
    for bad in (
        f"{head}.{other}.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.",
        f"{head}.{body}",
        token + "A",
        token + "=",
        f"{head}.{body}.{signature}.{signature}",
        "",
        "..",
        "a.b.c",
        "é" + token,
    ):
        assert refused(issuer, bad) in {Reason.TOKEN_SIGNATURE, Reason.TOKEN_MALFORMED}


async def test_a_huge_token_is_not_even_parsed(issuer: AuthkitIssuer, key: Key) -> None:
    token = key.sign(claims(extra="x" * 20_000))
    assert refused(issuer, token) is Reason.TOKEN_MALFORMED


# --- the claims -----------------------------------------------------------------------------------


@clause("RFC 8414", "3.3")
@pytest.mark.parametrize(
    "issued_by",
    [
        DOMAIN + "/",
        DOMAIN.upper(),
        "https://tenant.authkit.example:443",
        "https://api.workos.com",
        "https://api.workos.com/user_management/client_1",
        "",
        ...,
        None,
        [DOMAIN],
    ],
)
async def test_the_issuer_is_compared_exactly_and_named(
    issuer: AuthkitIssuer, key: Key, issued_by: Any
) -> None:
    said = refusal(issuer, key.sign(claims(iss=issued_by)))
    assert said.reason is Reason.TOKEN_ISSUER_ELSEWHERE
    assert DOMAIN in said.sentence
    if isinstance(issued_by, str) and issued_by:
        assert issued_by in said.sentence
    assert "WORKOS_AUTHKIT_DOMAIN" in said.hint


async def test_a_session_token_of_user_management_costs_no_look(
    key: Key, stranger: Key, clock: Clock
) -> None:
    """Signed with the keys of api.workos.com/sso/jwks, and without an audience."""
    net = Net(key)
    issuer = issuer_at(net, clock)
    await issuer.refresh_keys()
    token = stranger.sign(claims(iss="https://api.workos.com", aud=..., sid="session_1"))
    assert refused(issuer, token) is Reason.TOKEN_ISSUER_ELSEWHERE
    # even one that claims to be AuthKit's has no key there
    assert refused(issuer, stranger.sign(claims(aud=...))) is Reason.TOKEN_KEY_UNKNOWN
    assert net.asked("/oauth2/jwks") == 1


@clause("RFC 8707", "2")
@pytest.mark.parametrize(
    "audience",
    [
        RESOURCE + "/",
        RESOURCE[:-1],
        RESOURCE.upper(),
        RESOURCE + "?a=b",
        "https://other.example/mcp",
        CLIENT_ID,
        [RESOURCE, "https://other.example/mcp"],
        [RESOURCE, CLIENT_ID],
        [RESOURCE, RESOURCE],
        ["https://other.example/mcp"],
        [[RESOURCE]],
        [],
        {RESOURCE: True},
        1,
        None,
        "",
        ...,
    ],
)
async def test_the_audience_is_exactly_one_and_us(
    issuer: AuthkitIssuer, key: Key, audience: Any
) -> None:
    said = refusal(issuer, key.sign(claims(aud=audience)))
    assert said.reason is Reason.TOKEN_AUDIENCE_ELSEWHERE
    assert f"this server is {RESOURCE}" in said.sentence
    if isinstance(audience, str) and audience:
        assert audience in said.sentence
    assert "resource indicator" in said.hint
    assert "dashboard" in said.hint


async def test_what_came_is_told_printably_and_cut(issuer: AuthkitIssuer, key: Key) -> None:
    said = refusal(issuer, key.sign(claims(aud='x"\r\n\x1b[31m\\é' + "y" * 500)))
    assert said.reason is Reason.TOKEN_AUDIENCE_ELSEWHERE
    assert said.sentence.isascii()
    assert said.sentence.isprintable()
    assert '"' not in said.sentence
    assert len(said.sentence) < 400


async def test_the_client_id_as_audience_only_by_decision(key: Key, clock: Clock) -> None:
    token = key.sign(claims(aud=CLIENT_ID))
    strict, open_ = (
        issuer_at(Net(key), clock),
        issuer_at(Net(key), clock, client_audience=CLIENT_ID),
    )
    for issuer in (strict, open_):
        await issuer.refresh_keys()
    said = refusal(strict, token)
    assert CLIENT_ID in said.sentence
    assert "AUTHGATE_ACCEPT_CLIENT_ID_AUDIENCE" in said.hint
    for _ in range(2):
        assert open_.verify(token, RESOURCE, NOW).audience == CLIENT_ID
    assert open_.verify(key.sign(claims()), RESOURCE, NOW)
    other = key.sign(claims(aud="client_SOMEBODY_ELSE"))
    assert refused(open_, other) is Reason.TOKEN_AUDIENCE_ELSEWHERE
    both = key.sign(claims(aud=[CLIENT_ID, RESOURCE]))
    assert refused(open_, both) is Reason.TOKEN_AUDIENCE_ELSEWHERE


@pytest.mark.parametrize("mark", ["nonce", "at_hash", "c_hash"])
async def test_an_id_token_is_no_access_token(key: Key, clock: Clock, mark: str) -> None:
    issuer = issuer_at(Net(key), clock, client_audience=CLIENT_ID)
    await issuer.refresh_keys()
    token = key.sign(claims(aud=CLIENT_ID, **{mark: "x"}))
    assert refused(issuer, token) is Reason.TOKEN_TYPE


@pytest.mark.parametrize(
    "change",
    [
        {"sub": ...}, {"sub": ""}, {"sub": 1}, {"sub": None}, {"sub": ["ag_x"]},
        {"exp": ...}, {"exp": "1900000000"}, {"exp": True}, {"exp": None}, {"exp": 1.9e9},
        {"nbf": "soon"}, {"nbf": True}, {"nbf": NOW + LEEWAY + 1},
        {"scope": ["openid"]}, {"client_id": 1}, {"sid": {}}, {"jti": 5},
    ],
)  # fmt: skip
async def test_claims_of_another_shape(issuer: AuthkitIssuer, key: Key, change: Any) -> None:
    assert refused(issuer, key.sign(claims(**change))) is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize("seen_before", [False, True])
async def test_the_clock_has_a_small_leeway_and_no_more(
    issuer: AuthkitIssuer, key: Key, seen_before: bool
) -> None:
    token = key.sign(claims())
    if seen_before:
        issuer.verify(token, RESOURCE, NOW)
    assert issuer.verify(token, RESOURCE, NOW + 300 + LEEWAY - 1)
    assert refused(issuer, token, now=NOW + 300 + LEEWAY) is Reason.TOKEN_EXPIRED
    assert refused(issuer, token, now=NOW + 99_999) is Reason.TOKEN_EXPIRED
    assert issuer.verify(key.sign(claims(nbf=NOW + LEEWAY)), RESOURCE, NOW)


@given(payload=st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
))  # fmt: skip
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_nothing_that_is_signed_breaks_it(key: Key, payload: Any) -> None:
    """Whatever a JWT template of the operator's adds, a claim is judged or ignored."""
    issuer = issuer_at(Net(key), Clock())
    asyncio.run(issuer.refresh_keys())
    for name in ("iss", "aud", "sub", "exp", "nbf", "scope", "sid", "extra"):
        with contextlib.suppress(Refusal):
            issuer.verify(key.sign(claims(**{name: payload})), RESOURCE, NOW)
        with contextlib.suppress(Refusal):
            issuer.verify(key.sign(claims(), **{name: payload}), RESOURCE, NOW)


# --- memory ---------------------------------------------------------------------------------------


async def test_a_token_is_verified_once(
    issuer: AuthkitIssuer, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = key.sign(claims())
    issuer.verify(token, RESOURCE, NOW)
    monkeypatch.setattr(issuer, "_signed", None)
    assert issuer.verify(token, RESOURCE, NOW)
    assert refused(issuer, token, RESOURCE + "/x") is Reason.TOKEN_AUDIENCE_ELSEWHERE


async def test_the_memory_is_bounded_and_holds_no_token(key: Key, clock: Clock) -> None:
    issuer = issuer_at(Net(key), clock, max_remembered=5)
    await issuer.refresh_keys()
    tokens = [key.sign(claims(jti=str(n))) for n in range(8)]
    for token in tokens:
        issuer.verify(token, RESOURCE, NOW)
    assert len(issuer._remembered) == 5
    assert tokens[-1] not in repr(issuer._remembered)
    with pytest.raises(Refusal):
        issuer.verify(tokens[-1][:-4] + "AAAA", RESOURCE, NOW)
    assert len(issuer._remembered) == 5


async def test_a_token_that_has_a_beginning_is_judged_anew(issuer: AuthkitIssuer, key: Key) -> None:
    token = key.sign(claims(nbf=NOW))
    issuer.verify(token, RESOURCE, NOW)
    assert len(issuer._remembered) == 0
    assert refused(issuer, token, now=NOW - LEEWAY - 1) is Reason.TOKEN_MALFORMED

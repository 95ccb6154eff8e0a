"""Access tokens: what is in them, what makes one good, and how a resource asks for one."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import Grant
from authgate.protocol.tokens import (
    MAX_TOKEN_LENGTH,
    Challenger,
    access_claims,
    bearer_token,
    check_audience,
    check_claims,
    check_grant,
    check_header,
    check_scope,
)
from tests.clauses import clause
from tests.protocol.making import (
    ISSUER,
    NOW,
    OTHER_RESOURCE,
    RESOURCE,
    a_grant,
    refused,
    result_of,
)

ALLOWED = ("ES256", "RS256")
CLAIMS = access_claims(a_grant(), ("mcp:use",), issuer=ISSUER, now=NOW, ttl=3600, jti="j1")


def check(changes: dict[str, object], now: int = NOW, **options: Any) -> None:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}
    check_claims(claims, **{"issuer": ISSUER, "resource": RESOURCE, "now": now, **options})


# --- what is in one -------------------------------------------------------------------------------


@clause("RFC 9068", "2.2")
def test_the_claims_of_an_access_token() -> None:
    assert CLAIMS == {
        "iss": ISSUER,
        "sub": "ag_person",
        "aud": RESOURCE,
        "client_id": "client_app",
        "scope": "mcp:use",
        "iat": NOW,
        "exp": NOW + 3600,
        "jti": "j1",
        "gid": "grant_1",
        "auth_time": NOW - 5,
    }


@clause("RFC 9068", "3")
def test_the_audience_is_the_granted_resource_and_one_string() -> None:
    claims = access_claims(
        a_grant(resource=OTHER_RESOURCE), (), issuer=ISSUER, now=NOW, ttl=1, jti="j"
    )
    assert claims["aud"] == OTHER_RESOURCE


@clause("RFC 9068", "2.2.1")
def test_nobody_is_named_by_an_email_address() -> None:
    assert "example.com" not in str({**CLAIMS, "iss": "", "aud": ""})


# --- the header -----------------------------------------------------------------------------------


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT", "Application/At+Jwt"])
@pytest.mark.parametrize("allowed", [ALLOWED, frozenset(ALLOWED), dict.fromkeys(ALLOWED)])
@clause("RFC 9068", "4")
def test_our_header_is_accepted(typ: str, allowed: Any) -> None:
    check_header({"alg": "ES256", "typ": typ, "kid": "k"}, allowed)


@pytest.mark.parametrize(
    "alg",
    [
        *("none", "None", "NONE", "", "HS256", "es256", "ES384", "PS256", "EdDSA", None, ...),
        *([], ["ES256"], {"ES256": 1}, 256, True),
    ],
)
@clause("RFC 8725", "3.1")
def test_only_allowed_algorithms_pass(alg: object) -> None:
    header = {"typ": "at+jwt", **({} if alg is ... else {"alg": alg})}
    for allowed in (ALLOWED, frozenset(ALLOWED)):
        with refused(Reason.TOKEN_SIGNATURE):
            check_header(header, allowed)


@pytest.mark.parametrize("name", ["crit", "jwk", "jku", "x5u", "x5c"])
@pytest.mark.parametrize("value", ["https://evil.example", {}, [], None, ["exp"]])
@clause("RFC 8725", "3.10")
def test_a_header_that_brings_a_key_or_something_critical_is_refused(
    name: str, value: object
) -> None:
    with refused(Reason.TOKEN_SIGNATURE):
        check_header({"alg": "ES256", "typ": "at+jwt", name: value}, ALLOWED)


@pytest.mark.parametrize(
    "typ",
    [None, "", "JWT", "jwt", "at", "at+jwt ", "id+jwt", "dpop+jwt", "oauth-id-jag+jwt", 5, []],
)
@clause("RFC 9068", "4")
def test_another_type_is_no_access_token(typ: object) -> None:
    with refused(Reason.TOKEN_TYPE) as caught:
        check_header({"alg": "ES256", "typ": typ}, ALLOWED)
    assert caught.value.code == "invalid_token"
    assert caught.value.face.status == 401


# --- the claims -----------------------------------------------------------------------------------


@clause("RFC 9068", "4")
def test_a_good_token_passes_until_its_last_second() -> None:
    check({})
    check({}, now=NOW + 3599)
    check({"nbf": NOW})
    check({"scope": ...})
    check({"aud": OTHER_RESOURCE}, resource=None)
    check({"exp": NOW - 9}, check_time=False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        *(
            ({name: bad}, Reason.TOKEN_MALFORMED)
            for name in ("iss", "sub", "client_id", "jti", "gid")
            for bad in (..., None, "", 5, [], ["x"], {}, True)
        ),
        *(
            ({name: bad}, Reason.TOKEN_MALFORMED)
            for name in ("exp", "iat")
            for bad in (..., None, "", str(NOW + 9), NOW + 9.5, [], True, float("inf"))
        ),
        *(({"nbf": bad}, Reason.TOKEN_MALFORMED) for bad in ("", str(NOW), 0.5, [], True)),
        ({"nbf": NOW + 1}, Reason.TOKEN_MALFORMED),
        ({"iss": ISSUER + "/"}, Reason.TOKEN_ISSUER),
        ({"iss": ISSUER.upper()}, Reason.TOKEN_ISSUER),
        ({"iss": "https://evil.example"}, Reason.TOKEN_ISSUER),
        ({"exp": NOW}, Reason.TOKEN_EXPIRED),
        ({"exp": NOW - 1}, Reason.TOKEN_EXPIRED),
        ({"exp": -(10**30)}, Reason.TOKEN_EXPIRED),
        *(({"aud": bad}, Reason.TOKEN_AUDIENCE) for bad in (..., None, "", 5, {}, True, [])),
        ({"aud": [RESOURCE]}, Reason.TOKEN_AUDIENCE),
        ({"aud": [RESOURCE, OTHER_RESOURCE]}, Reason.TOKEN_AUDIENCE),
        ({"aud": OTHER_RESOURCE}, Reason.TOKEN_AUDIENCE),
        ({"aud": RESOURCE + "/"}, Reason.TOKEN_AUDIENCE),
        ({"aud": RESOURCE.upper()}, Reason.TOKEN_AUDIENCE),
        ({"aud": ISSUER}, Reason.TOKEN_AUDIENCE),
    ],
    ids=ascii,
)
@clause("RFC 9068", "4")
def test_any_claim_amiss_makes_the_token_invalid(
    changes: dict[str, object], reason: Reason
) -> None:
    with refused(reason) as caught:
        check(changes)
    assert caught.value.code == "invalid_token"
    assert caught.value.face.status == 401


@clause("RFC 9068", "4")
def test_without_looking_at_the_clock_everything_else_still_counts() -> None:
    for changes in ({"iss": "x"}, {"aud": []}, {"exp": "soon"}, {"nbf": "x"}):
        assert isinstance(
            result_of(lambda c=changes: check(c, check_time=False, resource=None)), Refusal
        )


@clause("RFC 8707", "2")
def test_a_foreign_audience_is_told_which_resource_to_ask_for() -> None:
    with refused(Reason.TOKEN_AUDIENCE) as caught:
        check_audience(OTHER_RESOURCE, RESOURCE)
    assert RESOURCE in caught.value.hint


@pytest.mark.parametrize("audience", [None, "", 5, [], [RESOURCE], {}, True])
@clause("RFC 8707", "2")
def test_even_where_any_audience_will_do_there_is_exactly_one(audience: object) -> None:
    with refused(Reason.TOKEN_AUDIENCE):
        check_audience(audience, None)
    check_audience(OTHER_RESOURCE, None)


ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(st.dictionaries(st.sampled_from([*CLAIMS, "nbf"]), ANY))
@clause("RFC 9068", "4")
def test_any_claims_pass_or_are_invalid_token(changes: dict[str, object]) -> None:
    outcome = result_of(lambda: check(changes))
    assert outcome is None or outcome.code == "invalid_token"


@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "x"]), ANY))
@clause("RFC 8725", "3.1")
def test_any_header_passes_or_is_invalid_token(header: dict[str, object]) -> None:
    outcome = result_of(lambda: check_header(header, frozenset(ALLOWED)))
    if outcome is None:
        assert header["alg"] in ALLOWED
        assert str(header["typ"]).lower().endswith("at+jwt")
    else:
        assert outcome.code == "invalid_token"


# --- on the wire ----------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER abc", "Bearer   abc  "])
@clause("RFC 9110", "11.1")
def test_the_scheme_is_read_in_any_case(header: str) -> None:
    assert bearer_token(header) == "abc"


@clause("RFC 6750", "2.1")
def test_a_token_may_be_long_but_not_endless() -> None:
    assert bearer_token("Bearer " + "a" * MAX_TOKEN_LENGTH) == "a" * MAX_TOKEN_LENGTH


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearerabc", "DPoP abc", "abc", " "])
@clause("RFC 6750", "3")
def test_without_a_bearer_token_no_error_is_named(header: str | None) -> None:
    with refused(Reason.TOKEN_MISSING) as caught:
        bearer_token(header)
    assert caught.value.face.status == 401


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer a b", "Bearer ü", "Bearer " + "a" * (MAX_TOKEN_LENGTH + 1)],
)
@clause("RFC 6750", "2.1")
def test_a_malformed_token_is_invalid(header: str) -> None:
    with refused(Reason.TOKEN_MALFORMED) as caught:
        bearer_token(header)
    assert caught.value.code == "invalid_token"


@pytest.mark.parametrize(
    ("granted", "wanted", "enough"),
    [
        (("mcp:use",), ("mcp:use",), True),
        (("mcp:use",), ("mcp:use", "mcp:admin"), True),
        (("mcp:admin", "mcp:use"), ("mcp:use",), True),
        ((), (), True),
        (("x",), (), True),
        ((), ("mcp:use",), False),
        (("offline_access",), ("mcp:use",), False),
        (("mcp:Use",), ("mcp:use",), False),
    ],
)
@clause("RFC 6750", "3.1")
def test_any_one_of_the_wanted_scopes_is_enough(
    granted: tuple[str, ...], wanted: tuple[str, ...], enough: bool
) -> None:
    if enough:
        check_scope(granted, wanted)
        return
    with refused(Reason.SCOPE_INSUFFICIENT) as caught:
        check_scope(granted, wanted)
    assert caught.value.code == "insufficient_scope"
    assert caught.value.face.status == 403


METADATA_URL = "https://auth.example.com/.well-known/oauth-protected-resource/mcp"
CHALLENGER = Challenger(METADATA_URL, ("mcp:use", "mcp:admin"))
_PARAMETER = re.compile(r'([a-z_]+)="([\x20\x21\x23-\x5b\x5d-\x7e]*)"')


def parsed(challenge: str) -> dict[str, str]:
    """The parameters of a challenge, read strictly (RFC 9110 section 11.6.1)."""
    scheme, _, rest = challenge.partition(" ")
    assert scheme == "Bearer"
    found = [_PARAMETER.fullmatch(part) for part in rest.split(", ")]
    pairs = [(match[1], match[2]) for match in found if match]
    assert len(pairs) == len(found)
    assert len(dict(pairs)) == len(pairs), "a parameter came twice"
    return dict(pairs)


@clause("RFC 6750", "3")
def test_the_challenge_without_credentials_names_no_error() -> None:
    for refusal in (None, Refusal(Reason.TOKEN_MISSING)):
        assert parsed(CHALLENGER.challenge(refusal)) == {
            "resource_metadata": METADATA_URL,
            "scope": "mcp:use mcp:admin",
        }


TOKEN_REASONS = [reason for reason in Reason if reason.value.startswith("token_")]


@pytest.mark.parametrize("reason", [*TOKEN_REASONS, Reason.SCOPE_INSUFFICIENT])
@clause("RFC 9728", "5.1")
def test_every_challenge_can_be_read_and_leads_to_the_metadata(reason: Reason) -> None:
    odd = 'x"y\\z'
    refusal = Refusal(
        reason, resource=RESOURCE, scope='x"y\\z, a="b', came=odd, expected=RESOURCE, sub=odd
    )
    found = parsed(CHALLENGER.challenge(refusal))
    assert found["resource_metadata"] == METADATA_URL
    assert found["scope"] == "mcp:use mcp:admin"
    if reason is not Reason.TOKEN_MISSING:
        assert found["error"] == refusal.code
        assert found["error_description"] == refusal.sentence


@clause("MCP authorization", "Scope Challenge Handling")
def test_a_scope_challenge_names_every_scope_and_never_offline_access() -> None:
    refusal = Refusal(Reason.SCOPE_INSUFFICIENT, scope="mcp:use mcp:admin")
    found = parsed(CHALLENGER.challenge(refusal))
    assert found["error"] == "insufficient_scope"
    assert found["scope"].split() == ["mcp:use", "mcp:admin"]
    assert "scope" not in parsed(Challenger(METADATA_URL, ()).challenge(refusal))


@clause("RFC 9068", "4")
@pytest.mark.parametrize(
    ("grant", "sub", "client_id", "reason"),
    [
        (None, None, None, Reason.TOKEN_ENDED),
        (a_grant(revoked_at=NOW), None, None, Reason.TOKEN_ENDED),
        (a_grant(), "ag_somebody_else", None, Reason.TOKEN_MALFORMED),
        (a_grant(), None, "client_other", Reason.TOKEN_MALFORMED),
    ],
)
def test_a_token_is_worth_what_its_grant_says(
    grant: Grant | None, sub: str | None, client_id: str | None, reason: Reason
) -> None:
    own = a_grant()
    named = {"sub": sub or own.person.sub, "client_id": client_id or own.client_id}
    assert check_grant(own, sub=own.person.sub, client_id=own.client_id) == own
    with refused(reason):
        check_grant(grant, **named)

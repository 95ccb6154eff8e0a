"""Claims of an issuer elsewhere as rules; what a signature adds is tested with the issuer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.tokens_elsewhere import (
    LEEWAY,
    check_audience,
    check_claims,
    check_header,
    check_issuer,
    is_over,
)
from tests.clauses import clause
from tests.protocol.making import NOW, RESOURCE, refused

CLIENT = "client_ENVIRONMENT"
CLAIMS: dict[str, Any] = {"sub": "user_1", "aud": RESOURCE, "exp": NOW + 300, "scope": "openid"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@clause("RFC 8725", "3.1")
def test_a_header_as_authkit_writes_it() -> None:
    assert check_header({"alg": "RS256", "typ": "JWT", "kid": "k"}) == "k"
    assert check_header({"alg": "RS256", "kid": "k"}) == "k"


@given(JSON)
def test_any_member_of_a_header_may_be_anything(value: Any) -> None:
    good = {"alg": "RS256", "typ": "JWT", "kid": "k"}
    for name in ("alg", "typ", "kid", "jku", "crit"):
        try:
            kid = check_header({**good, name: value})
        except Refusal:
            continue
        assert isinstance(kid, str)
        assert name in ("typ", "kid") or value == "RS256"


@given(JSON)
def test_any_claim_may_be_anything(value: Any) -> None:
    for name in ("sub", "aud", "exp", "nbf", "scope", "sid", "client_id", "jti", "extra"):
        try:
            audience = check_claims({**CLAIMS, name: value}, (RESOURCE,), NOW)
        except Refusal:
            continue
        assert audience == RESOURCE
        assert name != "aud" or value in (RESOURCE, [RESOURCE])


@given(JSON)
def test_an_issuer_is_the_one_string(value: Any) -> None:
    if value == "https://t.authkit.app":
        return
    with refused(Reason.TOKEN_ISSUER_ELSEWHERE):
        check_issuer({"iss": value}, "https://t.authkit.app")


@clause("RFC 8707", "2")
@pytest.mark.parametrize("audience", [[RESOURCE, CLIENT], [CLIENT, RESOURCE], [RESOURCE] * 2, []])
def test_more_than_one_audience_is_none_of_ours(audience: list[str]) -> None:
    with refused(Reason.TOKEN_AUDIENCE_ELSEWHERE):
        check_audience(audience, (RESOURCE, CLIENT))


def test_which_of_the_accepted_it_was() -> None:
    assert check_audience(CLIENT, (RESOURCE, CLIENT)) == CLIENT
    assert check_audience([RESOURCE], (RESOURCE, CLIENT)) == RESOURCE
    with refused(Reason.TOKEN_AUDIENCE_ELSEWHERE):
        check_audience(CLIENT, (RESOURCE,))


def test_an_id_tokens_marks_count_where_it_could_pass_for_one() -> None:
    marked = {**CLAIMS, "nonce": "n"}
    assert check_claims(marked, (RESOURCE, CLIENT), NOW) == RESOURCE
    with refused(Reason.TOKEN_TYPE):
        check_claims({**marked, "aud": CLIENT}, (RESOURCE, CLIENT), NOW)


def test_two_clocks_may_differ_by_this_much() -> None:
    assert not is_over(NOW, NOW + LEEWAY - 1)
    assert is_over(NOW, NOW + LEEWAY)
    assert LEEWAY < 300 / 10  # of tokens that live five minutes

"""What a request shows as its credential: ours above all, in whatever spelling."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.gateway.credentials import Credentials, Presented
from authgate.protocol.errors import Refusal
from authgate.protocol.rollout import Kind

OURS, AUTHKIT, PROJECT = (
    "https://auth.example",
    "https://a.authkit.app",
    "https://x.example/auth/v1",
)
CREDENTIALS = Credentials(frozenset({OURS, AUTHKIT}), PROJECT)


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def jwt(**claims: Any) -> str:
    return f"{segment({'alg': 'ES256'})}.{segment(claims)}.c2ln"


# In the other alphabet of base64, which is no JWT but what some reader may take for one.
STANDARD = base64.b64encode(json.dumps({"iss": OURS, "x": ">>>???"}).encode()).decode()


def read(*headers: tuple[str, str]) -> Presented:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return CREDENTIALS.read({"headers": raw})


def bearer(token: str) -> Presented:
    return read(("authorization", f"Bearer {token}"))


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        (jwt(iss=OURS), Kind.OURS),
        (jwt(iss=AUTHKIT), Kind.OURS),
        (jwt(iss=OURS, exp=1), Kind.OURS),
        (f"!!.{segment({'iss': OURS})}.", Kind.OURS),
        (f"a.{segment({'iss': OURS})}.b.c.d", Kind.OURS),
        (f"a.{STANDARD}.b", Kind.OURS),
        (jwt(iss=OURS + "/"), Kind.UNKNOWN),
        (jwt(iss=[OURS]), Kind.UNKNOWN),
        (jwt(iss={"a": 1}), Kind.UNKNOWN),
        (jwt(iss=None), Kind.UNKNOWN),
        (jwt(), Kind.UNKNOWN),
        (jwt(iss=PROJECT), Kind.SUPABASE),
        (jwt(iss="https://y.example"), Kind.UNKNOWN),
        ("agk_abc", Kind.API_KEY),
        ("agk_", Kind.API_KEY),
        ("xagk_abc", Kind.UNKNOWN),
        ("a.b.c", Kind.UNKNOWN),
        ("..", Kind.UNKNOWN),
        ("", Kind.UNKNOWN),
    ],
)
def test_who_says_it_issued_it(token: str, kind: Kind) -> None:
    found = bearer(token)
    assert found.kind is kind
    stays = found.kind in (Kind.OURS, Kind.API_KEY)
    assert bool(found.own) is not stays


def test_what_an_unverified_token_says_is_kept_as_a_claim() -> None:
    found = bearer(jwt(iss=PROJECT, sub="somebody", exp=17.9))
    assert (found.claimed, found.expires_at) == ("somebody", 17)
    odd = bearer(jwt(iss=PROJECT, sub=["x"], exp="soon"))
    assert (odd.claimed, odd.expires_at) == ("", 0)


def test_nothing_is_nothing() -> None:
    assert read(("accept", "a/b")) == Presented(Kind.NONE)
    for empty in ("", " ", "\t "):
        for headers in [("authorization", empty)], [("authorization", empty), ("x-api-key", empty)]:
            assert read(*headers).kind is Kind.NONE
        assert read(("authorization", empty), ("x-api-key", "theirs")).value == "theirs"
        assert read(("authorization", "Bearer theirs"), ("x-api-key", empty)).value == "theirs"
        with pytest.raises(Refusal):
            read(("authorization", empty), ("authorization", "Bearer b"))


def test_no_value_is_shown() -> None:
    secret = "sb-very-secret"
    assert secret not in repr(bearer(secret))
    assert "agk_secret" not in repr(read(("x-api-key", "agk_secret")))


def test_two_claims_to_be_it() -> None:
    with pytest.raises(Refusal):
        read(("authorization", "Bearer a"), ("authorization", "Bearer b"))


@pytest.mark.parametrize(
    ("authorization", "key", "kind"),
    [
        (f"Bearer {jwt(iss=OURS)}", "agk_x", Kind.OURS),
        ("Bearer agk_y", "agk_x", Kind.API_KEY),
        (f"Bearer {jwt(iss=PROJECT)}", "agk_x", Kind.API_KEY),
        ("Basic dTpw", "agk_x", Kind.API_KEY),
        ("Basic dTpw", jwt(iss=OURS), Kind.OURS),
        (f"Bearer {jwt(iss=PROJECT)}", "theirs", Kind.SUPABASE),
        ("Basic dTpw", "theirs", Kind.UNKNOWN),
    ],
)
def test_which_of_two_counts(authorization: str, key: str, kind: Kind) -> None:
    found = read(("authorization", authorization), ("x-api-key", key))
    assert found.kind is kind
    if authorization == "Bearer agk_y":
        assert found.value == "agk_y"
    for _, value in found.own:
        assert OURS.encode() not in value
        assert b"agk_" not in value


AROUND = st.text(alphabet=' ,;="\t!abc', max_size=6)


@given(AROUND, AROUND, st.sampled_from(["Bearer", "bearer", "Token", "x", ""]))
def test_ours_is_found_whatever_stands_around_it(before: str, after: str, scheme: str) -> None:
    """A header that some reader takes a token of ours out of never goes on."""
    for token in (jwt(iss=OURS), "agk_secret"):
        glued = before[-1:] in ("a", "b", "c") and token.startswith("agk_")
        value = f"{scheme} {before}{token}{after}"
        assert read(("authorization", value)).own == () or glued
        query = f"x={before}{token}{after}&y=1".encode()
        kept = CREDENTIALS.query_without_ours(query)
        assert kept == b"y=1" or glued


@given(st.binary(max_size=200))
def test_no_header_breaks_it(value: bytes) -> None:
    found = CREDENTIALS.read({"headers": [(b"authorization", value), (b"x-api-key", value)]})
    assert found.kind in Kind
    CREDENTIALS.query_without_ours(value)


def test_queries_without_ours_stay_as_they_are() -> None:
    for query in (b"", b"a=1&b=%2f&&c", b"access_token=theirs", b"a=1;b=2"):
        assert CREDENTIALS.query_without_ours(query) == query
    token = jwt(iss=OURS).encode()
    assert CREDENTIALS.query_without_ours(b"a&" + token + b"&b=" + token + b"=&c") == b"a&c"

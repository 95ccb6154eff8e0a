"""PKCE: S256 for everyone, well-formed values only, and no way around."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol.errors import Reason
from authgate.protocol.pkce import check_challenge, check_verifier, verifier_fits
from tests.clauses import clause
from tests.protocol.making import CHALLENGE, VERIFIER, challenge_of, refused

UNRESERVED = string.ascii_letters + string.digits + "-._~"


@clause("RFC 7636", "appendix B")
def test_the_example_of_the_rfc_fits() -> None:
    assert check_challenge(CHALLENGE, "S256") == CHALLENGE
    assert verifier_fits(check_verifier(VERIFIER), CHALLENGE)


@clause("OAuth 2.1", "4.1.1")
def test_a_challenge_is_required_of_every_client() -> None:
    with refused(Reason.PKCE_MISSING) as caught:
        check_challenge(None, "S256")
    assert caught.value.code == "invalid_request"


@pytest.mark.parametrize("method", [None, "plain", "s256", "S512", "S256 ", "", "none"])
@clause("RFC 7636", "4.3")
def test_no_method_but_s256_will_do(method: str | None) -> None:
    with refused(Reason.PKCE_METHOD) as caught:
        check_challenge(CHALLENGE, method)
    assert caught.value.code == "invalid_request"


@pytest.mark.parametrize(
    "challenge",
    [
        CHALLENGE[:-1],
        CHALLENGE + "A",
        CHALLENGE + "=",
        CHALLENGE[:-1] + "=",
        CHALLENGE[:-1] + "+",
        CHALLENGE[:-1] + "/",
        CHALLENGE[:-1] + " ",
        CHALLENGE[:-1] + "ü",
        CHALLENGE + "\n",
        CHALLENGE[:-1] + "\uff21",
    ],
)
@clause("RFC 7636", "4.2")
def test_a_challenge_is_43_base64url_characters(challenge: str) -> None:
    with refused(Reason.PKCE_CHALLENGE_MALFORMED):
        check_challenge(challenge, "S256")


@pytest.mark.parametrize("length", [43, 44, 127, 128])
@clause("RFC 7636", "4.1")
def test_a_verifier_has_43_to_128_unreserved_characters(length: int) -> None:
    verifier = (UNRESERVED * 2)[:length]
    assert check_verifier(verifier) == verifier


@pytest.mark.parametrize(
    "verifier",
    [
        *("a" * 42, "a" * 129, "a" * 42 + "=", "a" * 42 + "+", "a" * 42 + "/", "a" * 42 + " "),
        *("a" * 43 + "\n", "ü" * 43, "\u0661" * 43, "a" * 42 + "%"),
    ],
)
@clause("RFC 7636", "4.1")
def test_any_other_verifier_is_malformed(verifier: str) -> None:
    with refused(Reason.PKCE_VERIFIER_MALFORMED) as caught:
        check_verifier(verifier)
    assert caught.value.code == "invalid_grant"
    assert "PKCE verification failed" in caught.value.sentence


@clause("RFC 9700", "4.8.2")
def test_leaving_the_verifier_out_is_no_way_around() -> None:
    with refused(Reason.PKCE_VERIFIER_MISSING) as caught:
        check_verifier(None)
    assert caught.value.code == "invalid_grant"


VERIFIERS = st.text(UNRESERVED, min_size=43, max_size=128)


@given(VERIFIERS, VERIFIERS)
@clause("RFC 7636", "4.6")
def test_only_the_very_verifier_fits(verifier: str, other: str) -> None:
    challenge = check_challenge(challenge_of(verifier), "S256")
    assert verifier_fits(check_verifier(verifier), challenge)
    assert verifier_fits(other, challenge) is (other == verifier)
    assert not verifier_fits(verifier, check_challenge(challenge[::-1], "S256")) or (
        challenge == challenge[::-1]
    )
    assert not verifier_fits(challenge, challenge)  # the challenge is no verifier (plain)

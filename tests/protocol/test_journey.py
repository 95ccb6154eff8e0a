"""The state machine of one sign-in: every state, and every reason to ask again."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from authgate.protocol.journey import Step, must_ask, next_step
from authgate.protocol.records import AuthorizationRequest, Consent, PendingFactor, Session
from tests.clauses import clause
from tests.protocol.making import NOW, PERSON, RESOURCE, a_client, a_request, a_session


def step_of(
    request: AuthorizationRequest,
    session: Session | None,
    remembered: Consent | None,
    required_assurance: int = 1,
) -> Step:
    return next_step(
        request, a_client(), session, remembered, NOW, required_assurance=required_assurance
    )


KNOWN = Consent(PERSON.sub, "client_app", "app.example.net", RESOURCE, ("mcp:use",), NOW - 50)


@pytest.mark.parametrize(
    ("request_", "session", "remembered", "step"),
    [
        # who is here?
        (a_request(), None, None, Step.SIGN_IN),
        (a_request(), None, KNOWN, Step.SIGN_IN),
        (a_request(), a_session(expires_at=NOW), KNOWN, Step.SIGN_IN),
        (a_request(), a_session(expires_at=NOW + 1), KNOWN, Step.APPROVE),
        # may it?
        (a_request(), a_session(), None, Step.CONSENT),
        (a_request(), a_session(), KNOWN, Step.APPROVE),
        (a_request(cross_site=True), a_session(), KNOWN, Step.CONSENT),
        (a_request(prompt=("consent",)), a_session(), KNOWN, Step.CONSENT),
        # prompt=login wants a sign-in that is newer than the request
        (a_request(prompt=("login",)), a_session(created_at=NOW - 1), KNOWN, Step.SIGN_IN),
        (a_request(prompt=("login",)), a_session(created_at=NOW), KNOWN, Step.APPROVE),
        (a_request(prompt=("select_account",)), a_session(created_at=NOW - 1), KNOWN, Step.SIGN_IN),
        (a_request(prompt=("select_account",)), a_session(created_at=NOW), KNOWN, Step.APPROVE),
        (a_request(prompt=("select_account",)), a_session(created_at=NOW + 3), None, Step.CONSENT),
        (a_request(prompt=("login", "consent")), a_session(created_at=NOW), KNOWN, Step.CONSENT),
        (a_request(prompt=("create", "x")), a_session(created_at=NOW - 9), KNOWN, Step.APPROVE),
        # it is over
        (a_request(answered_at=NOW), a_session(), KNOWN, Step.ANSWERED),
        (a_request(answered_at=NOW, expires_at=NOW - 5), None, None, Step.ANSWERED),
        (a_request(expires_at=NOW), a_session(), KNOWN, Step.EXPIRED),
        (a_request(expires_at=NOW), None, None, Step.EXPIRED),
        (a_request(expires_at=NOW + 1), None, None, Step.SIGN_IN),
    ],
)
@clause("OAuth 2.1", "4.1.1")
def test_the_next_step_follows_from_what_is_stored(
    request_: AuthorizationRequest,
    session: Session | None,
    remembered: Consent | None,
    step: Step,
) -> None:
    assert step_of(request_, session, remembered) is step


STRONG = a_session(person=replace(PERSON, assurance=2))
TYPED = PendingFactor("totp", "", "sealed", NOW + 1)


@pytest.mark.parametrize(
    ("request_", "session", "required", "step"),
    [
        # a code is due
        (a_request(factor=TYPED), None, 1, Step.FACTOR),
        (a_request(factor=TYPED), a_session(expires_at=NOW), 1, Step.FACTOR),
        (a_request(factor=replace(TYPED, expires_at=NOW)), None, 1, Step.SIGN_IN),
        (a_request(factor=TYPED, answered_at=NOW), None, 1, Step.ANSWERED),
        (a_request(factor=TYPED, expires_at=NOW), None, 1, Step.EXPIRED),
        # who is signed in already owes nothing, unless this request wants a newer sign-in
        (a_request(factor=TYPED), a_session(), 1, Step.APPROVE),
        (a_request(factor=TYPED, prompt=("login",)), a_session(created_at=NOW - 1), 1, Step.FACTOR),
        (a_request(factor=TYPED, prompt=("login",)), a_session(created_at=NOW), 1, Step.APPROVE),
        # a session that is too weak for the operator counts as none
        (a_request(), a_session(), 2, Step.SIGN_IN),
        (a_request(factor=TYPED), a_session(), 2, Step.FACTOR),
        (a_request(), STRONG, 2, Step.APPROVE),
        (a_request(), STRONG, 1, Step.APPROVE),
        (a_request(factor=TYPED), STRONG, 2, Step.APPROVE),
        (a_request(), STRONG, 3, Step.SIGN_IN),
    ],
)
@clause("ASVS", "6.3.3")
def test_the_second_factor_is_a_part_of_signing_in(
    request_: AuthorizationRequest, session: Session | None, required: int, step: Step
) -> None:
    assert step_of(request_, session, KNOWN, required) is step


LOGIN = a_request(kind="login", client_id="", redirect_uri="", resource="", scopes=())


@pytest.mark.parametrize(
    ("request_", "session", "required", "step"),
    [
        (LOGIN, None, 1, Step.SIGN_IN),
        (LOGIN, a_session(expires_at=NOW), 1, Step.SIGN_IN),
        (LOGIN, a_session(), 2, Step.SIGN_IN),
        (replace(LOGIN, factor=TYPED), None, 1, Step.FACTOR),
        # who is signed in is asked, also right after signing in: any page can send a browser here
        (LOGIN, a_session(), 1, Step.CONTINUE),
        (LOGIN, a_session(created_at=NOW), 1, Step.CONTINUE),
        (replace(LOGIN, cross_site=True), STRONG, 2, Step.CONTINUE),
        (replace(LOGIN, answered_at=NOW), a_session(), 1, Step.ANSWERED),
        (replace(LOGIN, expires_at=NOW), a_session(), 1, Step.EXPIRED),
    ],
)
def test_a_login_has_no_client_and_is_never_approved_by_itself(
    request_: AuthorizationRequest, session: Session | None, required: int, step: Step
) -> None:
    assert next_step(request_, None, session, None, NOW, required_assurance=required) is step


REDIRECTS = {
    "https://app.example.net/cb": False,
    "http://127.0.0.1:5/cb": True,
    "http://localhost/cb": True,
    "http://[::1]:5/cb": True,
    "HTTP://localhost/cb": True,
    "https://localhost/cb": True,
    "cursor://x/cb": True,
    "com.example.app:/cb": True,
}


@clause("MCP best practices", "Confused Deputy Problem")
@clause("RFC 8252", "8.6")
def test_all_combinations_of_reasons_to_ask() -> None:
    """Asked again unless every single reason is absent: 8 * 2^5 combinations."""
    flags = (False, True)
    for uri, cross_site, registered_itself, forced, covered, remembered in product(
        REDIRECTS, flags, flags, flags, flags, flags
    ):
        request = a_request(
            redirect_uri=uri,
            cross_site=cross_site,
            prompt=("consent",) if forced else (),
            scopes=("mcp:use",) if covered else ("mcp:use", "mcp:admin"),
        )
        client = a_client(self_registered=registered_itself, redirect_uris=(uri,))
        reasons = (
            not remembered,
            forced,
            REDIRECTS[uri],
            cross_site and registered_itself,
            not covered,
        )
        consent = KNOWN if remembered else None
        assert must_ask(request, client, consent) is any(reasons)


@clause("MCP best practices", "Confused Deputy Problem")
def test_nobody_is_approved_without_a_session_or_past_the_end() -> None:
    for answered, ended, session in product((None, NOW), (NOW - 1, NOW), (None, a_session())):
        request = a_request(answered_at=answered, expires_at=ended)
        assert step_of(request, session, KNOWN) in (Step.ANSWERED, Step.EXPIRED)
    assert step_of(a_request(), None, KNOWN) is Step.SIGN_IN


@clause("OAuth 2.1", "7.3")
def test_a_scope_less_than_remembered_is_covered_and_one_more_is_not() -> None:
    wide = Consent(PERSON.sub, "c", "h", RESOURCE, ("mcp:use", "mcp:admin"), NOW)
    assert not must_ask(a_request(scopes=("mcp:admin",)), a_client(), wide)
    asked_more = a_request(scopes=("mcp:use", "offline_access"))
    assert must_ask(asked_more, a_client(), wide)

"""Each error that Supabase Auth is known to answer with, as it answers, and what becomes of it.

The rows are those of the notes on v2.196; the product's tables are held against them, row by row.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from authgate.directories.contract import (
    Explain,
    Gone,
    NeedsFactor,
    Refused,
    SignedIn,
    SocialStart,
    StillGood,
    Unavailable,
)
from authgate.directories.supabase import errors, kept
from tests.directories.supabase_house import (
    CALLBACK,
    EMAIL,
    PASSWORD,
    VISITOR,
    House,
    opened_house,
    quick,
)

NO = Refused()
OVER = Refused(Explain.SIGN_IN_EXPIRED)
AGAIN = Refused(Explain.SOCIAL_RETRY)
WRONG = Refused(Explain.CODE_WRONG)
UNVERIFIED = Refused(Explain.SOCIAL_EMAIL_UNVERIFIED)
NO_ACCOUNT = Refused(Explain.SOCIAL_NO_ACCOUNT)
FAILED = Refused(Explain.SOCIAL_FAILED)
UNSUPPORTED = Refused(Explain.FACTOR_UNSUPPORTED)
SOON, LIMIT, OURS = Unavailable(5), Unavailable(30), Unavailable(60)

PASSWORD_ROWS: list[tuple[int, str, Any]] = [
    (400, "invalid_credentials", NO),
    (400, "user_not_found", NO),
    (400, "user_banned", NO),
    (400, "validation_failed", NO),
    (400, "email_not_confirmed", Refused(Explain.EMAIL_NOT_CONFIRMED)),
    (400, "captcha_failed", Refused(Explain.CAPTCHA_REQUIRED)),
    (422, "email_provider_disabled", Refused(Explain.PASSWORDS_OFF)),
    (429, "over_request_rate_limit", LIMIT),
    (401, "no_authorization", OURS),
    (400, "bad_json", OURS),
    (500, "unexpected_failure", SOON),
    (500, "hook_timeout", SOON),
    (500, "hook_timeout_after_retry", SOON),
    (500, "hook_payload_over_size_limit", SOON),
]
SOCIAL_ROWS: list[tuple[int, str, Any]] = [
    (400, "bad_code_verifier", AGAIN),
    (400, "bad_oauth_callback", AGAIN),
    (400, "bad_oauth_state", AGAIN),
    (400, "flow_state_already_used", AGAIN),
    (422, "flow_state_expired", AGAIN),
    (404, "flow_state_not_found", AGAIN),
    (400, "validation_failed", AGAIN),
    (400, "access_denied", Refused(Explain.SOCIAL_CANCELLED)),
    (400, "provider_email_needs_verification", UNVERIFIED),
    (400, "email_not_confirmed", UNVERIFIED),
    (422, "signup_disabled", NO_ACCOUNT),
    (404, "user_not_found", NO_ACCOUNT),
    (400, "user_banned", NO),
    (400, "oauth_provider_not_supported", NO),
    (400, "provider_disabled", NO),
    (400, "server_error", FAILED),
    (400, "unexpected_failure", FAILED),
    (429, "over_request_rate_limit", LIMIT),
    (500, "unexpected_failure", SOON),
]
FACTOR_ROWS: list[tuple[int, str, Any]] = [
    (422, "mfa_verification_failed", WRONG),
    (422, "mfa_verification_rejected", WRONG),
    (400, "validation_failed", WRONG),
    (400, "invalid_credentials", WRONG),
    (404, "mfa_factor_not_found", OVER),
    (403, "user_not_found", OVER),
    (403, "user_banned", NO),
    (403, "session_not_found", OVER),
    (403, "session_expired", OVER),
    (401, "no_authorization", OVER),
    (403, "bad_jwt", OVER),
    (401, "insufficient_aal", OVER),
    (403, "insufficient_aal", OVER),
    (422, "insufficient_aal", OVER),
    (422, "mfa_totp_verify_not_enabled", UNSUPPORTED),
    (422, "mfa_phone_verify_not_enabled", UNSUPPORTED),
    (422, "mfa_ip_address_mismatch", SOON),  # twice, with a fresh challenge in between
    (422, "mfa_challenge_expired", SOON),
    (429, "over_request_rate_limit", LIMIT),
    (500, "hook_timeout", SOON),
]
USER_ROWS: list[tuple[int, str, Any]] = [
    (401, "no_authorization", NO),
    (403, "bad_jwt", NO),
    (403, "session_not_found", NO),
    (403, "session_expired", NO),
    (403, "user_not_found", NO),
    (403, "user_banned", NO),
    (429, "over_request_rate_limit", LIMIT),
    (500, "unexpected_failure", SOON),
]
ADMIN_ROWS: list[tuple[int, str, Any]] = [
    (401, "no_authorization", OURS),
    (403, "not_admin", OURS),
    (404, "user_not_found", Gone()),
    (404, "validation_failed", OURS),
    (429, "over_request_rate_limit", LIMIT),
    (500, "unexpected_failure", SOON),
]
KEPT_ROWS: list[tuple[int, str, Any]] = [
    (400, "validation_failed", Gone()),  # the session is lost, and nobody else can stand by them
    (400, "refresh_token_not_found", Gone()),
    (400, "refresh_token_already_used", Gone()),
    (400, "user_banned", Gone()),
    (400, "session_not_found", Gone()),
    (400, "session_expired", Gone()),
    (403, "user_not_found", Gone()),
    (403, "bad_jwt", OURS),  # at a refresh it says nothing
    (401, "no_authorization", OURS),
    (409, "conflict", SOON),
    (429, "over_request_rate_limit", LIMIT),
    (500, "unexpected_failure", SOON),
]

Door = Callable[[House, str], Awaitable[Any]]


async def by_password(house: House, sub: str) -> Any:
    return await house.sign_in()


async def by_github(house: House, sub: str) -> Any:
    begun = await house.directory.start_social("github", CALLBACK, "tx")
    assert isinstance(begun, SocialStart)
    return await house.directory.finish_social("github", begun.sealed, {"code": "c"}, VISITOR)


async def by_factor(house: House, sub: str) -> Any:
    totp = house.state.add_factor(house.state.users[sub])
    needs = await house.sign_in()
    assert isinstance(needs, NeedsFactor)
    return await house.directory.answer_factor(needs.sealed, totp.code(), VISITOR)


async def by_token(house: House, sub: str) -> Any:
    token = house.standin.access_token(house.state.users[sub])
    return await house.directory.verify_access_token(token)


async def by_admin(house: House, sub: str) -> Any:
    return await house.directory.recheck(sub)


async def by_refresh(house: House, sub: str) -> Any:
    assert isinstance(await house.sign_in(), SignedIn)
    house.clocks.forward(3601)
    return await house.directory.recheck(sub)


KEEP: dict[str, Any] = {"keep_session": True, "secret_key": None}
CALLS: dict[str, tuple[str, Door, list[tuple[int, str, Any]], dict[str, Any]]] = {
    "password": ("grant_type=password", by_password, PASSWORD_ROWS, {}),
    "pkce": ("grant_type=pkce", by_github, SOCIAL_ROWS, {}),
    "verify": ("/verify", by_factor, FACTOR_ROWS, {}),
    "user": ("/user", by_token, USER_ROWS, {}),
    "admin": ("/admin/users", by_admin, ADMIN_ROWS, {}),
    "refresh": ("grant_type=refresh_token", by_refresh, KEPT_ROWS, KEEP),
}


@pytest.mark.parametrize(
    ("call", "status", "code", "expected"),
    [(call, *row) for call, (_, _, rows, _) in CALLS.items() for row in rows],
)
async def test_each_known_error_has_its_reaction(
    call: str, status: int, code: str, expected: Any
) -> None:
    where, door, _, policy = CALLS[call]
    async with opened_house(quick(rate_limited=False), **policy) as house:
        user = house.state.add_user(EMAIL, PASSWORD)
        body = json.dumps({"code": code, "message": "for nobody"}).encode()
        house.standin.fault(where, status=status, body=body)
        assert await door(house, user.id) == expected
        house.standin.clear()


def test_no_reaction_is_to_an_error_that_is_not_known() -> None:
    for table, rows in (
        (errors.PASSWORD, PASSWORD_ROWS),
        (errors.SOCIAL, SOCIAL_ROWS),
        (errors.FACTOR, FACTOR_ROWS),
        (errors.USER, USER_ROWS),
        (errors.REFRESH, KEPT_ROWS),
        (kept._WORDS, KEPT_ROWS),
        (dict.fromkeys(errors.NEW_CHALLENGE), FACTOR_ROWS),
    ):
        assert set(table) <= {code for _, code, _ in rows}


async def test_a_good_sign_in_with_a_weak_password_is_a_good_one() -> None:
    """Supabase says so beside the session; that is between it and the person."""
    async with opened_house() as house:
        user = house.state.add_user(EMAIL, PASSWORD)
        session = house.standin.session_body(house.state.open_session(user, "password"))
        weak = {"weak_password": {"reasons": ["pwned"], "message": "Password is known"}}
        house.standin.fault("/token", status=200, body=json.dumps(session | weak).encode())
        assert isinstance(await house.sign_in(), SignedIn)
        assert isinstance(await house.directory.recheck(user.id), StillGood)

"""Supabase Auth's errors and our reactions: one table a call, one function that reads it.

What no table knows is never held against the person: it is written into the operator's log and
answered with "try again later". Codes are compared, texts never read. Neighbours: `api`
finds the code, the doors in `supabase*` ask here. Source: reference notes on GoTrue v2.196.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authgate.directories.contract import Explain, Refused, Unavailable
from authgate.directories.supabase.api import Reply, Said, Silent
from authgate.observe import log

RETRY_OUTAGE = 5
# The limiter gives one sign-in every two seconds back, and sends no Retry-After of its own. Behind
# one address that is shared by everybody's sign-ins, so a person who waits longer gets further.
RETRY_LIMIT = 30
RETRY_OURS = 60  # a wrong key or URL: an operator has to act, so hurry is no use


@dataclass(frozen=True, slots=True)
class Row:
    """What is answered, and an event for the operator's log where the project needs a hand."""

    outcome: Refused | Unavailable
    operator: str | None = None


Table = Mapping[str, Row]

_NO = Row(Refused())
_OVER = Row(Refused(Explain.SIGN_IN_EXPIRED))
_AGAIN = Row(Refused(Explain.SOCIAL_RETRY))
_WRONG_CODE = Row(Refused(Explain.CODE_WRONG))
_UNSUPPORTED = Row(Refused(Explain.FACTOR_UNSUPPORTED), "supabase.factor_switched_off")
_NO_ACCOUNT = Row(Refused(Explain.SOCIAL_NO_ACCOUNT))
_UNVERIFIED = Row(Refused(Explain.SOCIAL_EMAIL_UNVERIFIED))

PASSWORD: Table = {
    "invalid_credentials": _NO,
    "user_banned": _NO,  # said of any password: whether the person exists would be given away
    "user_not_found": _NO,
    "validation_failed": _NO,  # an address that no account can have
    "email_not_confirmed": Row(Refused(Explain.EMAIL_NOT_CONFIRMED)),  # after a right password only
    "captcha_failed": Row(Refused(Explain.CAPTCHA_REQUIRED), "supabase.captcha_is_on"),
    "email_provider_disabled": Row(Refused(Explain.PASSWORDS_OFF), "supabase.passwords_are_off"),
}

SOCIAL: Table = {
    "access_denied": Row(Refused(Explain.SOCIAL_CANCELLED)),
    "bad_code_verifier": _AGAIN,
    "bad_oauth_callback": _AGAIN,
    "bad_oauth_state": _AGAIN,
    "flow_state_already_used": _AGAIN,
    "flow_state_expired": _AGAIN,
    "flow_state_not_found": _AGAIN,
    "validation_failed": _AGAIN,
    "provider_email_needs_verification": _UNVERIFIED,
    "email_not_confirmed": _UNVERIFIED,
    "signup_disabled": _NO_ACCOUNT,
    "user_not_found": _NO_ACCOUNT,
    "user_banned": _NO,
    "oauth_provider_not_supported": Row(Refused(), "supabase.provider_is_off"),
    "provider_disabled": Row(Refused(), "supabase.provider_is_off"),
    # Two people of the project with one address, a hook that said no, GitHub that did not answer.
    "server_error": Row(Refused(Explain.SOCIAL_FAILED), "supabase.social_failed"),
    "unexpected_failure": Row(Refused(Explain.SOCIAL_FAILED), "supabase.social_failed"),
}

FACTOR: Table = {
    "mfa_verification_failed": _WRONG_CODE,
    "mfa_verification_rejected": _WRONG_CODE,
    "validation_failed": _WRONG_CODE,
    "invalid_credentials": _WRONG_CODE,
    "mfa_factor_not_found": _OVER,
    "user_not_found": _OVER,
    "user_banned": _NO,
    "session_not_found": _OVER,
    "session_expired": _OVER,
    "no_authorization": _OVER,
    "bad_jwt": _OVER,
    "insufficient_aal": _OVER,
    "mfa_totp_verify_not_enabled": _UNSUPPORTED,
    "mfa_phone_verify_not_enabled": _UNSUPPORTED,
}

# Supabase wants another challenge, whatever the code was.
NEW_CHALLENGE = frozenset({"mfa_ip_address_mismatch", "mfa_challenge_expired"})

# Of a kept session at its refresh, besides the ends that `kept` reads.
REFRESH: Table = {"conflict": Row(Unavailable(RETRY_OUTAGE))}  # too many at once for one session

# Of a person's own access token at GET /user.
USER: Table = {
    "bad_jwt": _NO,
    "no_authorization": _NO,
    "session_expired": _NO,
    "session_not_found": _NO,
    "user_banned": _NO,
    "user_not_found": _NO,
}


def react(reply: Reply, table: Table, call: str) -> Refused | Unavailable:
    """Our answer to a reply that was not what was hoped for.

    A 401 without a code of the table comes from the gateway in front of Auth, which knows keys and
    no people: our key is wrong, and nobody's password. (No row of `PASSWORD` or `SOCIAL` is
    returned with 401, so there every 401 is one.)
    """
    if isinstance(reply, Silent):
        return Unavailable(RETRY_OUTAGE)
    if reply.status == 429:
        log.warning("supabase.rate_limited", call=call)
        return Unavailable(RETRY_LIMIT)
    if reply.status == 401 and (table in (PASSWORD, SOCIAL) or reply.code not in table):
        return key_refused(call)
    row = table.get(reply.code or "") if 400 <= reply.status < 500 else None
    if row is None:
        return unexpected(reply, call)
    if row.operator is not None:
        log.error(row.operator, call=call)
    return row.outcome


def unexpected(reply: Said, call: str) -> Unavailable:
    """Something no table knows, a wrong URL perhaps. The body stays out of the log, code and all:
    whoever answers in Supabase's place may write there what they like."""
    log.error(
        "supabase.unexpected_answer",
        call=call,
        status=reply.status,
        fix="check SUPABASE_URL and AUTHGATE_SUPABASE_AUTH_URL",
    )
    return Unavailable(RETRY_OURS if reply.status < 500 else RETRY_OUTAGE)


def key_refused(call: str) -> Unavailable:
    """Our own key is wrong: the operator's trouble, never a person's."""
    log.error(
        "supabase.key_refused",
        call=call,
        fix="check SUPABASE_PUBLISHABLE_KEY and SUPABASE_SECRET_KEY",
    )
    return Unavailable(RETRY_OURS)

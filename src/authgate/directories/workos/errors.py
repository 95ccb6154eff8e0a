"""WorkOS's refusals and our reactions: one table a place, one function that reads it.

Codes are compared, texts never read. What no table knows is never held against the person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authgate.directories.contract import Explain, Refused, Unavailable
from authgate.observe import log
from authgate.workos import Kind, Trouble

RETRY_OUTAGE = 5
RETRY_LIMIT = 30
RETRY_OURS = 60  # a wrong key or client id: an operator has to act, so hurry is no use


@dataclass(frozen=True, slots=True)
class Row:
    """What is answered, and what the operator's log says where the environment needs a hand."""

    outcome: Refused | Unavailable
    fix: str | None = None


Table = Mapping[str, Row]

_AGAIN = Row(Refused(Explain.SOCIAL_RETRY))
_FAILED = Row(Refused(Explain.SOCIAL_FAILED))
_OVER = Row(Refused(Explain.SIGN_IN_EXPIRED))
_WRONG_CODE = Row(Refused(Explain.CODE_WRONG))
_NOT_ALLOWED = Row(Refused(Explain.SOCIAL_NOT_ALLOWED))
_OURS = Row(
    Unavailable(RETRY_OURS),
    "check WORKOS_CLIENT_ID, which belongs to the same environment as WORKOS_API_KEY",
)
_SET_UP = Row(
    Refused(Explain.SOCIAL_FAILED), "set the provider up in the WorkOS dashboard (Authentication)"
)

# At the end of a sign-in, and at each step on the way there.
SIGN_IN: Table = {
    "invalid_grant": _AGAIN,
    "code_challenge_not_found": _AGAIN,
    "access_denied": Row(Refused(Explain.SOCIAL_CANCELLED)),
    "invalid_client": _OURS,
    "unauthorized_client": _OURS,
    "pkce_not_supported": _OURS,
    "sign_up_not_allowed": Row(Refused(Explain.SOCIAL_NO_ACCOUNT)),
    "invalid_profile": _FAILED,
    "user_mismatch": _FAILED,
    "invalid_connection": _SET_UP,
    "connection_invalid": _SET_UP,
    # An organization's own rules, and people whose second factor is still to be set up there.
    "sso_required": _NOT_ALLOWED,
    "organization_authentication_methods_required": _NOT_ALLOWED,
    "authentication_method_not_allowed": _NOT_ALLOWED,
    "organization_membership_not_found": _NOT_ALLOWED,
    "organization_not_found": _NOT_ALLOWED,
    "invalid_organization_id": _NOT_ALLOWED,
    "mfa_enrollment": Row(Refused(Explain.FACTOR_MISSING)),
    # What a page of ours cannot offer: robots are told apart by a page of WorkOS's.
    "radar_challenge": _FAILED,
    "radar_email_challenge": _FAILED,
    "radar_sms_challenge": _FAILED,
    "radar_sign_up_challenge": _FAILED,
    "passkey_progressive_enrollment": _FAILED,
    "email_password_auth_disabled": _FAILED,
    "application_consent_required": _FAILED,
    "daily_quota_exceeded": Row(Unavailable(RETRY_OURS)),
}

# Of a code that somebody typed.
FACTOR: Table = {
    **SIGN_IN,
    "invalid_one_time_code": _WRONG_CODE,
    "invalid_credentials": _WRONG_CODE,
    "one_time_code_previously_used": _OVER,
    "one_time_code_expired": _OVER,
    "one_time_code_too_many_attempts": _OVER,
    "invalid_pending_authentication_token": _OVER,
    "entity_not_found": _OVER,
    "invalid_grant": _OVER,
}

# In the query of the way back, which came through the browser: anybody may have written it.
CALLBACK: Table = {
    "access_denied": Row(Refused(Explain.SOCIAL_CANCELLED)),
    "sign_up_not_allowed": Row(Refused(Explain.SOCIAL_NO_ACCOUNT)),
    "server_error": _FAILED,
    "oauth_failed": _FAILED,
    "invalid_connection_selector": _SET_UP,
    "ambiguous_connection_selector": _SET_UP,
    "connection_invalid": _SET_UP,
    "connection_unlinked": _SET_UP,
    "connection_strategy_invalid": _SET_UP,
    "organization_invalid": _SET_UP,
}


def react(trouble: Trouble, table: Table, call: str) -> Refused | Unavailable:
    """Our answer where WorkOS gave no value."""
    match trouble.kind:
        case Kind.KEY_REFUSED | Kind.UNEXPECTED:
            return Unavailable(RETRY_OURS)
        case Kind.UNAVAILABLE:
            return Unavailable(trouble.retry_after or RETRY_OUTAGE)
        case Kind.LIMITED:
            return Unavailable(trouble.retry_after or RETRY_LIMIT)
        case Kind.REFUSED | Kind.NOT_FOUND:
            pass
    row = table.get(trouble.code or "")
    if row is None:
        log.error(
            "workos.refused",
            call=call,
            code=trouble.code,
            status=trouble.status,
            workos_request_id=trouble.request_id,
        )
        return Unavailable(RETRY_OURS)
    if row.fix is not None:
        request_id = trouble.request_id
        log.error(
            "workos.set_up", call=call, code=trouble.code, workos_request_id=request_id, fix=row.fix
        )
    return row.outcome


def turned_away(answer: Mapping[str, str]) -> Refused:
    """The reaction to an error in the query; its text is for nobody."""
    code = answer.get("error", "")
    row = CALLBACK.get(code)
    if row is None or not isinstance(row.outcome, Refused):
        return Refused(Explain.SOCIAL_FAILED)
    if row.fix is not None:
        log.warning("workos.set_up", call="callback", code=code, fix=row.fix)
    return row.outcome

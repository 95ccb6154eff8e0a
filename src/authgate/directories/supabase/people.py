"""People, sessions and factors as Supabase Auth describes them, read strictly.

`user_metadata` is not read at all: people write it themselves, `email_verified` and `role`
included. What has the wrong shape is None as a whole: half a person must not be signed in.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from authgate.protocol.records import Person

NAME = "supabase"
MAX_DISPLAY = 320
MAX_LASTS = 604_800  # a project can set no longer life than a week


@dataclass(frozen=True, slots=True)
class Factor:
    """A verified second factor. `kind` is `totp`, `phone` or one that we may not know."""

    id: str
    kind: str
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """An account elsewhere that belongs to a person."""

    provider: str
    email_verified: bool
    last_used: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of the project."""

    sub: str
    display: str
    anonymous: bool
    deleted: bool
    banned_until: datetime | None
    factors: tuple[Factor, ...]
    identities: tuple[Identity, ...]

    def shut_out(self, now: float) -> bool:
        """Deleted, or banned at this moment."""
        banned = self.banned_until is not None and self.banned_until.timestamp() > now
        return self.deleted or banned

    def person(self, methods: tuple[str, ...], assurance: int = 1) -> Person:
        """This member as the rest of the house knows people."""
        return Person(self.sub, NAME, self.display, methods, assurance)


@dataclass(frozen=True, slots=True)
class Session:
    """A session at Supabase: whose, and its tokens; `lasts` is the access token's life in seconds.

    The refresh token is for sessions that are kept; "" where none that can be used came along.
    """

    member: Member
    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    lasts: int = 0


class _Odd(Exception):
    """A shape that cannot be trusted."""


def read_session(body: Mapping[str, Any]) -> Session | None:
    """The session of a token answer. (Sign-ups of others may answer without one: None.)"""
    token, user = _token(body, "access_token"), body.get("user")
    member = read_member(user) if isinstance(user, dict) else None
    if not token or member is None:
        return None
    return Session(member, token, _token(body, "refresh_token"), _lasts(body))


def read_member(body: Mapping[str, Any]) -> Member | None:
    """The person of a user answer."""
    try:
        return Member(
            sub=_uuid(body.get("id")),
            display=_display(body),
            anonymous=_flag(body, "is_anonymous"),
            deleted=bool(body.get("deleted_at")),
            banned_until=_time(body.get("banned_until")),
            factors=tuple(_factors(body.get("factors"))),
            identities=tuple(_identities(body.get("identities"))),
        )
    except _Odd:
        return None


def is_uuid(text: str) -> bool:
    """The only form that a `sub` of Supabase's has."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _token(body: Mapping[str, Any], name: str) -> str:
    """A token that may go into a header or a body; "" for anything else."""
    text = body.get(name)
    return text if isinstance(text, str) and text.isascii() and text.isprintable() else ""


def _lasts(body: Mapping[str, Any]) -> int:
    """The access token's life. Without a believable one it is renewed each time it is needed, which
    costs a request and no more."""
    lasts = body.get("expires_in")
    return lasts if isinstance(lasts, int) and 0 < lasts <= MAX_LASTS else 0


def _uuid(value: object) -> str:
    if not isinstance(value, str) or not is_uuid(value.lower()):
        raise _Odd
    return value.lower()


def _display(body: Mapping[str, Any]) -> str:
    """The e-mail address, once confirmed; else a confirmed number; else the id."""
    confirmed = (("email", "email_confirmed_at"), ("phone", "phone_confirmed_at"))
    for name, since in confirmed:
        text = body.get(name)
        if isinstance(text, str) and text and body.get(since):
            return "".join(c for c in text if c.isprintable())[:MAX_DISPLAY]
    return str(body.get("id"))


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if value not in (True, False, None):
        raise _Odd
    return bool(value)


def _time(value: object) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        parsed = datetime.fromisoformat(str(value))
    except ValueError:
        raise _Odd from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _factors(value: object) -> list[Factor]:
    """Only the verified ones: an enrolment begun and left must not lock anybody out."""
    found = []
    for one in _objects(value):
        if one.get("status") != "verified":
            continue
        kind, name, phone = one.get("factor_type"), one.get("id"), one.get("phone")
        if not isinstance(kind, str) or not isinstance(name, str) or not is_uuid(name):
            raise _Odd
        found.append(Factor(name, kind, phone if isinstance(phone, str) else ""))
    return found


def _identities(value: object) -> list[Identity]:
    found = []
    for one in _objects(value):
        data = one.get("identity_data")
        verified = isinstance(data, dict) and data.get("email_verified") is True
        used = one.get("last_sign_in_at")
        found.append(Identity(str(one.get("provider")), verified, str(used or "")))
    return found


def _objects(value: object) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _Odd
    return value

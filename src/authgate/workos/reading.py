"""WorkOS's answers read strictly, as far as they matter here; raises `Odd` for the wrong shape.

The SDK's models want every field they know, and fail on a user whose picture is missing. After a
single-use code was spent that would end a sign-in for nothing, so what is read is the answer.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import datetime
from typing import Any

from authgate.workos.values import (
    Application,
    Authenticated,
    Completed,
    Done,
    Factor,
    Identity,
    OAuthResource,
    Organization,
    Session,
    StepUp,
    WorkOSUser,
)

MAX_TEXT = 4096
_ID = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


class Odd(Exception):
    """A shape that cannot be trusted."""


def user(body: Any) -> WorkOSUser:
    """A user object."""
    known = _object(body)
    verified = known.get("email_verified")
    if not isinstance(verified, bool):
        raise Odd
    return WorkOSUser(
        id=_id(known.get("id")),
        email=_text(known.get("email")),
        email_verified=verified,
        external_id=_text(known["external_id"]) if known.get("external_id") else None,
        name=_name(known),
        updated_at=_time(known.get("updated_at")),
    )


def users(body: Any) -> tuple[WorkOSUser, ...]:
    """A page of users."""
    return tuple(user(one) for one in _listed(body))


def identities(body: Any) -> tuple[Identity, ...]:
    """A user's identities: a bare array, where WorkOS has envelopes otherwise."""
    return tuple(
        Identity(provider(_text(one.get("provider"))), _text(one.get("idp_id")))
        for one in _objects(body)
    )


def provider(spelled: str) -> str:
    """GitHubOAuth at one endpoint is GithubOAuth at another, and github here."""
    return spelled.lower().removesuffix("oauth")


def authenticated(body: Any) -> Authenticated:
    """A completed sign-in."""
    known = _object(body)
    method = known.get("authentication_method")
    return Authenticated(
        user=user(known.get("user")),
        method=method if isinstance(method, str) else "",
        session_id=_session_id(known.get("access_token")),
        impersonated=known.get("impersonator") is not None or method == "Impersonation",
    )


def completed(body: Any) -> Completed:
    """Where AuthKit goes on."""
    return Completed(_text(_object(body).get("redirect_uri")))


def challenge(body: Any) -> str:
    """The id of a factor's challenge."""
    return _id(_object(body).get("id"))


def sessions(body: Any) -> tuple[Session, ...]:
    """A page of a user's sessions."""
    return tuple(
        Session(_id(one.get("id")), _id(one.get("user_id")), one.get("status") == "active")
        for one in _listed(body)
    )


def applications(body: Any) -> tuple[Application, ...]:
    """A page of the applications that a user authorized."""
    return tuple(_application(one) for one in _listed(body))


def oauth_resources(body: Any) -> tuple[OAuthResource, ...]:
    """A page of resource indicators."""
    return tuple(
        OAuthResource(_id(one.get("id")), _text(one.get("uri")), one.get("default") is True)
        for one in _listed(body)
    )


def redirect_uris(body: Any) -> tuple[str, ...]:
    """A page of the environment's redirect URIs."""
    return tuple(_text(one.get("uri")) for one in _listed(body))


def done(body: Any) -> Done:
    """A status is the whole answer."""
    return Done()


def after(body: Any) -> str | None:
    """The cursor of a page's next one."""
    metadata = body.get("list_metadata") if isinstance(body, dict) else None
    cursor = metadata.get("after") if isinstance(metadata, dict) else None
    return cursor if isinstance(cursor, str) and cursor else None


def code(body: Any) -> str | None:
    """The error's code in either of its shapes. `{"error": "Bad Request"}` has none: that is the
    name of a status. Anything that is no plain name stays out, since codes are compared and logged.
    """
    if not isinstance(body, dict):
        return None
    for found in (body.get("code"), body.get("error")):
        if isinstance(found, str) and re.fullmatch(r"[a-z][a-z0-9_]{1,79}", found, re.ASCII):
            return found
    return None


def step_up(body: Any) -> StepUp | None:
    """What a sign-in can go on with; None where it cannot."""
    token = body.get("pending_authentication_token") if isinstance(body, dict) else None
    if not isinstance(token, str) or not 0 < len(token) <= MAX_TEXT:
        return None
    whom = body.get("user")
    email = body.get("email") or (whom.get("email") if isinstance(whom, dict) else None)
    try:
        return StepUp(
            token,
            email if isinstance(email, str) else None,
            tuple(
                Factor(_id(one.get("id")), str(one.get("type")))
                for one in _objects(body.get("authentication_factors") or [])
            ),
            tuple(
                Organization(_id(one.get("id")), str(one.get("name", ""))[:200])
                for one in _objects(body.get("organizations") or [])
            ),
        )
    except Odd:
        return None


def _application(known: dict[str, Any]) -> Application:
    inner, scopes = known.get("application"), known.get("granted_scopes")
    about = inner if isinstance(inner, dict) else {}
    client_id, resource = about.get("client_id"), known.get("oauth_resource")
    return Application(
        # The id of the application, and not of this authorization, is what can be deleted.
        id=_id(about.get("id") or known.get("id")),
        client_id=client_id if isinstance(client_id, str) else None,
        name=str(about.get("name") or "")[:200],
        scopes=tuple(one for one in scopes if isinstance(one, str))
        if isinstance(scopes, list)
        else (),
        resource=resource if isinstance(resource, str) else None,
    )


def _session_id(token: object) -> str | None:
    """The `sid` of a session token. Unverified: it came from WorkOS itself a moment ago, and is
    used for nothing but to end that session."""
    try:
        _, body, _ = token.split(".") if isinstance(token, str) else ("", "", "")
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    sid = claims.get("sid") if isinstance(claims, dict) else None
    return sid if isinstance(sid, str) and _ID.fullmatch(sid) else None


def _name(known: dict[str, Any]) -> str | None:
    whole = known.get("name")
    parts = [whole] if whole else [known.get("first_name"), known.get("last_name")]
    return " ".join(one for one in parts if isinstance(one, str) and one)[:200] or None


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Odd
    return value


def _objects(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Odd
    return value


def _listed(body: Any) -> list[dict[str, Any]]:
    return _objects(_object(body).get("data"))


def _id(value: object) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Odd
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT:
        raise Odd
    return value

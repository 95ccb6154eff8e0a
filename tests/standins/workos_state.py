"""What the WorkOS stand-in remembers, and how its environment is set up.

`Environment` is the dashboard: knobs, clock, keys and both origins. The parts of the stand-in hold
it and nothing of each other.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

SCOPES = ("email", "offline_access", "openid", "profile")
FLOW_LASTS = 300
CODE_LASTS = 300
PENDING_LASTS = 600
MOST = 5_000

V = TypeVar("V")


class Bounded(OrderedDict[str, V], Generic[V]):
    """A dict that forgets its oldest entry instead of growing for ever."""

    def __setitem__(self, key: str, value: V) -> None:
        super().__setitem__(key, value)
        while len(self) > MOST:
            self.popitem(last=False)


class Clock:
    """The stand-in's time; `move(301)` outlasts an access token without waiting."""

    def __init__(self) -> None:
        self.shift = 0.0

    def now(self) -> float:
        return time.time() + self.shift

    def move(self, seconds: float) -> None:
        self.shift += seconds


@dataclass(frozen=True)
class Person:
    """Somebody who can be picked at the fake GitHub or Google, and what WorkOS then asks of them.

    `id` is the provider's own; `provider` is spelled as for `/user_management/authorize`.
    """

    id: str
    email: str
    provider: str = "GitHubOAuth"
    email_verified: bool = True
    first_name: str | None = None
    last_name: str | None = None
    email_verification_required: bool = False
    organization_selection_required: bool = False
    mfa_challenge: bool = False
    mfa_enrollment: bool = False
    sso_required: bool = False

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.first_name, self.last_name) if part) or self.email


@dataclass
class User:
    """A user of the environment; `identities` as `GET …/identities` shows them."""

    id: str
    email: str
    email_verified: bool = True
    first_name: str | None = None
    last_name: str | None = None
    name: str | None = None
    external_id: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    locale: str | None = None
    password: str | None = None
    email_locked: bool = False
    """An organization owns the address: `email_change_not_allowed`."""
    created: float = 0.0
    updated: float = 0.0
    last_sign_in: float | None = None
    identities: list[dict[str, str]] = field(default_factory=list)

    def body(self) -> dict[str, Any]:
        parts = [part for part in (self.first_name, self.last_name) if part]
        return {
            "object": "user",
            "id": self.id,
            "email": self.email,
            "email_verified": self.email_verified,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "name": self.name or " ".join(parts) or None,
            "profile_picture_url": None,
            "external_id": self.external_id,
            "metadata": self.metadata,
            "locale": self.locale,
            "last_sign_in_at": stamp(self.last_sign_in) if self.last_sign_in else None,
            "created_at": stamp(self.created),
            "updated_at": stamp(self.updated),
        }


@dataclass
class Session:
    """A User-Management session. `refresh` is the one refresh token that is good now."""

    id: str
    user_id: str
    auth_method: str
    created: float
    organization_id: str | None = None
    ended: float | None = None
    refresh: str = ""
    user_agent: str | None = None
    ip_address: str | None = None

    def body(self) -> dict[str, Any]:
        return {
            "object": "session",
            "id": self.id,
            "user_id": self.user_id,
            "auth_method": self.auth_method,
            "status": "active" if self.ended is None else "revoked",
            "organization_id": self.organization_id,
            "ip_address": self.ip_address,
            "user_agent": self.user_agent,
            "impersonator": None,
            "expires_at": stamp(self.created + 7 * 86_400),
            "ended_at": stamp(self.ended) if self.ended else None,
            "created_at": stamp(self.created),
            "updated_at": stamp(self.ended or self.created),
        }


@dataclass
class Attempt:
    """A User-Management sign-in on its way; `done` are the steps asked and fulfilled."""

    began: float
    redirect_uri: str
    state: str | None
    challenge: str | None
    provider: str
    person: Person | None = None
    user_id: str | None = None
    method: str = ""
    organization_id: str | None = None
    verification_code: str = ""
    tries: int = 0
    done: set[str] = field(default_factory=set)


@dataclass
class Application:
    """An OAuth client: registered by itself (`dynamic`), by the API, or known by its document."""

    id: str
    client_id: str
    name: str
    redirect_uris: list[str]
    auth_method: str = "none"
    secrets: dict[str, str] = field(default_factory=dict)
    """Id of a client secret -> the secret."""
    dynamic: bool = False
    first_party: bool = False
    document: bool = False
    scopes: list[str] = field(default_factory=lambda: list(SCOPES))
    description: str | None = None
    created: float = 0.0
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def public(self) -> bool:
        return self.auth_method == "none"

    def body(self) -> dict[str, Any]:
        return {
            "object": "connect_application",
            "id": self.id,
            "client_id": self.client_id,
            "application_type": "oauth",
            "name": self.name,
            "description": self.description,
            "scopes": self.scopes,
            "redirect_uris": [
                {"uri": uri, "default": at == 0} for at, uri in enumerate(self.redirect_uris)
            ],
            "cors_origins": [],
            "uses_pkce": True,
            "is_first_party": self.first_party,
            "was_dynamically_registered": self.dynamic,
            "organization_id": None,
            "created_at": stamp(self.created),
            "updated_at": stamp(self.created),
        }


@dataclass
class Flow:
    """An authorization request at AuthKit, from /oauth2/authorize to its code."""

    id: str
    began: float
    client_id: str
    redirect_uri: str
    state: str | None
    scopes: list[str]
    challenge: str | None
    resource: str | None
    nonce: str | None
    handshake: str
    """The value of the cookie of the browser that it began in."""
    session_id: str = ""
    user_id: str | None = None
    returned: str = ""
    """The opaque state of the URL that `complete` gave."""
    options: list[dict[str, Any]] = field(default_factory=list)
    """`user_consent_options` of the completion call."""
    completed: bool = False
    decided: bool = False


@dataclass
class Consent:
    """What a person granted to a client, at one resource. Its end ends the refresh tokens."""

    id: str
    user_id: str
    client_id: str
    scopes: list[str]
    resource: str | None
    claims: dict[str, str]
    created: float
    ended: bool = False


@dataclass
class Code:
    """An AuthKit authorization code."""

    flow: Flow
    consent_id: str
    made: float
    used: bool = False


@dataclass
class Refresh:
    """An AuthKit refresh token; good once."""

    consent_id: str
    scopes: list[str]
    audience: str
    made: float
    used: bool = False


@dataclass
class Factor:
    """An authenticator of a user; `challenges` are ids with their end."""

    id: str
    user_id: str
    secret: str
    created: float
    challenges: dict[str, float] = field(default_factory=dict)


class State:
    """Everything there is, each kind bounded."""

    def __init__(self) -> None:
        self.users: Bounded[User] = Bounded()
        self.sessions: Bounded[Session] = Bounded()
        self.links: Bounded[str] = Bounded()
        """`<provider>:<the provider's user id>` -> WorkOS user id."""
        self.attempts: Bounded[Attempt] = Bounded()
        self.codes: Bounded[Code] = Bounded()
        """Of AuthKit; those of User Management are `login_codes`."""
        self.login_codes: Bounded[Attempt] = Bounded()
        self.pending: Bounded[Attempt] = Bounded()
        """Pending authentication token -> the sign-in that waits."""
        self.mails: Bounded[str] = Bounded()
        """E-mail address -> the last code that was sent there."""
        self.factors: Bounded[Factor] = Bounded()
        self.applications: Bounded[Application] = Bounded()
        """By client id."""
        self.flows: Bounded[Flow] = Bounded()
        """By external_auth_id."""
        self.consents: Bounded[Consent] = Bounded()
        self.refresh: Bounded[Refresh] = Bounded()
        self.browsers: Bounded[str] = Bounded()
        """AuthKit's own browser session (a cookie) -> the session that it stands for."""
        self.events: Bounded[dict[str, Any]] = Bounded()
        self.resource_ids: Bounded[str] = Bounded()
        """Resource indicator -> its id at the API."""
        self.organizations: dict[str, str] = {
            "org_01STANDINONE": "First Org",
            "org_01STANDINTWO": "Second Org",
        }


def new_id(kind: str) -> str:
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    return f"{kind}_01" + "".join(secrets.choice(alphabet) for _ in range(24))


def stamp(at: float) -> str:
    shown = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return shown.replace("+00:00", "Z")

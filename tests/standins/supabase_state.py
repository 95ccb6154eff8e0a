"""What the Supabase stand-in remembers: people, sessions, factors, flows; and its options."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
import time
import uuid
from base64 import b32decode, b32encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass
class Options:
    """How the project is set up. The times are those measured on a real server."""

    algorithm: str = "HS256"
    autoconfirm: bool = False
    anonymous: bool = False
    captcha: bool = False
    disable_signup: bool = False
    email: bool = True
    providers: tuple[str, ...] = ("github", "google")
    site_url: str = "http://localhost:3000"
    allow_list: tuple[str, ...] = ()
    rate_limited: bool = True
    forwarding: bool = True
    known_takes: float = 0.084
    unknown_takes: float = 0.006
    prefix: str = "/auth/v1"
    access_lasts: int = 3600
    reuse_interval: float = 0.0
    """Seconds in which a refresh token that was used may be used again."""
    sessions_last: float | None = None
    """The time box of sessions, in seconds."""
    single_session: bool = False


@dataclass
class Factor:
    """A second factor; `secret` of an authenticator in base32."""

    id: str
    kind: str
    status: str = "unverified"
    name: str = ""
    secret: str = ""
    phone: str = ""
    challenges: dict[str, tuple[str, float, str]] = field(default_factory=dict)
    """Challenge id -> address, end, and the code that was sent to a phone."""

    def code(self, at: float | None = None, step: int = 0) -> str:
        """What an authenticator shows (RFC 6238)."""
        return totp(self.secret, time.time() if at is None else at, step)


@dataclass
class User:
    id: str
    email: str = ""
    password: str | None = None
    phone: str = ""
    confirmed: bool = True
    anonymous: bool = False
    sso: bool = False
    banned_until: float | None = None
    deleted: bool = False
    created: float = 0.0
    user_metadata: dict[str, Any] = field(default_factory=dict)
    app_metadata: dict[str, Any] = field(default_factory=dict)
    identities: list[dict[str, Any]] = field(default_factory=list)
    factors: list[Factor] = field(default_factory=list)

    def body(self) -> dict[str, Any]:
        """As `GET /user` shows a person."""
        since = stamp(self.created)
        confirmed = {"email_confirmed_at": since, "confirmed_at": since}
        body: dict[str, Any] = {
            "id": self.id,
            "aud": "authenticated",
            "role": "authenticated",
            "email": self.email,
            "phone": self.phone,
            "app_metadata": self.app_metadata,
            "user_metadata": self.user_metadata,
            "identities": self.identities,
            "created_at": since,
            "updated_at": since,
            "is_anonymous": self.anonymous,
            **(confirmed if self.confirmed and self.email else {}),
        }
        if self.sso:
            body["is_sso_user"] = True
        if self.banned_until is not None:
            body["banned_until"] = stamp(self.banned_until)
        if self.deleted:
            body["deleted_at"] = since
        if self.factors:
            body["factors"] = [factor_body(factor, since) for factor in self.factors]
        return body


@dataclass
class Session:
    id: str
    user: User
    aal: str
    amr: list[dict[str, Any]]
    refresh: list[str] = field(default_factory=list)
    """Its refresh tokens, oldest first. The last is the active one, until all were revoked."""
    parents: dict[str, str] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    """When a refresh token was used or revoked."""
    began: float = 0.0
    refreshed: float = 0.0

    @property
    def active(self) -> str | None:
        last = self.refresh[-1] if self.refresh else ""
        return None if last in self.used else last

    def swap(self, token: str, now: float) -> None:
        """A new refresh token in place of `token`."""
        self.used[token] = self.refreshed = now
        self.refresh.append(new_refresh())
        self.parents[self.refresh[-1]] = token


@dataclass
class Flow:
    """A social sign-in on its way, and the code that it ended with."""

    provider: str
    redirect_to: str
    challenge: str
    method: str
    began: float
    code: str | None = None
    user: User | None = None


@dataclass(frozen=True)
class ProviderPerson:
    """Somebody with an account at GitHub or Google."""

    id: str
    email: str
    verified: bool = True
    name: str = ""


class State:
    """Everything there is. `shift` puts its clock ahead, in seconds."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.shift = 0.0
        self.users: dict[str, User] = {}
        self.sessions: dict[str, Session] = {}
        self.flows: dict[str, Flow] = {}
        self.provider_people: dict[str, list[ProviderPerson]] = {"github": [], "google": []}
        self.buckets: dict[str, tuple[float, float]] = {}
        self.issued: list[str] = []
        """Every access and refresh token that was given out."""
        self.messages: list[tuple[str, str]] = []
        """Phone and code of what was sent."""

    def now(self) -> float:
        return time.time() + self.shift

    def add_user(self, email: str, password: str | None = None, **details: Any) -> User:
        """A new person, with the identity that their e-mail address is."""
        user = User(
            id=str(uuid.uuid4()),
            email=email.lower(),
            password=password,
            created=self.now(),
            **details,
        )
        first = "email"
        if user.email and not user.identities:
            if user.sso:
                first = f"sso:{uuid.uuid4()}"
            self.add_identity(user, first, user.id, user.email, user.confirmed)
        user.app_metadata = {"provider": first, "providers": [first]}
        self.users[user.id] = user
        return user

    def add_identity(
        self, user: User, provider: str, sub: str, email: str, verified: bool
    ) -> dict[str, Any]:
        identity = {
            "identity_id": str(uuid.uuid4()),
            "id": sub,
            "user_id": user.id,
            "provider": provider,
            "identity_data": {"sub": sub, "email": email, "email_verified": verified},
            "email": email,
            "last_sign_in_at": stamp(self.now()),
        }
        user.identities.append(identity)
        return identity

    def add_factor(self, user: User, kind: str = "totp", **details: Any) -> Factor:
        """A verified factor (give `status` for another)."""
        details = {"status": "verified", "name": f"my {kind}", **details}
        secret = b32encode(secrets.token_bytes(20)).decode() if kind == "totp" else ""
        factor = Factor(str(uuid.uuid4()), kind, secret=secret, **details)
        user.factors.append(factor)
        return factor

    def user_by_email(self, email: str) -> User | None:
        """Not SSO users: they never take part in anything that goes by e-mail."""
        for user in self.users.values():
            if user.email == email.lower() and not user.sso and not user.deleted:
                return user
        return None

    def banned(self, user: User) -> bool:
        return user.banned_until is not None and user.banned_until > self.now()

    def remove(self, user: User) -> None:
        self.users.pop(user.id, None)
        self.end_sessions(user)

    def end_sessions(self, user: User, but: Session | None = None) -> None:
        """What a sign-out everywhere does, and a new password, and a deletion."""
        for session in [one for one in self.sessions.values() if one.user is user]:
            if session is not but:
                del self.sessions[session.id]

    def open_session(self, user: User, method: str) -> Session:
        now = self.now()
        entry = {"method": method, "timestamp": int(now)}
        session = Session(str(uuid.uuid4()), user, "aal1", [entry], [new_refresh()])
        session.began = session.refreshed = now
        self.sessions[session.id] = session
        return session

    def over(self, session: Session) -> bool:
        """Does a rule of the project say that this session has had its time?"""
        lasts = self.options.sessions_last
        if lasts is not None and self.now() >= session.began + lasts:
            return True
        others = [one for one in self.sessions.values() if one.user is session.user]
        return self.options.single_session and any(
            one.refreshed > session.refreshed for one in others
        )

    def over_limit(self, address: str) -> bool:
        """150 in five minutes, thirty at once: one bucket an address, shared by all grants."""
        if not self.options.rate_limited:
            return False
        now = self.now()
        left, since = self.buckets.get(address, (30.0, now))
        left = min(30.0, left + (now - since) * 0.5)
        if left < 1:
            self.buckets[address] = (left, now)
            return True
        self.buckets[address] = (left - 1, now)
        return False


def new_refresh() -> str:
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(secrets.choice(alphabet) for _ in range(12))


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def factor_body(factor: Factor, since: str) -> dict[str, Any]:
    body = {
        "id": factor.id,
        "created_at": since,
        "updated_at": since,
        "status": factor.status,
        "friendly_name": factor.name,
        "factor_type": factor.kind,
    }
    return body | ({"phone": factor.phone} if factor.phone else {})


def totp(secret: str, at: float, step: int = 0) -> str:
    """RFC 6238 with SHA-1, thirty seconds and six digits, as every authenticator app does."""
    counter = struct.pack(">Q", int(at // 30) + step)
    digest = hmac.new(b32decode(secret), counter, hashlib.sha1).digest()
    offset = digest[-1] & 0xF
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"

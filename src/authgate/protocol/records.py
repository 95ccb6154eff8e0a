"""The frozen records that rules, steps and stores exchange, and the outcomes a store step can have.

Times are integer seconds since the epoch. A `*_digest` is the lower-case hexadecimal SHA-256 of a
secret value that only its owner holds: no record in this module carries the value itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

AuthMethod = Literal["none", "client_secret_post", "client_secret_basic"]
RequestKind = Literal["browser", "tool", "login"]


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client (RFC 7591 section 2).

    `metadata` holds the remaining registered members (display URLs, contacts and the like) exactly
    as they are echoed to the client; no rule depends on them. `self_registered` tells a client of
    the open registration endpoint from one that an operator vouches for.
    """

    client_id: str
    redirect_uris: tuple[str, ...]
    auth_method: AuthMethod
    grant_types: tuple[str, ...]
    response_types: tuple[str, ...]
    scopes: tuple[str, ...]
    application_type: str
    name: str | None
    metadata: Mapping[str, object]
    issued_at: int
    secret_digest: str | None = field(default=None, repr=False)
    self_registered: bool = True
    last_used_at: int | None = None


@dataclass(frozen=True, slots=True)
class AuthenticatedClient:
    """A client that proved itself at a back-channel endpoint (or is public and may not prove).

    Only `protocol.clients.authenticate` makes one, so a function that takes this type cannot be
    called before client authentication (RFC 6749 section 3.2.1).
    """

    client: Client

    @property
    def client_id(self) -> str:
        return self.client.client_id


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody a directory vouches for.

    `sub` is the home directory's own identifier and never an e-mail address; `display` is what a
    page may show (usually the e-mail address) and is never used to recognise anybody.
    """

    sub: str
    directory: str
    display: str
    methods: tuple[str, ...] = ()
    assurance: int = 1


@dataclass(frozen=True, slots=True)
class PendingFactor:
    """A second factor that is due after a right first one, until `expires_at`.

    It belongs to one authorization request and goes with it: whoever it is about is not signed in
    and has no row of their own. `kind` and `hint` may be shown; `sealed` is for the step that made
    it. `failures` counts wrong answers.
    """

    kind: str
    hint: str
    sealed: str = field(repr=False)
    expires_at: int
    failures: int = 0


@dataclass(frozen=True, slots=True)
class SocialTransaction:
    """One sign-in at a provider, from the hand-off to the return, for one request in one browser.

    `sealed` is for the step that made it. `used_at` is set by the one return that counts. A tool's
    transaction goes on from there: `vouched` is whom the provider stood by (or the factor that
    person still owes), until the same browser consents and a one-time code is handed over.
    """

    transaction_digest: str
    provider: str
    request_digest: str
    kind: RequestKind
    browser_digest: str
    sealed: str = field(repr=False)
    created_at: int
    expires_at: int
    used_at: int | None = None
    vouched: Person | PendingFactor | None = None
    handed_over_at: int | None = None


@dataclass(frozen=True, slots=True)
class HandOver:
    """What a one-time code was good for: the person, or the factor they still owe, and when the
    provider stood by them."""

    vouched: Person | PendingFactor
    authenticated_at: int


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """One validated authorization request that waits for a person (RFC 6749 section 4.1.1).

    The handle whose digest this row has is the `request` in our page URLs, or the `challenge_id` of
    the tools. `browser_digest` binds it to the browser that asked; None for a tool challenge.
    `cross_site` remembers that another site sent the browser here.

    Of kind `login` is a sign-in that another authorization server asked of us: it names no client,
    redirect URI, scope or resource (those are empty), and `external` is that server's own name for
    it, sealed.
    """

    request_digest: str
    kind: RequestKind
    client_id: str
    redirect_uri: str
    state: str | None
    code_challenge: str
    scopes: tuple[str, ...]
    resource: str
    prompt: tuple[str, ...]
    cross_site: bool
    browser_digest: str | None
    created_at: int
    expires_at: int
    answered_at: int | None = None
    factor: PendingFactor | None = None
    external: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A browser session after a successful sign-in. Possession of the cookie is the proof.

    `created_at` is when the sign-in began, before the directory was asked: its word is as old.
    """

    session_digest: str
    person: Person
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Link:
    """That a WorkOS user is this person, who may be several of them.

    `how` says by which rule it was made: `completed` (WorkOS was told the person's own id),
    `identity` (the provider's user id is among the person's identities), `email` (verified on
    both sides, where the operator allows it) or `operator` (said by hand).
    """

    workos_id: str
    sub: str
    how: str
    linked_at: int


@dataclass(frozen=True, slots=True)
class Bar:
    """That nothing issued to this person elsewhere is taken any more, until they sign in anew.

    For tokens that we did not issue, and so cannot end by ending a grant.
    """

    sub: str
    reason: str
    barred_at: int


@dataclass(frozen=True, slots=True)
class KeptSession:
    """A person's session at their directory, encrypted, to ask there whether they are still good.

    One a person: a newer sign-in replaces it. `version` names one state of it and changes with
    every change. `held_until` is until when one holder may refresh it alone.
    """

    sub: str
    sealed: str = field(repr=False)
    version: int
    kept_at: int
    held_until: int = 0


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A static API key that an operator gave out, known by its digest.

    `key_id` and `name` may be shown; `sub` is the operator's name for whoever calls with it.
    `last_used_at` is to the day.
    """

    key_digest: str
    key_id: str
    name: str
    sub: str | None
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None


@dataclass(frozen=True, slots=True)
class UsageRow:
    """How many calls came on one day with one kind of credential from one client.

    `day` is days since the epoch. `kind` is a short word (`none`, `ours`, `supabase`, `api_key`,
    `unknown`); `client` is the client's identifier or the API key's name, or empty. `would_refuse`
    counts those of the `calls` that would not pass if OAuth were required.
    """

    day: int
    kind: str
    client: str
    calls: int
    would_refuse: int


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person allowed one client before: per client, person, redirect host and resource."""

    sub: str
    client_id: str
    redirect_host: str
    resource: str
    scopes: tuple[str, ...]
    granted_at: int


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code as issued (RFC 6749 section 4.1.2), known by its digest.

    `grant_id` is chosen when the code is issued; the grant itself begins with the redemption.
    `failures` counts wrong verifiers; `redeemed_at` is set by the one redemption that won.
    """

    code_digest: str
    grant_id: str
    client_id: str
    redirect_uri: str
    code_challenge: str
    scopes: tuple[str, ...]
    resource: str
    person: Person
    authenticated_at: int
    issued_at: int
    expires_at: int
    failures: int = 0
    redeemed_at: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What one person allowed one client, from the redemption of a code until it ends.

    Every access token names its grant, so ending the grant ends all of them at once. `expires_at`
    is the latest moment at which any token of the grant can still be alive. `vouched_at` is when
    the person's directory last stood by them: a grant may outlive the directory's outage by so much
    and no longer. None in rows of before it was kept.
    """

    grant_id: str
    client_id: str
    person: Person
    scopes: tuple[str, ...]
    resource: str
    authenticated_at: int
    created_at: int
    last_used_at: int
    expires_at: int
    revoked_at: int | None = None
    revoked_reason: str | None = None
    vouched_at: int | None = None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One generation of a grant's refresh token (RFC 6749 section 6), known by its digest.

    `superseded_at` says that a successor was issued; whether the grant was *revoked* is the grant's
    own column, because the two mean different things.
    """

    token_digest: str
    grant_id: str
    issued_at: int
    expires_at: int
    superseded_at: int | None = None
    successor_digest: str | None = None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One signing key as stored: the public half readable, the private half sealed by the vault.

    Published in the JWKS from `created_at`, signs from `signs_from`, leaves the JWKS at
    `retires_at` (None: nothing supersedes it yet).
    """

    kid: str
    algorithm: str
    public_jwk: Mapping[str, str]
    sealed_private: str = field(repr=False)
    created_at: int = 0
    signs_from: int = 0
    retires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A person of the embedded directory as stored. `email_key` is the case-folded address."""

    sub: str
    email: str
    email_key: str
    password_hash: str = field(repr=False)
    created_at: int = 0
    disabled_at: int | None = None


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line of the audit trail: who did what, with which client, from where, how it ended.

    `actor` is a `sub`, `operator` (command line), `schedule` (nobody: it was time) or None for a
    stranger. `detail` never holds a secret, nor a digest of one.
    """

    at: int
    event: str
    outcome: str
    actor: str | None = None
    client_id: str | None = None
    address: str | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


class Approval(Enum):
    """How `Store.approve` ended: exactly one caller ever sees APPROVED for a request."""

    APPROVED = "approved"
    ALREADY_ANSWERED = "already_answered"
    EXPIRED = "expired"


class Redemption(Enum):
    """How `Store.redeem_code` ended: exactly one caller ever sees REDEEMED for a code."""

    REDEEMED = "redeemed"
    REPLAYED = "replayed"
    EXPIRED = "expired"
    SPENT = "spent"


class Rotation(Enum):
    """How `Store.rotate_refresh_token` ended. ROTATED happens once for a token.

    REPEATED: inside the grace window, the successor still unused; same answer again.
    REPLAYED: a used token came back; the grant has been ended by this very call.
    """

    ROTATED = "rotated"
    REPEATED = "repeated"
    REPLAYED = "replayed"
    EXPIRED = "expired"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class RotationOutcome:
    """`successor_digest` and `expires_at` are those of the one successor (ROTATED and REPEATED)."""

    rotation: Rotation
    successor_digest: str | None = None
    expires_at: int | None = None

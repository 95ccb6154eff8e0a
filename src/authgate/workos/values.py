"""What WorkOS can answer, as the rest of the house sees it: small, frozen, checked.

Never here: more of a user than sign-in needs. What WorkOS holds beside it is not even read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class Kind(Enum):
    """Why there is no value."""

    KEY_REFUSED = "key refused"  # 401: WORKOS_API_KEY is wrong, whoever signs in
    REFUSED = "refused"  # WorkOS understood and said no: `code` says why, if it said that
    NOT_FOUND = "not found"  # and said so itself: a page of somebody else's is UNEXPECTED
    LIMITED = "limited"  # 429: `retry_after` in seconds, if it said that
    UNAVAILABLE = "unavailable"  # no connection, no answer in time, or 5xx
    UNEXPECTED = "unexpected"  # an answer that is none of WorkOS's, or one that we cannot read


@dataclass(frozen=True, slots=True)
class Factor:
    """A second factor that a user has at WorkOS. `kind` is `totp` or one that we may not know."""

    id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Organization:
    """One of the organizations that a user may sign in to."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class StepUp:
    """The sign-in was right so far, and `Trouble.code` says what is still due.

    `token` is what the next call needs (WorkOS's `pending_authentication_token`). The rest is there
    as far as the answer had it: `email` is the user's address (with `email_verification_required`,
    where the message went), `factors` come with `mfa_challenge`, `organizations` with
    `organization_selection_required`.
    """

    token: str = field(repr=False)
    email: str | None = field(default=None, repr=False)
    factors: tuple[Factor, ...] = ()
    organizations: tuple[Organization, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """No value. `request_id` is WorkOS's own name of the exchange, for its support; "" if none."""

    kind: Kind
    code: str | None = None
    status: int | None = None
    request_id: str = ""
    retry_after: int | None = None
    step_up: StepUp | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """It happened, and there is no more to say."""


@dataclass(frozen=True, slots=True)
class Completed:
    """AuthKit knows who signed in; the browser goes on at `redirect_uri`, unchecked yet."""

    redirect_uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WorkOSUser:
    """A user of the environment. `external_id` is the application's own id of them."""

    id: str
    email: str
    email_verified: bool
    external_id: str | None = None
    name: str | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """A user's account at a provider.

    `provider` is in our spelling (`github` for WorkOS's GitHubOAuth and GithubOAuth alike),
    `provider_user_id` is the provider's own id of the account.
    """

    provider: str
    provider_user_id: str


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A sign-in that is complete. The session it began at WorkOS is `session_id`.

    `method` is how it began, as WorkOS spells it (`GitHubOAuth`, `Password`); "" if unsaid. The
    session's tokens are not even kept: nothing of ours uses them.
    """

    user: WorkOSUser
    method: str
    session_id: str | None
    impersonated: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """A user's session at WorkOS. `active` is false for one that ended."""

    id: str
    user_id: str
    active: bool


@dataclass(frozen=True, slots=True)
class Application:
    """An application that a user allowed something at AuthKit; `id` is what `disconnect` takes."""

    id: str
    client_id: str | None
    name: str
    scopes: tuple[str, ...]
    resource: str | None


@dataclass(frozen=True, slots=True)
class OAuthResource:
    """A resource indicator that is registered with AuthKit, byte for byte."""

    id: str
    uri: str
    default: bool

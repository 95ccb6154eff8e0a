"""What a directory answers. All doors are here from the start; a directory that lacks a way in says
so in `ways` and refuses the rest, so that adding a directory adds a file and changes none.

Every method returns an outcome value; none raises for what a person or a remote service did. A
directory never tells *why* a sign-in was wrong: a wrong password, an unknown or a disabled person
are one `Refused`, after one and the same time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from authgate.protocol.records import Person


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a sign-in comes from: the address as the trusted proxies tell it."""

    address: str


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways in that a directory offers."""

    password: bool = False
    providers: tuple[str, ...] = ()


class Explain(StrEnum):
    """The keys of `explain`: what a page may say besides the one plain answer.

    Each is either true of everybody (a way in that is closed) or told only to somebody who has
    proved the first factor. `CODE_WRONG` alone leaves the state between two factors standing;
    after any other refusal the person begins again.
    """

    EMAIL_NOT_CONFIRMED = "email_not_confirmed"
    CAPTCHA_REQUIRED = "captcha_required"
    PASSWORDS_OFF = "passwords_off"
    ANONYMOUS = "anonymous"
    CODE_WRONG = "code_wrong"
    CODE_SENT_AGAIN = "code_sent_again"
    FACTOR_MISSING = "factor_missing"
    FACTOR_UNSUPPORTED = "factor_unsupported"
    SIGN_IN_EXPIRED = "sign_in_expired"
    SOCIAL_CANCELLED = "social_cancelled"
    SOCIAL_EMAIL_UNVERIFIED = "social_email_unverified"
    SOCIAL_FACTOR = "social_factor"
    SOCIAL_FAILED = "social_failed"
    SOCIAL_NO_ACCOUNT = "social_no_account"
    SOCIAL_NOT_ALLOWED = "social_not_allowed"
    SOCIAL_NOT_LINKED = "social_not_linked"
    SOCIAL_RETRY = "social_retry"
    SOCIAL_WRONG_PROVIDER = "social_wrong_provider"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The directory vouches for this person."""

    person: Person


@dataclass(frozen=True, slots=True)
class NeedsFactor:
    """The first factor was right, and a second one is due before anything else may happen.

    `kind` is `totp`, `phone` or `email` (a code from a message, where a provider's address is to be
    proven); `hint` may be shown: the last digits of a number, the domain of an address. `sealed` is
    the directory's own state between the two, encrypted by it, at most `expires_in` seconds.
    `answer_factor` too may give one, with `explain`: the earlier state is over, and a code that was
    sent again is due. `account` is under which name wrong codes are to count where nobody typed
    one (after a provider): the one that person would type.
    """

    kind: str
    hint: str
    sealed: str = field(repr=False)
    expires_in: int = 300
    explain: str | None = None
    account: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """No. `explain` is an `Explain` that a page may show, or None for the one plain answer."""

    explain: str | None = None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The directory cannot answer now. `retry_after` in seconds, if it said so."""

    retry_after: int | None = None


SignIn = SignedIn | NeedsFactor | Refused | Unavailable


@dataclass(frozen=True, slots=True)
class SocialStart:
    """Where to send the browser, and what the directory must get back to finish (sealed by it)."""

    url: str
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StillGood:
    """The person may go on; the directory's present word on them."""

    person: Person


@dataclass(frozen=True, slots=True)
class Gone:
    """Deleted, disabled, banned or signed out: what was granted must end."""


Recheck = StillGood | Gone | Unavailable


class Directory(Protocol):
    """Somebody's user store, read-only to us."""

    @property
    def name(self) -> str:
        """What `Person.directory` says."""

    @property
    def ways(self) -> Ways:
        """The ways in as known at this moment; a remote directory may change its mind."""

    @property
    def can_recheck(self) -> bool:
        """Without it `recheck` can tell nothing: what was granted must end by itself, and soon."""

    @property
    def confirms_addresses(self) -> bool:
        """Whether an e-mail address in `Person.display` was proven to be that person's own.

        As known at this moment, and False while it is not: an address that anybody may have typed
        must join nobody to an account elsewhere.
        """

    async def sign_in_with_password(self, username: str, password: str, visitor: Visitor) -> SignIn:
        """Judge a user name (an e-mail address) and a password."""

    async def answer_factor(self, sealed: str, answer: str, visitor: Visitor) -> SignIn:
        """Judge a second factor for the `NeedsFactor.sealed` of the first.

        How often somebody may answer is the caller's to bound.
        """

    async def start_social(
        self, provider: str, callback_url: str, transaction: str
    ) -> SocialStart | Refused | Unavailable:
        """Begin a sign-in at `provider`.

        `transaction` comes back to `callback_url` in the query, as `tx` or as `state`. It is a
        name and no secret: it passes through other people's servers and their logs.
        """

    async def finish_social(
        self, provider: str, sealed: str, answer: Mapping[str, str], visitor: Visitor
    ) -> SignIn:
        """Judge what the provider's redirect brought back."""

    async def recheck(self, sub: str) -> Recheck:
        """Is this person still one who may be signed in?"""

"""What is remembered, as a contract: one method is one protocol step with one deciding statement.

Every engine keeps the same promises (the suite in tests/store/contract holds them to it, races
included). Reads return records as they are; a method that settles a race returns an outcome value.
No method waits for a network other than the database's own, none hands out a transaction, and
every audit event is written in the transaction of the step it tells about. Anything the engine
cannot do now (locked, full, unreachable) raises `StoreUnavailable`, and then nothing was changed;
but where the database is another process, its answer may be lost after the deed (the connection
broke, the deadline passed), and then the whole step was done or nothing of it. A caller who leaves
takes nothing along: the step comes to its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

from authgate.protocol.records import (
    Account,
    ApiKey,
    Approval,
    AuditEvent,
    AuthorizationRequest,
    Bar,
    Client,
    Code,
    Consent,
    Grant,
    HandOver,
    KeptSession,
    Link,
    PendingFactor,
    Person,
    Redemption,
    RefreshToken,
    RotationOutcome,
    Session,
    SocialTransaction,
    UsageRow,
)
from authgate.store.contract_upkeep import KeysAndTrail


class StoreUnavailable(Exception):
    """The store cannot answer now; the same call may succeed later.

    Nothing was changed, unless the answer was lost on the way: then all of the step may be done.
    """


class StoreTooNew(Exception):
    """The database was written by a newer version of authgate than this one."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How many rows one sweep removed."""

    requests: int = 0
    codes: int = 0
    refresh_tokens: int = 0
    grants: int = 0
    sessions: int = 0
    clients: int = 0
    transactions: int = 0
    events: int = 0
    usage: int = 0
    audit: int = 0
    kept_sessions: int = 0

    @property
    def total(self) -> int:
        return sum(getattr(self, field.name) for field in fields(self))


class Store(KeysAndTrail, Protocol):
    """The whole memory of authgate."""

    # --- life -------------------------------------------------------------------------------

    async def open(self) -> None:
        """Create or migrate the schema, then get ready. Raises `StoreTooNew`."""

    async def pending(self) -> Sequence[str]:
        """The revisions by which `open` would bring the schema up, oldest first; changes nothing.

        Need not be open. Raises `StoreTooNew`.
        """

    async def close(self) -> None:
        """Finish what was accepted, then let go of the engine. Safe to call twice."""

    async def ping(self) -> None:
        """Return if the store can read and write; raise `StoreUnavailable` otherwise."""

    async def clock(self) -> float | None:
        """The time that all nodes share, in seconds since the epoch; None if there is only ours."""

    async def sweep(
        self, now: int, *, access_ttl: int, audit_days: int = 0, batch: int = 500
    ) -> Swept:
        """Remove at most `batch` rows of each kind that nothing can need any more.

        Requests and sign-ins at a provider go ten minutes after their end (anybody may open
        them), sessions an hour after theirs, and what a second factor needed as soon as its time
        is over. A code goes 30 days after its end if it was redeemed (a replay must be told from
        a stranger), else after an hour. A grant with its refresh tokens goes when it ended
        (expired or revoked) more than 30 days and `access_ttl` seconds ago. A client that
        registered itself goes when it has no live grant (not revoked, not expired), no open
        request and no code to redeem, and was unused for 90 days (24 hours if never used since
        registration). One that an operator vouches for stays. An event that was told goes after
        7 days, a day's counts of usage after 90. A session kept at a person's directory goes when
        it was not refreshed for 90 days and the person has no live grant. The trail is kept for
        `audit_days`, and for ever with 0.
        """

    # --- clients ----------------------------------------------------------------------------

    async def register_client(self, client: Client, audit: AuditEvent) -> None:
        """Keep a new client. The identifier is 128 random bits or more: a clash is a fault."""

    async def client(self, client_id: str) -> Client | None:
        """The client with exactly this identifier."""

    async def clients(self, *, limit: int = 1000, after: str = "") -> Sequence[Client]:
        """Clients ordered by identifier, beginning after `after`."""

    async def remove_client(self, client_id: str, now: int, audit: AuditEvent) -> bool:
        """Remove a client and end its grants (reason `client_removed`). False: there was none."""

    # --- authorization requests -------------------------------------------------------------

    async def open_request(self, request: AuthorizationRequest) -> None:
        """Keep a validated authorization request until it is answered or expires."""

    async def request(self, request_digest: str) -> AuthorizationRequest | None:
        """The request with this digest, answered or expired ones included until swept."""

    async def approve(
        self,
        request_digest: str,
        code: Code,
        consent: Consent | None,
        now: int,
        audit: AuditEvent,
    ) -> Approval:
        """Answer a request with a code: exactly one caller gets APPROVED.

        Decided by one statement (answered_at set where it was empty and the request has not
        expired at `now`). With APPROVED the code is kept, and `consent` (if given) replaces what
        was remembered for the same person, client, redirect host and resource.
        """

    async def deny(self, request_digest: str, now: int, audit: AuditEvent) -> Approval:
        """Answer a request without a code (a no, or a login); the same deciding statement as
        `approve`."""

    async def reopen_login(self, request_digest: str, answered_at: int, audit: AuditEvent) -> bool:
        """Take back the answer that a login was given at `answered_at`: its asker did not take it.

        One statement decides: that very answer, and only a login's. False: there is none such.
        """

    async def await_factor(self, request_digest: str, factor: PendingFactor, now: int) -> bool:
        """Keep what a second factor needs in the request's row, replacing an older one.

        One statement decides: only while the request is unanswered and unexpired at `now`. It goes
        with the row, with the answer (`approve` and `deny` clear it), and when its time is over.
        """

    async def count_factor_failure(self, request_digest: str, limit: int) -> int:
        """Count one wrong answer to the pending factor; returns the failures so far.

        At `limit` the factor is cleared by the same statement, so that the password is due again.
        Without a pending factor there is nothing left to try: `limit`.
        """

    async def settle_factor(self, request_digest: str, sealed: str) -> bool:
        """Clear exactly this pending factor: of two right answers at once one gets True."""

    # --- sign-ins at a provider -------------------------------------------------------------

    async def open_transaction(self, transaction: SocialTransaction) -> None:
        """Keep a sign-in that leaves for a provider."""

    async def transaction(self, transaction_digest: str) -> SocialTransaction | None:
        """The transaction, used and expired ones included until swept or handed over."""

    async def take_transaction(
        self, transaction_digest: str, browser_digest: str, now: int
    ) -> bool:
        """Spend a transaction on a return from the provider: exactly one return gets True.

        One statement decides: used_at set where it was empty, in this browser, unexpired at `now`.
        """

    async def vouch_transaction(
        self, transaction_digest: str, vouched: Person | PendingFactor
    ) -> bool:
        """Keep whom the provider stood by until the browser consents; once, and only after the
        transaction was taken."""

    async def issue_hand_over(
        self,
        transaction_digest: str,
        browser_digest: str,
        code_digest: str,
        code_expires_at: int,
        now: int,
        audit: AuditEvent,
    ) -> bool:
        """Give a tool's transaction its one-time code: exactly one caller gets True.

        One statement decides: handed_over_at set where it was empty, in this browser, with
        somebody vouched for, while neither the transaction nor its challenge has expired at `now`
        and the challenge is unanswered.
        """

    async def take_hand_over(
        self, code_digest: str, request_digest: str, provider: str, now: int
    ) -> HandOver | None:
        """Spend a one-time code for exactly this challenge and provider: one caller gets it.

        One statement decides, and removes the row. Anything that does not fit changes nothing, so
        a code that is sent with the wrong challenge is still good for the right one.
        """

    async def consent(
        self, sub: str, client_id: str, redirect_host: str, resource: str
    ) -> Consent | None:
        """What this person allowed this client at this redirect host for this resource."""

    # --- codes and grants -------------------------------------------------------------------

    async def code(self, code_digest: str) -> Code | None:
        """The code as issued, redeemed ones included until swept."""

    async def count_code_failure(self, code_digest: str, limit: int) -> int:
        """Count one wrong verifier; returns the failures so far. Never counts beyond `limit`."""

    async def redeem_code(
        self,
        code_digest: str,
        grant: Grant,
        refresh_token: RefreshToken | None,
        now: int,
        audit: AuditEvent,
        *,
        failure_limit: int,
    ) -> Redemption:
        """Spend a code and begin its grant, in one transaction; exactly one caller wins.

        One statement decides: redeemed_at set where it was empty, not expired at `now`, fewer
        failures than `failure_limit`. REPLAYED when it was redeemed before: then the grant that
        the code began is ended by this call (reason `code_replayed`). Call it only after client,
        redirect URI and PKCE were right, or a stranger could end a grant. Also stamps the client
        as used (at most once a day). A code that is unknown was swept: EXPIRED.
        """

    async def refresh_token(self, token_digest: str) -> tuple[RefreshToken, Grant] | None:
        """The refresh token with its grant, superseded and ended ones included until swept."""

    async def rotate_refresh_token(  # noqa: PLR0913, PLR0917 (one step, one call)
        self,
        token_digest: str,
        successor: RefreshToken,
        grant_expires_at: int,
        now: int,
        grace: int,
        audit: AuditEvent,
        vouched_at: int | None = None,
    ) -> RotationOutcome:
        """Replace a refresh token by its one successor; exactly one caller sees ROTATED.

        One statement decides: superseded_at set where it was empty, the token not expired at
        `now` and its grant not revoked. Otherwise the row tells why: `grace` seconds
        (inclusive) after it was superseded, and while the successor itself is not superseded, the
        answer is REPEATED; else a superseded token ends its grant (reason
        `refresh_token_replayed`) and the answer is REPLAYED. A revoked grant is always ENDED.
        `audit` is written for ROTATED; for REPLAYED an event with outcome `replayed`. Stamps the
        client as used, like `redeem_code`. `vouched_at` is kept with the grant when ROTATED; None
        (nobody could be asked) leaves what is there.
        """

    async def grant(self, grant_id: str) -> Grant | None:
        """The grant, ended ones included until swept. This is on the path of every guarded call.

        What this store changed is seen at once, what another one changed within a second; the same
        holds for `client`, `api_key` and `bar_of`. One that is not known yet is always looked for.
        """

    async def grants(
        self, *, sub: str | None = None, client_id: str | None = None, live_at: int | None = None
    ) -> Sequence[Grant]:
        """Grants of a person and/or a client, newest first, at most 1,000."""

    async def end_grant(self, grant_id: str, reason: str, now: int, audit: AuditEvent) -> bool:
        """End a grant and with it every token it ever gave. False: unknown or ended before."""

    async def end_grants_of(self, sub: str, reason: str, now: int, audit: AuditEvent) -> int:
        """End all live grants and browser sessions of a person; returns how many grants.

        A code that this person has not redeemed yet expires with them, here and wherever a person
        or a client is sent away: it would begin a grant a moment after. So does what a provider
        has just said of this person.
        """

    # --- browser sessions -------------------------------------------------------------------

    async def open_session(self, session: Session, audit: AuditEvent) -> bool:
        """Keep a new browser session, unless its person was barred meanwhile: False, and no audit.

        A bar of before `session.created_at`, the moment when their directory was asked about them,
        is lifted. One of that second or later stands, and there is no session: what the directory
        said may have been true a moment before. (Seconds are all there is to tell by, and a sign-in
        takes less than one.)
        """

    async def session(self, session_digest: str, now: int) -> Session | None:
        """The session if it has not expired."""

    async def close_session(self, session_digest: str, audit: AuditEvent) -> bool:
        """Forget a session. False: there was none."""

    async def close_sessions_of(
        self, sub: str, audit: AuditEvent, begun_by: int | None = None
    ) -> int:
        """Forget all browser sessions of a person; returns how many. Audited if there was one.

        With `begun_by` only those that began then or before: an event of yesterday that arrives
        today is none of today's sessions' business.
        """

    # --- people whom another service knows too ----------------------------------------------

    async def link(self, link: Link, audit: AuditEvent) -> Link:
        """Keep which person a WorkOS user is, unless that is known; returns what holds then.

        One statement decides: the first link of a WorkOS user stands until it is removed, so that
        of two at once nobody's is replaced unheard. `audit` is written for a new one only.
        """

    async def link_of(self, workos_id: str) -> Link | None:
        """The person this WorkOS user is."""

    async def links_to(self, sub: str) -> Sequence[Link]:
        """The WorkOS users that are this person, oldest first."""

    async def unlink(self, workos_id: str, audit: AuditEvent) -> Link | None:
        """Forget a link; returns it. None: there was none, and nothing is audited.

        Nothing else forgets one, `remove_account` neither: without it the WorkOS user would be
        nobody's, and the bar that the removal left would find nobody to bar.
        """

    async def bar(self, sub: str, reason: str, now: int, audit: AuditEvent) -> bool:
        """Take nothing issued to this person elsewhere any more, and close their browser sessions.

        False: they were barred before (the first reason and time stand, nothing is audited).
        Lifted by `open_session` of that person, in the same transaction: whoever signs in anew was
        vouched for since. `end_grants_of`, `set_account_disabled` (to disable) and `remove_account`
        bar too, each in its own transaction. A bar is never swept: tokens that others issue end
        when those others say, and whoever never comes back stays barred. It is a row a person who
        could have been here: whoever bars by what a stranger names sees to that.
        """

    async def bar_of(self, sub: str) -> Bar | None:
        """Whether the person is barred. This is on the path of every guarded call (authkit)."""

    async def first_sight(self, event_id: str, now: int) -> bool:
        """Remember an event that was told to us; exactly one caller gets True for an identifier.

        Swept 7 days later: whoever tells it again by then is told nothing new.
        """

    async def saw(self, event_id: str) -> bool:
        """Whether `first_sight` was told of it. For what is acted on before it is remembered, so
        that trouble in between loses no event."""

    # --- sessions kept at the person's directory ----------------------------------------------

    async def keep_session(self, sub: str, sealed: str, now: int) -> KeptSession | None:
        """Keep a person's session in place of an older one, which is returned.

        Whoever held the older one to refresh it loses: their `replace_kept_session` is False. It
        stays until its owner drops it, or the account goes: `end_grants_of` leaves it, because
        what is ended here may still have to be ended at the directory, and that takes the session.
        """

    async def kept_session(self, sub: str) -> KeptSession | None:
        """The session kept for this person."""

    async def hold_kept_session(self, sub: str, version: int, now: int, until: int) -> bool:
        """Hold a session to refresh it until `until`: exactly one caller gets True.

        One statement decides: this version, and nobody's hold lasts beyond `now`.
        """

    async def replace_kept_session(self, sub: str, version: int, sealed: str, now: int) -> bool:
        """Put the refreshed session in place of `version` and let go of it. False: it changed.

        A version is never used again, also when the session was dropped and another is kept.
        """

    async def drop_kept_session(self, sub: str, version: int) -> bool:
        """Forget exactly this version. False: it changed, or was dropped before."""

    # --- static API keys ----------------------------------------------------------------------

    async def add_api_key(self, key: ApiKey, audit: AuditEvent) -> None:
        """Keep a new API key. The key and its identifier are random: a clash is a fault."""

    async def api_key(self, key_digest: str) -> ApiKey | None:
        """The API key with this digest, revoked and expired ones included: none is ever swept.

        This is on the path of every call with one.
        """

    async def api_keys(self) -> Sequence[ApiKey]:
        """All API keys, oldest first."""

    async def revoke_api_key(self, key_id: str, now: int, audit: AuditEvent) -> bool:
        """Revoke an API key, from the next call on. False: unknown, or revoked before.

        Nothing else does: a key is the operator's, also where its `sub` is a person we know.
        """

    async def touch_api_key(self, key_digest: str, day: int) -> None:
        """Remember that a key was used on `day` (days since the epoch), unless a later is known.

        Kept as the second in which that day began. A write like any other: whoever has the key at
        hand calls this for the first call of a day, not for each.
        """

    # --- who still uses what ------------------------------------------------------------------

    async def add_usage(self, counted: Sequence[UsageRow]) -> None:
        """Add these counts to those of the same day, kind and client, all of them or none.

        Every client that is new to its day is a row: whoever counts bounds what a stranger names.
        """

    async def usage(self, since_day: int) -> Sequence[UsageRow]:
        """The counts from that day (days since the epoch) on, by day, kind and client."""

    # --- people of the embedded directory ---------------------------------------------------

    async def account_by_email(self, email_key: str) -> Account | None:
        """The account with this case-folded address."""

    async def account(self, sub: str) -> Account | None:
        """The account with this identifier."""

    async def accounts(self) -> Sequence[Account]:
        """All accounts, ordered by address."""

    async def add_account(self, account: Account, audit: AuditEvent) -> bool:
        """Keep a new account. False: the address is taken."""

    async def set_account_disabled(
        self, sub: str, disabled_at: int | None, now: int, audit: AuditEvent
    ) -> bool:
        """Disable (ends the person's grants and sessions) or enable. False: no such account."""

    async def set_account_password(
        self, sub: str, password_hash: str, now: int, audit: AuditEvent
    ) -> bool:
        """Replace the password; ends the person's browser sessions. False: no such account."""

    async def rehash_account_password(self, sub: str, old_hash: str, new_hash: str) -> bool:
        """Replace the stored form of an unchanged password, only where it is still `old_hash`.

        No session ends and nothing is audited: the person's password is the same. False: the
        password was replaced or the account removed meanwhile, and neither is undone.
        """

    async def remove_account(self, sub: str, now: int, audit: AuditEvent) -> bool:
        """Remove an account, its consents and sessions (the kept one too), and end its grants."""

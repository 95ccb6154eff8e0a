"""The people of a Supabase project: their passwords, second factors and GitHub/Google accounts.

Everything is asked at Supabase Auth on every sign-in and nothing is kept but a bounded memory of a
minute and, where the operator wants it, each person's session. This module is the doors; what
stands behind each is a neighbour: `api` (the calls), `errors` (what an error means), `people` (what
an answer says), `standing` and `kept` (the recheck), `candidates` (for a sign-in elsewhere),
`factors`, `social`, `tokens`, `project`, `report`.
Never here: a person told by their e-mail address, or a word of `user_metadata`.
"""

from __future__ import annotations

from collections.abc import Mapping

from authgate.directories.contract import (
    Explain,
    Gone,
    Recheck,
    Refused,
    SignedIn,
    SignIn,
    SocialStart,
    Unavailable,
    Visitor,
    Ways,
)
from authgate.directories.sealed import Sealed
from authgate.directories.supabase.api import Said, SupabaseApi
from authgate.directories.supabase.candidates import Candidates
from authgate.directories.supabase.errors import (
    PASSWORD,
    RETRY_OUTAGE,
    react,
    unexpected,
)
from authgate.directories.supabase.factors import Factors
from authgate.directories.supabase.farewell import Farewells
from authgate.directories.supabase.kept import KeptSessions
from authgate.directories.supabase.keys import ProjectKeys
from authgate.directories.supabase.pace import Pace
from authgate.directories.supabase.people import NAME, Session, is_uuid, read_session
from authgate.directories.supabase.policy import SupabasePolicy
from authgate.directories.supabase.project import PROVIDERS, ProjectSettings
from authgate.directories.supabase.report import Report, startup_report
from authgate.directories.supabase.social import Social, check_identity
from authgate.directories.supabase.standing import Standing
from authgate.directories.supabase.timing import Timing
from authgate.directories.supabase.tokens import AccessTokens, Verdict
from authgate.fetch import Fetch
from authgate.security.addresses import MAX_EMAIL
from authgate.security.vault import Vault
from authgate.store.contract import Store

__all__ = ["SupabaseDirectory", "SupabasePolicy", "Timing"]

MAX_PASSWORD = 1024  # Supabase itself takes 72 bytes; longer ones are simply wrong there


class SupabaseDirectory:
    """Somebody's user store at Supabase, read-only to us. For one event loop."""

    name = NAME

    def __init__(
        self,
        policy: SupabasePolicy,
        fetch: Fetch,
        vault: Vault,
        store: Store,
        timing: Timing | None = None,
    ) -> None:
        when = timing or Timing()
        self.policy = policy
        self._clock = when.clock
        self._api = api = SupabaseApi(fetch, policy, when.sleep)
        self._pace = Pace(policy.refusal_floor, clock=when.monotonic, sleep=when.sleep)
        self._settings = ProjectSettings(api, policy, when.monotonic)
        self._keys = ProjectKeys(api, when.monotonic)
        self._tokens = AccessTokens(api, policy, self._keys, when.clock, when.monotonic)
        self.farewells = Farewells(api)
        between = Sealed(vault, "supabase factor", when.clock)
        self._factors = Factors(api, between, when.clock, self._welcome, self.farewells.say)
        away = Sealed(vault, "supabase social", when.clock)
        self._social = Social(api, policy, away, when.clock)
        self._kept = KeptSessions(api, store, vault, self.farewells, when)
        self._standing = Standing(api, policy, self._kept, when)
        # For a directory that signs in people of this one: what `linking.People` promises.
        self.people = Candidates(api, policy, self._settings, when.clock, self._standing.learn)

    @property
    def ways(self) -> Ways:
        """As the project's settings had it when last heard of."""
        return self._settings.ways

    @property
    def can_recheck(self) -> bool:
        """With the secret key, with people's own sessions, or with both."""
        return self.policy.secret_key is not None or self.policy.keep_session

    @property
    def confirms_addresses(self) -> bool:
        """Not where the project confirms every address by itself (`mailer_autoconfirm`)."""
        return self._settings.confirms_addresses

    async def alive(self) -> bool:
        """Does the project answer at all? (It may refuse the keys: `report` tells that.)"""
        return isinstance(await self._api.public("/health"), Said)

    async def sign_in_with_password(self, username: str, password: str, visitor: Visitor) -> SignIn:
        """Ask Supabase. The plain refusal comes on a beat, also when nobody was asked."""
        if self._pace.full:
            return Unavailable(RETRY_OUTAGE)
        with self._pace as began:
            outcome = await self._password(username.strip(), password, visitor)
            if outcome == Refused():
                await self._pace.next_beat(began)
        return outcome

    async def answer_factor(self, sealed: str, answer: str, visitor: Visitor) -> SignIn:
        """Judge a code; whoever is signed in by it is as fresh as after a password."""
        outcome = await self._factors.answer(sealed, answer, visitor.address)
        if isinstance(outcome, SignedIn):
            self._standing.learn(outcome.person)
        return outcome

    async def start_social(
        self, provider: str, callback_url: str, transaction: str
    ) -> SocialStart | Refused | Unavailable:
        """Only what the project offers at this moment."""
        shut = await self._shut(provider)
        return shut or self._social.start(provider, callback_url, transaction)

    async def finish_social(
        self, provider: str, sealed: str, answer: Mapping[str, str], visitor: Visitor
    ) -> SignIn:
        """Judge what came back, the identity first and then the person as after a password."""
        shut = await self._shut(provider)
        if shut is not None:
            return shut
        session = await self._social.finish(provider, sealed, answer, visitor.address)
        if not isinstance(session, Session):
            return session
        if session.member.anonymous:  # who has no identities either, and this says more
            return await self._settle(session, (), visitor)
        refused = check_identity(session, provider)
        if refused is not None:
            self.farewells.say(session.access_token)
            return refused
        return await self._settle(session, (provider,), visitor)

    async def recheck(self, sub: str) -> Recheck:
        """Ask about a person, at most once a minute each. Unavailable where nobody can be asked."""
        if not is_uuid(sub):
            return Gone()
        if not self.can_recheck:
            await self._kept.let_go(sub)  # of the time before the switch was turned off
            return Unavailable()
        return await self._standing.of(sub)

    async def verify_access_token(self, token: str) -> Verdict:
        """Whose Supabase access token this is (legacy callers; no door of the contract)."""
        return await self._tokens.verify(token)

    async def report(self, callback_url: str) -> Report:
        """What the operator should know at start-up; also learns the project's ways in."""
        return await startup_report(self._api, self.policy, self._settings, callback_url)

    async def close(self) -> None:
        """Let the last sign-outs end and drop the rest. `fetch` is its maker's to close."""
        await self.farewells.close()
        for part in (self._settings, self._keys, self._tokens, self._standing):
            await part.close()

    async def _password(self, email: str, password: str, visitor: Visitor) -> SignIn:
        if not _can_be_sent(email, password):
            return Refused()
        reply = await self._api.password_grant(email, password, visitor.address)
        if not isinstance(reply, Said) or not reply.ok:
            return react(reply, PASSWORD, "password")
        session = read_session(reply.body)
        if session is None:
            return unexpected(reply, "password")
        return await self._settle(session, ("pwd",), visitor)

    async def _settle(self, session: Session, methods: tuple[str, ...], visitor: Visitor) -> SignIn:
        """What a right first factor is worth. Supabase itself would stop at none of these."""
        member = session.member
        if member.factors and not member.anonymous and not member.shut_out(self._clock()):
            return await self._factors.begin(session, methods, visitor.address)
        refused = self._refused(session)
        if refused is not None:
            self.farewells.say(session.access_token)
            return refused
        await self._welcome(session)
        person = member.person(methods)
        self._standing.learn(person)
        return SignedIn(person)

    def _refused(self, session: Session) -> Refused | None:
        if session.member.shut_out(self._clock()):
            return Refused()
        if session.member.anonymous:
            return Refused(Explain.ANONYMOUS)
        return Refused(Explain.FACTOR_MISSING) if self.policy.require_aal2 else None

    async def _shut(self, provider: str) -> Refused | Unavailable | None:
        if provider not in PROVIDERS:
            return Refused()
        ways = await self._settings.present_ways()
        if isinstance(ways, Unavailable):
            return ways
        return None if provider in ways.providers else Refused()

    async def _welcome(self, session: Session) -> None:
        """What happens at Supabase to the session of somebody who is signed in."""
        if self.policy.keep_session:
            await self._kept.keep(session)
            return
        self.farewells.say(session.access_token)
        await self._kept.let_go(session.member.sub)


def _can_be_sent(email: str, password: str) -> bool:
    """What no account can have is not asked for: a NUL is a fault of their database's, and a lone
    surrogate is no JSON."""
    if not 0 < len(email) <= MAX_EMAIL or not email.isprintable():
        return False
    return 0 < len(password) <= MAX_PASSWORD and not any(
        "\ud800" <= c <= "\udfff" for c in password
    )

"""The doors of WorkOS as a way to sign in: no passwords, and no person of ours by its word alone.

Where the people are in Supabase, whoever signs in here is one of them or nobody, and is Supabase's
person from then on. Elsewhere they are WorkOS's own, by its `user_…` id. Never here: a person found
by an address that was not proven, or a word of a user's metadata.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from authgate.directories.contract import (
    Explain,
    Gone,
    Recheck,
    Refused,
    SignedIn,
    SignIn,
    SocialStart,
    StillGood,
    Unavailable,
    Visitor,
    Ways,
)
from authgate.directories.linking import People
from authgate.directories.recent import Recent
from authgate.directories.sealed import Sealed
from authgate.directories.workos.errors import SIGN_IN, react
from authgate.directories.workos.farewell import Farewells
from authgate.directories.workos.linking import Linking, Links
from authgate.directories.workos.pending import Passed, Pending
from authgate.directories.workos.social import SPELLED, Social, proved_at
from authgate.observe import log
from authgate.protocol.records import Person
from authgate.security.vault import Vault
from authgate.workos import Authenticated, Kind, Origin, WorkOS, WorkOSUser

NAME = "workos"
MAX_DISPLAY = 320
RECHECK_AT_MOST_EVERY = 60.0
RECHECK_TROUBLE = 5.0

_ID = re.compile(r"user_[0-9A-Za-z]{1,64}", re.ASCII)  # the only form that a `sub` of WorkOS's has


@dataclass(frozen=True, slots=True)
class WorkOSDirectoryPolicy:
    """`providers` are offered, in our names. `by_address`: link by a proven address (rule 3)."""

    providers: tuple[str, ...]
    by_address: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """`clock` in seconds since the epoch, `monotonic` for what is remembered."""

    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Home:
    """Where the people are who sign in through WorkOS, and what remembers which is whom."""

    people: People
    links: Links


class WorkOSDirectory:
    """`home` None: the people are WorkOS's own. For one event loop."""

    name = NAME
    can_recheck = True
    confirms_addresses = True  # `Person.display` holds an address only once WorkOS verified it

    def __init__(
        self,
        policy: WorkOSDirectoryPolicy,
        workos: WorkOS,
        vault: Vault,
        home: Home | None = None,
        timing: Timing | None = None,
    ) -> None:
        when = timing or Timing()
        self.policy = policy
        self._workos = workos
        self._social = Social(workos, Sealed(vault, "workos social", when.clock), when.clock)
        self._pending = Pending(workos, Sealed(vault, "workos factor", when.clock), when.clock)
        self._linking = None
        if home is not None:
            self._linking = Linking(
                workos, home.people, home.links, when.clock, by_address=policy.by_address
            )
        self._standing: Recent[Recheck] = Recent(_keep_standing, clock=when.monotonic)
        self.farewells = Farewells(workos)

    @property
    def ways(self) -> Ways:
        """What the operator chose; WorkOS tells nobody what is switched on there."""
        return Ways(False, self.policy.providers)

    async def sign_in_with_password(self, username: str, password: str, visitor: Visitor) -> SignIn:
        """Never: passwords have another owner, and are not sent to a second one."""
        return Refused(Explain.PASSWORDS_OFF)

    async def start_social(
        self, provider: str, callback_url: str, transaction: str
    ) -> SocialStart | Refused | Unavailable:
        """Without asking WorkOS anything: what is wrong there, its own page tells."""
        if provider not in self.policy.providers or provider not in SPELLED:
            return Refused()
        return await self._social.start(provider, callback_url, transaction)

    async def finish_social(
        self, provider: str, sealed: str, answer: Mapping[str, str], visitor: Visitor
    ) -> SignIn:
        """Judge what came back: the sign-in first, then whose it is."""
        if provider not in self.policy.providers:
            return Refused()
        origin = _origin(visitor)
        came = await self._social.finish(provider, sealed, answer, origin)
        if isinstance(came, Refused):
            return came
        if isinstance(came, Authenticated):
            return await self._settle(Passed(came, provider), visitor)
        further = await self._pending.go_on(came, provider, origin)
        return await self._settle(further, visitor) if isinstance(further, Passed) else further

    async def answer_factor(self, sealed: str, answer: str, visitor: Visitor) -> SignIn:
        """Judge a code that WorkOS asked for, and then whose sign-in that was."""
        outcome = await self._pending.answer(sealed, answer, _origin(visitor))
        return await self._settle(outcome, visitor) if isinstance(outcome, Passed) else outcome

    async def recheck(self, sub: str) -> Recheck:
        """Ask about one of WorkOS's own people, at most once a minute each.

        Where the people are elsewhere, nobody is WorkOS's own any more: who was has to sign in
        again, and is found there.
        """
        if self._linking is not None or not _ID.fullmatch(sub):
            return Gone()
        return await self._standing.get(sub, lambda: self._ask_standing(sub))

    async def close(self) -> None:
        """Let the last sessions end and drop the rest. The client is its maker's to close."""
        await self.farewells.close()
        await self._standing.close()

    async def _settle(self, passed: Passed, visitor: Visitor) -> SignIn:
        """What a sign-in at WorkOS is worth here."""
        signed_in = passed.signed_in
        self.farewells.say(signed_in.session_id)
        if signed_in.impersonated:
            log.warning("workos.impersonation_refused", workos=signed_in.user.id)
            return Refused(Explain.SOCIAL_FAILED)
        used = proved_at(passed.provider, signed_in)
        if used is None:
            log.warning("workos.wrong_provider", provider=passed.provider)
            return Refused(Explain.SOCIAL_WRONG_PROVIDER)
        if self._linking is not None:
            known = await self._linking.whose(signed_in.user, used, visitor.address)
            if isinstance(known, Refused | Unavailable):
                return known
            return SignedIn(replace(known.person, methods=(passed.provider,)))
        person = _own(signed_in.user)
        if not _ID.fullmatch(person.sub):
            log.error("workos.unexpected_answer", call="authenticate", fix="check WORKOS_API_URL")
            return Unavailable()
        # A sign-in is as good as a recheck, so that an outage right after it breaks nothing.
        self._standing.learn(person.sub, StillGood(person))
        proved = ("otp", "mfa") if passed.factor == "totp" else ()
        methods = (passed.provider, *proved)
        return SignedIn(replace(person, methods=methods, assurance=2 if proved else 1))

    async def _ask_standing(self, sub: str) -> Recheck:
        """Only WorkOS's own word ends a grant; a wrong key, URL or gateway never does."""
        found = await self._workos.user(sub)
        if isinstance(found, WorkOSUser):
            return StillGood(_own(found)) if found.id == sub else Unavailable()
        if found.kind is Kind.NOT_FOUND and found.code == "entity_not_found":
            return Gone()
        outcome = react(found, SIGN_IN, "recheck")
        return outcome if isinstance(outcome, Unavailable) else Unavailable()


def _own(user: WorkOSUser) -> Person:
    """A user as a person of WorkOS's own: by the address once it is verified, else by the id."""
    shown = user.email if user.email_verified and user.email.isprintable() else user.id
    return Person(user.id, NAME, shown[:MAX_DISPLAY])


def _origin(visitor: Visitor) -> Origin:
    """An address that is one; a socket's or a test's name is nothing to tell anybody."""
    try:
        return Origin(str(ipaddress.ip_address(visitor.address.partition("%")[0])))
    except ValueError:
        return Origin()


def _keep_standing(value: Recheck) -> float:
    return RECHECK_TROUBLE if isinstance(value, Unavailable) else RECHECK_AT_MOST_EVERY

"""Brakes: failed sign-ins, registrations and wrong client secrets, counted per minute or so.

Moving windows, not fixed ones: a fixed window lets twice the limit through around its border, and
the border is public. The price is one float per counted hit. Only failures count where somebody
proves who they are, so a busy person is never slowed down for being busy. Counters live in this
process (`windows`), or in the limit store of all nodes (`shared_limits`). Then this process counts
what it sees too, so that when the store is lost nobody begins anew, and for one window after its
return both have a say. Never here: HTTP, wording, or the judging itself. Neighbours: `steps` ask
before they verify.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from authgate.security.addresses import fold_email, network_of
from authgate.security.brakes import (
    MAX_RETRY_AFTER,
    Brake,
    LimitMalformed,
    LimitPolicy,
    LimitStoreLost,
    Place,
    parse_limit,
)
from authgate.security.turns import Turns

if TYPE_CHECKING:
    from authgate.security.shared_limits import SharedLimits

__all__ = [
    "MAX_RETRY_AFTER",
    "Attempt",
    "LimitMalformed",
    "LimitPolicy",
    "Throttles",
    "parse_limit",
]

LOOK_AGAIN = 0.1  # seconds: who waits for another node's verdict asks once more, then less often
LOOK_AT_LEAST = 0.8
WAIT_AT_MOST = 20.0


@dataclass(slots=True)
class Attempt:
    """One sign-in under the brakes. `retry_after` in seconds if it may not be judged now.

    Say `failed()` or `succeeded()` before the block ends; say neither when nothing was judged (the
    directory could not answer) or when a second factor is still due: clearing the count after the
    password alone would hand out unlimited guesses at the factor.
    """

    retry_after: int | None = None
    verdict: bool | None = None

    def failed(self) -> None:
        self.verdict = False

    def succeeded(self) -> None:
        self.verdict = True


class Throttles:
    """All brakes of one process. Use from the event loop only; nothing here is locked.

    With `shared` they count together with those of all other processes that have the same one.
    """

    def __init__(
        self,
        policy: LimitPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
        shared: SharedLimits | None = None,
    ) -> None:
        policy = policy or LimitPolicy()
        self._account = Brake("account", policy.sign_in_account, clock)
        self._address = Brake("address", policy.sign_in_address, clock)
        self._factor = Brake("factor", policy.factor, clock)
        self._registration = Brake("registration", policy.registration, clock)
        self._authorization = Brake("authorization", policy.authorization, clock)
        self._client = Brake("client", policy.client_secret, clock)
        self._turns = Turns()
        self._shared = shared
        self._pepper = shared.pepper if shared is not None else secrets.token_bytes(32)

    @property
    def fallbacks(self) -> int:
        """How many decisions this process made alone because the limit store was lost."""
        return self._shared.fallbacks if self._shared is not None else 0

    async def look(self) -> None:
        """See whether the limit store answers, if there is one; what is wrong is logged."""
        if self._shared is not None:
            await self._shared.look()

    async def close(self) -> None:
        """Let the last verdicts reach the limit store, then let go of it."""
        if self._shared is not None:
            await self._shared.close()

    # --- sign-ins -----------------------------------------------------------------------------

    @asynccontextmanager
    async def sign_in(
        self, account: str, address: str, *, factor: bool = False
    ) -> AsyncIterator[Attempt]:
        """Admit one sign-in to be judged, or say when to come back.

        An attempt counts as a possible failure while it is judged: of a parallel burst of wrong
        ones no more reach the hash than the limit has left. An attempt that finds all places taken
        by others still being judged *waits* for their verdict and is not refused: they may all be
        right, and then nobody has failed.

            async with throttles.sign_in(username, visitor.address) as attempt:
                if attempt.retry_after is not None: ...  # 429
                outcome = await directory.sign_in_with_password(...)
                if isinstance(outcome, Refused): attempt.failed()
                elif isinstance(outcome, SignedIn): attempt.succeeded()

        A second `factor` has a slower limit besides: whoever gets here knows the password, and six
        digits at ten tries a minute would be guessed within weeks. A right one clears nothing of
        it: it may be the next guess.
        """
        places = [
            Place(self._account, self._keyed("account", fold_email(account))),
            Place(self._address, self._keyed("from", network_of(address))),
        ]
        if factor:
            places.append(Place(self._factor, places[0].key))
        name = self._shared.new_id() if self._shared is not None else ""
        retry_after = await self._admit(name, places)
        if retry_after is not None:
            yield Attempt(retry_after=retry_after)
            return
        attempt = Attempt()
        try:
            yield attempt
        finally:
            self._settle(places, attempt.verdict)
            if self._shared is not None:
                await self._shared.settle(name, places, attempt.verdict)

    async def _admit(self, name: str, places: list[Place]) -> int | None:
        """Take a turn for all places; seconds to wait instead if a limit is used up."""
        if self._shared is not None:
            with suppress(LimitStoreLost):
                return await self._admit_shared(self._shared, name, places)
        return await self._admit_here(places)

    async def _admit_here(self, places: list[Place]) -> int | None:
        """Between the last look and `enter` nothing is awaited: two cannot take one place."""
        while True:
            blocked = [place.brake.retry_after(place.key) for place in places]
            if any(blocked):
                return max(seconds for seconds in blocked if seconds)
            full = [
                place
                for place in places
                if self._turns.taken(_turn(place)) >= place.brake.remaining(place.key)
            ]
            if not full:
                self._turns.enter(map(_turn, places))
                return None
            if not await self._turns.one_ends(_turn(full[0])):
                return 1  # the line itself is full

    async def _admit_shared(
        self, shared: SharedLimits, name: str, places: list[Place]
    ) -> int | None:
        """The same where all nodes decide together. Raises `LimitStoreLost`.

        Whose verdict is awaited may be another node's, which nobody tells us: hence the looking
        again, and an end to it.
        """
        here = [
            place.brake.retry_after(place.key)
            for place in places
            if shared.back_within(place.brake.seconds)
        ]
        if any(here):
            return max(seconds for seconds in here if seconds)
        patience, pause = time.monotonic() + WAIT_AT_MOST, LOOK_AGAIN
        while True:
            wait, full = await shared.judge(name, places)
            if wait is not None:
                return wait
            if full is None:
                self._turns.enter(map(_turn, places))
                return None
            late = time.monotonic() > patience
            if late or not await self._turns.one_ends(_turn(places[full]), pause):
                return 1
            pause = min(2 * pause, LOOK_AT_LEAST)

    def _settle(self, places: list[Place], verdict: bool | None) -> None:
        if verdict is True:
            places[0].brake.clear(places[0].key)
        elif verdict is False:
            for place in places:
                place.brake.hit(place.key)
        self._turns.leave(map(_turn, places))

    # --- all else -----------------------------------------------------------------------------

    async def hit_registration(self, address: str) -> int | None:
        """Count a registration; seconds to wait if it is one too many (it is then not counted)."""
        return await self._hit(self._registration, self._keyed("from", network_of(address)))

    async def hit_authorization(self, address: str) -> int | None:
        """Count an authorization request that will be kept; seconds to wait if one too many."""
        return await self._hit(self._authorization, self._keyed("from", network_of(address)))

    async def check_client(self, client_id: str, address: str) -> int | None:
        """Seconds to wait before this client may try a secret from this address again, or None."""
        key = self._client_key(client_id, address)
        here = self._client.retry_after(key)
        if self._shared is None:
            return here
        try:
            wait = await self._shared.retry_after(Place(self._client, key))
        except LimitStoreLost:
            return here
        return wait or (here if self._shared.back_within(self._client.seconds) else None)

    async def client_failed(self, client_id: str, address: str) -> int | None:
        """Count a wrong client secret; seconds to wait if it is one too many.

        Then nobody may be told that it was wrong: of a burst no more are answered than the limit
        has left.
        """
        return await self._hit(self._client, self._client_key(client_id, address))

    async def _hit(self, brake: Brake, key: str) -> int | None:
        shared = self._shared
        if shared is None:
            return brake.hit(key)
        try:
            wait = await shared.hit(Place(brake, key))
        except LimitStoreLost:
            return brake.hit(key)
        if wait is not None:
            return wait
        here = brake.hit(key)
        return here if shared.back_within(brake.seconds) else None

    def _client_key(self, client_id: str, address: str) -> str:
        return self._keyed("client", client_id, network_of(address))

    def _keyed(self, *parts: str) -> str:
        """A short key that tells nobody who reads this process's memory, or the store, whose it is:
        a keyed digest (RFC 7693 section 2.9), as an address could be guessed from a plain one."""
        data = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, key=self._pepper, digest_size=16).hexdigest()


def _turn(place: Place) -> str:
    """The turns of a factor are other ones than those of a password."""
    return f"{place.brake.name} {place.key}"

"""Brakes: failed sign-ins, registrations and wrong client secrets, counted per minute or so.

Moving windows, not fixed ones: a fixed window lets twice the limit through around its border, and
the border is public. The price is one float per counted hit. Only failures count where somebody
proves who they are, so a busy person is never slowed down for being busy. Counters live in this
process (`windows`); each worker has its own. Never here: HTTP, wording, or the judging itself.
Neighbours: `steps` ask before they verify.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from limits import RateLimitItem, parse_many
from limits.strategies import MovingWindowRateLimiter

from authgate.security.addresses import fold_email, network_of
from authgate.security.turns import Turns
from authgate.security.windows import Windows

MAX_RETRY_AFTER = 60


class LimitMalformed(ValueError):
    """A limit that cannot be read; the text shows it and says what is wanted."""


def parse_limit(text: str) -> RateLimitItem:
    """One limit, such as `10/minute` or `100/5 seconds`; raises `LimitMalformed`."""
    try:
        items = parse_many(text)
    except ValueError:
        items = []
    if len(items) != 1 or items[0].amount < 1 or items[0].get_expiry() < 1:
        raise LimitMalformed(
            f"{text!r} is not a limit. Write a count and a time, such as 10/minute or "
            f"100/5 seconds."
        )
    return items[0]


@dataclass(frozen=True, slots=True)
class LimitPolicy:
    """The limits as the operator wrote them (AUTHGATE_LIMIT_…)."""

    sign_in_account: str = "10/minute"
    sign_in_address: str = "200/minute"
    factor: str = "20/hour"
    registration: str = "100/5 seconds"
    authorization: str = "100/5 seconds"
    client_secret: str = "60/minute"  # noqa: S105 - a limit, not a secret


class _Brake:
    """One limit and the hits it counts."""

    def __init__(self, limit: str, clock: Callable[[], float]) -> None:
        self.item = parse_limit(limit)
        self.windows = Windows(clock)
        self._limiter = MovingWindowRateLimiter(self.windows)
        self._clock = clock

    def hit(self, key: str) -> bool:
        return self._limiter.hit(self.item, key)

    def clear(self, key: str) -> None:
        self._limiter.clear(self.item, key)

    def remaining(self, key: str) -> int:
        """How many more hits the window takes."""
        return self._limiter.get_window_stats(self.item, key).remaining

    def retry_after(self, key: str) -> int | None:
        """None while another hit would count; else when the oldest one leaves, in 1..60 s."""
        stats = self._limiter.get_window_stats(self.item, key)
        if stats.remaining > 0:
            return None
        return min(MAX_RETRY_AFTER, max(1, math.ceil(stats.reset_time - self._clock())))


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
    """All brakes of one process. Use from the event loop only; nothing here is locked."""

    def __init__(
        self, policy: LimitPolicy | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        policy = policy or LimitPolicy()
        self._account = _Brake(policy.sign_in_account, clock)
        self._address = _Brake(policy.sign_in_address, clock)
        self._factor = _Brake(policy.factor, clock)
        self._registration = _Brake(policy.registration, clock)
        self._authorization = _Brake(policy.authorization, clock)
        self._client = _Brake(policy.client_secret, clock)
        self._turns = Turns()
        self._pepper = secrets.token_bytes(32)

    @asynccontextmanager
    async def sign_in(self, account: str, address: str) -> AsyncIterator[Attempt]:
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
        """
        keys = (
            self._keyed("account", fold_email(account)),
            self._keyed("from", network_of(address)),
        )
        retry_after = await self._admit(keys)
        if retry_after is not None:
            yield Attempt(retry_after=retry_after)
            return
        attempt = Attempt()
        try:
            yield attempt
        finally:
            if attempt.verdict is True:
                self._account.clear(keys[0])
            elif attempt.verdict is False:
                self._account.hit(keys[0])
                self._address.hit(keys[1])
            self._turns.leave(keys)

    async def _admit(self, keys: tuple[str, str]) -> int | None:
        """Take a turn for both keys; seconds to wait instead if a limit is used up.

        Between the last look and `enter` nothing is awaited: two attempts cannot take one place.
        """
        brakes = (self._account, self._address)
        while True:
            blocked = [brake.retry_after(key) for brake, key in zip(brakes, keys, strict=True)]
            if any(blocked):
                return max(seconds for seconds in blocked if seconds)
            room = zip(brakes, keys, strict=True)
            full = [key for brake, key in room if self._turns.taken(key) >= brake.remaining(key)]
            if not full:
                self._turns.enter(keys)
                return None
            if not await self._turns.one_ends(full[0]):
                return 1  # the line itself is full

    def check_factor(self, account: str) -> int | None:
        """Seconds to wait before this account may try a second factor again, or None.

        Slower than the limit of passwords: whoever gets here knows the password, and six digits at
        ten tries a minute would be guessed within weeks.
        """
        return self._factor.retry_after(self._keyed("account", fold_email(account)))

    def factor_failed(self, account: str) -> None:
        """Count a wrong second factor. A right one clears nothing: it may be the next guess."""
        self._factor.hit(self._keyed("account", fold_email(account)))

    def hit_registration(self, address: str) -> int | None:
        """Count a registration; seconds to wait if it is one too many (it is then not counted)."""
        key = self._keyed("from", network_of(address))
        return None if self._registration.hit(key) else self._registration.retry_after(key) or 1

    def hit_authorization(self, address: str) -> int | None:
        """Count an authorization request that will be kept; seconds to wait if one too many."""
        key = self._keyed("from", network_of(address))
        return None if self._authorization.hit(key) else self._authorization.retry_after(key) or 1

    def check_client(self, client_id: str, address: str) -> int | None:
        """Seconds to wait before this client may try a secret from this address again, or None.

        Comparing a digest takes no await, so check, compare and count are one step of the event
        loop and need no turns.
        """
        return self._client.retry_after(self._client_key(client_id, address))

    def client_failed(self, client_id: str, address: str) -> None:
        """Count a wrong client secret."""
        self._client.hit(self._client_key(client_id, address))

    def _client_key(self, client_id: str, address: str) -> str:
        return self._keyed("client", client_id, network_of(address))

    def _keyed(self, *parts: str) -> str:
        """A short key that tells nobody reading this process's memory whose it is."""
        data = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, key=self._pepper, digest_size=16).hexdigest()

"""A JSON document of an issuer elsewhere: asked for by one for all, kept while an outage lasts.

Never here: what a document says (`jwks`, `authkit.metadata`). For one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from authgate.fetch import Answer, Call, Fetch, FetchFailed
from authgate.observe import log

TOTAL = 5.0  # seconds; guarded calls wait for the keys of a rotation
TELL_EVERY = 60.0  # seconds between two lines on one outage

# What was good is believed through an outage, but not for ever: a withdrawn key must end some day,
# whoever keeps us from hearing of it.
STALE = 86_400.0

Value = TypeVar("Value")


class Trouble(Exception):
    """Why there is no document; the text is the rest of a sentence, for the operator."""


class Document(Generic[Value]):
    """`read` makes a value of the JSON object, or raises `Trouble`.

    `name` is for the log: whose it is, a dot, and which. `kinds` are the content types that it may
    come as.
    """

    def __init__(
        self,
        fetch: Fetch,
        url: str,
        name: str,
        read: Callable[[Mapping[str, object]], Value],
        *,
        kinds: tuple[str, ...] = ("application/json",),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self.url = url
        self._whose, _, self._name = name.partition(".")
        self._read = read
        self._kinds = kinds
        self._clock = clock
        self._asking = asyncio.Lock()
        self._found: Mapping[str, object] | None = None
        self._value: Value | None = None
        self._good_at = self._tried_at = self._told_at = float("-inf")
        self.trouble: str | None = None
        """What was wrong with the last look; None if it was good, or if there was none yet."""

    @property
    def value(self) -> Value | None:
        """The last good one, unless that was too long ago."""
        return self._value if self._clock() - self._good_at < STALE else None

    def is_due(self, every: float) -> bool:
        """Has nobody looked for `every` seconds?"""
        return self._clock() - self._tried_at >= every

    async def refresh(self, *, at_most_every: float = 0.0) -> None:
        """Look again, unless somebody did in the last `at_most_every` seconds.

        What came of it is in `value` and `trouble`; no answer of AuthKit's makes this raise.
        Whoever comes while one is looking waits for that look: a crowd costs one request.
        """
        async with self._asking:
            if self._clock() - self._tried_at < at_most_every:
                return
            try:
                await self._look()
            except asyncio.CancelledError:
                raise  # nobody has looked; whoever waits here is the next to
            except Exception:  # a bug, which must not be met more often either
                self._tried_at = self._clock()
                raise
            self._tried_at = self._clock()

    async def _look(self) -> None:
        try:
            found = await self._ask()
            if found != self._found:  # else the value of before stays the very same object
                self._value = self._read(found)
                self._found = found
        except Trouble as trouble:
            self._failed(str(trouble))
            return
        self._good_at = self._clock()
        if self.trouble is not None:
            log.info(f"{self._whose}.reached_again", document=self._name)
        self.trouble = None

    async def _ask(self) -> Mapping[str, object]:
        try:
            answer = await self._fetch.json(Call("GET", self.url, total=TOTAL))
        except FetchFailed as failed:
            raise Trouble(f"cannot be had ({failed.kind.value})") from None
        return _json_object(answer, self._kinds)

    def _failed(self, trouble: str) -> None:
        """One line when it begins, or changes, and one a minute while it lasts."""
        now = self._clock()
        if trouble != self.trouble or now - self._told_at >= TELL_EVERY:
            held = self.value is not None
            log.warning(
                f"{self._whose}.unreachable",
                document=self._name,
                why=trouble,
                earlier_one_serves=held,
            )
            self._told_at = now
        self.trouble = trouble


def _json_object(answer: Answer, kinds: tuple[str, ...]) -> Mapping[str, object]:
    """The body of a plain 200 with JSON in it; a page that was put in its way is none."""
    if answer.status != 200:
        raise Trouble(f"is not there (status {answer.status})")
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in kinds or not isinstance(answer.body, dict):
        raise Trouble("is no JSON object")
    return answer.body

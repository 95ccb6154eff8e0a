"""Whose a token of an issuer elsewhere is, and whether that person may still be connected.

There is no row of ours behind such a token, and its issuer asks nobody about the person when it
renews one. So the person is asked for here: the bar, which is ours, on every call; their directory
in the background, at most once a minute each. Whoever is gone is barred, and stays so until they
sign in anew.

Only a person's first call in a process waits for the directory's word, and only for a moment:
somebody who was deleted while we were not running would otherwise get one call through, and nobody
would have a name to show yet.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from authgate.directories.contract import Directory, Gone, StillGood, Unavailable
from authgate.gateway.standing import Standing
from authgate.issuers.contract import AccessClaims
from authgate.observe import log
from authgate.protocol import standing as rules
from authgate.protocol.errors import Reason, Refusal, printable
from authgate.protocol.policy import Policy
from authgate.steps.parts import audited
from authgate.store.contract import Store

ASK_EVERY = 60  # seconds
FIRST_WAIT = 0.5  # seconds
MOST_PEOPLE = 10_000
MOST_ASKING = 50  # whoever finds no place is asked about at their next call
RETRY_UNSAID = 30


@dataclass(slots=True)
class _Word:
    """What is known of a person."""

    display: str
    asked_at: int | None = None
    down_since: int | None = None
    """The first question that the directory could not answer, since it last answered one."""
    retry_after: int = RETRY_UNSAID


class ByPerson:
    """For tokens of an issuer elsewhere. For one event loop."""

    def __init__(
        self,
        store: Store,
        directories: Iterable[Directory],
        policy: Policy,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._directories = {directory.name: directory for directory in directories}
        self._policy = policy
        self._clock = clock
        self._words: OrderedDict[str, _Word] = OrderedDict()
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def of(self, claims: AccessClaims, now: int) -> Standing:
        """The person; refused if unknown, barred, gone, or out of reach for too long."""
        sub, directory = await self._whose(claims.sub)
        # Where nobody can be asked, the bar is all there is: it cannot be told who is gone.
        word = await self._word(sub, directory, now) if directory.can_recheck else None
        if await self._store.bar_of(sub) is not None:
            raise Refusal(Reason.TOKEN_PERSON_BARRED)
        if word is None:
            return Standing(sub, sub)
        self._refuse_unless_believed(word, now)
        return Standing(sub, word.display)

    async def close(self) -> None:
        """Drop what is being asked."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _whose(self, named: str) -> tuple[str, Directory]:
        """The person's own identifier and their directory: the token names one, or a WorkOS user.

        Never by an e-mail address: it says who may read somebody's mail, not who somebody is.
        """
        sub = named
        if rules.directory_of(sub) is None and rules.is_workos_id(sub):
            link = await self._store.link_of(sub)
            sub = link.sub if link is not None else sub
        directory = self._directories.get(rules.directory_of(sub) or "")
        if directory is None:
            log.warning("guard.person_unknown", sub=printable(named))
            raise Refusal(Reason.TOKEN_PERSON_UNKNOWN, sub=named)
        return sub, directory

    async def _word(self, sub: str, directory: Directory, now: int) -> _Word:
        """What is known, with a fresh question on its way if that is due."""
        word = self._words.get(sub)
        first = word is None
        if word is None:
            word = self._words[sub] = _Word(display=sub)
            if len(self._words) > MOST_PEOPLE:
                self._words.popitem(last=False)
        due = word.asked_at is None or now - word.asked_at >= ASK_EVERY
        if due and sub not in self._asking and len(self._asking) < MOST_ASKING:
            word.asked_at = now
            self._words.move_to_end(sub)
            self._asking[sub] = asyncio.create_task(self._ask(sub, directory, word))
        task = self._asking.get(sub)
        if first and task is not None:
            await asyncio.wait({task}, timeout=FIRST_WAIT)
        return word

    async def _ask(self, sub: str, directory: Directory, word: _Word) -> None:
        try:
            match await directory.recheck(sub):
                case StillGood(person):
                    word.display, word.down_since = person.display, None
                case Gone():
                    word.down_since = None
                    await self._bar(sub)
                case Unavailable(retry_after):
                    self._doubt(word, directory, retry_after)
        except Exception as trouble:  # a bug too: the next call has to ask again
            log.error("guard.recheck_broken", error=type(trouble).__name__)
            word.asked_at = None
        finally:
            del self._asking[sub]

    async def _bar(self, sub: str) -> None:
        now = self._clock()
        event = audited(now, "person.barred", actor=sub, reason="person_gone")
        if await self._store.bar(sub, "person_gone", now, event):
            log.info("guard.person_gone", sub=sub)

    def _doubt(self, word: _Word, directory: Directory, retry_after: int | None) -> None:
        """Begin the grace of an outage, or go on with it; the log hears once a question."""
        now = self._clock()
        if word.down_since is None:
            word.down_since = now
        word.retry_after = retry_after or RETRY_UNSAID
        age = now - word.down_since
        left = rules.believed_for(age, self._policy)
        if left is None:
            grace = self._policy.outage_grace
            log.error("recheck.refused", directory=directory.name, age=age, grace=grace)
        else:
            log.warning("recheck.believed", directory=directory.name, age=age, left=left)

    def _refuse_unless_believed(self, word: _Word, now: int) -> None:
        """In an outage the last word counts for a while, and then the answer is 503, on which no
        client throws its token away.

        The while begins with the first question that got no answer. Somebody who was away for an
        hour has nothing older to show than somebody who was not: each would have been asked about
        at their call, had it been possible.
        """
        since = word.down_since
        if since is not None and rules.believed_for(now - since, self._policy) is None:
            raise Refusal(Reason.RECHECK_UNAVAILABLE, retry_after=word.retry_after)

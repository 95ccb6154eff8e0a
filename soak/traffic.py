"""What people and applications do, each kind at its rate, whether or not the last was answered."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from soak.book import STREAM, Act, Book, Wanted
from soak.browser import CALLBACK, Browser
from soak.connection import Client, Connection, code_in, registered, stranger
from soak.wire import Pool, Reply
from tests.live import Person

RATES = {
    "newcomer": 1.0,
    "returning": 1.0,
    "at a known application": 0.8,
    "refresh": 12.0,
    "call": 80.0,
    "stream": 0.5,
    "introspect": 4.0,
    "revoke": 0.4,
    "replay": 0.15,
    "discovery": 8.0,
    "keys": 4.0,
    "stranger": 2.0,
}
"""A second, at `--rate 1`. The first three go by the pages; only a newcomer types a password."""
MISTYPED, DENIES, CODE_REPLAYED, REPEATED, CONFIDENTIAL = 0.15, 0.05, 0.04, 0.1, 0.25
STREAM_SECONDS = 40.0
MOST_AT_ONCE = 500
ENDS_WITHIN = 60.0
BROWSERS_KEPT = 200

Doing = Callable[[], Awaitable[None]]


class Traffic:
    """Everything that is sent in one run."""

    def __init__(self, book: Book, pool: Pool, people: list[Person], seed: int) -> None:
        self.book = book
        self.pool = pool
        self.people = people
        self.cut_allowed = False
        """While a node is stopped in peace, its streams may end."""
        self.live: list[Connection] = []
        self.streams = 0
        self.most_streams = 0
        self._longest = STREAM_SECONDS
        self._browsers: list[tuple[Browser, Client]] = []
        self._random = random.Random(seed)
        self._doing: set[asyncio.Task[None]] = set()

    async def begin(self, connections: int, a_second: float) -> None:
        """Connections to begin with, as people make them; the first sign everybody in."""
        making = []
        for number in range(connections):
            first = number < len(self.people)
            do = self._newcomer if first else self._returning
            making.append(asyncio.create_task(do()))
            await asyncio.sleep(0.4 if first else 1 / a_second)
        await asyncio.gather(*making)

    # --- the open loop -----------------------------------------------------------------------

    async def run(self, seconds: float, rate: float) -> None:
        """Send for so long, `rate` times as much as `RATES` say; then let all of it end."""
        ends = self.book.now + seconds
        self._longest = min(STREAM_SECONDS, seconds / 4)
        sending = [self._send(name, each * rate, ends) for name, each in RATES.items()]
        await asyncio.gather(*sending)
        if self._doing:
            _, left = await asyncio.wait(self._doing, timeout=ENDS_WITHIN)
            for task in left:
                task.cancel()
                self.book.wrong(f"{task.get_name()}: not over after {ENDS_WITHIN:.0f} s")
        self.pool.close()

    async def _send(self, name: str, rate: float, ends: float) -> None:
        do: Doing = getattr(self, f"_{name.replace(' ', '_')}")
        due = self.book.now
        while True:
            due += self._random.expovariate(rate)
            if due >= ends:
                return
            await asyncio.sleep(max(0.0, due - self.book.now))
            self.book.late.append(self.book.now - due)
            if len(self._doing) >= MOST_AT_ONCE:
                self.book.wrong(f"{name}: {MOST_AT_ONCE} others were not over yet")
                continue
            task = asyncio.create_task(self._done(name, do), name=name)
            self._doing.add(task)
            task.add_done_callback(self._doing.discard)

    async def _done(self, name: str, do: Doing) -> None:
        try:
            await do()
        except Exception as error:  # whatever it is: a task that ended unheard would hide it
            self.book.wrong(f"{name}: an answer that cannot be read ({type(error).__name__})")

    # --- people ------------------------------------------------------------------------------

    async def _newcomer(self) -> None:
        """Somebody in a browser that nobody knows connects an application."""
        browser = Browser(self.book, self.pool, self._random.choice(self.people))
        client = await self._client()
        if client is None:
            return
        approves = self._random.random() >= DENIES
        mistyped = self._random.random() < MISTYPED
        back = await browser.walk(client.question(), mistyped=mistyped, approves=approves)
        if await self._came_back(client, back, approves):
            self._browsers.append((browser, client))
            del self._browsers[:-BROWSERS_KEPT]

    async def _returning(self) -> None:
        """Somebody who is signed in connects another application."""
        client = await self._client() if self._browsers else None
        if client is not None:
            browser, _ = self._random.choice(self._browsers)
            back = await browser.walk(client.question(), mistyped=False)
            await self._came_back(client, back, True)

    async def _at_a_known_application(self) -> None:
        """Somebody who is signed in connects an application they have allowed before."""
        if self._browsers:
            browser, client = self._random.choice(self._browsers)
            await self._came_back(client, await browser.again(client.question()), True)

    async def _client(self) -> Client | None:
        confidential = self._random.random() < CONFIDENTIAL
        return await registered(self.book, self.pool, confidential=confidential)

    async def _came_back(self, client: Client, back: str | None, approved: bool) -> bool:
        if back is None:
            return False
        if not approved:
            if not back.startswith(f"{CALLBACK}?error=access_denied"):
                self.book.wrong("consent, deny: it did not say access_denied")
            return False
        code = code_in(back)
        if code is None:
            self.book.wrong("consent, approve: it brought no code")
            return False
        self.book.made["codes"] += 1
        connection = Connection(self.book, self.pool, client)
        if not await connection.exchange(code):
            return False
        await connection.call(self._random)
        if self._random.random() < CODE_REPLAYED:
            await connection.replay_code()
        else:
            self.live.append(connection)
        return True

    # --- applications ------------------------------------------------------------------------

    async def _refresh(self) -> None:
        if connection := self._one(lambda each: not each.refreshing):
            await connection.rotate(repeated=self._random.random() < REPEATED)
            await connection.call(self._random)

    async def _call(self) -> None:
        if connection := self._one(lambda _: True):
            await connection.call(self._random)

    async def _stream(self) -> None:
        if connection := self._one(lambda _: True):
            self.streams += 1
            self.most_streams = max(self.most_streams, self.streams)
            began, allowed = self.book.now, self.cut_allowed
            reply = await connection.listen(self._random.uniform(0.5, 1.0) * self._longest)
            self.streams -= 1
            self._judge_stream(reply, began, allowed or self.cut_allowed)

    def _judge_stream(self, reply: Reply, began: float, allowed: bool) -> None:
        opened = reply.status == 200 and b"opened" in reply.body
        cut = reply.lost == "cut"
        right = opened and (not cut or allowed)
        outcome = "held" if opened and not cut else "ended by the restart" if right else "cut"
        self.book.acts.append(Act(STREAM, began, self.book.now - began, outcome, right))
        if not right:
            self.book.wrong(f"event stream: {reply.status} {reply.lost} after an opening")

    async def _introspect(self) -> None:
        if connection := self._one(lambda each: each.client.secret is not None):
            with connection.in_use():
                await connection.introspect()

    async def _revoke(self) -> None:
        if connection := self._ended(lambda _: True):
            await connection.revoke()

    async def _replay(self) -> None:
        if connection := self._ended(lambda each: len(each.older) >= 2):
            await connection.replay_refresh()

    # --- strangers and verifiers -------------------------------------------------------------

    async def _discovery(self) -> None:
        path = "/.well-known/oauth-authorization-server"
        wanted = Wanted(200, b'"token_endpoint"')
        await self.book.answered("discovery", self.pool.ask("GET", path), wanted)

    async def _keys(self) -> None:
        asked = self.pool.ask("GET", "/.well-known/jwks.json")
        await self.book.answered("keys", asked, Wanted(200, b'"keys":[{'))

    async def _stranger(self) -> None:
        made_up = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"
        await stranger(self.book, self.pool, self._random.choice([None, made_up]))

    # --- choosing ----------------------------------------------------------------------------

    def _one(self, fits: Callable[[Connection], bool]) -> Connection | None:
        """A live connection, if one of twenty fits."""
        for _ in range(20 if self.live else 0):
            connection = self._random.choice(self.live)
            if fits(connection):
                return connection
        return None

    def _ended(self, fits: Callable[[Connection], bool]) -> Connection | None:
        """One that nobody holds, taken out of the live: whoever asked for it ends it."""
        found = self._one(lambda each: not each.held and not each.refreshing and fits(each))
        if found is not None:
            with suppress(ValueError):
                self.live.remove(found)
        return found

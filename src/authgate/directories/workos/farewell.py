"""Ending the session at WorkOS that a sign-in began, in the background.

Nothing of ours uses it: its tokens were not even kept. It must not lie around there, and nobody
should wait for its end. Bounded: when WorkOS is slower than people come, some are left to run out.
"""

from __future__ import annotations

import asyncio

from authgate.observe import log
from authgate.workos import Kind, Trouble, WorkOS

MOST = 1000
AT_ONCE = 8
LAST_WAIT = 5.0


class Farewells:
    """`failures` counts sessions that may have stayed behind, for metrics and tests."""

    def __init__(self, workos: WorkOS, most: int = MOST) -> None:
        self._workos = workos
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self.failures = 0

    def say(self, session_id: str | None) -> None:
        """End this session, at some point soon. None: there was none that could be read."""
        if session_id is None or len(self._tasks) >= self._most:
            self._failed("no id" if session_id is None else "too many waiting")
            return
        task = asyncio.create_task(self._end(session_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Let what is under way end, for a few seconds at most."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=LAST_WAIT)
            for task in late:
                task.cancel()
                self._failed("shutting down")
            await asyncio.gather(*late, return_exceptions=True)

    async def _end(self, session_id: str) -> None:
        async with self._turns:
            outcome = await self._workos.revoke_session(session_id)
        # Refused or not found: there is no such session any more, which is what was wanted.
        if isinstance(outcome, Trouble) and outcome.kind not in (Kind.REFUSED, Kind.NOT_FOUND):
            self._failed("not answered")

    def _failed(self, why: str) -> None:
        self.failures += 1
        log.warning("workos.session_left_open", why=why, count=self.failures)

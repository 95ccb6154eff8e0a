"""Signing out at Supabase, in the background: after a sign-in, or when a kept session is no more.

A session that nobody keeps must not lie around there, and nobody should wait for its end. Bounded:
when Supabase is slower than people come, some sessions are left to run out by themselves.
"""

from __future__ import annotations

import asyncio

from authgate.directories.supabase.api import Reply, Said, SupabaseApi
from authgate.directories.supabase.people import read_session
from authgate.observe import log

MOST = 1000
AT_ONCE = 8
LAST_WAIT = 5.0


class Farewells:
    """`failures` counts sessions that may have stayed behind, for metrics and tests."""

    def __init__(self, api: SupabaseApi, most: int = MOST) -> None:
        self._api = api
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self.failures = 0

    def say(self, access_token: str, refresh_token: str = "") -> None:
        """End the session that these tokens belong to, at some point soon.

        The refresh token is for one whose access token may have expired: a sign-out takes one.
        """
        if len(self._tasks) >= self._most:
            self._failed("too many waiting")
            return
        task = asyncio.create_task(self._end(access_token, refresh_token))
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

    async def _end(self, access_token: str, refresh_token: str) -> None:
        async with self._turns:
            reply = await self._log_out(access_token, refresh_token)
        # 400 to 404: there is no such session any more, which is what was wanted.
        if not isinstance(reply, Said) or not (reply.ok or reply.status in (400, 401, 403, 404)):
            self._failed("not answered")

    async def _log_out(self, access_token: str, refresh_token: str) -> Reply:
        if access_token:
            reply = await self._api.logout(access_token)
            if not refresh_token or not isinstance(reply, Said) or reply.code != "bad_jwt":
                return reply
        renewed = await self._api.refresh_grant(refresh_token)
        session = read_session(renewed.body) if isinstance(renewed, Said) else None
        return renewed if session is None else await self._api.logout(session.access_token)

    def _failed(self, why: str) -> None:
        self.failures += 1
        log.warning("supabase.session_left_open", why=why, count=self.failures)

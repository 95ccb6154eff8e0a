"""Signing out at Supabase: after a sign-in, or when a kept session is no more."""

from __future__ import annotations

from authgate.directories import farewell
from authgate.directories.supabase.api import Reply, Said, SupabaseApi
from authgate.directories.supabase.people import read_session


class Farewells(farewell.Farewells):
    """Sessions at Supabase, by their tokens."""

    def __init__(self, api: SupabaseApi) -> None:
        super().__init__("supabase.session_left_open")
        self._api = api

    def say(self, access_token: str, refresh_token: str = "") -> None:
        """End the session that these tokens belong to, at some point soon.

        The refresh token is for one whose access token may have expired: a sign-out takes one.
        """
        self._begin(lambda: self._sign_out(access_token, refresh_token))

    async def _sign_out(self, access_token: str, refresh_token: str) -> bool:
        reply = await self._log_out(access_token, refresh_token)
        # 400 to 404: there is no such session any more, which is what was wanted.
        return isinstance(reply, Said) and (reply.ok or reply.status in (400, 401, 403, 404))

    async def _log_out(self, access_token: str, refresh_token: str) -> Reply:
        if access_token:
            reply = await self._api.logout(access_token)
            if not refresh_token or not isinstance(reply, Said) or reply.code != "bad_jwt":
                return reply
        renewed = await self._api.refresh_grant(refresh_token)
        session = read_session(renewed.body) if isinstance(renewed, Said) else None
        return renewed if session is None else await self._api.logout(session.access_token)

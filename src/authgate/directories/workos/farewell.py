"""Ending the session at WorkOS that a sign-in began: its tokens were not even kept."""

from __future__ import annotations

from authgate.directories import farewell
from authgate.workos import Kind, Trouble, WorkOS


class Farewells(farewell.Farewells):
    """Sessions at WorkOS, by their id."""

    def __init__(self, workos: WorkOS) -> None:
        super().__init__("workos.session_left_open")
        self._workos = workos

    def say(self, session_id: str | None) -> None:
        """End this session, at some point soon. None: there was none that could be read."""
        if session_id is None:
            self._failed("no id")
            return
        self._begin(lambda: self._revoke(session_id))

    async def _revoke(self, session_id: str) -> bool:
        outcome = await self._workos.revoke_session(session_id)
        # Refused or not found: there is no such session any more, which is what was wanted.
        return not isinstance(outcome, Trouble) or outcome.kind in (Kind.REFUSED, Kind.NOT_FOUND)

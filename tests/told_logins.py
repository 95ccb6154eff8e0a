"""An issuer elsewhere that takes whatever it is told, as far as a test lets it."""

from __future__ import annotations

import asyncio

from authgate.issuers.logins import Completed, NotCompleted, Snag, Vouched

HOST = "tenant.authkit.example"
ONWARD = f"https://{HOST}/oauth2/authorize/complete?state=back-there"


class ToldLogins:
    """`says` answers the next calls in its order, each once; then everything is taken.

    `onward` is where it sends whom it took. While `held` is not set, a call waits for it; `reached`
    is set by each.
    """

    host = HOST

    def __init__(self) -> None:
        self.told: list[tuple[str, Vouched]] = []
        self.learnt: list[str] = []
        self.signed_out: list[str] = []
        self.onward = ONWARD
        self.says: list[Completed | NotCompleted | Exception] = []
        self.reached = asyncio.Event()
        self.held = asyncio.Event()
        self.held.set()

    async def complete(self, name: str, person: Vouched) -> Completed | NotCompleted:
        self.told.append((name, person))
        self.reached.set()
        await self.held.wait()
        answer = self.says.pop(0) if self.says else Completed(self.onward)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def learn(self, sub: str) -> None:
        self.learnt.append(sub)

    async def sign_out(self, sub: str) -> None:
        self.signed_out.append(sub)

    def snag(self, snag: Snag, retry_after: int | None = None) -> None:
        """The next completion ends so."""
        self.says.append(NotCompleted(snag, retry_after))

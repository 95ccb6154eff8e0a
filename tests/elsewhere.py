"""A directory that offers GitHub and Google whose sign-in page nobody sees: they say yes at once.

Passwords are another directory's. Put around it where a test is about our pages and not theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

from authgate.directories.contract import (
    Directory,
    Explain,
    Recheck,
    Refused,
    SignedIn,
    SignIn,
    SocialStart,
    StillGood,
    Visitor,
    Ways,
)
from authgate.protocol.records import Person

OCTO = "octo@example.org"


class Elsewhere:
    """Everybody at the providers is Octo; while `says_no`, nobody is."""

    def __init__(self, inner: Directory) -> None:
        self._inner = inner
        self.says_no = False

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def ways(self) -> Ways:
        return Ways(self._inner.ways.password, ("github", "google"))

    async def start_social(self, provider: str, callback_url: str, transaction: str) -> SocialStart:
        return SocialStart(f"{callback_url}?tx={transaction}&code=yes", provider)

    async def finish_social(
        self, provider: str, sealed: str, answer: Mapping[str, str], visitor: Visitor
    ) -> SignIn:
        if self.says_no or answer.get("code") != "yes" or sealed != provider:
            return Refused(Explain.SOCIAL_CANCELLED)
        return SignedIn(self._octo(provider))

    async def recheck(self, sub: str) -> Recheck:
        provider, dash, octo = sub.partition("-")
        if dash and octo == "octo":
            return StillGood(self._octo(provider))
        return await self._inner.recheck(sub)

    def _octo(self, provider: str) -> Person:
        return Person(f"{provider}-octo", self.name, OCTO, (provider,))

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

"""May this verified token still be used, and whose is it?

For a token of our own the grant tells both, and ending the grant ends the token at once. A token of
an issuer elsewhere has no row of ours: `elsewhere` finds the person and asks for them instead.
Neighbours: `guard` asks on every call, `issuers` have verified the token before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from authgate.issuers.contract import AccessClaims
from authgate.protocol import tokens
from authgate.store.contract import Store


class Standing(NamedTuple):
    """The person behind a token: their own identifier, and a name for people to read."""

    sub: str
    display: str


class Standings(Protocol):
    """What the guard asks about a token that its issuer stands by."""

    async def of(self, claims: AccessClaims, now: int) -> Standing:
        """The person, if the token may be used; raises `Refusal`."""

    async def close(self) -> None:
        """Drop what goes on in the background."""


@dataclass(frozen=True, slots=True)
class ByGrant:
    """For tokens of our own: the grant is read on every call, so a revoked or replayed one ends
    here and now."""

    store: Store

    async def of(self, claims: AccessClaims, now: int) -> Standing:
        """The grant's person."""
        found = await self.store.grant(claims.grant_id)
        grant = tokens.check_grant(found, sub=claims.sub, client_id=claims.client_id)
        return Standing(grant.person.sub, grant.person.display)

    async def close(self) -> None:
        """Nothing goes on."""

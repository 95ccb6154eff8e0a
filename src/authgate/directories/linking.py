"""What a home directory can tell of its people, so that a sign-in elsewhere can find its person.

A port: the directory that signs somebody in (WorkOS) asks, the one that owns the people (Supabase)
answers, and neither imports the other. Never here: the rules by which a sign-in belongs to somebody
(`workos.linking`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from authgate.directories.contract import Unavailable
from authgate.protocol.records import Person


@dataclass(frozen=True, slots=True)
class Known:
    """A person at home, as of now.

    `accounts` are their accounts at providers, as (provider, the provider's own id), where the
    provider verified the address. `address_proven`: the e-mail address is theirs by a message that
    was answered, and not by their word. `needs_factor`: a first factor alone signs them in nowhere.
    """

    person: Person
    email: str = field(repr=False)
    address_proven: bool
    accounts: frozenset[tuple[str, str]] = field(repr=False)
    shut_out: bool
    anonymous: bool
    needs_factor: bool


class People(Protocol):
    """The people of a home directory."""

    async def known(self, sub: str) -> Known | Unavailable | None:
        """The person with this id; None if there is none, by the directory's own word."""

    async def with_address(self, email: str) -> tuple[Known, ...] | Unavailable:
        """Everybody whose address this is, letter case aside: candidates, and no more than that.

        Not people whom another organisation vouches for (SSO): an address joins nobody to those.
        """

    def signed_in(self, person: Person) -> None:
        """A person who was `known` just now was signed in, which is as good as a recheck."""

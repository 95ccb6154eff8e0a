"""The part of the store's contract that looks after the house: the signing keys and the trail.

The rest, and the promises that hold for every method, are in `contract`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from authgate.protocol.records import AuditEvent, SigningKey


class KeysAndTrail(Protocol):
    """Signing keys and audit events."""

    # --- signing keys -----------------------------------------------------------------------

    async def signing_keys(self) -> Sequence[SigningKey]:
        """All keys, oldest first, retired ones included until swept."""

    async def add_first_signing_key(self, key: SigningKey) -> None:
        """Keep `key` only if there is no key at all (two workers start at once: one wins)."""

    async def add_signing_key(
        self, key: SigningKey, retire_others_at: int, audit: AuditEvent
    ) -> None:
        """Keep `key`; older keys that would end later, or never, end at `retire_others_at`."""

    async def supersede_signing_key(
        self, kid: str, key: SigningKey, retires_at: int, audit: AuditEvent
    ) -> bool:
        """Keep `key` as the successor of `kid`, which ends at `retires_at`.

        Decided by one statement: of many who come at once, the one that finds `kid` with no end
        yet. False for the others, whose keys are not kept.
        """

    async def revoke_signing_key(
        self,
        kid: str,
        now: int,
        replacement: SigningKey | None,
        retire_others_at: int,
        audit: AuditEvent,
    ) -> bool:
        """End `kid` now; False: there is none, or it has ended already, and nothing was changed.

        `replacement` is kept in the same transaction, so that the store is at no time without a
        key; then the others that would end later, or never, end at `retire_others_at`.
        """

    async def forget_signing_keys(self, now: int) -> int:
        """Remove the keys whose `retires_at` has passed; returns how many."""

    # --- audit ------------------------------------------------------------------------------

    async def record(self, audit: AuditEvent) -> None:
        """Write an event that belongs to no other step (a refused sign-in, for instance)."""

    async def audit_events(self, *, limit: int = 100) -> Sequence[AuditEvent]:
        """The latest events, newest first."""

    async def audit_after(
        self, number: int, *, since: int, until: int, limit: int
    ) -> Sequence[tuple[int, AuditEvent]]:
        """Events with their numbers, in the order of writing, of the numbers after `number`.

        Only those that happened from `since` until before `until`, at most `limit` of them.
        """

    async def last_audit_number(self) -> int:
        """The number of the latest event; 0 if there is none."""

"""What the loser of a race is told, from what it finds once the race is over.

The same on every engine: only how the row is found, and how a replay is ended, is each engine's
own. A missing row was swept, so what it stood for ended long ago.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from authgate.protocol.records import Redemption, Rotation, RotationOutcome
from authgate.protocol.refresh_token import judge_repeat


def redemption(row: Sequence[Any] | None, now: int) -> Redemption:
    """Why a code could not be redeemed, by the row of `why_not_redeemed`."""
    if row is None:
        return Redemption.EXPIRED
    redeemed_at, expires_at, _ = row
    if redeemed_at is not None:
        return Redemption.REPLAYED
    return Redemption.EXPIRED if expires_at <= now else Redemption.SPENT


def rotation(row: Sequence[Any] | None, now: int, grace: int) -> RotationOutcome:
    """Why a refresh token could not be rotated, by the row of `why_not_rotated`."""
    if row is None:
        return RotationOutcome(Rotation.ENDED)
    _, superseded_at, revoked_at, successor_digest, expires_at, successor_used_at = row
    if revoked_at is not None:
        return RotationOutcome(Rotation.ENDED)
    if superseded_at is None:
        return RotationOutcome(Rotation.EXPIRED)
    unused = successor_digest is not None and successor_used_at is None
    meaning = judge_repeat(
        superseded_at=superseded_at, successor_unused=unused, now=now, grace=grace
    )
    if meaning is Rotation.REPEATED:
        return RotationOutcome(meaning, successor_digest, expires_at)
    return RotationOutcome(meaning)

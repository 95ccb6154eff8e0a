"""Moving a whole store to another place: every row as it is, counted, digested and compared.

The source is held still for the length of the copy and read twice: once for its digests, which are
also what says on resuming that this is the very source an interrupted copy began with, and once to
be copied. The target's rows are then read back and digested the same way. Where a copy stands is
written into the target in the transaction of each batch, and not guessed from the greatest key
there: then a row of somebody else, or another copy into the same place, is noticed and not taken
for ours. Until the end the target's revision says `copying`, so that no server starts on half a
store. Nothing is decrypted and nothing is left out unasked. Neighbours: the ends do the reading and
writing; `cli.store` says it all to the operator.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from authgate.store.copying_end import (
    PROGRESS,
    REVISIONS,
    CopyRefused,
    End,
    Key,
    Row,
    Shape,
    capital,
    shapes,
)
from authgate.store.migrations import HEAD
from authgate.store.revisions import COPYING

Phase = Literal["read", "copied", "compared"]
# The phase, the table, rows so far, rows in all (0: nobody knows yet).
Tell = Callable[[Phase, str, int, int], None]


@dataclass(frozen=True, slots=True)
class Content:
    """What a table holds: how many rows, and the SHA-256 of their canonical form in key order."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy that is whole: `copied` counts this run's rows, `left_out` those with a NUL.

    `others` are connections of servers to the source's database at the end, as far as can be told.
    """

    tables: Mapping[str, Content]
    copied: int
    copy_seconds: float
    resumed: bool
    left_out: Mapping[str, int]
    others: int

    @property
    def rows(self) -> int:
        return sum(content.rows for content in self.tables.values())


class CopyDiffers(Exception):
    """The target does not hold what the source does, in these tables."""

    def __init__(self, tables: list[str], target: str) -> None:
        super().__init__(
            f"The copy differs from the source in {', '.join(tables)}: somebody else changed "
            f"{target}. No server starts on it. Empty it, see that nobody else uses it, and copy "
            "again."
        )
        self.tables = tables


@dataclass(slots=True)
class _Reading:
    """Rows of one end, without those that the other cannot hold."""

    end: End
    without_nul: bool
    left_out: dict[str, int] = field(default_factory=dict)

    def batches(self, shape: Shape, after: Key | None = None) -> Iterator[list[Row]]:
        """The rows to copy, after they were all read once."""
        for rows in self.end.rows(shape, after):
            yield _without_nul(rows) if shape.name in self.left_out else rows

    def content(self, shape: Shape, total: int, phase: Phase, tell: Tell) -> Content:
        """Read and digest a table."""
        # The names first: the same values in other columns are not the same.
        digest = hashlib.sha256(json.dumps([shape.name, shape.columns]).encode())
        count = 0
        for rows in self.end.rows(shape):
            kept, form = rows, _canonical(rows)
            if self.without_nul and b"\\u0000" in form:
                kept = _without_nul(rows)
                form = _canonical(kept)
                if left := len(rows) - len(kept):
                    self.left_out[shape.name] = self.left_out.get(shape.name, 0) + left
            digest.update(form)
            count += len(kept)
            tell(phase, shape.name, count, total)
        return Content(count, digest.hexdigest())


def copy(source: End, target: End, tell: Tell, *, without_nul: bool = False) -> Copied:
    """Copy every row of `source` to `target`, or go on where an interrupted copy of it ended.

    Raises `CopyRefused` when it cannot begin or go on (what was copied stays, and the next call
    resumes), `CopyDiffers` when the target holds something else in the end. `without_nul` leaves
    out rows whose text holds a NUL where the target cannot keep one; otherwise they are refused.
    """
    source.hold()
    _must_be_current(source)
    target.take()
    resumed = target.revision() == COPYING
    if not resumed:
        _must_be_empty(target)  # once more below: this one spares the wait
    reading = _Reading(source, without_nul=not target.holds_nul)
    wanted = {shape.name: reading.content(shape, 0, "read", tell) for shape in shapes()}
    if reading.left_out and not without_nul:
        raise CopyRefused(_nul_sentence(reading.left_out, target))
    _resume(target, wanted) if resumed else _begin(target, wanted)
    began = time.monotonic()
    copied = sum(
        _copy_table(reading, target, shape, wanted[shape.name].rows, tell) for shape in shapes()
    )
    seconds = time.monotonic() - began
    _compare(target, wanted, tell)
    _finish(target, source.last_number())
    return Copied(wanted, copied, seconds, resumed, reading.left_out, source.others())


def _canonical(rows: list[Row]) -> bytes:
    """Rows as bytes: the same whatever engine they come from and however they are batched."""
    return (json.dumps(rows, separators=(",", ":"))[1:-1] + ",").encode() if rows else b""


def _without_nul(rows: list[Row]) -> list[Row]:
    return [row for row in rows if not any(isinstance(v, str) and "\0" in v for v in row)]


# --- what has to be so first ----------------------------------------------------------------------


def _must_be_current(source: End) -> None:
    found = source.revision()
    if found == HEAD:
        return
    if found is None:
        raise CopyRefused(f"{capital(source.name)} is no store of authgate.")
    if found == COPYING:
        raise CopyRefused(f"{capital(source.name)} is itself half a copy; finish that one first.")
    raise CopyRefused(
        f"{capital(source.name)} has schema revision {found}, and this authgate copies {HEAD}. "
        "If it is older, run authgate migrate on it first; if it is newer, copy with the authgate "
        "that wrote it."
    )


def _must_be_empty(target: End) -> None:
    if target.revision() != HEAD:
        raise CopyRefused(f"{capital(target.name)} is not as this authgate made it.")
    full = [
        shape.name
        for shape in shapes()
        if target.run(f"SELECT 1 FROM {target.table(shape.name)} LIMIT 1")
    ]
    if full:
        raise CopyRefused(
            f"{capital(target.name)} is not empty: there are rows in {', '.join(full)}. "
            "Nothing was copied; copy into an empty one."
        )


def _nul_sentence(left_out: Mapping[str, int], target: End) -> str:
    told = ", ".join(f"{count} in {table}" for table, count in left_out.items())
    return (
        f"Some rows hold a NUL character, which {target.name} cannot keep: {told}. Nothing was "
        "copied. Add --without-nul to leave these rows behind."
    )


def _fingerprint(wanted: Mapping[str, Content]) -> str:
    told = json.dumps([[name, found.rows, found.sha256] for name, found in wanted.items()])
    return hashlib.sha256(told.encode()).hexdigest()


# --- where a copy stands --------------------------------------------------------------------------


def _begin(target: End, wanted: Mapping[str, Content]) -> None:
    """Mark an empty store as the target of this very source."""
    progress, revisions = target.table(PROGRESS), target.table(REVISIONS)
    with target.transaction():
        _must_be_empty(target)
        target.run(
            f"CREATE TABLE {progress} (name TEXT PRIMARY KEY, copied BIGINT NOT NULL, "
            "last_key TEXT, source TEXT NOT NULL)"
        )
        fingerprint = _fingerprint(wanted)
        for name in wanted:
            target.run(
                f"INSERT INTO {progress} (name, copied, source) VALUES (?, 0, ?)",
                (name, fingerprint),
            )
        target.run(f"UPDATE {revisions} SET version_num = ?", (COPYING,))


def _resume(target: End, wanted: Mapping[str, Content]) -> None:
    found = target.run(f"SELECT DISTINCT source FROM {target.table(PROGRESS)}")
    if found != [(_fingerprint(wanted),)]:
        raise CopyRefused(
            f"{capital(target.name)} holds half a copy of another store, or of this one before it "
            "changed. Empty it (a SQLite file: remove it; PostgreSQL: DROP SCHEMA … CASCADE) and "
            "copy from the beginning."
        )


def _copy_table(reading: _Reading, target: End, shape: Shape, total: int, tell: Tell) -> int:
    """Copy what is missing of a table, a batch a transaction; how many rows that was."""
    progress = target.table(PROGRESS)
    asked = f"SELECT copied, last_key FROM {progress} WHERE name = ?"
    ((before, key),) = target.run(asked, (shape.name,))
    assert isinstance(before, int)
    tell("copied", shape.name, before, total)
    if before == total:
        return 0
    done = before
    for rows in reading.batches(shape, tuple(json.loads(key)) if key else None):
        if not rows:
            continue
        with target.transaction():
            target.insert(shape, rows)
            moved = target.run(
                f"UPDATE {progress} SET copied = ?, last_key = ? "
                "WHERE name = ? AND copied = ? RETURNING name",
                (done + len(rows), json.dumps(shape.key_of(rows[-1])), shape.name, done),
            )
            if not moved:
                raise CopyRefused(f"Another copy into {target.name} is under way.")
        done += len(rows)
        tell("copied", shape.name, done, total)
    return done - before


def _compare(target: End, wanted: Mapping[str, Content], tell: Tell) -> None:
    reading = _Reading(target, without_nul=False)
    differing = [
        shape.name
        for shape in shapes()
        if reading.content(shape, wanted[shape.name].rows, "compared", tell) != wanted[shape.name]
    ]
    if differing:
        raise CopyDiffers(differing, target.name)


def _finish(target: End, last_number: int) -> None:
    with target.transaction():
        target.go_on_after(last_number)
        target.run(f"DROP TABLE {target.table(PROGRESS)}")
        target.run(f"UPDATE {target.table(REVISIONS)} SET version_num = ?", (HEAD,))

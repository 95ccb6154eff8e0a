"""What the name of a schema's revision says: who may work on it.

A new version of the schema keeps what the programs before it need (expand, migrate, contract), and
its name says since which: on `0007_since_0006` works every program that knows 0006. So during a
rolling upgrade the old nodes go on, and start again, beside the new ones. A plain `0006` is for
itself and what comes after. The revisions are in `migrations`; this module imports nothing of them
but the newest one's name.
"""

from __future__ import annotations

import re

from authgate.observe import log
from authgate.store.contract import StoreTooNew
from authgate.store.migrations import HEAD

# What `copying` writes there while a store holds half a copy: no revision of any program.
COPYING = "copying"

_NAME = re.compile(r"(\d{4})(?:_since_(\d{4}))?", re.ASCII)


def _numbers(revision: str) -> tuple[int, int] | None:
    """The revision's number, and the oldest that a program must know to work on it."""
    match = _NAME.fullmatch(revision)
    return (int(match[1]), int(match[2] or match[1])) if match else None


def is_ready(revision: str | None, head: str = HEAD) -> bool:
    """Whether a program that knows `head` may work on the schema as it is.

    False: it has to be made or brought up. Raises `StoreTooNew` for one that is of a later time and
    no longer for this program.
    """
    if revision == head:
        return True
    if revision is None:
        return False
    if revision == COPYING:
        raise StoreTooNew(
            "the database holds half of a copy (schema revision copying): run the same authgate "
            "store copy once more, which goes on with it, or empty the database"
        )
    theirs, ours = _numbers(revision), _numbers(head)
    assert ours is not None
    if theirs is not None and theirs[0] < ours[0]:
        return False
    if theirs is not None and theirs[0] > ours[0] and theirs[1] <= ours[0]:
        log.info("store.newer_schema", revision=revision, knows=head)
        return True
    raise too_new(revision, head)


def too_new(revision: str, head: str = HEAD) -> StoreTooNew:
    return StoreTooNew(
        f"the database has schema revision {revision}, and this authgate knows revisions up to "
        f"{head}: it was written by a newer version; start that version, or restore a backup "
        "from before the upgrade"
    )

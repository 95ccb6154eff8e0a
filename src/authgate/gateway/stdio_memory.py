"""How much memory programs take, with everything they started, as the kernel counts it.

A limit of address space (RLIMIT_AS) would be simpler and is no use: Node reserves gigabytes that it
never touches, and does not start below that. So what is really in memory is looked at every few
seconds, and a program that is over its limit is ended. Only what is its own counts, not the pages
of libraries that programs share. Linux only: without /proc there is no limit, and the log says so.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

_PROC = Path("/proc")


def can_be_watched() -> bool:
    """Is there a /proc that tells?"""
    return (_PROC / "self" / "statm").exists()


def in_use(sessions: Collection[int]) -> dict[int, int]:
    """Bytes that the processes of each session hold by themselves.

    Of each session: whatever a program starts stays in the session that we began it with, also when
    its parent is gone, unless it takes pains to leave. Blocks for some milliseconds.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    found = dict.fromkeys(sessions, 0)
    for entry in os.scandir(_PROC):
        if not entry.name.isdigit():
            continue
        try:
            session = _session(Path(entry.path, "stat").read_bytes())
            if session in found:
                _, resident, shared, *_ = Path(entry.path, "statm").read_bytes().split()
                found[session] += (int(resident) - int(shared)) * page
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    return found


def _session(stat: bytes) -> int:
    """The session in /proc/PID/stat, whose second field may hold anything, brackets too."""
    return int(stat.rpartition(b")")[2].split()[3])

"""What processes take of the machine, read from /proc."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


@dataclass(frozen=True, slots=True)
class Taken:
    """Of a process with its children: memory in MiB, open files, CPU seconds so far."""

    mib: float
    files: int
    cpu: float


def taken(pid: int) -> Taken:
    """What is taken now; nothing if the process is gone."""
    mib = cpu = 0.0
    files = 0
    for each in tree(pid):
        with suppress(*_GONE):
            mib += _resident(each)
            files += sum(1 for _ in Path(f"/proc/{each}/fd").iterdir())
            cpu += _cpu(each)
    return Taken(mib, files, cpu)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    with suppress(*_GONE):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def _cpu(pid: int) -> float:
    """utime, stime, and those of children that ended, in ticks of 10 ms (proc(5))."""
    after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in after[11:15]) / 100

"""Where the figures come from: the machine and the versions, and nothing that names anybody."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

PACKAGES = (
    *("uvicorn", "uvloop", "httptools", "cryptography", "orjson", "PyJWT", "mcp", "starlette"),
    *("aiohttp", "fastmcp"),
)


def describe() -> dict[str, str]:
    """The lines of the head of a report."""
    cores = len(os.sched_getaffinity(0))
    kernel = platform.release().partition("-")[0]
    busy = ", ".join(f"{load:.2f}" for load in os.getloadavg())
    return {
        "Machine": f"{_processor()}, {cores} cores, {_memory():.0f} GiB",
        "System": f"{platform.system()} {kernel}, load before the run {busy}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}",
        "Packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "Disk": f"{_flush_us():.0f} µs per flush (fdatasync, median of 200)",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _flush_us() -> float:
    """What a flush to the disk costs just now: durable figures stand and fall with it."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e6

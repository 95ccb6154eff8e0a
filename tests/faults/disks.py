"""Disks that fill up, for a server and everything else of a test to be on.

Two ways, because one needs root's power over its own mounts and the other needs nothing:

- `Tmpfs`: a small file system of its own, mounted where only one thread of this process and the
  programs it starts can see it. The kernel says ENOSPC, as a full disk does.
- `Quota`: no file of the server's may grow any more (RLIMIT_FSIZE, set from outside while it runs),
  as with a used-up quota. The kernel says EFBIG.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import subprocess
import tempfile
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from tests.live import LiveServer

_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS


class Disk(Protocol):
    """A folder for the data, and the power to fill what it is on."""

    folder: Path

    def run(self, story: Coroutine[Any, Any, None]) -> None:
        """Run a story where the disk can be seen."""

    def fill(self, server: LiveServer) -> None:
        """Leave the server not a byte."""

    def free(self, server: LiveServer) -> None:
        """Give it all back."""


class Tmpfs:
    """48 MiB that this thread and its programs see, and nobody else.

    The write-ahead log alone may take eight of them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def run(self, story: Coroutine[Any, Any, None]) -> None:
        with ThreadPoolExecutor(1, initializer=self._mount) as alone:
            alone.submit(asyncio.run, story).result()

    def fill(self, server: LiveServer) -> None:
        fill_with(self._filler)

    def free(self, server: LiveServer) -> None:
        self._filler.unlink()

    def _mount(self) -> None:
        private_mounts()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", self.folder], check=True)


class Quota:
    """A limit on the size of files, which the server gets when it is `full`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, story: Coroutine[Any, Any, None]) -> None:
        asyncio.run(story)

    def fill(self, server: LiveServer) -> None:
        self._limit(server, 4096)  # less than one commit writes, wherever in a file that is

    def free(self, server: LiveServer) -> None:
        self._limit(server, resource.RLIM_INFINITY)

    def _limit(self, server: LiveServer, size: int) -> None:
        _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, hard))


def fill_with(filler: Path) -> None:
    """Write until the file system takes not one byte more."""
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def private_mounts() -> None:
    """What this thread mounts from now on only it and its children see; raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    # Else the mounts would spread to where we came from.
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def may_mount() -> bool:
    """Has this process root's power, and did nobody take mounting away from it?"""
    if os.geteuid() != 0:
        return False
    with ThreadPoolExecutor(1) as alone:
        return alone.submit(_mounts).result()


def _mounts() -> bool:
    try:
        private_mounts()
    except (OSError, subprocess.CalledProcessError):
        return False
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


WAYS: list[Callable[[Path], Disk]] = [Quota, *([Tmpfs] if may_mount() else [])]

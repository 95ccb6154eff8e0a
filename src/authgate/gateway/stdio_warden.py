"""Ends the programs that would outlive us: one small process that waits for our end.

However we end, `kill -9` included, the kernel closes our end of its pipe; it then terminates and
kills every process group it was told of. The alternatives leave somebody behind: the end of its
input is a program's to notice, and PR_SET_PDEATHSIG reaches a direct child only, which with `npx`
is not the server, needs code between fork and exec, and exists on Linux alone.

Run as a script it is the process, so nothing but the standard library is imported here at the top.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

GRACE = 1.0  # seconds between terminate and kill


class Warden:
    """Our side of it. Its process begins with the first program; one that was ended is replaced."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: set[int] = set()

    def watch(self, group: int) -> None:
        """End this process group when we end."""
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """It has ended; its number may soon be somebody else's."""
        if group in self._groups:
            self._groups.discard(group)
            self._tell(f"-{group}\n")

    def close(self) -> None:
        """Let it end: of what it still knows nothing is left alive."""
        process, self._process = self._process, None
        if process is not None:
            _let_go(process)

    def _tell(self, line: str) -> None:
        try:
            self._write(line)
        except OSError:  # it is gone: another one has to know them all
            self.close()
            with contextlib.suppress(OSError):  # no process to be had at all; programs end anyway
                self._write("".join(f"+{group}\n" for group in self._groups))

    def _write(self, text: str) -> None:
        if self._process is None:
            self._process = _start()
        pipe = self._process.stdin
        assert pipe is not None
        pipe.write(text.encode("ascii"))


def _start() -> subprocess.Popen[bytes]:
    import subprocess

    # A session of its own: what is sent to our group, a terminal's Ctrl-C too, must not reach it.
    return subprocess.Popen(  # noqa: S603 - our own interpreter and file
        [sys.executable, "-I", "-S", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={},
        cwd="/",
        start_new_session=True,
    )


def _let_go(process: subprocess.Popen[bytes]) -> None:
    import subprocess

    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(2 * GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    """Read until the end of the input, then end who is left."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a supervisor that ends us all may end us last
    groups: set[int] = set()
    for line in sys.stdin:
        change, group = line[0], int(line[1:])
        if change == "+":
            groups.add(group)
        else:
            groups.discard(group)
    end(groups)


def end(groups: Iterable[int]) -> None:
    """Terminate, and kill after `GRACE` seconds."""
    left = [group for group in groups if _signal(group, signal.SIGTERM)]
    if left:
        time.sleep(GRACE)
    for group in left:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    main()

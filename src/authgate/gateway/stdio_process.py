"""One stdio program: how it is started, spoken to and ended.

The SDK's own `stdio_client` keeps lines of any length, hands the program's standard error to a
file, and takes its environment from a list of its own. None of these can be told otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from authgate.gateway.stdio_lines import CHUNK, Logged, TooLong, lines
from authgate.gateway.stdio_warden import Warden
from authgate.observe import log

Process = subprocess.Popen[bytes]

ASKED = 1.0  # seconds to end after its input has, as MCP's stdio transport wants it
TERMINATED = 1.0
KILLED = 1.0
_LOOK_EVERY = 0.02

# What any program may need of where it runs; no setting of ours is among them, and no secret.
KEPT = (
    *("HOME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM"),
    *("TMPDIR", "TZ", "USER"),
)


class ProgramGone(Exception):
    """It could not be started, or has ended."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What is started. `line_limit` is the longest message in bytes."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    line_limit: int


def environment(given: Mapping[str, str], more: tuple[str, ...]) -> dict[str, str]:
    """Of `given` what a program may see: `KEPT`, and the names in `more`."""
    return {name: given[name] for name in (*KEPT, *more) if name in given}


class Pipes:
    """A program's three streams: our ends, and `theirs` until it has them.

    Pairs of sockets: uvloop closes the number of a pipe's file twice, and the second time it may be
    somebody else's. A loop's own way to start processes is no way out: uvloop's leaves a program
    our open files, and second copies of its streams, so that the end of its output is never seen.
    """

    def __init__(self) -> None:
        pairs = [socket.socketpair() for _ in range(3)]
        self._ours = [pair[0] for pair in pairs]
        self.theirs = [pair[1] for pair in pairs]
        self._writers: list[asyncio.StreamWriter] = []
        self.input: asyncio.StreamWriter
        self.output: asyncio.StreamReader
        self.words: asyncio.StreamReader

    async def connect(self) -> None:
        """Make streams of our ends; raises `OSError`."""
        made = []
        for end in self._ours:
            reader, writer = await asyncio.open_unix_connection(sock=end, limit=CHUNK)
            self._writers.append(writer)
            made.append(reader)
        self.input = self._writers[0]
        _, self.output, self.words = made

    def give(self) -> None:
        """Let go of the program's ends, which it has or never will."""
        for end in self.theirs:
            end.close()

    def close(self) -> None:
        """Let go of ours; who still waits for one of them waits no more."""
        for writer in self._writers:
            writer.close()
        for end in self._ours[len(self._writers) :]:
            end.close()


class Program:
    """A running program, in a session and process group of its own."""

    def __init__(
        self, process: Process, pipes: Pipes, launch: Launch, subject: str, warden: Warden
    ) -> None:
        self.pid = process.pid
        self.started_at = time.monotonic()
        self._process = process
        self._pipes = pipes
        self._launch = launch
        self._warden = warden
        self._subject = subject
        self._ending: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._words = asyncio.create_task(self._log_words())
        warden.watch(self.pid)

    @classmethod
    async def start(
        cls, launch: Launch, subject: str, told: Mapping[str, str], warden: Warden
    ) -> Program:
        """Start one for `subject`, with `told` in its environment; raises `ProgramGone`."""
        pipes = Pipes()
        try:
            # Before there is a program: from its start on nothing fails, or is waited for, until
            # somebody knows of it and will end it.
            await pipes.connect()
            process = subprocess.Popen(  # noqa: S603, ASYNC220 - the operator's; some milliseconds
                launch.command,
                stdin=pipes.theirs[0].fileno(),
                stdout=pipes.theirs[1].fileno(),
                stderr=pipes.theirs[2].fileno(),
                env={**launch.environment, **told},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            log.error("upstream.not_started", command=launch.command[0], error=type(error).__name__)
            pipes.close()
            raise ProgramGone from None
        finally:
            pipes.give()
        program = cls(process, pipes, launch, subject, warden)
        log.info("upstream.started", subject=subject, pid=process.pid)
        return program

    @property
    def exited(self) -> bool:
        """Has it ended? What it started may still hold its output open."""
        return self._process.poll() is not None

    @property
    def was_ended(self) -> bool:
        """Did we end it, or are about to?"""
        return self._ending is not None

    async def messages(self) -> AsyncIterator[bytes | TooLong]:
        """What it says on its standard output, line by line, until that ends."""
        with contextlib.suppress(OSError):
            async for line in lines(self._pipes.output, self._launch.line_limit):
                yield line

    async def write(self, message: bytes) -> None:
        """Write one message; waits while it does not read. Raises `ProgramGone`.

        One at a time, and none before the last is nearly through: whoever gives up while waiting
        leaves nothing behind in memory.
        """
        pipe = self._pipes.input
        try:
            async with self._writing:
                await pipe.drain()
                if pipe.is_closing():
                    raise ProgramGone
                pipe.write(message + b"\n")
                await pipe.drain()
        except (OSError, RuntimeError):
            raise ProgramGone from None

    async def end(self) -> None:
        """Close its input, then terminate, then kill its group; within about three seconds."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        self._pipes.input.close()
        if not await self._exits_within(ASKED):
            self._signal(signal.SIGTERM)
            if not await self._exits_within(TERMINATED):
                self._signal(signal.SIGKILL)
                await self._exits_within(KILLED)
        # Whoever of its group stayed behind; the number is not given away while there is somebody.
        self._signal(signal.SIGKILL)
        self._warden.forget(self.pid)
        # A process that left the group may hold the pipes open for ever; ours must not wait for it.
        self._pipes.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._words, KILLED)
        log.info(
            "upstream.ended", subject=self._subject, pid=self.pid, code=self._process.returncode
        )

    async def _exits_within(self, seconds: float) -> bool:
        """Not `wait()`: that waits for the ends of the pipes too, which others may hold open."""
        ends = time.monotonic() + seconds
        while not self.exited:
            if time.monotonic() >= ends:
                return False
            await asyncio.sleep(_LOOK_EVERY)
        return True

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def _log_words(self) -> None:
        logged = Logged("upstream.stderr", subject=self._subject, pid=self.pid)
        with contextlib.suppress(OSError):
            async for line in lines(self._pipes.words, CHUNK):
                logged.say(line.head if isinstance(line, TooLong) else line)
        logged.flush()

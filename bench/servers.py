"""Server processes: started on their own core, watched through /proc, stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
START_WITHIN = 30.0
# Not handed on: the settings of whoever runs the bench, and what would make every start compile.
LEFT_OUT = ("AUTHGATE_", "LOG_LEVEL", "SUPABASE_", "WORKOS_", "PYTHONDONTWRITEBYTECODE")


class DidNotStart(Exception):
    """A server process ended, or never answered."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server process."""

    port: int
    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """CPU seconds used so far by the process and its children, all threads."""
        return cpu_seconds(self.process.pid)

    def rss(self) -> float:
        """Resident memory of the process and its children in MiB."""
        return sum(resident(pid) for pid in _tree(self.process.pid))


def pin(core: int) -> None:
    """Keep this process on one core."""
    os.sched_setaffinity(0, {core})


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def spawn(
    arguments: list[str],
    environment: Mapping[str, str] | None = None,
    *,
    core: int = SERVER_CORE,
    pipes: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `python ARGUMENTS` on one core."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env={**plain_environment(), **(environment or {})},
        stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
        stdout=subprocess.PIPE if pipes else subprocess.DEVNULL,
        stderr=None if pipes else subprocess.DEVNULL,
        preexec_fn=lambda: pin(core),  # noqa: PLW1509 - this process has one thread
    )


def plain_environment() -> dict[str, str]:
    """This process' environment without what would change a measurement."""
    return {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}


@contextmanager
def running(
    arguments: list[str], port: int, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server process that answers; stopped at the end."""
    process = spawn(arguments, environment)
    try:
        wait_for_answer(process, port)
        yield Server(port, process)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, politely first."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for_answer(process: subprocess.Popen[bytes], port: int) -> None:
    """Return as soon as the server has answered the discovery document's address."""
    path = b"/.well-known/oauth-authorization-server"
    ask(process, port, b"GET " + path + b" HTTP/1.1\r\nhost: localhost\r\n\r\n")


def ask(process: subprocess.Popen[bytes], port: int, request: bytes) -> bytes:
    """Send one request as soon as somebody listens; the beginning of the answer."""
    give_up = time.monotonic() + START_WITHIN
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise DidNotStart(f"the server on port {port} ended with {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=START_WITHIN) as connection:
                connection.sendall(request)
                answer = connection.recv(65_536)
        except OSError:
            time.sleep(0.002)
            continue
        if answer:
            return answer
    raise DidNotStart(f"the server on port {port} did not answer within {START_WITHIN:.0f} s")


def resident(pid: int | str) -> float:
    """A process' resident memory in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid: int) -> float:
    """What a process and its children have used so far, all threads; not those that have ended."""
    return sum(_cpu(each) for each in _tree(pid))


def _cpu(pid: int) -> float:
    """Of every thread, as the scheduler counts it: in ns, where /proc/PID/stat has 10 ms ticks."""
    used = 0
    with suppress(FileNotFoundError, ProcessLookupError):  # a process or thread that ends meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                used += int((task / "schedstat").read_text().split()[0])
    return used / 1e9


def _tree(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _tree(int(child))
    return found

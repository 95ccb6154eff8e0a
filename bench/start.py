"""Cold start and memory: from starting the process to its first answers, and what it holds then."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import messages
from bench.servers import LOAD_CORE, Server, ask, free_port, spawn, stop, wait_for_answer
from bench.targets import environment, peer_arguments, serve_arguments

SETTLE = 1.5  # seconds until what a start leaves behind is over (the first sweep, a thread's end)


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds to the answer, MiB at rest after it."""

    seconds: float
    mib: float


def measure_starts(count: int) -> dict[str, Start]:
    """Starts on a fresh and an existing database, one that is then asked for its tools, the SDK's.

    The second of two starts is `existing`; `everything` counts until /api/mcp and /mcp, which
    import the MCP SDK, have answered too.
    """
    port = free_port()
    found: dict[str, list[Start]] = {"fresh": [], "existing": [], "everything": [], "sdk": []}
    for _ in range(count):
        with TemporaryDirectory(prefix="authgate-bench-") as folder:
            given = environment(Path(folder), port)
            found["fresh"].append(_start(serve_arguments(port), port, given))
            token = _token(given)
            found["existing"].append(_start(serve_arguments(port), port, given))
            calls = [messages.list_sign_in_tools(port), messages.call_add(port, token)]
            found["everything"].append(_start(serve_arguments(port), port, given, calls))
        found["sdk"].append(_start(peer_arguments("sdk", port), port, {}))
    return {name: _median(starts) for name, starts in found.items()}


def _start(
    arguments: list[str], port: int, given: dict[str, str], calls: list[bytes] | None = None
) -> Start:
    begun = time.perf_counter()
    process = spawn(arguments, given)
    try:
        wait_for_answer(process, port)
        for call in calls or ():
            answer = ask(process, port, call)
            if b" 200 " not in answer[:20]:
                raise RuntimeError(f"the first call was answered with {answer[:300]!r}")
        seconds = time.perf_counter() - begun
        time.sleep(SETTLE)
        return Start(seconds, Server(port, process).rss())
    finally:
        stop(process)


def _token(given: dict[str, str]) -> str:
    maker = spawn(["-m", "bench.prepare", "token"], given, core=LOAD_CORE, pipes=True)
    out, _ = maker.communicate(timeout=60)
    return out.decode().strip()


def _median(starts: list[Start]) -> Start:
    return Start(median(s.seconds for s in starts), median(s.mib for s in starts))

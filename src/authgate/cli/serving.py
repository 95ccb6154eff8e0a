"""Serving: settings, socket, store, banner, then uvicorn in this process or in several.

The order is the order in which an operator can mend things: settings (exit 2), port, store (exit 1)
and only then a server. Never here: a route or a rule. Neighbours: `app.build`, `web.listener`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer
from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.server import Server
from uvicorn.supervisors.multiprocess import Multiprocess

from authgate.app import build, build_core
from authgate.app.observing import begin, what_keeps_traces_from_going
from authgate.cli.banner import banner
from authgate.cli.common import REFUSED, explain, fail, load_settings, run_or_fail
from authgate.cli.draining import END_NOW, ENDS, drain_first
from authgate.cli.listening import BACKLOG, listen
from authgate.cli.scraping import forget_worker, scraped
from authgate.observe import log
from authgate.settings import SettingsError, load
from authgate.web.answers import AnswerCut
from authgate.web.listener import DeadlineProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from authgate.app import Application
    from authgate.settings import Settings

# Above the 60 s for which common reverse proxies keep a connection to reuse it: whoever closes an
# idle connection first must not be us, or the proxy's next request dies on it.
KEEP_ALIVE = 75
# What runs gets AUTHGATE_DRAIN (five seconds) to finish, the MCP servers inside and the store get
# these: everything has ended within ten, which is when container runtimes begin to kill.
LAST_CALL = 4.0
FILES = 65_536
# New objects. What the requests in progress hold is no garbage, and to look through it after every
# 700, as Python does by itself, took 7 to 9 % of a call through the gateway (docs/performance.md).
COLLECT_AFTER = 5000


def run(host: str, port: int, workers: int, env_file: Path | None) -> None:
    """Serve until a signal says stop."""
    signal.signal(signal.SIGTERM, _stop)
    if not sys.stderr.isatty():
        # SIGHUP means "read the config file", also to a server that is still coming up. At a
        # terminal it means that the terminal is gone, and with it the server.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    settings = load_settings(env_file, port=port)
    if workers > 1 and settings.upstream_command is not None:
        fail(
            "--workers: the sessions of a stdio server live in one process, and the others would "
            "not know them. Leave it out; the programs have processes of their own."
        )
    hindrance = what_keeps_traces_from_going()
    if hindrance is not None:
        fail(hindrance)
    with listen(host, port) as listener:
        if port == 0:
            port = listener.getsockname()[1]
            settings = load_settings(env_file, port=port)
        log.configure(settings.log_level)
        _raise_file_limit()
        _prepare(settings, workers, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        config = _config(partial(application, env_file, port), workers, settings.drain)
        with scraped(settings.metrics_bind, workers, port):
            _serve(config, listener, settings.drain_delay)


def _raise_file_limit() -> None:
    """As many open files as the system lets us: a stream through the gateway takes two sockets.

    The usual soft limit of 1024 is there for programs that use select(), which nothing here does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _serve(config: Config, listener: socket.socket, delay: int) -> None:
    """Serve until the end; how that is told to the shell."""
    try:
        if config.workers == 1:
            Server(config).run([listener])
        else:
            _supervise(config, listener, delay)
    except KeyboardInterrupt:
        raise typer.Exit from None
    except SystemExit as ended:
        # The reason was logged by whoever gave up; uvicorn's own code (3) means nothing to users.
        raise typer.Exit(REFUSED if ended.code else 0) from None


def _stop(_signal: int, _frame: object) -> NoReturn:
    """SIGTERM before uvicorn listens to it, and once more after its orderly end: no failure."""
    raise SystemExit(0)


def _prepare(settings: Settings, workers: int, at: str) -> None:
    """Make or migrate the store and its first key once, before any worker; say where we are."""

    async def prepare() -> None:
        core = build_core(settings)
        try:
            await core.open()
            people = len(await core.store.accounts())
        finally:
            await core.close()
        text = banner(core, people, workers, at=at, colour=sys.stderr.isatty())
        with contextlib.suppress(OSError):  # a log on a full disk keeps nobody from coming back
            typer.echo(text, err=True)

    run_or_fail(prepare, settings)


def _config(factory: partial[Application], workers: int, drain: int) -> Config:
    return Config(
        factory,
        factory=True,
        workers=workers,
        loop="uvloop" if _has_uvloop() else "asyncio",
        http=DeadlineProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=drain,
    )


def _has_uvloop() -> bool:
    from importlib.util import find_spec

    return find_spec("uvloop") is not None


def application(env_file: Path | None, port: int) -> Application:
    """The application of this process, from its own reading of the settings.

    A worker gets a path and a port and not the settings: those would travel to it pickled, secrets
    included. Settings that became wrong since the parent read them end the worker for good.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with_parent, args=(parent.sentinel,), daemon=True).start()
    try:
        settings = load(env_file, port=port)
    except SettingsError as error:
        explain(error.problems)
        raise SystemExit(STARTUP_FAILURE) from None
    log.configure(settings.log_level)
    logging.getLogger("uvicorn.error").addFilter(_is_trouble)
    begin(settings)
    built = build(settings)
    gc.set_threshold(COLLECT_AFTER)
    _at_hangup(built.live.look_again)
    drain_first(settings.drain_delay, built.readiness)
    return built


def _at_hangup(look_again: Callable[[], None]) -> None:
    """SIGHUP reads the config file again. Whose terminal has gone ends instead, as programs do:
    nobody would see this one any more, and it would keep the port."""
    at_terminal = sys.stderr.isatty()

    def hung_up() -> None:
        if at_terminal and not sys.stderr.isatty():
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            look_again()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)


def _is_trouble(record: logging.LogRecord) -> bool:
    """Requests cut off when the drain ends are no faults: uvicorn would log each as a traceback.

    That some were cut off, and how many, stays in its log line before. Nor is an answer that
    somebody cut who said why.
    """
    cut = (asyncio.CancelledError, AnswerCut)
    return not (record.exc_info and isinstance(record.exc_info[1], cut))


def _end_with_parent(sentinel: int) -> None:
    """Stop this worker when its parent is gone: it would keep the port, and nobody watched it."""
    from multiprocessing.connection import wait

    wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _supervise(config: Config, listener: socket.socket, delay: int) -> None:
    supervisor = _Supervisor(config, [listener], delay)
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise SystemExit(REFUSED)


class _Supervisor(Multiprocess):
    """uvicorn's supervisor, which waits for its workers without end and replaces them all on
    SIGHUP; this one does neither: a replaced worker would drop its streams."""

    def __init__(self, config: Config, sockets: list[socket.socket], delay: int) -> None:
        super().__init__(config, sockets)
        self._delay = delay
        self._at_terminal = sys.stderr.isatty()

    def handle_hup(self) -> None:
        if self._at_terminal and not sys.stderr.isatty():
            self.should_exit.set()
            return
        for worker in self.processes:
            # One that still comes up would die of it, and reads the file anyway.
            if worker.pid is not None and worker.is_ready(timeout=1):
                os.kill(worker.pid, signal.SIGHUP)

    def keep_subprocess_alive(self) -> None:
        before = {worker.pid for worker in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {worker.pid for worker in self.processes}:
            forget_worker(pid)

    def join_all(self) -> None:
        for listener in self.sockets:
            # Or whoever connects while the workers drain would wait for an answer in vain.
            listener.close()
        most = (self.config.timeout_graceful_shutdown or 0) + LAST_CALL
        deadline = time.monotonic() + self._delay + most
        for worker in self.processes:
            while worker.process.is_alive() and time.monotonic() < deadline:
                worker.process.join(min(0.1, max(0.0, deadline - time.monotonic())))
                if self._told_again() and self._delay:
                    # Without a delay nobody listens to that signal, and it would end them at once.
                    self._end_the_delay()
                    deadline = min(deadline, time.monotonic() + most)
            if worker.process.is_alive():
                log.warning("worker.killed", pid=worker.pid)
                worker.process.kill()
                worker.process.join()

    def _told_again(self) -> bool:
        """Did a signal to stop come since the one that began this end?"""
        told = [each for each in self.signal_queue if each in ENDS]
        self.signal_queue.clear()
        return bool(told)

    def _end_the_delay(self) -> None:
        for worker in self.processes:
            if worker.pid is not None and worker.process.is_alive():
                os.kill(worker.pid, END_NOW)

"""SIGHUP: a server reads its config file again, but one whose terminal has gone ends."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.cli.conftest import Operator
from tests.cli.serving import running

WITHIN = 30.0


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of one."""
    master, slave = pty.openpty()
    try:
        yield master, slave
    finally:
        for end in (master, slave):
            with suppress(OSError):  # closed in the test, which is what it is about
                os.close(end)


def until_said(master: int, what: str) -> str:
    """Read a terminal until something stands there."""
    said, ends = "", time.monotonic() + WITHIN
    while what not in said:
        assert time.monotonic() < ends, said
        if select.select([master], [], [], 0.1)[0]:
            said += os.read(master, 4096).decode(errors="replace")
    return said


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_ends_with_its_terminal(operator: Operator, workers: str) -> None:
    with terminal() as (master, slave):

        def at_terminal() -> None:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        process = operator.start(
            "authgate",
            "serve",
            *("--port", "0", "--workers", workers),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=False,
            preexec_fn=at_terminal,
        )
        try:
            os.close(slave)
            until_said(master, "rollout.mode")  # it is up
            process.send_signal(signal.SIGHUP)  # the terminal is still there
            until_said(master, "rollout.mode")
            assert process.poll() is None
            os.close(master)
            process.wait(WITHIN)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(WITHIN)


def test_without_a_terminal_it_never_ends_a_server(operator: Operator) -> None:
    with running(operator) as server:
        for said in (2, 3, 4):
            server.process.send_signal(signal.SIGHUP)
            ends = time.monotonic() + WITHIN
            while server.said.count("rollout.mode") < said:
                assert time.monotonic() < ends, server.said
                time.sleep(0.02)
        assert server.process.poll() is None
        code, _ = server.stop()
        assert code == 0

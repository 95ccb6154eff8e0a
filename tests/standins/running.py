"""The stand-ins beside tests that wait plainly: each on a thread with a loop of its own.

with running(Options()) as supabase, running_workos(login_uri="http://…") as workos:
    LiveServer(env={"SUPABASE_URL": supabase.url, "WORKOS_API_URL": workos.api_url, ...})
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

from tests.standins.supabase import SupabaseStandin
from tests.standins.supabase_state import Options
from tests.standins.workos import WorkOSStandIn

Standin = TypeVar("Standin", bound=AbstractAsyncContextManager[Any])


@contextmanager
def running(options: Options | None = None, port: int = 0) -> Iterator[SupabaseStandin]:
    """A Supabase stand-in that answers until the end of the block."""
    with _on_a_thread(SupabaseStandin(options, port)) as standin:
        yield standin


@contextmanager
def running_workos(**knobs: Any) -> Iterator[WorkOSStandIn]:
    """A WorkOS stand-in that answers until the end of the block."""
    with _on_a_thread(WorkOSStandIn(**knobs)) as standin:
        yield standin


@contextmanager
def _on_a_thread(standin: Standin) -> Iterator[Standin]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(standin.__aenter__(), loop).result(10)
        try:
            yield standin
        finally:
            asyncio.run_coroutine_threadsafe(standin.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()

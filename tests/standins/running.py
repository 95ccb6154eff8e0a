"""The Supabase stand-in beside tests that wait plainly: on a thread with a loop of its own.

with running(Options()) as supabase:
    LiveServer(env={"SUPABASE_URL": supabase.url, ...})
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.standins.supabase import SupabaseStandin
from tests.standins.supabase_state import Options


@contextmanager
def running(options: Options | None = None, port: int = 0) -> Iterator[SupabaseStandin]:
    """A stand-in that answers until the end of the block."""
    standin = SupabaseStandin(options, port)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(standin.__aenter__(), loop).result(10)
        yield standin
        asyncio.run_coroutine_threadsafe(standin.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()

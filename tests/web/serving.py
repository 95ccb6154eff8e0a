"""A real uvicorn with our listener in this event loop, and a raw socket to speak to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from authgate.web.listener import DeadlineProtocol


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
    """Serve `app` as `authgate serve` does; gives the port."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=DeadlineProtocol,
        lifespan="off",
        log_level="critical",
        ws="none",
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
        await asyncio.sleep(0.01)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await running
        listening.close()


async def talk(port: int, *parts: bytes, pause: float = 0.0, wait: float = 10.0) -> bytes:
    """Send `parts` with a pause between them; everything that comes back until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(), wait)
    except ConnectionError:
        return b""
    finally:
        writer.close()

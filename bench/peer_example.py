"""The built-in MCP server as authgate mounts it, but open to everybody: what the guard adds to."""

from __future__ import annotations

from authgate.gateway.example import server
from authgate.web.mcp_app import LazyMcpApp
from authgate.web.request import Receive, Scope, Send


def build(_port: int) -> Open:
    """The application."""
    return Open()


class Open:
    """One path, no guard."""

    def __init__(self) -> None:
        self._mcp = LazyMcpApp(server)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._mcp(scope, receive, send)
            return
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._mcp.close()
        await send({"type": "lifespan.shutdown.complete"})

"""An MCP server over stdio on the official Python SDK: both eras. Run as a script."""

from __future__ import annotations

import os
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel


class Identity(BaseModel):
    display: str
    pid: int


class Sum(BaseModel):
    sum: int


def main() -> None:
    server: MCPServer[Any] = MCPServer(name="stdio-sdk", log_level="WARNING")

    @server.tool()
    async def whoami() -> Identity:
        """For whom it runs, as far as it was told."""
        return Identity(display=os.environ.get("AUTHGATE_SUBJECT", ""), pid=os.getpid())

    @server.tool()
    async def add(a: int, b: int) -> Sum:
        """Add two integers."""
        return Sum(sum=a + b)

    @server.tool()
    async def count(ctx: Context[Any, Any], steps: int) -> Sum:
        """Tell every step."""
        for step in range(1, steps + 1):
            await ctx.report_progress(step, steps)
        return Sum(sum=steps)

    server.run("stdio")


if __name__ == "__main__":
    main()

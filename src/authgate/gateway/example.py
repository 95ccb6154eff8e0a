"""The built-in MCP server at /mcp: three small tools that show who gets through the guard, and how.

It knows its callers from `scope["authgate.caller"]` only; the guard has taken the token out of the
request. Imports the MCP SDK at the top, so import it where it is first needed (`web.mcp_app` does).
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

from authgate import __version__
from authgate.gateway.caller import Caller

MAX_STEPS = 50
STEP_SECONDS = 0.2

# What every JSON parser reads back as it was written (RFC 8259 section 6); also a bound.
_Integer = Annotated[int, Field(ge=-(2**53), le=2**53)]
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)


class Identity(BaseModel):
    """Whom the access token speaks for."""

    sub: str = Field(description="The person's stable identifier")
    display: str = Field(description="The person's name for people to read, usually an e-mail")
    client_id: str = Field(description="The OAuth client that acts for the person")
    scopes: list[str] = Field(description="What the person allowed the client")
    expires_at: int = Field(description="End of the access token, seconds since the epoch")


class Sum(BaseModel):
    """A sum."""

    sum: int


class Count(BaseModel):
    """How far a count came."""

    counted: int
    seconds: float


async def whoami(ctx: Context[Any, Any]) -> Identity:
    """Tell who is signed in, through which client, with which scopes, and until when."""
    request: Any = ctx.request_context.request
    caller: Caller = request.scope["authgate.caller"]
    return Identity(
        sub=caller.sub,
        display=caller.display,
        client_id=caller.client_id,
        scopes=list(caller.scopes),
        expires_at=caller.expires_at,
    )


async def add(a: _Integer, b: _Integer) -> Sum:
    """Add two integers."""
    return Sum(sum=a + b)


async def count_slowly(
    ctx: Context[Any, Any],
    steps: Annotated[int, Field(ge=1, le=MAX_STEPS, description="How far to count")] = 5,
) -> Count:
    """Count to `steps`, about a fifth of a second each, reporting progress on the way."""
    for step in range(1, steps + 1):
        await asyncio.sleep(STEP_SECONDS)
        await ctx.report_progress(step, steps, f"{step} of {steps}")
    return Count(counted=steps, seconds=round(steps * STEP_SECONDS, 1))


def server() -> MCPServer[Any]:
    """The example, ready for `web.mcp_app.LazyMcpApp`."""
    example: MCPServer[Any] = MCPServer(
        name="authgate-example",
        title="authgate example",
        instructions="A protected example server: call whoami to see who is signed in.",
        version=__version__,
        log_level="WARNING",
        subscriptions=False,  # its list of tools never changes
    )
    example.add_tool(whoami, title="Who am I", annotations=_READS)
    example.add_tool(add, title="Add", annotations=_READS)
    example.add_tool(count_slowly, title="Count slowly", annotations=_READS)
    return example

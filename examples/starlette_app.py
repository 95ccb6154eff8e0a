"""Any ASGI application behind authgate: here an MCP SDK server with a page of Starlette's in it.

    AUTHGATE_RESOURCES=http://localhost:8000/mcp authgate serve --port 9000
    python examples/starlette_app.py

Point an MCP client at http://localhost:8000/mcp; /health is open to anybody.
"""

import os
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from authgate.adapters.starlette import caller_of, protect

PORT = int(os.environ.get("PORT", "8000"))
ISSUER = os.environ.get("ISSUER", "http://localhost:9000")
RESOURCE = os.environ.get("RESOURCE", f"http://localhost:{PORT}/mcp")

server: MCPServer = MCPServer("weather")


@server.tool()
async def whoami(ctx: Context[Any, Any]) -> dict[str, object]:
    """Tell who is signed in, and through which client."""
    caller = caller_of(ctx.request_context.request)
    return {"sub": caller.sub, "client_id": caller.client_id, "scopes": list(caller.scopes)}


async def health(request: Request) -> PlainTextResponse:
    return PlainTextResponse("well\n")


inner = server.streamable_http_app()
inner.router.routes.append(Route("/health", health))

app = protect(inner, issuer=ISSUER, resource=RESOURCE, public=["/health"])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")

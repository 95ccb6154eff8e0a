"""The guide's own server again: FastMCP on port 8000 with /api/mcp, and the whole authgate inside.

    python examples/fastmcp_embedded.py

Settings come from the environment and `.env`, people from `authgate people add` or Supabase. The
server keeps /api/mcp, now with a token only. The guide's plain POST for the sign-in tools goes to
the same path and still needs none:

    curl -X POST http://localhost:8000/api/mcp -H "Content-Type: application/json" \\
      -d '{"method": "oauth_register_client", "params": {"client_data": {"redirect_uris": […]}}}'
"""

import os

from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token

from authgate.adapters.fastmcp import UVICORN, AuthgateProvider
from authgate.settings import load

PORT = int(os.environ.get("PORT", "8000"))
PATH = os.environ.get("MCP_PATH", "/api/mcp")

mcp: FastMCP = FastMCP("weather", auth=AuthgateProvider.embedded(load(port=PORT)))


@mcp.tool
def whoami() -> dict[str, object]:
    """Tell who is signed in, and through which client."""
    token = get_access_token()
    assert token is not None
    return {"sub": token.subject, "client_id": token.client_id, "scopes": token.scopes}


if __name__ == "__main__":
    mcp.run(transport="http", port=PORT, path=PATH, show_banner=False, uvicorn_config=UVICORN)

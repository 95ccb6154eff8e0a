"""The guide's own server: FastMCP on port 8000 with /api/mcp, its authgate in another process.

    AUTHGATE_RESOURCES=http://localhost:8000/api/mcp authgate serve --port 9000
    python examples/fastmcp_remote.py

Point an MCP client at http://localhost:8000/api/mcp. Nothing of the server changes but `auth=`.
"""

import os

from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token

from authgate.adapters.fastmcp import AuthgateProvider, Introspection

PORT = int(os.environ.get("PORT", "8000"))
ISSUER = os.environ.get("ISSUER", "http://localhost:9000")
RESOURCE = os.environ.get("RESOURCE", f"http://localhost:{PORT}/api/mcp")

# With the credentials of `authgate clients add weather`, what is revoked ends at the next call.
asking = Introspection(os.environ.get("CLIENT_ID", ""), os.environ.get("CLIENT_SECRET", ""))

mcp: FastMCP = FastMCP(
    "weather",
    auth=AuthgateProvider(
        issuer=ISSUER, resource=RESOURCE, introspection=asking if asking.client_id else None
    ),
)


@mcp.tool
def whoami() -> dict[str, object]:
    """Tell who is signed in, and through which client."""
    token = get_access_token()
    assert token is not None
    return {"sub": token.subject, "client_id": token.client_id, "scopes": token.scopes}


if __name__ == "__main__":
    mcp.run(transport="http", host="127.0.0.1", port=PORT, path="/api/mcp", show_banner=False)

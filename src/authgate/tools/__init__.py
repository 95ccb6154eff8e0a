"""The guide's four sign-in tools at /api/mcp: another face of `steps`, no second one.

`calls` does, `catalogue` describes, `arguments` and `results` are what goes in and out; `plain` and
`mcp` are the two ways to call, `endpoint` tells them apart. Never here: a rule or a stored row.
"""

from __future__ import annotations

from authgate.tools.endpoint import ToolsEndpoint, routes

__all__ = ["ToolsEndpoint", "routes"]

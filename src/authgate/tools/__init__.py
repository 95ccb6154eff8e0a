"""The guide's four sign-in tools at /api/mcp: another face of `steps`, no second one.

`calls` does and `catalogue` describes, `elsewhere` is both where another issues the tokens.
`arguments` and `results` are what goes in and out. `contract` is what `plain` and `mcp`, the two
ways to call, work with, and `endpoint` tells those apart. Never here: a rule or a stored row.
"""

from __future__ import annotations

from authgate.tools.endpoint import ToolsEndpoint, routes

__all__ = ["ToolsEndpoint", "routes"]

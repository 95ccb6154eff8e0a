"""authgate: an OAuth 2.1 authorization server and gateway for MCP servers.

It stands in front of the users you already have: people sign in where their
accounts live, MCP clients get tokens bound to one MCP server, and nobody is
migrated. This package holds the version and nothing else, so that importing it
costs nothing; ``authgate.app`` is where the parts are put together.
"""

__version__ = "0.2.0"

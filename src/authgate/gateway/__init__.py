"""In front of the MCP server: the guard, the built-in example, later the proxies.

Never here: how a token is made, or who may have one.
"""

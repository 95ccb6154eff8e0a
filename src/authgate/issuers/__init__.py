"""Who issues the tokens that open the MCP server: authgate (`builtin`), later WorkOS AuthKit.

`contract` is what the steps and the guard call. Never here: sign-in, consent, or HTTP.
"""

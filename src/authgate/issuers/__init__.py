"""Who issues the tokens that open the MCP server: authgate (`builtin`) or AuthKit (`authkit`).

`contract` is what steps, tools and guard call, `logins` what an issuer elsewhere is told of people.
Never here: sign-in, consent, or HTTP.
"""

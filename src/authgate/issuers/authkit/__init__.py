"""AuthKit as the issuer of the tokens: verified here, and asked on behalf of clients.

`issuer` is the whole of it, behind `issuers.contract`; `keys` and `metadata` read its documents,
which `documents` fetches and keeps, `requests` asks for clients. Never here: whom AuthKit is told
has signed in, or whose a token is.
"""

from __future__ import annotations

from authgate.issuers.authkit.issuer import AuthkitIssuer, AuthkitPolicy, Report

__all__ = ["AuthkitIssuer", "AuthkitPolicy", "Report"]

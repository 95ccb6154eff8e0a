"""AuthKit as the issuer of the tokens: verified here, and asked on behalf of clients.

`issuer` is that, behind `issuers.contract`: `keys` and `metadata` read AuthKit's documents, which
`issuers.documents` fetches and keeps, `requests` asks for clients. `completion` tells it who signed
in, behind `issuers.logins`, with `linking` and `background`. Never here: whose a token is.
"""

from __future__ import annotations

from authgate.issuers.authkit.issuer import AuthkitIssuer, AuthkitPolicy, Report

__all__ = ["AuthkitIssuer", "AuthkitPolicy", "Report"]

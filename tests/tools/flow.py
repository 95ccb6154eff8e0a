"""Short ways through the four tools, for tests that are about one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authgate.steps.parts import IssuingParts
from authgate.tools.catalogue import toolbox
from tests.tools.serving import EMAIL, PASSWORD

REDIRECT = "http://localhost:3000/oauth/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
ADDRESS = "192.0.2.7"


async def call(parts: IssuingParts, name: Any, given: Any, address: str) -> Mapping[str, Any]:
    """Call a tool of these parts by name, as both faces do."""
    return await toolbox(parts).call(name, given, address)


async def registered(parts: IssuingParts, **metadata: Any) -> dict[str, Any]:
    """A new client; public unless said otherwise."""
    data = {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none", **metadata}
    return dict(await call(parts, "oauth_register_client", {"client_data": data}, ADDRESS))


def asking(client_id: str, /, **changes: Any) -> dict[str, Any]:
    """The arguments of oauth_authorize; None takes one away."""
    arguments = {
        "client_id": client_id,
        "redirect_uri": REDIRECT,
        "state": "random_state_value",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in arguments.items() if value is not None}


async def challenged(parts: IssuingParts, **metadata: Any) -> tuple[dict[str, Any], str]:
    """A new client and an open challenge of it."""
    client = await registered(parts, **metadata)
    opened = await call(parts, "oauth_authorize", asking(client["client_id"]), ADDRESS)
    return client, str(opened["challenge_id"])


def signing_in(challenge_id: str, /, **changes: Any) -> dict[str, Any]:
    """The arguments of oauth_authenticate with the right password; None takes one away."""
    arguments = {
        "challenge_id": challenge_id,
        "username": EMAIL,
        "password": PASSWORD,
        **changes,
    }
    return {name: value for name, value in arguments.items() if value is not None}


async def coded(parts: IssuingParts, **metadata: Any) -> tuple[dict[str, Any], str]:
    """A new client and an authorization code for it."""
    client, challenge_id = await challenged(parts, **metadata)
    answered = await call(parts, "oauth_authenticate", signing_in(challenge_id), ADDRESS)
    return client, str(answered["code"])


def exchanging(client_id: str, code: str, /, **changes: Any) -> dict[str, Any]:
    """The arguments of oauth_token for a code; None takes one away."""
    arguments = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": code,
        "code_verifier": VERIFIER,
        **changes,
    }
    return {name: value for name, value in arguments.items() if value is not None}

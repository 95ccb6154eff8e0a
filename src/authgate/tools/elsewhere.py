"""The four tools of an authgate before another issuer: what they do, and what is told of them.

AuthKit owns the consent, and its cookies belong to the person's browser: no tool can give it in
their name, and the code never comes here. So `oauth_authenticate` takes no password. It says where
the person has to go.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast

from authgate.steps import elsewhere
from authgate.steps.parts import ElsewhereParts
from authgate.tools import takes
from authgate.tools.arguments import Given, document, strings
from authgate.tools.contract import Run, Tool, Toolbox
from authgate.tools.results import Challenge, ClientElsewhere, Interaction, TokenElsewhere

_INSTRUCTIONS = (
    "Get an OAuth access token from AuthKit: oauth_register_client, oauth_authorize, then give the "
    "person the authorization_url for their browser, then oauth_token with the code that arrives "
    "at the client's redirect URI. Never ask anybody for a password."
)
_MESSAGE = (
    "The person has to open authorization_url in their own browser, sign in and consent there. The "
    "code then arrives at the client's redirect URI; exchange it with oauth_token."
)

_TOOLS = (
    Tool(
        "oauth_register_client",
        "Register an OAuth client",
        "Register an OAuth client at AuthKit (RFC 7591, dynamic client registration). The first "
        "step; returns the client_id that the other tools need. Registering gives access to "
        "nothing.",
        takes.REGISTER,
        ClientElsewhere,
    ),
    Tool(
        "oauth_authorize",
        "Start an authorization",
        "Start an OAuth authorization with PKCE at AuthKit. Returns the authorization_url, which "
        "the person opens in their own browser to sign in and consent. The code then arrives at "
        "the client's redirect URI. Nobody is signed in by this call.",
        takes.AUTHORIZE,
        Challenge,
    ),
    Tool(
        "oauth_authenticate",
        "Say where a person signs in",
        "Tells where the person answers a challenge_id: at the authorization_url, in their own "
        "browser. This tool signs nobody in and takes no password; never ask for one.",
        takes.AUTHENTICATE_ELSEWHERE,
        Interaction,
    ),
    Tool(
        "oauth_token",
        "Get an access token",
        "Exchange an authorization code with its PKCE code_verifier and redirect_uri, or a "
        "refresh_token, for an access token of AuthKit (RFC 6749). The token opens the one MCP "
        "server it was issued for; treat it like a password.",
        takes.TOKEN_ELSEWHERE,
        TokenElsewhere,
    ),
)

TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in _TOOLS}


def toolbox(parts: ElsewhereParts) -> Toolbox:
    """The tools, ready to be called."""
    runs: dict[str, Run] = {
        "oauth_register_client": partial(_register_client, parts),
        "oauth_authorize": partial(_authorize, parts),
        "oauth_authenticate": partial(_authenticate, parts),
        "oauth_token": partial(_token, parts),
    }
    return Toolbox(TOOLS, runs, _INSTRUCTIONS)


async def _register_client(parts: ElsewhereParts, given: Given, address: str) -> ClientElsewhere:
    answer = await elsewhere.register(parts, document(given, "client_data"), address)
    return cast(ClientElsewhere, answer)


async def _authorize(parts: ElsewhereParts, given: Given, address: str) -> Challenge:
    asked = strings(given, takes.AUTHORIZE)
    pointed = await elsewhere.point(parts, asked, address)
    return {
        "challenge_id": pointed.challenge,
        "authorization_url": pointed.url,
        "expires_in": pointed.expires_in,
        "providers": {},
    }


async def _authenticate(parts: ElsewhereParts, given: Given, address: str) -> Interaction:
    """What else was sent is not even read: a password has no business here."""
    asked = strings(given, takes.AUTHENTICATE_ELSEWHERE)
    pointed = elsewhere.pointed(parts, asked.require("challenge_id"))
    return {
        "interaction_required": True,
        "authorization_url": pointed.url,
        "expires_in": pointed.expires_in,
        "message": _MESSAGE,
    }


async def _token(parts: ElsewhereParts, given: Given, address: str) -> TokenElsewhere:
    answer = await elsewhere.token(parts, strings(given, takes.TOKEN_ELSEWHERE), address)
    return cast(TokenElsewhere, answer)

"""The four tools of an authgate that issues the tokens itself, described once for both faces."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from authgate.steps.parts import IssuingParts
from authgate.tools import calls, takes
from authgate.tools.contract import Run, Tool, Toolbox
from authgate.tools.results import Answered, Challenge, ClientInformation, Token

_INSTRUCTIONS = (
    "Get an OAuth access token in four calls: oauth_register_client, oauth_authorize, "
    "oauth_authenticate, oauth_token. If the person has a browser, give them the "
    "authorization_url of oauth_authorize instead of asking for a password."
)


_TOOLS = (
    Tool(
        "oauth_register_client",
        "Register an OAuth client",
        "Register an OAuth client (RFC 7591, dynamic client registration). The first step; returns "
        "the client_id that the other tools need. Registering gives access to nothing.",
        takes.REGISTER,
        ClientInformation,
    ),
    Tool(
        "oauth_authorize",
        "Start an authorization",
        "Start an OAuth authorization with PKCE. Returns an authorization_url, where the person "
        "signs in and consents in their own browser (preferred), and a challenge_id for "
        "oauth_authenticate. Where providers has github, google or authkit, that URL signs the "
        "person in there and ends in a one-time oauth_code of ours. Nobody is signed in by this "
        "call.",
        takes.AUTHORIZE,
        Challenge,
    ),
    Tool(
        "oauth_authenticate",
        "Sign a person in",
        "Answer a challenge_id with the person's credentials and get an authorization code. Prefer "
        "the authorization_url of oauth_authorize: a password given to a tool ends up in the "
        "model's transcript, and giving it here counts as the person's consent to what was asked. "
        "Never ask a person for a password they did not offer. A wrong password can be corrected "
        "with the same challenge_id. If the answer says mfa_required, ask the person for their "
        "current code and call again with challenge_id and mfa_code alone. After a provider "
        "send its name and the oauth_code that our own page showed: it replaces the provider's "
        "code, which is never asked for.",
        takes.AUTHENTICATE,
        Answered,
    ),
    Tool(
        "oauth_token",
        "Get an access token",
        "Exchange an authorization code and its PKCE code_verifier, or a refresh_token, for an "
        "access token (RFC 6749). The token opens the one MCP server it was issued for; treat it "
        "like a password.",
        takes.TOKEN,
        Token,
    ),
)

TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in _TOOLS}


def toolbox(parts: IssuingParts) -> Toolbox:
    """The tools, ready to be called."""
    runs: dict[str, Run] = {
        "oauth_register_client": partial(calls.oauth_register_client, parts),
        "oauth_authorize": partial(calls.oauth_authorize, parts),
        "oauth_authenticate": partial(calls.oauth_authenticate, parts),
        "oauth_token": partial(calls.oauth_token, parts),
    }
    return Toolbox(TOOLS, runs, _INSTRUCTIONS)

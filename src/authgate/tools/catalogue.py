"""The four tools, described once for both faces, and the one way to call them by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authgate.protocol.errors import Reason, Refusal
from authgate.steps.parts import IssuingParts
from authgate.tools import calls, takes
from authgate.tools.arguments import Argument, Given, mapping
from authgate.tools.results import Answered, Challenge, ClientInformation, Token


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as clients see it, and the function behind it."""

    name: str
    title: str
    description: str
    takes: tuple[Argument, ...]
    gives: type
    run: Callable[[IssuingParts, Given, str], Awaitable[Any]]


_TOOLS = (
    Tool(
        "oauth_register_client",
        "Register an OAuth client",
        "Register an OAuth client (RFC 7591, dynamic client registration). The first step; returns "
        "the client_id that the other tools need. Registering gives access to nothing.",
        takes.REGISTER,
        ClientInformation,
        calls.oauth_register_client,
    ),
    Tool(
        "oauth_authorize",
        "Start an authorization",
        "Start an OAuth authorization with PKCE. Returns an authorization_url, where the person "
        "signs in and consents in their own browser (preferred), and a challenge_id for "
        "oauth_authenticate. Where providers has github or google, that URL signs the person in "
        "there and ends in a one-time oauth_code of ours. Nobody is signed in by this call.",
        takes.AUTHORIZE,
        Challenge,
        calls.oauth_authorize,
    ),
    Tool(
        "oauth_authenticate",
        "Sign a person in",
        "Answer a challenge_id with the person's credentials and get an authorization code. Prefer "
        "the authorization_url of oauth_authorize: a password given to a tool ends up in the "
        "model's transcript, and giving it here counts as the person's consent to what was asked. "
        "Never ask a person for a password they did not offer. A wrong password can be corrected "
        "with the same challenge_id. If the answer says mfa_required, ask the person for their "
        "current code and call again with challenge_id and mfa_code alone. After GitHub or Google "
        "send provider and the oauth_code that our own page showed: it replaces the provider's "
        "code, which is never asked for.",
        takes.AUTHENTICATE,
        Answered,
        calls.oauth_authenticate,
    ),
    Tool(
        "oauth_token",
        "Get an access token",
        "Exchange an authorization code and its PKCE code_verifier, or a refresh_token, for an "
        "access token (RFC 6749). The token opens the one MCP server it was issued for; treat it "
        "like a password.",
        takes.TOKEN,
        Token,
        calls.oauth_token,
    ),
)

TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in _TOOLS}


async def call(
    parts: IssuingParts, name: object, given: object, address: str
) -> Mapping[str, object]:
    """Call the tool `name`; raises `Refusal`, for an unknown name too."""
    tool = TOOLS.get(name) if isinstance(name, str) else None
    if tool is None:
        shown = name if isinstance(name, str) else "that (its name is not a string)"
        raise Refusal(Reason.TOOL_UNKNOWN, name=shown, known=", ".join(TOOLS))
    answer: Mapping[str, object] = await tool.run(parts, mapping(given), address)
    return answer

"""The steps of the demo's walks: their order, the words for them, and what each must answer.

Never here: what is sent (`demo_walk`) and how it is shown (`demo_trail`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its key, the words for it, and the status it must have; 0 where nothing is sent."""

    key: str
    title: str
    status: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps in their order. `pages`: which step a page belongs to, by its path on the demo's
    own server and by its whole address elsewhere."""

    steps: tuple[Step, ...]
    pages: Mapping[str, str]


_DISCOVERY = (
    Step("challenge", "The client calls the MCP server without a token", 401),
    Step("resource", "It reads which authorization server protects it", 200),
    Step("metadata", "It reads what that authorization server can do", 200),
)
_USE = (
    Step("token", "The client exchanges the code and its PKCE verifier for tokens", 200),
    Step("call", "It calls the protected tool whoami", 200),
    Step("refresh", "The token is treated as expired: the client refreshes it", 200),
    Step("call-again", "It calls whoami with the new token", 200),
)
STEPS = (
    *_DISCOVERY,
    Step("register", "It registers itself", 201),
    Step("authorize", "It sends the person's browser to sign in, with a PKCE challenge", 303),
    Step("sign-in", "The person signs in", 303),
    Step("consent", "The person allows the client", 303),
    *_USE,
    Step("revoke", "The client revokes what it was given", 200),
    Step("refused", "The revoked token opens nothing any more", 401),
)
SIGN_IN: Mapping[str, str] = {
    "/oauth/sign-in": "sign-in",
    "/oauth/factor": "sign-in",  # its second half, where a second factor is due
    "/oauth/start/github": "sign-in",  # away, and back: all of it is the one step
    "/oauth/start/google": "sign-in",
    "/oauth/callback": "sign-in",
}
BUILTIN = Plan(STEPS, {**SIGN_IN, "/oauth/consent": "consent"})

_AT_AUTHKIT = (
    *_DISCOVERY,
    Step("register", "It registers itself at AuthKit", 201),
    Step("authorize", "It sends the person's browser to AuthKit, with a PKCE challenge", 302),
    Step("login", "AuthKit sends the browser here, to find out who that is", 303),
    Step("sign-in", "The person signs in here, and AuthKit is told who it is", 303),
    Step("consent", "AuthKit asks the person, who allows the client", 302),
    *_USE,
)
# Only people of authgate's own are the operator's to shut out.
_SHUT_OUT = (
    Step("shut-out", "The operator shuts the person out: authgate people disable", 0),
    Step("refused", "AuthKit's token is still good, and opens nothing here any more", 401),
)


def at_authkit(domain: str, *, own_people: bool) -> Plan:
    """The walk where the AuthKit at `domain` issues the tokens. It has no revocation endpoint."""
    pages = {
        **SIGN_IN,
        "/oauth/login": "login",
        f"{domain}/oauth2/authorize": "authorize",
        f"{domain}/oauth2/authorize/consent": "consent",
    }
    return Plan(_AT_AUTHKIT + (_SHUT_OUT if own_people else ()), pages)

"""What may be asked at the authorization endpoint, and how it is answered (RFC 6749 section 4.1).

Two rounds, in this order and never another: first the client and its redirect URI are proven, and
until then nothing is ever sent to a redirect URI; then everything else, which may be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus, unquote_plus

from authgate.protocol import pkce, redirect_uris, resources, scopes
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.policy import Policy
from authgate.protocol.records import Client

MAX_STATE = 4096

_STATE = re.compile(r"[\x20-\x7e]{1,4096}", re.ASCII)  # VSCHAR, RFC 6749 appendix A.5
_OURS = ("code", "state", "iss", "error", "error_description", "error_uri")


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that may be put before a person."""

    client_id: str
    redirect_uri: str
    state: str | None
    code_challenge: str
    scopes: tuple[str, ...]
    resource: str
    prompt: tuple[str, ...]


def prove_redirect(asked: Parameters, client: Client | None) -> str:
    """The redirect URI, proven to be the client's; refusals here are never redirected.

    RFC 6749 section 4.1.2.1: an unknown client or address gets a page, not a redirect.
    """
    for name in ("client_id", "redirect_uri"):
        if name in asked.repeated:
            raise Refusal(Reason.REQUEST_REPEATED, name=name)
    if client is None:
        raise Refusal(Reason.CLIENT_UNKNOWN if asked.get("client_id") else Reason.CLIENT_MISSING)
    uri = asked.get("redirect_uri")
    if uri is None:
        raise Refusal(Reason.REDIRECT_URI_MISSING)
    if not redirect_uris.matches(uri, client.redirect_uris):
        raise Refusal(Reason.REDIRECT_URI_UNREGISTERED)
    return uri


def check_state(asked: Parameters) -> str | None:
    """The state to echo byte for byte, or a refusal that is shown here (it could not be echoed)."""
    if "state" in asked.repeated:
        raise Refusal(Reason.REQUEST_REPEATED, name="state")
    state = asked.get("state")
    if state is not None and not _STATE.fullmatch(state):
        raise Refusal(Reason.STATE_MALFORMED)
    return state


def judge(asked: Parameters, client: Client, redirect_uri: str, policy: Policy) -> Plan:
    """Judge the rest of a request whose redirect URI is proven (OAuth 2.1 section 4.1.1)."""
    asked.refuse_repeated()
    if asked.get("request") or asked.get("request_uri"):
        raise Refusal(Reason.REQUEST_OBJECT)
    if asked.require("response_type") != "code":
        raise Refusal(Reason.RESPONSE_TYPE)
    if asked.get("response_mode") not in (None, "query"):
        raise Refusal(Reason.RESPONSE_MODE)
    challenge = pkce.check_challenge(
        asked.get("code_challenge"), asked.get("code_challenge_method")
    )
    prompt = tuple((asked.get("prompt") or "").split())
    if "none" in prompt:
        raise Refusal(Reason.INTERACTION_REQUIRED)
    return Plan(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        state=asked.get("state"),
        code_challenge=challenge,
        scopes=scopes.grantable(scopes.parse(asked.get("scope")), policy.scopes),
        resource=resources.choose(asked.resources, policy.resources),
        prompt=prompt,
    )


def redirect_at_once(redirect_uri: str) -> bool:
    """May a faulty request be sent back before a person signed in or pressed anything?

    Only to the person's own machine. Elsewhere this endpoint would be an open redirector for
    whoever registers a client (RFC 9700 section 4.11.2): there a page says what is wrong, and the
    person decides whether to follow.
    """
    return redirect_uris.is_loopback(redirect_uri)


def answer_url(redirect_uri: str, answer: Mapping[str, str | None]) -> str:
    """The redirect URI with the answer added (RFC 6749 section 4.1.2, RFC 9207 section 2).

    The registered query is kept byte for byte, except for members that carry an answer's name,
    however it is encoded: `iss`, `code` or `state` must appear exactly once, and be ours.
    """
    base, mark, query = redirect_uri.partition("?")
    members = query.split("&") if query else []
    kept = [part for part in members if unquote_plus(part.partition("=")[0]) not in _OURS]
    ours = [f"{name}={quote_plus(value)}" for name, value in answer.items() if value is not None]
    return f"{base}?{'&'.join([*kept, *ours])}" if mark or ours else base


def success(redirect_uri: str, *, code: str, state: str | None, issuer: str) -> str:
    """Where to send the browser with a code."""
    return answer_url(redirect_uri, {"code": code, "state": state, "iss": issuer})


def failure(redirect_uri: str, refusal: Refusal, *, state: str | None, issuer: str) -> str:
    """Where to send the browser with a refusal (RFC 6749 section 4.1.2.1)."""
    return answer_url(
        redirect_uri,
        {
            "error": refusal.code,
            "error_description": refusal.sentence,
            "state": state,
            "iss": issuer,
        },
    )

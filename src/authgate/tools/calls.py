"""The four tools over the steps: parse the arguments, call the step, shape the answer.

Both faces (`plain` and `mcp`) call these functions and nothing else. Each takes the arguments as
they came and raises `Refusal`. Never here: HTTP or MCP, wording, a rule of OAuth.
"""

from __future__ import annotations

from base64 import b64encode
from typing import cast
from urllib.parse import quote_plus

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.steps import (
    authorize,
    consent,
    factor,
    register,
    social,
    token,
)
from authgate.steps.parts import IssuingParts, Parts
from authgate.tools import takes, ways
from authgate.tools.arguments import Given, document, strings
from authgate.tools.results import Answered, Challenge, ClientInformation, Token


async def oauth_register_client(parts: Parts, given: Given, address: str) -> ClientInformation:
    """Register a client (RFC 7591)."""
    answer = await register.register(parts, document(given, "client_data"), address)
    return cast(ClientInformation, answer)


async def oauth_authorize(parts: Parts, given: Given, address: str) -> Challenge:
    """Open an authorization request that a tool call may answer."""
    asked = strings(given, takes.AUTHORIZE)
    # The tool stands for one flow, so nobody has to say which.
    asked = Parameters({**asked.values, "response_type": "code"}, asked.resources)
    opened = await authorize.open_request(parts, asked, authorize.Asker("tool", address=address))
    if isinstance(opened, authorize.Faulty):
        raise opened.refusal  # there is no browser to redirect: the caller is told here
    return {
        "challenge_id": opened.handle,
        "authorization_url": authorize.authorization_url(parts, opened.request),
        "expires_in": opened.expires_in,
        "providers": {
            name: f"{parts.policy.issuer}/oauth/start/{name}?challenge={opened.handle}"
            for name in social.offered(parts)
        },
    }


async def oauth_authenticate(parts: Parts, given: Given, address: str) -> Answered:
    """Sign a person in and answer the challenge in their name.

    Giving the password for this very challenge is the person's consent to what it asks, and is
    written to the audit trail as such. A wrong one leaves the challenge as it was. A challenge that
    cannot be answered any more is refused before the password is looked at, so that this is no way
    to try passwords without a registered client. With a second factor due there is no code yet: the
    same challenge is answered by the person's `mfa_code` then.
    """
    asked = strings(given, takes.AUTHENTICATE)
    challenge_id = asked.require("challenge_id")
    way = _way(parts, asked)
    request = await consent.load_challenge(parts, challenge_id)
    proved = await way(parts, request, asked, address)
    if isinstance(proved, factor.FactorDue):
        return _factor_due(proved)
    answer = await consent.approve(
        parts,
        request,
        proved.person,
        authenticated_at=proved.at,
        address=address,
        via=proved.via,
    )
    return {
        "mfa_required": False,
        "code": answer.code or "",
        "state": answer.state or "",
        "iss": parts.policy.issuer,
        "redirect_to": answer.redirect_to,
    }


def _factor_due(due: factor.FactorDue) -> Answered:
    return {
        "mfa_required": True,
        "factor": {"kind": due.kind, "hint": due.hint},
        "expires_in": due.expires_in,
    }


def _way(parts: Parts, asked: Parameters) -> ways.Way:
    """The one way to sign in that the arguments ask for; raises `Refusal`."""
    named = {
        way: [name for name in names if asked.get(name) is not None]
        for way, names in takes.WAYS.items()
    }
    sent = [name for names in named.values() for name in names]
    if not sent:
        raise Refusal(
            Reason.TOOL_SIGN_IN_UNCLEAR, why="neither username and password nor a provider was sent"
        )
    if sum(map(bool, named.values())) > 1:
        raise Refusal(
            Reason.TOOL_SIGN_IN_UNCLEAR, why=f"{' and '.join(sent)} belong to different ways"
        )
    if named["provider"]:
        ways.refuse_unless_offered(parts, asked.require("provider"))
        asked.require("oauth_code")
        return ways.by_provider
    if named["factor"]:
        return ways.by_factor
    asked.require("username")
    asked.require("password")
    ways.refuse_unless_taken(parts)
    return ways.by_password


async def oauth_token(parts: IssuingParts, given: Given, address: str) -> Token:
    """Exchange a code or a refresh token (RFC 6749 sections 4.1.3 and 6)."""
    form = strings(given, takes.TOKEN)
    authorization, form = await _as_registered(parts, form)
    try:
        return cast(Token, await token.token(parts, authorization, form, address))
    except Refusal as refusal:
        refusal.www_authenticate = None  # the caller used no header, so none is asked for
        raise


async def _as_registered(parts: Parts, form: Parameters) -> tuple[str | None, Parameters]:
    """Present a client's secret the way the client registered to present it.

    A tool call has no header of its own and no form, so the argument `client_secret` stands for
    both. `client_secret_basic` is what RFC 7591 gives a client that names no method: without this
    such a client could never use the tool.
    """
    client_id, secret = form.get("client_id"), form.get("client_secret")
    if client_id is None or secret is None:
        return None, form
    client = await parts.store.client(client_id)
    if client is None or client.auth_method != "client_secret_basic":
        return None, form
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    values = {name: value for name, value in form.values.items() if name != "client_secret"}
    header = "Basic " + b64encode(pair.encode("ascii")).decode("ascii")
    return header, Parameters(values, form.resources)

"""What may be asked of an issuer elsewhere through us, judged as far as it can be from here.

The issuer has the last word on the client, its redirect URIs and the scopes. What is judged here is
what would be wrong at any server, so that whoever asks hears it at once, and in our words; and the
resource, which is ours. Neighbours: `authorize` and `tokens_elsewhere`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlencode

from authgate.protocol import authorize, pkce, redirect_uris, resources, scopes
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.policy import Policy
from authgate.protocol.redirect_uris import Verdict

# All that AuthKit grants. Scopes of our own would be answered with `invalid_scope` by it, and real
# clients ask for whatever a resource's metadata lists.
SCOPES = ("openid", "profile", "email", "offline_access")

MAX_URL = 5_000  # sealed, it has to fit a parameter again

_CLIENT_ID = re.compile(r"[\x21-\x7e]{1,2048}", re.ASCII)  # a URL may be one
_GRANT_TYPES = ("authorization_code", "refresh_token")


def authorization_url(endpoint: str, asked: Parameters, policy: Policy) -> str:
    """Where a person's browser goes to answer this request (OAuth 2.1 section 4.1.1)."""
    asked.refuse_repeated()
    client_id = _client_id(asked)
    redirect_uri = _redirect_uri(asked, policy)
    state = authorize.check_state(asked)
    if state is None:
        raise Refusal(Reason.STATE_MISSING)
    challenge = pkce.check_challenge(
        asked.get("code_challenge"), asked.get("code_challenge_method")
    )
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "scope": " ".join(_scopes(asked)),
        "resource": resources.choose(asked.resources, policy.resources),
    }
    url = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"
    if len(url) > MAX_URL:
        raise Refusal(Reason.REQUEST_MALFORMED, why="state and redirect_uri are too long together")
    return url


def token_form(asked: Parameters, known: Sequence[str]) -> dict[str, str]:
    """What to send to the token endpoint (RFC 6749 sections 4.1.3 and 6).

    `known` are our resources. One is named for a code, as the MCP specification wants it. With a
    refresh token only if it was asked for: what AuthKit makes of it there is not documented, and
    the token stays with the resource of its code anyway.
    """
    asked.refuse_repeated()
    grant = asked.get("grant_type")
    if grant not in _GRANT_TYPES:
        raise Refusal(Reason.GRANT_TYPE_UNKNOWN if grant else Reason.GRANT_TYPE_MISSING)
    form = {"grant_type": grant, "client_id": _client_id(asked)}
    if grant == "authorization_code":
        form["code"] = asked.require("code")
        form["redirect_uri"] = asked.require("redirect_uri")
        form["code_verifier"] = pkce.check_verifier(asked.get("code_verifier"))
    else:
        form["refresh_token"] = asked.require("refresh_token")
        names = scopes.parse(asked.get("scope"))
        if names is not None:
            form["scope"] = " ".join(names)
    if grant == "authorization_code" or asked.resources:
        form["resource"] = resources.choose(asked.resources, known)
    secret = asked.get("client_secret")
    return form if secret is None else {**form, "client_secret": secret}


def _client_id(asked: Parameters) -> str:
    client_id = asked.get("client_id")
    if client_id is None:
        raise Refusal(Reason.CLIENT_MISSING)
    if not _CLIENT_ID.fullmatch(client_id):
        raise Refusal(Reason.REQUEST_MALFORMED, why="client_id holds characters that none has")
    return client_id


def _redirect_uri(asked: Parameters, policy: Policy) -> str:
    """https, or http on a loopback host, or a private-use scheme that the operator lists.

    Whether the client registered it only its issuer can tell.
    """
    uri = asked.get("redirect_uri")
    if uri is None:
        raise Refusal(Reason.REDIRECT_URI_MISSING)
    judged = redirect_uris.judge(uri, policy.redirect_schemes)
    if judged.verdict is not Verdict.ACCEPT:
        raise Refusal(Reason.REGISTRATION_REDIRECT_URI, uri=uri, why=judged.why)
    return uri


def _scopes(asked: Parameters) -> tuple[str, ...]:
    """Those of AuthKit's that were asked for; all of them if none was, or none that it has."""
    wanted = scopes.parse(asked.get("scope")) or ()
    return tuple(name for name in SCOPES if name in wanted) or SCOPES

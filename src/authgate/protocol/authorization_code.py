"""The authorization code grant: may this code be exchanged by this client, and for what?

RFC 6749 section 4.1.3, OAuth 2.1 section 4.1.3. Everything judged here is as it was when the code
was issued; whether the code is still unspent is settled by one statement of the store afterwards.
The order matters: a replay is only told from a stranger's guess after client, redirect URI and
PKCE were right, so that nobody can end a grant by showing a code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from authgate.protocol import pkce, resources
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.records import AuthenticatedClient, Code


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a client sends to redeem a code."""

    code: str = field(repr=False)
    redirect_uri: str | None
    verifier: str = field(repr=False)
    resources: Sequence[str]


def read(form: Parameters) -> Exchange:
    """Read the parameters of the exchange; the verifier must be there and well formed."""
    return Exchange(
        code=form.require("code"),
        redirect_uri=form.get("redirect_uri"),
        verifier=pkce.check_verifier(form.get("code_verifier")),
        resources=form.resources,
    )


def judge(
    code: Code | None,
    client: AuthenticatedClient,
    exchange: Exchange,
    *,
    now: int,
    verifier_attempts: int,
) -> Code:
    """The code, if this client may redeem it with this exchange at `now`; raises `Refusal`.

    Raises PKCE_FAILED for a wrong verifier: the caller counts it. A redeemed code passes here,
    because the store must be the one to call it a replay.
    """
    if code is None:
        raise Refusal(Reason.CODE_UNKNOWN)
    if code.client_id != client.client_id:
        raise Refusal(Reason.CODE_FOREIGN)
    if code.failures >= verifier_attempts:
        raise Refusal(Reason.CODE_SPENT)
    if exchange.redirect_uri is not None and exchange.redirect_uri != code.redirect_uri:
        raise Refusal(Reason.CODE_REDIRECT_URI)
    if not pkce.verifier_fits(exchange.verifier, code.code_challenge):
        raise Refusal(Reason.PKCE_FAILED)
    resources.stay_within(exchange.resources, code.resource)
    if code.redeemed_at is None and code.expires_at <= now:
        raise Refusal(Reason.CODE_EXPIRED)
    return code

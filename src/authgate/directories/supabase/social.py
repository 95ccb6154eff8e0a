"""GitHub and Google through Supabase's /authorize, with PKCE.

Neither `state` nor any other parameter of ours goes there but in `redirect_to`: unknown ones are
passed on to the provider, and a `state` of ours would replace Supabase's own. `redirect_to` itself
reaches the provider too, so it carries a name and no secret; the verifier waits sealed with the
browser that began. Never here: which browser that was (the callback endpoint's cookie).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlencode

from authgate.directories.contract import Explain, Refused, SocialStart, Unavailable
from authgate.directories.sealed import Ended, Sealed
from authgate.directories.supabase.api import Said, SupabaseApi
from authgate.directories.supabase.errors import RETRY_OURS, SOCIAL, react, unexpected
from authgate.directories.supabase.people import Identity, Session, read_session
from authgate.directories.supabase.policy import SupabasePolicy
from authgate.observe import log
from authgate.security.vault import base64url

# Supabase itself gives 300 s from the start; ours is longer, so that the clearer word is theirs.
WAITS = 600
MAX_CODE = 512


class Social:
    """The hand-off and the way back."""

    def __init__(
        self, api: SupabaseApi, policy: SupabasePolicy, sealed: Sealed, clock: Callable[[], float]
    ) -> None:
        self._api = api
        self._policy = policy
        self._sealed = sealed
        self._clock = clock

    def start(self, provider: str, callback_url: str, transaction: str) -> SocialStart:
        """The URL of Supabase's that leads to `provider` and back to `callback_url`."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64url(hashlib.sha256(verifier.encode()).digest())
        joint = "&" if "?" in callback_url else "?"
        query = urlencode(
            {
                "provider": provider,
                "redirect_to": f"{callback_url}{joint}tx={quote(transaction, safe='')}",
                "code_challenge": challenge,
                "code_challenge_method": "s256",
            }
        )
        state = {"provider": provider, "verifier": verifier}
        return SocialStart(
            f"{self._policy.auth_url.rstrip('/')}/authorize?{query}",
            self._sealed.seal(state, self._clock() + WAITS),
        )

    async def finish(
        self, provider: str, sealed: str, answer: Mapping[str, str], address: str
    ) -> Session | Refused | Unavailable:
        """The session behind what came back, with an identity of `provider` that is verified.

        Session-less people, factors and anonymity are the caller's matter, as after a password.
        """
        try:
            state = self._sealed.open(sealed)
        except Ended:
            return Refused(Explain.SOCIAL_RETRY)
        if state is None or state["provider"] != provider:
            return Refused()
        if "error" in answer or "error_code" in answer:
            return _turned_away(answer)
        code = answer.get("code", "")
        if not code or len(code) > MAX_CODE or not (code.isascii() and code.isprintable()):
            return Refused(Explain.SOCIAL_RETRY)
        reply = await self._api.pkce_grant(code, state["verifier"], address)
        if not isinstance(reply, Said) or not reply.ok:
            return react(reply, SOCIAL, "pkce")
        return read_session(reply.body) or unexpected(reply, "pkce")


def check_identity(session: Session, provider: str) -> Refused | None:
    """Why this session must not pass for a sign-in with `provider`.

    Of several accounts at one provider, the one used last was used now.
    """
    used: list[Identity] = [one for one in session.member.identities if one.provider == provider]
    if not used:
        log.warning("supabase.wrong_provider", provider=provider)
        return Refused(Explain.SOCIAL_WRONG_PROVIDER)
    if not max(used, key=lambda one: one.last_used).email_verified:
        log.warning("supabase.identity_unverified", provider=provider)
        return Refused(Explain.SOCIAL_EMAIL_UNVERIFIED)
    return None


def _turned_away(answer: Mapping[str, str]) -> Refused | Unavailable:
    """The reaction to an error in the query; its text is for nobody.

    The query came through the browser, so anybody may have written it: what would be a fault of
    ours in an answer is only a failed sign-in here.
    """
    for code in (answer.get("error_code"), answer.get("error")):
        if code == "over_request_rate_limit":
            return Unavailable(RETRY_OURS)
        row = SOCIAL.get(code or "")
        if row is not None:
            if row.operator is not None:
                log.warning(row.operator, call="callback")
            return row.outcome
    return Refused(Explain.SOCIAL_FAILED)

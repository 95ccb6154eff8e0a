"""The hand-off to WorkOS and the way back, with our own state and our own PKCE.

The `state` is the transaction's name and no secret: the browser's cookie has to come with it, and
the verifier waits sealed with us. Never here: which browser that was (the callback's cookie).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping

from authgate.directories.contract import Explain, Refused, SocialStart
from authgate.directories.sealed import Ended, Sealed
from authgate.directories.workos.errors import turned_away
from authgate.security.vault import base64url
from authgate.workos import Authenticated, Origin, Trouble, WorkOS

# WorkOS's own word for a sign-in that took too long is clearer than ours, so ours is longer.
WAITS = 600
MAX_CODE = 512

SPELLED: Mapping[str, str] = {
    "github": "GitHubOAuth",
    "google": "GoogleOAuth",
    "authkit": "authkit",
}


class Social:
    """`clock` in seconds since the epoch."""

    def __init__(self, workos: WorkOS, sealed: Sealed, clock: Callable[[], float]) -> None:
        self._workos = workos
        self._sealed = sealed
        self._clock = clock

    async def start(self, provider: str, callback_url: str, transaction: str) -> SocialStart:
        """The URL of WorkOS's that leads to `provider` and back to `callback_url`.

        That must be registered there to the letter, which is why the transaction goes as `state`.
        """
        verifier = secrets.token_urlsafe(48)
        challenge = base64url(hashlib.sha256(verifier.encode()).digest())
        url = await self._workos.authorization_url(
            SPELLED[provider], callback_url, transaction, challenge
        )
        state = {"provider": provider, "verifier": verifier}
        return SocialStart(url, self._sealed.seal(state, self._clock() + WAITS))

    async def finish(
        self, provider: str, sealed: str, answer: Mapping[str, str], origin: Origin
    ) -> Authenticated | Trouble | Refused:
        """What WorkOS says to the code that came back."""
        try:
            state = self._sealed.open(sealed)
        except Ended:
            return Refused(Explain.SOCIAL_RETRY)
        if state is None or state["provider"] != provider:
            return Refused()
        if "error" in answer:
            return turned_away(answer)
        code = answer.get("code", "")
        if not code or len(code) > MAX_CODE or not (code.isascii() and code.isprintable()):
            return Refused(Explain.SOCIAL_RETRY)
        return await self._workos.authenticate_code(code, state["verifier"], origin)


def proved_at(provider: str, signed_in: Authenticated) -> str | None:
    """The provider that this sign-in went through; None if it is not the one that was asked for.

    The hosted page offers what the operator switched on there. It tells which of them somebody used
    where that was a provider, and "" stands for the others (a password, a message, a passkey).
    """
    used = signed_in.method.lower()
    name = used.removesuffix("oauth") if used.endswith("oauth") else ""
    if provider == "authkit":
        return name
    return name if name == provider else None

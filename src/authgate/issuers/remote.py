"""An authgate elsewhere as the issuer: its tokens verified here, with its own published keys.

For MCP servers that stand in another process than their authgate (`adapters`). The rules are those
of the builtin issuer, whose tokens these are, with the leeway that two machines need; `verify`
remembers tokens as it does. Keys are looked for in the background every few minutes, and at once,
at most every second, when a token names one that is not known. Optionally the authgate is asked
about each token (RFC 7662): what is revoked there then ends here at the next call, and not with the
token. Never here: a caller, a challenge, HTTP of our own.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import quote_plus

from authgate.fetch import Answer, Call, Fetch, FetchFailed
from authgate.issuers import jwks
from authgate.issuers.builtin import MAX_REMEMBERED, typed
from authgate.issuers.contract import AccessClaims
from authgate.issuers.documents import Document
from authgate.issuers.jwks import Keys
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.tokens import MAX_TOKEN_LENGTH, check_claims, check_header
from authgate.protocol.tokens_elsewhere import LEEWAY
from authgate.security.compact import decode_segment, json_object, split
from authgate.security.key_material import ALGORITHMS, VerifyingKey

JWKS_PATH = "/.well-known/jwks.json"
INTROSPECTION_PATH = "/oauth/introspect"
LOOK_EVERY = 300.0  # seconds; what authgate tells caches. Keys are published twice that ahead
LOOK_AGAIN = 1.0  # seconds; a stranger's made-up key names cost one request in that time
ASK_WITHIN = 5.0  # seconds; a call waits for the answer about its token
RETRY_AFTER = 5


@dataclass(frozen=True, slots=True)
class Introspection:
    """The credentials of `authgate clients add`, to ask about every token (RFC 7662)."""

    client_id: str
    client_secret: str = field(repr=False)

    @property
    def authorization(self) -> str:
        """HTTP Basic, each half form-encoded before they are put together (RFC 6749 2.3.1)."""
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
        return "Basic " + b64encode(pair.encode("ascii")).decode("ascii")


class RemoteIssuer:
    """Verifies the tokens of the authgate whose public URL is `identifier`. For one event loop."""

    def __init__(
        self,
        identifier: str,
        fetch: Fetch,
        *,
        introspection: Introspection | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identifier = identifier
        self._fetch = fetch
        self._introspection = introspection
        self._keys: Document[Keys] = Document(
            fetch,
            identifier + JWKS_PATH,
            "issuer.jwks",
            lambda document: jwks.read_keys(document, ALGORITHMS, "issuer"),
            kinds=("application/json", "application/jwk-set+json"),
            clock=monotonic,
        )
        self._looking: asyncio.Task[None] | None = None
        self._remembered: OrderedDict[bytes, AccessClaims] = OrderedDict()
        self._remembered_by: Keys | None = None

    async def check(self, token: str, resource: str, now: int) -> AccessClaims:
        """All that can be asked of a token; raises `Refusal`, a 503 if nobody can be asked."""
        self._look_if_due()
        try:
            claims = self.verify(token, resource, now)
        except Refusal as refusal:
            if refusal.reason is not Reason.TOKEN_KEY_UNKNOWN:
                raise
            await self.refresh_keys(at_most_every=LOOK_AGAIN)
            claims = self.verify(token, resource, now)
        if self._introspection is not None:
            await self._ask(token, self._introspection)
        return claims

    def verify(self, token: str, resource: str, now: int) -> AccessClaims:
        """Check signature, type, issuer, audience, time; raises `Refusal` (RFC 9068 section 4)."""
        keys = self._keys.value or {}
        if keys is not self._remembered_by:
            self._remembered.clear()  # a key may have been withdrawn: everybody proves it once more
            self._remembered_by = keys
        name = sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._remembered.get(name)
        if known is None:
            return self._verify_first(token, name, resource, now)
        if known.audience != resource:
            raise Refusal(Reason.TOKEN_AUDIENCE, resource=resource)
        if known.expires_at + LEEWAY <= now:
            del self._remembered[name]
            raise Refusal(Reason.TOKEN_EXPIRED)
        return known

    async def refresh_keys(self, *, at_most_every: float = 0.0) -> None:
        """Look for new keys; raises `Refusal` if that could not be done."""
        await self._keys.refresh(at_most_every=at_most_every)
        if self._keys.trouble is not None:
            raise Refusal(Reason.AUTHGATE_UNAVAILABLE, retry_after=RETRY_AFTER)

    async def close(self) -> None:
        """End a look that is under way."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    # --- inside -----------------------------------------------------------------------------

    def _verify_first(self, token: str, name: bytes, resource: str, now: int) -> AccessClaims:
        if len(token) > MAX_TOKEN_LENGTH:
            raise Refusal(Reason.TOKEN_MALFORMED)
        signing_input, head, body, signature = split(token)
        key = self._named(head)
        if not key.verify(signing_input, decode_segment(signature)):
            raise Refusal(Reason.TOKEN_SIGNATURE)
        claims = json_object(decode_segment(body))
        check_claims(claims, issuer=self.identifier, resource=resource, now=now, leeway=LEEWAY)
        checked = typed(claims)
        if "nbf" not in claims:  # authgate's have none, so no hit has to think of it
            self._remembered[name] = checked
            if len(self._remembered) > MAX_REMEMBERED:
                self._remembered.popitem(last=False)
        return checked

    def _named(self, head: bytes) -> VerifyingKey:
        header = json_object(decode_segment(head))
        check_header(header, ALGORITHMS)
        kid = header.get("kid")
        key = (self._keys.value or {}).get(kid) if isinstance(kid, str) else None
        if key is None:
            raise Refusal(Reason.TOKEN_KEY_UNKNOWN)
        if key.algorithm != header["alg"]:
            raise Refusal(Reason.TOKEN_SIGNATURE)
        return key

    def _look_if_due(self) -> None:
        """Begin a look at the keys beside the calls: none of them waits for it."""
        busy = self._looking is not None and not self._looking.done()
        if self._keys.value is not None and not busy and self._keys.is_due(LOOK_EVERY):
            self._looking = asyncio.create_task(self._keys.refresh(at_most_every=LOOK_EVERY))

    async def _ask(self, token: str, credentials: Introspection) -> None:
        """Refuse a token that its issuer no longer stands by (RFC 7662 section 2.2).

        Without an answer the call is refused for now: letting it pass would make revoking a matter
        of luck, and 401 would make the client throw a good token away.
        """
        call = Call(
            "POST",
            self.identifier + INTROSPECTION_PATH,
            {"Authorization": credentials.authorization},
            form={"token": token},
            total=ASK_WITHIN,
        )
        try:
            answer = await self._fetch.json(call)
        except FetchFailed as failed:
            raise self._unanswered(failed.kind.value) from None
        if _says(answer) is None:
            # Wrong credentials are the operator's to mend: the client can do nothing about it.
            raise self._unanswered(f"status {answer.status}")
        if not _says(answer):
            raise Refusal(Reason.TOKEN_ENDED)

    def _unanswered(self, why: str) -> Refusal:
        log.warning("issuer.introspection_failed", why=why)
        return Refusal(Reason.AUTHGATE_UNAVAILABLE, retry_after=RETRY_AFTER)


def _says(answer: Answer) -> bool | None:
    """Is the token active? None: that is no answer."""
    body = answer.body
    active = body.get("active") if isinstance(body, dict) and answer.status == 200 else None
    return active if isinstance(active, bool) else None

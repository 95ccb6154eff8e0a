"""AuthKit as the issuer: its tokens verified with its own keys, its metadata at hand.

`verify` remembers tokens it has found good, as the builtin issuer does: what can change between two
calls (the clock, the resource asked about, the keys) is judged again on every hit. A key name that
is not known may be a rotation or a stranger's invention; it costs one look for everybody together,
as often as the guard allows. Never here: whose the person behind a token is (`gateway.standing`),
and what is asked of AuthKit for a client (`requests`).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from authgate.fetch import Fetch
from authgate.issuers.authkit import requests
from authgate.issuers.authkit.keys import Keys, read_keys
from authgate.issuers.authkit.metadata import PATH, notes_on, read_metadata
from authgate.issuers.contract import AccessClaims, ServerMetadata
from authgate.issuers.documents import Document
from authgate.observe import log
from authgate.protocol import tokens_elsewhere as rules
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.tokens import MAX_TOKEN_LENGTH
from authgate.security.compact import decode_segment, json_object, split

JWKS_PATH = "/oauth2/jwks"
LOOK_EVERY = 300.0  # seconds; a key that AuthKit withdraws is believed this much longer
LOOK_AGAIN = 5.0  # seconds, for whoever needs a document that could not be had
MAX_REMEMBERED = 4096  # about 1 KiB each
RETRY_AFTER = 5


@dataclass(frozen=True, slots=True)
class AuthkitPolicy:
    """What the operator decided.

    `domain` is the issuer's exact string. `client_audience` is the environment's client id where
    tokens for it are taken as well, else None.
    """

    domain: str
    client_audience: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a look at AuthKit found: problems to mend, and what is good to know. Sentences."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]


class AuthkitIssuer:
    """Verifies AuthKit's tokens, and asks AuthKit on behalf of clients. For one event loop."""

    def __init__(
        self,
        policy: AuthkitPolicy,
        fetch: Fetch,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        max_remembered: int = MAX_REMEMBERED,
    ) -> None:
        self.identifier = policy.domain
        self._policy = policy
        self._fetch = fetch
        self._keys: Document[Keys] = Document(
            fetch,
            policy.domain + JWKS_PATH,
            "authkit.jwks",
            read_keys,
            kinds=("application/json", "application/jwk-set+json"),
            clock=monotonic,
        )
        self._metadata: Document[ServerMetadata] = Document(
            fetch,
            policy.domain + PATH,
            "authkit.metadata",
            lambda document: read_metadata(document, policy.domain),
            clock=monotonic,
        )
        self._remembered: OrderedDict[bytes, AccessClaims] = OrderedDict()
        self._remembered_by: Keys | None = None
        self._max_remembered = max_remembered

    # --- tokens -----------------------------------------------------------------------------

    def verify(self, token: str, resource: str, now: int) -> AccessClaims:
        """Check signature, type, issuer, audience, time; raises `Refusal` (RFC 9068 section 4)."""
        keys = self._keys.value or {}
        if keys is not self._remembered_by:
            self._remembered.clear()  # a key may have been withdrawn: everybody proves it once more
            self._remembered_by = keys
        accepted = self._accepted(resource)
        name = sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._remembered.get(name)
        if known is None:
            return self._verify_first(token, name, accepted, now)
        rules.check_audience(known.audience, accepted)
        if rules.is_over(known.expires_at, now):
            del self._remembered[name]
            raise Refusal(Reason.TOKEN_EXPIRED)
        return known

    def _verify_first(
        self, token: str, name: bytes, accepted: tuple[str, ...], now: int
    ) -> AccessClaims:
        claims = self._signed(token)
        checked = _typed(claims, rules.check_claims(claims, accepted, now))
        if "nbf" not in claims:  # or a hit would have to think of it
            self._remembered[name] = checked
            if len(self._remembered) > self._max_remembered:
                self._remembered.popitem(last=False)
        return checked

    def _signed(self, token: str) -> Mapping[str, object]:
        """The claims of a token that one of AuthKit's keys signed.

        Its issuer is read first, before the signature: it decides nothing but a refusal, and one
        from elsewhere (a session token of WorkOS's User Management) then costs no look for its key.
        """
        if len(token) > MAX_TOKEN_LENGTH:
            raise Refusal(Reason.TOKEN_MALFORMED)
        signing_input, head, body, signature = split(token)
        kid = rules.check_header(json_object(decode_segment(head)))
        claims = json_object(decode_segment(body))
        rules.check_issuer(claims, self.identifier)
        key = (self._keys.value or {}).get(kid)
        if key is None:
            raise Refusal(Reason.TOKEN_KEY_UNKNOWN)
        if not key.verify(signing_input, decode_segment(signature)):
            raise Refusal(Reason.TOKEN_SIGNATURE)
        return claims

    def _accepted(self, resource: str) -> tuple[str, ...]:
        also = self._policy.client_audience
        return (resource,) if also is None else (resource, also)

    async def refresh_keys(self, *, at_most_every: float = 0.0) -> None:
        """Look for new keys; raises `Refusal` if that could not be done.

        What is unknown may then be good: a client that heard 401 would throw its token away.
        """
        await self._keys.refresh(at_most_every=at_most_every)
        if self._keys.trouble is not None:
            raise Refusal(Reason.ISSUER_UNAVAILABLE, retry_after=RETRY_AFTER)

    # --- the server -------------------------------------------------------------------------

    async def metadata(self) -> ServerMetadata:
        """AuthKit's metadata; looked at every few minutes, and in an outage the last that was."""
        known = self._metadata.value
        if known is None:
            await self._metadata.refresh(at_most_every=LOOK_AGAIN)
            known = self._metadata.value
        if known is None:
            raise Refusal(Reason.ISSUER_UNAVAILABLE, retry_after=RETRY_AFTER)
        return known

    async def register(self, document: object) -> dict[str, object]:
        """Register a client at AuthKit (RFC 7591)."""
        if (await self.metadata()).registration_endpoint is None:
            # The operator may have switched it on a moment ago, after an earlier attempt.
            await self._metadata.refresh(at_most_every=LOOK_AGAIN)
        endpoint = (await self.metadata()).registration_endpoint
        if endpoint is None:
            raise Refusal(Reason.ISSUER_REGISTRATION_OFF)
        return await requests.register(self._fetch, endpoint, document)

    async def token(self, form: Mapping[str, str]) -> dict[str, object]:
        """Ask AuthKit's token endpoint (RFC 6749 sections 4.1.3 and 6)."""
        endpoint = (await self.metadata()).token_endpoint
        return await requests.token(self._fetch, endpoint, form)

    # --- life -------------------------------------------------------------------------------

    async def report(self) -> Report:
        """Look at both documents now; what the operator should know of them."""
        await asyncio.gather(self._metadata.refresh(), self._keys.refresh())
        problems = tuple(
            f"{document.url} {document.trouble}. Check WORKOS_AUTHKIT_DOMAIN against Domains in "
            f"the WorkOS dashboard."
            for document in (self._metadata, self._keys)
            if document.trouble is not None
        )
        metadata = self._metadata.value
        return Report(problems, notes_on(metadata) if metadata is not None else ())

    async def watch(self) -> None:
        """Look at both documents at once, telling the log, and then for as long as we live."""
        told = False
        while True:
            try:
                if told:
                    await asyncio.gather(self._metadata.refresh(), self._keys.refresh())
                else:
                    tell(await self.report())
                    told = True
            except Exception as trouble:  # or a key that is withdrawn would not be seen to be
                log.error("authkit.watch_broken", error=type(trouble).__name__)
            await asyncio.sleep(LOOK_EVERY)


def tell(report: Report) -> None:
    """The report in the operator's log."""
    for problem in report.problems:
        log.warning("authkit.problem", detail=problem)
    for note in report.notes:
        log.info("authkit.note", detail=note)


def _typed(claims: Mapping[str, object], audience: str) -> AccessClaims:
    """Checked claims as a record. `sid` names the consent at AuthKit, which is what a grant is."""

    def text(name: str) -> str:
        value = claims.get(name, "")
        assert isinstance(value, str)
        return value

    expires_at, issued_at = claims["exp"], claims.get("iat")
    assert isinstance(expires_at, int)
    return AccessClaims(
        sub=text("sub"),
        client_id=text("client_id"),
        scopes=tuple(text("scope").split()),
        audience=audience,
        grant_id=text("sid"),
        jti=text("jti"),
        issued_at=issued_at if isinstance(issued_at, int) else 0,
        expires_at=expires_at,
    )

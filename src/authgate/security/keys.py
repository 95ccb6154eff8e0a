"""The key ring: which of our keys signs now, which ones verify, and the document that names them.

A key is published at once and signs later, so that everybody has seen it before they need it; it
stays published until its last token has expired. Verification knows only our own keys: nothing a
token says can add one, and an unknown name costs a look into a dictionary. Never here: claims
(`protocol.tokens`) or the cache of verified tokens (`issuers.builtin`). Neighbours: `key_material`,
`vault`, and the store that keeps the rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

import orjson

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import AuditEvent, SigningKey
from authgate.protocol.tokens import MAX_TOKEN_LENGTH, check_header
from authgate.security.compact import b64encode, decode_segment, json_object, split
from authgate.security.key_material import (
    ALGORITHMS,
    KeyUnusable,
    PrivateKey,
    SignerKey,
    VerifyingKey,
    generate,
    header_segment,
    public_members,
    read_pem,
    to_record,
)
from authgate.security.vault import SealedValueUnreadable, Vault
from authgate.store.contract import Store

LEAD_SECONDS = 600  # our JWKS is cached for 300 s: twice that, and nobody can have missed the key
DAY = 86_400
OVERLAP_SECONDS = 60  # between the last token's end and the key's: clocks and slow requests

KeyState = Literal["next", "signing", "retiring", "retired"]


class KeyRing:
    """The signing keys of one store, loaded. `version` grows whenever the published keys change."""

    def __init__(
        self, store: Store, vault: Vault, *, algorithm: str = "ES256", access_ttl: int = 3600
    ) -> None:
        if algorithm not in ALGORITHMS:
            raise KeyUnusable(f"There is no signing algorithm {algorithm}; use ES256 or RS256.")
        self._store = store
        self._vault = vault
        self._algorithm = algorithm
        self._access_ttl = access_ttl
        self._verifiers: dict[str, VerifyingKey] = {}
        self._by_head: dict[bytes, VerifyingKey] = {}
        self._signers: tuple[SignerKey, ...] = ()
        self._jwks = b""
        self.version = 0
        self.readable = True
        """Could the key that signs be opened at the last reading? Those in use stay in use if not.

        One that signs later does not count: who cannot open it can still do all there is to do, and
        a secret that was changed too early would take every other node out at once. That it cannot
        be opened is raised at every reading meanwhile.
        """

    # --- life -----------------------------------------------------------------------------------

    async def load(self, now: int) -> None:
        """Read the keys, making the first one if there is none. Several workers may do so at once.

        Raises `SealedValueUnreadable` if the vault's secrets do not open the key that signs.
        """
        if not await self._store.signing_keys():
            first = to_record(
                generate(self._algorithm), self._vault, created_at=now, signs_from=now
            )
            await self._store.add_first_signing_key(first)
        await self.refresh(now)

    async def refresh(self, now: int) -> bool:
        """Read the keys again; True if the published ones changed. Known keys are not made anew.

        Raises `SealedValueUnreadable` or `KeyUnusable` for a key that cannot be opened, after all
        that could be done without it: to believe a key takes no secret, and a revocation must be
        seen also by a process whose secret is the wrong one.
        """
        rows = await self._store.signing_keys()
        self.readable = False
        published = [row for row in rows if row.retires_at is None or row.retires_at > now]
        if not published:
            raise KeyUnusable("The store holds no signing key that is still valid.")
        changed = [row.kid for row in published] != list(self._verifiers)
        if changed:
            self._publish(published)
        trouble = self._open(published, now)
        if trouble is not None:
            raise trouble
        return changed

    def _open(self, published: Sequence[SigningKey], now: int) -> Exception | None:
        """The keys that sign now or will, newest first. A superseded one is not even unsealed."""
        known = {signer.kid: signer for signer in self._signers}
        signers: list[SignerKey] = []
        trouble: Exception | None = None
        for row in reversed(published):
            try:
                signers.append(known.get(row.kid) or SignerKey.of(row, self._vault))
            except (SealedValueUnreadable, KeyUnusable) as error:
                trouble = error
            if row.signs_from <= now:
                break
        if signers and signers[-1].kid == row.kid:  # the one that signs now
            self._signers, self.readable = tuple(signers), True
        return trouble

    def _publish(self, published: Sequence[SigningKey]) -> None:
        known = self._verifiers
        self._verifiers = {row.kid: known.get(row.kid) or VerifyingKey.of(row) for row in published}
        self._by_head = {
            header_segment(key.kid, key.algorithm): key for key in self._verifiers.values()
        }
        keys = [public_members(dict(row.public_jwk)) for row in reversed(published)]
        self._jwks = orjson.dumps({"keys": keys})
        self.version += 1

    # --- use ------------------------------------------------------------------------------------

    def jwks(self) -> bytes:
        """The public keys as a JWK Set, newest first (RFC 7517 section 5); never empty."""
        if not self._jwks:
            raise RuntimeError("the key ring was not loaded")
        return self._jwks

    def signer(self, now: int) -> SignerKey:
        """The newest key that may sign at `now`.

        A clock set back may leave none that has begun: then the oldest goes on, as it would have.
        """
        for signer in self._signers:
            if signer.signs_from <= now:
                return signer
        return self._signers[-1]

    def sign(self, payload: bytes, now: int) -> str:
        """A compact JWS of `payload` with the access token header (RFC 7515 section 3.1)."""
        signer = self.signer(now)
        signing_input = signer.head + b"." + b64encode(payload)
        return (signing_input + b"." + b64encode(signer.sign(signing_input))).decode("ascii")

    def sign_as(self, kind: str, payload: bytes, now: int) -> str:
        """A compact JWS whose `typ` is `kind`: by that it can never pass as an access token."""
        signer = self.signer(now)
        head = header_segment(signer.kid, signer.algorithm, kind)
        signing_input = head + b"." + b64encode(payload)
        return (signing_input + b"." + b64encode(signer.sign(signing_input))).decode("ascii")

    def verify(self, token: str) -> dict[str, object]:
        """The claims of a token that one of our keys signed; raises `Refusal`, and nothing else.

        A header that is byte for byte one of ours needs no parsing. Any other is judged by
        `protocol.tokens.check_header`: it may still be ours, written by another release.
        """
        if len(token) > MAX_TOKEN_LENGTH:
            raise Refusal(Reason.TOKEN_MALFORMED)
        signing_input, head, body, signature = split(token)
        key = self._by_head.get(head) or self._named(head)
        if not key.verify(signing_input, decode_segment(signature)):
            raise Refusal(Reason.TOKEN_SIGNATURE)
        return json_object(decode_segment(body))

    def _named(self, head: bytes) -> VerifyingKey:
        """The key a header names: `kid` is only a name among our own (RFC 8725 section 3.10)."""
        header = json_object(decode_segment(head))
        check_header(header, ALGORITHMS)
        kid = header.get("kid")
        key = self._verifiers.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise Refusal(Reason.TOKEN_KEY_UNKNOWN)
        if key.algorithm != header["alg"]:
            raise Refusal(Reason.TOKEN_SIGNATURE)
        return key

    # --- the operator's side --------------------------------------------------------------------

    async def rotate(self, now: int, *, at_once: bool = False) -> SigningKey:
        """Make a new key; it signs after a lead of ten minutes.

        `at_once` is for a key that leaked or can no longer be opened: the new one signs now, and no
        other is believed any more, so every client has to refresh once. Needs no loaded ring, so
        that it can mend one that does not load.
        """
        key = generate(self._algorithm)
        if at_once:
            return await self._add(key, now, now, "keys.rotate", retire_others_at=now)
        return await self._add(key, now, now + LEAD_SECONDS, "keys.rotate")

    async def import_pem(self, pem: bytes, now: int) -> SigningKey:
        """Take over a private key; it decides the algorithm and signs at once."""
        return await self._add(read_pem(pem), now, now, "keys.import")

    async def rotate_when_due(self, now: int, days: int) -> SigningKey | None:
        """What `rotate` does, if the newest key is `days` old; None if not, or with 0 days.

        Any number of processes may ask at once: one of them makes the key. It has the algorithm of
        the one it follows, not the setting's: a schedule must not change what verifiers have to
        understand. Imported keys grow old like all others.
        """
        rows = await self._store.signing_keys()
        if not days or not rows or now < rows[-1].created_at + days * DAY:
            return None
        newest, signs_from = rows[-1], now + LEAD_SECONDS
        # Requests go on meanwhile: an RSA key takes a while to find.
        made = await asyncio.to_thread(generate, newest.algorithm)
        key = self._sealed(made, rows, now, signs_from)
        told = _told(now, "keys.rotate", key, "schedule")
        ends = self._overlapped(signs_from)
        won = await self._store.supersede_signing_key(newest.kid, key, ends, told)
        return key if won else None

    async def revoke(self, kid: str, now: int) -> SigningKey | None:
        """Believe `kid` no more. Returns the key that was made to sign at once in its place.

        None for a key on its way out: those that sign now and next stay. Either of these is
        replaced, even where another could sign: one on its way out would leave the JWKS before the
        tokens it signs now expire. Needs no loaded ring. Raises `KeyUnusable` if no such key is
        believed.
        """
        rows = await self._store.signing_keys()
        states = {key.kid: state for key, state in key_states(rows, now)}
        if states.get(kid) not in {"signing", "next", "retiring"}:
            raise KeyUnusable(f"No key {kid!r} is in use. See: authgate keys list")
        made = None
        if states[kid] != "retiring":
            made = self._sealed(generate(self._algorithm), rows, now, now)
        detail: dict[str, object] = {"kid": kid, "replacement": made.kid if made else None}
        told = AuditEvent(now, "keys.revoke", "done", "operator", detail=detail)
        ends = self._overlapped(now)
        if not await self._store.revoke_signing_key(kid, now, made, ends, told):
            raise KeyUnusable(f"No key {kid!r} is in use any more: somebody else was first.")
        return made

    async def _add(
        self,
        key: PrivateKey,
        now: int,
        signs_from: int,
        event: str,
        *,
        retire_others_at: int | None = None,
    ) -> SigningKey:
        rows = await self._store.signing_keys()
        record = self._sealed(key, rows, now, signs_from)
        if any(row.kid == record.kid for row in rows):
            raise KeyUnusable("This key is already among the signing keys; bring another one.")
        if retire_others_at is None:
            retire_others_at = self._overlapped(signs_from)
        await self._store.add_signing_key(record, retire_others_at, _told(now, event, record))
        return record

    def _sealed(
        self, key: PrivateKey, rows: Sequence[SigningKey], now: int, signs_from: int
    ) -> SigningKey:
        # Strictly later than every other key: which of two is newer must never be a tie.
        created_at = max([now, *(row.created_at + 1 for row in rows)])
        return to_record(key, self._vault, created_at=created_at, signs_from=signs_from)

    def _overlapped(self, signs_from: int) -> int:
        """The end of a key whose successor signs from then on: its last token has expired."""
        return signs_from + self._access_ttl + OVERLAP_SECONDS


def _told(now: int, event: str, key: SigningKey, actor: str = "operator") -> AuditEvent:
    detail = {"kid": key.kid, "algorithm": key.algorithm, "signs_from": key.signs_from}
    return AuditEvent(now, event, "done", actor, detail=detail)


def key_states(keys: Sequence[SigningKey], now: int) -> list[tuple[SigningKey, KeyState]]:
    """Every stored key, oldest first, with what it does at `now` (for `authgate keys list`)."""
    live = [key for key in keys if key.retires_at is None or key.retires_at > now]
    begun = [key for key in live if key.signs_from <= now]
    signing = begun[-1] if begun else (live[0] if live else None)
    states: list[tuple[SigningKey, KeyState]] = []
    newer = False
    for key in keys:
        if key not in live:
            states.append((key, "retired"))
        elif key is signing:
            states.append((key, "signing"))
            newer = True
        else:
            states.append((key, "next" if newer else "retiring"))
    return states

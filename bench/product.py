"""authgate's own parts and steps, without HTTP: makes real codes and grants in bulk.

A code normally ends a walk through the sign-in and consent pages. Thousands of such walks would
take longer than all measurements together, and none of it is what is measured. So the bench opens
the same SQLite file with the product's own parts (`app.build_core`) and takes the product's own
steps: register, open the request, approve it. The codes are real: nothing is written past the
store's contract, and the server that redeems them cannot tell. Two processes on one store is a
supported way to run authgate.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from authgate.app import Core, build_core, now
from authgate.directories.embedded import EmbeddedDirectory
from authgate.protocol import parameters
from authgate.protocol.records import Account, AuditEvent, Grant, Person
from authgate.security.digests import new_identifier
from authgate.security.limits import LimitPolicy, Throttles
from authgate.settings import Settings
from authgate.steps.authorize import Asker, Opened, open_request
from authgate.steps.consent import approve
from authgate.steps.parts import IssuingParts
from authgate.steps.register import register
from authgate.steps.token import token
from bench import messages

CLIENTS = 32
AT_ONCE = 64
ADDRESS = "127.0.0.1"
EMAIL = "bench@example.com"


@dataclass(frozen=True, slots=True)
class Product:
    """The opened parts, one person and some clients."""

    core: Core
    parts: IssuingParts
    person: Person
    clients: list[str]

    @classmethod
    async def open(cls, settings: Settings) -> Product:
        core = build_core(settings)
        await core.open()
        parts = IssuingParts(
            policy=core.policy,
            store=core.store,
            issuer=core.issuer,
            passwords=EmbeddedDirectory(core.store, core.passwords),
            social=EmbeddedDirectory(core.store, core.passwords),
            vault=core.vault,
            throttles=Throttles(LimitPolicy(registration=settings.limit_registration)),
            clock=now,
        )
        clients = [await register(parts, messages.REGISTRATION, ADDRESS) for _ in range(CLIENTS)]
        names = [str(client["client_id"]) for client in clients]
        return cls(core, parts, await _person(parts), names)

    async def codes(self, count: int) -> list[tuple[str, str]]:
        """Fresh codes with their clients, many at once: the store commits them together."""
        made: list[tuple[str, str]] = []
        while len(made) < count:
            some = range(len(made), min(len(made) + AT_ONCE, count))
            made += await asyncio.gather(*(self._code(self.clients[n % CLIENTS]) for n in some))
        return made

    async def access_token(self) -> str:
        """An access token of a live grant, begun by exchanging a code."""
        ((client_id, code),) = await self.codes(1)
        form = parameters.read(
            [
                ("grant_type", "authorization_code"),
                ("client_id", client_id),
                ("code", code),
                ("code_verifier", messages.VERIFIER),
            ]
        )
        answer = await token(self.parts, None, form, ADDRESS)
        return str(answer["access_token"])

    async def grant(self) -> Grant:
        """A live grant."""
        claims = self.core.issuer.verify_any_time(await self.access_token())
        found = await self.core.store.grant(claims.grant_id)
        assert found is not None
        return found

    async def _code(self, client_id: str) -> tuple[str, str]:
        asked = parameters.read(
            [
                ("response_type", "code"),
                ("client_id", client_id),
                ("redirect_uri", messages.REDIRECT_URI),
                ("state", "s"),
                ("code_challenge", messages.CHALLENGE),
                ("code_challenge_method", "S256"),
                ("resource", self.parts.policy.default_resource),
            ]
        )
        opened = await open_request(self.parts, asked, Asker("tool"))
        assert isinstance(opened, Opened), opened
        answer = await approve(
            self.parts,
            opened.request,
            self.person,
            authenticated_at=now(),
            address=ADDRESS,
            via="password",
        )
        assert answer.code is not None
        return client_id, answer.code


async def _person(parts: IssuingParts) -> Person:
    """Somebody to issue codes for. Nobody signs in as them, so there is no password to hash."""
    account = Account(
        sub=new_identifier("ag_"),
        email=EMAIL,
        email_key=EMAIL,
        password_hash="!",
        created_at=now(),
    )
    audit = AuditEvent(at=now(), event="person.add", outcome="done", actor="operator")
    await parts.store.add_account(account, audit)
    known = await parts.store.account_by_email(EMAIL)
    assert known is not None
    return Person(known.sub, "embedded", known.email, ("password",))

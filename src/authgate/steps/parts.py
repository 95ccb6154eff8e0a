"""The parts every step works with, put together once by `app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from authgate.directories.contract import Directory
from authgate.issuers.contract import Issuer, IssuerElsewhere
from authgate.issuers.logins import Logins
from authgate.protocol.policy import Policy
from authgate.protocol.records import AuditEvent, Person
from authgate.security.limits import Throttles
from authgate.security.vault import Vault
from authgate.store.contract import Store

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Parts:
    """Contracts only: no step knows which engine or directory stands behind them.

    Each way to sign in has one owner: `passwords` and `social` are the directories that own theirs,
    often one and the same. `clock` gives the time in integer seconds since the epoch.
    """

    policy: Policy
    store: Store
    passwords: Directory
    social: Directory
    vault: Vault
    throttles: Throttles
    clock: Clock

    def home_of(self, person: Person) -> Directory | None:
        """The directory that vouches for this person; None if it has no say here any more."""
        for directory in (self.passwords, self.social):
            if directory.name == person.directory:
                return directory
        return None

    def known(self) -> dict[str, Any]:
        """These parts by name, for a record that has one more."""
        return {field.name: getattr(self, field.name) for field in fields(Parts)}


@dataclass(frozen=True, slots=True)
class IssuingParts(Parts):
    """With an issuer of our own: what the steps take that make a token, or end one."""

    issuer: Issuer

    @classmethod
    def of(cls, parts: Parts, issuer: Issuer) -> IssuingParts:
        return cls(**parts.known(), issuer=issuer)


@dataclass(frozen=True, slots=True)
class LoginParts(Parts):
    """With an issuer elsewhere: what the steps take that tell it who signed in."""

    logins: Logins

    @classmethod
    def of(cls, parts: Parts, logins: Logins) -> LoginParts:
        return cls(**parts.known(), logins=logins)


@dataclass(frozen=True, slots=True)
class ElsewhereParts(Parts):
    """With an issuer elsewhere: what the tools take that ask it for a client."""

    issuer: IssuerElsewhere

    @classmethod
    def of(cls, parts: Parts, issuer: IssuerElsewhere) -> ElsewhereParts:
        return cls(**parts.known(), issuer=issuer)


def audited(
    now: int,
    event: str,
    outcome: str = "done",
    *,
    actor: str | None = None,
    client_id: str | None = None,
    address: str | None = None,
    **detail: object,
) -> AuditEvent:
    """An audit event at `now`; `detail` must hold nothing secret."""
    return AuditEvent(now, event, outcome, actor, client_id, address, detail)

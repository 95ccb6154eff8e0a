"""A directory whose people owe a second factor: passwords are another directory's, codes are ours.

The embedded directory never asks for one, so tests of steps, pages and tools put this around it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from authgate.directories.contract import (
    Directory,
    Explain,
    NeedsFactor,
    Recheck,
    Refused,
    SignedIn,
    SignIn,
    Unavailable,
    Visitor,
    Ways,
)
from authgate.protocol.records import Person

CODE = "042 137"  # begins with 0, and as an authenticator shows it
STATE = "aal1 session of "


class SecondFactor:
    """Whoever is in `owing` (all if None) owes the code `CODE` after the right password.

    `says` answers in place of the code's verdict; `down` cannot answer at all. `asked` counts the
    codes that were looked at.
    """

    def __init__(self, inner: Directory, owing: Collection[str] | None = None) -> None:
        self._inner = inner
        self._owing = owing
        self.kind, self.hint, self.lasts = "totp", "", 300
        self.says: SignIn | None = None
        self.down = False
        self.asked = 0
        self._waiting: dict[str, Person] = {}

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def ways(self) -> Ways:
        return self._inner.ways

    async def sign_in_with_password(self, username: str, password: str, visitor: Visitor) -> SignIn:
        outcome = await self._inner.sign_in_with_password(username, password, visitor)
        if not isinstance(outcome, SignedIn):
            return outcome
        if self._owing is not None and outcome.person.display not in self._owing:
            return outcome
        return self.needs(outcome.person)

    def needs(self, person: Person, explain: str | None = None) -> NeedsFactor:
        sealed = f"{STATE}{person.sub} {len(self._waiting)}"
        self._waiting[sealed] = person
        return NeedsFactor(self.kind, self.hint, sealed, self.lasts, explain)

    async def answer_factor(self, sealed: str, answer: str, visitor: Visitor) -> SignIn:
        if self.down:
            return Unavailable(7)
        self.asked += 1
        if self.says is not None:
            return self.says
        person = self._waiting[sealed]
        if "".join(answer.split()) != CODE.replace(" ", ""):
            return Refused(Explain.CODE_WRONG)
        return SignedIn(replace(person, methods=(*person.methods, "otp", "mfa"), assurance=2))

    async def recheck(self, sub: str) -> Recheck:
        return await self._inner.recheck(sub)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

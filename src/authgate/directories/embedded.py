"""The embedded directory: people and argon2id hashes in authgate's own store, no account needed.

For development, demos and small teams. Every kind of wrong sign-in is one `Refused` after one hash.
Never here: throttles (`security.limits`, asked by the steps) and adding people (`people`).
"""

from __future__ import annotations

from collections.abc import Mapping

from authgate.directories.contract import (
    Gone,
    Recheck,
    Refused,
    SignedIn,
    SignIn,
    SocialStart,
    StillGood,
    Unavailable,
    Visitor,
    Ways,
)
from authgate.directories.passwords import RETRY_AFTER, Busy, Passwords
from authgate.protocol.records import Account, Person
from authgate.security.addresses import MAX_EMAIL, fold_email
from authgate.store.contract import Store

NAME = "embedded"


class EmbeddedDirectory:
    """Somebody's user store that happens to be ours."""

    name = NAME
    ways = Ways(password=True)
    can_recheck = True
    confirms_addresses = True  # nobody but the operator writes one down

    def __init__(self, store: Store, passwords: Passwords) -> None:
        self._store = store
        self._passwords = passwords

    async def sign_in_with_password(self, username: str, password: str, visitor: Visitor) -> SignIn:
        """Judge an e-mail address and a password; exactly one hash, whatever is wrong."""
        account = await self._account(username)
        stored = account.password_hash if account is not None else None
        try:
            verdict = await self._passwords.verify(password, stored)
        except Busy:
            return Unavailable(RETRY_AFTER)
        if account is None or not verdict.right:
            return Refused()
        # The line may have taken seconds: an account that ended or changed meanwhile is not let in.
        present = await self._store.account(account.sub)
        if present != account or account.disabled_at is not None:
            return Refused()
        if verdict.outdated:
            await self._rehash(account, password)
        return SignedIn(_person(account))

    async def answer_factor(self, sealed: str, answer: str, visitor: Visitor) -> SignIn:
        """No second factors here."""
        return Refused()

    async def start_social(
        self, provider: str, callback_url: str, transaction: str
    ) -> SocialStart | Refused | Unavailable:
        """No providers here."""
        return Refused()

    async def finish_social(
        self, provider: str, sealed: str, answer: Mapping[str, str], visitor: Visitor
    ) -> SignIn:
        """No providers here."""
        return Refused()

    async def recheck(self, sub: str) -> Recheck:
        """Gone if removed or disabled."""
        account = await self._store.account(sub)
        if account is None or account.disabled_at is not None:
            return Gone()
        return StillGood(_person(account))

    async def _account(self, username: str) -> Account | None:
        """The account of a typed address. What no account can have is not looked for."""
        if len(username) > MAX_EMAIL or not username.isprintable():
            return None  # lone surrogates and NUL are not printable either: no engine sees them
        return await self._store.account_by_email(fold_email(username))

    async def _rehash(self, account: Account, password: str) -> None:
        """Bring a right password's hash up to the present parameters; a convenience, never a fault.

        Only in place of the very hash that was verified: or this could put an old password back
        over one that an operator has just set.
        """
        try:
            fresh = await self._passwords.hash(password)
        except Busy:
            return
        await self._store.rehash_account_password(account.sub, account.password_hash, fresh)


def _person(account: Account) -> Person:
    """`pwd` is RFC 8176's name for a password."""
    return Person(sub=account.sub, directory=NAME, display=account.email, methods=("pwd",))

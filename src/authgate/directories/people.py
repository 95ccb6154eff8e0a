"""The operator's side of the embedded directory: add, list, disable, enable, remove, new password.

Plain functions for the command line, each one store step with its audit event. What is wrong with
the operator's input raises `PeopleError` with a sentence. Never here: sign-in (`embedded`).
"""

from __future__ import annotations

from collections.abc import Sequence

from authgate.directories.passwords import MAX_PASSWORD, Passwords
from authgate.protocol.records import Account, AuditEvent
from authgate.security.addresses import MAX_EMAIL, fold_email
from authgate.security.digests import new_identifier
from authgate.store.contract import Store

MIN_PASSWORD = 12  # NIST SP 800-63B asks for length and not for kinds of characters


class PeopleError(Exception):
    """The operator's input cannot be used; the text says what to change."""


async def add_person(
    store: Store, passwords: Passwords, email: str, password: str, now: int
) -> Account:
    """Add a person who signs in with `email`."""
    email = check_email(email)
    check_password(password, email)
    account = Account(
        sub=new_identifier("ag_"),
        email=email,
        email_key=fold_email(email),
        password_hash=await passwords.hash(password),
        created_at=now,
    )
    if not await store.add_account(account, _audit("person.add", account, now)):
        raise PeopleError(f"There is a person with the address {email} already.")
    return account


async def set_password(
    store: Store, passwords: Passwords, email: str, password: str, now: int
) -> Account:
    """Replace a person's password; their browser sessions end."""
    account = await find_person(store, email)
    check_password(password, account.email)
    fresh = await passwords.hash(password)
    audit = _audit("person.set_password", account, now)
    _still_there(await store.set_account_password(account.sub, fresh, now, audit), email)
    return account


async def list_people(store: Store) -> Sequence[Account]:
    """Everybody, ordered by address."""
    return await store.accounts()


async def disable_person(store: Store, email: str, now: int) -> Account:
    """Shut a person out: no more sign-ins, and what was granted ends."""
    account = await find_person(store, email)
    audit = _audit("person.disable", account, now)
    _still_there(await store.set_account_disabled(account.sub, now, now, audit), email)
    return account


async def enable_person(store: Store, email: str, now: int) -> Account:
    """Let a disabled person in again."""
    account = await find_person(store, email)
    audit = _audit("person.enable", account, now)
    _still_there(await store.set_account_disabled(account.sub, None, now, audit), email)
    return account


async def remove_person(store: Store, email: str, now: int) -> Account:
    """Remove a person with all that was granted. Their `sub` is never given out again."""
    account = await find_person(store, email)
    audit = _audit("person.remove", account, now)
    _still_there(await store.remove_account(account.sub, now, audit), email)
    return account


async def find_person(store: Store, email: str) -> Account:
    """The person with this address, however it is capitalised; raises `PeopleError`."""
    account = await store.account_by_email(fold_email(email)) if email.isprintable() else None
    if account is None:
        raise PeopleError("There is no person with that address. See: authgate people list")
    return account


def check_email(text: str) -> str:
    """The address without blanks around it, if it looks like one; raises `PeopleError`.

    Only the form: nothing is ever sent to it. Control, bidi and other invisible characters are
    refused, since pages show the address.
    """
    email = text.strip()
    local, at, domain = email.partition("@")
    formed = (
        0 < len(local) <= 64
        and at
        and "@" not in domain
        and all(0 < len(label) <= 63 for label in domain.split("."))
    )
    if not formed or len(email) > MAX_EMAIL or not email.isprintable() or " " in email:
        raise PeopleError("That is not an e-mail address. Write it like name@example.com.")
    return email


def check_password(password: str, email: str) -> None:
    """Refuse a password that is too short, too long or the address itself (`PeopleError`)."""
    if len(password) < MIN_PASSWORD:
        raise PeopleError(f"The password is too short: it needs {MIN_PASSWORD} characters or more.")
    if len(password) > MAX_PASSWORD:
        raise PeopleError(f"The password is too long: at most {MAX_PASSWORD} characters.")
    folded = fold_email(password)
    if folded in (fold_email(email), fold_email(email).partition("@")[0]):
        raise PeopleError("The password must not be the e-mail address or a part of it.")
    if len(set(password)) < 4:
        raise PeopleError("The password repeats itself; use more different characters.")


def _still_there(done: bool, email: str) -> None:
    if not done:
        raise PeopleError(f"The person with the address {email} was removed meanwhile.")


def _audit(event: str, account: Account, now: int) -> AuditEvent:
    """What the operator did, to whom. The address stays out: the `sub` names the person."""
    return AuditEvent(
        at=now, event=event, outcome="done", actor="operator", detail={"sub": account.sub}
    )

"""The embedded directory's own matters: busy hashing, people who change meanwhile, old hashes."""

from __future__ import annotations

import asyncio

import pytest

from authgate.directories import people
from authgate.directories.contract import Refused, SignedIn, Unavailable, Visitor
from authgate.directories.embedded import EmbeddedDirectory
from authgate.directories.passwords import Busy, Passwords, Verdict
from authgate.protocol.records import Account
from authgate.security.limits import Throttles
from authgate.store.contract import StoreUnavailable
from authgate.store.sqlite import SqliteStore
from tests.clauses import clause
from tests.directories.counting import CountingPasswords, cheap
from tests.security.making import NOW

EMAIL, PASSWORD = "ana@example.com", "a long enough password"
VISITOR = Visitor("192.0.2.1")


async def test_a_full_line_is_unavailable_and_not_wrong(store: SqliteStore) -> None:
    class Full(Passwords):
        async def verify(self, password: str, stored: str | None) -> Verdict:
            raise Busy

    directory = EmbeddedDirectory(store, Full(time_cost=1, memory_kib=8))
    outcome = await directory.sign_in_with_password(EMAIL, PASSWORD, VISITOR)
    assert outcome == Unavailable(5)


@clause("ASVS 5.0", "7.4.2")
@pytest.mark.parametrize("change", ["disable", "remove", "password"])
async def test_whoever_is_shut_out_while_the_hash_runs_stays_out(
    store: SqliteStore, change: str
) -> None:
    await people.add_person(store, cheap(), EMAIL, PASSWORD, NOW)

    class Meanwhile(Passwords):
        async def verify(self, password: str, stored: str | None) -> Verdict:
            verdict = await super().verify(password, stored)
            if change == "disable":
                await people.disable_person(store, EMAIL, NOW)
            elif change == "remove":
                await people.remove_person(store, EMAIL, NOW)
            else:
                await people.set_password(store, cheap(), EMAIL, "another good password", NOW)
            return verdict

    directory = EmbeddedDirectory(store, Meanwhile(time_cost=1, memory_kib=8))
    assert await directory.sign_in_with_password(EMAIL, PASSWORD, VISITOR) == Refused()


async def test_a_store_that_cannot_answer_is_not_a_wrong_password(store: SqliteStore) -> None:
    class Down:
        async def account_by_email(self, email_key: str) -> None:
            raise StoreUnavailable

    directory = EmbeddedDirectory(Down(), cheap())
    with pytest.raises(StoreUnavailable):
        await directory.sign_in_with_password(EMAIL, PASSWORD, VISITOR)


@clause("ASVS 5.0", "11.4.2")
async def test_a_right_sign_in_brings_an_old_hash_up_to_date(store: SqliteStore) -> None:
    old = await people.add_person(store, cheap(), EMAIL, PASSWORD, NOW)
    directory = EmbeddedDirectory(store, Passwords(time_cost=2, memory_kib=16))
    assert await directory.sign_in_with_password(EMAIL, "wrong", VISITOR) == Refused()
    assert await store.account(old.sub) == old
    for _ in range(2):
        outcome = await directory.sign_in_with_password(EMAIL, PASSWORD, VISITOR)
        assert isinstance(outcome, SignedIn)
    fresh = await people.find_person(store, EMAIL)
    assert "m=16,t=2" in fresh.password_hash
    assert len(await store.audit_events()) == 1  # the password is the same: nothing to tell


async def test_a_rehash_never_puts_an_old_password_back(store: SqliteStore) -> None:
    await people.add_person(store, cheap(), EMAIL, PASSWORD, NOW)

    class Meanwhile(Passwords):
        async def hash(self, password: str) -> str:
            await people.set_password(store, cheap(), EMAIL, "another good password", NOW)
            return await super().hash(password)

    directory = EmbeddedDirectory(store, Meanwhile(time_cost=2, memory_kib=16))
    await directory.sign_in_with_password(EMAIL, PASSWORD, VISITOR)
    stored = (await people.find_person(store, EMAIL)).password_hash
    assert (await cheap().verify("another good password", stored)).right


async def test_a_rehash_that_finds_the_line_full_is_left_for_the_next_time(
    store: SqliteStore,
) -> None:
    old = await people.add_person(store, cheap(), EMAIL, PASSWORD, NOW)

    class NoRoom(Passwords):
        async def hash(self, password: str) -> str:
            raise Busy

    directory = EmbeddedDirectory(store, NoRoom(time_cost=2, memory_kib=16))
    assert isinstance(await directory.sign_in_with_password(EMAIL, PASSWORD, VISITOR), SignedIn)
    assert await store.account(old.sub) == old


@clause("ASVS 5.0", "6.3.1")
async def test_of_fifty_wrong_passwords_at_once_ten_are_hashed(store: SqliteStore) -> None:
    """The brake and the directory together, as the sign-in step puts them together."""
    passwords = CountingPasswords()
    await people.add_person(store, passwords, EMAIL, PASSWORD, NOW)
    directory = EmbeddedDirectory(store, passwords)
    throttles = Throttles()

    async def attempt(password: str) -> object:
        async with throttles.sign_in(EMAIL, VISITOR.address) as turn:
            if turn.retry_after is not None:
                return turn.retry_after
            outcome = await directory.sign_in_with_password(EMAIL, password, VISITOR)
            if isinstance(outcome, SignedIn):
                turn.succeeded()
            else:
                turn.failed()
            return outcome

    right = await asyncio.gather(*(attempt(PASSWORD) for _ in range(30)))
    assert all(isinstance(outcome, SignedIn) for outcome in right)
    before = passwords.verifications
    wrong = await asyncio.gather(*(attempt("a wrong password") for _ in range(50)))
    assert passwords.verifications - before == 10
    assert wrong.count(Refused()) == 10


def test_the_password_hash_is_not_shown() -> None:
    assert "argon2" not in repr(Account("ag_x", EMAIL, EMAIL, "$argon2id$...", NOW))

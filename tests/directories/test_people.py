"""The operator's side of the embedded directory."""

from __future__ import annotations

import re

import pytest

from authgate.directories import people
from authgate.directories.people import PeopleError
from authgate.store.sqlite import SqliteStore
from tests.directories.counting import cheap
from tests.security.making import NOW

EMAIL, PASSWORD = "Ana@Example.com", "a long enough password"


async def test_a_person_from_beginning_to_end(store: SqliteStore) -> None:
    passwords = cheap()
    added = await people.add_person(store, passwords, f" {EMAIL} ", PASSWORD, NOW)
    assert re.fullmatch(r"ag_[A-Za-z0-9_-]{22}", added.sub)
    assert (added.email, added.email_key) == (EMAIL, "ana@example.com")
    assert list(await people.list_people(store)) == [added]

    await people.disable_person(store, "ana@example.com", NOW + 1)
    assert (await people.find_person(store, EMAIL)).disabled_at == NOW + 1
    await people.enable_person(store, "ANA@EXAMPLE.COM", NOW + 2)
    assert (await people.find_person(store, EMAIL)).disabled_at is None

    await people.set_password(store, passwords, EMAIL, "another good password", NOW + 3)
    stored = (await people.find_person(store, EMAIL)).password_hash
    assert (await passwords.verify("another good password", stored)).right

    await people.remove_person(store, EMAIL, NOW + 4)
    assert not await people.list_people(store)
    events = [event.event for event in await store.audit_events()]
    assert events == [
        "person.remove",
        "person.set_password",
        "person.enable",
        "person.disable",
        "person.add",
    ]


async def test_the_audit_trail_holds_neither_address_nor_password(store: SqliteStore) -> None:
    await people.add_person(store, cheap(), EMAIL, PASSWORD, NOW)
    [event] = await store.audit_events()
    assert event.actor == "operator"
    assert "example" not in repr(event).lower()
    assert PASSWORD not in repr(event)


async def test_an_address_is_given_once(store: SqliteStore) -> None:
    await people.add_person(store, cheap(), EMAIL, PASSWORD, NOW)
    with pytest.raises(PeopleError, match="already"):
        await people.add_person(store, cheap(), EMAIL.upper(), PASSWORD, NOW)


@pytest.mark.parametrize("step", ["disable", "enable", "remove", "find"])
@pytest.mark.parametrize("nobody", ["nobody@example.com", "", "\0", "\ud800"])
async def test_nobody_by_that_address_is_said_with_the_way_to_look(
    store: SqliteStore, step: str, nobody: str
) -> None:
    function = getattr(people, f"{step}_person")
    arguments = (nobody,) if step == "find" else (nobody, NOW)
    with pytest.raises(PeopleError, match="people list"):
        await function(store, *arguments)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ana",
        "@example.com",
        "ana@",
        "a@b@c",
        "ana@example..com",
        "ana @example.com",
        "ana@exam\nple.com",
        "ana\u202e@example.com",
        "ana\u200b@example.com",
        "a" * 65 + "@example.com",
        "a@" + ".".join(["b" * 60] * 6),
        "a@" + "b" * 64,
        "ana@example.com\0",
        "ana\ud800@example.com",
    ],
)
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(PeopleError, match="e-mail address"):
        people.check_email(email)


@pytest.mark.parametrize(
    "email", ["ana@example.com", "ana+mcp@example.co.uk", "admin@localhost", "jürgen@exämple.de"]
)
def test_addresses_that_are_taken(email: str) -> None:
    assert people.check_email(f" {email} ") == email


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("", "too short"),
        ("eleven char", "too short"),
        ("x" * 1025, "too long"),
        ("ana.maria.long@example.com", "address"),
        ("ANA.MARIA.LONG", "address"),
        ("aaaaaaaaaaaa", "repeats"),
    ],
)
def test_passwords_that_are_refused(password: str, sentence: str) -> None:
    with pytest.raises(PeopleError, match=sentence):
        people.check_password(password, "ana.maria.long@example.com")


def test_a_long_phrase_of_any_characters_is_a_password() -> None:
    for password in ("twelve chars", "só palavras sem números", "x" * 1000 + "yza"):
        people.check_password(password, "ana@example.com")

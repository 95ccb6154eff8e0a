"""Whom of a Supabase project's people a WorkOS user is: three rules in their order, and nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from authgate.directories.contract import (
    Explain,
    Gone,
    NeedsFactor,
    Refused,
    SignedIn,
    StillGood,
    Unavailable,
)
from authgate.protocol.records import AuditEvent, Link
from authgate.protocol.records import Person as Ours
from tests.clauses import clause
from tests.directories.workos_house import GINA, OCTO, VISITOR, House, opened_house
from tests.standins.supabase_state import User
from tests.standins.workos import Person

NOT_LINKED = Refused(Explain.SOCIAL_NOT_LINKED)
FACTOR = Refused(Explain.SOCIAL_FACTOR)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened_house(tmp_path, supabase={}) as opened:
        yield opened


@pytest.fixture
async def by_address(tmp_path: Path) -> AsyncIterator[House]:
    """Where the operator switched rule 3 on."""
    async with opened_house(tmp_path, supabase={}, by_address=True) as opened:
        yield opened


def as_at_home(user: User, *methods: str) -> SignedIn:
    return SignedIn(Ours(user.id, "supabase", user.email, methods))


async def link_of(house: House, email: str = OCTO.email) -> Link | None:
    return await house.store.link_of(house.user(email).id)


async def audited(house: House) -> list[AuditEvent]:
    """What the trail has on links, newest first."""
    return [event for event in await house.store.audit_events() if "link" in event.event]


# --- rule 2: the provider's own id ----------------------------------------------------------------


@pytest.mark.parametrize("provider", ["github", "authkit"])
async def test_the_providers_own_id_tells_who_it_is(house: House, provider: str) -> None:
    octo = house.at_home(OCTO.email, OCTO)
    assert await house.sign_in("Octo", provider) == as_at_home(octo, provider)
    made = await link_of(house)
    assert made is not None
    assert (made.sub, made.how) == (octo.id, "identity")
    (told,) = await audited(house)
    assert (told.event, told.actor, told.address) == ("person.linked", octo.id, VISITOR.address)
    assert told.detail == {"workos": house.user().id, "how": "identity"}
    assert await house.sessions_left() == 0


async def test_the_second_time_the_link_tells(house: House) -> None:
    octo = house.at_home(OCTO.email, OCTO)
    await house.sign_in()
    house.project.state.users[octo.id].identities.clear()
    octo.email = "another@example.com"
    assert await house.sign_in() == as_at_home(octo, "github")
    assert len(await audited(house)) == 1


@clause("ASVS 5.0", "10.5.2")
@pytest.mark.parametrize("by_address", [False, True])
async def test_the_same_address_and_another_account_is_nobody(
    tmp_path: Path, by_address: bool
) -> None:
    """Somebody at GitHub with Ana's address, which nobody verified: an address proves nothing."""
    mallory = Person("6666", "ana@example.com", email_verified=False, first_name="Mallory")
    async with opened_house(tmp_path, mallory, supabase={}, by_address=by_address) as house:
        house.at_home("ana@example.com", Person("1", "ana@example.com"))
        assert await house.sign_in("Mallory") == NOT_LINKED
        assert await link_of(house, "ana@example.com") is None
        assert await house.sessions_left() == 0


async def test_an_address_alone_is_nobody_s_unless_switched_on(house: House) -> None:
    house.at_home(OCTO.email)
    assert await house.sign_in() == NOT_LINKED
    assert await link_of(house) is None
    assert await audited(house) == []


async def test_nobody_at_home_is_told_the_same(house: House, logged: list[str]) -> None:
    """Whether there is a candidate must not be seen from outside."""
    assert await house.sign_in() == NOT_LINKED
    assert any("workos.not_linked" in line for line in logged)
    assert OCTO.email not in str(logged)


async def test_an_account_whose_address_the_provider_did_not_verify_is_no_proof(
    house: House,
) -> None:
    """Supabase joins such accounts to people where addresses are not confirmed."""
    octo = house.at_home(OCTO.email)
    house.project.state.add_identity(octo, "github", OCTO.id, OCTO.email, False)
    assert await house.sign_in() == NOT_LINKED


async def test_the_row_s_own_id_is_not_the_provider_s(house: House) -> None:
    octo = house.at_home(OCTO.email)
    row = house.project.state.add_identity(octo, "github", "another", OCTO.email, True)
    row["identity_id"] = row["user_id"] = OCTO.id
    row["identity_data"]["sub"] = OCTO.id
    assert await house.sign_in() == NOT_LINKED


async def test_an_id_is_one_provider_s_alone(house: House) -> None:
    """Number 1001 at Google is somebody else than number 1001 at GitHub."""
    octo = house.at_home(OCTO.email)
    house.project.state.add_identity(octo, "google", OCTO.id, OCTO.email, True)
    assert await house.sign_in() == NOT_LINKED


async def test_only_the_account_just_used_counts(tmp_path: Path) -> None:
    """The WorkOS user has a GitHub account that is at home, and came with Google."""
    google = Person("3003", OCTO.email, provider="GoogleOAuth", first_name="Googly")
    async with opened_house(tmp_path, OCTO, google, supabase={}) as house:
        house.at_home("elsewhere@example.com")
        await house.sign_in("Octo")  # makes the WorkOS user, with GitHub's account
        octo = house.at_home(OCTO.email, OCTO)
        assert await house.sign_in("Googly", "google") == NOT_LINKED
        assert await house.sign_in("Googly", "authkit") == NOT_LINKED
        assert await house.sign_in("Octo") == as_at_home(octo, "github")


async def test_of_two_accounts_at_one_provider_none_counts(house: House) -> None:
    """Which of them was used is told by nobody."""
    octo = house.at_home(OCTO.email, OCTO)
    await house.sign_in()
    await house.store.unlink(house.user().id, AuditEvent(1, "person.unlinked", "done", octo.id))
    house.standin.link(house.user(), Person("9009", OCTO.email))
    assert await house.sign_in() == NOT_LINKED


async def test_a_password_at_the_hosted_page_proves_no_account(house: House) -> None:
    octo = house.at_home(OCTO.email, OCTO)
    await house.sign_in()
    await house.store.unlink(house.user().id, AuditEvent(1, "person.unlinked", "done", octo.id))
    body = {"user": house.user().body(), "access_token": "x", "authentication_method": "Password"}
    house.standin.fail("/user_management/authenticate", body=body)
    begun = await house.start("authkit")
    assert await house.finish(begun, {"code": "c"}, "authkit") == NOT_LINKED


# --- rule 3: an address that is proven on both sides ----------------------------------------------


async def test_a_proven_address_where_it_is_switched_on(by_address: House) -> None:
    octo = by_address.at_home(OCTO.email)
    assert await by_address.sign_in() == as_at_home(octo, "github")
    made = await link_of(by_address)
    assert made is not None
    assert made.how == "email"


async def test_the_account_comes_before_the_address(by_address: House) -> None:
    octo = by_address.at_home(OCTO.email, OCTO)
    await by_address.sign_in()
    made = await link_of(by_address)
    assert made is not None
    assert (made.sub, made.how) == (octo.id, "identity")


async def test_letter_case_is_no_difference(tmp_path: Path) -> None:
    loud = replace(OCTO, email="OCTO@Example.com")
    async with opened_house(tmp_path, loud, supabase={}, by_address=True) as house:
        octo = house.at_home("octo@example.com")
        assert await house.sign_in() == as_at_home(octo, "github")


async def test_an_address_that_is_not_confirmed_at_home(by_address: House) -> None:
    """Whoever signed up there with it has not shown that it is theirs."""
    by_address.at_home(OCTO.email, confirmed=False)
    assert await by_address.sign_in() == NOT_LINKED


async def test_an_address_that_is_not_verified_at_workos(by_address: House) -> None:
    by_address.at_home(OCTO.email)
    by_address.standin.people[:] = [replace(OCTO, email_verified=False)]
    assert await by_address.sign_in() == NOT_LINKED


async def test_a_project_that_confirms_every_address_proves_none(by_address: House) -> None:
    by_address.project.state.options.autoconfirm = True
    octo = by_address.at_home(OCTO.email)
    assert await by_address.sign_in() == NOT_LINKED
    by_address.project.state.add_identity(octo, "github", OCTO.id, OCTO.email, True)
    assert await by_address.sign_in() == as_at_home(octo, "github")  # rule 2 needs no address


async def test_nor_where_the_operator_lets_supabase_join_accounts(tmp_path: Path) -> None:
    """`AUTHGATE_SUPABASE_SOCIAL_WITH_AUTOCONFIRM` is about Supabase's joining, not about ours."""
    careless = {"allow_autoconfirm_social": True}
    async with opened_house(tmp_path, supabase=careless, by_address=True) as house:
        house.project.state.options.autoconfirm = True
        house.at_home(OCTO.email)
        assert await house.sign_in() == NOT_LINKED


async def test_an_address_joins_nobody_to_whom_workos_knows_as_another_person(
    by_address: House,
) -> None:
    """A login at AuthKit gave that user a person's id; the address went to somebody else since."""
    user = by_address.standin.add_user(OCTO.email)
    by_address.standin.link(user, OCTO)
    octo = by_address.at_home(OCTO.email)
    user.external_id = "5f8d0f2e-0000-4000-8000-0123456789ab"
    assert await by_address.sign_in() == NOT_LINKED
    assert await link_of(by_address) is None
    user.external_id = octo.id
    assert await by_address.sign_in() == as_at_home(octo, "github")


async def test_people_of_another_organisation_are_not_found_by_address(by_address: House) -> None:
    by_address.at_home(OCTO.email, sso=True)
    assert await by_address.sign_in() == NOT_LINKED
    octo = by_address.at_home(OCTO.email)
    assert await by_address.sign_in() == as_at_home(octo, "github")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("o_to@example.com", "octo@example.com"),
        ("octo@example.com", "xocto@example.com"),
        ("octo@example.com", "octo@example.com.evil.example"),
        ("mik%@example.com", "mike@example.com"),
        ("mi\u212ae@example.com", "mike@example.com"),
        ("octo@example.com", "öcto@example.com"),
    ],
)
async def test_what_only_looks_like_the_address(tmp_path: Path, ours: str, theirs: str) -> None:
    """The filter is a pattern to their database, and letters have look-alikes."""
    octo = replace(OCTO, email=ours)
    async with opened_house(tmp_path, octo, supabase={}, by_address=True) as house:
        house.at_home(theirs)
        assert await house.sign_in() == NOT_LINKED


async def test_a_name_that_somebody_wrote_is_no_address(by_address: House) -> None:
    mallory = by_address.at_home("mallory@example.com")
    mallory.user_metadata = {"full_name": OCTO.email, "email": OCTO.email, "email_verified": True}
    assert await by_address.sign_in() == NOT_LINKED


async def test_a_crowd_of_hits_hides_nobody(by_address: House) -> None:
    for at in range(120):
        by_address.at_home(f"{at}-{OCTO.email}")
    octo = by_address.at_home(OCTO.email)
    assert await by_address.sign_in() == as_at_home(octo, "github")


# --- rule 1: the link that is there ---------------------------------------------------------------


async def linked(house: House, user: User) -> None:
    """A WorkOS user who is linked to this person, however that came."""
    house.standin.link(house.standin.add_user(OCTO.email), OCTO)
    link = Link(house.user().id, user.id, "completed", 1)
    await house.store.link(link, AuditEvent(1, "person.linked", "done", user.id))


async def test_a_link_comes_before_the_rules(by_address: House) -> None:
    ana = by_address.at_home("ana@example.com")
    by_address.at_home(OCTO.email, OCTO)
    await linked(by_address, ana)
    assert await by_address.sign_in() == as_at_home(ana, "github")
    assert by_address.project.calls("filter=") == 0


async def test_a_link_to_somebody_deleted_is_forgotten(house: House) -> None:
    ana = house.at_home("ana@example.com")
    await linked(house, ana)
    house.project.state.remove(ana)
    assert await house.sign_in() == NOT_LINKED
    assert await link_of(house) is None
    assert [event.event for event in await audited(house)] == ["person.unlinked", "person.linked"]
    octo = house.at_home(OCTO.email, OCTO)
    assert await house.sign_in() == as_at_home(octo, "github")


async def test_an_outage_at_home_forgets_no_link(house: House) -> None:
    ana = house.at_home("ana@example.com")
    await linked(house, ana)
    house.project.gate.secret = "sb_secret_another"
    assert isinstance(await house.sign_in(), Unavailable)
    assert await link_of(house) is not None


async def test_two_sign_ins_at_once_make_one_link(house: House) -> None:
    octo = house.at_home(OCTO.email, OCTO)
    outcomes = await asyncio.gather(*(house.sign_in() for _ in range(5)))
    assert outcomes == [as_at_home(octo, "github")] * 5
    assert len(await audited(house)) == 1


async def test_who_was_linked_to_another_meanwhile_has_to_come_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.at_home(OCTO.email, OCTO)
    ana = house.at_home("ana@example.com")
    real = house.store.link

    async def later(link: Link, audit: AuditEvent) -> Link:
        await real(replace(link, sub=ana.id), audit)
        return await real(link, audit)

    monkeypatch.setattr(house.store, "link", later)
    assert await house.sign_in() == Refused(Explain.SOCIAL_RETRY)


# --- found, and still not let in ------------------------------------------------------------------


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(
    ("is_now", "outcome"),
    [
        ({"banned_until": 4e9}, Refused()),
        ({"deleted": True}, Refused()),
        ({"anonymous": True}, Refused(Explain.ANONYMOUS)),
    ],
)
async def test_who_may_not_come_in_at_home_may_not_here(
    house: House, is_now: dict[str, Any], outcome: Refused, before: bool
) -> None:
    """With a link and without one."""
    octo = house.at_home(OCTO.email, OCTO)
    if before:
        assert isinstance(await house.sign_in(), SignedIn)
    for name, value in is_now.items():
        setattr(octo, name, value)
    assert await house.sign_in() == outcome
    assert (await link_of(house) is not None) is before


@clause("ASVS 5.0", "6.3.3")
@pytest.mark.parametrize("before", [False, True])
async def test_it_is_no_way_round_a_second_factor(house: House, before: bool) -> None:
    octo = house.at_home(OCTO.email, OCTO)
    if before:
        assert isinstance(await house.sign_in(), SignedIn)
    house.project.state.add_factor(octo)
    assert await house.sign_in() == FACTOR
    assert await house.sessions_left() == 0


async def test_an_enrolment_that_was_left_is_no_factor(house: House) -> None:
    octo = house.at_home(OCTO.email, OCTO)
    house.project.state.add_factor(octo, status="unverified")
    assert await house.sign_in() == as_at_home(octo, "github")


async def test_where_everybody_needs_a_second_factor(tmp_path: Path) -> None:
    """Not with WorkOS's own either: it is the home that asks."""
    octo = replace(OCTO, mfa_challenge=True)
    async with opened_house(tmp_path, OCTO, GINA, supabase={"require_aal2": True}) as house:
        house.at_home(OCTO.email, OCTO)
        assert await house.sign_in() == FACTOR
        house.standin.people[0] = octo
        assert isinstance(await house.sign_in(), NeedsFactor)


async def test_an_address_proven_on_the_way_is_a_proven_one(tmp_path: Path) -> None:
    octo = replace(OCTO, email_verified=False, email_verification_required=True)
    async with opened_house(tmp_path, octo, supabase={}, by_address=True) as house:
        at_home = house.at_home(OCTO.email)
        due = await house.sign_in()
        assert isinstance(due, NeedsFactor)
        code = house.standin.state.mails[OCTO.email]
        done = await house.directory.answer_factor(due.sealed, code, VISITOR)
        assert done == as_at_home(at_home, "github")


# --- trouble, and afterwards ----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/user_management/users/*/identities"])
async def test_trouble_at_workos_is_nobodys_refusal(house: House, path: str) -> None:
    house.at_home(OCTO.email, OCTO)
    house.standin.fail(path, status=500, times=2)
    assert isinstance(await house.sign_in(), Unavailable)
    assert isinstance(await house.sign_in(), SignedIn)


@pytest.mark.parametrize("path", ["filter=", "/admin/users/", "/settings"])
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 404, "body": b"<html>"},
        {"status": 403, "body": b"{}"},
        {"status": 200, "body": b'{"users": 5, "id": 5}'},
        {"status": 200, "body": b"[]"},
        {"cut": True},
        {"huge": True},
    ],
)
async def test_trouble_at_home_is_nobody_s_refusal(
    house: House, fault: dict[str, Any], path: str
) -> None:
    """Nor does it make or undo a link."""
    octo = house.at_home(OCTO.email, OCTO)
    house.project.fault(path, **fault)
    assert isinstance(await house.sign_in(), Unavailable)
    assert await link_of(house) is None
    house.project.clear()
    house.home_clocks.forward(6)
    assert await house.sign_in() == as_at_home(octo, "github")


async def test_a_key_that_may_not_look_is_the_operators(house: House, logged: list[str]) -> None:
    house.at_home(OCTO.email, OCTO)
    house.project.gate.secret = "sb_secret_another"
    assert await house.sign_in() == Unavailable(60)
    assert any("supabase.key_refused" in line for line in logged)


async def test_rechecks_are_the_homes(house: House) -> None:
    """And the home's memory of a minute begins with this sign-in."""
    octo = house.at_home(OCTO.email, OCTO)
    outcome = await house.sign_in()
    assert isinstance(outcome, SignedIn)
    assert house.home is not None
    asked = house.project.calls("/admin/users/")
    assert await house.home.recheck(octo.id) == StillGood(replace(outcome.person, methods=()))
    assert house.project.calls("/admin/users/") == asked


async def test_nobody_is_workos_s_own_any_more(house: House) -> None:
    """Who was, before the people were in Supabase, has to sign in and be found there."""
    user = house.standin.add_user("ana@example.com")
    assert await house.directory.recheck(user.id) == Gone()

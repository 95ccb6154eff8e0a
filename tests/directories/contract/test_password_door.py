"""What every directory with passwords promises about them."""

from __future__ import annotations

import asyncio

from authgate.directories.contract import Refused, SignedIn, SignIn, Visitor
from tests.clauses import clause
from tests.directories.contract.cases import DirectoryCase

EMAIL, PASSWORD = "ana@example.com", "a long enough password"
VISITOR = Visitor("192.0.2.1")


async def sign_in(case: DirectoryCase, email: str, password: str) -> SignIn:
    return await case.directory.sign_in_with_password(email, password, VISITOR)


async def test_it_offers_passwords(case: DirectoryCase) -> None:
    """A directory without them joins this suite with cases of its own, and not by leaving out."""
    assert case.directory.ways.password


async def test_the_right_password_is_that_person(case: DirectoryCase) -> None:
    sub = await case.add(EMAIL, PASSWORD)
    outcome = await sign_in(case, EMAIL, PASSWORD)
    assert isinstance(outcome, SignedIn)
    person = outcome.person
    assert (person.sub, person.directory) == (sub, case.directory.name)
    assert person.display == EMAIL
    assert person.methods
    assert "@" not in person.sub


async def test_the_address_may_be_written_in_any_case(case: DirectoryCase) -> None:
    sub = await case.add("Ana@Example.com", PASSWORD)
    for email in ("ana@example.com", "ANA@EXAMPLE.COM", " Ana@Example.com "):
        outcome = await sign_in(case, email, PASSWORD)
        assert isinstance(outcome, SignedIn)
        assert outcome.person.sub == sub


@clause("ASVS 5.0", "6.3.8")
async def test_wrong_unknown_disabled_and_removed_are_one_answer_for_one_effort(
    case: DirectoryCase,
) -> None:
    """Counted, not timed: every answer costs exactly one judgement, the right one too."""
    for email in (EMAIL, "off@example.com", "gone@example.com"):
        await case.add(email, PASSWORD)
    await case.disable("off@example.com")
    await case.remove("gone@example.com")
    efforts = []
    for email, password in (
        (EMAIL, "a wrong password"),
        (EMAIL, PASSWORD + "x"),
        ("nobody@example.com", PASSWORD),
        ("off@example.com", PASSWORD),
        ("off@example.com", "a wrong password"),
        ("gone@example.com", PASSWORD),
    ):
        before = case.judged
        assert await sign_in(case, email, password) == Refused()
        efforts.append(case.judged - before)
    assert efforts == [1] * 6
    before = case.judged
    assert isinstance(await sign_in(case, EMAIL, PASSWORD), SignedIn)
    assert case.judged - before == 1


async def test_odd_input_is_refused_and_never_raises(case: DirectoryCase) -> None:
    await case.add(EMAIL, PASSWORD)
    for odd in (
        "",
        " ",
        "\0",
        "\ud800",
        "é" * 400,
        "a@" + "b" * 10_000,
        "\r\n",
        "' OR 1=1 --",
        "%",
    ):
        assert await sign_in(case, odd, PASSWORD) == Refused()
        assert await sign_in(case, EMAIL, odd) == Refused()
        assert await sign_in(case, EMAIL + odd.strip(), PASSWORD + odd) == (
            Refused() if odd else await sign_in(case, EMAIL, PASSWORD)
        )
    assert await sign_in(case, EMAIL, PASSWORD + "x" * 10_000) == Refused()


async def test_twenty_sign_ins_at_once_never_mix_people(case: DirectoryCase) -> None:
    people = {f"p{n}@example.com": f"the password of number {n:04}" for n in range(20)}
    subs = {email: await case.add(email, password) for email, password in people.items()}
    assert len(set(subs.values())) == 20
    outcomes = await asyncio.gather(*(sign_in(case, *pair) for pair in people.items()))
    for email, outcome in zip(people, outcomes, strict=True):
        assert isinstance(outcome, SignedIn)
        assert (outcome.person.sub, outcome.person.display) == (subs[email], email)
    crossed = zip(people, reversed(people.values()), strict=True)
    outcomes = await asyncio.gather(*(sign_in(case, *pair) for pair in crossed))
    assert outcomes == [Refused()] * 20

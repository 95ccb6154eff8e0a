"""The second factor: nobody is signed in before it, guesses are few, what waits is sealed."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from authgate.directories.contract import (
    Explain,
    NeedsFactor,
    Refused,
    SignIn,
    Unavailable,
)
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.journey import Step
from authgate.protocol.records import AuthorizationRequest, Person
from authgate.security.digests import new_secret
from authgate.security.limits import LimitPolicy, Throttles
from authgate.security.vault import Vault
from authgate.steps.authorize import Opened
from authgate.steps.consent import deny, load
from authgate.steps.factor import MAX_TRIES, MAX_WAIT, FactorDue, answer_factor, give_up
from authgate.steps.sign_in import with_password
from tests.clauses import clause
from tests.protocol.making import refused
from tests.second_factor import CODE, STATE, SecondFactor
from tests.steps.making import ADDRESS, BROWSER, EMAIL, PASSWORD, World, opened_world

OLD, NEW = "an old secret of tests: 5xQ2vLp8RzT1kWm", "a new secret of tests: 9bH4nCj7YsD3gFa"


@pytest.fixture
async def directory(world: World) -> SecondFactor:
    """The world's directory, where everybody owes a code."""
    owing: Any = SecondFactor(world.parts.passwords)
    world.parts = replace(world.parts, passwords=owing)
    return owing


@pytest.fixture
async def opened(world: World) -> Opened:
    return await world.open(await world.register(), new_secret())


@pytest.fixture
async def due(world: World, directory: SecondFactor, opened: Opened) -> FactorDue:
    """A right password was given for the opened request."""
    return await owed(world, opened)


async def owed(world: World, opened: Opened) -> FactorDue:
    outcome = await with_password(world.parts, opened.request, EMAIL, PASSWORD, ADDRESS)
    assert isinstance(outcome, FactorDue)
    return outcome


async def now_(world: World, opened: Opened) -> AuthorizationRequest:
    found = await world.store.request(opened.request.request_digest)
    assert found is not None
    return found


async def answer(
    world: World, opened: Opened, code: str = CODE, address: str = ADDRESS
) -> Person | Reason:
    try:
        return await answer_factor(world.parts, await now_(world, opened), code, address)
    except Refusal as refusal:
        return refusal.reason


async def outcomes(world: World) -> list[str]:
    return [e.outcome for e in await world.store.audit_events() if e.event == "person.sign_in"]


@clause("ASVS", "6.3.3")
async def test_a_right_password_alone_is_no_person_and_no_session(
    world: World, due: FactorDue, opened: Opened
) -> None:
    assert due == FactorDue("totp", "", MAX_WAIT)
    interaction = await load(world.parts, opened.handle, BROWSER, None)
    assert interaction.step is Step.FACTOR
    assert await outcomes(world) == ["factor_due"]


@clause("ASVS", "6.3.3")
async def test_the_right_code_makes_the_person(
    world: World, due: FactorDue, opened: Opened
) -> None:
    person = await answer(world, opened)
    assert isinstance(person, Person)
    assert (person.sub, person.assurance) == (world.person.sub, 2)
    assert person.methods == ("pwd", "otp", "mfa")
    assert (await now_(world, opened)).factor is None
    assert await answer(world, opened) is Reason.FACTOR_ENDED


@clause("ASVS", "6.6.3")
async def test_a_wrong_code_may_be_corrected_four_times(
    world: World, due: FactorDue, opened: Opened, directory: SecondFactor
) -> None:
    for _ in range(MAX_TRIES - 1):
        assert await answer(world, opened, "000000") is Reason.FACTOR_WRONG
    assert isinstance(await answer(world, opened), Person)
    assert await outcomes(world) == [*["refused"] * 4, "factor_due"]


@clause("ASVS", "6.6.3")
async def test_the_fifth_wrong_code_brings_the_password_back(
    world: World, due: FactorDue, opened: Opened, directory: SecondFactor
) -> None:
    for _ in range(MAX_TRIES - 1):
        await answer(world, opened, "000000")
    assert await answer(world, opened, "000000") is Reason.FACTOR_SPENT
    assert await answer(world, opened) is Reason.FACTOR_ENDED
    assert directory.asked == MAX_TRIES
    assert (await load(world.parts, opened.handle, BROWSER, None)).step is Step.SIGN_IN


@clause("ASVS", "6.6.3")
async def test_guesses_count_for_the_account_whatever_request_they_are_made_at(
    world: World, directory: SecondFactor
) -> None:
    """Who knows the password can have as many requests as they like, and no more guesses."""
    client = await world.register()
    for _ in range(2):
        opened = await world.open(client, new_secret())
        await owed(world, opened)
        for _ in range(MAX_TRIES):
            await answer(world, opened, "000000")
    fresh = await world.open(client, new_secret())
    with refused(Reason.SIGN_IN_THROTTLED) as caught:
        await with_password(world.parts, fresh.request, EMAIL, PASSWORD, "198.51.100.1")
    assert 1 <= (caught.value.retry_after or 0) <= 60
    assert directory.asked == 10


@clause("ASVS", "6.6.3")
async def test_passwords_and_codes_share_one_count_that_only_the_code_clears(
    world: World, directory: SecondFactor, opened: Opened
) -> None:
    for _ in range(8):
        with refused(Reason.SIGN_IN_WRONG):
            await with_password(world.parts, opened.request, EMAIL, "wrong", ADDRESS)
    await owed(world, opened)  # clears nothing
    assert await answer(world, opened, "000000") is Reason.FACTOR_WRONG
    assert await answer(world, opened, "000000") is Reason.FACTOR_WRONG
    assert await answer(world, opened) is Reason.SIGN_IN_THROTTLED
    assert (await now_(world, opened)).factor is not None  # a throttle costs no try
    world.clock.now += 61
    assert isinstance(await answer(world, opened), Person)
    for _ in range(9):
        with refused(Reason.SIGN_IN_WRONG):
            await with_password(world.parts, opened.request, EMAIL, "wrong", ADDRESS)
    await owed(world, opened)


@clause("ASVS", "6.6.3")
async def test_one_address_is_braked_over_all_accounts(
    world: World, due: FactorDue, opened: Opened
) -> None:
    limits = LimitPolicy(sign_in_address="1/minute")
    world.parts = replace(world.parts, throttles=Throttles(limits))
    assert await answer(world, opened, "000000") is Reason.FACTOR_WRONG
    assert await answer(world, opened) is Reason.SIGN_IN_THROTTLED
    assert isinstance(await answer(world, opened, address="198.51.100.1"), Person)


@clause("ASVS", "6.6.3")
async def test_a_parallel_burst_of_guesses_ends_the_factor(
    world: World, due: FactorDue, opened: Opened, directory: SecondFactor
) -> None:
    codes = ["000000"] * 59 + [CODE]
    results = await asyncio.gather(*(answer(world, opened, code) for code in codes))
    assert not [result for result in results if isinstance(result, Person)]
    assert results.count(Reason.FACTOR_WRONG) == MAX_TRIES - 1
    assert directory.asked <= 10
    assert (await now_(world, opened)).factor is None


@clause("ASVS", "6.6.2")
async def test_of_many_right_codes_at_once_one_signs_in(
    world: World, due: FactorDue, opened: Opened
) -> None:
    results = await asyncio.gather(*(answer(world, opened) for _ in range(20)))
    assert len([result for result in results if isinstance(result, Person)]) == 1
    assert results.count(Reason.FACTOR_ENDED) == 19


@clause("ASVS", "6.6.2")
async def test_it_waits_five_minutes_and_never_longer_than_its_request(
    world: World, directory: SecondFactor, opened: Opened
) -> None:
    directory.lasts = 10_000
    assert (await owed(world, opened)).expires_in == MAX_WAIT
    world.clock.now += MAX_WAIT - 1
    assert (await load(world.parts, opened.handle, BROWSER, None)).step is Step.FACTOR
    world.clock.now += 1
    assert (await load(world.parts, opened.handle, BROWSER, None)).step is Step.SIGN_IN
    assert await answer(world, opened) is Reason.FACTOR_ENDED
    assert (await now_(world, opened)).factor is None
    assert directory.asked == 0
    world.clock.now = opened.request.expires_at - 9
    assert (await owed(world, opened)).expires_in == 9
    directory.lasts = 5
    assert (await owed(world, opened)).expires_in == 5


async def test_an_outage_leaves_the_factor_and_the_count_as_they_were(
    world: World, due: FactorDue, opened: Opened, directory: SecondFactor
) -> None:
    before = await now_(world, opened)
    directory.down = True
    for _ in range(15):
        with refused(Reason.SIGN_IN_UNAVAILABLE) as caught:
            await answer_factor(world.parts, before, CODE, ADDRESS)
        assert (caught.value.retry_after, caught.value.face.status) == (7, 503)
    assert await now_(world, opened) == before
    directory.down, directory.says = False, Unavailable()
    assert await answer(world, opened) is Reason.SIGN_IN_UNAVAILABLE
    directory.says = None
    assert isinstance(await answer(world, opened), Person)


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (Refused(), Reason.FACTOR_ENDED),
        (Refused(Explain.SIGN_IN_EXPIRED), Reason.FACTOR_ENDED),
        (Refused("something new"), Reason.FACTOR_ENDED),
        (Refused(Explain.FACTOR_UNSUPPORTED), Reason.FACTOR_UNSUPPORTED),
        (Refused(Explain.FACTOR_MISSING), Reason.FACTOR_MISSING),
    ],
)
async def test_any_other_refusal_ends_it(
    world: World,
    due: FactorDue,
    opened: Opened,
    directory: SecondFactor,
    says: SignIn,
    reason: Reason,
) -> None:
    directory.says = says
    assert await answer(world, opened) is reason
    assert (await now_(world, opened)).factor is None
    assert (await outcomes(world))[0] == "refused"


async def test_a_code_that_was_sent_again_is_the_one_that_counts_now(
    world: World, due: FactorDue, opened: Opened, directory: SecondFactor
) -> None:
    directory.kind, directory.hint = "phone", "42"
    for number in range(1, MAX_TRIES):
        directory.says = directory.needs(world.person, Explain.CODE_SENT_AGAIN)
        assert await answer(world, opened) is Reason.FACTOR_SENT_AGAIN
        factor = (await now_(world, opened)).factor
        assert factor is not None
        assert (factor.kind, factor.hint, factor.failures) == ("phone", "42", number)
    assert await answer(world, opened) is Reason.FACTOR_SPENT  # messages have a limit too
    assert (await now_(world, opened)).factor is None


async def test_a_newer_password_replaces_what_was_due(
    world: World, due: FactorDue, opened: Opened
) -> None:
    stale = await now_(world, opened)
    await owed(world, opened)
    with refused(Reason.FACTOR_ENDED):
        await answer_factor(world.parts, stale, CODE, ADDRESS)
    assert isinstance(await answer(world, opened), Person)


async def test_giving_up_brings_the_password_back(
    world: World, due: FactorDue, opened: Opened
) -> None:
    await give_up(world.parts, await now_(world, opened))
    assert (await load(world.parts, opened.handle, BROWSER, None)).step is Step.SIGN_IN
    await give_up(world.parts, await now_(world, opened))
    assert await answer(world, opened) is Reason.FACTOR_ENDED


@pytest.mark.parametrize("kind", ["browser", "tool"])
@pytest.mark.parametrize("over", ["answered", "expired", "swept"])
async def test_nothing_waits_for_a_request_that_is_over(
    world: World, directory: SecondFactor, kind: str, over: str
) -> None:
    opened = await world.open(await world.register(), new_secret(), kind)
    if over == "answered":
        await deny(world.parts, opened.request, world.person, ADDRESS)
    else:
        world.clock.now = opened.request.expires_at + (7200 if over == "swept" else 0)
        await world.store.sweep(world.clock.now, access_ttl=60)
    with pytest.raises(Refusal) as caught:
        await with_password(world.parts, opened.request, EMAIL, PASSWORD, ADDRESS)
    word = "answered" if over == "answered" else ("unknown" if kind == "tool" else "expired")
    prefix = "challenge" if kind == "tool" else "interaction"
    assert caught.value.reason.value == f"{prefix}_{word}"


@clause("ASVS", "11.4")
async def test_neither_the_address_nor_the_state_can_be_read_in_the_database(
    tmp_path: Path,
) -> None:
    async with opened_world(tmp_path / "a.db") as world:
        owing: Any = SecondFactor(world.parts.passwords)
        world.parts = replace(world.parts, passwords=owing)
        opened = await world.open(await world.register(), new_secret())
        await owed(world, opened)
        assert "sealed" not in repr(await now_(world, opened))
        with sqlite3.connect(tmp_path / "a.db") as database:
            rows = str(database.execute("SELECT * FROM authorization_requests").fetchall())
            trail = str(database.execute("SELECT * FROM audit_events").fetchall())
        database.close()
    for secret in (EMAIL, STATE, PASSWORD):
        assert secret.casefold() not in rows.casefold()
        assert secret.casefold() not in trail.replace("ag_", "").casefold()


async def test_the_vaults_older_secret_still_opens_it_and_a_lost_one_ends_it(
    tmp_path: Path,
) -> None:
    async with opened_world(tmp_path / "a.db", OLD) as world:
        owing: Any = SecondFactor(world.parts.passwords)
        world.parts = replace(world.parts, passwords=owing)
        opened = await world.open(await world.register(), new_secret())
        await owed(world, opened)
        world.parts = replace(world.parts, vault=Vault([NEW, OLD]))
        assert await answer(world, opened, "000000") is Reason.FACTOR_WRONG
        world.parts = replace(world.parts, vault=Vault([NEW]))
        assert await answer(world, opened) is Reason.FACTOR_ENDED
        assert (await now_(world, opened)).factor is None


# --- how strong a sign-in has to be ---------------------------------------------------------------


@clause("ASVS", "6.3.3")
async def test_where_two_factors_are_demanded_one_is_not_enough(
    world: World, opened: Opened
) -> None:
    world.with_policy(required_assurance=2)
    with refused(Reason.FACTOR_MISSING):
        await with_password(world.parts, opened.request, EMAIL, PASSWORD, ADDRESS)
    owing: Any = SecondFactor(world.parts.passwords)
    world.parts = replace(world.parts, passwords=owing)
    await owed(world, opened)
    owing.says = replace(await _right(owing, world), person=world.person)  # one factor after all
    assert await answer(world, opened) is Reason.FACTOR_MISSING
    owing.says = None
    await owed(world, opened)
    assert isinstance(await answer(world, opened), Person)


async def _right(owing: SecondFactor, world: World) -> Any:
    needs = owing.needs(world.person)
    assert isinstance(needs, NeedsFactor)
    return await owing.answer_factor(needs.sealed, CODE, None)


@pytest.mark.parametrize(
    ("explain", "reason"),
    [
        (Explain.FACTOR_MISSING, Reason.FACTOR_MISSING),
        (Explain.FACTOR_UNSUPPORTED, Reason.FACTOR_UNSUPPORTED),
        (Explain.EMAIL_NOT_CONFIRMED, Reason.EMAIL_UNCONFIRMED),
        (Explain.ANONYMOUS, Reason.SIGN_IN_WRONG),
        (None, Reason.SIGN_IN_WRONG),
        ("something new", Reason.SIGN_IN_WRONG),
    ],
)
async def test_a_password_that_was_right_in_vain_says_why(
    world: World, opened: Opened, explain: str | None, reason: Reason
) -> None:
    class Says:
        name = "embedded"

        async def sign_in_with_password(self, *_: object) -> SignIn:
            return Refused(explain)

    stand_in: Any = Says()
    world.parts = replace(world.parts, passwords=stand_in)
    with refused(reason):
        await with_password(world.parts, opened.request, EMAIL, PASSWORD, ADDRESS)


async def test_whoever_knows_the_password_gets_few_guesses_an_hour(
    world: World, directory: SecondFactor
) -> None:
    """Right passwords renew the five tries of a request, so something else must run out."""
    limits = LimitPolicy(sign_in_account="1000/minute", sign_in_address="1000/minute")
    moment = [0.0]
    world.parts = replace(world.parts, throttles=Throttles(limits, lambda: moment[0]))
    client = await world.register()
    for _ in range(20):
        opened = await world.open(client, new_secret())
        await owed(world, opened)
        assert await answer(world, opened, "000000") is Reason.FACTOR_WRONG
    opened = await world.open(client, new_secret())
    await owed(world, opened)
    assert await answer(world, opened) is Reason.SIGN_IN_THROTTLED
    moment[0] += 3600
    assert isinstance(await answer(world, opened), Person)

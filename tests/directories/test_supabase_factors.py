"""The second factor at Supabase: nobody gets past it, and a wrong code leaves another try."""

from __future__ import annotations

import time

import pytest

from authgate.directories.contract import (
    Explain,
    NeedsFactor,
    Refused,
    SignedIn,
    SignIn,
    Unavailable,
    Visitor,
)
from authgate.directories.supabase.errors import RETRY_LIMIT, RETRY_OUTAGE
from tests.clauses import clause
from tests.directories.supabase_house import EMAIL, PASSWORD, VISITOR, House, opened_house
from tests.standins.supabase_state import Factor, User

ELSEWHERE = Visitor("198.51.100.7")


def ana(house: House) -> User:
    user = house.state.user_by_email(EMAIL)
    assert user is not None
    return user


async def first(house: House) -> NeedsFactor:
    outcome = await house.sign_in()
    assert isinstance(outcome, NeedsFactor)
    return outcome


async def answer(house: House, needs: NeedsFactor, code: str, by: Visitor = VISITOR) -> SignIn:
    return await house.directory.answer_factor(needs.sealed, code, by)


@pytest.fixture
def totp(house: House) -> Factor:
    return house.state.add_factor(ana(house))


@clause("ASVS 5.0", "6.3.3")
async def test_a_right_code_is_the_person_at_aal2(house: House, totp: Factor) -> None:
    needs = await first(house)
    assert (needs.kind, needs.hint, needs.explain) == ("totp", "", None)
    assert 295 <= needs.expires_in <= 300
    shown = totp.code()
    outcome = await answer(house, needs, f" {shown[:3]} {shown[3:]}\n")
    assert isinstance(outcome, SignedIn)
    person = outcome.person
    assert (person.sub, person.display) == (ana(house).id, EMAIL)
    assert (person.methods, person.assurance) == (("pwd", "otp", "mfa"), 2)
    await house.directory.farewells.close()
    assert not house.state.sessions


async def test_what_waits_is_encrypted_and_not_shown(house: House, totp: Factor) -> None:
    needs = await first(house)
    (session,) = house.state.sessions.values()
    for secret in (*session.refresh, "eyJ", EMAIL, totp.id):
        assert secret not in needs.sealed
    assert needs.sealed not in repr(needs)
    opened = house.vault.open(needs.sealed, "supabase factor")
    assert session.refresh[0] not in opened  # thrown away: the verification makes another
    other = house.vault.seal(opened, "supabase social")
    assert await house.directory.answer_factor(other, totp.code(), VISITOR) == Refused()


async def test_a_wrong_code_leaves_another_try(house: House, totp: Factor) -> None:
    needs = await first(house)
    asked = house.standin.calls("/verify")
    for wrong in ("", "12345", "abcdef", "1" * 11, "١٢٣٤٥٦"):
        assert await answer(house, needs, wrong) == Refused(Explain.CODE_WRONG)
    assert house.standin.calls("/verify") == asked  # what no code looks like is not sent
    wrong = f"{(int(totp.code()) + 1) % 1_000_000:06}"
    if wrong not in (totp.code(step=-1), totp.code(step=1)):
        assert await answer(house, needs, wrong) == Refused(Explain.CODE_WRONG)
    assert isinstance(await answer(house, needs, totp.code()), SignedIn)


async def test_after_five_minutes_the_sign_in_is_over(house: House, totp: Factor) -> None:
    needs = await first(house)
    house.clocks.forward(299)
    assert await answer(house, needs, "000000") == Refused(Explain.CODE_WRONG)
    house.clocks.forward(2)
    assert await answer(house, needs, totp.code()) == Refused(Explain.SIGN_IN_EXPIRED)


async def test_challenge_and_answer_go_out_with_one_address(house: House, totp: Factor) -> None:
    directory = house.another(forward_address=True)
    needs = await directory.sign_in_with_password(EMAIL, PASSWORD, VISITOR)
    assert isinstance(needs, NeedsFactor)
    outcome = await directory.answer_factor(needs.sealed, totp.code(), ELSEWHERE)  # a new network
    assert isinstance(outcome, SignedIn)
    await directory.close()
    sent = [
        seen.headers["sb-forwarded-for"]
        for seen in house.standin.gate.seen
        if "/factors/" in seen.path
    ]
    assert sent == [ELSEWHERE.address] * 2


@pytest.mark.parametrize("code", ["mfa_ip_address_mismatch", "mfa_challenge_expired"])
async def test_another_challenge_is_made_where_supabase_wants_one(
    house: House, totp: Factor, code: str
) -> None:
    needs = await first(house)
    body = f'{{"code":"{code}"}}'.encode()
    house.standin.fault("/verify", status=422, body=body, times=1)
    assert isinstance(await answer(house, needs, totp.code()), SignedIn)
    assert house.standin.calls("/challenge") == 2
    needs = await first(house)
    house.standin.fault("/verify", status=422, body=body)
    assert await answer(house, needs, totp.code()) == Unavailable(RETRY_OUTAGE)


async def test_any_of_two_authenticators_will_do(house: House, totp: Factor) -> None:
    other = house.state.add_factor(ana(house))
    house.state.add_factor(ana(house), "phone", phone="15551234567")
    needs = await first(house)
    assert needs.kind == "totp"
    assert isinstance(await answer(house, needs, other.code()), SignedIn)
    assert not house.state.messages


async def test_a_phone_gets_a_code_and_its_last_digits_are_shown(house: House) -> None:
    house.state.add_factor(ana(house), "phone", phone="15551234567")
    needs = await first(house)
    assert (needs.kind, needs.hint) == ("phone", "67")
    ((number, code),) = house.state.messages
    assert number == "15551234567"
    wrong = "000000" if code != "000000" else "111111"
    assert await answer(house, needs, wrong) == Refused(Explain.CODE_WRONG)
    outcome = await answer(house, needs, code)
    assert isinstance(outcome, SignedIn)
    assert outcome.person.methods == ("pwd", "sms", "mfa")
    assert len(house.state.messages) == 1


async def test_a_phone_that_changed_its_network_gets_another_code(house: House) -> None:
    house.state.add_factor(ana(house), "phone", phone="15551234567")
    directory = house.another(forward_address=True)
    needs = await directory.sign_in_with_password(EMAIL, PASSWORD, VISITOR)
    assert isinstance(needs, NeedsFactor)
    first_code = house.state.messages[0][1]
    again = await directory.answer_factor(needs.sealed, first_code, ELSEWHERE)
    assert isinstance(again, NeedsFactor)
    assert again.explain == Explain.CODE_SENT_AGAIN
    assert again.expires_in <= needs.expires_in
    code = house.state.messages[1][1]
    assert isinstance(await directory.answer_factor(again.sealed, code, ELSEWHERE), SignedIn)
    await directory.close()


async def test_a_lost_message_is_not_sent_twice(house: House) -> None:
    house.state.add_factor(ana(house), "phone", phone="15551234567")
    house.standin.fault("/challenge", status=503, after=True)
    assert await house.sign_in() == Unavailable(RETRY_OUTAGE)
    assert len(house.state.messages) == 1


async def test_a_kind_that_we_do_not_know_ends_clearly(house: House, logged: list[str]) -> None:
    house.state.add_factor(ana(house), "webauthn")
    assert await house.sign_in() == Refused(Explain.FACTOR_UNSUPPORTED)
    assert await house.sign_in(password="wrong") == Refused()
    await house.directory.farewells.close()
    assert not house.state.sessions


async def test_somebody_without_a_factor_where_one_is_demanded() -> None:
    async with opened_house(require_aal2=True) as house:
        user = house.state.add_user(EMAIL, PASSWORD)
        assert await house.sign_in() == Refused(Explain.FACTOR_MISSING)
        assert await house.sign_in(password="wrong") == Refused()
        factor = house.state.add_factor(user)
        outcome = await answer(house, await first(house), factor.code())
        assert isinstance(outcome, SignedIn)
        assert outcome.person.assurance == 2
        await house.directory.farewells.close()
        assert not house.state.sessions


async def test_what_happened_meanwhile_counts(house: House, totp: Factor) -> None:
    needs = await first(house)
    ana(house).banned_until = time.time() + 60
    assert await answer(house, needs, totp.code()) == Refused()
    ana(house).banned_until = None
    house.state.sessions.clear()
    assert await answer(house, needs, totp.code()) == Refused(Explain.SIGN_IN_EXPIRED)
    needs = await first(house)
    ana(house).factors.clear()
    assert await answer(house, needs, totp.code()) == Refused(Explain.SIGN_IN_EXPIRED)
    house.state.remove(ana(house))
    assert await answer(house, needs, totp.code()) == Refused(Explain.SIGN_IN_EXPIRED)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b'{"code":"insufficient_aal"}', Refused(Explain.SIGN_IN_EXPIRED)),
        (403, b'{"code":"bad_jwt"}', Refused(Explain.SIGN_IN_EXPIRED)),
        (401, b'{"message":"Invalid API key"}', Unavailable(60)),
        (
            422,
            b'{"code":"mfa_totp_verify_not_enabled"}',
            Refused(Explain.FACTOR_UNSUPPORTED),
        ),
        (429, b'{"code":"over_request_rate_limit"}', Unavailable(RETRY_LIMIT)),
        (500, b'{"code":"unexpected_failure"}', Unavailable(RETRY_OUTAGE)),
        (200, b'{"access_token":"x"}', Unavailable(60)),
    ],
)
@pytest.mark.parametrize("where", ["/challenge", "/verify"])
async def test_every_other_error_has_its_reaction(
    house: House, totp: Factor, where: str, status: int, body: bytes, expected: SignIn
) -> None:
    needs = await first(house)
    house.standin.fault(where, status=status, body=body)
    assert await answer(house, needs, totp.code()) == expected


@pytest.mark.parametrize("kind", ["totp", "phone"])
async def test_a_refusal_for_good_leaves_no_session_behind(
    house: House, kind: str, logged: list[str]
) -> None:
    factor = house.state.add_factor(ana(house), kind, phone="15551234567")
    body = b'{"code":"mfa_phone_verify_not_enabled"}'
    house.standin.fault("/challenge", status=422, body=body)
    outcome = await house.sign_in()
    if isinstance(outcome, NeedsFactor):
        wrong = await answer(house, outcome, "12345")
        assert wrong == Refused(Explain.CODE_WRONG)
        assert len(house.state.sessions) == 1  # another may be right
        outcome = await answer(house, outcome, factor.code())
    assert outcome == Refused(Explain.FACTOR_UNSUPPORTED)
    await house.directory.farewells.close()
    assert house.state.sessions == {}


async def test_a_session_of_somebody_else_is_not_taken(house: House, totp: Factor) -> None:
    other = house.state.add_user("other@example.com", PASSWORD)
    body = house.standin.session_body(house.state.open_session(other, "password"))
    needs = await first(house)
    import json

    house.standin.fault("/verify", status=200, body=json.dumps(body).encode())
    assert isinstance(await answer(house, needs, totp.code()), Unavailable)

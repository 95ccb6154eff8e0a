"""What an operator is told at start-up."""

from __future__ import annotations

import pytest

from tests.directories.supabase_house import CALLBACK, House, opened_house, quick


async def problems(house: House, **policy: object) -> str:
    directory = house.another(**policy)
    report = await directory.report(CALLBACK)
    await directory.close()
    return "\n".join(report.problems)


async def test_a_project_in_order_has_no_problems(house: House) -> None:
    report = await house.directory.report(CALLBACK)
    assert report.problems == ()
    assert any(f"{CALLBACK}**" in note for note in report.notes)
    assert house.directory.ways.providers == ("github", "google")


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"publishable_key": "sb_publishable_wrong"}, "refuses SUPABASE_PUBLISHABLE_KEY"),
        ({"secret_key": "sb_secret_wrong"}, "refuses SUPABASE_SECRET_KEY"),
        ({"secret_key": "sb_publishable_x"}, "SUPABASE_SECRET_KEY holds no secret key"),
        ({"auth_url": "http://127.0.0.1:1"}, "does not answer"),
        ({"forward_address": True, "secret_key": None}, "are not passed on"),
    ],
)
async def test_each_problem_is_a_sentence(
    house: House, policy: dict[str, object], said: str
) -> None:
    assert said in await problems(house, **policy)


async def test_a_secret_key_in_the_wrong_place_is_seen_in_both_forms(house: House) -> None:
    gate = house.standin.gate
    for key in (gate.secret, gate.service_role):
        assert "holds a secret key" in await problems(house, publishable_key=key)
    assert "holds a secret key" not in await problems(house, publishable_key=gate.anon)


async def test_a_wrong_root_is_told_from_an_outage(house: House) -> None:
    said = await problems(house, auth_url=house.standin.url + "/nowhere")
    assert "AUTHGATE_SUPABASE_AUTH_URL" in said or "refuses" in said


async def test_plain_http_beyond_the_machine_is_a_problem(house: House) -> None:
    assert "not https" in await problems(house, auth_url="http://supabase.invalid")


async def test_what_the_project_has_switched_on_is_told() -> None:
    async with opened_house(quick(autoconfirm=True, email=False)) as house:
        said = await problems(house)
        assert "Github and Google is refused" in said
        assert "switched off" in said
        assert "can take over" in await problems(house, allow_autoconfirm_social=True)


async def test_what_is_to_be_known_is_told(house: House) -> None:
    for policy, said in (
        ({"secret_key": None}, "24 hours"),
        ({"keep_session": True}, "signed out of all clients too"),
        ({"keep_session": True, "secret_key": None}, "has to sign in again"),
        ({"forward_address": True}, "captcha"),
        ({}, "30 a minute"),
    ):
        directory = house.another(**policy)
        assert said in "\n".join((await directory.report(CALLBACK)).notes)
        await directory.close()


async def test_who_cannot_be_rechecked_is_told_as_it_is(house: House) -> None:
    for policy, untrue in (
        ({"keep_session": True}, "has to sign in again"),
        ({"keep_session": True, "secret_key": None}, "24 hours"),
        ({"secret_key": None}, "are kept here"),
    ):
        directory = house.another(**policy)
        assert untrue not in "\n".join((await directory.report(CALLBACK)).notes)
        await directory.close()
    wrong = {"secret_key": "sb_secret_wrong"}
    assert "nobody can be rechecked" in await problems(house, **wrong)
    kept = await problems(house, **wrong, keep_session=True)
    assert "nobody without a kept session can be rechecked" in kept


async def test_no_key_is_in_a_report(house: House) -> None:
    directory = house.another(publishable_key="sb_secret_misplaced")
    assert "misplaced" not in repr(await directory.report(CALLBACK))
    await directory.close()
